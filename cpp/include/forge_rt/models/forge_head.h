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

using Color = std::array<float, 3>;  ///< linear-light RGB

/// How one head looks. Reflectances in 0..1. Age and weight sliders add to wrinkles, grey hair and the like when the head is drawn.
struct FaceAppearance {
  // skin
  float melanin = 0.3f;         ///< 0 fair .. 1 dark
  float undertone = 0.f;        ///< -1 cool .. 1 warm
  float redness = 0.4f;         ///< blood under the skin
  float freckles = 0.f, moles = 0.f, blemishes = 0.f, wrinkles = 0.f, pores = 0.5f;
  float dark_circles = 0.2f;    ///< below the eyes
  float gloss = 0.35f;          ///< strength of the skin's highlight
  float stubble = 0.f;          ///< shaved beard
  // eyes, mouth
  Color iris_color{0.10f, 0.06f, 0.03f};
  float pupil = 0.40f;          ///< radius in iris radii
  float bloodshot = 0.15f;
  float teeth_shade = 0.2f;     ///< 0 white .. 1 yellow
  // make-up
  Color lip_tint{0.45f, 0.06f, 0.08f};
  float lip_tint_strength = 0.f, lip_gloss = 0.2f;
  float blush = 0.f;
  Color eyeshadow_color{0.2f, 0.1f, 0.1f};
  float eyeshadow = 0.f, eyeliner = 0.f;
  // hair
  Color hair_color{0.05f, 0.03f, 0.02f};
  Color hair_tip_color{0.05f, 0.03f, 0.02f};
  float grey_hair = 0.f;        ///< share of white strands
  float hair_gloss = 0.5f;
  float brow_darkness = 0.6f;   ///< 0 as the hair .. 1 black
  // things
  Color cloth_color{0.15f, 0.2f, 0.3f}, cloth_color_2{0.5f, 0.5f, 0.5f};
  int cloth_pattern = 0;        ///< 0 plain, 1 stripes, 2 checks, 3 mottled
  Color glasses_color{0.03f, 0.03f, 0.03f};
  float lens_tint = 0.05f;      ///< 0 clear .. 1 sunglasses
  Color hat_color{0.1f, 0.1f, 0.12f};
  Color occluder_color{0.2f, 0.2f, 0.2f};
  // background
  int background = 0;           ///< 0 plain, 1 gradient, 2 soft blobs, 3 bokeh, 4 room, 5 street, 6 foliage, 7 stripes, 8 texture
  Color background_color{0.4f, 0.45f, 0.5f}, background_color_2{0.2f, 0.2f, 0.25f};
  float background_blur = 0.5f;
  std::uint32_t texture_seed = 0;  ///< of everything that is noise
  bool operator==(const FaceAppearance&) const = default;
};

/// How the chosen hair style is grown.
struct HairShape {
  float length = 1.f;      ///< of the style's own, 0.4..1.3
  float volume = 1.f;      ///< height over the scalp, 0.3..1.8
  float curl = 0.f;        ///< 0 straight .. 1 tight curls
  float frizz = 0.3f;      ///< stray strands, 0..1
  float clump = 0.5f;      ///< 0 loose .. 1 in strands
  std::uint32_t seed = 0;
  bool operator==(const HairShape&) const = default;
};

/// Light of one image: a key light with a soft edge, a rim light and an environment. Directions in the head frame, towards the light.
struct FaceLight {
  float key_yaw_deg = 30.f, key_pitch_deg = 35.f;
  float key_strength = 0.85f;
  Color key_color{1.f, 0.97f, 0.92f};
  float key_softness = 0.55f;   ///< 0 hard shadows .. 1 soft
  float rim_yaw_deg = 150.f, rim_pitch_deg = 30.f;
  float rim_strength = 0.f;
  Color rim_color{1.f, 1.f, 1.f};
  float ambient_strength = 0.45f;
  /// Irradiance of the environment: spherical harmonics Y00, Y1-1, Y10, Y11, Y2-2 .. Y22 (Ramamoorthi and Hanrahan 2001, axes
  /// x right, y up, z out of the face), RGB each, already convolved with the cosine lobe.
  std::array<float, 27> environment{0.72f, 0.70f, 0.68f, 0.22f, 0.24f, 0.26f};
  bool operator==(const FaceLight&) const = default;
};

/// What the camera and the file format do to the picture. Neutral values leave it alone.
struct FaceCapture {
  float exposure = 0.f;         ///< stops
  float contrast = 1.f, saturation = 1.f;
  Color white_balance{1.f, 1.f, 1.f};
  float vignette = 0.f;
  float blur_px = 0.f;          ///< sigma at 512 px of width
  float motion_px = 0.f, motion_deg = 0.f;
  float noise_read = 0.f, noise_shot = 0.f;  ///< sigma in sRGB units of 1
  float sharpen = 0.f;
  float downscale = 1.f;        ///< >= 1: the picture is reduced by this factor and enlarged again
  int jpeg_quality = 0;         ///< 1..100; 0: no compression
  int greyscale = 0;
  bool operator==(const FaceCapture&) const = default;
};

/// How the annotator draws class borders.
struct LabelHabit {
  float brow_margin_m = 0.f;    ///< brows this much thicker
  float lens_as_glasses = 1.f;  ///< 1: whole lenses are glasses; 0: the frame alone
  float beard_as_hair = 0.f;    ///< 1: beards are hair; 0: skin (CelebAMask-HQ)
  float wisps = 1.f;            ///< 1: single strands are hair; 0: only closed hair is
  bool operator==(const LabelHabit&) const = default;
};

/// A free object in front of the face: rotation about its own origin, then translation, head frame.
struct OccluderPose {
  std::array<float, 3> position_m{0.f, 0.f, 0.16f};
  std::array<float, 3> rotation{};  ///< axis-angle, radians
  float scale = 1.f;
  bool operator==(const OccluderPose&) const = default;
};

/// Everything that makes one image of one head, but the camera.
struct FaceParameters {
  std::vector<float> sliders;      ///< [n_sliders], each in its min..max (mostly -1..1)
  std::vector<float> expression;   ///< [n_expressions] weights, 0..1
  std::array<float, 3> neck{}, jaw{};            ///< axis-angle, radians
  std::array<float, 3> left_eye{}, right_eye{};  ///< axis-angle, radians
  std::map<std::string, std::string> options;    ///< discrete sets: {"hair": "short", "glasses": "none"}
  std::string style = "studio";                  ///< which style drew it; does not change the picture
  FaceAppearance appearance;
  HairShape hair;
  OccluderPose occluder;
  FaceLight light;
  FaceCapture capture;
  LabelHabit habit;
  bool operator==(const FaceParameters&) const = default;
};

struct RenderOptions {
  ImageSize size;
  int supersample = 2;        ///< coverage samples per axis: 1..4
  bool normals = false;       ///< camera-frame unit normals
  bool soft_labels = false;   ///< coverage per class
  bool layers = false;        ///< what lies under hair, beard, glasses, hats and free objects
  bool uv = false;            ///< texture coordinates of the head's atlas
  bool matte = false;         ///< every point is shaded as seen along its normal: its colour is the same from everywhere
  Device device;              ///< where pixels are covered and shaded; the results come back to the CPU
  void validate() const;
};

/// One batch; undefined members were not asked for. All on the CPU.
struct FaceImages {
  Tensor rgb;            ///< [B, H, W, 3] uint8, sRGB
  Tensor segmentation;   ///< [B, H, W] uint8 class ids, majority of the coverage samples
  Tensor depth_m;        ///< [B, H, W] float32 camera z in metres at the pixel centre, 0 = nothing there (free objects have depth)
  Tensor normals;        ///< [B, H, W, 3] float32, camera frame (x right, y down, z forward), 0 = background
  Tensor soft_labels;    ///< [B, classes, H, W] float32
  Tensor layers;         ///< [B, 2, H, W] uint8 class ids: 0 without free objects; 1 the bare head: no hair, beard, glasses, hat either
  Tensor uv;             ///< [B, H, W, 2] float32 in 0..1, -1 where the visible surface is not the head's
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
/// One choice of a discrete set.
struct ChoiceInfo {
  std::string name, about;
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
  /// `wild` is the probability that the image is of style "wild" rather than "studio" (docs/design/forgehead.md).
  /// `attempt` (< 2^16) draws another face of the same index and style, for samples that a run rejects.
  FaceParameters sample(std::uint64_t seed, std::uint64_t index, double wild = 0.0, std::uint32_t attempt = 0) const;
  /// A neutral face.
  FaceParameters neutral() const;

  /// Changes one named control of `face`. Throws invalid_argument for an unknown name or a value outside the control's range;
  /// the error names the nearest control.
  void set_slider(FaceParameters& face, const std::string& name, float value) const;
  void set_expression(FaceParameters& face, const std::string& name, float weight) const;  ///< 0..1.5
  void set_option(FaceParameters& face, const std::string& set, const std::string& choice) const;

  /// The weight of blink_left and blink_right that just closes the lids of this face: wide eyes need more than 1.
  float blink_weight(const FaceParameters& face) const;

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
