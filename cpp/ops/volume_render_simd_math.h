// volume_render, SIMD: 2^x, softplus, sigmoid. They count in powers of two: log2(e) and ln(2) are in the weights, so that exp and log need
// no scaling. Errors: 2^x 1e-7 relative, softplus 2e-7, exp of the weights 1e-8 relative before rounding.
#pragma once

#include "../core/simd.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr float kLog2e = 1.44269504089f, kLn2 = 0.69314718056f;

#if defined(__AVX512F__)
Float round_nearest(Float v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
Float scale_by_power(Float v, Float n) { return _mm512_scalef_ps(v, n); }
Float minus_absolute(Float v) { return _mm512_or_ps(v, _mm512_set1_ps(-0.f)); }
float sum_lanes(Float v) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}
#else
Float round_nearest(Float v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
Float scale_by_power(Float v, Float n) {  // n >= -126
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}
Float minus_absolute(Float v) { return _mm256_or_ps(v, _mm256_set1_ps(-0.f)); }
float sum_lanes(Float v) {
  __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}
#endif

// 2^x for -126 <= x <= 126. Exactly 1 at 0, so that 1 - 2^x keeps the digits of small x.
Float exp2_short(Float x) {
  const Float n = round_nearest(x), r = sub(x, n);
  Float p = fmadd(set(0.00132647271f), r, set(0.00967151264f));
  p = fmadd(p, r, set(0.0555073374f));
  p = fmadd(p, r, set(0.240222421f));
  p = fmadd(p, r, set(0.693146978f));
  return scale_by_power(fmadd(p, r, set(1.f)), n);
}

Float exp2_exact(Float x) {
  const Float n = round_nearest(x), r = sub(x, n);
  Float p = fmadd(set(0.000153533619f), r, set(0.00133988744f));
  p = fmadd(p, r, set(0.00961843736f));
  p = fmadd(p, r, set(0.0555033247f));
  p = fmadd(p, r, set(0.240226479f));
  p = fmadd(p, r, set(0.693147203f));
  return scale_by_power(fmadd(p, r, set(1.f)), n);
}

// log2(1 + 2^x): softplus in powers of two. The operand order of max lets NaN pass.
Float softplus2(Float x) {
  const Float t = exp2_short(max(set(-126.f), minus_absolute(x)));
  Float p = fmadd(set(-0.00930916039f), t, set(0.0520589893f));
  p = fmadd(p, t, set(-0.137521333f));
  p = fmadd(p, t, set(0.241864766f));
  p = fmadd(p, t, set(-0.347301081f));
  p = fmadd(p, t, set(0.478683698f));
  p = fmadd(p, t, set(-0.721165806f));
  p = fmadd(p, t, set(1.44268988f));
  return fmadd(p, t, max(zero_float(), x));
}

// 1 / (1 + 2^-x) of two vectors with one division.
[[gnu::always_inline]] inline void sigmoid2(Float& a, Float& b) {
  const Float limit = set(60.f), one = set(1.f);
  const Float da = add(one, exp2_short(max(set(-126.f), min(limit, sub(zero_float(), a)))));
  const Float db = add(one, exp2_short(max(set(-126.f), min(limit, sub(zero_float(), b)))));
  const Float inverse = div(one, mul(da, db));
  a = mul(db, inverse);
  b = mul(da, inverse);
}

}  // namespace
}  // namespace forge_rt::volume
