// Arguments, shared arithmetic and dispatch slots of `upfirdn2d`.
#pragma once

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::upfirdn {

constexpr int kMostTaps = 32;          // of a separable filter, per axis
constexpr int kMostSquareTaps = 16;    // of any other, per axis
constexpr int kMostFilterValues = 256;

struct Axis {
  int in, out, up, down, pad, taps;  // pad: before the first sample
};

struct UpfirdnArgs {
  const float* x;  // [planes, y.in, x.in]
  float* out;      // [planes, y.out, x.out]
  std::int64_t planes;
  Axis ax, ay;
  bool separable;
  // In the order of correlation, gain included. Separable: ay.taps values of the rows, then ax.taps of the columns; else [ay.taps][ax.taps].
  float filter[kMostFilterValues];
};

using UpfirdnFn = void (*)(const UpfirdnArgs&, Stream);
OpTable<UpfirdnFn>& upfirdn_table();

// The first tap of output `o` that meets a sample instead of an inserted zero, and that sample, which may lie outside. The next tap
// that does is `up` further, at the next sample.
struct Meeting {
  int tap, sample;
};
FORGE_HD Meeting first_meeting(const Axis& a, int o) {
  const int position = o * a.down - a.pad, remainder = position % a.up;
  const int tap = remainder == 0 ? 0 : remainder < 0 ? -remainder : a.up - remainder;
  return {tap, (position + tap) / a.up};
}

// The filter's rows applied at column `x` of the input.
FORGE_HD float column_sum(const UpfirdnArgs& a, const float* plane, Meeting rows, int x) {
  float sum = 0.f;
  for (int t = rows.tap, row = rows.sample; t < a.ay.taps; t += a.ay.up, ++row)
    if (row >= 0 && row < a.ay.in) sum += a.filter[t] * plane[static_cast<std::int64_t>(row) * a.ax.in + x];
  return sum;
}

// One output value.
FORGE_HD float upfirdn_value(const UpfirdnArgs& a, const float* plane, int x, int y) {
  const Meeting rows = first_meeting(a.ay, y), columns = first_meeting(a.ax, x);
  float sum = 0.f;
  if (a.separable) {
    for (int t = columns.tap, column = columns.sample; t < a.ax.taps; t += a.ax.up, ++column)
      if (column >= 0 && column < a.ax.in) sum += a.filter[a.ay.taps + t] * column_sum(a, plane, rows, column);
    return sum;
  }
  for (int ty = rows.tap, row = rows.sample; ty < a.ay.taps; ty += a.ay.up, ++row) {
    if (row < 0 || row >= a.ay.in) continue;
    for (int tx = columns.tap, column = columns.sample; tx < a.ax.taps; tx += a.ax.up, ++column)
      if (column >= 0 && column < a.ax.in) sum += a.filter[ty * a.ax.taps + tx] * plane[static_cast<std::int64_t>(row) * a.ax.in + column];
  }
  return sum;
}

}  // namespace forge_rt::upfirdn
