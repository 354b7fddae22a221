// Cameras: pinhole geometry in the head frame, projection, and the border to the published 25-number labels.
//
// Frames (docs/conventions/frames.md): the head frame is in metres, y up, z out of a frontal face towards the camera,
// x to the right of the frontal image (the subject's left). A generator's world is scale · head + shift.
// Camera axes are OpenCV's: x right, y down, z forward. Pixels: the centre of the top-left pixel is (0.5, 0.5).
// Everything here is double precision on the host; functions are pure and thread-safe.
#pragma once

#include <array>
#include <numbers>
#include <vector>

#include "forge_rt/core/philox.h"
#include "forge_rt/core/tensor.h"
#include "forge_rt/export.h"

namespace forge_rt {

/// The frontal view that FFHQ generators are trained with: f = 4.2647 image widths, from 2.7 world units.
inline constexpr double kFrontalFovDeg = 13.373836931985192;
inline constexpr double kPublishedRadius = 2.7;
inline constexpr double kPublishedRadiusM = 1.08;

/// Where a camera on a sphere around the head stands and looks.
struct Orbit {
  double yaw_deg = 0;    ///< > 0: the camera stands towards +x and sees the subject's left side
  double pitch_deg = 0;  ///< > 0: the camera stands above and looks down. In [-90, 90]
  double roll_deg = 0;   ///< > 0: the camera turns clockwise about its forward axis, so the picture turns counter-clockwise
  double fov_deg = kFrontalFovDeg;            ///< true horizontal field of view, in (0, 180)
  double radius_m = kPublishedRadiusM;        ///< from the origin of the rig to the camera
  std::array<double, 3> origin_m{};           ///< the rig's origin in the head frame: yaw, pitch and radius are about it
  std::array<double, 3> lookat_m{};           ///< the point on the optical axis, relative to the rig's origin
  /// Principal point minus image centre in fractions of width and height; > 0: the content moves right, down.
  std::array<double, 2> center_offset{};
  bool operator==(const Orbit&) const = default;
};

struct FORGE_RT_API Camera {
  ImageSize size;
  double fx = 0, fy = 0, cx = 0, cy = 0;        ///< pixels
  std::array<double, 12> world_to_camera{};     ///< [3, 4] row-major: head frame (metres) to OpenCV camera axes (metres)
  Orbit orbit;                                  ///< what made it; derived from the matrix by `camera_from_matrix`

  std::array<double, 3> position_m() const;     ///< centre of projection in the head frame
  std::array<double, 16> camera_to_world() const;
  bool operator==(const Camera&) const = default;
};

/// Position = origin + radius · (sin yaw cos pitch, sin pitch, cos yaw cos pitch); the optical axis goes through origin + lookat;
/// the image's up direction is +y before roll. Square pixels. At the poles "up" is the limit along the meridian of `yaw_deg`.
FORGE_RT_API Camera orbit_camera(const Orbit& orbit, ImageSize size = {});

/// Any pinhole camera. `orbit` is derived about `origin_m`; its lookat is the point of the optical axis nearest to that origin.
/// The 3x3 part must be a rotation to 1e-3 (published labels are float32).
FORGE_RT_API Camera camera_from_matrix(ImageSize size, double fx, double fy, double cx, double cy,
                                       const std::array<double, 12>& world_to_camera, const std::array<double, 3>& origin_m = {});

/// The same pose and principal point with another true horizontal field of view.
FORGE_RT_API Camera with_fov(const Camera& camera, double fov_deg);

// ---- fields of view ----------------------------------------------------------------------------------------------------------
// Three measures of one thing: `focal` in image widths (what labels carry), the true horizontal field of view, and the
// published value, a diagonal-like angle defined by f = 1 / (tan(fov · 3.14159 / 360) · 1.414), both literals included.

FORGE_RT_API double focal_from_fov(double fov_deg);
FORGE_RT_API double fov_from_focal(double focal);
FORGE_RT_API double focal_from_published_fov(double published_fov_deg);
FORGE_RT_API double published_fov_from_focal(double focal);

enum class FovMode {
  exact,   ///< the generator's focal length
  compat,  ///< SynthForge drew its label meshes with a true fov of published / 1.414: up to 0.7 % larger (1.8 px of 512 at the border)
};
/// True horizontal field of view for a published value: for the image (exact) or as SynthForge's label meshes used it (compat).
FORGE_RT_API double fov_from_published(double published_fov_deg, FovMode mode = FovMode::exact);
/// The camera that draws the label mesh belonging to `camera`.
FORGE_RT_API Camera with_fov_mode(const Camera& camera, FovMode mode);

// ---- published samplers, generator units -----------------------------------------------------------------------------------------
// Row-major 4x4 cam2world with OpenCV axes. h turns about y (pi/2 = frontal, larger = towards +x); v is the uniform-area
// parameter of the polar angle, arccos(1 - 2 v / pi), clamped to [1e-5, pi - 1e-5]. The radius is about the world's origin.

FORGE_RT_API std::array<double, 16> look_at_h_v(double h, double v, const std::array<double, 3>& lookat = {},
                                                double radius = kPublishedRadius);

struct PublishedPose {
  double h_mean = std::numbers::pi / 2, v_mean = std::numbers::pi / 2;
  double h_std = 0, v_std = 0;  ///< radians; for the uniform sampler the half range
  double radius = kPublishedRadius;
  std::array<double, 3> lookat{};  ///< the published Gaussian and uniform samplers look at the origin
};
/// h = h_mean + normal_h · h_std, v alike.
FORGE_RT_API std::array<double, 16> sample_gaussian(const PublishedPose& pose, double normal_h, double normal_v);
/// h = h_mean + (2 uniform_h - 1) · h_std, v alike.
FORGE_RT_API std::array<double, 16> sample_uniform(const PublishedPose& pose, double uniform_h, double uniform_v);
/// The same with two draws, h then v.
FORGE_RT_API std::array<double, 16> sample_gaussian(const PublishedPose& pose, Random& random);
FORGE_RT_API std::array<double, 16> sample_uniform(const PublishedPose& pose, Random& random);

// ---- 25-number labels --------------------------------------------------------------------------------------------------------
// 16 row-major cam2world in generator units, then 9 row-major intrinsics divided by the image size.

/// world = scale · head + shift.
struct GeneratorWorld {
  double scale = 2.5;
  std::array<double, 3> shift{};  ///< generator units
};
/// Where SynthForge puts FLAME heads, before the checkpoint's own alignment: 2.5 (p + (0, -0.01, -0.01)) + (0, 0, sqrt(2) / 10).
inline constexpr GeneratorWorld kSynthForgeWorld{2.5, {0, -0.025, 0.11642135623730951}};

using Label25 = std::array<double, 25>;
FORGE_RT_API Label25 label25(const Camera& camera, const GeneratorWorld& world = {});
/// The orbit is derived about the generator world's origin.
FORGE_RT_API Camera camera_from_label25(const Label25& label, ImageSize size = {}, const GeneratorWorld& world = {});

// ---- projection ------------------------------------------------------------------------------------------------------------------

/// Row-major 4x4 from the head frame to clip space: x / w and y / w span the image in [-1, 1] with y up, w = camera z in metres,
/// z = w - near_m (so z >= 0 in front of the near plane). What `rasterize` takes with perspective on.
FORGE_RT_API std::array<double, 16> clip_matrix(const Camera& camera, double near_m = 0.01);

/// points [B, V, 3] float32 or float64 in metres (head frame, CPU) -> [B, V, 4] float32 clip space. One camera per batch entry;
/// one mesh with M cameras gives M entries, and one camera serves all entries. Computed in double, rounded once.
FORGE_RT_API Tensor to_clip(const Tensor& points, const std::vector<Camera>& cameras, double near_m = 0.01);

struct Projected {
  Tensor pixels;   ///< [B, V, 2] x right, y down; NaN for points at or behind the camera plane
  Tensor depth_m;  ///< [B, V] camera z, metres
};
/// Pinhole projection, same batching; float32 or float64 in, the same out.
FORGE_RT_API Projected project(const Tensor& points, const std::vector<Camera>& cameras);
/// The inverse: pixels [B, V, 2] and depth_m [B, V] (same dtype) -> head-frame points [B, V, 3].
FORGE_RT_API Tensor unproject(const Tensor& pixels, const Tensor& depth_m, const std::vector<Camera>& cameras);

}  // namespace forge_rt
