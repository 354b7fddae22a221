// Meshes that ride on the head or stand free in front of it.
#include <algorithm>

#include "assembly.h"
#include "look.h"
#include "shading/skin.h"
#include "shading/vec3.h"

namespace forge_rt {
namespace {

Vec3 color_of(const Color& c) { return {c[0], c[1], c[2]}; }

shade::Part part_of(const MeshPart& mesh, const FaceAppearance& look) {
  using shade::Finish;
  shade::Part p{};
  p.material = static_cast<std::uint8_t>(mesh.finish == Finish::skin ? Material::skin : mesh.material);
  p.label = mesh.label;
  p.alpha = 1.f;
  p.pattern = static_cast<std::uint8_t>(static_cast<int>(mesh.finish) << 2);
  p.gloss = 0.5f;
  p.roughness = 0.5f;
  switch (mesh.material) {
    case Material::cloth:
      p.color = color_of(mesh.second ? look.cloth_color_2 : look.cloth_color);
      p.color_2 = color_of(mesh.second ? look.cloth_color : look.cloth_color_2);
      p.pattern = static_cast<std::uint8_t>(p.pattern | std::clamp(look.cloth_pattern, 0, 3));
      break;
    case Material::glasses: p.color = color_of(look.glasses_color), p.gloss = 1.4f, p.roughness = 0.25f; break;
    case Material::lens:
      p.color = {0.03f, 0.03f, 0.03f}, p.gloss = 1.5f, p.roughness = 0.f;
      p.alpha = std::min(mesh.tint >= 0.f ? mesh.tint : look.lens_tint, 0.99f);
      break;
    case Material::hat: p.color = color_of(look.hat_color), p.gloss = 0.1f, p.roughness = 0.9f; break;
    case Material::metal: p.color = {0.75f, 0.55f, 0.25f}, p.gloss = 6.f, p.roughness = 0.3f; break;
    default: p.color = color_of(look.occluder_color);
  }
  if (mesh.finish == Finish::hand) p.color = skin_tone(look.melanin, look.undertone) * 0.96f;
  if (mesh.color[0] >= 0.f) p.color = color_of(mesh.color);
  if (mesh.material != Material::cloth) p.color_2 = p.color;
  if (mesh.material == Material::cloth && mesh.color[0] >= 0.f) p.pattern &= 0xfcu;
  return p;
}

// How far glasses must move forward so that brows and cheeks stay behind them.
float clearance(const MeshPart& mesh, const float* vertices, const float* rest, const std::int32_t* anchors) {
  constexpr float kMargin = 0.0006f;
  float shift = 0.f;
  for (const MeshPart::Feeler& f : mesh.feelers) {
    float frame = 0.f;
    for (int k = 0; k < 3; ++k) frame += f.weight[k] * (vertices[3 * anchors[k] + 2] - rest[3 * anchors[k] + 2]);
    const float skin = vertices[3 * f.vertex + 2] - rest[3 * f.vertex + 2];
    shift = std::max(shift, skin - frame - f.gap_m + kMargin);
  }
  return std::min(shift, 0.015f);
}

}  // namespace

void append_mesh(const ForgeHead::Impl& model, int index, const FaceParameters& face, const float* vertices, Assembly& out) {
  const MeshPart& mesh = model.meshes[index];
  const std::int64_t first = out.vertices();
  const float* template_position = model.mesh_position.data<float>() + 3 * mesh.vertex;
  const bool standing = mesh.free && !mesh.worn;
  const float *rest = model.rest.data<float>(), *weight = standing ? nullptr : model.mesh_weight.data<float>() + 4 * mesh.vertex;
  const std::int32_t* bind = standing ? nullptr : model.mesh_bind.data<std::int32_t>() + 4 * mesh.vertex;
  const Vec3 turn = vec3(face.occluder.rotation.data()), place = vec3(face.occluder.position_m.data());
  Vec3 grow{0, 0, 0};  // of the body, against the template's
  for (const auto& [slider, axes] : mesh.scale) grow = grow + vec3(axes.data()) * face.sliders[slider];
  const float forward = standing ? 0.f : clearance(mesh, vertices, rest, bind);
  const Vec3 pivot = vec3(mesh.pivot_m.data());
  for (std::int64_t v = 0; v < mesh.vertices; ++v) {
    const Vec3 home = vec3(template_position + 3 * v);
    Vec3 p = home;
    if (standing) {
      p = rotate(turn, home * face.occluder.scale) + place;
    } else {
      float staying = 1.f;
      for (int k = 0; k < 4; ++k) {
        const std::int64_t anchor = bind[4 * v + k];
        p = p + (vec3(vertices + 3 * anchor) - vec3(rest + 3 * anchor)) * weight[4 * v + k];
        staying -= weight[4 * v + k];
      }
      p = p + (home - pivot) * grow * staying;
      p.z += forward;
    }
    out.position.insert(out.position.end(), {p.x, p.y, p.z});
    out.rest.insert(out.rest.end(), {home.x, home.y, home.z});
    const float* uv = model.mesh_uv.data<float>() + 2 * (mesh.vertex + v);
    float occlusion = 1.f;
    if (mesh.finish == shade::Finish::skin && !standing) {  // continues the neck
      const std::int64_t anchor = bind[4 * v];
      uv = model.uv.data<float>() + 2 * anchor;
      occlusion =
          mix(1.f, model.occlusion.data<float>()[anchor], weight[4 * v] + weight[4 * v + 1] + weight[4 * v + 2] + weight[4 * v + 3]);
    }
    out.aux.insert(out.aux.end(), {uv[0], uv[1], occlusion, 0.f});
  }
  // Area-weighted normals.
  out.normal.resize(out.position.size(), 0.f);
  const std::int32_t* triangles = model.mesh_triangles.data<std::int32_t>() + 3 * mesh.triangle;
  const auto part = static_cast<std::uint8_t>(out.parts.size());
  for (std::int64_t t = 0; t < mesh.triangles; ++t) {
    std::int64_t id[3];
    for (int k = 0; k < 3; ++k) {
      id[k] = first + triangles[3 * t + k];
      out.triangles.push_back(static_cast<std::int32_t>(id[k]));
    }
    const Vec3 a = vec3(&out.position[3 * id[0]]), n = cross(vec3(&out.position[3 * id[1]]) - a, vec3(&out.position[3 * id[2]]) - a);
    for (const std::int64_t i : id) {
      out.normal[3 * i] += n.x;
      out.normal[3 * i + 1] += n.y;
      out.normal[3 * i + 2] += n.z;
    }
    out.part.push_back(part);
    out.label.push_back(mesh.label);
  }
  for (std::int64_t v = first; v < out.vertices(); ++v) {
    const Vec3 n = normalized(vec3(&out.normal[3 * v]));
    out.normal[3 * v] = n.x;
    out.normal[3 * v + 1] = n.y;
    out.normal[3 * v + 2] = n.z;
  }
  out.parts.push_back(part_of(mesh, face.appearance));
}

}  // namespace forge_rt
