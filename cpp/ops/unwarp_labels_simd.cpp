// unwarp_labels and unwarp_map, SIMD: the scalar path's bytes.
//
// Three passes: the best class of every grid point, a vector of points at a time; the class of every cell whose corners agree, and for
// the points of the other cells their logits side by side (channels last); then the frame's pixels, a vector at a time: most lie in
// cells of known class, each of the rest blends four rows of logits and takes the best.
#include <functional>

#include "../core/scratch.h"
#include "../core/simd.h"
#include "forge_rt/core/thread_pool.h"
#include "unwarp_labels_table.h"

namespace forge_rt::unwarp {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr std::int32_t kMixed = -1;  // a cell whose corners differ
constexpr int kMostGroups = kMostClasses / kLanes;
constexpr int kBlock = 8;  // points that are transposed together

#if defined(__AVX512F__)
Mask equal(Int a, Int b) { return _mm512_cmpeq_epi32_mask(a, b); }
float largest(Float v) { return _mm512_reduce_max_ps(v); }
Int widen_bytes(const std::uint8_t* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
Float power_of_two(Int whole) { return _mm512_castsi512_ps(_mm512_slli_epi32(add(whole, set(127)), 23)); }
#else
Mask equal(Int a, Int b) { return _mm256_cmpeq_epi32(a, b); }
float largest(Float v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}
Int widen_bytes(const std::uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
Float power_of_two(Int whole) { return _mm256_castsi256_ps(_mm256_slli_epi32(add(whole, set(127)), 23)); }
#endif

// logit_at without the mask; a NaN takes the second operand of max.
Float finite(Float v) { return min(max(v, set(-kLargestLogit)), set(kLargestLogit)); }

struct Job {
  const UnwarpArgs* args;
  std::uint8_t* classes;  // [height, width]
  std::int32_t* cells;    // [height, width]: class or kMixed of the cell to the lower right of a point
  float* points;          // [height, width, pitch]: logits of the points that are blended; the others are never written
  int pitch;              // classes, rounded up to whole vectors
};

// ---- best class of each point ----

void classify(const Job& job, std::int64_t begin, std::int64_t end) {
  const UnwarpArgs& a = *job.args;
  const std::int64_t plane = static_cast<std::int64_t>(a.grid.width) * a.grid.height;
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    Float most = is_masked(a, 0) ? set(kMaskedLogit) : finite(load(a.logits + i));
    Int best = set(0);
    for (int c = 1; c < a.channels; ++c) {
      if (is_masked(a, c)) continue;
      const Float v = finite(load(a.logits + c * plane + i));
      const Mask more = greater(v, most);
      most = select(more, v, most);
      best = select(more, set(c), best);
    }
    store_bytes(job.classes + i, best);
  }
  for (; i < end; ++i)
    job.classes[i] = static_cast<std::uint8_t>(point_class(a, static_cast<int>(i % a.grid.width), static_cast<int>(i / a.grid.width)));
}

// ---- cells, and logits side by side where they are needed ----

void transpose(__m256 (&r)[8]) {
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

void gather_points(const Job& job, int x, int y, int count) {
  const UnwarpArgs& a = *job.args;
  const std::int64_t first = static_cast<std::int64_t>(y) * a.grid.width + x,
                     plane = static_cast<std::int64_t>(a.grid.width) * a.grid.height;
  float* out = job.points + first * job.pitch;
  if (count < kBlock) {
    for (int i = 0; i < count; ++i)
      for (int c = 0; c < job.pitch; ++c) out[i * job.pitch + c] = c < a.channels ? logit_at(a, c, x + i, y) : kMaskedLogit;
    return;
  }
  for (int from = 0; from < job.pitch; from += 8) {
    __m256 r[8];
    for (int i = 0; i < 8; ++i) {
      const int c = from + i;
      const __m256 limit = _mm256_set1_ps(kLargestLogit), least = _mm256_set1_ps(-kLargestLogit);
      r[i] = c >= a.channels || is_masked(a, c) ? _mm256_set1_ps(kMaskedLogit)
                                                : _mm256_min_ps(_mm256_max_ps(_mm256_loadu_ps(a.logits + c * plane + first), least), limit);
    }
    transpose(r);
    for (int i = 0; i < 8; ++i) _mm256_storeu_ps(out + i * job.pitch + from, r[i]);
  }
}

// Does a cell around points [x, x + count) of row y have different corners?
bool near_border(const Job& job, int x, int y, int count) {
  const Grid& g = job.args->grid;
  const int top = y > 0 ? y - 1 : 0, bottom = y + 1 < g.height ? y + 1 : y;
  const int left = x > 0 ? x - 1 : 0, right = x + count < g.width ? x + count : g.width - 1;
  const int k = job.classes[static_cast<std::int64_t>(y) * g.width + x];
  int differ = 0;
  for (int j = top; j <= bottom; ++j) {
    const std::uint8_t* row = job.classes + static_cast<std::int64_t>(j) * g.width;
    for (int i = left; i <= right; ++i) differ |= row[i] ^ k;
  }
  return differ != 0;
}

void prepare_row(const Job& job, int y) {
  const UnwarpArgs& a = *job.args;
  const int width = a.grid.width;
  const std::uint8_t* top = job.classes + static_cast<std::int64_t>(y) * width;
  const std::uint8_t* bottom = y + 1 < a.grid.height ? top + width : top;
  std::int32_t* cells = job.cells + static_cast<std::int64_t>(y) * width;
  if (a.nearest) {
    for (int x = 0; x < width; ++x) cells[x] = top[x];
  } else {
    for (int x = 0; x + 1 < width; ++x) {
      const int k = top[x], differ = (top[x + 1] ^ k) | (bottom[x] ^ k) | (bottom[x + 1] ^ k);
      cells[x] = differ == 0 ? k : kMixed;
    }
    cells[width - 1] = top[width - 1] == bottom[width - 1] ? top[width - 1] : kMixed;
  }
  for (int x = 0; x < width; x += kBlock) {
    const int count = width - x < kBlock ? width - x : kBlock;
    if (a.confidence != nullptr || (!a.nearest && near_border(job, x, y, count))) gather_points(job, x, y, count);
  }
}

// ---- pixels ----

// exp_below_zero.
Float exp_below_zero_of(Float v) {
  const Mask gone = less(v, set(kLeastExponent));
  v = min(v, set(1.f));
  const Float whole = sub(add(mul(v, set(kLog2E)), set(kRound)), set(kRound));
  const Float t = sub(sub(v, mul(whole, set(kLn2High))), mul(whole, set(kLn2Low)));
  Float p = set(kExp[0]);
  for (int i = 1; i < 6; ++i) p = add(mul(p, t), set(kExp[i]));
  const Float part = add(add(mul(p, mul(t, t)), t), set(1.f));
  return select(gone, zero_float(), mul(part, power_of_two(truncate(whole))));
}

// The partial sums of confidence_of, folded.
struct Sum {
#if defined(__AVX512F__)
  Float lanes = zero_float();
  void add_group(int, Float v) { lanes = add(lanes, v); }
  __m256 halves() const { return _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1)); }
#else
  Float even = zero_float(), odd = zero_float();
  void add_group(int group, Float v) {
    if (group % 2 == 0) even = add(even, v);
    else odd = add(odd, v);
  }
  __m256 halves() const { return add(even, odd); }
#endif
  float total() const {
    const __m256 eight = halves();
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

// Class and confidence of one pixel: `chosen` is the class of its cell, or kMixed. kGroups 0: as many as the pitch has.
template <int kGroups>
std::int32_t blend_pixel(const Job& job, const Cell& cell, std::int32_t chosen, std::uint8_t* confidence) {
  const int groups = kGroups > 0 ? kGroups : job.pitch / kLanes, width = job.args->grid.width;
  const auto point = [&](int x, int y) { return job.points + (static_cast<std::int64_t>(y) * width + x) * job.pitch; };
  const float *p00 = point(cell.x0, cell.y0), *p01 = point(cell.x1, cell.y0), *p10 = point(cell.x0, cell.y1),
              *p11 = point(cell.x1, cell.y1);
  const Weights w = weights_of(cell);
  const Float w00 = set(w.w00), w01 = set(w.w01), w10 = set(w.w10), w11 = set(w.w11);
  Float v[kGroups > 0 ? kGroups : kMostGroups], most = set(kMaskedLogit);
  for (int g = 0; g < groups; ++g) {
    const int at = g * kLanes;
    v[g] = add(add(add(mul(w00, load(p00 + at)), mul(w01, load(p01 + at))), mul(w10, load(p10 + at))), mul(w11, load(p11 + at)));
    most = max(v[g], most);
  }
  float top = 0;
  if (chosen == kMixed) {
    top = largest(most);
    const Float best = set(top);
    for (int g = 0; g < groups && chosen == kMixed; ++g)
      if (const unsigned first = bits(greater_equal(v[g], best)); first != 0) chosen = g * kLanes + __builtin_ctz(first);
  } else {
    alignas(64) float values[kLanes];
    store(values, v[chosen / kLanes]);
    top = values[chosen % kLanes];
  }
  if (confidence != nullptr) {
    Sum sum;
    for (int g = 0; g < groups; ++g) sum.add_group(g, exp_below_zero_of(sub(v[g], set(top))));
    *confidence = share_byte(sum.total());
  }
  return chosen;
}

using PixelFn = std::int32_t (*)(const Job&, const Cell&, std::int32_t, std::uint8_t*);

// A vector of frame pixels in the crop's grid.
struct Place {
  Float x, y;  // of `locate`
  Mask inside;
};
struct Walk {
  const Grid& g;
  Float row_x, row_y;
  Walk(const Grid& grid, int row) : g(grid) {
    const float down = static_cast<float>(row) + 0.5f;
    row_x = set(g.to_crop.b * down + g.to_crop.c);
    row_y = set(g.to_crop.e * down + g.to_crop.f);
  }
  Place at(int column) const {
    const Float across = add(to_float(add(set(column), lane_index())), set(0.5f)), zero = zero_float();
    const Float crop_x = add(mul(set(g.to_crop.a), across), row_x), crop_y = add(mul(set(g.to_crop.d), across), row_y);
    return {mul(crop_x, set(g.scale_x)), mul(crop_y, set(g.scale_y)),
            both(both(greater_equal(crop_x, zero), less(crop_x, set(g.crop_width))),
                 both(greater_equal(crop_y, zero), less(crop_y, set(g.crop_height))))};
  }
  Float limit_x(Float v) const { return min(max(v, zero_float()), set(static_cast<float>(g.width - 1))); }
  Float limit_y(Float v) const { return min(max(v, zero_float()), set(static_cast<float>(g.height - 1))); }
};

void unwarp_row(const Job& job, PixelFn blend_one, int row) {
  const UnwarpArgs& a = *job.args;
  const Grid& g = a.grid;
  const Walk walk(g, row);
  const std::int64_t from_top = row - a.rect.top;
  std::uint8_t* labels = a.labels != nullptr ? a.labels + from_top * a.label_stride : nullptr;
  std::uint8_t* confidence = a.confidence != nullptr ? a.confidence + from_top * a.confidence_stride : nullptr;
  const Float half_cell = set(a.nearest ? 0.f : 0.5f);
  const Int background = set(static_cast<std::int32_t>(a.background));
  alignas(64) float at_x[kLanes], at_y[kLanes];
  alignas(64) std::int32_t chosen[kLanes];
  for (int column = a.rect.left; column < a.rect.right; column += kLanes) {
    const Place place = walk.at(column);
    const int from_left = column - a.rect.left, left_over = a.rect.right - column;
    unsigned inside = bits(place.inside);
    if (left_over < kLanes) inside &= (1u << left_over) - 1u;
    if (inside == 0) continue;
    const Float u = walk.limit_x(sub(place.x, half_cell)), v = walk.limit_y(sub(place.y, half_cell));
    const Int x0 = truncate(u), y0 = truncate(v);
    Int k = gather(job.cells, add(mul(y0, set(g.width)), x0));
    const unsigned blended = confidence != nullptr ? inside : bits(negative(k)) & inside;
    if (blended != 0) {
      store(at_x, place.x);
      store(at_y, place.y);
      store(chosen, k);
      for (unsigned rest = blended; rest != 0; rest &= rest - 1) {
        const int i = __builtin_ctz(rest);
        const Cell cell = a.nearest ? point_at(g, at_x[i], at_y[i]) : cell_at(g, at_x[i], at_y[i]);
        chosen[i] = blend_one(job, cell, chosen[i], confidence != nullptr ? confidence + from_left + i : nullptr);
      }
      k = load(chosen);
    }
    if (labels == nullptr) continue;
    const unsigned painted = inside & ~bits(equal(k, background));
    if (painted == kAllLanes) store_bytes(labels + from_left, k);
    else if (painted != 0) {  // pixel by pixel: what is left alone may be another thread's
      store(chosen, k);
      for (unsigned rest = painted; rest != 0; rest &= rest - 1) {
        const int i = __builtin_ctz(rest);
        labels[from_left + i] = static_cast<std::uint8_t>(chosen[i]);
      }
    }
  }
}

void unwarp_labels_simd(const UnwarpArgs& a, Stream) {
  const std::size_t size = static_cast<std::size_t>(a.grid.width) * a.grid.height;
  const int groups = (a.channels + kLanes - 1) / kLanes;
  Scratch scratch;
  Job job{&a, scratch.take<std::uint8_t>(size), scratch.take<std::int32_t>(size), nullptr, groups * kLanes};
  job.points = scratch.take<float>(size * job.pitch);
  const PixelFn blend_one = groups == 1 ? blend_pixel<1> : groups == 2 ? blend_pixel<2> : groups == 3 ? blend_pixel<3> : blend_pixel<0>;
  parallel_for_ranges(a.grid.height, 32,
                      [&](std::int64_t begin, std::int64_t end) { classify(job, begin * a.grid.width, end * a.grid.width); });
  parallel_for_ranges(a.grid.height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t y = begin; y < end; ++y) prepare_row(job, static_cast<int>(y));
  });
  const auto unwarp_rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) unwarp_row(job, blend_one, a.rect.top + static_cast<int>(row));
  };
  parallel_for_ranges(a.rect.height(), 16, std::cref(unwarp_rows));  // three captures: a copy would be allocated
}

// ---- one channel ----

void unwarp_map_row(const UnwarpMapArgs& a, int row) {
  const Grid& g = a.grid;
  const Walk walk(g, row);
  const std::int64_t from_top = row - a.rect.top;
  int column = a.rect.left;
  for (; column + kLanes <= a.rect.right; column += kLanes) {
    const std::int64_t from_left = column - a.rect.left;
    const Place place = walk.at(column);
    unsigned shown = bits(place.inside);
    if (shown == 0) continue;
    if (a.mask != nullptr) shown &= ~bits(equal(widen_bytes(a.mask + from_top * a.mask_stride + from_left), set(0)));
    if (shown == 0) continue;
    const Float u = walk.limit_x(sub(place.x, set(0.5f))), v = walk.limit_y(sub(place.y, set(0.5f)));
    const Int x0 = truncate(u), y0 = truncate(v);
    const Float tx = sub(u, to_float(x0)), ty = sub(v, to_float(y0));
    const Int x1 = min(add(x0, set(1)), set(g.width - 1)), y1 = min(add(y0, set(1)), set(g.height - 1));
    const Int top = mul(y0, set(g.width)), bottom = mul(y1, set(g.width));
    const Float p00 = gather(a.map, add(top, x0)), p10 = gather(a.map, add(bottom, x0));
    const Float upper = add(p00, mul(tx, sub(gather(a.map, add(top, x1)), p00)));
    const Float lower = add(p10, mul(tx, sub(gather(a.map, add(bottom, x1)), p10)));
    const Float value = add(upper, mul(ty, sub(lower, upper)));
    float* out = a.out + from_top * a.stride + from_left;
    if (shown == kAllLanes) {
      store(out, value);
      continue;
    }
    alignas(64) float values[kLanes];
    store(values, value);
    for (unsigned rest = shown; rest != 0; rest &= rest - 1) out[__builtin_ctz(rest)] = values[__builtin_ctz(rest)];
  }
  for (; column < a.rect.right; ++column) unwarp_map_pixel(a, column, row);
}

void unwarp_map_simd(const UnwarpMapArgs& a, Stream) {
  parallel_for_ranges(a.rect.height(), 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) unwarp_map_row(a, a.rect.top + static_cast<int>(row));
  });
}

const Register<UnwarpLabelsFn> registered_labels(unwarp_labels_table().FORGE_RT_SIMD_NAMESPACE, unwarp_labels_simd);
const Register<UnwarpMapFn> registered_map(unwarp_map_table().FORGE_RT_SIMD_NAMESPACE, unwarp_map_simd);

}  // namespace
}  // namespace forge_rt::unwarp
