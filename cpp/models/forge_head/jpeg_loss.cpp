#include "jpeg_loss.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace forge_rt {
namespace {

constexpr std::array<int, 64> kLuma = {16, 11,  10,  16, 24, 40, 51, 61, 12,  12,  14,  19,  26, 58, 60, 55,  14,  13,  16,  24, 40, 57,
                                       69, 56,  14,  17, 22, 29, 51, 87, 80,  62,  18,  22,  37, 56, 68, 109, 103, 77,  24,  35, 55, 64,
                                       81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98,  112, 100, 103, 99};
constexpr std::array<int, 64> kChroma = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
                                         99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                         99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

using Steps = std::array<float, 64>;

Steps scaled(const std::array<int, 64>& table, int quality) {
  const int scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  Steps out;
  for (int i = 0; i < 64; ++i) out[i] = static_cast<float>(std::clamp((table[i] * scale + 50) / 100, 1, 255));
  return out;
}

// Orthonormal DCT-II: row k, column n.
const std::array<std::array<float, 8>, 8>& cosines() {
  static const auto table = [] {
    std::array<std::array<float, 8>, 8> t{};
    for (int k = 0; k < 8; ++k)
      for (int n = 0; n < 8; ++n)
        t[k][n] = static_cast<float>((k == 0 ? std::sqrt(0.125) : 0.5) * std::cos((2 * n + 1) * k * 3.14159265358979323846 / 16.0));
    return t;
  }();
  return table;
}

// out = c · in, or cᵀ · in; columns in the inner loop, so that it is eight lanes wide.
template <bool transposed>
void multiply(const std::array<std::array<float, 8>, 8>& c, const float* in, float* out) {
  for (int row = 0; row < 8; ++row) {
    float sum[8] = {};
    for (int k = 0; k < 8; ++k) {
      const float w = transposed ? c[k][row] : c[row][k];
      for (int column = 0; column < 8; ++column) sum[column] += w * in[8 * k + column];
    }
    for (int column = 0; column < 8; ++column) out[8 * row + column] = sum[column];
  }
}

void transpose(float* block) {
  for (int y = 0; y < 8; ++y)
    for (int x = y + 1; x < 8; ++x) std::swap(block[8 * y + x], block[8 * x + y]);
}

struct Plane {
  int height, width;
  std::vector<float> values;
  float& at(int y, int x) { return values[static_cast<std::size_t>(y) * width + x]; }
};

void lose(Plane& plane, const Steps& steps) {
  const auto& c = cosines();
  for (int by = 0; by < plane.height; by += 8)
    for (int bx = 0; bx < plane.width; bx += 8) {
      alignas(64) float a[64], b[64];
      for (int y = 0; y < 8; ++y)
        for (int x = 0; x < 8; ++x) a[8 * y + x] = plane.at(std::min(by + y, plane.height - 1), std::min(bx + x, plane.width - 1)) - 128.f;
      multiply<false>(c, a, b);
      transpose(b);
      multiply<false>(c, b, a);  // coefficients, transposed
      for (int k = 0; k < 64; ++k) {
        const float step = steps[8 * (k % 8) + k / 8];
        a[k] = std::nearbyint(a[k] / step) * step;
      }
      multiply<true>(c, a, b);
      transpose(b);
      multiply<true>(c, b, a);
      for (int y = 0; y < 8 && by + y < plane.height; ++y)
        for (int x = 0; x < 8 && bx + x < plane.width; ++x) plane.at(by + y, bx + x) = a[8 * y + x] + 128.f;
    }
}

}  // namespace

void jpeg_loss(int quality, int height, int width, std::uint8_t* rgb) {
  const int sub = quality < 90 ? 2 : 1, small_height = (height + sub - 1) / sub, small_width = (width + sub - 1) / sub;
  thread_local Plane luma, blue, red;
  const auto prepare = [](Plane& p, int h, int w) {
    p.height = h;
    p.width = w;
    p.values.assign(static_cast<std::size_t>(h) * w, 0.f);
  };
  prepare(luma, height, width);
  prepare(blue, small_height, small_width);
  prepare(red, small_height, small_width);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const std::uint8_t* p = rgb + 3 * (static_cast<std::size_t>(y) * width + x);
      const float r = p[0], g = p[1], b = p[2];
      luma.at(y, x) = 0.299f * r + 0.587f * g + 0.114f * b;
      // Edge cells of odd sizes hold fewer pixels.
      const int cell = (std::min(sub, height - y / sub * sub)) * (std::min(sub, width - x / sub * sub));
      blue.at(y / sub, x / sub) += (-0.168736f * r - 0.331264f * g + 0.5f * b + 128.f) / static_cast<float>(cell);
      red.at(y / sub, x / sub) += (0.5f * r - 0.418688f * g - 0.081312f * b + 128.f) / static_cast<float>(cell);
    }
  const Steps luma_steps = scaled(kLuma, quality), chroma_steps = scaled(kChroma, quality);
  lose(luma, luma_steps);
  lose(blue, chroma_steps);
  lose(red, chroma_steps);
  const auto byte = [](float v) { return static_cast<std::uint8_t>(std::clamp(v + 0.5f, 0.f, 255.f)); };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::uint8_t* p = rgb + 3 * (static_cast<std::size_t>(y) * width + x);
      const float l = luma.at(y, x), cb = blue.at(y / sub, x / sub) - 128.f, cr = red.at(y / sub, x / sub) - 128.f;
      p[0] = byte(l + 1.402f * cr);
      p[1] = byte(l - 0.344136f * cb - 0.714136f * cr);
      p[2] = byte(l + 1.772f * cb);
    }
}

}  // namespace forge_rt
