// A FLAME-format head model: parameters in, posed mesh and 68 landmarks out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "forge_rt/ops/head_lbs.h"
#include "forge_rt/ops/interpolate.h"

namespace forge_rt {

/// Landmark embeddings: points fixed to triangles. 17 contour points chosen by head yaw, then 51 static ones (spec/next3d §17.3).
struct LandmarkArrays {
  Tensor static_face;          ///< [51] int32
  Tensor static_barycentrics;  ///< [51, 3] float32
  Tensor dynamic_face;         ///< [79, 17] int32, may be undefined: then there are only the static points
  Tensor dynamic_barycentrics; ///< [79, 17, 3] float32
  /// Joints from the neck up to the root whose rotations turn the contour.
  std::vector<int> contour_chain = {1, 0};
  int contour_sign = -1;       ///< -1 FLAME_PyTorch, +1 DECA and Next3D's preprocessing
};

struct HeadParameters {
  Tensor shape;        ///< [B, <= n_shape] float32, undefined = all zero
  Tensor expression;   ///< [B, <= n_expression] float32
  Tensor pose;         ///< [B, J, 3] axis-angle radians, joints in the model's order
  Tensor translation;  ///< [B, 3] metres
};

struct HeadMesh {
  Tensor vertices;   ///< [B, V, 3] float32, metres, head frame, on the model's device
  Tensor landmarks;  ///< [B, L, 3] float32 on the CPU; L = 68, or the static points alone
  Tensor joints;     ///< [B, J, 3]
  Tensor rotations;  ///< [B, J, 3, 3]
};

/// Immutable after construction and safe to share between threads.
class FORGE_RT_API Head {
 public:
  /// `n_shape` + `n_expression` = K. Throws invalid_argument when arrays do not fit each other.
  Head(const HeadArrays& arrays, Tensor triangles, int n_shape, int n_expression, LandmarkArrays landmarks, Device device = {});

  /// Evaluates a batch; B is the common size of all given parameters. Bytes of a member do not depend on the batch.
  HeadMesh evaluate(const HeadParameters& parameters, Stream stream = {}) const;

  int vertices() const { return static_cast<int>(basis_.vertices); }
  int joints() const { return static_cast<int>(basis_.joints); }
  int n_shape() const { return n_shape_; }
  int n_expression() const { return n_expression_; }
  const Tensor& triangles() const { return topology_.triangles; }  ///< [F, 3] int32 on the CPU
  const Topology& topology() const { return topology_; }
  const LandmarkArrays& landmarks() const { return landmarks_; }
  const HeadBasis& basis() const { return basis_; }

 private:
  HeadBasis basis_;
  Topology topology_;
  LandmarkArrays landmarks_;
  int n_shape_, n_expression_;
};

}  // namespace forge_rt
