#include "capture.h"

#include <array>
#include <cmath>

namespace forge_rt {
namespace {

// Film-like shoulder (Narkowicz's fit of the ACES curve), then the sRGB curve, to 0..255.
std::uint8_t tone(float x) {
  const float film = (x * (2.51f * x + 0.03f)) / (x * (2.43f * x + 0.59f) + 0.14f);
  const float c = std::min(film, 1.f);
  const float s = c <= 0.0031308f ? 12.92f * c : 1.055f * std::pow(c, 1.f / 2.4f) - 0.055f;
  return static_cast<std::uint8_t>(s * 255.f + 0.5f);
}

// `tone` by table; steps of 1/4096 are below a third of a grey level everywhere.
std::uint8_t encode(float linear) {
  constexpr int kSteps = 4096, kTop = 8;
  static const auto table = [] {
    std::array<std::uint8_t, kSteps * kTop> t{};
    for (int i = 0; i < kSteps * kTop; ++i) t[i] = tone((static_cast<float>(i) + 0.5f) / kSteps);
    return t;
  }();
  const float i = linear * kSteps;
  return table[i > 0.f ? (i < static_cast<float>(kSteps * kTop) ? static_cast<int>(i) : kSteps * kTop - 1) : 0];
}

}  // namespace

void capture(const FaceCapture& how, std::uint32_t, float* color, int height, int width, std::uint8_t* rgb) {
  const float gain = std::exp2(how.exposure);
  for (std::int64_t i = 0; i < std::int64_t{3} * height * width; ++i) rgb[i] = encode(color[i] * gain);
}

}  // namespace forge_rt
