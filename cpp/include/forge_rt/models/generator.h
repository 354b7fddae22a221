// A generator of heads: Next3D or EG3D, from a bundle of family "next3d" or "eg3d" (docs/design/next3d.md, spec/next3d).
//
//   auto generator = forge_rt::Generator::load("next3d-ffhq-512.forge");
//   forge_rt::GeneratorIdentity identity = generator->identity(z);                             // z [N, z_dim]
//   forge_rt::GeneratorHead head = generator->expression(identity, vertices, landmarks);       // [N, V, 3], [N, 68, 3]
//   forge_rt::GeneratorView view = generator->view(head, cameras);                             // [N, 25]
//   save(to_rgb8(view.image), view.depth_m);
//
// What depends on little is made once: any number of heads share an identity, any number of views share a head (spec §20).
// What is said of CUDA devices has not been run on one yet: docs/gpu_status.md.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "forge_rt/backends/backend.h"
#include "forge_rt/models/bundle.h"
#include "forge_rt/models/camera.h"
#include "forge_rt/ops/assemble_planes.h"
#include "forge_rt/ops/resize_antialias.h"
#include "forge_rt/ops/volume_render.h"

namespace forge_rt {

struct GeneratorOptions {
  std::string device = "cpu";
  std::string provider = "auto";    ///< of the networks, as SessionOptions::provider
  std::string precision = "auto";  ///< a variant of the bundle, "fp32" or "fp16"; auto: fp16 on CUDA where there is one, else fp32
  int threads = 0;  ///< of one network run; 0 = num_threads()
  void validate() const;  ///< throws invalid_argument
};

/// What a bundle says of its model.
struct GeneratorInfo {
  std::string family;  ///< "next3d" or "eg3d"
  std::string conditioning;  ///< the mapping network is given: "frontal", a fixed camera, or "view", the camera that is rendered
  std::string head_family, head_sha256;  ///< of the mesh: "flame", "forgehead"; empty for EG3D
  int z_dim = 0, w_dim = 0, num_ws = 0, num_static_ws = 0;
  int vertices = 0;  ///< of the mesh, landmarks left out; 0 for EG3D
  int image_size = 0;  ///< pixels of a side of the final image
  int resolution = 0;  ///< … of the rendered features, unless told otherwise
  int coarse = 0, fine = 0;  ///< samples of a ray, unless told otherwise
  int plane_resolution = 0, plane_channels = 0, features = 0;
  double psi = 1;  ///< truncation, unless told otherwise
  int cutoff = 0;  ///< style vectors that are truncated, unless told otherwise: 0..num_ws
  double surface_level = 10;  ///< raw density of what counts as the surface; 10 is published (spec §19)
  BlendPlanes blend_planes = BlendPlanes::front;
  GeneratorWorld world;  ///< generator units = scale · metres + shift
  /// [3, 4] row-major, head frame in metres → the head that the generator draws, generator units (spec §18.2). Absent: `world` is all.
  std::optional<std::array<double, 12>> alignment;
  std::optional<std::array<double, 6>> bounds;  ///< corners of the box of generator units in which a head is drawn; absent: all of it
  std::array<float, 25> frontal{};  ///< camera that a "frontal" model is conditioned on
};

/// What depends on (z, conditioning) alone. Read-only tensors on the generator's device; copies share them.
struct GeneratorIdentity {
  Tensor ws;  ///< [N, num_ws, w_dim] float32, truncated
  Tensor texture;  ///< Next3D: [N, h, w, T] float32 (CUDA: [N, T, h, w])
  Tensor static_planes;  ///< [N, 3 C, H, W] float32
  std::string model;  ///< hash of the bundle that made it
  std::int64_t size() const { return ws.defined() ? ws.size(0) : 0; }
};

struct ExpressionOptions {
  Tensor rows = {};  ///< [N] int32 on the CPU, the identity that each head is; undefined: head n is identity n, or all are the only one
  BoxRule mouth_box = BoxRule::inside;  ///< a mouth that leaves the view is an error, or its box is cut to the view (spec §7.2, §19)
  DType planes = DType::f32;  ///< or f16: half the memory, the renderer then computes in float32 on rounded planes
  bool keep_stages = false;  ///< fills GeneratorHead::stages, for comparisons
  void validate() const;  ///< throws invalid_argument
};

/// What depends on (identity, mesh). Read-only tensors on the generator's device; copies share them.
struct GeneratorHead {
  Tensor planes;  ///< [N, 3, H, W, C] float32 or float16
  Tensor alpha;  ///< Next3D: [N, 1, H, W] float32, how much of the front plane is the mesh's
  Tensor mouth_box;  ///< Next3D: [N, 4] int64 on the CPU: row0, row1, column0, column1 in the front view
  Tensor style;  ///< [N, w_dim] float32, of the super-resolution
  std::string model;
  /// With keep_stages, [N, …] float32: front, mouth_in, mouth_out, stitched, blended; side, side_alpha, top, top_alpha where all planes blend.
  std::map<std::string, Tensor> stages;
  std::int64_t size() const { return planes.defined() ? planes.size(0) : 0; }
};

struct ViewOptions {
  Tensor rows = {};  ///< [M] int32 on the CPU, the head that each view shows; undefined: view m shows head m, or all show the only one
  int resolution = 0;  ///< of the features; 0 = the bundle's
  int coarse = 0;  ///< samples of a ray; 0 = the bundle's
  int fine = -1;  ///< -1 = the bundle's
  Randomness randomness = Randomness::midpoints;
  Tensor u_coarse = {}, u_fine = {};  ///< Randomness::given only: [M, R, coarse], [M, R, fine] float32 in 0..1, R = resolution²
  std::uint64_t seed = 0;  ///< Randomness::seeded, with …
  Tensor index = {};  ///< … [M] uint64 < 2^48 on the CPU, sample index of each view
  /// Depth from a rendering of its own at this resolution, as SynthForge's at twice the features' (spec §18); 0: the features' own. Its
  /// random numbers are those of `seed` with the top bit flipped. Not with Randomness::given.
  int depth_resolution = 0;
  bool depth_only = false;  ///< no colours, no image
  bool features = false;  ///< fills GeneratorView::features
  float skip_weight = 0.f;  ///< as VolumeRenderOptions
  void validate() const;  ///< throws invalid_argument
};

struct GeneratorView {
  Tensor image;  ///< [M, 3, R, R] float32, nominally -1..1, not clamped; undefined with depth_only
  Tensor image_raw;  ///< [M, 3, r, r] float32, before super-resolution
  Tensor features;  ///< [M, F, r, r] float32 when asked for; the first three are image_raw
  Tensor depth;  ///< [M, 1, d, d] float32: distance along the ray, generator units; noise where weight_sum is nearly 0
  Tensor depth_m;  ///< [M, 1, d, d] float32 on the CPU: camera z in metres
  Tensor weight_sum;  ///< [M, 1, d, d] float32: opacity
};

struct DensityOptions {
  Tensor rows = {};  ///< [M] int32 on the CPU, the head that each set of points lies in; undefined: as ViewOptions::rows
  bool colour = false;  ///< fills DensitySamples::colour
};

/// Immutable; every member may be called from many threads at once. A sample's bytes do not depend on its batch, on what else is asked of
/// the generator, or on whether a level was made again or kept. Inputs may be on the CPU or on the generator's device; no batch is a batch
/// of 0. Levels and pictures own their memory and outlive the generator. What is thrown is a forge_rt::Error; memory that is not to be had:
/// out_of_memory.
class FORGE_RT_API Generator {
 public:
  /// Throws not_found, corrupt_file (a stage, array or field that is missing or does not fit), unsupported (another family or variant, no
  /// ONNX Runtime), device_unavailable.
  static std::shared_ptr<const Generator> load(const std::string& bundle, const GeneratorOptions& options = {});
  static std::shared_ptr<const Generator> load(const Bundle& bundle, const GeneratorOptions& options = {});
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// z [N, z_dim] float32, of any length: the mapping network normalizes it; conditioning [N or 1, 25] float32 cameras, undefined: the
  /// bundle's frontal camera (a bundle that is conditioned on the view needs one). psi, -100..100, and cutoff, where beyond num_ws means all:
  /// the bundle's where not given; psi 1 truncates nothing. Throws invalid_argument, naming the sample, for other shapes and values that are
  /// not finite.
  GeneratorIdentity identity(const Tensor& z, const Tensor& conditioning = {}, std::optional<double> psi = {},
                             std::optional<int> cutoff = {}) const;
  /// vertices [N, V, 3] and landmarks [N, 68, 3] float32 of the bundle's mesh, head frame, metres; both undefined for EG3D, whose heads
  /// have no expression. Throws invalid_argument, naming the sample, for a mesh of another topology, values that are not finite, and mouths
  /// that leave the view or cover none of its pixels.
  GeneratorHead expression(const GeneratorIdentity& identity, const Tensor& vertices = {}, const Tensor& landmarks = {},
                           const ExpressionOptions& options = {}) const;
  /// cameras [M, 25] float32 in generator units (label25). Throws invalid_argument; unsupported where the bundle's super-resolution does not
  /// take features of that resolution.
  GeneratorView view(const GeneratorHead& head, const Tensor& cameras, const ViewOptions& options = {}) const;
  /// The field itself (spec §8, §19), for meshes: points [M, P, 3] float32, generator units → raw density [M, P], without activation, and
  /// where asked for the decoder's colours [M, P, features] in (-0.001, 1.001), of which the first three are red, green, blue. Planes are
  /// zero outside of the box. Throws invalid_argument, naming the sample, for other shapes and points that are not finite.
  DensitySamples density(const GeneratorHead& head, const Tensor& points, const DensityOptions& options = {}) const;

  const GeneratorInfo& info() const;
  const std::string& hash() const;  ///< of the bundle
  const std::string& precision() const;  ///< the variant in use
  Device device() const;  ///< where levels and images are
  const std::string& provider() const;  ///< really in use
  const std::string& provider_reason() const;

  struct Impl;  // defined in the sources

 private:
  explicit Generator(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

/// [M, 3, H, W] float32 → [M, H, W, 3] uint8: clamp(127.5 x + 128, 0, 255), truncated, as published (spec §11); NaN becomes 0. On the CPU;
/// an image of another device is copied there.
FORGE_RT_API Tensor to_rgb8(const Tensor& image);

}  // namespace forge_rt
