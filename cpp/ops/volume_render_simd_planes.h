// volume_render, SIMD: features of points, from the four texels around each on three planes. Lanes are points while taps are found,
// channels while they are summed.
#pragma once

#include "../core/simd.h"
#include "volume_render_table.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kRun = 48;  // samples whose features are in flight

#if defined(__AVX512F__)
Float load_half(const std::uint16_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
// The lower eight lanes; zeros above.
Float load_lower(const float* p) { return _mm512_maskz_loadu_ps(0x00FF, p); }
Float load_lower_half(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
#else
Float load_half(const std::uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
Float load_lower(const float* p) { return load(p); }
Float load_lower_half(const std::uint16_t* p) { return load_half(p); }
#endif

struct TapRows {
  alignas(64) std::int32_t offset[12][kRun];  // in elements, within the plane
  alignas(64) float weight[12][kRun];
};

// Nearest texels below and above on one axis, clamped, and their weights: 0 outside.
void axis_taps(Float coordinate, int size, Float& low, Float& high, Float& low_weight, Float& high_weight) {
  const Float one = set(1.f), last = set(static_cast<float>(size - 1));
  const Float x = mul(sub(mul(add(coordinate, one), set(static_cast<float>(size))), one), set(0.5f));
  const Float below = floor(x), above = add(below, one), fraction = sub(x, below);
  const auto inside = [&](Float v) { return both(greater_equal(v, zero_float()), greater_equal(last, v)); };
  low_weight = select(inside(below), sub(one, fraction), zero_float());
  high_weight = select(inside(above), fraction, zero_float());
  low = min(max(below, zero_float()), last);  // NaN becomes 0
  high = min(max(above, zero_float()), last);
}

void find_taps(const Field& f, const float* x, const float* y, const float* z, int n, TapRows& taps) {
  const Float scale = set(f.scale);
  const Int channels = set(static_cast<std::int32_t>(f.channels)), pitch = set(static_cast<std::int32_t>(f.width * f.channels));
  for (int i = 0; i < n; i += kLanes) {
    const Float p[3] = {mul(scale, load(x + i)), mul(scale, load(y + i)), mul(scale, load(z + i))};
    for (int plane = 0; plane < 3; ++plane) {
      Float at[2];
      for (int j = 0; j < 2; ++j) {
        const float* axis = f.axes[plane][j];
        at[j] = add(add(mul(set(axis[0]), p[0]), mul(set(axis[1]), p[1])), mul(set(axis[2]), p[2]));
      }
      Float column[2], row[2], column_weight[2], row_weight[2];
      axis_taps(at[0], f.width, column[0], column[1], column_weight[0], column_weight[1]);
      axis_taps(at[1], f.height, row[0], row[1], row_weight[0], row_weight[1]);
      for (int tap = 0; tap < 4; ++tap) {
        const Int offset = add(mul(truncate(row[tap >> 1]), pitch), mul(truncate(column[tap & 1]), channels));
        store(taps.offset[4 * plane + tap] + i, offset);
        store(taps.weight[4 * plane + tap] + i, mul(column_weight[tap & 1], row_weight[tap >> 1]));
      }
    }
  }
}

Float load_texel(const float* p) { return load(p); }
Float load_texel(const std::uint16_t* p) { return load_half(p); }
Float load_lower_texel(const float* p) { return load_lower(p); }
Float load_lower_texel(const std::uint16_t* p) { return load_lower_half(p); }

// Channels [first, first + kVectors lanes) of one sample, summed over the planes. kTail: the last vector has eight channels.
template <class T, int kVectors, bool kTail>
void gather_channels(const T* const (&planes)[3], const TapRows& taps, int sample, int first, float* out) {
  Float sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = zero_float();
  for (int plane = 0; plane < 3; ++plane)
    for (int tap = 0; tap < 4; ++tap) {
      const T* texel = planes[plane] + taps.offset[4 * plane + tap][sample] + first;
      const Float weight = set(taps.weight[4 * plane + tap][sample]);
      for (int v = 0; v < kVectors; ++v)
        sum[v] = fmadd(weight, kTail && v == kVectors - 1 ? load_lower_texel(texel + v * kLanes) : load_texel(texel + v * kLanes), sum[v]);
    }
  for (int v = 0; v < kVectors; ++v) store(out + first + v * kLanes, sum[v]);
}

template <class T>
void gather_features(const Field& f, const T* const (&planes)[3], const TapRows& taps, int n, float* out, int stride) {
  constexpr int kMost = kLanes == 16 ? 2 : 4;
  for (int s = 0; s < n; ++s) {
    float* row = out + s * stride;
    int first = 0;
    for (; f.channels - first >= kMost * kLanes; first += kMost * kLanes) gather_channels<T, kMost, false>(planes, taps, s, first, row);
    for (; f.channels - first >= kLanes; first += kLanes) gather_channels<T, 1, false>(planes, taps, s, first, row);
    if (f.channels > first) gather_channels<T, 1, true>(planes, taps, s, first, row);
  }
}

}  // namespace
}  // namespace forge_rt::volume
