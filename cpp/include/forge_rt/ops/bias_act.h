// Bias, activation, gain and clamp in one pass (spec/next3d §2.2).
#pragma once

#include <optional>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

enum class Activation { linear, lrelu };

struct BiasActOptions {
  Activation activation = Activation::linear;
  float slope = 0.2f;          ///< of lrelu, where x + b is not above 0
  std::optional<float> gain;   ///< default: 1 for linear, √2 for lrelu. Replaces that default, as the published op's argument does.
  std::optional<float> clamp;  ///< ≥ 0: the result is kept within ±clamp

  void validate() const;  ///< throws invalid_argument
};

/// y = clamp(activation(x + b) · gain), b by channel.
///   x     [B, C] or [B, C, …]  float32
///   bias  [C]  float32, or undefined
/// Returns the shape of x. A layer's own gain multiplies both the activation's gain and the clamp: that is the caller's product.
/// NaN stays NaN. Bit-equal on every path and device. Runs on `stream`; does not synchronise.
FORGE_RT_API Tensor bias_act(const Tensor& x, const Tensor& bias, const BiasActOptions& options = {}, Stream stream = {});

/// The same into `out` [like x], which may be x itself.
FORGE_RT_API void bias_act_into(Tensor& out, const Tensor& x, const Tensor& bias, const BiasActOptions& options = {}, Stream stream = {});

}  // namespace forge_rt
