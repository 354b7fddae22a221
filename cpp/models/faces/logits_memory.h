// Temporal smoothing of a mask: the logits of the last frame, carried along by the face's motion, blended into the new ones.
#pragma once

#include <array>
#include <span>

#include "forge_rt/core/tensor.h"
#include "forge_rt/ops/image_view.h"

namespace forge_rt::faces {

/// The similarity that brings `from` closest to `to` (least squares over all points). Identity for fewer than two points or none apart.
Affine similarity_between(std::span<const std::array<float, 2>> from, std::span<const std::array<float, 2>> to);

class LogitsMemory {
 public:
  void forget() { known_ = false; }
  /// logits [C, h, w] (CPU) of the crop `to_crop` become (1 - weight) · logits + weight · remembered, and are remembered.
  /// `motion`: where a frame pixel of the last frame is now. Where the last crop does not reach, logits stay.
  void blend(Tensor& logits, const Affine& to_crop, const Affine& motion, ImageSize crop, float weight);

 private:
  Tensor last_;
  Affine last_to_crop_;
  bool known_ = false;
};

}  // namespace forge_rt::faces
