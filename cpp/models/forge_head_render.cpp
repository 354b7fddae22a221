// ForgeHead's renderer: mesh → coverage at several samples a pixel → labels, depth, normals, colour once per pixel and visible part.
#include <algorithm>
#include <cstring>
#include <limits>

#include "forge_head_impl.h"
#include "forge_head_shade.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/ops/label_projection.h"
#include "forge_rt/ops/rasterize.h"
#include "ops/label_projection_table.h"
#include "ops/raster_geometry.h"

namespace forge_rt {

void RenderOptions::validate() const {
  check_argument(supersample >= 1 && supersample <= 4, "supersample must be 1..4, got ", supersample);
  check_argument(size.height >= 1 && size.width >= 1 && size.height * supersample <= raster::kMaxImage &&
                     size.width * supersample <= raster::kMaxImage,
                 "image size times supersample must be 1..", raster::kMaxImage, ", got ", size.height, " x ", size.width, " times ",
                 supersample);
}

namespace {

constexpr float kNear = 0.02f;           // metres
constexpr float kLandmarkSlack = 0.006f; // metres: a landmark may lie this far behind the depth map and still count as visible
constexpr int kShadowSize = 384;
constexpr float kShadowRadius = 0.24f;   // metres around kShadowCentre that cast shadows
const Vec3 kShadowCentre{0.f, -0.03f, -0.03f};

// One channel of light reaching the head: depth from the key light.
struct ShadowMap {
  Tensor depth;  // [1, S, S]
  Vec3 right, up, towards;

  // Share of 3 x 3 taps that see the light, 0..1.
  float at(Vec3 p, Vec3 normal) const {
    const Vec3 q = p + normal * 0.0022f - kShadowCentre;
    const float x = (dot(q, right) / kShadowRadius * 0.5f + 0.5f) * kShadowSize - 0.5f,
                y = (0.5f - dot(q, up) / kShadowRadius * 0.5f) * kShadowSize - 0.5f;
    const float z = kShadowRadius * 2.f - dot(q, towards) - 0.0018f;
    const float* map = depth.data<float>();
    const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
    const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
    const auto open = [&](int cx, int cy) {
      if (cx < 0 || cy < 0 || cx >= kShadowSize || cy >= kShadowSize) return 1.f;
      const float d = map[cy * kShadowSize + cx];
      return d <= 0.f || z <= d ? 1.f : 0.f;
    };
    float sum = 0.f;
    for (int dy = -1; dy <= 2; ++dy)
      for (int dx = -1; dx <= 2; ++dx) {
        const float wx = dx == -1 ? 1.f - fx : dx == 2 ? fx : 1.f, wy = dy == -1 ? 1.f - fy : dy == 2 ? fy : 1.f;
        sum += wx * wy * open(x0 + dx, y0 + dy);
      }
    return sum / 9.f;
  }
};

struct Scene {
  const ForgeHead::Impl& model;
  const FaceParameters& face;
  const Camera& camera;
  const RenderOptions& options;
  const float* vertices;  // [V, 3]
  const float* normals;   // [V, 3]
  const raster::ClipVertex* clip;  // [V], NDC does not depend on the supersampling
  std::vector<raster::ScreenVertex> screen;  // [V] at the supersampled resolution
  std::vector<std::uint8_t> safe;            // [V] screen is valid
  std::uint64_t visible_parts;
  Vec3 eye;
  Vec3 key;
  ShadowMap shadow;
};

std::uint64_t visible_parts(const ForgeHead::Impl& model, const FaceParameters& face) {
  std::uint64_t mask = 0;
  for (const auto& [set, choice] : face.options) {
    const auto found = model.options.find(set);
    check_argument(found != model.options.end(), "this head has no set of options named '", set, "'");
    check_argument(std::find(found->second.begin(), found->second.end(), choice) != found->second.end(), "option '", set,
                   "' has no choice '", choice, "'");
  }
  for (std::size_t p = 0; p < model.parts.size(); ++p) {
    const HeadPart& part = model.parts[p];
    const auto chosen = face.options.find(part.set);
    if (part.set.empty() || (chosen != face.options.end() && chosen->second == part.choice)) mask |= std::uint64_t{1} << p;
  }
  return mask;
}

ShadowMap draw_shadow(const ForgeHead::Impl& model, const float* vertices, std::uint64_t parts, Vec3 towards) {
  ShadowMap map;
  map.towards = towards;
  map.right = normalized(cross(std::abs(towards.y) < 0.99f ? Vec3(0, 1, 0) : Vec3(0, 0, 1), towards));
  map.up = cross(towards, map.right);
  const std::int64_t count = model.head->vertices();
  Tensor clip = Tensor::empty({1, count, 4}, DType::f32, {}, "shadow map");
  float* out = clip.mutable_data<float>();
  for (std::int64_t v = 0; v < count; ++v) {
    const Vec3 q = Vec3(vertices + 3 * v) - kShadowCentre;
    out[4 * v] = dot(q, map.right) / kShadowRadius;
    out[4 * v + 1] = dot(q, map.up) / kShadowRadius;
    out[4 * v + 2] = kShadowRadius * 2.f - dot(q, towards);  // distance from a plane in front of everything
    out[4 * v + 3] = 1.f;
  }
  RasterMesh mesh;
  mesh.triangles = model.head->triangles();
  mesh.face_part = model.face_part;
  // Glasses cast hard rings that look like errors at this resolution.
  for (std::size_t p = 0; p < model.parts.size(); ++p)
    if (model.parts[p].material == Material::glasses) parts &= ~(std::uint64_t{1} << p);
  mesh.visible_parts = Tensor::from(std::vector<std::uint64_t>{parts}, {1});
  RasterizeOptions options;
  options.size = {kShadowSize, kShadowSize};
  options.cull = Cull::none;
  options.perspective = false;
  options.want_barycentrics = false;
  map.depth = rasterize(clip, mesh, options).depth;
  return map;
}

// Barycentrics of triangle `id` at supersampled position (row, column) of an image `factor` times the output.
void sample_weights(const Scene& scene, const std::int32_t* id, int row, int column, int factor, float w[3]) {
  raster::Edges e;
  if (scene.safe[id[0]] && scene.safe[id[1]] && scene.safe[id[2]] &&
      raster::setup_edges(scene.screen[id[0]], scene.screen[id[1]], scene.screen[id[2]], false, e)) {
    raster::edge_barycentrics(e, true, row, column, w);
    return;
  }
  raster::RasterizeArgs args{};
  args.height = scene.options.size.height * factor;
  args.width = scene.options.size.width * factor;
  args.perspective = true;
  args.near = kNear;
  const raster::ClipVertex v[3] = {scene.clip[id[0]], scene.clip[id[1]], scene.clip[id[2]]};
  raster::watertight_barycentrics(args, v, row, column, w);
}

Vec3 blend(const float* values, const std::int32_t* id, const float w[3]) {
  return Vec3(values + 3 * std::int64_t{id[0]}) * w[0] + Vec3(values + 3 * std::int64_t{id[1]}) * w[1] +
         Vec3(values + 3 * std::int64_t{id[2]}) * w[2];
}

void blend_uv(const ForgeHead::Impl& model, std::int32_t triangle, const float w[3], float& u, float& v) {
  const std::int32_t* id = model.uv_triangles.data<std::int32_t>() + 3 * std::int64_t{triangle};
  const float* uv = model.uv.data<float>();
  u = w[0] * uv[2 * id[0]] + w[1] * uv[2 * id[1]] + w[2] * uv[2 * id[2]];
  v = w[0] * uv[2 * id[0] + 1] + w[1] * uv[2 * id[1] + 1] + w[2] * uv[2 * id[2] + 1];
}

std::uint8_t label_at(const ForgeHead::Impl& model, std::int32_t triangle, const float w[3]) {
  const std::uint8_t fixed = model.face_labels.data<std::uint8_t>()[triangle];
  if (fixed != kLabelFromUv) return fixed;
  float u, v;
  blend_uv(model, triangle, w, u, v);
  const int height = static_cast<int>(model.semantic_uv.size(0)), width = static_cast<int>(model.semantic_uv.size(1));
  return model.semantic_uv
      .data<std::uint8_t>()[static_cast<std::int64_t>(labels::texel_of(1.f - v, height)) * width + labels::texel_of(u, width)];
}

Vec3 shade_fragment(const Scene& scene, std::int32_t triangle, const float w[3], std::uint8_t label) {
  const ForgeHead::Impl& model = scene.model;
  const std::int32_t* id = model.head->triangles().data<std::int32_t>() + 3 * std::int64_t{triangle};
  shade::Fragment f;
  f.position = blend(scene.vertices, id, w);
  f.normal = normalized(blend(scene.normals, id, w));
  f.rest = blend(model.rest.data<float>(), id, w);
  blend_uv(model, triangle, w, f.u, f.v);
  const float* open = model.occlusion.data<float>();
  f.occlusion = std::max(w[0] * open[id[0]] + w[1] * open[id[1]] + w[2] * open[id[2]], 0.05f);
  f.to_eye = normalized(scene.eye - f.position);
  f.label = label;
  f.part = &model.parts[model.face_part.data<std::uint8_t>()[triangle]];
  if (const float facing = dot(f.normal, f.to_eye); facing < 0.f) {
    // Sheets of hair are seen from both sides. On closed parts a normal turns away only at the silhouette: keep it at the rim there.
    f.normal = f.part->material == Material::hair ? -f.normal : normalized(f.normal - f.to_eye * facing);
  }
  f.shadow = scene.shadow.at(f.position, f.normal);
  float eye_angle = 0.f, eye_turn = 0.f;
  if (f.part->material == Material::eye) {
    const float cu = (f.u - f.part->chart[0]) / f.part->chart[2], cv = (f.v - f.part->chart[1]) / f.part->chart[3];
    eye_angle = std::sqrt(cu * cu + cv * cv) * model.eye_last_angle;
    eye_turn = std::atan2(cv, cu);
  }
  const shade::Surface surface = shade::surface_of(scene.face.appearance, f, eye_angle, eye_turn, model.iris_angle);
  return shade::lit(surface, f, scene.face.light, scene.key);
}

Vec3 background_at(const Scene& scene, float x, float y) {
  const FaceAppearance& look = scene.face.appearance;
  const float soft = value_noise({x * 3.f, y * 3.f, 0.5f}, look.texture_seed + 20u) +
                     0.5f * value_noise({x * 7.f, y * 7.f, 0.5f}, look.texture_seed + 21u);
  return Vec3(look.background_color) * (0.55f + 0.35f * (1.f - y) + 0.25f * (soft - 0.75f));
}

// Output rows of one image.
struct Target {
  std::uint8_t* rgb;
  std::uint8_t* label;
  float* depth;
  float* normals;      // or null
  float* soft;         // [classes, H, W] or null
  int classes;
};

// A pixel's samples grouped by triangle.
struct Group {
  std::int32_t triangle;
  int first_sample;
  int count;
  std::uint8_t part;
};

void render_pixel(const Scene& scene, const std::int32_t* samples, int row, int column, const Target& target) {
  const ForgeHead::Impl& model = scene.model;
  const int factor = scene.options.supersample, width = scene.options.size.width, count = factor * factor;
  const std::int64_t pitch = static_cast<std::int64_t>(width) * factor;
  const std::int64_t pixel = static_cast<std::int64_t>(row) * width + column;
  const std::uint8_t* face_part = model.face_part.data<std::uint8_t>();
  const std::int32_t* triangles = model.head->triangles().data<std::int32_t>();

  std::int32_t face[16];
  for (int s = 0; s < count; ++s) face[s] = samples[(row * factor + s / factor) * pitch + column * factor + s % factor];

  // Labels sample by sample; colour once for each visible part, at its first sample.
  std::uint8_t label[16];
  Vec3 color;
  std::uint64_t shaded = 0;
  for (int s = 0; s < count; ++s) {
    if (face[s] < 0) {
      label[s] = 0;
      continue;
    }
    float w[3];
    const std::int32_t* id = triangles + 3 * std::int64_t{face[s]};
    const std::uint8_t part = face_part[face[s]];
    const bool shade_it = !((shaded >> part) & 1u);
    if (shade_it || model.face_labels.data<std::uint8_t>()[face[s]] == kLabelFromUv)
      sample_weights(scene, id, row * factor + s / factor, column * factor + s % factor, factor, w);
    label[s] = label_at(model, face[s], w);
    if (!shade_it) continue;
    shaded |= std::uint64_t{1} << part;
    int share = 0;
    for (int k = 0; k < count; ++k) share += face[k] >= 0 && face_part[face[k]] == part;
    color = color + shade_fragment(scene, face[s], w, label[s]) * (static_cast<float>(share) / static_cast<float>(count));
  }
  int empty = 0;
  for (int s = 0; s < count; ++s) empty += face[s] < 0;
  if (empty > 0)
    color = color + background_at(scene, (static_cast<float>(column) + 0.5f) / static_cast<float>(width),
                                  (static_cast<float>(row) + 0.5f) / static_cast<float>(scene.options.size.height)) *
                        (static_cast<float>(empty) / static_cast<float>(count));
  target.rgb[3 * pixel] = shade::encode(color.x);
  target.rgb[3 * pixel + 1] = shade::encode(color.y);
  target.rgb[3 * pixel + 2] = shade::encode(color.z);

  const int best = labels::most_frequent(label, count);
  target.label[pixel] = label[best];
  if (target.soft != nullptr) {
    const std::int64_t plane = static_cast<std::int64_t>(width) * scene.options.size.height;
    for (int s = 0; s < count; ++s)
      if (label[s] < target.classes) target.soft[label[s] * plane + pixel] += 1.f / static_cast<float>(count);
  }

  // Depth: the surface of the winning class, at the pixel centre.
  target.depth[pixel] = 0.f;
  if (face[best] < 0) return;
  const std::int32_t* id = triangles + 3 * std::int64_t{face[best]};
  const raster::ClipVertex corner[3] = {scene.clip[id[0]], scene.clip[id[1]], scene.clip[id[2]]};
  float w[3];
  raster::homogeneous_barycentrics(corner, (static_cast<float>(column) + 0.5f) / (0.5f * static_cast<float>(width)) - 1.f,
                                   1.f - (static_cast<float>(row) + 0.5f) / (0.5f * static_cast<float>(scene.options.size.height)), w);
  target.depth[pixel] = w[0] * corner[0].w + w[1] * corner[1].w + w[2] * corner[2].w;
  if (target.normals != nullptr) {
    Vec3 n = normalized(blend(scene.normals, id, w));
    if (dot(n, scene.eye - blend(scene.vertices, id, w)) < 0.f) n = -n;
    const auto& m = scene.camera.world_to_camera;
    for (int i = 0; i < 3; ++i)
      target.normals[3 * pixel + i] = static_cast<float>(m[4 * i] * n.x + m[4 * i + 1] * n.y + m[4 * i + 2] * n.z);
  }
}

}  // namespace

FaceImages ForgeHead::render(const std::vector<FaceParameters>& faces, const std::vector<Camera>& cameras,
                             const RenderOptions& options) const {
  options.validate();
  check_argument(faces.size() == cameras.size(), "one camera per face: got ", faces.size(), " faces and ", cameras.size(), " cameras");
  const auto batch = static_cast<std::int64_t>(faces.size());
  const std::int64_t height = options.size.height, width = options.size.width, pixels = height * width;
  const int classes = static_cast<int>(impl_->labels.size()), factor = options.supersample;

  FaceImages out;
  out.rgb = Tensor::empty({batch, height, width, 3}, DType::u8, {}, "rendered images");
  out.segmentation = Tensor::empty({batch, height, width}, DType::u8, {}, "rendered images");
  out.depth_m = Tensor::empty({batch, height, width}, DType::f32, {}, "rendered images");
  if (options.normals) out.normals = Tensor::zeros({batch, height, width, 3}, DType::f32, {}, "rendered images");
  if (options.soft_labels) out.soft_labels = Tensor::zeros({batch, classes, height, width}, DType::f32, {}, "rendered images");
  out.landmarks_camera_m = Tensor::empty({batch, 68, 3}, DType::f32, {}, "landmarks");
  if (batch == 0) return out;
  for (const Camera& camera : cameras)
    check_argument(camera.size == options.size, "a camera is for ", camera.size.height, " x ", camera.size.width, " pixels, the image is ",
                   height, " x ", width);

  const HeadMesh posed = mesh(faces);
  const Tensor normals = vertex_normals(posed.vertices, impl_->head->topology());
  const Tensor clip = to_clip(posed.vertices, cameras, kNear);
  out.landmarks_head_m = posed.landmarks;
  const Projected projected = project(posed.landmarks, cameras);
  out.landmarks_px = projected.pixels;
  for (std::int64_t b = 0; b < batch; ++b) {
    const auto& m = cameras[b].world_to_camera;
    for (int l = 0; l < 68; ++l) {
      const float* p = posed.landmarks.data<float>() + (b * 68 + l) * 3;
      for (int i = 0; i < 3; ++i)
        out.landmarks_camera_m.mutable_data<float>()[(b * 68 + l) * 3 + i] =
            static_cast<float>(m[4 * i] * p[0] + m[4 * i + 1] * p[1] + m[4 * i + 2] * p[2] + m[4 * i + 3]);
    }
  }

  const std::int64_t vertices = impl_->head->vertices();
  std::vector<std::uint64_t> masks;
  for (const FaceParameters& face : faces) masks.push_back(visible_parts(*impl_, face));

  RasterMesh mesh;
  mesh.triangles = impl_->head->triangles();
  mesh.face_part = impl_->face_part;
  RasterizeOptions coverage;
  coverage.size = {options.size.height * factor, options.size.width * factor};
  coverage.cull = Cull::none;  // hair is made of sheets
  coverage.near = kNear;
  coverage.want_depth = false;
  coverage.want_barycentrics = false;

  const auto render_one = [&](std::int64_t b, bool rows_in_parallel) {
    const std::array<double, 3> eye = cameras[b].position_m();
    const float* v = posed.vertices.data<float>() + b * vertices * 3;
    const Vec3 key = shade::direction(faces[b].light.key_yaw_deg, faces[b].light.key_pitch_deg);
    Scene scene{*impl_,
                faces[b],
                cameras[b],
                options,
                v,
                normals.data<float>() + b * vertices * 3,
                reinterpret_cast<const raster::ClipVertex*>(clip.data<float>()) + b * vertices,
                std::vector<raster::ScreenVertex>(vertices),
                std::vector<std::uint8_t>(vertices),
                masks[b],
                Vec3(static_cast<float>(eye[0]), static_cast<float>(eye[1]), static_cast<float>(eye[2])),
                key,
                draw_shadow(*impl_, v, masks[b], key)};
    for (std::int64_t i = 0; i < vertices; ++i) {
      scene.safe[i] = raster::is_safe(scene.clip[i], true, kNear);
      if (scene.safe[i])
        scene.screen[i] =
            raster::to_screen(scene.clip[i], true, 0.5f * static_cast<float>(width * factor), 0.5f * static_cast<float>(height * factor));
    }
    RasterMesh own = mesh;
    own.visible_parts = Tensor::from(std::vector<std::uint64_t>{masks[b]}, {1});
    const RasterOutput covered = rasterize(clip.slice(b, b + 1), own, coverage);
    const Target target{out.rgb.mutable_data<std::uint8_t>() + b * pixels * 3,
                        out.segmentation.mutable_data<std::uint8_t>() + b * pixels,
                        out.depth_m.mutable_data<float>() + b * pixels,
                        options.normals ? out.normals.mutable_data<float>() + b * pixels * 3 : nullptr,
                        options.soft_labels ? out.soft_labels.mutable_data<float>() + b * classes * pixels : nullptr,
                        classes};
    const auto rows = [&](std::int64_t begin, std::int64_t end) {
      for (auto row = static_cast<int>(begin); row < static_cast<int>(end); ++row)
        for (int column = 0; column < static_cast<int>(width); ++column)
          render_pixel(scene, covered.face.data<std::int32_t>(), row, column, target);
    };
    if (rows_in_parallel) parallel_for_ranges(height, 16, rows);
    else rows(0, height);
  };
  if (batch >= num_threads()) parallel_for(batch, [&](std::int64_t b) { render_one(b, false); });
  else
    for (std::int64_t b = 0; b < batch; ++b) render_one(b, true);

  Tensor depth = Tensor::empty({batch, 68}, DType::f32, {}, "landmarks");
  for (std::int64_t i = 0; i < batch * 68; ++i) depth.mutable_data<float>()[i] = out.landmarks_camera_m.data<float>()[3 * i + 2];
  out.visibility = point_visibility(out.landmarks_px, depth, out.depth_m, kLandmarkSlack);
  return out;
}

}  // namespace forge_rt
