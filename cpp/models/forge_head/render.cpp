// ForgeHead's renderer: pose → assemble → depth from the light → coverage at several samples a pixel → pixels → capture.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "assembly.h"
#include "capture.h"
#include "finite.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/ops/label_projection.h"
#include "forge_rt/ops/rasterize.h"
#include "look.h"
#include "pixels.h"

namespace forge_rt {

void RenderOptions::validate() const {
  check_argument(supersample >= 1 && supersample <= 4, "supersample must be 1..4, got ", supersample);
  check_argument(size.height >= 1 && size.width >= 1 && size.height * supersample <= raster::kMaxImage &&
                     size.width * supersample <= raster::kMaxImage,
                 "image size times supersample must be 1..", raster::kMaxImage, ", got ", size.height, " x ", size.width, " times ",
                 supersample);
}

namespace {

constexpr float kNear = 0.02f;            // metres
constexpr float kLandmarkSlack = 0.006f;  // metres: a landmark may lie this far behind the depth map and still count as visible
// Shadow maps are filtered over four texels: coarse maps make soft shadows.
constexpr int kFinestShadow = 512, kSkySize = 104;
constexpr float kSoftestShadow = 0.22f;   // of the finest map's size
constexpr float kShadowRadius = 0.26f;    // metres around kShadowCentre that cast shadows
const Vec3 kShadowCentre{0.f, -0.03f, -0.02f};
const Vec3 kSky = {0.f, 0.55f, 0.835f};   // most of what the sky lights is seen from above and in front

// Device memory of one image. CPU: the assembly's own vectors.
struct Buffers {
  Device device;
  std::vector<Tensor> kept;

  template <class T>
  const T* put(const std::vector<T>& values, Stream stream) {
    if (device.is_cpu()) return values.data();
    Tensor host =
        Tensor::borrow(const_cast<T*>(values.data()), {static_cast<std::int64_t>(values.size())}, dtype_of<T>(), {}, nullptr, true);
    kept.push_back(host.to(device, stream));
    return static_cast<const T*>(kept.back().raw());
  }
};

struct Image {  // what one image draws with; reused by a thread from image to image
  Assembly assembly;
  std::vector<float> color;
};

Tensor triangles_of(const Assembly& a, std::int64_t count, Device device, Stream stream) {
  Tensor host = Tensor::borrow(const_cast<std::int32_t*>(a.triangles.data()), {count, 3}, DType::i32, {}, nullptr, true);
  return device.is_cpu() ? host : host.to(device, stream);
}

// All that casts a shadow: lenses let light through.
DepthMap depth_map(const Assembly& a, Vec3 towards, int size, Device device, Stream stream, Tensor& keep) {
  DepthMap map{};
  map.size = size;
  map.centre = kShadowCentre;
  map.radius_m = kShadowRadius;
  map.towards = towards;
  map.right = normalized(cross(std::abs(towards.y) < 0.99f ? Vec3{0, 1, 0} : Vec3{0, 0, 1}, towards));
  map.up = cross(towards, map.right);
  const std::int64_t count = a.vertices();
  Tensor clip = Tensor::empty({1, count, 4}, DType::f32, {}, "depth map");
  float* out = clip.mutable_data<float>();
  for (std::int64_t v = 0; v < count; ++v) {
    const Vec3 q = vec3(a.position.data() + 3 * v) - kShadowCentre;
    out[4 * v] = dot(q, map.right) / kShadowRadius;
    out[4 * v + 1] = dot(q, map.up) / kShadowRadius;
    out[4 * v + 2] = kShadowRadius * 2.f - dot(q, towards);  // distance from a plane in front of everything
    out[4 * v + 3] = 1.f;
  }
  RasterMesh mesh;
  mesh.triangles = triangles_of(a, a.count(), device, stream);
  if (a.unobstructed > a.opaque) {
    std::uint64_t casts = 0;
    for (std::size_t p = 0; p < a.parts.size(); ++p) casts |= std::uint64_t{a.parts[p].alpha >= 1.f} << p;
    mesh.face_part = Tensor::borrow(const_cast<std::uint8_t*>(a.part.data()), {a.count()}, DType::u8, {}, nullptr, true).to(device, stream);
    mesh.visible_parts = Tensor::from(std::vector<std::uint64_t>{casts}, {1}).to(device, stream);
  }
  RasterizeOptions options;
  options.size = {size, size};
  options.cull = Cull::none;
  options.perspective = false;
  options.want_barycentrics = false;
  keep = rasterize(device.is_cpu() ? clip : clip.to(device, stream), mesh, options, stream).depth;
  map.depth = keep.data<float>();
  return map;
}

int shadow_map_size(float softness) {
  return static_cast<int>(std::lround(kFinestShadow * std::pow(kSoftestShadow, std::clamp(softness, 0.f, 1.f))));
}

void set_labels(const LabelHabit& habit, SceneArgs& scene) {
  for (int i = 0; i < 32; ++i) scene.label_map[i] = static_cast<std::uint8_t>(i <= kHat ? i : 0);
  scene.label_map[kBeard] = habit.beard_as_hair > 0.5f ? kHair : kSkin;
  scene.label_map[kLens] = kGlasses;
  scene.label_map[kObject] = kBackground;
  scene.lens_is_clear = habit.lens_as_glasses < 0.5f;
  scene.wisps = habit.wisps > 0.5f;
  scene.brow_margin = habit.brow_margin_m;
}

}  // namespace

FaceImages ForgeHead::render(const std::vector<FaceParameters>& faces, const std::vector<Camera>& cameras,
                             const RenderOptions& options) const {
  options.validate();
  check_argument(faces.size() == cameras.size(), "one camera per face: got ", faces.size(), " faces and ", cameras.size(), " cameras");
  const auto batch = static_cast<std::int64_t>(faces.size());
  const std::int64_t height = options.size.height, width = options.size.width, pixels = height * width;
  const int classes = static_cast<int>(impl_->labels.size()), factor = options.supersample;
  const Device device = options.device;
  const Stream stream{device, nullptr};
  const RenderPixelsFn render_pixels = render_pixels_table().select(device);

  FaceImages out;
  out.rgb = Tensor::empty({batch, height, width, 3}, DType::u8, {}, "rendered images");
  out.segmentation = Tensor::empty({batch, height, width}, DType::u8, {}, "rendered images");
  out.depth_m = Tensor::empty({batch, height, width}, DType::f32, {}, "rendered images");
  if (options.normals) out.normals = Tensor::empty({batch, height, width, 3}, DType::f32, {}, "rendered images");
  if (options.soft_labels) out.soft_labels = Tensor::zeros({batch, classes, height, width}, DType::f32, {}, "rendered images");
  if (options.layers) out.layers = Tensor::empty({batch, 2, height, width}, DType::u8, {}, "rendered images");
  if (options.uv) out.uv = Tensor::empty({batch, height, width, 2}, DType::f32, {}, "rendered images");
  out.landmarks_camera_m = Tensor::empty({batch, 68, 3}, DType::f32, {}, "landmarks");
  if (batch == 0) return out;
  for (const Camera& camera : cameras)
    check_argument(camera.size == options.size, "a camera is for ", camera.size.height, " x ", camera.size.width, " pixels, the image is ",
                   height, " x ", width);

  for (const FaceParameters& face : faces) check_finite(face);

  const HeadMesh posed = mesh(faces);
  const Tensor normals = vertex_normals(posed.vertices, impl_->head->topology());
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
  const Tensor semantic = device.is_cpu() ? impl_->semantic_uv : impl_->semantic_uv.to(device, stream);

  const auto render_one = [&](std::int64_t b, bool rows_in_parallel) {
    thread_local Image work;
    Assembly& a = work.assembly;
    const FaceParameters& face = faces[b];
    const Camera& camera = cameras[b];
    assemble(*impl_, face, posed.vertices.data<float>() + b * vertices * 3, normals.data<float>() + b * vertices * 3, a);

    SceneArgs scene{};
    Buffers buffers{device, {}};
    const Tensor position = Tensor::borrow(a.position.data(), {1, a.vertices(), 3}, DType::f32, {}, nullptr, true);
    Tensor clip = to_clip(position, {camera}, kNear);
    if (device.is_cuda()) clip = clip.to(device, stream);
    scene.clip = reinterpret_cast<const raster::ClipVertex*>(clip.data<float>());
    scene.position = buffers.put(a.position, stream);
    scene.normal = buffers.put(a.normal, stream);
    scene.rest = buffers.put(a.rest, stream);
    scene.aux = buffers.put(a.aux, stream);
    scene.triangles = buffers.put(a.triangles, stream);
    scene.part = buffers.put(a.part, stream);
    scene.label = buffers.put(a.label, stream);
    Tensor parts;
    if (device.is_cpu()) {
      scene.parts = a.parts.data();
    } else {
      parts =
          Tensor::borrow(a.parts.data(), {static_cast<std::int64_t>(a.parts.size() * sizeof(shade::Part))}, DType::u8, {}, nullptr, true)
              .to(device, stream);
      scene.parts = static_cast<const shade::Part*>(parts.raw());
    }
    scene.head_vertices = vertices;
    scene.semantic_uv = semantic.data<std::uint8_t>();
    scene.semantic_height = static_cast<int>(semantic.size(0));
    scene.semantic_width = static_cast<int>(semantic.size(1));
    for (const Choice* choice : chosen_options(*impl_, face))
      if (choice->brow.x[4] > 0.f)
        for (int k = 0; k < 5; ++k) {
          scene.brow_x[k] = choice->brow.x[k];
          scene.brow_y[k] = choice->brow.y[k];
          scene.brow_half[k] = choice->brow.half[k];
        }
    const std::array<double, 3> eye = camera.position_m();
    scene.eye = {static_cast<float>(eye[0]), static_cast<float>(eye[1]), static_cast<float>(eye[2])};
    for (int i = 0; i < 9; ++i) scene.view[i] = static_cast<float>(camera.world_to_camera[4 * (i / 3) + i % 3]);
    scene.pixel_angle = static_cast<float>(1.0 / camera.fx);
    scene.near = kNear;
    scene.height = static_cast<int>(height);
    scene.width = static_cast<int>(width);
    scene.factor = factor;
    scene.look = look_of(*impl_, face, posed.landmarks.data<float>() + b * 68 * 3);
    scene.light = light_of(face.light);
    scene.background = background_of(face.appearance);
    scene.classes = classes;
    scene.matte = options.matte;
    set_labels(face.habit, scene);
    Tensor key_depth, sky_depth;
    const int shadow_size = shadow_map_size(face.light.key_softness);
    scene.key_map = depth_map(a, scene.light.key, shadow_size, device, stream, key_depth);
    scene.sky_map = depth_map(a, normalized(kSky), kSkySize, device, stream, sky_depth);
    scene.key_slack = 0.001f + 1.2f * kShadowRadius / static_cast<float>(shadow_size);

    RasterizeOptions coverage;
    coverage.size = {options.size.height * factor, options.size.width * factor};
    coverage.cull = Cull::none;  // hair is made of ribbons
    coverage.near = kNear;
    coverage.want_depth = false;
    coverage.want_barycentrics = false;
    std::vector<Tensor> covered;
    const auto cover = [&](std::int64_t triangles) {
      RasterMesh mesh;
      mesh.triangles = triangles_of(a, triangles, device, stream);
      covered.push_back(rasterize(clip, mesh, coverage, stream).face);
      return covered.back().data<std::int32_t>();
    };
    scene.face = cover(a.count());
    if (a.unobstructed > a.opaque) scene.face_behind = cover(a.opaque);
    if (options.layers) {
      scene.face_layer[0] = a.unobstructed == a.count() ? scene.face : cover(a.unobstructed);
      scene.face_layer[1] = cover(a.bare);
    }

    // Results: straight into the batch on the CPU, through one block of device memory otherwise.
    work.color.resize(pixels * 3);
    std::vector<Tensor> returned;
    std::vector<std::pair<void*, std::size_t>> homes;
    const auto place = [&](void* home, std::int64_t bytes, bool zeroed) -> void* {
      if (device.is_cpu()) return home;
      returned.push_back(zeroed ? Tensor::zeros({bytes}, DType::u8, device) : Tensor::empty({bytes}, DType::u8, device, "rendered images"));
      homes.emplace_back(home, static_cast<std::size_t>(bytes));
      return returned.back().mutable_raw();
    };
    scene.color = static_cast<float*>(place(work.color.data(), pixels * 12, false));
    scene.out_label = static_cast<std::uint8_t*>(place(out.segmentation.mutable_data<std::uint8_t>() + b * pixels, pixels, false));
    scene.out_depth = static_cast<float*>(place(out.depth_m.mutable_data<float>() + b * pixels, pixels * 4, false));
    if (options.normals)
      scene.out_normal = static_cast<float*>(place(out.normals.mutable_data<float>() + b * pixels * 3, pixels * 12, false));
    if (options.soft_labels)
      scene.out_soft = static_cast<float*>(place(out.soft_labels.mutable_data<float>() + b * classes * pixels, classes * pixels * 4, true));
    if (options.uv) scene.out_uv = static_cast<float*>(place(out.uv.mutable_data<float>() + b * pixels * 2, pixels * 8, false));
    if (options.layers)
      for (int layer = 0; layer < 2; ++layer)
        scene.out_layer[layer] =
            static_cast<std::uint8_t*>(place(out.layers.mutable_data<std::uint8_t>() + (2 * b + layer) * pixels, pixels, false));

    if (device.is_cpu() && rows_in_parallel)
      parallel_for_ranges(height, 16, [&](std::int64_t begin, std::int64_t end) {
        render_pixels(scene, static_cast<int>(begin), static_cast<int>(end), stream);
      });
    else render_pixels(scene, 0, static_cast<int>(height), stream);
    for (std::size_t i = 0; i < homes.size(); ++i) copy_bytes(homes[i].first, {}, returned[i].raw(), device, homes[i].second, stream);
    capture(face.capture, face.appearance.texture_seed, work.color.data(), static_cast<int>(height), static_cast<int>(width),
            out.rgb.mutable_data<std::uint8_t>() + b * pixels * 3);
  };
  if (device.is_cpu() && batch >= num_threads()) parallel_for(batch, [&](std::int64_t b) { render_one(b, false); });
  else
    for (std::int64_t b = 0; b < batch; ++b) render_one(b, true);

  Tensor depth = Tensor::empty({batch, 68}, DType::f32, {}, "landmarks");
  for (std::int64_t i = 0; i < batch * 68; ++i) depth.mutable_data<float>()[i] = out.landmarks_camera_m.data<float>()[3 * i + 2];
  out.visibility = point_visibility(out.landmarks_px, depth, out.depth_m, kLandmarkSlack);
  return out;
}

}  // namespace forge_rt
