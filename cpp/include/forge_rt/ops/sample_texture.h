// Looks up a texture at given coordinates, as torch.nn.functional.grid_sample does.
#pragma once

#include "forge_rt/core/tensor.h"

namespace forge_rt {

enum class Filter { nearest, bilinear };
enum class Border {
  zero,   ///< texels outside the texture are 0
  clamp,  ///< coordinates outside take the nearest texel of the edge
};

struct SampleOptions {
  Filter filter = Filter::bilinear;
  Border border = Border::zero;
  bool align_corners = false;  ///< false: -1 and 1 are the outer edges of the corner texels; true: their centres
};

/// texture [B or 1, Ht, Wt, C] float32 · grid [B, H, W, 2] float32, (x → column, y → row) in [-1, 1], y down → [B, H, W, C].
/// From OBJ texture coordinates (v up): grid = (2u - 1, 1 - 2v). A NaN coordinate reads 0. One device; does not synchronise.
FORGE_RT_API Tensor sample_texture(const Tensor& texture, const Tensor& grid, const SampleOptions& options = {}, Stream stream = {});

}  // namespace forge_rt
