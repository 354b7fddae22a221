// Geometry of Next3D's rasterized neural texture (spec/next3d §6-7): four orthographic views, mouth filling, mouth box.
// The quirks of the published model are kept and named. Sampling the texture: neural_texture.h.
#pragma once

#include <array>
#include <vector>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// View transform of spec §6.1: row vectors, R = Rz Ry Rx, then shift, scale, negated y and z, z + 10.
///   points [B, N, 3] float32 head frame → [B, N, 3] float32 (x' right, y' down the rows, z' smaller is nearer)
/// Evaluated in float32 in the published order; bit-equal on every device. Runs on `stream`; does not synchronise.
FORGE_RT_API Tensor orthographic_view(const Tensor& points, std::array<float, 3> pitch_yaw_roll_deg, float scale = 5.f,
                                      std::array<float, 3> shift = {0.f, -0.01f, -0.01f}, Stream stream = {});

/// The same as positions for `rasterize` [B, N, 4]: (x', -y', z', 1), so that image rows grow with y'.
FORGE_RT_API Tensor orthographic_positions(const Tensor& points, std::array<float, 3> pitch_yaw_roll_deg, float scale = 5.f,
                                           std::array<float, 3> shift = {0.f, -0.01f, -0.01f}, Stream stream = {});

/// Mouth filling of spec §6.4: floods from pixel (0, 0), 4-connected, over values within [s, s + 254] of 255·alpha, s the seed's value;
/// pixels that are not reached become 1. [B, 1, H, W] or [B, H, W] float32 → same shape. Quirk: pixel (0, 0) is taken for background.
/// `binarise`: every value of the result that is not 0 becomes 1, as the side view's (§6.5).
/// Bit-equal on every path and device. Runs on `stream`; does not synchronise.
FORGE_RT_API Tensor fill_enclosed(const Tensor& alpha, bool binarise = false, Stream stream = {});

/// Square box around the lips, spec §7.2: landmarks [B, 68, 2] float32 in pixels → [B, 4] int64 (row0, row1, col0, col1).
/// Throws invalid_argument when a box leaves [0, size), unless `may_leave`: BoxRule::clamp of crop_resize and resize_paste cuts such boxes.
FORGE_RT_API Tensor mouth_box(const Tensor& landmarks, int size, bool may_leave = false);

}  // namespace forge_rt
