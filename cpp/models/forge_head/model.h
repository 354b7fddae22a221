// The loaded model that the parts of ForgeHead share.
#pragma once

#include "forge_rt/models/forge_head.h"
#include "shading/finish.h"
#include "shading/kinds.h"

namespace forge_rt {

/// A part of the head's own mesh.
struct HeadPart {
  std::string name;
  std::uint8_t label = 0;
  Material material = Material::skin;
  std::array<float, 4> chart{};  // u, v, half width, half height of its UV chart
};

/// A mesh that rides on the head ("bound") or stands free in front of it.
struct MeshPart {
  std::string name;
  std::uint8_t label = 0;
  Material material = Material::plain;
  bool free = false;
  std::int64_t vertex = 0, vertices = 0, triangle = 0, triangles = 0;  // rows of the mesh arrays
  /// Hats press hair down: where dot(press, (x, y, z, 1)) > 0 on the template, strands lie within press_height_m of the skin.
  std::array<float, 4> press{};
  float press_height_m = 0.f;
  shade::Finish finish = shade::Finish::plain;
  std::array<float, 3> color{-1.f, -1.f, -1.f};  // negative: from FaceAppearance
  bool second = false;                   // of the clothes' two colours
  float tint = -1.f;                     // of a lens; negative: FaceAppearance::lens_tint
  bool worn = false;                     // free for the layers, yet bound to the head: medical masks
  /// Shoulders: template positions grow about `pivot_m` by 1 + sum(slider * axis), as far as the vertex does not follow the head.
  std::vector<std::pair<int, std::array<float, 3>>> scale;
  std::array<float, 3> pivot_m{};
  /// Glasses move forward until no feeler touches: a head vertex, the weights of the glasses' first three anchors there, the
  /// template's gap in metres.
  struct Feeler {
    std::int64_t vertex;
    std::array<float, 3> weight;
    float gap_m;
  };
  std::vector<Feeler> feelers;
  /// Free objects: where they make sense; x y z (metres), rotation (axis-angle, radians), scale.
  std::array<float, 7> pose_low{0.f, 0.f, 0.16f, 0.f, 0.f, 0.f, 1.f}, pose_high{0.f, 0.f, 0.16f, 0.f, 0.f, 0.f, 1.f};
};

/// A family of guide strands: hair of one style, brows, lashes, a beard. Ribbons grow inside triangles ("cells") of guides.
struct StrandGroup {
  std::string name;
  Material material = Material::hair;
  int guides = 0, points = 0;          // points per guide, the first is the root
  int locks = 0;                       // ribbons to grow
  int segments = 8;                    // per ribbon
  float width_m = 0.002f;              // at the root
  float tip_width = 0.2f;              // share of width_m at the tip
  float ragged = 0.15f;                // the shortest ribbons lack this share of their length
  float depth_m = 0.f;                 // ribbons fill this layer below the guides
  float clump = 0.f, clumps = 3.f;     // how far ribbons of a clump meet at their tips; clumps per cell
  float curl = 0.f, curl_m = 0.004f, curl_pitch_m = 0.02f;  // the style's own curl 0..1; helix at curl 1
  float stray_m = 0.f;                 // how far stray tips go at frizz 1
  float start = 0.f;                   // ribbons begin anywhere up to this share of their guides: thick hair has no visible roots
  float parallel = 0.f;                // ribbons keep this share of the distance between their roots all along
  bool behind_hairline = false;        // only where the chosen hair line has hair
  std::vector<float> home, offset;     // [guides, points, 3] metres on the template, and from the anchors there
  std::vector<std::int32_t> anchor;    // [guides, points, 3] head vertices
  std::vector<float> weight;           // [guides, points, 3], rows sum to 1
  std::vector<std::array<std::uint16_t, 4>> cells;  // three guides; 1: a parting runs through, ribbons follow the nearest alone
};

/// Where brows are: a band around a curve over |x| on the template, metres.
struct BrowBand {
  std::array<float, 5> x{}, y{}, half{};
};

struct Choice {
  ChoiceInfo info;
  std::vector<int> meshes, strands;                       // indices
  std::vector<std::pair<int, float>> sliders;             // added to the face's
  int row = -1;                                           // of the table `hairline`
  BrowBand brow;
  std::array<float, 2> weight{1.f, 1.f};                  // of the prior: feminine, masculine
  std::array<float, 2> age_weight{1.f, 1.f};              // young, old
  float wild = 1.f;                                       // factor in style wild
};

struct OptionSet {
  std::string name, about;
  std::vector<Choice> choices;  // the first is the neutral one
  int find(const std::string& choice) const;  // -1: none
};

constexpr int kMaxGuidePoints = 32;

struct ForgeHead::Impl {
  std::unique_ptr<Head> head;
  std::string hash;
  std::vector<SliderInfo> sliders;
  std::vector<std::string> expressions;
  std::vector<LabelInfo> labels;
  std::vector<OptionSet> sets;
  std::map<std::string, std::vector<std::string>> options;  // names of `sets`
  std::vector<HeadPart> parts;
  std::vector<MeshPart> meshes;
  std::vector<StrandGroup> strands;
  std::vector<float> blink_gain;  // [n_sliders], see export/forgehead

  // head arrays
  Tensor face_part;      // [F] uint8
  std::vector<std::uint8_t> face_label;  // [F] Label, or kLabelFromUv where it changes inside the triangle
  Tensor semantic_uv;    // [Hm, Wm] uint8
  Tensor uv;             // [V, 2] float32
  Tensor rest;           // [V, 3] float32 template positions, metres
  Tensor occlusion;      // [V] float32, 1 = open
  Tensor hairline;       // [n, V] uint8: share of hair on the scalp, by row of the set "hairline"; may be undefined

  // mesh arrays
  Tensor mesh_position;  // [N, 3] float32 metres on the template
  Tensor mesh_uv;        // [N, 2] float32
  Tensor mesh_bind;      // [B, 4] int32 head vertices; the meshes of free objects come last and have no rows
  Tensor mesh_weight;    // [B, 4] float32, rows sum to 1 or less: what is missing stays on the template
  Tensor mesh_triangles; // [T, 3] int32, counted from the mesh's first vertex

  float eye_last_angle = 2.2f, iris_angle = 0.31f;
  int slider_index(const std::string& name) const;      // -1 when there is none
  int expression_index(const std::string& name) const;  // -1 when there is none
  const OptionSet* set(const std::string& name) const;  // or null
};

/// The choice of each set, in the order of `sets`; throws invalid_argument for unknown names.
std::vector<const Choice*> chosen_options(const ForgeHead::Impl& model, const FaceParameters& face);

}  // namespace forge_rt
