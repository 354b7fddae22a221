// upfirdn2d: check inputs, prepare the filter, dispatch; with its scalar oracle.
#include "forge_rt/ops/upfirdn2d.h"

#include <cmath>
#include <vector>

#include "forge_rt/core/thread_pool.h"
#include "upfirdn2d_table.h"

namespace forge_rt {
namespace upfirdn {

OpTable<UpfirdnFn>& upfirdn_table() {
  static OpTable<UpfirdnFn> table{"upfirdn2d"};
  return table;
}

namespace {

constexpr int kLargestFactor = 64;
constexpr int kLargestPadding = 1 << 16;
constexpr std::int64_t kLargestSide = 1 << 20;

void upfirdn_scalar(const UpfirdnArgs& a, Stream) {
  const std::int64_t grain = 4096 / a.ax.out + 1;
  parallel_for_ranges(a.planes * a.ay.out, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float* plane = a.x + row / a.ay.out * a.ay.in * a.ax.in;
      const int y = static_cast<int>(row % a.ay.out);
      for (int x = 0; x < a.ax.out; ++x) a.out[row * a.ax.out + x] = upfirdn_value(a, plane, x, y);
    }
  });
}

const Register<UpfirdnFn> registered(upfirdn_table().scalar, upfirdn_scalar);

struct Factors {
  std::vector<float> rows, columns;  // empty: the filter is no outer product
};

// Exact factors of f[i][j] = rows[i] · columns[j]. The smallest value is the divisor, so that whole-number ratios such as 1 3 3 1 stay exact.
Factors factorize(const float* f, int height, int width) {
  int pivot = -1;
  for (int i = 0; i < height * width; ++i)
    if (f[i] != 0.f && (pivot < 0 || std::fabs(f[i]) < std::fabs(f[pivot]))) pivot = i;
  Factors out;
  if (pivot < 0) return out;
  for (int i = 0; i < height; ++i) out.rows.push_back(f[i * width + pivot % width]);
  for (int j = 0; j < width; ++j) out.columns.push_back(f[pivot / width * width + j] / f[pivot]);
  for (int i = 0; i < height; ++i)
    for (int j = 0; j < width; ++j)
      if (double{out.rows[i]} * double{out.columns[j]} != double{f[i * width + j]}) return {};
  return out;
}

void set_filter(UpfirdnArgs& args, const Tensor& filter, bool flip, float gain) {
  const bool square = filter.rank() == 2;
  const int height = static_cast<int>(filter.size(0)), width = static_cast<int>(filter.size(-1));
  const float* f = filter.data<float>();
  for (std::int64_t i = 0; i < filter.count(); ++i) check_argument(std::isfinite(f[i]), "filter must be finite, value ", i, " is ", f[i]);
  args.ay.taps = height;
  args.ax.taps = width;
  Factors factors;
  if (square) factors = factorize(f, height, width);
  else factors = {{f, f + height}, {f, f + width}};
  args.separable = !factors.rows.empty();
  if (args.separable) {
    for (int i = 0; i < height; ++i) args.filter[i] = factors.rows[flip ? i : height - 1 - i] * gain;
    for (int j = 0; j < width; ++j) args.filter[height + j] = factors.columns[flip ? j : width - 1 - j];
  } else {
    const int count = height * width;
    for (int i = 0; i < count; ++i) args.filter[i] = f[flip ? i : count - 1 - i] * gain;
  }
}

Axis make_axis(std::int64_t in, int up, int down, int before, int after, std::int64_t taps, const char* side) {
  const std::int64_t filtered = in * up + before + after - taps;
  check_argument(filtered >= 0 && filtered < kLargestSide, "the ", side, " of the padded image must be ", taps, " (the filter's taps) to ",
                 kLargestSide, ", got ", filtered + taps);
  return {static_cast<int>(in), static_cast<int>(filtered / down + 1), up, down, before, static_cast<int>(taps)};
}

}  // namespace
}  // namespace upfirdn

void UpfirdnOptions::validate() const {
  for (const int factor : {up_x, up_y, down_x, down_y})
    check_argument(factor >= 1 && factor <= upfirdn::kLargestFactor, "up and down factors must be 1..", upfirdn::kLargestFactor, ", got ",
                   factor);
  for (const int pixels : padding)
    check_argument(std::abs(pixels) <= upfirdn::kLargestPadding, "padding must be within ±", upfirdn::kLargestPadding, ", got ", pixels);
  check_argument(std::isfinite(gain), "gain must be finite, got ", gain);
}

Tensor upfirdn2d(const Tensor& x, const Tensor& filter, const UpfirdnOptions& options, Stream stream) {
  expect(x, "x", "[B, C, H, W]", DType::f32, {kAny, kAny, kAny, kAny});
  options.validate();
  check_argument(filter.defined() && filter.dtype() == DType::f32 && (filter.rank() == 1 || filter.rank() == 2) && filter.is_contiguous() &&
                     filter.device().is_cpu(),
                 "filter must be [T] or [Th, Tw] float32 on the CPU, got ", filter.str());
  const int most = filter.rank() == 1 ? upfirdn::kMostTaps : upfirdn::kMostSquareTaps;
  check_argument(filter.size(0) >= 1 && filter.size(-1) >= 1 && filter.size(0) <= most && filter.size(-1) <= most, "filter must have 1..",
                 most, " taps per axis, got ", shape_str(filter.shape()));
  check_argument(x.size(2) <= upfirdn::kLargestSide && x.size(3) <= upfirdn::kLargestSide, "sides of x must be at most ",
                 upfirdn::kLargestSide, ", got ", shape_str(x.shape()));
  const auto [left, right, top, bottom] = options.padding;
  upfirdn::UpfirdnArgs args{};
  args.ay = upfirdn::make_axis(x.size(2), options.up_y, options.down_y, top, bottom, filter.size(0), "height");
  args.ax = upfirdn::make_axis(x.size(3), options.up_x, options.down_x, left, right, filter.size(-1), "width");
  upfirdn::set_filter(args, filter, options.flip_filter, options.gain);
  Tensor out = Tensor::empty({x.size(0), x.size(1), args.ay.out, args.ax.out}, DType::f32, x.device(), "filtered images");
  if (out.count() == 0) return out;
  args.x = x.data<float>();
  args.out = out.mutable_data<float>();
  args.planes = x.size(0) * x.size(1);
  upfirdn::upfirdn_table().select(x.device())(args, stream);
  return out;
}

namespace {
std::array<int, 2> taps_of(const Tensor& filter) {  // columns, rows; other shapes are refused by upfirdn2d
  if (filter.rank() < 1) return {1, 1};
  return {static_cast<int>(filter.size(-1)), static_cast<int>(filter.size(0))};
}
}  // namespace

Tensor upsample2d(const Tensor& x, const Tensor& filter, Stream stream) {
  const auto [tx, ty] = taps_of(filter);
  return upfirdn2d(
      x, filter,
      {.up_x = 2, .up_y = 2, .padding = {(tx + 1) / 2, (tx - 2) >> 1, (ty + 1) / 2, (ty - 2) >> 1}, .flip_filter = false, .gain = 4},
      stream);
}

Tensor downsample2d(const Tensor& x, const Tensor& filter, Stream stream) {
  const auto [tx, ty] = taps_of(filter);
  return upfirdn2d(x, filter, {.down_x = 2, .down_y = 2, .padding = {(tx - 1) / 2, (tx - 2) >> 1, (ty - 1) / 2, (ty - 2) >> 1}}, stream);
}

}  // namespace forge_rt
