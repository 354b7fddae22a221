// The tri-plane that a generator renders: static planes, with what the head's views say on top (spec/next3d §1.7, §7.4).
//
// Problem: networks write planes channel by channel; the volume renderer reads all channels of a point at once. A blend and a copy to
//          channels last would each walk 24 MB.
// Idea:    one pass that blends, turns the layout and, when asked, halves the precision. Planes that a new expression does not touch
//          are left as they are.
#pragma once

#include "forge_rt/core/tensor.h"

namespace forge_rt {

enum class BlendPlanes {
  front,  ///< plane 0 only; planes 1 and 2 are the static ones. What the released FFHQ weights need.
  all,    ///< all three, as the published source file
};

struct AssembleOptions {
  BlendPlanes blend = BlendPlanes::front;
  DType dtype = DType::f32;  ///< or f16, rounded to nearest even; of a new output. assemble_planes_into takes that of `planes`.

  void validate() const;  ///< throws invalid_argument
};

/// What goes into the planes. float32, one device.
struct PlaneInputs {
  Tensor statics;      ///< [B, 3, C, H, W], or a backbone's [B, 3 C, H, W]; batch 1 serves all
  Tensor front;        ///< [B, C, H, W]: dynamic content of plane 0 …
  Tensor front_alpha;  ///< [B, 1, H, W] … and how much of it shows
  Tensor side, side_alpha;  ///< plane 1, for BlendPlanes::all
  Tensor top, top_alpha;    ///< plane 2, likewise
};

/// planes = D·A + P·(1 - A) → [B, 3, H, W, C] float32 or float16, channels last. Evaluated in float32 as written, unfused.
/// Bit-equal on every path and device. Runs on `stream`; does not synchronise.
FORGE_RT_API Tensor assemble_planes(const PlaneInputs& inputs, const AssembleOptions& options = {}, Stream stream = {});

/// The same into `planes` [B, 3, H, W, C]. With `front_only`, plane 0 alone is written: planes 1 and 2 hold what an earlier call for the
/// same identity put there. Needs BlendPlanes::front.
FORGE_RT_API void assemble_planes_into(Tensor& planes, const PlaneInputs& inputs, const AssembleOptions& options = {},
                                       bool front_only = false, Stream stream = {});

}  // namespace forge_rt
