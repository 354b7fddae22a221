#include "capture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "jpeg_loss.h"
#include "shading/noise.h"

namespace forge_rt {
namespace {

struct Picture {
  float* data;  // [height, width, 3]
  int height, width;
  std::int64_t values() const { return std::int64_t{3} * height * width; }
  const float* at(int y, int x) const { return data + 3 * (static_cast<std::int64_t>(y) * width + x); }
};

// Film-like shoulder (Narkowicz's fit of the ACES curve), then the sRGB curve, to 0..1.
float film(float x) {
  const float c = std::clamp((x * (2.51f * x + 0.03f)) / (x * (2.43f * x + 0.59f) + 0.14f), 0.f, 1.f);
  return c <= 0.0031308f ? 12.92f * c : 1.055f * std::pow(c, 1.f / 2.4f) - 0.055f;
}

// `film` by table; steps of 1/4096 of linear light are below a third of a grey level everywhere.
constexpr int kSteps = 4096, kTop = 8;
const std::array<float, kSteps * kTop>& film_table() {
  static const auto table = [] {
    std::array<float, kSteps * kTop> t{};
    for (int i = 0; i < kSteps * kTop; ++i) t[i] = film((static_cast<float>(i) + 0.5f) / kSteps);
    return t;
  }();
  return table;
}
float developed(const std::array<float, kSteps * kTop>& table, float linear) {
  const float i = linear * kSteps;
  return table[i > 0.f ? (i < static_cast<float>(kSteps * kTop) ? static_cast<int>(i) : kSteps * kTop - 1) : 0];
}

std::vector<float>& scratch(int slot, std::int64_t values) {
  thread_local std::array<std::vector<float>, 2> buffers;
  buffers[slot].resize(static_cast<std::size_t>(values));
  return buffers[slot];
}

// ---- in linear light ----

void expose(const FaceCapture& how, const Picture& p) {
  const float gain = std::exp2(how.exposure);
  const float channel[3] = {gain * how.white_balance[0], gain * how.white_balance[1], gain * how.white_balance[2]};
  const float cx = 0.5f * static_cast<float>(p.width), cy = 0.5f * static_cast<float>(p.height), reach = cx * cx + cy * cy;
  for (int y = 0; y < p.height; ++y) {
    float* row = p.data + std::int64_t{3} * y * p.width;
    for (int x = 0; x < p.width; ++x) {
      const float dx = static_cast<float>(x) + 0.5f - cx, dy = static_cast<float>(y) + 0.5f - cy;
      const float r = (dx * dx + dy * dy) / reach, dim = 1.f - 0.7f * how.vignette * r * r;
      for (int c = 0; c < 3; ++c) row[3 * x + c] *= channel[c] * dim;
    }
  }
}

void gaussian_blur(float sigma, const Picture& p) {
  const int radius = std::max(static_cast<int>(std::ceil(2.6f * sigma)), 1);
  std::vector<float> weight(radius + 1);
  float sum = 0.f;
  for (int i = 0; i <= radius; ++i) {
    weight[i] = std::exp(-0.5f * static_cast<float>(i * i) / (sigma * sigma));
    sum += i == 0 ? weight[i] : 2.f * weight[i];
  }
  for (float& w : weight) w /= sum;
  // Rows through a padded copy, then columns row by row.
  std::vector<float>& padded = scratch(0, std::int64_t{3} * (p.width + 2 * radius));
  std::vector<float>& rows = scratch(1, p.values());
  const int pitch = 3 * p.width;
  for (int y = 0; y < p.height; ++y) {
    const float* in = p.at(y, 0);
    for (int x = -radius; x < p.width + radius; ++x)
      for (int c = 0; c < 3; ++c) padded[3 * (x + radius) + c] = in[3 * std::clamp(x, 0, p.width - 1) + c];
    float* out = rows.data() + static_cast<std::int64_t>(y) * pitch;
    for (int i = 0; i < pitch; ++i) out[i] = weight[0] * padded[i + 3 * radius];
    for (int k = 1; k <= radius; ++k)
      for (int i = 0; i < pitch; ++i) out[i] += weight[k] * (padded[i + 3 * (radius - k)] + padded[i + 3 * (radius + k)]);
  }
  for (int y = 0; y < p.height; ++y) {
    float* out = p.data + static_cast<std::int64_t>(y) * pitch;
    const auto row = [&](int r) { return rows.data() + static_cast<std::int64_t>(std::clamp(r, 0, p.height - 1)) * pitch; };
    const float* middle = row(y);
    for (int i = 0; i < pitch; ++i) out[i] = weight[0] * middle[i];
    for (int k = 1; k <= radius; ++k) {
      const float *above = row(y - k), *below = row(y + k);
      for (int i = 0; i < pitch; ++i) out[i] += weight[k] * (above[i] + below[i]);
    }
  }
}

void sample_bilinear(const float* in, int height, int width, float x, float y, float out[3]) {
  x = std::clamp(x, 0.f, static_cast<float>(width - 1));
  y = std::clamp(y, 0.f, static_cast<float>(height - 1));
  const int x0 = static_cast<int>(x), y0 = static_cast<int>(y), x1 = std::min(x0 + 1, width - 1), y1 = std::min(y0 + 1, height - 1);
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  const auto at = [&](int yy, int xx, int c) { return in[3 * (static_cast<std::int64_t>(yy) * width + xx) + c]; };
  for (int c = 0; c < 3; ++c) out[c] = mix(mix(at(y0, x0, c), at(y0, x1, c), fx), mix(at(y1, x0, c), at(y1, x1, c), fx), fy);
}

void motion_blur(float length_px, float degrees, const Picture& p) {
  const int taps = std::clamp(static_cast<int>(std::ceil(length_px)) + 1, 2, 16);
  const float angle = degrees * 0.017453292f, dx = std::cos(angle) * length_px, dy = std::sin(angle) * length_px;
  std::vector<float>& copy = scratch(1, p.values());
  std::copy_n(p.data, p.values(), copy.begin());
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      float sum[3] = {0.f, 0.f, 0.f};
      for (int k = 0; k < taps; ++k) {
        const float t = static_cast<float>(k) / static_cast<float>(taps - 1) - 0.5f;
        float value[3];
        sample_bilinear(copy.data(), p.height, p.width, static_cast<float>(x) + t * dx, static_cast<float>(y) + t * dy, value);
        for (int c = 0; c < 3; ++c) sum[c] += value[c];
      }
      for (int c = 0; c < 3; ++c) p.data[3 * (static_cast<std::int64_t>(y) * p.width + x) + c] = sum[c] / static_cast<float>(taps);
    }
}

// ---- in sRGB ----

// Approximately normal with unit variance: the sum of four uniform bytes of a hash.
float rough_normal(std::uint32_t key) {
  std::uint32_t h = key * 0x9E3779B1u;
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  h ^= h >> 16;
  const auto sum = static_cast<float>((h & 255u) + ((h >> 8) & 255u) + ((h >> 16) & 255u) + (h >> 24));
  return (sum - 510.f) * (1.f / 147.8f);
}

void develop(const FaceCapture& how, std::uint32_t seed, const Picture& p) {
  const auto& table = film_table();
  const bool noisy = how.noise_read > 0.f || how.noise_shot > 0.f;
  const float saturation = how.greyscale != 0 ? 0.f : how.saturation;
  for (std::int64_t i = 0; i < p.values(); i += 3) {
    float s[3];
    for (int c = 0; c < 3; ++c) s[c] = 0.5f + (developed(table, p.data[i + c]) - 0.5f) * how.contrast;
    const float luma = 0.299f * s[0] + 0.587f * s[1] + 0.114f * s[2];
    for (int c = 0; c < 3; ++c) {
      s[c] = luma + (s[c] - luma) * saturation;
      if (noisy)
        s[c] += (how.noise_read + how.noise_shot * std::sqrt(std::max(s[c], 0.f))) *
                rough_normal(seed ^ static_cast<std::uint32_t>(how.greyscale != 0 ? i : i + c) * 2654435761u);
      p.data[i + c] = s[c];
    }
  }
}

// Reduced by averaging, enlarged by interpolation.
void lose_resolution(float factor, const Picture& p) {
  const int height = std::max(static_cast<int>(static_cast<float>(p.height) / factor), 1),
            width = std::max(static_cast<int>(static_cast<float>(p.width) / factor), 1);
  std::vector<float>& small = scratch(1, std::int64_t{3} * height * width);
  for (int y = 0; y < height; ++y) {
    const int y0 = y * p.height / height, y1 = std::max((y + 1) * p.height / height, y0 + 1);
    for (int x = 0; x < width; ++x) {
      const int x0 = x * p.width / width, x1 = std::max((x + 1) * p.width / width, x0 + 1);
      float sum[3] = {0.f, 0.f, 0.f};
      for (int yy = y0; yy < y1; ++yy)
        for (int xx = x0; xx < x1; ++xx)
          for (int c = 0; c < 3; ++c) sum[c] += p.at(yy, xx)[c];
      for (int c = 0; c < 3; ++c)
        small[3 * (static_cast<std::int64_t>(y) * width + x) + c] = sum[c] / static_cast<float>((y1 - y0) * (x1 - x0));
    }
  }
  const float sy = static_cast<float>(height) / static_cast<float>(p.height), sx = static_cast<float>(width) / static_cast<float>(p.width);
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x)
      sample_bilinear(small.data(), height, width, (static_cast<float>(x) + 0.5f) * sx - 0.5f, (static_cast<float>(y) + 0.5f) * sy - 0.5f,
                      p.data + 3 * (static_cast<std::int64_t>(y) * p.width + x));
}

void sharpen(float amount, const Picture& p) {
  std::vector<float> soft(p.data, p.data + p.values());
  gaussian_blur(1.f, {soft.data(), p.height, p.width});
  for (std::int64_t i = 0; i < p.values(); ++i) p.data[i] += amount * (p.data[i] - soft[i]);
}

std::uint8_t to_byte(float s) { return static_cast<std::uint8_t>(std::clamp(s, 0.f, 1.f) * 255.f + 0.5f); }

}  // namespace

void capture(const FaceCapture& how, std::uint32_t seed, float* color, int height, int width, std::uint8_t* rgb) {
  const Picture p{color, height, width};
  if (how == FaceCapture{}) {
    const auto& table = film_table();
    for (std::int64_t i = 0; i < p.values(); ++i) rgb[i] = to_byte(developed(table, color[i]));
    return;
  }
  const float scale = static_cast<float>(width) / 512.f;  // blurs are given for 512 pixels of width
  expose(how, p);
  if (how.blur_px * scale >= 0.3f) gaussian_blur(std::min(how.blur_px * scale, 40.f), p);
  if (how.motion_px * scale >= 0.5f) motion_blur(how.motion_px * scale, how.motion_deg, p);
  develop(how, seed, p);
  if (how.downscale > 1.01f) lose_resolution(how.downscale, p);
  if (how.sharpen > 0.f) sharpen(how.sharpen, p);
  for (std::int64_t i = 0; i < p.values(); ++i) rgb[i] = to_byte(color[i]);
  if (how.jpeg_quality > 0) jpeg_loss(std::min(how.jpeg_quality, 100), height, width, rgb);
}

}  // namespace forge_rt
