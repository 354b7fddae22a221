// Arguments, shared arithmetic and dispatch slots of `sample_texture`.
#pragma once

#include <cmath>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::texture {

struct SampleArgs {
  const float* texture;         // [B or 1, Ht, Wt, C]
  const float* grid;            // [B, P, 2]
  float* out;                   // [B, P, C]
  std::int64_t batch, pixels, channels, texture_stride;
  int height, width;
  bool bilinear, clamp, align_corners;
};
using SampleFn = void (*)(const SampleArgs&, Stream);
OpTable<SampleFn>& sample_texture_table();

FORGE_HD float texel_coordinate(float g, int size, bool align_corners) {
  return align_corners ? (g + 1.f) / 2.f * static_cast<float>(size - 1) : ((g + 1.f) * static_cast<float>(size) - 1.f) / 2.f;
}
FORGE_HD float clamp_to(float v, float high) { return v < 0.f ? 0.f : (v > high ? high : v); }

// Texel coordinates of a pixel; false: it reads 0 (NaN, or out of reach of any texel).
FORGE_HD bool locate(const SampleArgs& a, std::int64_t pixel, float& x, float& y) {
  x = texel_coordinate(a.grid[2 * pixel], a.width, a.align_corners);
  y = texel_coordinate(a.grid[2 * pixel + 1], a.height, a.align_corners);
  if (x != x || y != y) return false;
  if (a.clamp) {
    x = clamp_to(x, static_cast<float>(a.width - 1));
    y = clamp_to(y, static_cast<float>(a.height - 1));
  }
  return x > -2.f && y > -2.f && x < static_cast<float>(a.width) + 1.f && y < static_cast<float>(a.height) + 1.f;
}

FORGE_HD void sample_pixel(const SampleArgs& a, std::int64_t b, std::int64_t p) {
  const std::int64_t pixel = b * a.pixels + p;
  float* out = a.out + pixel * a.channels;
  for (std::int64_t c = 0; c < a.channels; ++c) out[c] = 0.f;
  float x, y;
  if (!locate(a, pixel, x, y)) return;
  const float* base = a.texture + b * a.texture_stride;
  if (!a.bilinear) {
    const int column = static_cast<int>(nearbyintf(x)), row = static_cast<int>(nearbyintf(y));  // half to even, as grid_sample
    if (column < 0 || column >= a.width || row < 0 || row >= a.height) return;
    const float* texel = base + (static_cast<std::int64_t>(row) * a.width + column) * a.channels;
    for (std::int64_t c = 0; c < a.channels; ++c) out[c] = texel[c];
    return;
  }
  const int x0 = static_cast<int>(floorf(x)), y0 = static_cast<int>(floorf(y));
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  for (int tap = 0; tap < 4; ++tap) {
    const int column = x0 + (tap & 1), row = y0 + (tap >> 1);
    if (column < 0 || column >= a.width || row < 0 || row >= a.height) continue;
    const float weight = ((tap & 1) ? fx : 1.f - fx) * ((tap >> 1) ? fy : 1.f - fy);
    const float* texel = base + (static_cast<std::int64_t>(row) * a.width + column) * a.channels;
    for (std::int64_t c = 0; c < a.channels; ++c) out[c] += weight * texel[c];
  }
}

}  // namespace forge_rt::texture
