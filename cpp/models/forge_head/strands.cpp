// Grows ribbons between guide strands: hair, brows, lashes, beards.
#include <algorithm>
#include <array>

#include "assembly.h"
#include "forge_rt/core/philox.h"
#include "shading/vec3.h"

namespace forge_rt {
namespace {

Vec3 color_of(const Color& c) { return {c[0], c[1], c[2]}; }

shade::Part part_of(const StrandGroup& group, const FaceAppearance& look) {
  shade::Part p{};
  p.material = static_cast<std::uint8_t>(group.material);
  p.strand = 1;
  p.alpha = 1.f;
  p.color = color_of(look.hair_color);
  p.gloss = look.hair_gloss;
  if (group.material == Material::brow) p.color = p.color * (1.f - 0.75f * look.brow_darkness), p.gloss = 0.15f;
  if (group.material == Material::lash) p.color = {0.008f, 0.006f, 0.005f}, p.gloss = 0.1f;
  if (group.material == Material::beard) p.color = p.color * 0.9f, p.gloss = 0.3f;
  return p;
}

std::uint8_t label_of(Material material, bool left) {
  switch (material) {
    case Material::brow: return left ? kLeftBrow : kRightBrow;
    case Material::lash: return left ? kLeftEye : kRightEye;
    case Material::beard: return kBeard;
    default: return kHair;
  }
}

}  // namespace

void append_strands(const ForgeHead::Impl& model, int index, const FaceParameters& face, const float* vertices, const float*,
                    const std::uint8_t* hairline, const std::vector<const MeshPart*>& press, Assembly& out) {
  const StrandGroup& group = model.strands[index];
  const auto points = static_cast<int>(model.guide_points.size(1));
  const float* rest = model.rest.data<float>();
  const HairShape& shape = face.hair;
  const bool hair = group.material == Material::hair;

  // Guides on this head: the template's point plus what its anchors moved, scaled about the skin below it.
  std::vector<Vec3> guides(group.guides * points);
  std::vector<float> density(group.guides, 1.f);
  for (std::int64_t g = 0; g < group.guides; ++g)
    for (int p = 0; p < points; ++p) {
      const std::int64_t row = (group.guide + g) * points + p;
      const Vec3 home = vec3(model.guide_points.data<float>() + 3 * row);
      Vec3 moved{0, 0, 0}, base{0, 0, 0};
      float share = 0.f;
      for (int k = 0; k < 3; ++k) {
        const std::int64_t anchor = model.guide_bind.data<std::int32_t>()[3 * row + k];
        const float w = model.guide_weight.data<float>()[3 * row + k];
        moved = moved + vec3(vertices + 3 * anchor) * w;
        base = base + vec3(rest + 3 * anchor) * w;
        if (hairline != nullptr) share += w * static_cast<float>(hairline[anchor]) / 255.f;
      }
      if (p == 0 && group.behind_hairline && hairline != nullptr) density[g] = share;
      Vec3 offset = home - base;
      if (hair) {
        offset = offset * mix(1.f, shape.volume, 0.7f);
        for (const MeshPart* hat : press)
          if (hat->press[0] * home.x + hat->press[1] * home.y + hat->press[2] * home.z + hat->press[3] > 0.f)
            offset = offset * std::min(1.f, hat->press_height_m / std::max(length(offset), 1e-6f));
      }
      guides[g * points + p] = moved + offset;
    }

  const auto part = static_cast<std::uint8_t>(out.parts.size());
  out.parts.push_back(part_of(group, face.appearance));
  const Vec3 centre{0.f, 0.03f, -0.03f};
  const int segments = std::max(group.segments, 1);
  for (int lock = 0; lock < group.locks; ++lock) {
    Random random(shape.seed, static_cast<std::uint64_t>(index) << 24 | static_cast<std::uint64_t>(lock), "strand");
    const std::int64_t g = random.below(static_cast<std::uint32_t>(group.guides));
    const std::int32_t* next = model.guide_next.data<std::int32_t>() + 2 * (group.guide + g);
    float a = random.uniform_f32(), b = random.uniform_f32();
    if (a + b > 1.f) a = 1.f - a, b = 1.f - b;
    const std::int64_t rows[3] = {g, next[0], next[1]};
    const float weight[3] = {1.f - 0.66f * (a + b), 0.66f * a, 0.66f * b};
    const float dense = weight[0] * density[rows[0]] + weight[1] * density[rows[1]] + weight[2] * density[rows[2]];
    const float shade = random.uniform_f32(), reach = shape.length * mix(0.85f, 1.05f, random.uniform_f32());
    const Vec3 scatter = Vec3{random.uniform_f32() - 0.5f, random.uniform_f32() - 0.5f, random.uniform_f32() - 0.5f} * (2.f * group.spread_m);
    const float phase = 6.2831853f * random.uniform_f32();
    if (dense < 0.5f) continue;

    Vec3 path[kMaxGuidePoints];
    for (int p = 0; p < points; ++p) {
      path[p] = scatter;
      for (int k = 0; k < 3; ++k) path[p] = path[p] + guides[rows[k] * points + p] * weight[k];
    }
    const std::int64_t first = out.vertices();
    float travelled = 0.f;
    Vec3 previous = path[0];
    for (int i = 0; i <= segments; ++i) {
      const float along = static_cast<float>(i) / static_cast<float>(segments);
      const float at = std::min(along * (hair ? std::min(reach, 1.f) : 1.f), 1.f) * static_cast<float>(points - 1);
      const int p = std::min(static_cast<int>(at), points - 2);
      Vec3 here = mix(path[p], path[p + 1], at - static_cast<float>(p));
      const Vec3 tangent = normalized(path[p + 1] - path[p]);
      Vec3 outwards = here - centre;
      outwards = normalized(outwards - tangent * dot(outwards, tangent));
      const Vec3 across = cross(tangent, outwards);
      travelled += length(here - previous);
      previous = here;
      const float curl = shape.curl * group.curl_m * std::min(4.f * along, 1.f);
      const float turn = phase + 6.2831853f * travelled / std::max(group.curl_pitch_m, 1e-4f);
      here = here + across * (curl * std::cos(turn)) + outwards * (curl * std::sin(turn));
      const float width = 0.5f * group.width_m * mix(1.f, group.tip_width, along);
      for (int side = -1; side <= 1; side += 2) {
        const Vec3 q = here + across * (width * static_cast<float>(side));
        out.position.insert(out.position.end(), {q.x, q.y, q.z});
        out.normal.insert(out.normal.end(), {outwards.x, outwards.y, outwards.z});
        out.rest.insert(out.rest.end(), {tangent.x, tangent.y, tangent.z});
        out.aux.insert(out.aux.end(), {along, static_cast<float>(side), mix(0.55f, 1.f, along), shade});
      }
    }
    for (int i = 0; i < segments; ++i) {
      const auto v = static_cast<std::int32_t>(first + 2 * i);
      for (const std::int32_t id : {v, v + 1, v + 2, v + 1, v + 3, v + 2}) out.triangles.push_back(id);
      for (int k = 0; k < 2; ++k) {
        out.part.push_back(part);
        out.label.push_back(label_of(group.material, path[0].x > 0.f));
      }
    }
  }
}

}  // namespace forge_rt
