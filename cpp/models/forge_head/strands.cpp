// Grows ribbons between guide strands: hair, brows, lashes, beards.
//
// A ribbon stands at a random point of a cell of three guides and blends their paths. Towards the tip it is drawn to the path of
// its clump. Two copies of the guides, as designed and pressed down by the depth of the style, bound the layer that ribbons fill.
#include <algorithm>
#include <array>

#include "assembly.h"
#include "forge_rt/core/philox.h"
#include "shading/vec3.h"

namespace forge_rt {
namespace {

constexpr float kTurn = 6.2831853f;

Vec3 color_of(const Color& c) { return {c[0], c[1], c[2]}; }

shade::Part part_of(const StrandGroup& group, const FaceAppearance& look) {
  shade::Part p{};
  p.material = static_cast<std::uint8_t>(group.material);
  p.strand = 1;
  p.alpha = 1.f;
  p.color = color_of(look.hair_color);
  p.gloss = look.hair_gloss;
  if (group.material == Material::brow) p.color = p.color * (1.f - 0.75f * look.brow_darkness), p.gloss = 0.15f;
  if (group.material == Material::lash) p.color = mix(Vec3{0.008f, 0.006f, 0.005f}, p.color * 0.4f, 0.3f), p.gloss = 0.1f;
  if (group.material == Material::beard) p.color = p.color * Vec3{0.95f, 0.85f, 0.78f}, p.gloss = 0.3f;
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

/// The group's guides on one head.
struct Guides {
  std::vector<Vec3> outer, inner;  // [guides, points]
  std::vector<float> density;      // [guides] of the hair line at the root
  std::vector<float> loose;        // [guides, points] 0 where a hat lies on them
};

void pose_guides(const StrandGroup& group, const FaceParameters& face, const float* vertices, const std::uint8_t* hairline,
                 const std::vector<const MeshPart*>& press, Guides& out) {
  const bool hair = group.material == Material::hair;
  const int count = group.guides * group.points;
  out.outer.resize(count);
  out.inner.resize(count);
  out.loose.assign(count, 1.f);
  out.density.assign(group.guides, 1.f);
  const Vec3 neck = vec3(face.neck.data());
  const Vec3 turn[3] = {rotate(neck, {1, 0, 0}), rotate(neck, {0, 1, 0}), rotate(neck, {0, 0, 1})};
  for (int row = 0; row < count; ++row) {
    Vec3 moved{0, 0, 0};
    float share = 0.f;
    for (int k = 0; k < 3; ++k) {
      const std::int64_t anchor = group.anchor[3 * row + k];
      moved = moved + vec3(vertices + 3 * anchor) * group.weight[3 * row + k];
      if (hairline != nullptr) share += group.weight[3 * row + k] * static_cast<float>(hairline[anchor]) / 255.f;
    }
    if (row % group.points == 0 && group.behind_hairline && hairline != nullptr) out.density[row / group.points] = share;
    Vec3 offset = vec3(&group.offset[3 * row]);
    if (!hair) {
      out.outer[row] = moved + offset;
      out.inner[row] = moved + offset * (group.material == Material::lash ? 1.f : 0.6f);
      continue;
    }
    const Vec3 home = vec3(&group.home[3 * row]);
    const Vec3 turned = turn[0] * offset.x + turn[1] * offset.y + turn[2] * offset.z;
    offset = mix(offset, turned, smoothstep(-0.14f, -0.05f, home.y));
    const float height = length(offset), near = std::min(height, 0.06f) * smoothstep(0.09f, 0.045f, height);  // buns stay on
    float tall = height + near * (face.hair.volume - 1.f) * 0.7f;
    float low = tall - std::min(group.depth_m * face.hair.volume, 0.6f * tall);
    for (const MeshPart* hat : press)
      if (hat->press[0] * home.x + hat->press[1] * home.y + hat->press[2] * home.z + hat->press[3] > 0.f) {
        tall = std::min(tall, hat->press_height_m);
        low = std::min(low, 0.5f * tall);
        out.loose[row] = 0.f;
      }
    const Vec3 up = offset * (1.f / std::max(height, 1e-6f));
    out.outer[row] = moved + up * tall;
    out.inner[row] = moved + up * low;
  }
}

/// Point `at` (in points) of a path, by Catmull and Rom; straight on beyond the end.
Vec3 along_path(const Vec3* path, int points, float at, Vec3& tangent) {
  const int last = points - 1;
  const int p = std::min(static_cast<int>(at), last - 1);
  const float t = at - static_cast<float>(p);
  const Vec3 b = path[p], c = path[p + 1];
  const Vec3 slope_b = p > 0 ? (c - path[p - 1]) * 0.5f : c - b, slope_c = p + 1 < last ? (path[p + 2] - b) * 0.5f : c - b;
  if (t > 1.f) {
    tangent = c - b;
    return c + tangent * (t - 1.f);
  }
  const float t2 = t * t, t3 = t2 * t;
  tangent = b * (6.f * t2 - 6.f * t) + c * (6.f * t - 6.f * t2) + slope_b * (3.f * t2 - 4.f * t + 1.f) + slope_c * (3.f * t2 - 2.f * t);
  return b * (2.f * t3 - 3.f * t2 + 1.f) + c * (3.f * t2 - 2.f * t3) + slope_b * (t3 - 2.f * t2 + t) + slope_c * (t3 - t2);
}

/// Uniform point of a triangle.
void spread_in_triangle(float a, float b, float w[3]) {
  if (a + b > 1.f) a = 1.f - a, b = 1.f - b;
  w[0] = 1.f - a - b;
  w[1] = a;
  w[2] = b;
}

/// One ribbon: where it runs and how it is drawn.
struct Ribbon {
  Vec3 path[kMaxGuidePoints];
  float begin, rate;            // first point and points per segment along the path
  float half_width_m, roll;     // about its own axis
  float curl_m, turn_per_m, phase;
  Vec3 wander;                  // of the tip
  const float* loose;           // [points] 0 under a hat; null: no hat
  float layer, shade;           // 0 at the scalp .. 1 outside; random tone
  std::uint8_t label;
};

/// Writes the ribbon's rings from vertex v and its triangles from t on.
void write_ribbon(const StrandGroup& group, const Ribbon& r, std::int64_t v, std::int64_t t, Assembly& out) {
  const bool hair = group.material == Material::hair;
  const int segments = group.segments;
  const float roll_cos = std::cos(r.roll), roll_sin = std::sin(r.roll);
  float travelled = 0.f;
  Vec3 previous = r.path[0];
  for (int i = 0; i <= segments; ++i) {
    const float along = static_cast<float>(i) / static_cast<float>(segments);
    const float at = r.begin + r.rate * static_cast<float>(i);
    Vec3 tangent;
    Vec3 here = along_path(r.path, group.points, at, tangent);
    tangent = normalized(tangent);
    Vec3 outwards{here.x, std::max(here.y - 0.03f, 0.f), here.z + 0.03f};  // from the middle of the skull, below it from an axis
    outwards = normalized(outwards - tangent * dot(outwards, tangent));
    const Vec3 across = cross(tangent, outwards);
    const float loose = r.loose == nullptr ? 1.f : r.loose[std::min(static_cast<int>(at + 0.5f), group.points - 1)];
    if (r.curl_m > 0.f) {
      travelled += i > 0 ? length(here - previous) : 0.f;
      previous = here;
      const float swing = r.curl_m * loose * std::min(4.f * along, 1.f);
      const float angle = r.phase + r.turn_per_m * travelled;
      here = here + across * (swing * std::cos(angle)) + outwards * (0.7f * swing * std::sin(angle));
    }
    here = here + r.wander * (loose * along * along);
    const Vec3 side = across * roll_cos + outwards * roll_sin, normal = outwards * roll_cos - across * roll_sin;
    const float root = hair ? mix(0.55f, 1.f, std::min(8.f * along, 1.f)) : 1.f;  // no blunt ends on a bare temple
    const float half = r.half_width_m * root * mix(1.f, group.tip_width, along * along);
    const float open =
        hair ? mix(0.45f, 1.f, mix(r.layer, 1.f, 0.35f * along)) * mix(0.7f, 1.f, std::min(3.f * along, 1.f)) : mix(0.8f, 1.f, along);
    for (int k = 0; k < 2; ++k) {
      const std::int64_t id = v + 2 * i + k;
      const Vec3 q = here + side * (k == 0 ? -half : half);
      const float values[3][3] = {{q.x, q.y, q.z}, {normal.x, normal.y, normal.z}, {tangent.x, tangent.y, tangent.z}};
      std::copy_n(values[0], 3, &out.position[3 * id]);
      std::copy_n(values[1], 3, &out.normal[3 * id]);
      std::copy_n(values[2], 3, &out.rest[3 * id]);
      const float aux[4] = {along, k == 0 ? -1.f : 1.f, open, r.shade};
      std::copy_n(aux, 4, &out.aux[4 * id]);
    }
  }
  for (int i = 0; i < segments; ++i, t += 2) {
    const auto a = static_cast<std::int32_t>(v + 2 * i);
    const std::int32_t ids[6] = {a, a + 1, a + 2, a + 1, a + 3, a + 2};
    std::copy_n(ids, 6, &out.triangles[3 * t]);
    out.label[t] = out.label[t + 1] = r.label;
  }
}

}  // namespace

void append_strands(const ForgeHead::Impl& model, int index, const FaceParameters& face, const float* vertices, const float*,
                    const std::uint8_t* hairline, const std::vector<const MeshPart*>& press, Assembly& out) {
  const StrandGroup& group = model.strands[index];
  const HairShape& shape = face.hair;
  const bool hair = group.material == Material::hair;
  const int points = group.points, segments = group.segments;
  thread_local Guides guides;
  pose_guides(group, face, vertices, hairline, press, guides);

  const auto part = static_cast<std::uint8_t>(out.parts.size());
  out.parts.push_back(part_of(group, face.appearance));
  const std::int64_t first_vertex = out.vertices(), first_triangle = out.count();
  const std::int64_t most = first_vertex + std::int64_t{group.locks} * 2 * (segments + 1);
  const std::int64_t most_triangles = first_triangle + std::int64_t{group.locks} * 2 * segments;
  out.position.resize(3 * most);
  out.normal.resize(3 * most);
  out.rest.resize(3 * most);
  out.aux.resize(4 * most);
  out.triangles.resize(3 * most_triangles);
  out.label.resize(most_triangles);
  std::int64_t v = first_vertex, t = first_triangle;

  const RandomKey lock_key{shape.seed, static_cast<std::uint64_t>(index) << 24, purpose_id("strand")};
  const RandomKey clump_key{shape.seed, static_cast<std::uint64_t>(index) << 24, purpose_id("clump")};
  const auto cells = static_cast<std::int64_t>(group.cells.size());
  const float clump = std::clamp(hair ? group.clump * 2.f * shape.clump : group.clump, 0.f, 0.96f);
  const float curl = std::clamp(group.curl + (hair ? shape.curl : 0.f), 0.f, 1.3f) * group.curl_m;
  const float clumps = std::clamp(group.clumps, 1.f, 15.9f);
  const float stray = group.stray_m * (hair ? shape.frizz : 0.3f);
  for (int lock = 0; lock < group.locks; ++lock) {
    RandomKey key = lock_key;
    key.index += static_cast<std::uint64_t>(lock);
    const PhiloxBlock bits = philox_block(key, 0);
    const std::int64_t c = lock * cells / group.locks;  // as many in every cell
    const std::array<std::uint16_t, 4>& cell = group.cells[c];
    float root[3];
    spread_in_triangle(uniform_from_bits(bits.x[0]), uniform_from_bits(bits.x[1]), root);
    const float dense = root[0] * guides.density[cell[0]] + root[1] * guides.density[cell[1]] + root[2] * guides.density[cell[2]];
    const float shade = static_cast<float>(bits.x[2] & 0xFFFFu) / 65536.f;
    float layer = static_cast<float>(bits.x[2] >> 16) / 65536.f;
    if (dense < 0.5f + 0.25f * (shade - 0.4f)) continue;  // a soft border
    const PhiloxBlock more = philox_block(key, 1);
    const auto small = [&more](int word, int half) { return static_cast<float>((more.x[word] >> (16 * half)) & 0xFFFFu) / 65536.f; };

    // The clump: another point of the same cell, shared with its other ribbons.
    RandomKey shared = clump_key;
    shared.index += static_cast<std::uint64_t>(c) * 16 + static_cast<std::uint64_t>(uniform_from_bits(bits.x[3]) * clumps);
    const PhiloxBlock clump_bits = philox_block(shared, 0);
    float tip[3];
    spread_in_triangle(uniform_from_bits(clump_bits.x[0]), uniform_from_bits(clump_bits.x[1]), tip);
    const float clump_layer = static_cast<float>(clump_bits.x[2] >> 16) / 65536.f;
    const float clump_reach = static_cast<float>(clump_bits.x[2] & 0xFFFFu) / 65536.f;
    const float phase = kTurn * (uniform_from_bits(clump_bits.x[3]) + 0.35f * small(0, 0));
    const bool flyaway = small(0, 1) < 0.10f * (hair ? shape.frizz : 0.2f);
    if (flyaway) layer = 1.f;

    int nearest = 0;
    if (cell[3] != 0) {
      nearest = root[0] >= root[1] ? (root[0] >= root[2] ? 0 : 2) : (root[1] >= root[2] ? 1 : 2);
      for (int k = 0; k < 3; ++k) tip[k] = k == nearest ? 1.f : 0.f;
    }
    const Vec3* outer[3];
    const Vec3* inner[3];
    for (int k = 0; k < 3; ++k) {
      outer[k] = &guides.outer[cell[k] * points];
      inner[k] = &guides.inner[cell[k] * points];
    }
    const Vec3 place = outer[0][0] * root[0] + outer[1][0] * root[1] + outer[2][0] * root[2];
    Ribbon ribbon;
    Vec3* path = ribbon.path;
    for (int p = 0; p < points; ++p) {
      const float along = static_cast<float>(p) / static_cast<float>(points - 1);
      const float pull = clump * smoothstep(0.f, 0.9f, along);
      const float height = mix(layer, clump_layer, 0.6f * pull);
      if (cell[3] != 0) {
        path[p] = mix(inner[nearest][p], outer[nearest][p], height) + (place - outer[nearest][0]) * (1.f - 0.7f * pull);
        continue;
      }
      path[p] = {0.f, 0.f, 0.f};
      for (int k = 0; k < 3; ++k) path[p] = path[p] + mix(inner[k][p], outer[k][p], height) * mix(root[k], tip[k], pull);
    }
    if (group.parallel > 0.f) {  // guides run together (a tail): keep ribbons apart
      const Vec3 apart{small(1, 0) - 0.5f, small(1, 1) - 0.5f, small(2, 0) - 0.5f};
      for (int p = 1; p < points; ++p)
        path[p] = path[p] + apart * (group.parallel * std::min(1.f, 3.f * static_cast<float>(p) / static_cast<float>(points)));
    }

    const float reach = (hair ? shape.length : 1.f) * (1.f - group.ragged * mix(small(2, 1), clump_reach, 0.5f * clump));
    const float wild = flyaway ? 2.5f : square(small(3, 0));
    ribbon.wander = Vec3{small(1, 0) - 0.5f, small(1, 1) - 0.4f, small(2, 0) - 0.5f} * (2.f * stray * wild);
    ribbon.roll = (small(3, 1) - 0.5f) * 1.5f;
    ribbon.half_width_m = 0.5f * group.width_m * (flyaway ? 0.3f : hair ? mix(1.25f, 0.55f, layer * shade) : mix(1.15f, 0.8f, shade));
    ribbon.label = label_of(group.material, place.x > 0.f);
    ribbon.layer = layer;
    ribbon.shade = shade;
    ribbon.curl_m = curl;
    ribbon.phase = phase;
    ribbon.loose = press.empty() ? nullptr : &guides.loose[cell[0] * points];
    ribbon.begin = group.start * small(1, 0) * static_cast<float>(points - 1);
    ribbon.rate = reach * (1.f - group.start) * static_cast<float>(points - 1) / static_cast<float>(segments);
    float path_m = 0.f;
    for (int p = 1; p < points; ++p) path_m += length(ribbon.path[p] - ribbon.path[p - 1]);
    const float stride = path_m * reach * (1.f - group.start) / static_cast<float>(segments);
    ribbon.turn_per_m = kTurn / std::max({group.curl_pitch_m, 7.f * stride, 1e-4f});  // a curl needs seven segments a turn
    write_ribbon(group, ribbon, v, t, out);
    v += 2 * (segments + 1);
    t += 2 * segments;
  }
  out.position.resize(3 * v);
  out.normal.resize(3 * v);
  out.rest.resize(3 * v);
  out.aux.resize(4 * v);
  out.triangles.resize(3 * t);
  out.label.resize(t);
  out.part.resize(t, part);
}

}  // namespace forge_rt
