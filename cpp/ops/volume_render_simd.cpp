// volume_render, SIMD. One ray at a time; its samples live in about 40 KB of scratch from the planes to the pixel.
//
// Where the work is, for a sample with 32 channels, 64 hidden values and 32 colours (in vectors of 16 floats):
//   planes        12 taps x 2 multiply-adds, 30 for their places
//   hidden layer  128 multiply-adds, then 4 x 18 instructions of softplus
//   density       4 multiply-adds and a sum
//   colours       128 multiply-adds, 2 x 11 instructions of sigmoid; only for samples that have weight
// Two thirds are multiply-adds of the two layers. Channels, hidden values and colours run over the lanes, samples over registers: texels
// arrive that way, softplus needs no transposition, and colours are summed into the pixel without being stored.
//
// From the texels up: volume_render_simd_planes.h, volume_render_simd_decoder.h (with volume_render_simd_math.h), both joined in
// volume_render_simd_samples.h, then volume_render_simd_ray.h. Only this file includes them.
#include "forge_rt/core/thread_pool.h"
#include "volume_render_simd_ray.h"

namespace forge_rt::volume {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

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
