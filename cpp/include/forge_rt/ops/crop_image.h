// Affine crops of a frame as the input of a network: resample, convert the pixel format, normalise, in one pass over the output.
#pragma once

#include <array>
#include <span>

#include "forge_rt/ops/image_view.h"

namespace forge_rt {

enum class CropBorder : int { constant = 0, replicate = 1 };

struct CropOptions {
  std::array<float, 3> mean = {0, 0, 0};   ///< in bytes, by output channel: with `bgr`, mean[0] is blue's
  std::array<float, 3> scale = {1, 1, 1};  ///< out = (byte - mean) · scale, in float32
  bool bgr = false;                        ///< channel 0 of the output is blue
  CropBorder border = CropBorder::constant;
  std::uint8_t fill = 0;                   ///< byte of all channels outside the frame, for `constant`
  void validate() const;
};

/// out[b, c, y, x] = (value of the frame at to_frame[b](x + ½, y + ½) - mean) · scale.
///   to_frame  crop pixels → frame pixels, one per image
///   out       [B, 3, S_y, S_x] float32, B = to_frame.size(); allocated by the caller, on the frame's device
/// Bilinear between pixel centres. Where one crop pixel spans more than 2 frame pixels (the larger column norm of the matrix), the
/// mean of n × n bilinear samples spread evenly over the pixel, n = ceil(span / 2) but for rounding, at most 16 (spec face_analysis §6). Values are
/// blended in float, not rounded to bytes. Pixels beyond the frame are `fill` (blended at the border, as a frame with a margin of it) or the nearest pixel.
/// Grey frames fill three channels; NV12 takes the nearest chroma. Matrix entries beyond 1e9 or not finite are invalid_argument.
/// A frame of a batch has the same bytes as alone, on every path and device (GPUs: not run on one yet, docs/gpu_status.md). Runs on `stream`; CPU: complete on return.
FORGE_RT_API void crop_image(const ImageView& frame, std::span<const Affine> to_frame, const CropOptions& options, Tensor& out,
                             Stream stream = {});

}  // namespace forge_rt
