// Rasterizes batches of triangle meshes that share a topology.
//
// Problem: label maps need every pixel owned by exactly one triangle, on every device, and some published models were
//          trained with one particular floating-point visibility rule.
// Idea:    two coverage rules. `watertight` snaps vertices to 1/256 pixel and decides coverage in integers with the
//          top-left rule: neighbours neither overlap nor leave holes, and CPU paths and CUDA agree to the bit.
//          `strict_float` is the published rule (spec/next3d §6.2): float32 edge functions, strictly inside.
#pragma once

#include "forge_rt/core/tensor.h"

namespace forge_rt {

enum class Coverage {
  watertight,    ///< exact: 24.8 fixed point, top-left rule
  strict_float,  ///< float32 barycentrics all > 0 (PyTorch3D's hard rasterizer); an edge point is not covered
};

enum class Cull {
  none,
  back,  ///< drops faces that are clockwise in the image (x right, y up)
};

struct RasterizeOptions {
  ImageSize size;
  Coverage coverage = Coverage::watertight;
  Cull cull = Cull::back;
  /// true: positions are clip space (x, y, z, w) with w = camera z; depth = w; barycentrics are perspective-correct.
  /// false: orthographic, w is ignored (taken as 1); depth = z.
  bool perspective = true;
  /// Perspective only: faces are clipped at w = near, > 0.
  float near = 0.01f;
  bool want_depth = true;
  bool want_barycentrics = true;

  void validate() const;  ///< throws invalid_argument
};

struct RasterOutput {
  Tensor face;          ///< [B, H, W] int32, triangle index, -1 where empty. Row 0 is the top row.
  Tensor depth;         ///< [B, H, W] float32, distance along the camera axis in the unit of the positions, 0 where empty
  Tensor barycentrics;  ///< [B, H, W, 3] float32, weights of the triangle's vertices 0, 1, 2; sum 1; 0 where empty
  Tensor label;         ///< [B, H, W] uint8, face_labels[face], 0 where empty; only with face_labels
};

/// Which triangles count, and what they are called. All members may be undefined.
struct RasterMesh {
  Tensor triangles;      ///< [F, 3] int32 vertex ids, 0 <= id < V
  Tensor face_labels;    ///< [F] uint8, fills RasterOutput::label
  Tensor face_part;      ///< [F] uint8 < 64, part of each triangle, for `visible_parts`
  Tensor visible_parts;  ///< [B] uint64 bit masks: triangle f of image b is drawn when bit face_part[f] is set
};

/// Rasterizes `positions` [B, V, 4] float32, clip space: x right, y up, z and w as RasterizeOptions::perspective says.
/// The image spans x / w and y / w in [-1, 1]; for strict_float the short side spans [-1, 1] (PyTorch3D's convention).
/// The nearest surface wins, equal depth goes to the lower triangle index. Triangles with a NaN or infinite vertex are not drawn.
/// All tensors on one device; runs on `stream`; does not synchronise. Thread-safe. Images up to 8192 x 8192.
FORGE_RT_API RasterOutput rasterize(const Tensor& positions, const RasterMesh& mesh, const RasterizeOptions& options, Stream stream = {});

/// The same into existing tensors: members of `output` with the right shape, dtype and device are reused.
FORGE_RT_API void rasterize_into(RasterOutput& output, const Tensor& positions, const RasterMesh& mesh, const RasterizeOptions& options,
                                 Stream stream = {});

}  // namespace forge_rt
