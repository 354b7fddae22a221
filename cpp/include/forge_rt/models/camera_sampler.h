// Declarative random cameras: camera `index` of run `seed` is a pure function of (config, seed, index, attempt).
//
// Problem: data sets need cameras that are random, stratified or on a grid, reproducible one by one, and described by a file.
// Idea:    every scalar of the orbit is a distribution with a quantile function, and scalar k owns uniform number k of the
//          stream (seed, index, "camera", attempt). Stratification then only replaces u by (cell + u) / cells, a grid ignores u,
//          and changing one scalar's distribution leaves the draws of all others alone.
// The JSON language is described in docs/guides/cameras.md.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "forge_rt/models/camera.h"

namespace forge_rt {

/// One scalar. Plain numbers convert: `config.yaw_deg = 20.0`.
struct FORGE_RT_API Distribution {
  enum class Kind {
    constant,      ///< low
    uniform,       ///< [low, high]
    area_uniform,  ///< pitch only, degrees in [low, high], equal solid angles equally likely (the published arccos form)
    normal,        ///< N(mean, std) truncated to [low, high] and to the field's range
    choice,        ///< one of `values`, with `weights` (empty: equal)
    grid,          ///< `count` points from low to high, cycled by index
  };
  Kind kind = Kind::constant;
  double low = 0, high = 0;
  double mean = 0, std = 0;
  std::vector<double> values, weights;
  int count = 0;

  Distribution() = default;
  Distribution(double value) : low(value), high(value) {}  // NOLINT(google-explicit-constructor): reads like the JSON
  static Distribution uniform(double low, double high);
  static Distribution area_uniform(double low_deg, double high_deg);
  static Distribution normal(double mean, double std, double low = -std::numeric_limits<double>::infinity(),
                             double high = std::numeric_limits<double>::infinity());
  static Distribution choice(std::vector<double> values, std::vector<double> weights = {});
  static Distribution grid(double low, double high, int count);
  bool operator==(const Distribution&) const = default;
};

struct FORGE_RT_API CameraConfig {
  enum class FovUnit {
    fov_deg,            ///< true horizontal field of view
    fov_published_deg,  ///< the published angle, see focal_from_published_fov
    focal,              ///< image widths
  };
  enum class RadiusUnit {
    radius_m,  ///< metres from the rig's origin
    frame_m,   ///< the distance at which the image's shorter side spans so many metres at the rig's origin
  };
  Distribution yaw_deg, pitch_deg, roll_deg;
  Distribution fov = kFrontalFovDeg;
  FovUnit fov_unit = FovUnit::fov_deg;
  Distribution radius = kPublishedRadiusM;
  RadiusUnit radius_unit = RadiusUnit::radius_m;
  std::array<Distribution, 3> lookat_m;       ///< relative to origin_m
  std::array<Distribution, 2> center_offset;  ///< fractions of width, height
  std::array<Distribution, 3> origin_m;       ///< head frame
  int stratify_yaw = 0, stratify_pitch = 0;   ///< number of strata of equal probability; 0: not stratified

  /// Throws invalid_argument, naming the JSON path, what was expected, what came, and what to do.
  void validate() const;
  /// A complete description without `preset`; from_json(to_json()) is this config.
  std::string to_json() const;
  /// An object of the config language, or a string that names a preset. Validates. Unknown keys are errors.
  static CameraConfig from_json(std::string_view text);
  /// "frontal", "portrait", "paper", "synthforge-code" or "wild".
  static CameraConfig preset(std::string_view name);
  static std::vector<std::string> preset_names();
  bool operator==(const CameraConfig&) const = default;
};

/// Immutable and thread-safe.
class FORGE_RT_API CameraSampler {
 public:
  explicit CameraSampler(CameraConfig config);  ///< validates

  /// Grids: point `index mod G` of their Cartesian product (yaw varies fastest, then pitch, roll, fov, radius, lookat x y z,
  /// center_offset x y, origin x y z). Strata: i = index div G falls into cell `i mod N` of a permutation that is drawn anew
  /// for each block of N (N = strata of yaw x strata of pitch). `attempt` redraws inside the same grid point and cell.
  Camera sample(std::uint64_t seed, std::uint64_t index, ImageSize size = {}, std::uint32_t attempt = 0) const;

  const CameraConfig& config() const { return config_; }

 private:
  CameraConfig config_;
};

}  // namespace forge_rt
