// ForgeHead: loading and the mesh. The prior is in forge_head_prior.cpp, the renderer in forge_head_render.cpp.
#include "forge_rt/models/forge_head.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/json.h"
#include "forge_rt/ops/label_projection.h"
#include "model.h"
#include "models/json_fields.h"

namespace forge_rt {
namespace {

Material material_of_part(const std::string& part) {
  const auto has = [&](const char* word) { return part.find(word) != std::string::npos; };
  if (has("mouth")) return Material::mouth;
  if (has("eye")) return Material::eye;
  if (has("ear")) return Material::ear;
  if (has("teeth")) return Material::tooth;
  if (has("tongue")) return Material::tongue;
  if (has("cloth") || has("shoulder")) return Material::cloth;
  return Material::skin;
}

Material material_named(const std::string& name, const std::string& where) {
  static const std::map<std::string, Material> names = {
      {"skin", Material::skin},   {"mouth", Material::mouth},   {"eye", Material::eye},     {"ear", Material::ear},
      {"tooth", Material::tooth}, {"tongue", Material::tongue}, {"cloth", Material::cloth}, {"glasses", Material::glasses},
      {"lens", Material::lens},   {"hat", Material::hat},       {"metal", Material::metal}, {"plain", Material::plain},
      {"hair", Material::hair},   {"brow", Material::brow},     {"lash", Material::lash},   {"beard", Material::beard}};
  const auto found = names.find(name);
  check(found != names.end(), ErrorCode::corrupt_file, where, ": bundle.json names the unknown material '", name, "'");
  return found->second;
}

shade::Finish finish_named(const std::string& name, const std::string& where) {
  static const std::map<std::string, shade::Finish> names = {
      {"plain", shade::Finish::plain}, {"skin", shade::Finish::skin},   {"jersey", shade::Finish::jersey},
      {"knit", shade::Finish::knit},   {"rib", shade::Finish::rib},     {"poplin", shade::Finish::poplin},
      {"wool", shade::Finish::wool},   {"silk", shade::Finish::silk},   {"fleece", shade::Finish::fleece},
      {"felt", shade::Finish::felt},   {"twill", shade::Finish::twill}, {"straw", shade::Finish::straw},
      {"wound", shade::Finish::wound}, {"gloss", shade::Finish::gloss}, {"metal", shade::Finish::metal},
      {"hand", shade::Finish::hand},   {"paper", shade::Finish::paper}, {"screen", shade::Finish::screen}};
  const auto found = names.find(name);
  check(found != names.end(), ErrorCode::corrupt_file, where, ": bundle.json names the unknown finish '", name, "'");
  return found->second;
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

// Rows of `values` must name vertices 0..limit-1.
void check_rows(const Tensor& values, std::int64_t limit, const char* name, const std::string& folder) {
  for (std::int64_t i = 0; i < values.count(); ++i)
    check(values.data<std::int32_t>()[i] >= 0 && values.data<std::int32_t>()[i] < limit, ErrorCode::corrupt_file, folder, ": '", name,
          "' names row ", values.data<std::int32_t>()[i], " of ", limit);
}

// Class of each triangle whose part of the class map (its bounding box there) holds one class. Where brows may be, skin is looked up.
std::vector<std::uint8_t> uniform_labels(const ForgeHead::Impl& model) {
  const std::int64_t faces = model.face_part.count();
  const int height = static_cast<int>(model.semantic_uv.size(0)), width = static_cast<int>(model.semantic_uv.size(1));
  const std::uint8_t* map = model.semantic_uv.data<std::uint8_t>();
  const float *uv = model.uv.data<float>(), *rest = model.rest.data<float>();
  std::vector<std::uint8_t> labels(faces);
  for (std::int64_t f = 0; f < faces; ++f) {
    const HeadPart& part = model.parts[model.face_part.data<std::uint8_t>()[f]];
    labels[f] = part.label;
    if (part.material != Material::skin) continue;
    const std::int32_t* id = model.head->triangles().data<std::int32_t>() + 3 * f;
    float low[2] = {1.f, 1.f}, high[2] = {0.f, 0.f};
    bool brows = false;
    for (int k = 0; k < 3; ++k) {
      for (int axis = 0; axis < 2; ++axis) {
        const float value = axis == 0 ? uv[2 * id[k]] : 1.f - uv[2 * id[k] + 1];
        low[axis] = std::min(low[axis], value);
        high[axis] = std::max(high[axis], value);
      }
      const float* p = rest + 3 * std::int64_t{id[k]};
      brows = brows || (std::abs(p[0]) < 0.075f && p[1] > 0.03f && p[1] < 0.08f && p[2] > 0.f);
    }
    const int x0 = std::max(static_cast<int>(low[0] * width) - 1, 0), x1 = std::min(static_cast<int>(high[0] * width) + 1, width - 1);
    const int y0 = std::max(static_cast<int>(low[1] * height) - 1, 0), y1 = std::min(static_cast<int>(high[1] * height) + 1, height - 1);
    const std::uint8_t first = map[y0 * width + x0];
    bool same = true;
    for (int y = y0; y <= y1 && same; ++y)
      for (int x = x0; x <= x1; ++x) same = same && map[y * width + x] == first;
    const bool brow = first == kLeftBrow || first == kRightBrow;
    labels[f] = same && !brow && !(first == kSkin && brows) ? first : kLabelFromUv;
  }
  return labels;
}

void load_meshes(const Json& json, const Bundle& bundle, const std::string& folder, ForgeHead::Impl& model) {
  std::map<std::string, Tensor> tensors = bundle.tensors("parts.safetensors");
  model.mesh_position = take(tensors, "mesh_position", DType::f32, folder);
  model.mesh_uv = take(tensors, "mesh_uv", DType::f32, folder);
  model.mesh_bind = take(tensors, "mesh_bind", DType::i32, folder);
  model.mesh_weight = take(tensors, "mesh_weight", DType::f32, folder);
  model.mesh_triangles = take(tensors, "mesh_triangles", DType::i32, folder);
  const std::int64_t count = model.mesh_position.size(0);
  expect(model.mesh_position, "mesh_position", "[N, 3]", DType::f32, {count, 3});
  expect(model.mesh_uv, "mesh_uv", "[N, 2]", DType::f32, {count, 2});
  const std::int64_t bound = model.mesh_bind.size(0);  // the first vertices; the rest belong to free objects
  expect(model.mesh_bind, "mesh_bind", "[B, 4]", DType::i32, {bound, 4});
  expect(model.mesh_weight, "mesh_weight", "[B, 4]", DType::f32, {bound, 4});
  expect(model.mesh_triangles, "mesh_triangles", "[T, 3]", DType::i32, {model.mesh_triangles.size(0), 3});
  check_rows(model.mesh_bind, model.head->vertices(), "mesh_bind", folder);
  for (const Json& m : json["meshes"]) {
    MeshPart mesh;
    mesh.name = field<std::string>(m, "name", folder);
    mesh.label = field<std::uint8_t>(m, "label", folder);
    mesh.material = material_named(field<std::string>(m, "material", folder), folder);
    mesh.free = m.value("free", false);
    const auto vertex = field<std::array<std::int64_t, 2>>(m, "vertices", folder),
               triangle = field<std::array<std::int64_t, 2>>(m, "triangles", folder);
    mesh.vertex = vertex[0];
    mesh.vertices = vertex[1];
    mesh.triangle = triangle[0];
    mesh.triangles = triangle[1];
    mesh.press = m.value("press", mesh.press);
    mesh.press_height_m = m.value("press_height_m", 0.f);
    mesh.finish = finish_named(m.value("finish", "plain"), folder);
    mesh.color = m.value("color", mesh.color);
    mesh.second = m.value("second", false);
    mesh.tint = m.value("tint", mesh.tint);
    mesh.worn = m.value("worn", false);
    if (m.contains("scale")) {
      mesh.pivot_m = field<std::array<float, 3>>(m, "pivot_m", folder);
      const Json& scale = m["scale"];
      for (const auto& [name, axes] : scale.items()) {
        const int i = model.slider_index(name);
        check(i >= 0, ErrorCode::corrupt_file, folder, ": mesh '", mesh.name, "' names the unknown slider '", name, "'");
        mesh.scale.emplace_back(i, axes.get<std::array<float, 3>>());
      }
    }
    if (m.contains("feelers"))
      for (const auto& f : field<std::vector<std::array<float, 5>>>(m, "feelers", folder)) {
        check(f[0] >= 0.f && f[0] < static_cast<float>(model.head->vertices()), ErrorCode::corrupt_file, folder, ": mesh '", mesh.name,
              "' feels for vertex ", f[0]);
        mesh.feelers.push_back({static_cast<std::int64_t>(f[0]), {f[1], f[2], f[3]}, f[4]});
      }
    mesh.pose_low = m.value("pose_low", mesh.pose_low);
    mesh.pose_high = m.value("pose_high", mesh.pose_high);
    check(mesh.label < kLabelCount && vertex[0] >= 0 && vertex[1] >= 0 && vertex[0] + vertex[1] <= count && triangle[0] >= 0 &&
              triangle[1] >= 0 && triangle[0] + triangle[1] <= model.mesh_triangles.size(0) &&
              ((mesh.free && !mesh.worn) || vertex[0] + vertex[1] <= bound),
          ErrorCode::corrupt_file, folder, ": mesh '", mesh.name, "' lies outside its arrays");
    for (std::int64_t i = 3 * triangle[0]; i < 3 * (triangle[0] + triangle[1]); ++i)
      check(model.mesh_triangles.data<std::int32_t>()[i] >= 0 && model.mesh_triangles.data<std::int32_t>()[i] < vertex[1],
            ErrorCode::corrupt_file, folder, ": a triangle of mesh '", mesh.name, "' names a vertex outside it");
    model.meshes.push_back(mesh);
  }
}

// Guides of one group; "both" adds the mirror image of every guide, "flip" replaces them by it.
void load_guides(const std::string& mirror, std::int64_t first, const Tensor& points, const Tensor& bind, const Tensor& weight,
                 const Tensor& mirror_of, const float* rest, StrandGroup& group) {
  const std::int64_t stored = mirror == "both" ? group.guides / 2 : group.guides;
  for (std::int64_t g = 0; g < group.guides; ++g) {
    const bool flip = mirror == "flip" || g >= stored;
    for (int p = 0; p < group.points; ++p) {
      const std::int64_t row = first + g % stored * group.points + p;
      std::array<float, 3> home, base{};
      for (int i = 0; i < 3; ++i) home[i] = points.data<float>()[3 * row + i] * (flip && i == 0 ? -1.f : 1.f);
      for (int k = 0; k < 3; ++k) {
        const std::int32_t stored_anchor = bind.data<std::int32_t>()[3 * row + k];
        const std::int32_t anchor = flip ? mirror_of.data<std::int32_t>()[stored_anchor] : stored_anchor;
        const float w = weight.data<float>()[3 * row + k];
        group.anchor.push_back(anchor);
        group.weight.push_back(w);
        for (int i = 0; i < 3; ++i) base[i] += w * rest[3 * anchor + i];
      }
      for (int i = 0; i < 3; ++i) {
        group.home.push_back(home[i]);
        group.offset.push_back(home[i] - base[i]);
      }
    }
  }
}

void load_strands(const Json& json, const Bundle& bundle, std::map<std::string, Tensor>& head, const std::string& folder,
                  ForgeHead::Impl& model) {
  std::map<std::string, Tensor> tensors = bundle.tensors("strands.safetensors");
  const Tensor points = take(tensors, "guide_points", DType::f32, folder), bind = take(tensors, "guide_bind", DType::i32, folder),
               weight = take(tensors, "guide_weight", DType::f32, folder), cells = take(tensors, "guide_cells", DType::i32, folder),
               mirror_of = take(head, "mirror", DType::i32, folder);
  const std::int64_t rows = points.rank() > 0 ? points.size(0) : 0;
  expect(points, "guide_points", "[N, 3]", DType::f32, {rows, 3});
  expect(bind, "guide_bind", "[N, 3]", DType::i32, {rows, 3});
  expect(weight, "guide_weight", "[N, 3]", DType::f32, {rows, 3});
  expect(cells, "guide_cells", "[C, 4]", DType::i32, {cells.size(0), 4});
  expect(mirror_of, "mirror", "[V]", DType::i32, {model.head->vertices()});
  check_rows(bind, model.head->vertices(), "guide_bind", folder);
  check_rows(mirror_of, model.head->vertices(), "mirror", folder);
  for (const Json& g : json["strands"]) {
    StrandGroup group;
    group.name = field<std::string>(g, "name", folder);
    group.material = material_named(field<std::string>(g, "material", folder), folder);
    const auto row = field<std::int64_t>(g, "row", folder);
    const auto range = field<std::array<std::int64_t, 2>>(g, "cells", folder);
    const std::string mirror = g.value("mirror", "none");
    group.guides = field<int>(g, "guides", folder);
    group.points = field<int>(g, "points", folder);
    group.locks = field<int>(g, "locks", folder);
    group.segments = g.value("segments", group.segments);
    group.width_m = g.value("width_m", group.width_m);
    group.tip_width = g.value("tip_width", group.tip_width);
    group.ragged = g.value("ragged", group.ragged);
    group.depth_m = g.value("depth_m", group.depth_m);
    group.clump = g.value("clump", group.clump);
    group.clumps = g.value("clumps", group.clumps);
    group.curl = g.value("curl", group.curl);
    group.curl_m = g.value("curl_m", group.curl_m);
    group.curl_pitch_m = g.value("curl_pitch_m", group.curl_pitch_m);
    group.stray_m = g.value("stray_m", group.stray_m);
    group.start = g.value("start", group.start);
    group.parallel = g.value("parallel", group.parallel);
    group.behind_hairline = g.value("behind_hairline", group.behind_hairline);
    check(group.points >= 2 && group.points <= kMaxGuidePoints, ErrorCode::unsupported, folder, ": guides of '", group.name, "' have ",
          group.points, " points, supported are 2..", kMaxGuidePoints);
    check(mirror == "none" || mirror == "both" || mirror == "flip", ErrorCode::unsupported, folder, ": strands '", group.name,
          "' have the unknown mirror '", mirror, "'");
    const std::int64_t stored = mirror == "both" ? group.guides / 2 : group.guides;
    check(stored >= 1 && row >= 0 && row + stored * group.points <= rows && range[0] >= 0 && range[1] >= 1 &&
              range[0] + range[1] <= cells.size(0) && group.locks >= 0 && group.locks < (1 << 24) && group.segments >= 1 &&
              group.segments <= 64,
          ErrorCode::corrupt_file, folder, ": strands '", group.name, "' lie outside their arrays");
    load_guides(mirror, row, points, bind, weight, mirror_of, model.rest.data<float>(), group);
    for (std::int64_t c = range[0]; c < range[0] + range[1]; ++c) {
      std::array<std::uint16_t, 4> cell;
      for (int k = 0; k < 4; ++k) {
        const std::int32_t value = cells.data<std::int32_t>()[4 * c + k];
        check(value >= 0 && (k == 3 || value < group.guides), ErrorCode::corrupt_file, folder, ": a cell of '", group.name,
              "' names a guide outside its group");
        cell[k] = static_cast<std::uint16_t>(value);
      }
      group.cells.push_back(cell);
    }
    model.strands.push_back(std::move(group));
  }
}

void load_sets(const Json& json, std::map<std::string, Tensor>& tensors, const std::string& folder, ForgeHead::Impl& model) {
  if (tensors.contains("hairline")) {
    model.hairline = take(tensors, "hairline", DType::u8, folder);
    expect(model.hairline, "hairline", "[n, V]", DType::u8, {model.hairline.size(0), model.head->vertices()});
  }
  const auto indices = [&](const Json& names, const auto& table, const char* kind) {
    std::vector<int> found;
    for (const Json& name : names) {
      int row = -1;
      for (std::size_t i = 0; i < table.size(); ++i)
        if (table[i].name == name.get<std::string>()) row = static_cast<int>(i);
      check(row >= 0, ErrorCode::corrupt_file, folder, ": an option names the unknown ", kind, " '", name.get<std::string>(), "'");
      found.push_back(row);
    }
    return found;
  };
  for (const Json& s : json["sets"]) {
    OptionSet set;
    set.name = field<std::string>(s, "name", folder);
    set.about = s.value("about", "");
    for (const Json& c : field<Json>(s, "choices", folder)) {
      Choice choice;
      choice.info = {field<std::string>(c, "name", folder), c.value("about", "")};
      choice.meshes = indices(c.value("meshes", Json::array()), model.meshes, "mesh");
      choice.strands = indices(c.value("strands", Json::array()), model.strands, "strands");
      const Json sliders = c.value("sliders", Json::object());
      for (const auto& [name, value] : sliders.items()) {
        const int i = model.slider_index(name);
        check(i >= 0, ErrorCode::corrupt_file, folder, ": option '", choice.info.name, "' names the unknown slider '", name, "'");
        choice.sliders.emplace_back(i, value.get<float>());
      }
      choice.row = c.value("row", -1);
      check(set.name != "hairline" || (choice.row >= 0 && model.hairline.defined() && choice.row < model.hairline.size(0)),
            ErrorCode::corrupt_file, folder, ": hair line '", choice.info.name, "' has no row in the table 'hairline'");
      if (c.contains("brow")) {
        const auto brow = field<std::array<std::array<float, 5>, 3>>(c, "brow", folder);
        choice.brow = {brow[0], brow[1], brow[2]};
      }
      choice.weight = c.value("weight", choice.weight);
      choice.age_weight = c.value("age_weight", choice.age_weight);
      choice.wild = c.value("wild", 1.f);
      set.choices.push_back(choice);
      model.options[set.name].push_back(choice.info.name);
    }
    check(!set.choices.empty(), ErrorCode::corrupt_file, folder, ": set '", set.name, "' has no choices");
    model.sets.push_back(set);
  }
}

}  // namespace

int OptionSet::find(const std::string& choice) const {
  for (std::size_t i = 0; i < choices.size(); ++i)
    if (choices[i].info.name == choice) return static_cast<int>(i);
  return -1;
}

const OptionSet* ForgeHead::Impl::set(const std::string& name) const {
  for (const OptionSet& s : sets)
    if (s.name == name) return &s;
  return nullptr;
}

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
    part.material = material_of_part(part.name);
    if (p.contains("chart")) part.chart = field<std::array<float, 4>>(p, "chart", folder);
    impl->parts.push_back(part);
  }
  if (json.contains("blink_gain")) impl->blink_gain = field<std::vector<float>>(json["blink_gain"], "gain", folder);
  impl->blink_gain.resize(impl->sliders.size(), 0.f);
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
  const Tensor uv_triangles = take(tensors, "uv_faces", DType::i32, folder);
  check(uv_triangles.shape() == triangles.shape() && std::memcmp(uv_triangles.raw(), triangles.raw(), triangles.bytes()) == 0,
        ErrorCode::unsupported, folder, ": a ForgeHead has one texture coordinate per vertex (uv_faces equals faces)");

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
  impl->occlusion = take(tensors, "ambient_occlusion", DType::f32, folder);
  expect(impl->face_part, "face_part", "[F]", DType::u8, {triangles.size(0)});
  expect(impl->occlusion, "ambient_occlusion", "[V]", DType::f32, {impl->head->vertices()});
  for (std::int64_t f = 0; f < triangles.size(0); ++f) {
    const std::uint8_t part = impl->face_part.data<std::uint8_t>()[f];
    check(part < impl->parts.size(), ErrorCode::corrupt_file, folder, ": triangle ", f, " names part ", int{part}, " of ",
          impl->parts.size());
  }
  expect(impl->uv, "uv", "[V, 2]", DType::f32, {impl->head->vertices(), 2});
  impl->face_label = uniform_labels(*impl);
  if (json.contains("meshes")) load_meshes(json, bundle, folder, *impl);
  if (json.contains("strands")) load_strands(json, bundle, tensors, folder, *impl);
  if (json.contains("sets")) load_sets(json, tensors, folder, *impl);

  auto model = std::make_shared<ForgeHead>();
  model->impl_ = impl;
  return model;
}

namespace {

void check_range(const std::string& name, float value, float low, float high) {
  check_argument(value >= low && value <= high, "'", name, "' must be ", low, "..", high, ", got ", value);  // NaN fails too
}

}  // namespace

void ForgeHead::set_slider(FaceParameters& face, const std::string& name, float value) const {
  const int i = impl_->slider_index(name);
  if (i < 0) {
    std::vector<std::string> names;
    for (const SliderInfo& s : impl_->sliders) names.push_back(s.name);
    throw Error(ErrorCode::invalid_argument, concat("no slider named '", name, "'; ", json_fields::suggest(name, names)));
  }
  check_range(name, value, impl_->sliders[i].minimum, impl_->sliders[i].maximum);
  face.sliders.at(i) = value;
}

void ForgeHead::set_expression(FaceParameters& face, const std::string& name, float weight) const {
  const int i = impl_->expression_index(name);
  if (i < 0)
    throw Error(ErrorCode::invalid_argument, concat("no expression named '", name, "'; ", json_fields::suggest(name, impl_->expressions)));
  check_range(name, weight, 0.f, 1.5f);
  face.expression.at(i) = weight;
}

void ForgeHead::set_option(FaceParameters& face, const std::string& set, const std::string& choice) const {
  std::vector<std::string> sets;
  for (const OptionSet& s : impl_->sets) sets.push_back(s.name);
  const OptionSet* found = impl_->set(set);
  if (found == nullptr)
    throw Error(ErrorCode::invalid_argument, concat("no set of options named '", set, "'; ", json_fields::suggest(set, sets)));
  if (found->find(choice) < 0)
    throw Error(ErrorCode::invalid_argument,
                concat("set '", set, "' has no choice '", choice, "'; ", json_fields::suggest(choice, impl_->options.at(set))));
  face.options[set] = choice;
}

// At the gain's weight the margins touch in the middle of the lids; the corners need a little more.
constexpr float kBlinkMargin = 1.09f;

float ForgeHead::blink_weight(const FaceParameters& face) const {
  check_argument(face.sliders.size() == impl_->sliders.size(), "a face has ", face.sliders.size(), " sliders, this head has ",
                 impl_->sliders.size(), "; start from neutral() or sample()");
  float weight = 1.f;
  for (std::size_t i = 0; i < face.sliders.size(); ++i) weight += impl_->blink_gain[i] * face.sliders[i];
  for (const Choice* choice : chosen_options(*impl_, face))
    for (const auto& [slider, value] : choice->sliders) weight += impl_->blink_gain[slider] * value;
  return std::clamp(kBlinkMargin * weight, 0.5f, 1.5f);
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
    float* shape = parameters.shape.mutable_data<float>() + b * n_sliders;
    std::copy(face.sliders.begin(), face.sliders.end(), shape);
    for (const Choice* choice : chosen_options(*impl_, face))
      for (const auto& [slider, value] : choice->sliders) shape[slider] += value;
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
