// Reads per-vertex attributes at the pixels of a rasterized mesh, and vertex normals.
#pragma once

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// attributes(pixel) = Σ_k barycentrics_k · attributes[b, index[face, k]]
///   face          [B, H, W]       int32, -1 where empty
///   barycentrics  [B, H, W, 3]    float32
///   index         [F, 3]          int32, attribute row of each corner (mesh triangles, or UV triangles)
///   attributes    [B or 1, N, C]  float32
/// Returns         [B, H, W, C]    float32, 0 where empty. One device; does not synchronise.
FORGE_RT_API Tensor interpolate(const Tensor& face, const Tensor& barycentrics, const Tensor& index, const Tensor& attributes,
                                Stream stream = {});

/// Which triangles touch a vertex: what vertex_normals needs, prepared once per topology.
struct Topology {
  Tensor triangles;     ///< [F, 3] int32
  Tensor first;         ///< [V + 1] int32, rows of `corner_face`
  Tensor corner_face;   ///< [3 F] int32, triangles around each vertex, ascending
  std::int64_t vertices = 0;
  FORGE_RT_API Topology to(Device device) const;
};
/// Throws invalid_argument for indices outside 0..vertices-1. CPU.
FORGE_RT_API Topology prepare_topology(const Tensor& triangles, std::int64_t vertices);

/// Area-weighted unit normals: [B, V, 3] positions → [B, V, 3] float32, outwards for counter-clockwise triangles,
/// (0, 0, 0) where a vertex has no area around it. Bit-equal on every device.
FORGE_RT_API Tensor vertex_normals(const Tensor& positions, const Topology& topology, Stream stream = {});

}  // namespace forge_rt
