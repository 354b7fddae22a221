// Samples of one level look at rows of the level below.
#include <algorithm>
#include <cmath>

#include "models/next3d/generator_impl.h"

namespace forge_rt::next3d {

Tensor move_to(const Tensor& tensor, Device device) {
  return tensor.device() == device ? tensor.contiguous()
                                   : tensor.contiguous().to(device, {device.is_cuda() ? device : tensor.device(), nullptr});
}

Tensor frozen(const Tensor& tensor) {
  const auto owner = std::make_shared<Tensor>(tensor);
  return Tensor::borrow(owner->mutable_raw(), tensor.shape(), tensor.dtype(), tensor.device(), owner, true);
}

std::vector<std::int64_t> read_rows(const Tensor& rows, std::int64_t count, std::int64_t level_size, const char* what, const char* level) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  if (!rows.defined()) {
    check_argument(level_size == 1 || level_size == count, count, " ", what, " of ", level_size, " ", level, " need `rows`: which of the ",
                   level, " each looks at");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = level_size == 1 ? 0 : static_cast<std::int64_t>(i);
    return out;
  }
  expect(rows, "rows", "[N]", DType::i32, {count});
  check_argument(rows.device().is_cpu(), "rows must be on the CPU, got ", rows.str());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = rows.data<std::int32_t>()[i];
    check_argument(out[i] >= 0 && out[i] < level_size, "rows[", i, "] is ", out[i], ", but there are ", level_size, " ", level);
  }
  return out;
}

Tensor take_rows(const Tensor& tensor, const std::vector<std::int64_t>& rows) {
  bool same = true, following = true;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    same = same && rows[i] == rows[0];
    following = following && rows[i] == rows[i - 1] + 1;
  }
  if (rows.empty()) return tensor.slice(0, 0);
  if (same) return tensor.slice(rows[0], rows[0] + 1);
  const auto count = static_cast<std::int64_t>(rows.size());
  if (following) return tensor.slice(rows[0], rows[0] + count);
  Shape shape = tensor.shape();
  shape[0] = count;
  Tensor out = Tensor::empty(shape, tensor.dtype(), tensor.device(), "generator rows");
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor from = tensor.slice(rows[static_cast<std::size_t>(i)], rows[static_cast<std::size_t>(i)] + 1);
    copy_bytes(out.slice(i, i + 1).mutable_raw(), out.device(), from.raw(), from.device(), from.bytes(), {tensor.device(), nullptr});
  }
  return out;
}

Tensor take_styles(const Tensor& ws, const std::vector<std::int64_t>& rows, std::int64_t begin, std::int64_t end) {
  const auto count = static_cast<std::int64_t>(rows.size());
  Tensor out = Tensor::empty({count, end - begin, ws.size(2)}, DType::f32, ws.device(), "generator styles");
  const std::int64_t row = ws.size(1) * ws.size(2), bytes = (end - begin) * ws.size(2) * static_cast<std::int64_t>(sizeof(float));
  for (std::int64_t i = 0; i < count; ++i)
    copy_bytes(out.slice(i, i + 1).mutable_raw(), out.device(),
               ws.data<float>() + rows[static_cast<std::size_t>(i)] * row + begin * ws.size(2), ws.device(),
               static_cast<std::size_t>(bytes), {ws.device(), nullptr});
  return out;
}

void check_finite_rows(const Tensor& tensor, const char* name) {
  if (!tensor.device().is_cpu() || tensor.count() == 0) return;
  const float* values = tensor.data<float>();
  const std::int64_t row = tensor.count() / tensor.size(0);
  for (std::int64_t i = 0; i < tensor.count(); ++i)
    check_argument(std::isfinite(values[i]), name, "[", i / row, "] holds ", values[i], "; every value must be finite");
}

}  // namespace forge_rt::next3d
