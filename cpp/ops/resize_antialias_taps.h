// Taps of resize_antialias on the CPU: one pair of tables per sample, or one for all samples where there are no boxes.
#pragma once

#include "../core/scratch.h"
#include "resize_antialias_table.h"

namespace forge_rt::resize {
namespace {

struct SampleTaps {
  Regions regions;
  AxisTaps rows, columns;
};

AxisTaps make_axis(Scratch& scratch, int in, int out) {
  const int most = most_taps(in, out);
  Span* span = scratch.take<Span>(static_cast<std::size_t>(out));
  float* weights = scratch.take<float>(static_cast<std::size_t>(out) * static_cast<std::size_t>(most));
  for (int i = 0; i < out; ++i) span[i] = axis_weights(in, out, i, weights + static_cast<std::size_t>(i) * static_cast<std::size_t>(most));
  return {span, weights, most};
}

// [batch], or one for all.
const SampleTaps* make_taps(Scratch& scratch, const ResizeArgs& a) {
  const std::int64_t count = a.boxes != nullptr ? a.batch : 1;
  SampleTaps* taps = scratch.take<SampleTaps>(static_cast<std::size_t>(count));
  for (std::int64_t b = 0; b < count; ++b) {
    const Regions r = regions_of(a, a.boxes != nullptr ? a.boxes + 4 * b : nullptr);
    taps[b].regions = r;
    taps[b].rows = make_axis(scratch, height_of(r.from), height_of(r.to));
    taps[b].columns = make_axis(scratch, width_of(r.from), width_of(r.to));
  }
  return taps;
}

}  // namespace
}  // namespace forge_rt::resize
