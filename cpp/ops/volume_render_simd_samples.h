// volume_render, SIMD: the samples that a thread works on, and their way from points to hidden values and densities.
#pragma once

#include "volume_render_simd_decoder.h"
#include "volume_render_simd_planes.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

struct Context {
  const Field* field;
  Decoder decoder;
};

// Scratch of one thread.
struct Samples {
  float *t, *density;  // coarse, then fine ones
  float *x, *y, *z;  // of one run
  float* hidden;  // [samples, stride]
  float* features;  // [kRun, stride]
  float *sorted_t, *sorted_density, *weight, *alpha;  // along the ray
  float *cdf, *middle, *draw, *key, *colour_weight;
  float* pixel;  // [colours]
  std::int32_t* rank;
  TapRows* taps;
};

template <class T>
T* zeroed(Scratch& scratch, int n) {
  T* p = scratch.take<T>(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) p[i] = T{};
  return p;
}

Samples take_samples(const Context& c, int most, int hidden_stride, int feature_stride, Scratch& scratch) {
  const int padded = round_up(most, kLanes) + 2 * kLanes;
  Samples s{};
  for (float** p :
       {&s.t, &s.density, &s.sorted_t, &s.sorted_density, &s.weight, &s.alpha, &s.cdf, &s.middle, &s.draw, &s.key, &s.colour_weight})
    *p = zeroed<float>(scratch, padded);
  for (float** p : {&s.x, &s.y, &s.z}) *p = zeroed<float>(scratch, kRun + kLanes);
  s.rank = zeroed<std::int32_t>(scratch, padded);
  s.hidden = scratch.take<float>(static_cast<std::size_t>(most) * static_cast<std::size_t>(hidden_stride));
  s.features = scratch.take<float>(static_cast<std::size_t>(kRun * feature_stride));
  s.pixel = scratch.take<float>(static_cast<std::size_t>(c.decoder.colours));
  s.taps = scratch.take<TapRows>(1);
  return s;
}

// Hidden values and densities of `n` <= kRun points s.x, s.y, s.z of plane row `row`.
template <int kFeatureStride, int kHiddenStride>
void decode_run(const Context& c, std::int64_t row, Samples& s, int n, float* hidden, float* density) {
  const Field& f = *c.field;
  const Decoder& d = c.decoder;
  find_taps(f, s.x, s.y, s.z, n, *s.taps);
  const std::int64_t plane = static_cast<std::int64_t>(f.height) * f.width * f.channels;
  if (f.half) {
    const auto* base = static_cast<const std::uint16_t*>(f.planes) + row * 3 * plane;
    const std::uint16_t* const planes[3] = {base, base + plane, base + 2 * plane};
    gather_features(f, planes, *s.taps, n, s.features, kFeatureStride);
  } else {
    const auto* base = static_cast<const float*>(f.planes) + row * 3 * plane;
    const float* const planes[3] = {base, base + plane, base + 2 * plane};
    gather_features(f, planes, *s.taps, n, s.features, kFeatureStride);
  }
  int first = 0;
  for (; first + kRows <= n; first += kRows)
    hidden_tile<kRows, kFeatureStride, kHiddenStride>(d, f.channels, s.features + first * kFeatureStride, hidden + first * kHiddenStride);
  hidden_rest<kRows - 1, kFeatureStride, kHiddenStride>(n - first, d, f.channels, s.features + first * kFeatureStride,
                                                        hidden + first * kHiddenStride);
  for (int i = 0; i < n; ++i) {
    float* values = hidden + i * kHiddenStride;
    Float even = zero_float(), odd = zero_float();
    for (int h = 0; h < d.hidden; h += kPanel) {
      const Float a = softplus2(load(values + h)), b = softplus2(load(values + h + kLanes));
      store(values + h, a);
      store(values + h + kLanes, b);
      even = fmadd(a, load(d.density + h), even);
      odd = fmadd(b, load(d.density + h + kLanes), odd);
    }
    density[i] = sum_lanes(add(even, odd)) + d.density_bias;
  }
}

}  // namespace
}  // namespace forge_rt::volume
