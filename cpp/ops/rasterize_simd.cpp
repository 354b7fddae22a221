// rasterize, SIMD: same numbers as the scalar oracle, bit for bit (raster_geometry.h has the shared arithmetic).
//
// Per band of rows: vertices are projected once, then each triangle walks the rows of its pixel box one vector at a time, against
// a padded scratch z-buffer that stays in cache; a last pass writes depth, ids, labels and barycentrics of the band.
#include <algorithm>
#include <limits>
#include <memory>

#include "../core/scratch.h"
#include "../core/simd.h"
#include "forge_rt/core/thread_pool.h"
#include "rasterize_table.h"

namespace forge_rt::raster {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kSmallBox = 64;  // pixels: up to here edge functions fit int32

// A projected vertex in one 16-byte load.
struct Projected {
  ScreenVertex screen;
  std::int32_t safe;
};

struct Band {
  const RasterizeArgs* args;
  std::int64_t image;
  int row_begin, row_end;
  int pitch;                    // of the scratch rows
  float* key;                   // [rows, pitch]
  std::int32_t* face;           // [rows, pitch]
  const Projected* projected;   // [V], watertight
  const StrictVertex* strict;   // [V], strict
  const std::uint8_t* safe;     // [V], strict
  const float* strict_x;        // [W + padding], strict pixel centres by column
  const std::uint8_t* labels;   // [F + 3] padded copy of face_labels, or null
  bool any_clipped;             // watertight: some vertex is unsafe
  PixelBox touched;             // pixels that any triangle can reach; the rest of the band is empty
};

// ---- watertight ----

void draw_small(const Band& band, const Edges& e, const PixelBox& box, std::int32_t id) {
  const Int lanes = lane_index();
  Int step_x[3], row_step[3], start[3];
  for (int k = 0; k < 3; ++k) {
    const std::int32_t at = static_cast<std::int32_t>(edge_at(e, k, pixel_centre(box.x0), pixel_centre(box.y0)));
    step_x[k] = set(-e.dy[k] * kSubpixel);
    row_step[k] = set(e.dx[k] * kSubpixel);
    start[k] = add(set(at + e.bias[k]), mul(step_x[k], lanes));
  }
  const Int bias[3] = {set(e.bias[0]), set(e.bias[1]), set(e.bias[2])};
  const Float key0 = set(e.key[0]), key1 = set(e.key[1]), key2 = set(e.key[2]), inverse_area = set(e.inverse_area);
  const Int ids = set(id);
  const int width = box.x1 - box.x0;
  for (int row = box.y0; row < box.y1; ++row) {
    float* key_row = band.key + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch + box.x0;
    std::int32_t* face_row = band.face + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch + box.x0;
    Int v0 = start[0], v1 = start[1], v2 = start[2];
    for (int x = 0;; x += kLanes) {
      Mask inside = non_negative(v0, v1, v2);
      if (x + kLanes > width) inside = both(inside, first_lanes(width - x));
      if (any(inside)) {
        const Float e0 = to_float(sub(v0, bias[0])), e1 = to_float(sub(v1, bias[1])), e2 = to_float(sub(v2, bias[2]));
        const Float depth = mul(add(add(mul(e0, key0), mul(e1, key1)), mul(e2, key2)), inverse_area);
        const Mask nearer = both(inside, less(depth, load(key_row + x)));
        store_masked(key_row + x, nearer, depth);
        store_masked(face_row + x, nearer, ids);
      }
      if (x + kLanes >= width) break;
      v0 = add(v0, mul(step_x[0], set(kLanes)));
      v1 = add(v1, mul(step_x[1], set(kLanes)));
      v2 = add(v2, mul(step_x[2], set(kLanes)));
    }
    for (int k = 0; k < 3; ++k) start[k] = add(start[k], row_step[k]);
  }
}

#if defined(__AVX512F__)
// Boxes up to 8 pixels wide, one half vector a row: most triangles of a head. A full vector would touch two cache lines a row.
void draw_narrow(const Band& band, const Edges& e, const PixelBox& box, std::int32_t id) {
  const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  __m256i value[3], row_step[3], bias[3];
  for (int k = 0; k < 3; ++k) {
    const std::int32_t at = static_cast<std::int32_t>(edge_at(e, k, pixel_centre(box.x0), pixel_centre(box.y0)));
    value[k] = _mm256_add_epi32(_mm256_set1_epi32(at + e.bias[k]), _mm256_mullo_epi32(_mm256_set1_epi32(-e.dy[k] * kSubpixel), lanes));
    row_step[k] = _mm256_set1_epi32(e.dx[k] * kSubpixel);
    bias[k] = _mm256_set1_epi32(e.bias[k]);
  }
  const __m256 key0 = _mm256_set1_ps(e.key[0]), key1 = _mm256_set1_ps(e.key[1]), key2 = _mm256_set1_ps(e.key[2]);
  const __m256 inverse_area = _mm256_set1_ps(e.inverse_area);
  const __m256i ids = _mm256_set1_epi32(id);
  const auto width = static_cast<__mmask8>((1u << (box.x1 - box.x0)) - 1u);
  const std::ptrdiff_t start = static_cast<std::ptrdiff_t>(box.y0 - band.row_begin) * band.pitch + box.x0;
  float* key_row = band.key + start;
  std::int32_t* face_row = band.face + start;
  for (int row = box.y0; row < box.y1; ++row, key_row += band.pitch, face_row += band.pitch) {
    const __m256i outside = _mm256_ternarylogic_epi32(value[0], value[1], value[2], 0xFE);  // sign of any of the three
    const auto inside = static_cast<__mmask8>(~_mm256_movepi32_mask(outside) & width);
    if (inside != 0) {
      const __m256 e0 = _mm256_cvtepi32_ps(_mm256_sub_epi32(value[0], bias[0])),
                   e1 = _mm256_cvtepi32_ps(_mm256_sub_epi32(value[1], bias[1]));
      const __m256 e2 = _mm256_cvtepi32_ps(_mm256_sub_epi32(value[2], bias[2]));
      const __m256 depth = _mm256_mul_ps(
          _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(e0, key0), _mm256_mul_ps(e1, key1)), _mm256_mul_ps(e2, key2)), inverse_area);
      const __mmask8 nearer = _mm256_mask_cmp_ps_mask(inside, depth, _mm256_loadu_ps(key_row), _CMP_LT_OQ);
      _mm256_mask_storeu_ps(key_row, nearer, depth);
      _mm256_mask_storeu_epi32(face_row, nearer, ids);
    }
    for (int k = 0; k < 3; ++k) value[k] = _mm256_add_epi32(value[k], row_step[k]);
  }
}
#endif

// Edge values are integers below 2^53, so double arithmetic is exact here.
void draw_large(const Band& band, const Edges& e, const PixelBox& box, std::int32_t id) {
  const Double lanes = mul(lane_index_double(), set(static_cast<double>(kSubpixel)));
  for (int row = box.y0; row < box.y1; ++row) {
    float* key_row = band.key + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
    std::int32_t* face_row = band.face + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
    double constant[3];
    for (int k = 0; k < 3; ++k) constant[k] = static_cast<double>(edge_at(e, k, 0, pixel_centre(row)));
    for (int x = box.x0; x < box.x1; x += kDoubleLanes) {
      const Double px = add(set(static_cast<double>(pixel_centre(x))), lanes);
      Double value[3];
      for (int k = 0; k < 3; ++k) value[k] = sub(set(constant[k]), mul(set(static_cast<double>(e.dy[k])), px));
      unsigned inside =
          non_negative_bits(add(value[0], set(static_cast<double>(e.bias[0]))), add(value[1], set(static_cast<double>(e.bias[1]))),
                            add(value[2], set(static_cast<double>(e.bias[2]))));
      if (inside == 0) continue;
      float f[3][kDoubleLanes];
      for (int k = 0; k < 3; ++k) store_as_float(f[k], value[k]);
      for (int lane = 0; lane < kDoubleLanes && x + lane < box.x1; ++lane) {
        if (!((inside >> lane) & 1u)) continue;
        const float depth = interpolate_key(e, f[0][lane], f[1][lane], f[2][lane]);
        if (depth < key_row[x + lane]) {
          key_row[x + lane] = depth;
          face_row[x + lane] = id;
        }
      }
    }
  }
}

void draw_watertight(const Band& band, const ScreenVertex& a, const ScreenVertex& b, const ScreenVertex& c, std::int32_t id) {
  if (band.args->cull_back && static_cast<std::int64_t>(b.x - a.x) * (c.y - a.y) - static_cast<std::int64_t>(c.x - a.x) * (b.y - a.y) >= 0)
    return;
  const PixelBox box = pixel_box(a, b, c, band.args->width, band.row_begin, band.row_end);
  if (box.x0 >= box.x1 || box.y0 >= box.y1) return;
  Edges e;
  if (!setup_edges(a, b, c, band.args->cull_back, e)) return;
  const int extent_x = imax(a.x, imax(b.x, c.x)) - imin(a.x, imin(b.x, c.x));
  const int extent_y = imax(a.y, imax(b.y, c.y)) - imin(a.y, imin(b.y, c.y));
  if (extent_x > kSmallBox * kSubpixel || extent_y > kSmallBox * kSubpixel) return draw_large(band, e, box, id);
#if defined(__AVX512F__)
  if (box.x1 - box.x0 <= 8) return draw_narrow(band, e, box, id);
#endif
  draw_small(band, e, box, id);
}

// ---- strict ----

void draw_strict(const Band& band, const StrictVertex v[3], std::int32_t id) {
  const RasterizeArgs& args = *band.args;
  float area;
  if (!strict_setup(v, args.cull_back, area)) return;
  const float min_x = std::min(v[0].x, std::min(v[1].x, v[2].x)), max_x = std::max(v[0].x, std::max(v[1].x, v[2].x));
  const float min_y = std::min(v[0].y, std::min(v[1].y, v[2].y)), max_y = std::max(v[0].y, std::max(v[1].y, v[2].y));
  // Conservative pixel box: inverse of strict_pixel_centre, one pixel wider on each side. X grows to the left.
  const float range_x = args.width > args.height ? 2.f * args.width / args.height : 2.f;
  const float range_y = args.height > args.width ? 2.f * args.height / args.width : 2.f;
  const auto to_index = [](float value, float range, int size) {
    const float i = (value / range + 0.5f) * static_cast<float>(size) - 0.5f;
    return static_cast<int>(std::min(std::max(i, -2.f), static_cast<float>(size) + 2.f));
  };
  const int x0 = std::max(args.width - 1 - to_index(max_x, range_x, args.width) - 2, 0);
  const int x1 = std::min(args.width - 1 - to_index(min_x, range_x, args.width) + 3, args.width);
  const int y0 = std::max(args.height - 1 - to_index(max_y, range_y, args.height) - 2, band.row_begin);
  const int y1 = std::min(args.height - 1 - to_index(min_y, range_y, args.height) + 3, band.row_end);
  if (x0 >= x1) return;

  const Float divisor = set(area), zero = zero_float();
  const Int ids = set(id);
  const StrictVertex* from[3] = {&v[1], &v[2], &v[0]};
  const StrictVertex* to[3] = {&v[2], &v[0], &v[1]};
  for (int row = y0; row < y1; ++row) {
    const float py = strict_pixel_centre(args.height - 1 - row, args.height, args.width);
    if (py < min_y || py > max_y) continue;
    Float dy[3], second[3], ax[3];
    for (int k = 0; k < 3; ++k) {
      dy[k] = set(to[k]->y - from[k]->y);
      second[k] = set((py - from[k]->y) * (to[k]->x - from[k]->x));
      ax[k] = set(from[k]->x);
    }
    float* key_row = band.key + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
    std::int32_t* face_row = band.face + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
    for (int x = x0; x < x1; x += kLanes) {
      const Float px = load(band.strict_x + x);
      Float b[3];
      for (int k = 0; k < 3; ++k) b[k] = div(sub(mul(sub(px, ax[k]), dy[k]), second[k]), divisor);
      Mask inside = both(greater(b[0], zero), both(greater(b[1], zero), greater(b[2], zero)));
      inside = both(inside, both(greater_equal(px, set(min_x)), greater_equal(set(max_x), px)));
      if (x + kLanes > x1) inside = both(inside, first_lanes(x1 - x));
      if (!any(inside)) continue;
      const Float z0 = set(v[0].z), z1 = set(v[1].z), z2 = set(v[2].z);
      if (args.perspective) {
        const Float t0 = mul(mul(b[0], z1), z2), t1 = mul(mul(z0, b[1]), z2), t2 = mul(mul(z0, z1), b[2]);
        const Float sum = add(add(t0, t1), t2);
        const Float denominator = select(greater(sum, set(kStrictEpsilon)), sum, set(kStrictEpsilon));
        b[0] = div(t0, denominator);
        b[1] = div(t1, denominator);
        b[2] = div(t2, denominator);
      }
      const Float depth = add(add(mul(b[0], z0), mul(b[1], z1)), mul(b[2], z2));
      inside = both(inside, greater_equal(depth, zero));
      const Mask nearer = both(inside, less(depth, load(key_row + x)));
      store_masked(key_row + x, nearer, depth);
      store_masked(face_row + x, nearer, ids);
    }
  }
}

// ---- one band ----

void draw_clipped(const Band& band, const ClipVertex v[3], std::int32_t id) {
  const RasterizeArgs& args = *band.args;
  for (int k = 0; k < 3; ++k)
    if (!is_finite(v[k], args.perspective)) return;
  ClipVertex polygon[kMaxPolygon] = {v[0], v[1], v[2]};
  if (!args.perspective) polygon[0].w = polygon[1].w = polygon[2].w = 1.f;
  const int count = clip_polygon(polygon, 3, args.perspective, args.near);
  const float half_width = 0.5f * static_cast<float>(args.width), half_height = 0.5f * static_cast<float>(args.height);
  for (int i = 2; i < count; ++i) {
    const ClipVertex* fan[3] = {&polygon[0], &polygon[i - 1], &polygon[i]};
    if (args.strict) {
      const StrictVertex s[3] = {to_strict(*fan[0], args.perspective), to_strict(*fan[1], args.perspective),
                                 to_strict(*fan[2], args.perspective)};
      draw_strict(band, s, id);
    } else {
      draw_watertight(band, to_screen(*fan[0], args.perspective, half_width, half_height),
                      to_screen(*fan[1], args.perspective, half_width, half_height),
                      to_screen(*fan[2], args.perspective, half_width, half_height), id);
    }
  }
}

void draw_all(const Band& band) {
  const RasterizeArgs& args = *band.args;
  const ClipVertex* positions = args.positions + band.image * args.vertices;
  const bool all_drawn = args.visible_parts == nullptr;
  for (std::int64_t f = 0; f < args.faces; ++f) {
    if (!all_drawn && !is_drawn(args, band.image, f)) continue;
    const std::int32_t* id = args.triangles + 3 * f;
    if (args.strict) {
      if (band.safe[id[0]] & band.safe[id[1]] & band.safe[id[2]]) {
        const StrictVertex v[3] = {band.strict[id[0]], band.strict[id[1]], band.strict[id[2]]};
        draw_strict(band, v, static_cast<std::int32_t>(f));
        continue;
      }
    } else {
      const Projected &a = band.projected[id[0]], &b = band.projected[id[1]], &c = band.projected[id[2]];
      if (a.safe & b.safe & c.safe) {
        draw_watertight(band, a.screen, b.screen, c.screen, static_cast<std::int32_t>(f));
        continue;
      }
    }
    const ClipVertex v[3] = {positions[id[0]], positions[id[1]], positions[id[2]]};
    draw_clipped(band, v, static_cast<std::int32_t>(f));
  }
}

// Writes the outputs of one row: constants left and right of what was touched, the scratch row in between.
void resolve_row(const Band& band, int row) {
  const RasterizeArgs& args = *band.args;
  const std::int64_t offset = (band.image * args.height + row) * args.width;
  const bool inside = row >= band.touched.y0 && row < band.touched.y1;
  const int x0 = inside ? band.touched.x0 : args.width, x1 = inside ? band.touched.x1 : args.width;
  const auto clear = [&](int from, int to) {
    if (from >= to) return;
    std::fill(args.face + offset + from, args.face + offset + to, -1);
    if (args.depth != nullptr) std::fill(args.depth + offset + from, args.depth + offset + to, 0.f);
    if (args.label != nullptr) std::fill(args.label + offset + from, args.label + offset + to, std::uint8_t{0});
    if (args.barycentrics != nullptr) std::fill(args.barycentrics + 3 * (offset + from), args.barycentrics + 3 * (offset + to), 0.f);
  };
  clear(0, x0);
  clear(x1, args.width);
  if (!inside) return;

  const float* key = band.key + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
  const std::int32_t* face = band.face + static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
  const bool undo = args.perspective && !args.strict;  // the key is -1 / w
  int x = x0;
  for (; x + kLanes <= x1; x += kLanes) {
    const Int ids = load(face + x);
    const Mask empty = negative(ids);
    store(args.face + offset + x, ids);
    if (args.depth != nullptr) {
      const Float k = load(key + x);
      store(args.depth + offset + x, select(empty, zero_float(), undo ? div(set(-1.f), k) : k));
    }
    if (args.label != nullptr) store_bytes(args.label + offset + x, gather_bytes(band.labels, ids, invert(empty)));
  }
  for (; x < x1; ++x) {
    args.face[offset + x] = face[x];
    if (args.depth != nullptr) args.depth[offset + x] = face[x] < 0 ? 0.f : (undo ? -1.f / key[x] : key[x]);
    if (args.label != nullptr) args.label[offset + x] = face[x] < 0 ? std::uint8_t{0} : args.face_labels[face[x]];
  }
  const ClipVertex* positions = args.positions + band.image * args.vertices;
  if (undo && band.any_clipped && args.depth != nullptr) {
    for (x = x0; x < x1; ++x) {
      if (face[x] < 0) continue;
      const std::int32_t* id = args.triangles + 3 * std::int64_t{face[x]};
      if (band.projected[id[0]].safe & band.projected[id[1]].safe & band.projected[id[2]].safe) continue;
      const ClipVertex v[3] = {positions[id[0]], positions[id[1]], positions[id[2]]};
      args.depth[offset + x] = clipped_depth(args, v, row, x);
    }
  }
  if (args.barycentrics == nullptr) return;
  for (x = x0; x < x1; ++x) {
    float b[3] = {0.f, 0.f, 0.f};
    if (face[x] >= 0) {
      const std::int32_t* id = args.triangles + 3 * std::int64_t{face[x]};
      const ClipVertex v[3] = {positions[id[0]], positions[id[1]], positions[id[2]]};
      Edges e;
      if (args.strict) {
        strict_barycentrics(args, v, row, x, b);
      } else if (band.projected[id[0]].safe & band.projected[id[1]].safe & band.projected[id[2]].safe &&
                 setup_edges(band.projected[id[0]].screen, band.projected[id[1]].screen, band.projected[id[2]].screen, false, e)) {
        edge_barycentrics(e, args.perspective, row, x, b);
      } else {
        watertight_barycentrics(args, v, row, x, b);
      }
    }
    std::copy(b, b + 3, args.barycentrics + 3 * (offset + x));
  }
}

// The same as is_safe and to_screen for perspective vertices, several at once: their four floats stay side by side and become the four
// words of Projected. Stops at the first group with an unsafe vertex and returns how many vertices are done.
std::int64_t project_groups(const RasterizeArgs& args, const ClipVertex* positions, Projected* projected, std::int32_t& low_x,
                            std::int32_t& low_y, std::int32_t& high_x, std::int32_t& high_y) {
  static_assert(sizeof(ClipVertex) == 16 && sizeof(Projected) == 16);
  constexpr int group = kLanes / 4;
  const float half_width = 0.5f * static_cast<float>(args.width), half_height = 0.5f * static_cast<float>(args.height);
  const Float scale = repeat4(half_width, -half_height, 0.f, 0.f), centre = repeat4(half_width, half_height, 0.f, 0.f);
  const Float guard = repeat4(kGuardBand, kGuardBand, std::numeric_limits<float>::infinity(), 1.f), zero = zero_float();
  const Mask is_z = less(repeat4(0.f, 0.f, -1.f, 0.f), zero), is_w = less(repeat4(0.f, 0.f, 0.f, -1.f), zero);
  Int low = set(std::numeric_limits<std::int32_t>::max()), high = set(std::numeric_limits<std::int32_t>::min());
  std::int64_t i = 0;
  for (; i + group <= args.vertices; i += group) {
    const Float v = load(reinterpret_cast<const float*>(positions + i));
    const Float w = broadcast_w(v);
    // x and y inside the guard band, z finite, near <= w < infinity: all lanes, or leave it to the scalar code
    const Float limit = select(is_z, set(std::numeric_limits<float>::max()), mul(w, guard));
    const Mask good = both(both(greater_equal(limit, absolute(v)), greater_equal(w, set(args.near))),
                           less(w, set(std::numeric_limits<float>::infinity())));
    if (bits(good) != (1u << kLanes) - 1u) break;
    const Float inverse = div(set(1.f), w);
    const Float pixels = add(centre, mul(mul(v, inverse), scale));
    const Int snapped = truncate(floor(add(mul(pixels, set(static_cast<float>(kSubpixel))), set(0.5f))));
    low = min(low, snapped);
    high = max(high, snapped);
    Int words = select(is_z, as_int(sub(zero, inverse)), snapped);
    words = select(is_w, set(1), words);
    store(reinterpret_cast<std::int32_t*>(projected + i), words);
  }
  std::int32_t lows[kLanes], highs[kLanes];
  store(lows, low);
  store(highs, high);
  for (int lane = 0; lane < kLanes && i > 0; lane += 4) {
    low_x = imin(low_x, lows[lane]);
    low_y = imin(low_y, lows[lane + 1]);
    high_x = imax(high_x, highs[lane]);
    high_y = imax(high_y, highs[lane + 1]);
  }
  return i;
}

// Projects the vertices of the band's image and finds which pixels they can reach.
void project_watertight(Band& band, Scratch& scratch) {
  const RasterizeArgs& args = *band.args;
  const ClipVertex* positions = args.positions + band.image * args.vertices;
  const float half_width = 0.5f * static_cast<float>(args.width), half_height = 0.5f * static_cast<float>(args.height);
  auto* projected = scratch.take<Projected>(static_cast<std::size_t>(args.vertices));
  std::int32_t low_x = std::numeric_limits<std::int32_t>::max(), low_y = low_x, high_x = std::numeric_limits<std::int32_t>::min(),
               high_y = high_x;
  bool all_safe = true;
  std::int64_t i = 0;
  if (args.perspective) i = project_groups(args, positions, projected, low_x, low_y, high_x, high_y);
  for (; i < args.vertices; ++i) {
    const bool safe = is_safe(positions[i], args.perspective, args.near);
    all_safe = all_safe && safe;
    projected[i] = safe ? Projected{to_screen(positions[i], args.perspective, half_width, half_height), 1} : Projected{};
    if (!safe) continue;
    const ScreenVertex& v = projected[i].screen;
    low_x = imin(low_x, v.x);
    low_y = imin(low_y, v.y);
    high_x = imax(high_x, v.x);
    high_y = imax(high_y, v.y);
  }
  band.projected = projected;
  band.any_clipped = !all_safe;
  if (!all_safe || args.vertices == 0) return;  // a clipped triangle may reach any pixel
  const ScreenVertex low{low_x, low_y, 0.f}, high{high_x, high_y, 0.f};
  band.touched = pixel_box(low, high, high, args.width, band.row_begin, band.row_end);
  if (band.touched.x0 >= band.touched.x1 || band.touched.y0 >= band.touched.y1) band.touched = {0, band.row_begin, 0, band.row_begin};
}

void project_strict(Band& band, Scratch& scratch) {
  const RasterizeArgs& args = *band.args;
  const ClipVertex* positions = args.positions + band.image * args.vertices;
  auto* safe = scratch.take<std::uint8_t>(static_cast<std::size_t>(args.vertices));
  auto* strict = scratch.take<StrictVertex>(static_cast<std::size_t>(args.vertices));
  for (std::int64_t i = 0; i < args.vertices; ++i) {
    safe[i] = is_finite(positions[i], args.perspective) && (!args.perspective || positions[i].w >= args.near);
    strict[i] = safe[i] ? to_strict(positions[i], args.perspective) : StrictVertex{};
  }
  auto* centres = scratch.take<float>(static_cast<std::size_t>(args.width) + kLanes);
  for (int x = 0; x < args.width; ++x) centres[x] = strict_pixel_centre(args.width - 1 - x, args.width, args.height);
  std::fill_n(centres + args.width, kLanes, 0.f);
  band.safe = safe;
  band.strict = strict;
  band.strict_x = centres;
}

void draw_band(Band& band) {
  const RasterizeArgs& args = *band.args;
  Scratch scratch;
  band.touched = {0, band.row_begin, args.width, band.row_end};
  if (args.strict) project_strict(band, scratch);
  else project_watertight(band, scratch);
  if (args.label != nullptr) {
    auto* labels = scratch.take<std::uint8_t>(static_cast<std::size_t>(args.faces) + 3);
    std::copy_n(args.face_labels, args.faces, labels);
    band.labels = labels;
  }

  const std::size_t pixels = static_cast<std::size_t>(band.row_end - band.row_begin) * band.pitch;
  band.key = scratch.take<float>(pixels);
  band.face = scratch.take<std::int32_t>(pixels);
  for (int row = band.touched.y0; row < band.touched.y1; ++row) {
    const std::ptrdiff_t start = static_cast<std::ptrdiff_t>(row - band.row_begin) * band.pitch;
    std::fill(band.key + start + band.touched.x0, band.key + start + band.touched.x1 + kLanes, std::numeric_limits<float>::infinity());
    std::fill(band.face + start + band.touched.x0, band.face + start + band.touched.x1 + kLanes, -1);
  }
  draw_all(band);
  for (int row = band.row_begin; row < band.row_end; ++row) resolve_row(band, row);
}

void rasterize_simd(const RasterizeArgs& args, void*) {
  const int threads = num_threads();
  const int bands =
      static_cast<int>(std::min<std::int64_t>(args.height, args.batch >= threads ? 1 : (threads + args.batch - 1) / args.batch));
  const int rows = (args.height + bands - 1) / bands;
  parallel_for(args.batch * bands, [&](std::int64_t task) {
    Band band{};
    band.args = &args;
    band.image = task / bands;
    band.row_begin = static_cast<int>(task % bands) * rows;
    band.row_end = std::min(args.height, band.row_begin + rows);
    band.pitch = (args.width + 2 * kLanes - 1) / kLanes * kLanes;
    if (band.row_begin < band.row_end) draw_band(band);
  });
}

const Register<RasterizeFn> registered(rasterize_table().FORGE_RT_SIMD_NAMESPACE, rasterize_simd);

}  // namespace
}  // namespace forge_rt::raster
