// bias_act: check inputs, dispatch; with its scalar oracle.
#include "forge_rt/ops/bias_act.h"

#include <cmath>
#include <numbers>

#include "bias_act_table.h"
#include "forge_rt/core/thread_pool.h"

namespace forge_rt {
namespace activation {

OpTable<BiasActFn>& bias_act_table() {
  static OpTable<BiasActFn> table{"bias_act"};
  return table;
}

namespace {

void bias_act_scalar(const BiasActArgs& a, Stream) {
  parallel_for_ranges(a.rows, 16384 / a.inner + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const float bias = a.bias != nullptr ? a.bias[row % a.channels] : 0.f;
      for (std::int64_t i = row * a.inner; i < (row + 1) * a.inner; ++i) a.out[i] = bias_act_value(a, a.x[i], bias);
    }
  });
}

const Register<BiasActFn> registered(bias_act_table().scalar, bias_act_scalar);

}  // namespace
}  // namespace activation

void BiasActOptions::validate() const {
  check_argument(std::isfinite(slope), "slope must be finite, got ", slope);
  check_argument(!gain || std::isfinite(*gain), "gain must be finite, got ", gain.value_or(0.f));
  check_argument(!clamp || *clamp >= 0.f, "clamp must be 0 or more, got ", clamp.value_or(0.f), "; leave it out for none");
}

Tensor bias_act(const Tensor& x, const Tensor& bias, const BiasActOptions& options, Stream stream) {
  check_argument(x.defined() && x.dtype() == DType::f32 && x.rank() >= 2 && x.is_contiguous(),
                 "x must be contiguous [B, C, ...] float32, got ", x.defined() ? x.str() : "nothing");
  Tensor out = Tensor::empty(x.shape(), DType::f32, x.device(), "activations");
  bias_act_into(out, x, bias, options, stream);
  return out;
}

void bias_act_into(Tensor& out, const Tensor& x, const Tensor& bias, const BiasActOptions& options, Stream stream) {
  check_argument(x.defined() && x.dtype() == DType::f32 && x.rank() >= 2 && x.is_contiguous(),
                 "x must be contiguous [B, C, ...] float32, got ", x.defined() ? x.str() : "nothing");
  check_argument(out.defined() && out.dtype() == DType::f32 && out.shape() == x.shape() && out.is_contiguous(), "out must be ", x.str(),
                 ", got ", out.defined() ? out.str() : "nothing");
  check_argument(out.device() == x.device(), "x is on ", x.device().str(), ", out on ", out.device().str());
  options.validate();
  if (bias.defined()) {
    expect(bias, "bias", "[C]", DType::f32, {x.size(1)});
    check_argument(bias.device() == x.device(), "x is on ", x.device().str(), ", bias on ", bias.device().str());
  }
  if (x.count() == 0) return;
  const bool lrelu = options.activation == Activation::lrelu;
  const activation::BiasActArgs args{x.data<float>(),
                                     bias.defined() ? bias.data<float>() : nullptr,
                                     out.mutable_data<float>(),
                                     x.size(0) * x.size(1),
                                     x.size(1),
                                     x.count() / (x.size(0) * x.size(1)),
                                     lrelu ? options.slope : 1.f,
                                     options.gain.value_or(lrelu ? std::numbers::sqrt2_v<float> : 1.f),
                                     options.clamp.value_or(-1.f)};
  activation::bias_act_table().select(x.device())(args, stream);
}

}  // namespace forge_rt
