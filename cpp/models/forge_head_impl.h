// What the parts of ForgeHead share: the loaded model.
#pragma once

#include "forge_rt/models/forge_head.h"

namespace forge_rt {

/// What a part of the mesh is, for the shader.
enum class Material : std::uint8_t { skin, mouth, eye, ear, tooth, tongue, cloth, glasses, hair };

struct HeadPart {
  std::string name, set, choice;      // set "hair", choice "short"; empty set: always visible
  std::uint8_t label = 0;
  Material material = Material::skin;
  std::array<float, 4> chart{};       // u, v, half width, half height of its UV chart
};

struct ForgeHead::Impl {
  std::unique_ptr<Head> head;
  std::string hash;
  std::vector<SliderInfo> sliders;
  std::vector<std::string> expressions;
  std::vector<LabelInfo> labels;
  std::map<std::string, std::vector<std::string>> options;
  std::vector<HeadPart> parts;
  Tensor face_part;      // [F] uint8
  Tensor face_labels;    // [F] uint8, 255 = semantic UV map
  Tensor semantic_uv;    // [Hm, Wm] uint8
  Tensor uv;             // [T, 2]
  Tensor uv_triangles;   // [F, 3]
  Tensor rest;           // [V, 3] template positions: texture coordinates
  Tensor occlusion;      // [V] float32
  float eye_last_angle = 2.2f, iris_angle = 0.31f;
  int slider_index(const std::string& name) const;      // -1 when there is none
  int expression_index(const std::string& name) const;  // -1 when there is none
};

}  // namespace forge_rt
