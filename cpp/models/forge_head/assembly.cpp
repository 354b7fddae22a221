#include "assembly.h"

#include <algorithm>

#include "forge_rt/ops/label_projection.h"

namespace forge_rt {

// What nearly every head stays below: buffers that grow step by step scatter the heap.
constexpr std::size_t kVertices = 90'000, kTriangles = 90'000;

void Assembly::reserve(std::size_t vertex_count, std::size_t triangle_count) {
  for (std::vector<float>* values : {&position, &normal, &rest}) values->reserve(3 * vertex_count);
  aux.reserve(4 * vertex_count);
  triangles.reserve(3 * triangle_count);
  part.reserve(triangle_count);
  label.reserve(triangle_count);
}

void Assembly::clear() {
  position.clear();
  normal.clear();
  rest.clear();
  aux.clear();
  triangles.clear();
  part.clear();
  label.clear();
  parts.clear();
  bare = opaque = unobstructed = 0;
}

std::vector<const Choice*> chosen_options(const ForgeHead::Impl& model, const FaceParameters& face) {
  for (const auto& [set, choice] : face.options)
    check_argument(model.set(set) != nullptr, "this head has no set of options named '", set, "'");
  std::vector<const Choice*> chosen;
  for (const OptionSet& set : model.sets) {
    const auto given = face.options.find(set.name);
    const int row = given == face.options.end() ? 0 : set.find(given->second);
    check_argument(row >= 0, "option '", set.name, "' has no choice '", given == face.options.end() ? "" : given->second, "'");
    chosen.push_back(&set.choices[row]);
  }
  return chosen;
}

void assemble(const ForgeHead::Impl& model, const FaceParameters& face, const float* vertices, const float* normals, Assembly& out) {
  out.clear();
  out.reserve(kVertices, kTriangles);
  const std::vector<const Choice*> chosen = chosen_options(model, face);
  const std::int64_t count = model.head->vertices(), faces = model.head->triangles().size(0);

  const std::uint8_t* hairline = nullptr;
  bool has_hair = false;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (model.sets[i].name == "hairline" && chosen[i]->row >= 0 && model.hairline.defined())
      hairline = model.hairline.data<std::uint8_t>() + chosen[i]->row * count;
    if (model.sets[i].name == "hair") has_hair = chosen[i] != &model.sets[i].choices.front();
  }

  // The head.
  out.position.assign(vertices, vertices + 3 * count);
  out.normal.assign(normals, normals + 3 * count);
  const float* rest = model.rest.data<float>();
  out.rest.assign(rest, rest + 3 * count);
  out.aux.resize(4 * count);
  const float *uv = model.uv.data<float>(), *occlusion = model.occlusion.data<float>();
  for (std::int64_t v = 0; v < count; ++v) {
    out.aux[4 * v] = uv[2 * v];
    out.aux[4 * v + 1] = uv[2 * v + 1];
    out.aux[4 * v + 2] = occlusion[v];
    out.aux[4 * v + 3] = has_hair && hairline != nullptr ? static_cast<float>(hairline[v]) / 255.f : 0.f;
  }
  const std::int32_t* triangles = model.head->triangles().data<std::int32_t>();
  out.triangles.assign(triangles, triangles + 3 * faces);
  const std::uint8_t* part = model.face_part.data<std::uint8_t>();
  out.part.assign(part, part + faces);
  out.label.resize(faces);
  for (std::int64_t f = 0; f < faces; ++f) {
    const std::int32_t* id = triangles + 3 * f;
    const bool scalp = out.aux[4 * id[0] + 3] > 0.f || out.aux[4 * id[1] + 3] > 0.f || out.aux[4 * id[2] + 3] > 0.f;
    out.label[f] = scalp && model.parts[part[f]].material == Material::skin ? kLabelFromUv : model.face_label[f];
  }
  for (const HeadPart& p : model.parts) {
    shade::Part s{};
    s.material = static_cast<std::uint8_t>(p.material);
    s.label = p.label;
    s.alpha = 1.f;
    std::copy(p.chart.begin(), p.chart.end(), s.chart);
    out.parts.push_back(s);
  }

  // What rides on it: clothes belong to the bare head; lenses come after all that may be seen through them.
  const auto meshes = [&](auto wanted) {
    for (const Choice* choice : chosen)
      for (const int mesh : choice->meshes)
        if (wanted(model.meshes[mesh])) append_mesh(model, mesh, face, vertices, out);
  };
  meshes([](const MeshPart& m) { return m.material == Material::cloth && !m.free; });
  std::vector<const MeshPart*> press;
  for (const Choice* choice : chosen)
    for (const int mesh : choice->meshes)
      if (model.meshes[mesh].press_height_m > 0.f) press.push_back(&model.meshes[mesh]);
  const auto strands = [&](bool of_the_face) {
    for (const Choice* choice : chosen)
      for (const int group : choice->strands) {
        const Material material = model.strands[group].material;
        if ((material == Material::brow || material == Material::lash) == of_the_face)
          append_strands(model, group, face, vertices, normals, hairline, press, out);
      }
  };
  strands(true);
  out.bare = out.count();
  strands(false);
  meshes([](const MeshPart& m) { return m.material != Material::cloth && m.material != Material::lens && !m.free; });
  out.opaque = out.count();
  meshes([](const MeshPart& m) { return m.material == Material::lens && !m.free; });
  out.unobstructed = out.count();
  meshes([](const MeshPart& m) { return m.free; });
  check(out.parts.size() <= 64, ErrorCode::unsupported, "one head wears ", out.parts.size(), " parts, at most 64 can be drawn");
}

}  // namespace forge_rt
