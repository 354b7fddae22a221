// One pixel: labels sample by sample, colour once per visible part, depth, normal and texture coordinates at the centre.
// The CPU loops over rows, the CUDA kernel runs one thread per pixel; both call render_pixel.
#pragma once

#include "scene.h"
#include "shading/shade.h"

namespace forge_rt {

constexpr int kMaxSamples = 16;  // 4 x 4

/// Barycentrics of triangle `t` at sample (row, column) of the supersampled image.
FORGE_HD void sample_weights(const SceneArgs& s, std::int32_t t, int row, int column, float w[3]) {
  raster::RasterizeArgs args{};
  args.height = s.height * s.factor;
  args.width = s.width * s.factor;
  args.perspective = true;
  args.near = s.near;
  const std::int32_t* id = s.triangles + 3 * std::int64_t{t};
  const raster::ClipVertex v[3] = {s.clip[id[0]], s.clip[id[1]], s.clip[id[2]]};
  raster::watertight_barycentrics(args, v, row, column, w);
}

FORGE_HD Vec3 blend(const float* values, const std::int32_t* id, const float w[3]) {
  return vec3(values + 3 * std::int64_t{id[0]}) * w[0] + vec3(values + 3 * std::int64_t{id[1]}) * w[1] +
         vec3(values + 3 * std::int64_t{id[2]}) * w[2];
}
FORGE_HD float blend_aux(const SceneArgs& s, const std::int32_t* id, const float w[3], int channel) {
  return w[0] * s.aux[4 * std::int64_t{id[0]} + channel] + w[1] * s.aux[4 * std::int64_t{id[1]} + channel] +
         w[2] * s.aux[4 * std::int64_t{id[2]} + channel];
}

/// Is this template point on a brow?
FORGE_HD bool on_brow(const SceneArgs& s, float x, float y) {
  const float side = fabsf(x);
  if (side < s.brow_x[0] || side >= s.brow_x[4]) return false;
  int k = 0;
  while (k < 3 && side >= s.brow_x[k + 1]) ++k;
  const float t = (side - s.brow_x[k]) / (s.brow_x[k + 1] - s.brow_x[k]);
  return fabsf(y - mix(s.brow_y[k], s.brow_y[k + 1], t)) < mix(s.brow_half[k], s.brow_half[k + 1], t) + s.brow_margin;
}

/// Internal class of triangle `t` at barycentrics w. `bare`: hair on the scalp does not count.
FORGE_HD std::uint8_t class_at(const SceneArgs& s, std::int32_t t, const float w[3], bool bare) {
  const std::uint8_t fixed = s.label[t];
  if (fixed != 255) return fixed;
  const std::int32_t* id = s.triangles + 3 * std::int64_t{t};
  const float u = blend_aux(s, id, w, 0), v = blend_aux(s, id, w, 1);
  const int column = raster::imin(raster::imax(static_cast<int>(u * static_cast<float>(s.semantic_width)), 0), s.semantic_width - 1);
  const int row = raster::imin(raster::imax(static_cast<int>((1.f - v) * static_cast<float>(s.semantic_height)), 0), s.semantic_height - 1);
  std::uint8_t label = s.semantic_uv[static_cast<std::int64_t>(row) * s.semantic_width + column];
  if (label == kLeftBrow || label == kRightBrow) label = kSkin;
  if (label == kSkin) {
    const Vec3 rest = blend(s.rest, id, w);
    if (rest.z > 0.f && on_brow(s, rest.x, rest.y)) return rest.x > 0.f ? kLeftBrow : kRightBrow;
  }
  if (!bare && (label == kSkin || label == kNeck) && blend_aux(s, id, w, 3) > 0.5f) return kHair;
  return label;
}

/// How much light of a map reaches a point, and how thick what is in its way, metres.
struct Openness {
  float share, thickness_m;
};

/// 16 texels under a cubic B-spline: as smooth as shadows get, and as wide as the map is coarse. Texels are compared with the plane of the
/// surface rather than with the point, so that surfaces do not shade themselves. `slack`: metres.
FORGE_HD Openness open_share(const DepthMap& map, Vec3 p, Vec3 normal, float slack) {
  const auto size = static_cast<float>(map.size);
  const float per_metre = 0.5f * size / map.radius_m, texel = 1.f / per_metre, facing = larger(dot(normal, map.towards), 0.f);
  const Vec3 q = p + normal * (0.5f * slack + 1.6f * texel * square(1.f - facing)) - map.centre;  // grazing light needs more distance
  const float x = dot(q, map.right) * per_metre + 0.5f * size - 0.5f, y = 0.5f * size - 0.5f - dot(q, map.up) * per_metre;
  const float fx = floorf(x), fy = floorf(y);
  const int column = static_cast<int>(fx) - 1, row = static_cast<int>(fy) - 1;
  if (column < 0 || row < 0 || column + 4 > map.size || row + 4 > map.size) return {1.f, 0.f};
  const auto spline = [](float t, float w[4]) {
    const float r = 1.f - t;
    constexpr float kSixth = 1.f / 6.f;
    w[0] = r * r * r * kSixth;
    w[1] = (4.f + t * t * (3.f * t - 6.f)) * kSixth;
    w[2] = (4.f + r * r * (3.f * r - 6.f)) * kSixth;
    w[3] = t * t * t * kSixth;
  };
  float wx[4], wy[4];
  spline(x - fx, wx);
  spline(y - fy, wy);
  const float steep = texel / larger(facing, 0.2f);
  const float dx = dot(normal, map.right) * steep, dy = -dot(normal, map.up) * steep;
  const float z = map.radius_m * 2.f - dot(q, map.towards) - slack - dx * (1.f + x - fx) - dy * (1.f + y - fy);
  const float ramp = 1.f / (0.0006f + 0.4f * texel);
  const float step[4] = {0.f, dx, 2.f * dx, 3.f * dx};
  float open[4] = {0.f, 0.f, 0.f, 0.f}, thickness[4] = {0.f, 0.f, 0.f, 0.f};  // by column: four lanes of a vector
  for (int j = 0; j < 4; ++j) {
    const float* line = map.depth + (row + j) * map.size + column;
    const float level = z + static_cast<float>(j) * dy, weight = wy[j];
    for (int i = 0; i < 4; ++i) {
      const float over = larger(line[i] > 0.f ? level + step[i] - line[i] : 0.f, 0.f);  // metres behind what casts
      open[i] += weight * larger(1.f - over * ramp, 0.f);
      thickness[i] += weight * over;
    }
  }
  const float share = wx[0] * open[0] + wx[1] * open[1] + wx[2] * open[2] + wx[3] * open[3];
  const float metres = wx[0] * thickness[0] + wx[1] * thickness[1] + wx[2] * thickness[2] + wx[3] * thickness[3];
  return {smoothstep(0.03f, 0.97f, share), metres + 0.5f * slack};  // the ends of the spline show the texels
}

/// Lips with a soft border: share of lip texels around (u, v) of the class map.
FORGE_HD float lip_share(const SceneArgs& s, float u, float v) {
  const float x = u * static_cast<float>(s.semantic_width) - 0.5f, y = (1.f - v) * static_cast<float>(s.semantic_height) - 0.5f;
  const float fx = floorf(x), fy = floorf(y), tx = x - fx, ty = y - fy;
  const int column = static_cast<int>(fx), row = static_cast<int>(fy);
  const float wx[4] = {1.f - tx, 1.f, 1.f, tx}, wy[4] = {1.f - ty, 1.f, 1.f, ty};  // a box of three texels, interpolated
  float lip = 0.f;
  for (int j = 0; j < 4; ++j)
    for (int i = 0; i < 4; ++i) {
      const int r = raster::imin(raster::imax(row - 1 + j, 0), s.semantic_height - 1);
      const int c = raster::imin(raster::imax(column - 1 + i, 0), s.semantic_width - 1);
      const std::uint8_t label = s.semantic_uv[static_cast<std::int64_t>(r) * s.semantic_width + c];
      lip += label == kUpperLip || label == kLowerLip || label == kMouth ? wx[i] * wy[j] : 0.f;
    }
  return lip / 9.f;
}

/// Brows with a soft border.
FORGE_HD float brow_share(const SceneArgs& s, float x, float y) {
  const float side = fabsf(x);
  if (side < s.brow_x[0] - 0.004f || side > s.brow_x[4] + 0.004f) return 0.f;
  int k = 0;
  while (k < 3 && side >= s.brow_x[k + 1]) ++k;
  const float t = saturate((side - s.brow_x[k]) / (s.brow_x[k + 1] - s.brow_x[k]));
  const float off = fabsf(y - mix(s.brow_y[k], s.brow_y[k + 1], t)), half = mix(s.brow_half[k], s.brow_half[k + 1], t);
  const float beyond = larger(larger(s.brow_x[0] - side, side - s.brow_x[4]), 0.f);
  return saturate(1.3f - off / (half + 0.0005f)) * saturate(1.f - beyond * 250.f);
}

FORGE_HD shade::Fragment fragment_at(const SceneArgs& s, std::int32_t t, const float w[3], std::uint8_t label) {
  const std::int32_t* id = s.triangles + 3 * std::int64_t{t};
  const shade::Part& part = s.parts[s.part[t]];
  shade::Fragment f;
  f.position = blend(s.position, id, w);
  f.normal = normalized(blend(s.normal, id, w));
  f.rest = blend(s.rest, id, w);
  for (int k = 0; k < 4; ++k) f.aux[k] = blend_aux(s, id, w, k);
  f.aux[2] = larger(f.aux[2], 0.05f);
  const Vec3 view = s.eye - f.position;
  const float distance = length(view);
  f.to_eye = view * (1.f / distance);
  f.pixel_m = distance * s.pixel_angle;
  f.label = label;
  f.lip = f.brow = 0.f;
  if (part.strand != 0) f.rest = normalized(f.rest);
  if (part.strand == 0 && part.material >= static_cast<std::uint8_t>(Material::cloth)) {  // sheets are seen from both sides
    const Vec3 corner = vec3(s.position + 3 * std::int64_t{id[0]});
    const Vec3 side = cross(vec3(s.position + 3 * std::int64_t{id[1]}) - corner, vec3(s.position + 3 * std::int64_t{id[2]}) - corner);
    if (dot(side, f.to_eye) < 0.f) f.normal = -f.normal;
  }
  if (s.matte) f.to_eye = f.normal;
  if (const float facing = dot(f.normal, f.to_eye); facing < 0.f)  // at the rim the interpolated normal turns away
    f.normal = part.strand != 0 ? -f.normal : normalized(f.normal - f.to_eye * facing);
  f.shadow = 0.f;
  f.thickness_m = 1.f;
  const bool thin = part.strand != 0 || label == kLeftEar || label == kRightEar || label == kNose;
  if (thin || dot(f.normal, s.key_map.towards) > -0.45f) {  // the rest of what faces away gets nothing, shadow or not
    const Openness key = open_share(s.key_map, f.position, f.normal, s.key_slack);
    f.shadow = key.share;
    f.thickness_m = key.thickness_m;
  }
  f.sky = 1.f;  // strands carry their own occlusion
  if (part.strand == 0) {
    const Openness sky = open_share(s.sky_map, f.position, f.normal, 0.006f);
    f.sky = 1.f - 0.8f * (1.f - sky.share) * saturate(0.4f + 0.6f * dot(f.normal, s.sky_map.towards));
  }
  if (part.material == static_cast<std::uint8_t>(Material::skin) && f.rest.z > 0.f) {
    const float y = 10.f * f.rest.y - s.look.height[3];
    if (fabsf(y) < 0.16f && fabsf(f.rest.x) < 0.034f) f.lip = lip_share(s, f.aux[0], f.aux[1]);
    if (f.rest.y > s.brow_y[0] - 0.02f && f.rest.y < s.brow_y[0] + 0.025f) f.brow = brow_share(s, f.rest.x, f.rest.y);
  }
  return f;
}

FORGE_HD Vec3 triangle_color(const SceneArgs& s, std::int32_t t, int row, int column, std::uint8_t label) {
  float w[3];
  sample_weights(s, t, row, column, w);
  return shade::fragment_color(s.look, s.light, s.parts[s.part[t]], fragment_at(s, t, w, label));
}

FORGE_HD Vec3 background_of(const SceneArgs& s, int row, int column) {
  return shade::background_at(s.background, (static_cast<float>(column) + 0.5f) / static_cast<float>(s.width),
                              (static_cast<float>(row) + 0.5f) / static_cast<float>(s.width));
}

/// What a lens shows at sample (row, column) of the supersampled image.
FORGE_HD Vec3 lens_color(const SceneArgs& s, std::int32_t lens, int row, int column) {
  const std::int32_t t = s.face_behind[static_cast<std::int64_t>(row) * s.width * s.factor + column];
  float w[3];
  Vec3 behind;
  if (t < 0) {
    behind = background_of(s, row / s.factor, column / s.factor);
  } else {
    sample_weights(s, t, row, column, w);
    behind = triangle_color(s, t, row, column, class_at(s, t, w, false));
  }
  sample_weights(s, lens, row, column, w);
  return shade::through_lens(s.light, s.parts[s.part[lens]], fragment_at(s, lens, w, kLens), behind);
}

FORGE_HD int most_frequent(const std::uint8_t* label, int count) {
  int best = 0, best_votes = 0;
  for (int i = 0; i < count; ++i) {
    int votes = 0;
    for (int k = 0; k < count; ++k) votes += label[k] == label[i];
    if (votes > best_votes || (votes == best_votes && label[i] < label[best])) {
      best = i;
      best_votes = votes;
    }
  }
  return best;
}

/// Class of the output for triangle `t` of class `label` at a sample. Lenses may be labelled as what is behind them.
FORGE_HD std::uint8_t output_class(const SceneArgs& s, std::uint8_t label, int y, int x, bool bare) {
  if (label == kLens && s.lens_is_clear) {
    const std::int32_t t = s.face_behind != nullptr ? s.face_behind[static_cast<std::int64_t>(y) * s.width * s.factor + x] : -1;
    float w[3] = {1.f, 0.f, 0.f};
    if (t >= 0 && s.label[t] == 255) sample_weights(s, t, y, x, w);
    label = t >= 0 ? class_at(s, t, w, bare) : std::uint8_t{kBackground};
  }
  return s.label_map[label];
}

/// Majority of a layer's samples.
FORGE_HD std::uint8_t layer_class(const SceneArgs& s, const std::int32_t* face, int row, int column, bool bare) {
  std::uint8_t label[kMaxSamples];
  const int count = s.factor * s.factor;
  bool uniform = true;
  for (int k = 0; k < count; ++k) {
    const int y = row * s.factor + k / s.factor, x = column * s.factor + k % s.factor;
    const std::int32_t t = face[static_cast<std::int64_t>(y) * s.width * s.factor + x];
    label[k] = 0;
    if (t >= 0) {
      float w[3] = {1.f, 0.f, 0.f};
      if (s.label[t] == 255) sample_weights(s, t, y, x, w);
      label[k] = output_class(s, class_at(s, t, w, bare), y, x, bare);
    }
    uniform = uniform && label[k] == label[0];
  }
  return label[uniform ? 0 : most_frequent(label, count)];
}

FORGE_HD void render_pixel(const SceneArgs& s, int row, int column) {
  const int factor = s.factor, count = factor * factor;
  const std::int64_t pitch = static_cast<std::int64_t>(s.width) * factor;
  const std::int64_t pixel = static_cast<std::int64_t>(row) * s.width + column;

  std::int32_t face[kMaxSamples];
  std::uint8_t label[kMaxSamples];
  bool done[kMaxSamples];
  Vec3 color{0.f, 0.f, 0.f};
  int empty = 0;
  bool uniform = true;  // one class for all samples
  for (int k = 0; k < count; ++k) {
    face[k] = s.face[(row * factor + k / factor) * pitch + column * factor + k % factor];
    done[k] = face[k] < 0;
    label[k] = 0;
    empty += face[k] < 0;
  }
  for (int k = 0; k < count; ++k) {
    if (face[k] < 0) continue;
    const int y = row * factor + k / factor, x = column * factor + k % factor;
    float w[3] = {1.f, 0.f, 0.f};
    const bool looked_up = s.label[face[k]] == 255;
    if (looked_up) sample_weights(s, face[k], y, x, w);
    label[k] = class_at(s, face[k], w, false);
    if (done[k]) continue;
    // All samples of the same surface share one colour: of a part, or of a strand's triangle.
    const std::uint8_t part = s.part[face[k]];
    const bool strand = s.parts[part].strand != 0;
    int share = 0;
    for (int i = k; i < count; ++i)
      if (!done[i] && (strand ? face[i] == face[k] : s.part[face[i]] == part)) {
        done[i] = true;
        ++share;
      }
    Vec3 c;
    if (s.parts[part].alpha < 1.f && s.face_behind != nullptr) {
      c = lens_color(s, face[k], y, x);
    } else {
      if (!looked_up) sample_weights(s, face[k], y, x, w);
      c = shade::fragment_color(s.look, s.light, s.parts[part], fragment_at(s, face[k], w, label[k]));
    }
    color = color + c * (static_cast<float>(share) / static_cast<float>(count));
  }
  if (empty > 0) color = color + background_of(s, row, column) * (static_cast<float>(empty) / static_cast<float>(count));
  s.color[3 * pixel] = color.x;
  s.color[3 * pixel + 1] = color.y;
  s.color[3 * pixel + 2] = color.z;

  for (int k = 0; k < count; ++k) {
    label[k] = output_class(s, label[k], row * factor + k / factor, column * factor + k % factor, false);
    uniform = uniform && label[k] == label[0];
  }
  int best = uniform ? 0 : most_frequent(label, count);
  if (!s.wisps && label[best] == s.label_map[kHair]) {  // single strands do not count: closed hair only
    for (int k = 0; k < count; ++k)
      if (label[k] != label[best]) {
        best = k;
        break;
      }
  }
  s.out_label[pixel] = label[best];
  const std::int64_t plane = static_cast<std::int64_t>(s.width) * s.height;
  if (s.out_soft != nullptr)
    for (int k = 0; k < count; ++k)
      if (label[k] < s.classes) s.out_soft[label[k] * plane + pixel] += 1.f / static_cast<float>(count);
  for (int layer = 0; layer < 2; ++layer)
    if (s.out_layer[layer] != nullptr)
      s.out_layer[layer][pixel] =
          s.face_layer[layer] == s.face ? s.out_label[pixel] : layer_class(s, s.face_layer[layer], row, column, layer == 1);

  // The surface of the winning class at the pixel centre.
  if (s.out_uv != nullptr) s.out_uv[2 * pixel] = s.out_uv[2 * pixel + 1] = -1.f;
  if (s.out_normal != nullptr)
    for (int i = 0; i < 3; ++i) s.out_normal[3 * pixel + i] = 0.f;
  s.out_depth[pixel] = 0.f;
  if (face[best] < 0) return;
  const std::int32_t* id = s.triangles + 3 * std::int64_t{face[best]};
  const raster::ClipVertex corner[3] = {s.clip[id[0]], s.clip[id[1]], s.clip[id[2]]};
  float w[3];
  raster::homogeneous_barycentrics(corner, (static_cast<float>(column) + 0.5f) / (0.5f * static_cast<float>(s.width)) - 1.f,
                                   1.f - (static_cast<float>(row) + 0.5f) / (0.5f * static_cast<float>(s.height)), w);
  s.out_depth[pixel] = w[0] * corner[0].w + w[1] * corner[1].w + w[2] * corner[2].w;
  if (s.out_uv != nullptr && id[0] < s.head_vertices) {
    s.out_uv[2 * pixel] = blend_aux(s, id, w, 0);
    s.out_uv[2 * pixel + 1] = blend_aux(s, id, w, 1);
  }
  if (s.out_normal != nullptr) {
    Vec3 n = normalized(blend(s.normal, id, w));
    if (dot(n, s.eye - blend(s.position, id, w)) < 0.f) n = -n;
    for (int i = 0; i < 3; ++i) s.out_normal[3 * pixel + i] = s.view[3 * i] * n.x + s.view[3 * i + 1] * n.y + s.view[3 * i + 2] * n.z;
  }
}

}  // namespace forge_rt
