// Arguments, shared arithmetic and dispatch slots of `neural_texture`.
#pragma once

#include <math.h>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::neural {

struct TextureArgs {
  const std::int32_t* face;          // [batch, pixels]
  const float* barycentrics;         // [batch, pixels, 3]
  const std::int32_t* uv_triangles;  // [F, 3]
  const float* grid;                 // [N, 2]
  const float* texture;              // [batch or 1, ...]
  const float* mask;                 // [mask_height, mask_width] or null
  float* features;                   // [batch, ...]
  float* alpha;                      // [batch, pixels] or null
  std::int64_t batch, pixels, channels;
  std::int64_t texture_stride;       // of a sample; 0 when one serves all
  int height, width, mask_height, mask_width;
  bool texture_last, features_last, add;
};

using TextureFn = void (*)(const TextureArgs&, Stream);
OpTable<TextureFn>& texture_table();

// Texels under a bilinear lookup; -1 where one lies outside.
struct Taps {
  int texel[4];
  float weight[4];
};

// As sample_texture: zero outside, nothing for NaN.
FORGE_HD Taps find_taps(float u, float v, int height, int width) {
  const float x = ((u + 1.f) * static_cast<float>(width) - 1.f) / 2.f, y = ((v + 1.f) * static_cast<float>(height) - 1.f) / 2.f;
  // A comparison with NaN is false.
  const bool near = x > -2.f && y > -2.f && x < static_cast<float>(width) + 1.f && y < static_cast<float>(height) + 1.f;
  const int x0 = near ? static_cast<int>(floorf(x)) : -2, y0 = near ? static_cast<int>(floorf(y)) : -2;
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  Taps taps;
  for (int tap = 0; tap < 4; ++tap) {
    const int column = x0 + (tap & 1), row = y0 + (tap >> 1);
    taps.texel[tap] = column < 0 || column >= width || row < 0 || row >= height ? -1 : row * width + column;
    taps.weight[tap] = ((tap & 1) ? fx : 1.f - fx) * ((tap >> 1) ? fy : 1.f - fy);
  }
  return taps;
}

// Weighted texels: `step` apart, in the order of the taps.
FORGE_HD float sum_taps(const Taps& taps, const float* texels, std::int64_t step) {
  float sum = 0.f;
  for (int k = 0; k < 4; ++k)
    if (taps.texel[k] >= 0) sum += taps.weight[k] * texels[taps.texel[k] * step];
  return sum;
}

struct Coordinates {
  float u, v;
};

// Quirk: (0, 0), the texture's centre, where no triangle is.
FORGE_HD Coordinates coordinates_of(const TextureArgs& a, std::int64_t pixel) {
  const std::int32_t f = a.face[pixel];
  if (f < 0) return {0.f, 0.f};
  const float* w = a.barycentrics + 3 * pixel;
  const std::int32_t* id = a.uv_triangles + 3 * std::int64_t{f};
  const float *p = a.grid + 2 * std::int64_t{id[0]}, *q = a.grid + 2 * std::int64_t{id[1]}, *r = a.grid + 2 * std::int64_t{id[2]};
  return {(w[0] * p[0] + w[1] * q[0]) + w[2] * r[0], (w[0] * p[1] + w[1] * q[1]) + w[2] * r[1]};
}

FORGE_HD float alpha_of(const TextureArgs& a, std::int64_t pixel, const Coordinates& at) {
  if (a.face[pixel] < 0) return 0.f;
  if (a.mask == nullptr) return 1.f;
  return sum_taps(find_taps(at.u, at.v, a.mask_height, a.mask_width), a.mask, 1);
}

FORGE_HD float texture_value(const TextureArgs& a, std::int64_t b, const Taps& taps, std::int64_t c) {
  const float* base = a.texture + b * a.texture_stride;
  if (a.texture_last) return sum_taps(taps, base + c, a.channels);
  return sum_taps(taps, base + c * a.height * a.width, 1);
}

// Where channel `c` of pixel `p` goes.
FORGE_HD std::int64_t feature_index(const TextureArgs& a, std::int64_t b, std::int64_t p, std::int64_t c) {
  return a.features_last ? (b * a.pixels + p) * a.channels + c : (b * a.channels + c) * a.pixels + p;
}

}  // namespace forge_rt::neural
