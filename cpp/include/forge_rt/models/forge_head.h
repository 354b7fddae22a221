// ForgeHead: our parametric head with exact ground truth. Named controls in; image, labels, depth, normals and landmarks out.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "forge_rt/models/bundle.h"
#include "forge_rt/models/camera.h"
#include "forge_rt/models/head.h"

namespace forge_rt {

/// How one head looks. Colours are linear-light RGB reflectances in 0..1.
struct FaceAppearance {
  float melanin = 0.3f;                          ///< 0 fair .. 1 dark skin
  float redness = 0.4f;                          ///< blood under the skin, 0..1
  std::array<float, 3> hair_color{0.05f, 0.03f, 0.02f};
  std::array<float, 3> iris_color{0.10f, 0.06f, 0.03f};
  std::array<float, 3> lip_tint{0.0f, 0.0f, 0.0f}; ///< make-up, added to the natural lip colour; alpha is lip_tint_strength
  float lip_tint_strength = 0.0f;
  std::array<float, 3> cloth_color{0.15f, 0.2f, 0.3f};
  std::array<float, 3> background_color{0.4f, 0.45f, 0.5f};
  float brow_darkness = 0.6f;                    ///< 0..1
  float freckles = 0.0f;                         ///< 0..1
  float gloss = 0.35f;                           ///< strength of the skin's highlight, 0..1
  std::uint32_t texture_seed = 0;                ///< of mottling, freckles and background
  bool operator==(const FaceAppearance&) const = default;
};

/// Light of one image: a key light and a soft ambient from above and below. Directions in the head frame, towards the light.
struct FaceLight {
  float key_yaw_deg = 30.f, key_pitch_deg = 35.f;
  float key_strength = 2.2f;
  std::array<float, 3> key_color{1.f, 0.97f, 0.92f};
  float ambient_strength = 0.9f;
  std::array<float, 3> sky_color{0.95f, 0.98f, 1.f}, ground_color{0.5f, 0.45f, 0.42f};
  bool operator==(const FaceLight&) const = default;
};

/// Everything that makes one image of one head, but the camera.
struct FaceParameters {
  std::vector<float> sliders;      ///< [n_sliders], each in its min..max (mostly -1..1)
  std::vector<float> expression;   ///< [n_expressions] weights, 0..1
  std::array<float, 3> neck{}, jaw{};            ///< axis-angle, radians
  std::array<float, 3> left_eye{}, right_eye{};  ///< axis-angle, radians
  std::map<std::string, std::string> options;    ///< discrete sets: {"hair": "short", "glasses": "none"}
  FaceAppearance appearance;
  FaceLight light;
  bool operator==(const FaceParameters&) const = default;
};

struct RenderOptions {
  ImageSize size;
  int supersample = 2;        ///< coverage samples per axis: 1..4
  bool normals = false;       ///< camera-frame unit normals
  bool soft_labels = false;   ///< coverage per class
  void validate() const;
};

/// One batch; undefined members were not asked for. All on the CPU.
struct FaceImages {
  Tensor rgb;            ///< [B, H, W, 3] uint8, sRGB
  Tensor segmentation;   ///< [B, H, W] uint8 class ids, majority of the coverage samples
  Tensor depth_m;        ///< [B, H, W] float32 camera z in metres at the pixel centre, 0 = background
  Tensor normals;        ///< [B, H, W, 3] float32, camera frame (x right, y down, z forward), 0 = background
  Tensor soft_labels;    ///< [B, classes, H, W] float32
  Tensor landmarks_px;   ///< [B, 68, 2] float32; centre of the top-left pixel is (0.5, 0.5)
  Tensor visibility;     ///< [B, 68] uint8: 0 outside the frame, 1 hidden, 2 visible
  Tensor landmarks_camera_m;  ///< [B, 68, 3] float32 camera frame
  Tensor landmarks_head_m;    ///< [B, 68, 3] float32 head frame
};

/// Name, range and meaning of one control.
struct SliderInfo {
  std::string name, region, about;
  float minimum = -1, maximum = 1, value = 0;
};
struct LabelInfo {
  int id = 0;
  std::string name;
  std::array<std::uint8_t, 3> color{};
  int mirror = 0;  ///< id after a left-right flip
};

/// Immutable and safe to share between threads.
class FORGE_RT_API ForgeHead {
 public:
  /// Opens a bundle folder of family "head" that is a ForgeHead. Throws not_found, corrupt_file or unsupported.
  static std::shared_ptr<const ForgeHead> load(const std::string& folder);

  /// Parameters of sample `index`: a pure function of (seed, index). Identity, expression, look and light, from the prior.
  FaceParameters sample(std::uint64_t seed, std::uint64_t index) const;
  /// A neutral face.
  FaceParameters neutral() const;

  /// Vertices [B, V, 3], landmarks [B, 68, 3] (contour row 0: the anatomical jaw line) in metres, head frame.
  HeadMesh mesh(const std::vector<FaceParameters>& faces) const;

  /// Renders face i with camera i. The bytes of a member do not depend on the batch or the thread count.
  FaceImages render(const std::vector<FaceParameters>& faces, const std::vector<Camera>& cameras, const RenderOptions& options = {}) const;

  const std::vector<SliderInfo>& sliders() const;
  const std::vector<std::string>& expressions() const;
  const std::map<std::string, std::vector<std::string>>& options() const;  ///< discrete sets and their choices, "none" included
  const std::vector<LabelInfo>& labels() const;
  const Head& head() const;
  const std::string& hash() const;  ///< of the bundle

  struct Impl;  // the loaded model; defined in the sources

 private:
  std::shared_ptr<const Impl> impl_;
};

}  // namespace forge_rt
