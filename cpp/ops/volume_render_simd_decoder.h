// volume_render, SIMD: the decoder's two layers, a few samples at a time. Its weights are packed in panels of outputs, so that lanes are
// hidden values or colours, and registers samples.
#pragma once

#include "../core/scratch.h"
#include "volume_render_simd_math.h"
#include "volume_render_table.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kPanel = 2 * kLanes;            // outputs of one product, in registers
constexpr int kRows = kLanes == 16 ? 12 : 6;  // samples of one product: 24 or 12 accumulators

int round_up(int n, int step) { return (n + step - 1) / step * step; }

struct Decoder {
  const float* weight0;      // panels of [C, kPanel], times log2(e) / 3: the mean of the planes is in them
  const float* bias0;        // [hidden], padded, times log2(e)
  const float* density;      // [hidden], padded, times ln(2)
  float density_bias;
  const float* colour;       // panels of [hidden, kPanel]
  const float* colour_bias;  // [colours], padded, times log2(e)
  int hidden, colours;       // padded to panels
};

Decoder pack(const Field& f, Scratch& scratch) {
  Decoder d{};
  d.hidden = round_up(f.hidden, kPanel);
  d.colours = round_up(f.colours, kPanel);
  const auto floats = [&](int n) {
    float* p = scratch.take<float>(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) p[i] = 0.f;
    return p;
  };
  float *weight0 = floats(d.hidden * f.channels), *bias0 = floats(d.hidden), *density = floats(d.hidden);
  float *colour = floats(d.colours * f.hidden), *colour_bias = floats(d.colours);
  for (int h = 0; h < f.hidden; ++h) {
    for (int c = 0; c < f.channels; ++c)
      weight0[(h / kPanel * f.channels + c) * kPanel + h % kPanel] = f.weight0[h * f.channels + c] * (kLog2e / 3.f);
    bias0[h] = f.bias0[h] * kLog2e;
    density[h] = f.weight1[h] * kLn2;
  }
  for (int o = 0; o < f.colours; ++o) {
    for (int h = 0; h < f.hidden; ++h) colour[(o / kPanel * f.hidden + h) * kPanel + o % kPanel] = f.weight1[(1 + o) * f.hidden + h];
    colour_bias[o] = f.bias1[1 + o] * kLog2e;
  }
  d.weight0 = weight0;
  d.bias0 = bias0;
  d.density = density;
  d.density_bias = f.bias1[0];
  d.colour = colour;
  d.colour_bias = colour_bias;
  return d;
}

// Adds kCount rows of `depth` inputs times one panel of weights to `acc`. Each value is one chain over the inputs, however rows are grouped.
template <int kCount, int kStride>
void product(const float* rows, const float* panel, int depth, Float (&acc)[kCount][2]) {
  for (int k = 0; k < depth; ++k) {
    const Float low = load(panel + k * kPanel), high = load(panel + k * kPanel + kLanes);
    for (int s = 0; s < kCount; ++s) {
      const Float x = set(rows[s * kStride + k]);
      acc[s][0] = fmadd(x, low, acc[s][0]);
      acc[s][1] = fmadd(x, high, acc[s][1]);
    }
  }
}

// The hidden layer before its softplus: rows of features to rows of hidden values.
template <int kCount, int kFeatureStride, int kHiddenStride>
void hidden_tile(const Decoder& d, int channels, const float* features, float* hidden) {
  for (int first = 0; first < d.hidden; first += kPanel) {
    Float acc[kCount][2];
    for (int s = 0; s < kCount; ++s) {
      acc[s][0] = load(d.bias0 + first);
      acc[s][1] = load(d.bias0 + first + kLanes);
    }
    product<kCount, kFeatureStride>(features, d.weight0 + first * channels, channels, acc);
    for (int s = 0; s < kCount; ++s) {
      store(hidden + s * kHiddenStride + first, acc[s][0]);
      store(hidden + s * kHiddenStride + first + kLanes, acc[s][1]);
    }
  }
}

// Colours of kCount samples, weighed and added to `pixel`; or stored, one row of `colours` each.
template <int kCount, int kHiddenStride>
void colour_tile(const Decoder& d, int depth, const float* hidden, const float* weight, float* pixel) {
  for (int first = 0; first < d.colours; first += kPanel) {
    Float acc[kCount][2];
    for (int s = 0; s < kCount; ++s) {
      acc[s][0] = load(d.colour_bias + first);
      acc[s][1] = load(d.colour_bias + first + kLanes);
    }
    product<kCount, kHiddenStride>(hidden, d.colour + first * depth, depth, acc);
    Float low = load(pixel + first), high = load(pixel + first + kLanes);
    for (int s = 0; s < kCount; ++s) {
      sigmoid2(acc[s][0], acc[s][1]);
      const Float w = set(weight[s]);
      low = fmadd(w, acc[s][0], low);
      high = fmadd(w, acc[s][1], high);
    }
    store(pixel + first, low);
    store(pixel + first + kLanes, high);
  }
}

template <int kCount, int kFeatureStride, int kHiddenStride>
void hidden_rest(int n, const Decoder& d, int channels, const float* features, float* hidden) {
  if constexpr (kCount >= 1) {
    if (n == kCount) hidden_tile<kCount, kFeatureStride, kHiddenStride>(d, channels, features, hidden);
    else hidden_rest<kCount - 1, kFeatureStride, kHiddenStride>(n, d, channels, features, hidden);
  }
}

template <int kCount, int kHiddenStride>
void colour_rest(int n, const Decoder& d, int depth, const float* hidden, const float* weight, float* pixel) {
  if constexpr (kCount >= 1) {
    if (n == kCount) colour_tile<kCount, kHiddenStride>(d, depth, hidden, weight, pixel);
    else colour_rest<kCount - 1, kHiddenStride>(n, d, depth, hidden, weight, pixel);
  }
}

}  // namespace
}  // namespace forge_rt::volume
