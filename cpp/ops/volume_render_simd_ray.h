// volume_render, SIMD: samples along one ray. Coarse depths, weights, fine depths drawn from them, and the order of both together.
#pragma once

#include "simd_rows.h"
#include "volume_render_simd_samples.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

#if defined(__AVX512F__)
Int count(Int n, Mask m) { return _mm512_mask_add_epi32(n, m, n, _mm512_set1_epi32(1)); }
Mask either(Mask a, Mask b) { return a | b; }
Mask equal(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
#else
Int count(Int n, Mask m) { return _mm256_sub_epi32(n, m); }
Mask either(Mask a, Mask b) { return _mm256_or_si256(a, b); }
Mask equal(Float a, Float b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
#endif

// Weights of the intervals of n samples; zeros behind them.
void march(const float* t, const float* density, int n, Samples& s) {
  for (int k = 0; k < n - 1; k += kLanes) {
    const Float middle = mul(add(load(density + k), load(density + k + 1)), set(0.5f));
    const Float sigma = mul(softplus2(mul(sub(middle, set(1.f)), set(kLog2e))), set(kLn2));
    const Float x = mul(mul(sigma, sub(load(t + k + 1), load(t + k))), set(-kLog2e));
    store(s.alpha + k, sub(set(1.f), exp2_exact(min(set(126.f), max(set(-126.f), x)))));
  }
  float transmittance = 1.f;
  for (int k = 0; k < n - 1; ++k) {
    s.weight[k] = s.alpha[k] * transmittance;
    transmittance *= 1.f - s.alpha[k] + kTransmittanceFloor;
  }
  for (int k = n - 1; k < n - 1 + kLanes; ++k) s.weight[k] = 0.f;
}

// Uniform numbers of one ray into s.draw.
void fill_draws(const RenderArgs& a, bool fine, std::int64_t view, std::int64_t pixel, float* out) {
  const int count = fine ? a.fine : a.coarse;
  if (a.randomness != Randomness::seeded) {
    for (int k = 0; k < count; ++k) out[k] = draw(a, fine, view, pixel, k);
    return;
  }
  RandomKey key;
  key.seed = a.seed;
  key.index = a.index[view];
  key.purpose = fine ? kFinePurpose : kCoarsePurpose;
  std::int64_t position = pixel * count;
  PhiloxBlock block = philox_block(key, static_cast<std::uint32_t>(position / 4));
  for (int k = 0; k < count; ++k, ++position) {
    if (k > 0 && position % 4 == 0) block = philox_block(key, static_cast<std::uint32_t>(position / 4));
    out[k] = uniform_from_bits(block.x[position % 4]);
  }
}

// coarse_depth() for all lanes.
void coarse_depths(const RenderArgs& a, float start, float end, Samples& s) {
  const float span = end - start, last = static_cast<float>(a.coarse - 1), step = span / last;
  const Float half = set(static_cast<float>(a.coarse / 2));
  for (int k = 0; k < a.coarse; k += kLanes) {
    const Float number = to_float(add(lane_index(), set(k)));
    Float t;
    if (a.auto_range) t = add(set(start), mul(div(number, set(last)), set(span)));
    else t = select(less(number, half), fmadd(set(step), number, set(start)), fmadd(set(-step), sub(set(last), number), set(end)));
    store(s.t + k, add(t, mul(load(s.draw + k), set(step))));
  }
}

// Fine depths from the coarse weights, behind the coarse ones in s.t.
void draw_fine(const RenderArgs& a, Samples& s) {
  const int entries = a.coarse - 2, bins = entries - 1;
  for (int k = 0; k < bins; k += kLanes) {
    const Float w0 = load(s.weight + k), w1 = load(s.weight + k + 1), w2 = load(s.weight + k + 2);
    store(s.alpha + k, add(mul(set(0.5f), add(max(w0, w1), max(w1, w2))), set(kPdfBase + kPdfFloor)));
  }
  for (int k = 0; k < entries; k += kLanes) store(s.middle + k, mul(set(0.5f), add(load(s.t + k), load(s.t + k + 1))));
  float total = 0.f, sum = 0.f;
  for (int k = 0; k < bins; ++k) total += s.alpha[k];
  s.cdf[0] = 0.f;
  for (int k = 0; k < bins; ++k) s.cdf[k + 1] = sum += s.alpha[k] / total;
  for (int k = 0; k < a.fine; k += kLanes) {
    const Float u = load(s.draw + k);
    Int above = set(0);
    for (int i = 0; i < entries; ++i) above = count(above, greater_equal(u, set(s.cdf[i])));
    const Int low = max(sub(above, set(1)), set(0)), high = min(above, set(entries - 1));
    const Float from = gather(s.middle, low), to = gather(s.middle, high), base = gather(s.cdf, low);
    Float span = sub(gather(s.cdf, high), base);
    span = select(less(span, set(1e-5f)), set(1.f), span);
    store(s.t + a.coarse + k, add(from, mul(div(sub(u, base), span), sub(to, from))));
  }
}

// For each key of `keys`, how many of `others` come before it. Equal ones: those of a smaller number when `same`, else by `ties`.
void count_before(const float* keys, int n, const float* others, int m, bool same, bool ties, bool accumulate, std::int32_t* out) {
  for (int k = 0; k < n; k += kLanes) {
    const Float key = load(keys + k);
    Int before = accumulate ? load(out + k) : set(0);
    if (same) {
      const Int number = add(lane_index(), set(k));
      for (int i = 0; i < m; ++i) {
        const Float other = set(others[i]);
        before = count(before, either(less(other, key), both(equal(other, key), greater(number, set(i)))));
      }
    } else if (ties) {
      for (int i = 0; i < m; ++i) before = count(before, greater_equal(key, set(others[i])));
    } else {
      for (int i = 0; i < m; ++i) before = count(before, less(set(others[i]), key));
    }
    store(out + k, before);
  }
}

// Places of all samples along the ray, into s.rank, and their depths and densities in that order. NaN counts as infinitely far.
void sort_samples(const RenderArgs& a, Samples& s) {
  const int n = a.coarse + a.fine;
  bool ordered = true;
  for (int k = 0; k < n; ++k) {
    const float t = s.t[k];
    s.key[k] = t == t ? t : __builtin_inff();
  }
  for (int k = 1; k < a.coarse; ++k) ordered = ordered && s.key[k - 1] <= s.key[k];
  std::int32_t *coarse = s.rank, *fine = s.rank + a.coarse;
  if (ordered) {
    // Counting fine ones last: vectors may spill over into them.
    count_before(s.key, a.coarse, s.key + a.coarse, a.fine, false, false, false, coarse);
    for (int k = 0; k < a.coarse; ++k) coarse[k] += k;
    count_before(s.key + a.coarse, a.fine, s.key, a.coarse, false, true, false, fine);
    count_before(s.key + a.coarse, a.fine, s.key + a.coarse, a.fine, true, false, true, fine);
  } else {
    count_before(s.key, n, s.key, n, true, false, false, s.rank);
  }
  for (int k = 0; k < n; ++k) {
    s.sorted_t[s.rank[k]] = s.t[k];
    s.sorted_density[s.rank[k]] = s.density[k];
  }
}

}  // namespace
}  // namespace forge_rt::volume
