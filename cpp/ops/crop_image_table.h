// crop_image: arguments, dispatch slots, and the arithmetic of one output pixel, which all paths share to the bit.
#pragma once

#include <math.h>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"
#include "forge_rt/ops/crop_image.h"

namespace forge_rt::crop {

constexpr int kMostSamples = 16;  // per axis
constexpr float kLongestStep = 2;  // frame pixels between two samples of a crop pixel

struct CropArgs {
  const std::uint8_t* data;
  const std::uint8_t* uv;  // nv12
  std::int64_t stride, uv_stride;
  int width, height;
  PixelFormat format;
  bool replicate, bgr;
  float fill;
  float red_v, green_u, green_v, blue_u;  // nv12
  float mean[3], scale[3];                // by output channel
  const Affine* to_frame;                 // [batch], host memory
  std::int64_t batch;
  int out_width, out_height;
  float* out;  // [batch, 3, out_height, out_width]
};

using CropFn = void (*)(const CropArgs&, Stream);
OpTable<CropFn>& crop_image_table();

struct Rgb {
  float r, g, b;
};

// The slack keeps a span that is a whole number up to rounding from costing one more sample.
FORGE_HD int samples_per_axis(const Affine& m) {
  const float across = sqrtf(m.a * m.a + m.d * m.d), down = sqrtf(m.b * m.b + m.e * m.e);
  const float wanted = ceilf((across > down ? across : down) / kLongestStep - 1e-3f);
  return wanted > kMostSamples ? kMostSamples : wanted > 1.f ? static_cast<int>(wanted) : 1;
}

FORGE_HD float clamp_to(float v, float low, float high) { return v < low ? low : v > high ? high : v; }
FORGE_HD int clamp_to(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

FORGE_HD Rgb from_yuv(const CropArgs& a, float luma, float u, float v) {
  const float grey = 1.16438356f * (luma - 16.f), cb = u - 128.f, cr = v - 128.f;
  return {clamp_to(grey + a.red_v * cr, 0.f, 255.f), clamp_to((grey - a.green_u * cb) - a.green_v * cr, 0.f, 255.f),
          clamp_to(grey + a.blue_u * cb, 0.f, 255.f)};
}

FORGE_HD Rgb fetch(const CropArgs& a, int x, int y) {
  const std::uint8_t* row = a.data + y * a.stride;
  switch (a.format) {
    case PixelFormat::rgb: row += 3 * static_cast<std::int64_t>(x); break;
    case PixelFormat::rgba: row += 4 * static_cast<std::int64_t>(x); break;
    case PixelFormat::bgr: row += 3 * static_cast<std::int64_t>(x); return {float(row[2]), float(row[1]), float(row[0])};
    case PixelFormat::bgra: row += 4 * static_cast<std::int64_t>(x); return {float(row[2]), float(row[1]), float(row[0])};
    case PixelFormat::gray: return {float(row[x]), float(row[x]), float(row[x])};
    case PixelFormat::nv12: {
      const std::uint8_t* chroma = a.uv + (y >> 1) * a.uv_stride + (x >> 1) * 2;
      return from_yuv(a, float(row[x]), float(chroma[0]), float(chroma[1]));
    }
  }
  return {float(row[0]), float(row[1]), float(row[2])};
}

FORGE_HD Rgb fetch_or_fill(const CropArgs& a, int x, int y) {
  if (a.replicate) return fetch(a, clamp_to(x, 0, a.width - 1), clamp_to(y, 0, a.height - 1));
  if (x < 0 || x >= a.width || y < 0 || y >= a.height) return {a.fill, a.fill, a.fill};
  return fetch(a, x, y);
}

FORGE_HD float mix(float from, float to, float t) { return from + t * (to - from); }

// Bilinear at column x, row y; whole numbers are pixel centres. Clamping keeps far positions within int; from 1 beyond the frame
// all taps are border.
FORGE_HD Rgb sample(const CropArgs& a, float x, float y) {
  x = clamp_to(x, -2.f, float(a.width) + 1.f);
  y = clamp_to(y, -2.f, float(a.height) + 1.f);
  const float left = floorf(x), top = floorf(y), tx = x - left, ty = y - top;
  const int x0 = static_cast<int>(left), y0 = static_cast<int>(top);
  const Rgb p00 = fetch_or_fill(a, x0, y0), p01 = fetch_or_fill(a, x0 + 1, y0);
  const Rgb p10 = fetch_or_fill(a, x0, y0 + 1), p11 = fetch_or_fill(a, x0 + 1, y0 + 1);
  return {mix(mix(p00.r, p01.r, tx), mix(p10.r, p11.r, tx), ty), mix(mix(p00.g, p01.g, tx), mix(p10.g, p11.g, tx), ty),
          mix(mix(p00.b, p01.b, tx), mix(p10.b, p11.b, tx), ty)};
}

// Place of sample `i` of `n` in crop pixel `pixel`, along one axis.
FORGE_HD float sample_place(int pixel, int i, int n) { return float(pixel) + (float(i) + 0.5f) / float(n); }

// Three values of crop pixel (x, y).
FORGE_HD void crop_pixel(const CropArgs& a, const Affine& m, int n, int x, int y, float* out) {
  Rgb sum = {0, 0, 0};
  for (int j = 0; j < n; ++j) {
    const float down = sample_place(y, j, n), row_x = m.b * down + m.c, row_y = m.e * down + m.f;
    for (int i = 0; i < n; ++i) {
      const float across = sample_place(x, i, n);
      const Rgb s = sample(a, (m.a * across + row_x) - 0.5f, (m.d * across + row_y) - 0.5f);
      sum = {sum.r + s.r, sum.g + s.g, sum.b + s.b};
    }
  }
  const float count = float(n * n);
  const float value[3] = {(a.bgr ? sum.b : sum.r) / count, sum.g / count, (a.bgr ? sum.r : sum.b) / count};
  for (int c = 0; c < 3; ++c) out[c] = (value[c] - a.mean[c]) * a.scale[c];
}

}  // namespace forge_rt::crop
