// Label maps from a rasterized mesh: class ids through a semantic UV map or per triangle, coverage per class, landmark visibility.
#pragma once

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// In `face_labels`: ask the UV map.
inline constexpr std::uint8_t kLabelFromUv = 255;

/// Class id of every pixel. Exact: nearest texel, nothing is blended.
///   face, barycentrics   [B, H, W] int32, [B, H, W, 3] float32: output of rasterize
///   face_labels          [F] uint8; kLabelFromUv reads the UV map, any other value is the class of the whole triangle
///   uv_triangles, uv     [F, 3] int32, [T, 2] float32 (u right, v up, in [0, 1]); undefined when no triangle asks for the map
///   semantic_uv          [Hm, Wm] uint8 class ids, row 0 is v = 1. Any size, any classes: edit it for finer or coarser labels.
/// Returns                [B, H, W] uint8, `background` where empty.
FORGE_RT_API Tensor project_labels(const Tensor& face, const Tensor& barycentrics, const Tensor& face_labels, const Tensor& uv_triangles,
                                   const Tensor& uv, const Tensor& semantic_uv, std::uint8_t background = 0, Stream stream = {});

/// Soft labels: share of each class among the factor x factor samples of a pixel.
///   labels [B, f H, f W] uint8 < classes → [B, classes, H, W] float32, sums to 1.
FORGE_RT_API Tensor label_coverage(const Tensor& labels, int factor, int classes, Stream stream = {});

/// Hard labels of a supersampled map: the most frequent class of a pixel's samples, ties to the class met first in row order.
///   labels [B, f H, f W] uint8 → [B, H, W] uint8.
FORGE_RT_API Tensor label_majority(const Tensor& labels, int factor, Stream stream = {});

/// Visibility of points against the depth map, in COCO's numbers: 0 outside the frame or behind the camera, 1 hidden, 2 visible.
///   pixels [B, L, 2] float32 (centre of the top-left pixel is (0.5, 0.5)) · depth [B, L] float32 camera z
///   depth_map [B, H, W] float32, 0 where empty → [B, L] uint8
/// A point is visible when it lies at most `slack` behind the farthest surface of its 3 x 3 neighbourhood (a landmark on a silhouette
/// belongs to the surface it was measured on), or when all of that is empty.
FORGE_RT_API Tensor point_visibility(const Tensor& pixels, const Tensor& depth, const Tensor& depth_map, float slack, Stream stream = {});

}  // namespace forge_rt
