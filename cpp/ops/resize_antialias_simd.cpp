// resize_antialias, SIMD: the scalar path's bytes.
//
// An output row is a weighted sum of input rows, a vector of columns at a time; then each vector of outputs gathers its taps from it.
#include "forge_rt/core/thread_pool.h"
#include "resize_antialias_taps.h"
#include "simd_rows.h"

namespace forge_rt::resize {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

// Taps of a row of outputs, tap by tap: [most, pitch], pitch a multiple of the vector.
struct Columns {
  std::int32_t *first, *count;
  float* weights;
  int out, pitch, most;
};

Columns make_columns(Scratch& scratch, const AxisTaps& taps, int out) {
  Columns c{};
  c.out = out;
  c.pitch = (out + kLanes - 1) / kLanes * kLanes;
  c.first = scratch.take<std::int32_t>(static_cast<std::size_t>(c.pitch));
  c.count = scratch.take<std::int32_t>(static_cast<std::size_t>(c.pitch));
  for (int x = 0; x < c.pitch; ++x) {
    const Span span = x < out ? taps.span[x] : Span{0, 0};
    c.first[x] = span.first;
    c.count[x] = span.count;
    c.most = span.count > c.most ? span.count : c.most;
  }
  c.weights = scratch.take<float>(static_cast<std::size_t>(c.pitch) * static_cast<std::size_t>(c.most));
  for (int t = 0; t < c.most; ++t)
    for (int x = 0; x < c.pitch; ++x)
      c.weights[t * c.pitch + x] = t < c.count[x] ? taps.weights[static_cast<std::int64_t>(x) * taps.most + t] : 0.f;
  return c;
}

void sum_rows(const float* from, std::int64_t stride, const float* weights, int rows, int width, float* out) {
  for (int x = 0; x < width; x += kLanes) {
    Float sum = zero_float();
    for (int j = 0; j < rows; ++j) sum = add(sum, mul(set(weights[j]), load_up_to(from + j * stride + x, width - x)));
    store_up_to(out + x, width - x, sum);
  }
}

void sum_columns(const Columns& c, const float* row, float* out) {
  for (int x = 0; x < c.out; x += kLanes) {
    const Int first = load(c.first + x), count = load(c.count + x);
    Float sum = zero_float();
    for (int t = 0; t < c.most; ++t) sum = add(sum, mul(load(c.weights + t * c.pitch + x), gather(row + t, first, greater(count, set(t)))));
    store_up_to(out + x, c.out - x, sum);
  }
}

void resize_simd(const ResizeArgs& a, Stream) {
  Scratch scratch;
  const SampleTaps* taps = make_taps(scratch, a);
  const std::int64_t samples = a.boxes != nullptr ? a.batch : 1;
  Columns* columns = scratch.take<Columns>(static_cast<std::size_t>(samples));
  for (std::int64_t b = 0; b < samples; ++b) columns[b] = make_columns(scratch, taps[b].columns, width_of(taps[b].regions.to));

  const std::int64_t in_plane = static_cast<std::int64_t>(a.in_height) * a.in_width,
                     out_plane = static_cast<std::int64_t>(a.out_height) * a.out_width;
  parallel_for_ranges(a.batch * a.channels * a.out_height, 8192 / a.out_width + 1, [&](std::int64_t begin, std::int64_t end) {
    Scratch own;
    float* row = own.take<float>(static_cast<std::size_t>(a.in_width));
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t plane = i / a.out_height, sample = a.boxes != nullptr ? plane / a.channels : 0;
      const SampleTaps& t = taps[sample];
      const Box &from = t.regions.from, &to = t.regions.to;
      const int y = static_cast<int>(i % a.out_height);
      if (y >= height_of(to)) continue;
      const Span span = t.rows.span[y];
      const float* weights = t.rows.weights + static_cast<std::int64_t>(y) * t.rows.most;
      const float* in = a.in + plane * in_plane + static_cast<std::int64_t>(from.row0 + span.first) * a.in_width + from.column0;
      sum_rows(in, a.in_width, weights, span.count, width_of(from), row);
      sum_columns(columns[sample], row, a.out + plane * out_plane + static_cast<std::int64_t>(to.row0 + y) * a.out_width + to.column0);
    }
  });
}

#if defined(__AVX512F__)
const Register<ResizeFn> registered(resize_table().avx512, resize_simd);
#else
const Register<ResizeFn> registered(resize_table().avx2, resize_simd);
#endif

}  // namespace
}  // namespace forge_rt::resize
