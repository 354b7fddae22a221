// A neural texture seen through a rasterized mesh (spec/next3d §6): features and alpha of a view in one pass over its pixels.
//
// Quirk, kept on purpose: the published model samples the texture at (0, 0) where no triangle is, so the background holds the texture's
// centre, not zero. Later networks were trained on it.
#pragma once

#include <array>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// Topology and texture coordinates of the mesh that carries the texture, prepared once.
struct NeuralMesh {
  Tensor triangles;     ///< [F, 3] int32 vertex ids, in the published order (0, 2, 1)
  Tensor uv_triangles;  ///< [F, 3] int32 rows of `grid`, in the same order
  Tensor grid;          ///< [N, 2] float32: (2u - 1, 1 - 2v)
  std::int64_t vertices = 0;
  FORGE_RT_API NeuralMesh to(Device device) const;
};

/// From the template's buffers: faces [F, 3] int32, uv_faces [F, 3] int32, uv [N, 2] float32 with u, v in 0..1, v up. On the CPU.
/// Throws invalid_argument for indices out of range; `vertices` of the mesh, landmarks left out.
FORGE_RT_API NeuralMesh prepare_neural_mesh(const Tensor& faces, const Tensor& uv_faces, const Tensor& uv, std::int64_t vertices);

enum class ChannelOrder {
  first,  ///< [B, C, H, W]
  last,   ///< [B, H, W, C]
};

struct NeuralTextureOptions {
  ChannelOrder texture = ChannelOrder::first;  ///< of the texture; `last` is several times faster to sample
  ChannelOrder features = ChannelOrder::first;  ///< of the result
};

struct NeuralTexture {
  Tensor features;  ///< [B, C, H, W] or [B, H, W, C] float32
  Tensor alpha;     ///< [B, 1, H, W] float32, the mask where a triangle is, 0 elsewhere; not filled
};

/// Samples `texture` and `uv_mask` bilinearly, zero outside, at the texture coordinates of each pixel.
///   face          [B, H, W]     int32, -1 where empty, from rasterize of mesh.triangles
///   barycentrics  [B, H, W, 3]  float32
///   texture       [B or 1, C, Ht, Wt] or [B or 1, Ht, Wt, C]  float32
///   uv_mask       [Hm, Wm]      float32 in 0..1, or undefined: alpha is 1 where a triangle is
/// Equals interpolate and sample_texture to the bit, on every path and device. Runs on `stream`; does not synchronise.
FORGE_RT_API NeuralTexture neural_texture(const Tensor& face, const Tensor& barycentrics, const NeuralMesh& mesh, const Tensor& texture,
                                          const Tensor& uv_mask, const NeuralTextureOptions& options = {}, Stream stream = {});

/// The same into `out`, whose features must fit; its alpha may be undefined and is then not computed. `add`: features are added to
/// those of `out`, as the two side views are (§6.5).
FORGE_RT_API void neural_texture_into(NeuralTexture& out, const Tensor& face, const Tensor& barycentrics, const NeuralMesh& mesh,
                                      const Tensor& texture, const Tensor& uv_mask, const NeuralTextureOptions& options = {},
                                      bool add = false, Stream stream = {});

enum class NeuralView {
  front,
  side,  ///< quirk: yaw 90° plus yaw -90°, unflipped; alpha is that of yaw 90°, every value but 0 made 1
  top,   ///< pitch 90°
};

struct NeuralViewOptions {
  int size = 256;  ///< pixels each way
  float scale = 5;
  std::array<float, 3> shift = {0.f, -0.01f, -0.01f};
  NeuralTextureOptions layout;

  void validate() const;  ///< throws invalid_argument
};

/// A view straight from vertices [B, V, 3] float32 in the head frame: transform, rasterize (strict_float, back faces culled), sample, and
/// fill_enclosed on alpha. What the tri-planes' front, side and top take (§6.1-6.5).
FORGE_RT_API NeuralTexture neural_view(const Tensor& vertices, const NeuralMesh& mesh, const Tensor& texture, const Tensor& uv_mask,
                                       NeuralView view, const NeuralViewOptions& options = {}, Stream stream = {});

}  // namespace forge_rt
