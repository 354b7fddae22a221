// fill_enclosed: check inputs, dispatch; with its scalar oracle.
#include <vector>

#include "fill_enclosed_table.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/ops/neural_views.h"
#include "frame_limits.h"

namespace forge_rt {
namespace fill {

OpTable<FillFn>& fill_table() {
  static OpTable<FillFn> table{"fill_enclosed"};
  return table;
}

namespace {

// A stack of pixels whose neighbours are still to be visited.
void fill_image(const FillArgs& a, const float* alpha, float* out) {
  const std::int64_t width = a.width, pixels = a.height * width;
  std::vector<std::uint8_t> reached(static_cast<std::size_t>(pixels));
  std::vector<std::int64_t> stack = {0};
  reached[0] = 1;
  while (!stack.empty()) {
    const std::int64_t i = stack.back(), row = i / width, column = i % width;
    stack.pop_back();
    const auto visit = [&](std::int64_t j) {
      if (reached[j] || !passes(alpha[j], alpha[0])) return;
      reached[j] = 1;
      stack.push_back(j);
    };
    if (row > 0) visit(i - width);
    if (row + 1 < a.height) visit(i + width);
    if (column > 0) visit(i - 1);
    if (column + 1 < width) visit(i + 1);
  }
  for (std::int64_t i = 0; i < pixels; ++i) out[i] = filled_value(a, alpha[i], reached[i] != 0);
}

void fill_scalar(const FillArgs& a, Stream) {
  const std::int64_t pixels = static_cast<std::int64_t>(a.height) * a.width;
  parallel_for(a.batch, [&](std::int64_t b) { fill_image(a, a.alpha + b * pixels, a.out + b * pixels); });
}

const Register<FillFn> registered(fill_table().scalar, fill_scalar);

}  // namespace
}  // namespace fill

Tensor fill_enclosed(const Tensor& alpha, bool binarise, Stream stream) {
  check_argument(alpha.defined() && alpha.dtype() == DType::f32 && (alpha.rank() == 3 || (alpha.rank() == 4 && alpha.size(1) == 1)),
                 "alpha must be [B, 1, H, W] or [B, H, W] float32, got ", alpha.str());
  check_argument(alpha.is_contiguous(), "alpha must be contiguous");
  check_argument(alpha.size(-1) <= kLargestSide && alpha.size(-2) <= kLargestSide, "sides of alpha must be at most ", kLargestSide,
                 " pixels, got ", shape_str(alpha.shape()));
  Tensor out = Tensor::empty(alpha.shape(), DType::f32, alpha.device(), "filled alpha");
  if (out.count() == 0) return out;
  const fill::FillArgs args{alpha.data<float>(),
                            out.mutable_data<float>(),
                            alpha.size(0),
                            static_cast<int>(alpha.size(-2)),
                            static_cast<int>(alpha.size(-1)),
                            binarise};
  fill::fill_table().select(alpha.device())(args, stream);
  return out;
}

}  // namespace forge_rt
