// Up-sampling, FIR filtering and down-sampling in one pass: StyleGAN's upfirdn2d (spec/next3d §2.1).
#pragma once

#include <array>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

struct UpfirdnOptions {
  int up_x = 1, up_y = 1;              ///< zeros are inserted after every sample, up - 1 of them; 1..64
  int down_x = 1, down_y = 1;          ///< every down-th value is kept, from the first; 1..64
  std::array<int, 4> padding = {};     ///< left, right, top, bottom, in up-sampled pixels; negative crops
  bool flip_filter = false;            ///< false: convolution; true: correlation
  float gain = 1;                      ///< multiplies the filter

  void validate() const;  ///< throws invalid_argument
};

/// x [B, C, H, W] float32 → [B, C, (H·up_y + top + bottom - taps_y) / down_y + 1, likewise for W] float32.
///   filter  [T] float32: the same taps along both axes, 1..32; or [Th, Tw] float32, 1..16 each. On the CPU, wherever x is.
/// Insert zeros, pad with zeros or crop, filter, keep every down-th value. A [Th, Tw] filter that is exactly an outer product, as the
/// checkpoints' (1 3 3 1) x (1 3 3 1) / 64 is, costs two passes of taps instead of their product.
/// Bit-equal on every path and device. Runs on `stream`; does not synchronise.
FORGE_RT_API Tensor upfirdn2d(const Tensor& x, const Tensor& filter, const UpfirdnOptions& options = {}, Stream stream = {});

/// Twice the size, as StyleGAN's skip connections: padding (⌊(T + 1) / 2⌋, ⌊(T - 2) / 2⌋) on both axes and gain 4; (2, 1, 2, 1) for 4 taps.
FORGE_RT_API Tensor upsample2d(const Tensor& x, const Tensor& filter, Stream stream = {});

/// Half the size: padding (⌊(T - 1) / 2⌋, ⌊(T - 2) / 2⌋) on both axes; (1, 1, 1, 1) for 4 taps.
FORGE_RT_API Tensor downsample2d(const Tensor& x, const Tensor& filter, Stream stream = {});

}  // namespace forge_rt
