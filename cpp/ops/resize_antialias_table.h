// Arguments, shared arithmetic and dispatch slots of `resize_antialias`, `crop_resize` and `resize_paste`.
#pragma once

#include <math.h>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::resize {

struct Box {
  int row0, row1, column0, column1;
};

struct ResizeArgs {
  const float* in;  // [batch, channels, in_height, in_width]
  float* out;       // [batch, channels, out_height, out_width]
  std::int64_t batch, channels;
  int in_height, in_width, out_height, out_width;
  const std::int64_t* boxes;  // [batch, 4] or null: all of both
  bool boxes_on_host;
  bool paste;  // boxes lie in `out`; else in `in`
};

using ResizeFn = void (*)(const ResizeArgs&, Stream);
OpTable<ResizeFn>& resize_table();

FORGE_HD int height_of(const Box& b) { return b.row1 - b.row0; }
FORGE_HD int width_of(const Box& b) { return b.column1 - b.column0; }
FORGE_HD std::int64_t clamp_to(std::int64_t v, std::int64_t low, std::int64_t high) { return v < low ? low : v > high ? high : v; }

// A box cut to an image, at least one pixel each way.
FORGE_HD Box clamp_box(const std::int64_t* box, int height, int width) {
  Box b;
  b.row0 = static_cast<int>(clamp_to(box[0], 0, height - 1));
  b.row1 = static_cast<int>(clamp_to(box[1], b.row0 + 1, height));
  b.column0 = static_cast<int>(clamp_to(box[2], 0, width - 1));
  b.column1 = static_cast<int>(clamp_to(box[3], b.column0 + 1, width));
  return b;
}

// From and to where sample `b` is resized.
struct Regions {
  Box from, to;
};
FORGE_HD Regions regions_of(const ResizeArgs& a, const std::int64_t* box) {
  Regions r = {{0, a.in_height, 0, a.in_width}, {0, a.out_height, 0, a.out_width}};
  if (box == nullptr) return r;
  if (a.paste) r.to = clamp_box(box, a.out_height, a.out_width);
  else r.from = clamp_box(box, a.in_height, a.in_width);
  return r;
}

// Room for the taps of one output when `in` values become `out`.
FORGE_HD int most_taps(int in, int out) {
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  return scale > 1.f ? 2 * static_cast<int>(ceilf(scale)) + 1 : 3;
}

// Weights of output `i`: from `first` on, at most most_taps of them. In float32 and in the published order; taps of weight 0 at the ends
// are left out.
struct Span {
  int first, count;
};
FORGE_HD Span axis_weights(int in, int out, int i, float* weights) {
  const float scale = static_cast<float>(in) / static_cast<float>(out), support = scale > 1.f ? scale : 1.f, inverse = 1.f / support;
  const float centre = scale * (static_cast<float>(i) + 0.5f);
  int low = static_cast<int>(centre - support + 0.5f), high = static_cast<int>(centre + support + 0.5f);
  low = low > 0 ? low : 0;
  high = high < in ? high : in;
  int count = 0;
  float total = 0.f;
  for (int j = low; j < high; ++j) {
    const float weight = 1.f - fabsf((static_cast<float>(j) - centre + 0.5f) * inverse);
    if (weight <= 0.f) {
      if (count == 0) ++low;  // before the kernel; behind it all are 0
      continue;
    }
    weights[count++] = weight;
    total += weight;
  }
  if (count == 0) {  // cannot happen in exact arithmetic
    weights[count++] = total = 1.f;
    low = low < in ? low : in - 1;
  }
  for (int j = 0; j < count; ++j) weights[j] /= total;
  return {low, count};
}

// Taps of one axis for all outputs.
struct AxisTaps {
  const Span* span;      // [out]
  const float* weights;  // [out, most]
  int most;
};

// One value: the rows first, then along the row. `from` points at the region's first pixel.
FORGE_HD float resize_value(const float* from, std::int64_t stride, const AxisTaps& rows, const AxisTaps& columns, int y, int x) {
  const Span vertical = rows.span[y], across = columns.span[x];
  const float *wy = rows.weights + static_cast<std::int64_t>(y) * rows.most,
              *wx = columns.weights + static_cast<std::int64_t>(x) * columns.most;
  float sum = 0.f;
  for (int i = 0; i < across.count; ++i) {
    const float* p = from + vertical.first * stride + across.first + i;
    float column = 0.f;
    for (int j = 0; j < vertical.count; ++j) column += wy[j] * p[j * stride];
    sum += wx[i] * column;
  }
  return sum;
}

}  // namespace forge_rt::resize
