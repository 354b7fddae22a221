// volume_render, SIMD. One ray at a time; its samples live in about 40 KB of scratch from the planes to the pixel.
//
// Where the work is, for a sample with 32 channels, 64 hidden values and 32 colours (in vectors of 16 floats):
//   planes        12 taps x 2 multiply-adds, 30 for their places
//   hidden layer  128 multiply-adds, then 4 x 18 instructions of softplus
//   density       4 multiply-adds and a sum
//   colours       128 multiply-adds, 2 x 11 instructions of sigmoid; only for samples that have weight
// Two thirds are multiply-adds of the two layers. Channels, hidden values and colours run over the lanes, samples over registers: texels
// arrive that way, softplus needs no transposition, and colours are summed into the pixel without being stored.
// Softplus and sigmoid count in powers of two: log2(e) and ln(2) are in the weights, so that exp and log need no scaling.
// Errors of the approximations: 2^x 1e-7 relative, softplus 2e-7, exp of the weights 1e-8 relative before rounding.
#include "../core/scratch.h"
#include "../core/simd.h"
#include "forge_rt/core/thread_pool.h"
#include "volume_render_table.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr bool kWide = kLanes == 16;
constexpr int kPanel = 2 * kLanes;        // outputs of one product, in registers
constexpr int kRows = kWide ? 12 : 6;     // samples of one product: 24 or 12 accumulators
constexpr int kRun = 48;                  // samples whose features are in flight
constexpr float kLog2e = 1.44269504089f, kLn2 = 0.69314718056f;

int round_up(int n, int step) { return (n + step - 1) / step * step; }

// ---- what simd.h does not have ----

#if defined(__AVX512F__)
Float round_nearest(Float v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
Float scale_by_power(Float v, Float n) { return _mm512_scalef_ps(v, n); }
Float minus_absolute(Float v) { return _mm512_or_ps(v, _mm512_set1_ps(-0.f)); }
Float load_half(const std::uint16_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
// The lower eight lanes; zeros above.
Float load_lower(const float* p) { return _mm512_maskz_loadu_ps(0x00FF, p); }
Float load_lower_half(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
Int count(Int n, Mask m) { return _mm512_mask_add_epi32(n, m, n, _mm512_set1_epi32(1)); }
Mask either(Mask a, Mask b) { return a | b; }
Mask equal(Float a, Float b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
Mask greater(Int a, Int b) { return _mm512_cmpgt_epi32_mask(a, b); }
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
Float load_half(const std::uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
Float load_lower(const float* p) { return load(p); }
Float load_lower_half(const std::uint16_t* p) { return load_half(p); }
Int count(Int n, Mask m) { return _mm256_sub_epi32(n, m); }
Mask either(Mask a, Mask b) { return _mm256_or_si256(a, b); }
Mask equal(Float a, Float b) { return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
Mask greater(Int a, Int b) { return _mm256_cmpgt_epi32(a, b); }
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

// ---- the decoder ----

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

// ---- planes ----

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

template <bool kHalf>
using Texel = std::conditional_t<kHalf, std::uint16_t, float>;

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
  constexpr int kMost = kWide ? 2 : 4;
  for (int s = 0; s < n; ++s) {
    float* row = out + s * stride;
    int first = 0;
    for (; f.channels - first >= kMost * kLanes; first += kMost * kLanes) gather_channels<T, kMost, false>(planes, taps, s, first, row);
    for (; f.channels - first >= kLanes; first += kLanes) gather_channels<T, 1, false>(planes, taps, s, first, row);
    if (f.channels > first) gather_channels<T, 1, true>(planes, taps, s, first, row);
  }
}

// ---- one ray ----

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

template <int kFeatureStride, int kHiddenStride>
void decode_on_ray(const Context& c, std::int64_t row, const Ray& ray, Samples& s, int begin, int end) {
  for (int first = begin; first < end; first += kRun) {
    const int n = end - first < kRun ? end - first : kRun;
    for (int i = 0; i < n; i += kLanes) {
      const Float t = load(s.t + first + i);
      store(s.x + i, add(set(ray.origin[0]), mul(t, set(ray.direction[0]))));
      store(s.y + i, add(set(ray.origin[1]), mul(t, set(ray.direction[1]))));
      store(s.z + i, add(set(ray.origin[2]), mul(t, set(ray.direction[2]))));
    }
    decode_run<kFeatureStride, kHiddenStride>(c, row, s, n, s.hidden + first * kHiddenStride, s.density + first);
  }
}

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

template <int kFeatureStride, int kHiddenStride>
Entries render_ray(const RenderArgs& a, const Context& c, const Tile& tile, int row, int column, Samples& s) {
  const std::int64_t side = a.resolution, pixel = row * side + column, view = tile.view, plane_row = row_of(a, view);
  const Ray ray = camera_ray(a.cameras + 25 * view, row, column, a.resolution);
  float start, end;
  ray_range(a, ray, tile.entries, start, end);

  fill_draws(a, false, view, pixel, s.draw);
  coarse_depths(a, start, end, s);
  decode_on_ray<kFeatureStride, kHiddenStride>(c, plane_row, ray, s, 0, a.coarse);

  const int n = a.coarse + a.fine;
  const float *t = s.t, *density = s.density;
  if (a.fine > 0) {
    march(s.t, s.density, a.coarse, s);
    fill_draws(a, true, view, pixel, s.draw);
    draw_fine(a, s);
    decode_on_ray<kFeatureStride, kHiddenStride>(c, plane_row, ray, s, a.coarse, n);
    sort_samples(a, s);
    t = s.sorted_t;
    density = s.sorted_density;
  }

  float* weight = s.weight + kLanes;  // a zero before the first
  Samples shifted = s;
  shifted.weight = weight;
  march(t, density, n, shifted);
  weight[-1] = 0.f;
  Float sum = zero_float(), depth = zero_float();
  float least = __builtin_inff(), most = -__builtin_inff();
  for (int k = 0; k < n; ++k) {
    least = t[k] < least ? t[k] : least;
    most = t[k] > most ? t[k] : most;
  }
  for (int k = 0; k < n - 1; k += kLanes) {
    const Float w = load(weight + k), middle = mul(add(load(t + k), load(t + k + 1)), set(0.5f));
    sum = add(sum, w);
    depth = add(depth, select(first_lanes(n - 1 - k), mul(w, middle), zero_float()));
  }
  const float weight_sum = sum_lanes(sum);
  a.weight_sum[view * side * side + pixel] = weight_sum;
  a.depth[view * side * side + pixel] = sum_lanes(depth) / weight_sum;
  if (a.features == nullptr) return {least, most};

  // The colour of an interval is the mean of its ends': a sample weighs half of the intervals on both sides. Samples below the
  // threshold leave; the others move up.
  int kept = 0;
  float kept_weight = 0.f;
  for (int k = 0; k < n; ++k) {
    const int place = a.fine > 0 ? s.rank[k] : k;
    const float w = (weight[place - 1] + weight[place]) * 0.5f;
    if (w < a.skip_weight) continue;
    if (kept != k)
      for (int h = 0; h < c.decoder.hidden; h += kLanes) store(s.hidden + kept * kHiddenStride + h, load(s.hidden + k * kHiddenStride + h));
    s.colour_weight[kept++] = w;
    kept_weight += w;
  }
  const Decoder& d = c.decoder;
  for (int i = 0; i < d.colours; i += kLanes) store(s.pixel + i, zero_float());
  int first = 0;
  for (; first + kRows <= kept; first += kRows)
    colour_tile<kRows, kHiddenStride>(d, a.field.hidden, s.hidden + first * kHiddenStride, s.colour_weight + first, s.pixel);
  colour_rest<kRows - 1, kHiddenStride>(kept - first, d, a.field.hidden, s.hidden + first * kHiddenStride, s.colour_weight + first,
                                        s.pixel);
  const float offset = (a.white_back ? 1.f - weight_sum : 0.f) - kColourShift * kept_weight;
  float* out = a.features + view * a.field.colours * side * side + pixel;
  for (int i = 0; i < a.field.colours; ++i) out[i * side * side] = 2.f * (kColourScale * s.pixel[i] + offset) - 1.f;
  return {least, most};
}

template <int kFeatureStride, int kHiddenStride>
Entries render_tile(const RenderArgs& a, const Tile& tile, const void* context) {
  const Context& c = *static_cast<const Context*>(context);
  Scratch scratch;
  Samples s = take_samples(c, a.coarse + a.fine, kHiddenStride, kFeatureStride, scratch);
  Entries depths{__builtin_inff(), -__builtin_inff()};
  for (int row = tile.top; row < tile.bottom; ++row)
    for (int column = tile.left; column < tile.right; ++column) {
      const Entries ray = render_ray<kFeatureStride, kHiddenStride>(a, c, tile, row, column, s);
      depths.least = ray.least < depths.least ? ray.least : depths.least;
      depths.most = ray.most > depths.most ? ray.most : depths.most;
    }
  return depths;
}

template <int kFeatureStride, int kHiddenStride>
void density_range(const DensityArgs& a, const Context& c, std::int64_t begin, std::int64_t end) {
  const Field& f = a.field;
  Scratch scratch;
  Samples s = take_samples(c, kRun, kHiddenStride, kFeatureStride, scratch);
  const float one = 1.f;
  for (std::int64_t first = begin; first < end;) {
    const std::int64_t row = first / a.count, row_end = (row + 1) * a.count;
    std::int64_t stop = first + kRun < end ? first + kRun : end;
    if (stop > row_end) stop = row_end;
    const int n = static_cast<int>(stop - first);
    for (int i = 0; i < n; ++i) {
      const float* p = a.points + 3 * (first + i);
      s.x[i] = p[0];
      s.y[i] = p[1];
      s.z[i] = p[2];
    }
    decode_run<kFeatureStride, kHiddenStride>(c, row, s, n, s.hidden, s.density);
    for (int i = 0; i < n; ++i) a.density[first + i] = s.density[i];
    if (a.colour != nullptr)
      for (int i = 0; i < n; ++i) {
        for (int k = 0; k < c.decoder.colours; k += kLanes) store(s.pixel + k, zero_float());
        colour_tile<1, kHiddenStride>(c.decoder, f.hidden, s.hidden + i * kHiddenStride, &one, s.pixel);
        for (int k = 0; k < f.colours; ++k) a.colour[(first + i) * f.colours + k] = s.pixel[k] * kColourScale - kColourShift;
      }
    first = stop;
  }
}

void render_simd(const RenderArgs& a, Stream) {
  Scratch scratch;
  const Context context{&a.field, pack(a.field, scratch)};
  const bool narrow = a.field.channels <= 32, small = context.decoder.hidden <= 64;
  if (narrow && small) render_tiles(a, render_tile<32, 64>, &context);
  else if (small) render_tiles(a, render_tile<64, 64>, &context);
  else render_tiles(a, render_tile<64, 128>, &context);
}

void density_simd(const DensityArgs& a, Stream) {
  Scratch scratch;
  const Context context{&a.field, pack(a.field, scratch)};
  const bool narrow = a.field.channels <= 32, small = context.decoder.hidden <= 64;
  parallel_for_ranges(a.batch * a.count, 4 * kRun, [&](std::int64_t begin, std::int64_t end) {
    if (narrow && small) density_range<32, 64>(a, context, begin, end);
    else if (small) density_range<64, 64>(a, context, begin, end);
    else density_range<64, 128>(a, context, begin, end);
  });
}

const Register<RenderFn> registered_render(volume_render_table().FORGE_RT_SIMD_NAMESPACE, render_simd);
const Register<DensityFn> registered_density(sample_density_table().FORGE_RT_SIMD_NAMESPACE, density_simd);

}  // namespace
}  // namespace forge_rt::volume
