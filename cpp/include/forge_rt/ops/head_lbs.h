// Linear blend skinning of a FLAME-format head (spec/next3d §17.2), batched.
//
//   v_s = template + shapedirs · betas            betas = shape, then expression coefficients
//   J   = regressor · v_s                         linear in betas, so folded into a small basis when the model is prepared
//   v_p = v_s + posedirs · vec(R_1.. - I)
//   v   = Σ_j weights_j A_j [v_p; 1] + translation
//
// The two sums over components are one matrix product per block of 16 vertices, skinned while the block is in registers.
#pragma once

#include <vector>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// Arrays of a head model as its file holds them. All contiguous float32 / int32 on the CPU; metres, head frame.
struct HeadArrays {
  Tensor v_template;        ///< [V, 3]
  Tensor shapedirs;         ///< [V, 3, K] shape components, then expression components
  Tensor posedirs;          ///< [V, 3, 9 (J - 1)], may be undefined (no pose correctives)
  Tensor joint_regressor;   ///< [J, V]
  Tensor weights;           ///< [V, J] skinning weights
  std::vector<int> parents; ///< [J]; the root is -1 and comes first, parents come before their children
};

/// The same model, laid out for evaluation. Immutable and safe to share between threads.
struct HeadBasis {
  static constexpr int kGroup = 16;  ///< vertices per block
  std::int64_t vertices = 0, components = 0, pose_features = 0, joints = 0, groups = 0;
  std::vector<int> parents;
  Tensor panels;          ///< [groups, components + pose_features, 3, 16] basis values, x then y then z of 16 vertices
  Tensor template_soa;    ///< [groups, 3, 16]
  Tensor weights_soa;     ///< [groups, joints, 16]
  Tensor joint_template;  ///< [J, 3] regressor · v_template, on the CPU
  Tensor joint_basis;     ///< [K, J, 3] regressor · shapedirs, on the CPU

  Device device() const { return panels.device(); }
  FORGE_RT_API HeadBasis to(Device device) const;
};

/// Checks shapes, finiteness, parents and weights, and packs. Throws invalid_argument naming the array.
FORGE_RT_API HeadBasis prepare_head(const HeadArrays& arrays);

struct HeadPosed {
  Tensor vertices;    ///< [B, V, 3] float32, metres
  Tensor joints;      ///< [B, J, 3] float32, posed joint positions, translation included
  Tensor rotations;   ///< [B, J, 3, 3] float32, local joint rotations (Rodrigues)
  Tensor transforms;  ///< [B, J, 3, 4] float32, A_j: rest pose to posed, without translation
};

/// Evaluates B heads.
///   betas        [B, k] float32, k <= K; missing components are 0
///   pose         [B, J, 3] float32 axis-angle in radians, or undefined for the rest pose
///   translation  [B, 3] float32 metres, or undefined
/// Inputs on the CPU; the result's vertices are on the basis' device, the small per-joint arrays on the CPU.
/// Runs on `stream`; does not synchronise. A member of a batch has the same bytes as alone.
FORGE_RT_API HeadPosed head_lbs(const HeadBasis& basis, const Tensor& betas, const Tensor& pose = {}, const Tensor& translation = {},
                                Stream stream = {});

/// Points fixed to triangles: weights · corners.
///   vertices [B, V, 3] float32 · triangles [F, 3] int32 · face [B or 1, L] int32 · barycentrics [B or 1, L, 3] float32 → [B, L, 3]
/// CPU. Throws on indices out of range.
FORGE_RT_API Tensor points_on_mesh(const Tensor& vertices, const Tensor& triangles, const Tensor& face, const Tensor& barycentrics);

/// Row of the dynamic contour table for each head (spec/next3d §17.3): round-half-even of the yaw of the rotations along `chain`
/// (joint ids from the neck up to the root), with `sign` -1 (FLAME_PyTorch) or +1 (DECA, Next3D preprocessing).
///   rotations [B, J, 3, 3] → [B] in 0..78: a for 0 <= a <= 39, 39 - a for -39 <= a < 0, 78 below.
FORGE_RT_API std::vector<int> contour_rows(const Tensor& rotations, const std::vector<int>& chain, int sign);

}  // namespace forge_rt
