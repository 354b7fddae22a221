// Rows of floats for *_simd.cpp files, beside core/simd.h and under its rules: the ends of rows, every other value, transposition.
#pragma once

#include "../core/simd.h"

namespace forge_rt::FORGE_RT_SIMD_NAMESPACE {

// The first n <= kLanes values; the others read 0 and are not written, so that threads may own neighbouring memory.
#if defined(__AVX512F__)
inline Float load_first(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
inline void store_first(float* p, int n, Float v) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
inline Int load_first(const std::int32_t* p, int n) { return _mm512_maskz_loadu_epi32(first_lanes(n), p); }
inline Mask greater(Int a, Int b) { return _mm512_cmpgt_epi32_mask(a, b); }

// a0 b0 a1 b1 … in two vectors, and back.
inline void interleave(Float a, Float b, Float& low, Float& high) {
  const Int first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  low = _mm512_permutex2var_ps(a, first, b);
  high = _mm512_permutex2var_ps(a, add(first, set(8)), b);
}
inline void split(Float low, Float high, Float& even, Float& odd) {
  const Int first = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = _mm512_permutex2var_ps(low, first, high);
  odd = _mm512_permutex2var_ps(low, add(first, set(1)), high);
}
#else
inline Float load_first(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
inline void store_first(float* p, int n, Float v) { _mm256_maskstore_ps(p, first_lanes(n), v); }
inline Int load_first(const std::int32_t* p, int n) { return _mm256_maskload_epi32(p, first_lanes(n)); }
inline Mask greater(Int a, Int b) { return _mm256_cmpgt_epi32(a, b); }

inline void interleave(Float a, Float b, Float& low, Float& high) {
  const Float l = _mm256_unpacklo_ps(a, b), h = _mm256_unpackhi_ps(a, b);
  low = _mm256_permute2f128_ps(l, h, 0x20);
  high = _mm256_permute2f128_ps(l, h, 0x31);
}
inline void split(Float low, Float high, Float& even, Float& odd) {
  const Float l = _mm256_permute2f128_ps(low, high, 0x20), h = _mm256_permute2f128_ps(low, high, 0x31);
  even = _mm256_shuffle_ps(l, h, 0x88);
  odd = _mm256_shuffle_ps(l, h, 0xDD);
}
#endif

inline Float load_up_to(const float* p, int n) { return n >= kLanes ? load(p) : load_first(p, n); }
inline void store_up_to(float* p, int n, Float v) { n >= kLanes ? store(p, v) : store_first(p, n, v); }

// 8 x 8 values: rows become columns.
inline void transpose(__m256 (&r)[8]) {
  __m256 t[8], s[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    s[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    s[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
    s[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    s[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
  }
}

}  // namespace forge_rt::FORGE_RT_SIMD_NAMESPACE
