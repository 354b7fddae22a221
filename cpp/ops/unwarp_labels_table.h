// unwarp_labels and unwarp_map: arguments, dispatch slots, and the arithmetic of one frame pixel, which all paths share to the bit.
//
// The class of a cell, the square between four neighbouring logits, is known where its four corners have the same best class: a mean
// with weights >= 0 keeps the order of the channels. Only the other cells, along the borders of regions, are blended.
#pragma once

#include <math.h>
#include <string.h>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"
#include "forge_rt/ops/unwarp_labels.h"

namespace forge_rt::unwarp {

// NaN counts as -kLargestLogit and infinities as ±kLargestLogit, so that blends stay finite; masked classes lie below all others.
constexpr float kLargestLogit = 1e30f, kMaskedLogit = -2e30f;
constexpr int kMostClasses = 256;
constexpr int kSumLanes = 16;  // partial sums of the softmax: channel c adds to c % 16, on every path

// Where the crop's grid [height, width] lies below the frame.
struct Grid {
  Affine to_crop;
  float crop_width, crop_height;
  float scale_x, scale_y;  // crop pixels → grid cells
  int width, height;
};

struct UnwarpArgs {
  Grid grid;
  PixelRect rect;
  const float* logits;  // [channels, grid.height, grid.width]
  int channels;
  std::uint64_t masked;
  bool nearest;
  std::uint8_t background;
  std::uint8_t* labels;
  std::int64_t label_stride;
  std::uint8_t* confidence;
  std::int64_t confidence_stride;
};

struct UnwarpMapArgs {
  Grid grid;
  PixelRect rect;
  const float* map;
  const std::uint8_t* mask;
  std::int64_t mask_stride;
  float* out;
  std::int64_t stride;
};

using UnwarpLabelsFn = void (*)(const UnwarpArgs&, Stream);
using UnwarpMapFn = void (*)(const UnwarpMapArgs&, Stream);
OpTable<UnwarpLabelsFn>& unwarp_labels_table();
OpTable<UnwarpMapFn>& unwarp_map_table();

FORGE_HD float within(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

// Four grid points around a frame pixel and the place between them.
struct Cell {
  int x0, y0, x1, y1;
  float tx, ty;
};

// Continuous grid position of the centre of frame pixel (column, row): 0 .. width, 0 .. height. False outside the crop.
FORGE_HD bool locate(const Grid& g, int column, int row, float& x, float& y) {
  const float across = float(column) + 0.5f, down = float(row) + 0.5f;
  const float crop_x = g.to_crop.a * across + (g.to_crop.b * down + g.to_crop.c);
  const float crop_y = g.to_crop.d * across + (g.to_crop.e * down + g.to_crop.f);
  x = crop_x * g.scale_x;
  y = crop_y * g.scale_y;
  return crop_x >= 0.f && crop_x < g.crop_width && crop_y >= 0.f && crop_y < g.crop_height;
}

FORGE_HD Cell cell_at(const Grid& g, float x, float y) {
  const float u = within(x - 0.5f, 0.f, float(g.width - 1)), v = within(y - 0.5f, 0.f, float(g.height - 1));
  const int x0 = static_cast<int>(u), y0 = static_cast<int>(v);
  return {x0, y0, x0 + 1 < g.width ? x0 + 1 : x0, y0 + 1 < g.height ? y0 + 1 : y0, u - float(x0), v - float(y0)};
}

// The nearest grid point, as a cell without extent.
FORGE_HD Cell point_at(const Grid& g, float x, float y) {
  const int x0 = static_cast<int>(within(x, 0.f, float(g.width - 1))), y0 = static_cast<int>(within(y, 0.f, float(g.height - 1)));
  return {x0, y0, x0, y0, 0.f, 0.f};
}

struct Weights {
  float w00, w01, w10, w11;
};
FORGE_HD Weights weights_of(const Cell& cell) {
  const float left = 1.f - cell.tx, top = 1.f - cell.ty;
  return {left * top, cell.tx * top, left * cell.ty, cell.tx * cell.ty};
}

FORGE_HD bool is_masked(const UnwarpArgs& a, int c) { return c < 64 && (a.masked >> c & 1) != 0; }

FORGE_HD float logit_at(const UnwarpArgs& a, int c, int x, int y) {
  if (is_masked(a, c)) return kMaskedLogit;
  const float v = a.logits[(static_cast<std::int64_t>(c) * a.grid.height + y) * a.grid.width + x];
  return v > -kLargestLogit ? (v < kLargestLogit ? v : kLargestLogit) : -kLargestLogit;
}

// Products and sums of this order never reverse the order of two channels.
FORGE_HD float blend(const UnwarpArgs& a, int c, const Cell& cell, const Weights& w) {
  return ((w.w00 * logit_at(a, c, cell.x0, cell.y0) + w.w01 * logit_at(a, c, cell.x1, cell.y0)) +
          w.w10 * logit_at(a, c, cell.x0, cell.y1)) +
         w.w11 * logit_at(a, c, cell.x1, cell.y1);
}

// Best class of a grid point; the lowest of equals.
FORGE_HD int point_class(const UnwarpArgs& a, int x, int y) {
  int best = 0;
  float most = logit_at(a, 0, x, y);
  for (int c = 1; c < a.channels; ++c) {
    const float v = logit_at(a, c, x, y);
    if (v > most) {
      most = v;
      best = c;
    }
  }
  return best;
}

FORGE_HD int blended_class(const UnwarpArgs& a, const Cell& cell) {
  const Weights w = weights_of(cell);
  int best = 0;
  float most = blend(a, 0, cell, w);
  for (int c = 1; c < a.channels; ++c) {
    const float v = blend(a, c, cell, w);
    if (v > most) {
      most = v;
      best = c;
    }
  }
  return best;
}

// `classes` [height, width]: point_class of each grid point.
FORGE_HD int cell_class(const UnwarpArgs& a, const std::uint8_t* classes, const Cell& cell) {
  const std::uint8_t* top = classes + static_cast<std::int64_t>(cell.y0) * a.grid.width;
  const std::uint8_t* bottom = classes + static_cast<std::int64_t>(cell.y1) * a.grid.width;
  const int k = top[cell.x0];
  if (top[cell.x1] == k && bottom[cell.x0] == k && bottom[cell.x1] == k) return k;
  return blended_class(a, cell);
}

// exp(v) for v <= 0 up to rounding: 2^(whole + part), part in [-1/2, 1/2] by a polynomial (2 ulp), the same bits everywhere.
constexpr float kLeastExponent = -80.f, kLog2E = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
constexpr float kExp[6] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
constexpr float kRound = 12582912.f;  // 1.5 · 2²³: adding it rounds to a whole number

FORGE_HD float exp_below_zero(float v) {
  if (v < kLeastExponent) return 0.f;
  v = v > 1.f ? 1.f : v;
  const float whole = (v * kLog2E + kRound) - kRound;
  const float t = (v - whole * kLn2High) - whole * kLn2Low;
  constexpr float k[6] = {kExp[0], kExp[1], kExp[2], kExp[3], kExp[4], kExp[5]};  // a copy: device code cannot index host constants
  float p = k[0];
  for (int i = 1; i < 6; ++i) p = p * t + k[i];
  const float part = ((p * (t * t)) + t) + 1.f;
  const std::int32_t bits = (static_cast<std::int32_t>(whole) + 127) << 23;
  float power;
  memcpy(&power, &bits, sizeof power);
  return part * power;
}

// 1 / sum, as a byte.
FORGE_HD std::uint8_t share_byte(float sum) { return static_cast<std::uint8_t>(within(255.f / sum + 0.5f, 0.f, 255.f)); }

// Softmax probability of class `chosen` among the classes that are not masked.
FORGE_HD std::uint8_t confidence_of(const UnwarpArgs& a, const Cell& cell, int chosen) {
  const Weights w = weights_of(cell);
  const float top = blend(a, chosen, cell, w);
  float sum[kSumLanes] = {};
  for (int c = 0; c < a.channels; ++c) sum[c % kSumLanes] += exp_below_zero(blend(a, c, cell, w) - top);
  for (int half = kSumLanes / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) sum[i] += sum[i + half];
  return share_byte(sum[0]);
}

// All that happens at one frame pixel.
FORGE_HD void unwarp_pixel(const UnwarpArgs& a, const std::uint8_t* classes, int column, int row) {
  float x, y;
  if (!locate(a.grid, column, row, x, y)) return;
  const Cell cell = a.nearest ? point_at(a.grid, x, y) : cell_at(a.grid, x, y);
  const int chosen = cell_class(a, classes, cell);
  const std::int64_t from_left = column - a.rect.left, from_top = row - a.rect.top;
  if (a.labels != nullptr && chosen != a.background) a.labels[from_top * a.label_stride + from_left] = static_cast<std::uint8_t>(chosen);
  if (a.confidence != nullptr) a.confidence[from_top * a.confidence_stride + from_left] = confidence_of(a, cell, chosen);
}

FORGE_HD void unwarp_map_pixel(const UnwarpMapArgs& a, int column, int row) {
  const std::int64_t from_left = column - a.rect.left, from_top = row - a.rect.top;
  if (a.mask != nullptr && a.mask[from_top * a.mask_stride + from_left] == 0) return;
  float x, y;
  if (!locate(a.grid, column, row, x, y)) return;
  const Cell cell = cell_at(a.grid, x, y);
  const float* top = a.map + static_cast<std::int64_t>(cell.y0) * a.grid.width;
  const float* bottom = a.map + static_cast<std::int64_t>(cell.y1) * a.grid.width;
  const float upper = top[cell.x0] + cell.tx * (top[cell.x1] - top[cell.x0]);
  const float lower = bottom[cell.x0] + cell.tx * (bottom[cell.x1] - bottom[cell.x0]);
  a.out[from_top * a.stride + from_left] = upper + cell.ty * (lower - upper);
}

}  // namespace forge_rt::unwarp
