// Vectors of 8 (AVX2) or 16 (AVX-512) lanes behind one set of names. Only for *_simd.cpp files, which CMake compiles once per ISA
// with FORGE_RT_SIMD_NAMESPACE set to avx2 or avx512. Those files keep to plain data and anonymous namespaces: an inline
// function of a shared header compiled here could replace its baseline twin at link time.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace forge_rt::FORGE_RT_SIMD_NAMESPACE {

#if defined(__AVX512F__)

constexpr int kLanes = 16;
using Float = __m512;
using Int = __m512i;
using Mask = __mmask16;

inline Float set(float v) { return _mm512_set1_ps(v); }
inline Int set(std::int32_t v) { return _mm512_set1_epi32(v); }
inline Float zero_float() { return _mm512_setzero_ps(); }
inline Int lane_index() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
inline Float load(const float* p) { return _mm512_loadu_ps(p); }
inline Int load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
inline void store(float* p, Float v) { _mm512_storeu_ps(p, v); }
inline void store(std::int32_t* p, Int v) { _mm512_storeu_si512(p, v); }
inline void store_masked(float* p, Mask m, Float v) { _mm512_mask_storeu_ps(p, m, v); }
inline void store_masked(std::int32_t* p, Mask m, Int v) { _mm512_mask_storeu_epi32(p, m, v); }
inline Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
inline Float sub(Float a, Float b) { return _mm512_sub_ps(a, b); }
inline Float mul(Float a, Float b) { return _mm512_mul_ps(a, b); }
inline Float div(Float a, Float b) { return _mm512_div_ps(a, b); }
inline Float fmadd(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
inline Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
inline Float min(Float a, Float b) { return _mm512_min_ps(a, b); }
inline Int add(Int a, Int b) { return _mm512_add_epi32(a, b); }
inline Int sub(Int a, Int b) { return _mm512_sub_epi32(a, b); }
inline Int mul(Int a, Int b) { return _mm512_mullo_epi32(a, b); }
inline Float to_float(Int v) { return _mm512_cvtepi32_ps(v); }
inline Mask less(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
inline Mask greater(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
inline Mask greater_equal(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
inline Mask non_negative(Int a, Int b, Int c) {  // no sign bit in any of the three
  return static_cast<Mask>(~_mm512_movepi32_mask(_mm512_ternarylogic_epi32(a, b, c, 0xFE)));
}
inline Mask negative(Int a) { return _mm512_movepi32_mask(a); }
inline Mask both(Mask a, Mask b) { return a & b; }
inline Mask first_lanes(int n) { return n >= kLanes ? Mask(0xFFFF) : static_cast<Mask>((1u << n) - 1u); }
inline bool any(Mask m) { return m != 0; }
inline Float select(Mask m, Float yes, Float no) { return _mm512_mask_mov_ps(no, m, yes); }
inline Int select(Mask m, Int yes, Int no) { return _mm512_mask_mov_epi32(no, m, yes); }
inline Float gather(const float* base, Int index) { return _mm512_i32gather_ps(index, base, 4); }
inline Int gather(const std::int32_t* base, Int index) { return _mm512_i32gather_epi32(index, base, 4); }
inline Float gather(const float* base, Int index, Mask m) { return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), m, index, base, 4); }
inline Int gather(const std::int32_t* base, Int index, Mask m) {
  return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), m, index, base, 4);
}

inline Int gather_bytes(const std::uint8_t* base, Int index, Mask m) {  // reads 4 bytes a lane: pad the table by 3
  return _mm512_and_epi32(_mm512_mask_i32gather_epi32(_mm512_setzero_si512(), m, index, base, 1), _mm512_set1_epi32(0xFF));
}
inline void store_bytes(std::uint8_t* p, Int v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v)); }
inline Mask invert(Mask m) { return static_cast<Mask>(~m); }
// Groups of four lanes, as (x, y, z, w) of consecutive vertices.
inline Float repeat4(float x, float y, float z, float w) { return _mm512_setr4_ps(x, y, z, w); }
inline Float broadcast_w(Float v) { return _mm512_permute_ps(v, 0xFF); }
inline Float floor(Float v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
inline Float absolute(Float v) { return _mm512_abs_ps(v); }
inline Int truncate(Float v) { return _mm512_cvttps_epi32(v); }
inline Int as_int(Float v) { return _mm512_castps_si512(v); }
inline unsigned bits(Mask m) { return m; }
inline Int min(Int a, Int b) { return _mm512_min_epi32(a, b); }
inline Int max(Int a, Int b) { return _mm512_max_epi32(a, b); }

constexpr int kDoubleLanes = 8;
using Double = __m512d;
inline Double set(double v) { return _mm512_set1_pd(v); }
inline Double lane_index_double() { return _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7); }
inline Double add(Double a, Double b) { return _mm512_add_pd(a, b); }
inline Double sub(Double a, Double b) { return _mm512_sub_pd(a, b); }
inline Double mul(Double a, Double b) { return _mm512_mul_pd(a, b); }
inline unsigned non_negative_bits(Double a, Double b, Double c) {
  const __m512d zero = _mm512_setzero_pd();
  return _mm512_cmp_pd_mask(a, zero, _CMP_GE_OQ) & _mm512_cmp_pd_mask(b, zero, _CMP_GE_OQ) & _mm512_cmp_pd_mask(c, zero, _CMP_GE_OQ);
}
inline void store_as_float(float* p, Double v) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(v)); }

#else

constexpr int kLanes = 8;
using Float = __m256;
using Int = __m256i;
using Mask = __m256i;  // all ones or all zeros per lane

inline Float set(float v) { return _mm256_set1_ps(v); }
inline Int set(std::int32_t v) { return _mm256_set1_epi32(v); }
inline Float zero_float() { return _mm256_setzero_ps(); }
inline Int lane_index() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
inline Float load(const float* p) { return _mm256_loadu_ps(p); }
inline Int load(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
inline void store(float* p, Float v) { _mm256_storeu_ps(p, v); }
inline void store(std::int32_t* p, Int v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
inline Float select(Mask m, Float yes, Float no) { return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(m)); }
inline Int select(Mask m, Int yes, Int no) { return _mm256_blendv_epi8(no, yes, m); }
// Plain read-blend-write: vpmaskmov stores are microcoded on many processors. The target rows are padded.
inline void store_masked(float* p, Mask m, Float v) { store(p, select(m, v, load(p))); }
inline void store_masked(std::int32_t* p, Mask m, Int v) { store(p, select(m, v, load(p))); }
inline Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
inline Float sub(Float a, Float b) { return _mm256_sub_ps(a, b); }
inline Float mul(Float a, Float b) { return _mm256_mul_ps(a, b); }
inline Float div(Float a, Float b) { return _mm256_div_ps(a, b); }
inline Float fmadd(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
inline Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
inline Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
inline Int add(Int a, Int b) { return _mm256_add_epi32(a, b); }
inline Int sub(Int a, Int b) { return _mm256_sub_epi32(a, b); }
inline Int mul(Int a, Int b) { return _mm256_mullo_epi32(a, b); }
inline Float to_float(Int v) { return _mm256_cvtepi32_ps(v); }
inline Mask less(Float a, Float b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
inline Mask greater(Float a, Float b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
inline Mask greater_equal(Float a, Float b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }
inline Mask non_negative(Int a, Int b, Int c) {
  return _mm256_cmpgt_epi32(_mm256_or_si256(_mm256_or_si256(a, b), c), _mm256_set1_epi32(-1));
}
inline Mask negative(Int a) { return _mm256_srai_epi32(a, 31); }
inline Mask both(Mask a, Mask b) { return _mm256_and_si256(a, b); }
inline Mask first_lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane_index()); }
inline bool any(Mask m) { return _mm256_movemask_ps(_mm256_castsi256_ps(m)) != 0; }
inline Float gather(const float* base, Int index) { return _mm256_i32gather_ps(base, index, 4); }
inline Int gather(const std::int32_t* base, Int index) { return _mm256_i32gather_epi32(base, index, 4); }
inline Float gather(const float* base, Int index, Mask m) {
  return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), base, index, _mm256_castsi256_ps(m), 4);
}
inline Int gather(const std::int32_t* base, Int index, Mask m) {
  return _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), base, index, m, 4);
}

inline Int gather_bytes(const std::uint8_t* base, Int index, Mask m) {
  return _mm256_and_si256(_mm256_mask_i32gather_epi32(_mm256_setzero_si256(), reinterpret_cast<const int*>(base), index, m, 1),
                          _mm256_set1_epi32(0xFF));
}
inline void store_bytes(std::uint8_t* p, Int v) {
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}
inline Mask invert(Mask m) { return _mm256_xor_si256(m, _mm256_set1_epi32(-1)); }
inline Float repeat4(float x, float y, float z, float w) { return _mm256_setr_ps(x, y, z, w, x, y, z, w); }
inline Float broadcast_w(Float v) { return _mm256_permute_ps(v, 0xFF); }
inline Float floor(Float v) { return _mm256_floor_ps(v); }
inline Float absolute(Float v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.f), v); }
inline Int truncate(Float v) { return _mm256_cvttps_epi32(v); }
inline Int as_int(Float v) { return _mm256_castps_si256(v); }
inline unsigned bits(Mask m) { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(m))); }
inline Int min(Int a, Int b) { return _mm256_min_epi32(a, b); }
inline Int max(Int a, Int b) { return _mm256_max_epi32(a, b); }

constexpr int kDoubleLanes = 4;
using Double = __m256d;
inline Double set(double v) { return _mm256_set1_pd(v); }
inline Double lane_index_double() { return _mm256_setr_pd(0, 1, 2, 3); }
inline Double add(Double a, Double b) { return _mm256_add_pd(a, b); }
inline Double sub(Double a, Double b) { return _mm256_sub_pd(a, b); }
inline Double mul(Double a, Double b) { return _mm256_mul_pd(a, b); }
inline unsigned non_negative_bits(Double a, Double b, Double c) {
  const __m256d zero = _mm256_setzero_pd();
  return static_cast<unsigned>(_mm256_movemask_pd(_mm256_and_pd(
      _mm256_cmp_pd(a, zero, _CMP_GE_OQ), _mm256_and_pd(_mm256_cmp_pd(b, zero, _CMP_GE_OQ), _mm256_cmp_pd(c, zero, _CMP_GE_OQ)))));
}
inline void store_as_float(float* p, Double v) { _mm_storeu_ps(p, _mm256_cvtpd_ps(v)); }

#endif

constexpr unsigned kAllLanes = (1u << kLanes) - 1u;  // bits() of a mask that is set everywhere

}  // namespace forge_rt::FORGE_RT_SIMD_NAMESPACE
