// ForgeHead: loading and the mesh. The prior is in forge_head_prior.cpp, the renderer in forge_head_render.cpp.
#include "forge_rt/models/forge_head.h"

#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "forge_head_impl.h"
#include "forge_rt/ops/label_projection.h"

namespace forge_rt {
namespace {

Material material_of(const std::string& part) {
  const auto has = [&](const char* word) { return part.find(word) != std::string::npos; };
  if (has("mouth")) return Material::mouth;
  if (has("eye")) return Material::eye;
  if (has("ear")) return Material::ear;
  if (has("teeth")) return Material::tooth;
  if (has("tongue")) return Material::tongue;
  if (has("cloth") || has("shoulder")) return Material::cloth;
  if (has("glasses")) return Material::glasses;
  if (has("hair")) return Material::hair;
  return Material::skin;
}

Tensor take(std::map<std::string, Tensor>& tensors, const char* name, DType dtype, const std::string& folder) {
  const auto found = tensors.find(name);
  check(found != tensors.end(), ErrorCode::corrupt_file, folder, ": head.safetensors lacks '", name, "'");
  if (dtype == DType::f32) return found->second.to_f32();
  if (dtype == DType::i32) return found->second.to_i32();
  check(found->second.dtype() == dtype, ErrorCode::corrupt_file, folder, ": '", name, "' must be ", dtype_name(dtype), ", got ",
        found->second.str());
  return found->second;
}

// The model's JSON is read field by field; what is missing or of the wrong kind is named.
template <class T>
T field(const Json& json, const char* name, const std::string& where) {
  try {
    return json.at(name).get<T>();
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorCode::corrupt_file, concat(where, ": bundle.json has no valid '", name, "'"));
  }
}

}  // namespace

int ForgeHead::Impl::slider_index(const std::string& name) const {
  for (std::size_t i = 0; i < sliders.size(); ++i)
    if (sliders[i].name == name) return static_cast<int>(i);
  return -1;
}

int ForgeHead::Impl::expression_index(const std::string& name) const {
  const auto found = std::find(expressions.begin(), expressions.end(), name);
  return found == expressions.end() ? -1 : static_cast<int>(found - expressions.begin());
}

std::shared_ptr<const ForgeHead> ForgeHead::load(const std::string& folder) {
  const Bundle bundle = Bundle::open(folder);
  const Json json = parse_json(bundle.manifest(), folder + "/bundle.json");
  check(bundle.family() == "head" && json.contains("sliders") && json.contains("parts"), ErrorCode::unsupported, folder,
        " is a bundle of family '", bundle.family(), "', not a ForgeHead (family 'head' with sliders and parts)");
  auto impl = std::make_shared<Impl>();
  impl->hash = bundle.hash();
  std::map<std::string, Tensor> tensors = bundle.tensors("head.safetensors");

  for (const Json& s : field<Json>(json, "sliders", folder))
    impl->sliders.push_back({field<std::string>(s, "name", folder), field<std::string>(s, "region", folder), s.value("about", ""),
                             field<float>(s, "min", folder), field<float>(s, "max", folder), field<float>(s, "default", folder)});
  for (const Json& e : field<Json>(json, "expressions", folder)) impl->expressions.push_back(field<std::string>(e, "name", folder));
  for (const Json& l : field<Json>(json, "labels", folder))
    impl->labels.push_back({field<int>(l, "id", folder), field<std::string>(l, "name", folder),
                            field<std::array<std::uint8_t, 3>>(l, "color", folder), field<int>(l, "mirror", folder)});
  for (const Json& p : field<Json>(json, "parts", folder)) {
    HeadPart part;
    part.name = field<std::string>(p, "name", folder);
    part.label = field<std::uint8_t>(p, "label", folder);
    part.material = material_of(part.name);
    if (p.contains("chart")) part.chart = field<std::array<float, 4>>(p, "chart", folder);
    const std::string group = p.value("group", "always");
    if (const std::size_t slash = group.find('/'); slash != std::string::npos) {
      part.set = group.substr(0, slash);
      part.choice = group.substr(slash + 1);
      auto& choices = impl->options[part.set];
      if (choices.empty()) choices.push_back("none");
      if (std::find(choices.begin(), choices.end(), part.choice) == choices.end()) choices.push_back(part.choice);
    }
    impl->parts.push_back(part);
  }
  check(impl->parts.size() <= 64, ErrorCode::unsupported, folder, " has ", impl->parts.size(), " parts, at most 64 can be drawn");
  if (json.contains("charts") && json["charts"].contains("eye")) {
    impl->eye_last_angle = json["charts"]["eye"].value("last_angle", impl->eye_last_angle);
    impl->iris_angle = json["charts"]["eye"].value("iris_angle", impl->iris_angle);
  }

  HeadArrays arrays;
  arrays.v_template = take(tensors, "v_template", DType::f32, folder);
  arrays.shapedirs = take(tensors, "shapedirs", DType::f32, folder);
  arrays.posedirs = take(tensors, "posedirs", DType::f32, folder);
  arrays.joint_regressor = take(tensors, "J_regressor", DType::f32, folder);
  arrays.weights = take(tensors, "weights", DType::f32, folder);
  const Tensor parents = take(tensors, "parents", DType::i32, folder);
  arrays.parents.assign(parents.data<std::int32_t>(), parents.data<std::int32_t>() + parents.count());
  const Tensor triangles = take(tensors, "faces", DType::i32, folder);

  // Points of the anatomical jaw line (row 0 of the contour table) and the 51 static ones: one fixed embedding of 68.
  const Tensor static_face = take(tensors, "landmark_static_face", DType::i32, folder),
               static_weights = take(tensors, "landmark_static_bary", DType::f32, folder);
  const Tensor row_face = take(tensors, "landmark_dynamic_face", DType::i32, folder),
               row_weights = take(tensors, "landmark_dynamic_bary", DType::f32, folder);
  check(row_face.rank() == 2 && row_face.size(1) == 17 && static_face.count() == 51, ErrorCode::corrupt_file, folder,
        ": expected 17 contour and 51 static landmarks");
  LandmarkArrays landmarks;
  landmarks.static_face = Tensor::empty({68}, DType::i32);
  landmarks.static_barycentrics = Tensor::empty({68, 3}, DType::f32);
  std::copy_n(row_face.data<std::int32_t>(), 17, landmarks.static_face.mutable_data<std::int32_t>());
  std::copy_n(static_face.data<std::int32_t>(), 51, landmarks.static_face.mutable_data<std::int32_t>() + 17);
  std::copy_n(row_weights.data<float>(), 17 * 3, landmarks.static_barycentrics.mutable_data<float>());
  std::copy_n(static_weights.data<float>(), 51 * 3, landmarks.static_barycentrics.mutable_data<float>() + 17 * 3);

  impl->head = std::make_unique<Head>(arrays, triangles, static_cast<int>(impl->sliders.size()), static_cast<int>(impl->expressions.size()),
                                      landmarks);
  check(impl->head->joints() == 5, ErrorCode::unsupported, folder, ": a ForgeHead has 5 joints, this has ", impl->head->joints());
  impl->rest = arrays.v_template;
  impl->face_part = take(tensors, "face_part", DType::u8, folder);
  impl->semantic_uv = take(tensors, "semantic_uv", DType::u8, folder);
  impl->uv = take(tensors, "uv", DType::f32, folder);
  impl->uv_triangles = take(tensors, "uv_faces", DType::i32, folder);
  impl->occlusion = take(tensors, "ambient_occlusion", DType::f32, folder);
  expect(impl->face_part, "face_part", "[F]", DType::u8, {triangles.size(0)});
  expect(impl->uv_triangles, "uv_faces", "[F, 3]", DType::i32, {triangles.size(0), 3});
  expect(impl->occlusion, "ambient_occlusion", "[V]", DType::f32, {impl->head->vertices()});
  impl->face_labels = Tensor::empty({triangles.size(0)}, DType::u8);
  for (std::int64_t f = 0; f < triangles.size(0); ++f) {
    const std::uint8_t part = impl->face_part.data<std::uint8_t>()[f];
    check(part < impl->parts.size(), ErrorCode::corrupt_file, folder, ": triangle ", f, " names part ", int{part}, " of ",
          impl->parts.size());
    impl->face_labels.mutable_data<std::uint8_t>()[f] =
        impl->parts[part].material == Material::skin ? kLabelFromUv : impl->parts[part].label;
  }
  for (std::int64_t i = 0; i < impl->uv_triangles.count(); ++i)
    check(impl->uv_triangles.data<std::int32_t>()[i] >= 0 && impl->uv_triangles.data<std::int32_t>()[i] < impl->uv.size(0),
          ErrorCode::corrupt_file, folder, ": uv_faces names a row outside uv");

  auto model = std::make_shared<ForgeHead>();
  model->impl_ = impl;
  return model;
}

FaceParameters ForgeHead::neutral() const {
  FaceParameters face;
  for (const SliderInfo& s : impl_->sliders) face.sliders.push_back(s.value);
  face.expression.assign(impl_->expressions.size(), 0.f);
  for (const auto& [set, choices] : impl_->options) face.options[set] = choices.front();
  return face;
}

HeadMesh ForgeHead::mesh(const std::vector<FaceParameters>& faces) const {
  const auto batch = static_cast<std::int64_t>(faces.size());
  const auto n_sliders = static_cast<std::int64_t>(impl_->sliders.size()),
             n_expressions = static_cast<std::int64_t>(impl_->expressions.size());
  HeadParameters parameters;
  parameters.shape = Tensor::empty({batch, n_sliders}, DType::f32, {}, "head parameters");
  parameters.expression = Tensor::empty({batch, n_expressions}, DType::f32, {}, "head parameters");
  parameters.pose = Tensor::zeros({batch, 5, 3}, DType::f32, {}, "head parameters");
  for (std::int64_t b = 0; b < batch; ++b) {
    const FaceParameters& face = faces[b];
    check_argument(static_cast<std::int64_t>(face.sliders.size()) == n_sliders, "face ", b, " has ", face.sliders.size(),
                   " sliders, this head has ", n_sliders, "; start from neutral() or sample()");
    check_argument(static_cast<std::int64_t>(face.expression.size()) == n_expressions, "face ", b, " has ", face.expression.size(),
                   " expression weights, this head has ", n_expressions, "; start from neutral() or sample()");
    for (std::int64_t i = 0; i < n_sliders; ++i)
      check_argument(std::isfinite(face.sliders[i]), "slider '", impl_->sliders[i].name, "' of face ", b, " is ", face.sliders[i]);
    for (std::int64_t i = 0; i < n_expressions; ++i)
      check_argument(std::isfinite(face.expression[i]), "expression '", impl_->expressions[i], "' of face ", b, " is ", face.expression[i]);
    std::copy(face.sliders.begin(), face.sliders.end(), parameters.shape.mutable_data<float>() + b * n_sliders);
    std::copy(face.expression.begin(), face.expression.end(), parameters.expression.mutable_data<float>() + b * n_expressions);
    float* pose = parameters.pose.mutable_data<float>() + b * 15;
    std::copy(face.neck.begin(), face.neck.end(), pose + 3);
    std::copy(face.jaw.begin(), face.jaw.end(), pose + 6);
    std::copy(face.left_eye.begin(), face.left_eye.end(), pose + 9);
    std::copy(face.right_eye.begin(), face.right_eye.end(), pose + 12);
  }
  return impl_->head->evaluate(parameters);
}

const std::vector<SliderInfo>& ForgeHead::sliders() const { return impl_->sliders; }
const std::vector<std::string>& ForgeHead::expressions() const { return impl_->expressions; }
const std::map<std::string, std::vector<std::string>>& ForgeHead::options() const { return impl_->options; }
const std::vector<LabelInfo>& ForgeHead::labels() const { return impl_->labels; }
const Head& ForgeHead::head() const { return *impl_->head; }
const std::string& ForgeHead::hash() const { return impl_->hash; }

}  // namespace forge_rt
