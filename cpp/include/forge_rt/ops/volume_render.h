// Volume rendering of tri-planes (EG3D, Next3D): rays, samples, decoder and marching in one pass.
//
// Problem: written as tensor code, a picture of 64 x 64 rays with 48 + 48 samples moves gigabytes of intermediate tensors.
// Idea:    a ray's samples stay in the first-level cache from the planes to the pixel. Planes are channels-last, so that a texel is
//          one run of memory; the density head decides the weights, and the colour head runs last, once per sample that has one.
// spec/next3d §8 (planes, decoder), §9 (rays, depths, marching), §19 (edge cases); docs/design/volume_render.md.
#pragma once

#include <array>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// Three row-major 3 x 3 matrices. A point p (a row) lies at the first two components of p · inverse(matrix) on each plane:
/// first → column, second → row, both in [-1, 1].
using PlaneAxes = std::array<std::array<float, 9>, 3>;
inline constexpr PlaneAxes kNext3dPlaneAxes{{{1, 0, 0, 0, 1, 0, 0, 0, 1}, {1, 0, 0, 0, 0, 1, 0, 1, 0}, {0, 0, 1, 0, 1, 0, 1, 0, 0}}};
inline constexpr PlaneAxes kEg3dPlaneAxes{{{1, 0, 0, 0, 1, 0, 0, 0, 1}, {1, 0, 0, 0, 0, 1, 0, 1, 0}, {0, 0, 1, 1, 0, 0, 0, 1, 0}}};

struct TriPlanes {
  Tensor planes;           ///< [B, 3, H, W, C] float32 or float16; C a multiple of 8 up to 64
  PlaneAxes axes = kNext3dPlaneAxes;
  float box_warp = 1.f;    ///< side of the box in world units that the planes span, centred on the origin; zero outside
};

/// The convolution's layout to ours: [B, 3 C, H, W] float32 → [B, 3, H, W, C] as `dtype`, float32 or float16 (rounded to nearest even).
FORGE_RT_API Tensor planes_from_nchw(const Tensor& planes, DType dtype = DType::f32, Stream stream = {});

/// The published decoder's arrays: [hidden, C], [hidden], [1 + colours, hidden], [1 + colours], float32, on the CPU. Output 0 is the density.
struct DecoderArrays {
  Tensor weight0, bias0, weight1, bias1;
  float lr_multiplier = 1.f;  ///< decoder_lr_mul: weights count times lr_multiplier / sqrt(inputs), biases times lr_multiplier
  bool gains_folded = false;  ///< the arrays hold effective values already
};

/// density = W1[0] · softplus(W0 x + b0) + b1[0], colour = sigmoid(W1[1:] · softplus(…) + b1[1:]) · 1.002 - 0.001. Immutable.
struct TriPlaneDecoder {
  Tensor weights;  ///< W0, b0, W1, b1 with gains, one after the other
  int channels = 0, hidden = 0, colours = 0;
  FORGE_RT_API TriPlaneDecoder to(Device device) const;
};

/// hidden a multiple of 8 up to 128, colours 1..64 (published: 64 and 32). Throws invalid_argument.
FORGE_RT_API TriPlaneDecoder prepare_decoder(const DecoderArrays& arrays);

/// What is looked at, from where. Several views may share the planes of one identity.
struct RenderViews {
  Tensor cameras;  ///< [V, 25] float32: camera to world (4 x 4, OpenCV axes), then intrinsics (3 x 3, in image sizes)
  Tensor rows;  ///< [V] int32, the row of `planes` that each view looks at; undefined: view v looks at row v, or all at the only one
  Tensor u_coarse;  ///< [V, R, coarse] float32 in [0, 1), R = resolution²; for Randomness::given
  Tensor u_fine;  ///< [V, R, fine], likewise; need not be sorted
  Tensor index;  ///< [V] uint64 < 2^48, sample index of each view; for Randomness::seeded
};

enum class Randomness {
  midpoints,  ///< coarse 0.5, fine (k + 0.5) / fine: no noise
  given,  ///< RenderViews::u_coarse and u_fine
  seeded,  ///< Philox: draw r · count + k of (seed, index[v]), purposes "volume_render.coarse" and "volume_render.fine"
};

struct VolumeRenderOptions {
  int resolution = 64;  ///< pixels of a side, 1..4096
  int coarse = 48, fine = 48;  ///< samples of a ray: coarse 2..256 (at least 4 when there are fine ones), fine 0..256
  float ray_start = 2.25f, ray_end = 3.3f;  ///< distances from the camera, world units
  bool auto_range = false;  ///< instead: where the ray enters and leaves the box. Rays that miss take the nearest entry
      ///< and, as published, the farthest *entry* among those that hit
  Randomness randomness = Randomness::midpoints;
  std::uint64_t seed = 0;
  /// As published, rays that miss (auto_range) and the depth clamp look at the whole batch. false: at their own image only, so that
  /// a view does not depend on its neighbours.
  bool batch_coupled = false;
  bool white_back = false;
  bool depth_only = false;  ///< no colours: the colour head is not evaluated
  /// Samples whose colour would weigh less than this are left out. A feature then differs by at most 2.002 · (coarse + fine) · skip_weight;
  /// depth and weight sum do not change. 0: none is left out.
  float skip_weight = 0.f;

  void validate() const;  ///< throws invalid_argument
};

struct VolumeRenderOutput {
  Tensor features;  ///< [V, colours, res, res] float32, 2 · colour - 1; undefined with depth_only. Row 0 is the top row.
  Tensor depth;  ///< [V, 1, res, res] float32: distance along the unit ray, not camera z; noise where the weight sum is nearly 0
  Tensor weight_sum;  ///< [V, 1, res, res] float32, opacity
};

/// Renders V views. All tensors on one device; runs on `stream`; does not synchronise. Thread-safe. Bytes of a view do not depend on
/// batch or threads (with batch_coupled: on the other views, where their ranges meet). float32 agrees with the published PyTorch code
/// to 1e-5, float16 planes with float32 arithmetic on the rounded planes. NaN in planes gives NaN pixels where a ray meets it.
/// Throws invalid_argument; cameras and rows are looked into only where they lie on the CPU.
FORGE_RT_API VolumeRenderOutput volume_render(const TriPlanes& planes, const TriPlaneDecoder& decoder, const RenderViews& views,
                                              const VolumeRenderOptions& options = {}, Stream stream = {});

/// The same into existing tensors: members of `output` with the right shape and device are reused.
FORGE_RT_API void volume_render_into(VolumeRenderOutput& output, const TriPlanes& planes, const TriPlaneDecoder& decoder,
                                     const RenderViews& views, const VolumeRenderOptions& options = {}, Stream stream = {});

struct DensitySamples {
  Tensor density;  ///< [B, N] float32, raw: no activation
  Tensor colour;  ///< [B, N, colours] float32 in (-0.001, 1.001); undefined unless asked for
};

/// The field at points [B, N, 3] float32, world units; row b of the planes belongs to row b of the points. For meshes and alignment.
FORGE_RT_API DensitySamples sample_density(const TriPlanes& planes, const TriPlaneDecoder& decoder, const Tensor& points,
                                           bool want_colour = false, Stream stream = {});

}  // namespace forge_rt
