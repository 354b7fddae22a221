// neural_texture: check inputs, dispatch, with its scalar oracle; neural_view: transform, rasterize, sample, fill.
#include "forge_rt/ops/neural_texture.h"

#include <utility>

#include "forge_rt/core/thread_pool.h"
#include "forge_rt/ops/neural_views.h"
#include "forge_rt/ops/rasterize.h"
#include "frame_limits.h"
#include "neural_texture_table.h"

namespace forge_rt {
namespace neural {

OpTable<TextureFn>& texture_table() {
  static OpTable<TextureFn> table{"neural_texture"};
  return table;
}

namespace {

void texture_scalar(const TextureArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.pixels, 4096 / (a.channels + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t pixel = begin; pixel < end; ++pixel) {
      const std::int64_t b = pixel / a.pixels, p = pixel % a.pixels;
      const Coordinates at = coordinates_of(a, pixel);
      if (a.alpha != nullptr) a.alpha[pixel] = alpha_of(a, pixel, at);
      const Taps taps = find_taps(at.u, at.v, a.height, a.width);
      for (std::int64_t c = 0; c < a.channels; ++c) {
        float& out = a.features[feature_index(a, b, p, c)];
        const float value = texture_value(a, b, taps, c);
        out = a.add ? out + value : value;
      }
    }
  });
}

const Register<TextureFn> registered(texture_table().scalar, texture_scalar);

void check_indices(const Tensor& index, std::int64_t rows, const char* name, const char* what) {
  for (std::int64_t i = 0; i < index.count(); ++i) {
    const std::int32_t id = index.data<std::int32_t>()[i];
    check_argument(id >= 0 && id < rows, name, "[", i / 3, "] names ", what, " ", id, ", there are ", rows);
  }
}

Tensor swap_corners(const Tensor& triangles) {
  Tensor out = triangles.clone();
  std::int32_t* id = out.mutable_data<std::int32_t>();
  for (std::int64_t i = 0; i < out.count(); i += 3) std::swap(id[i + 1], id[i + 2]);
  return out;
}

Shape feature_shape(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t channels, ChannelOrder order) {
  return order == ChannelOrder::last ? Shape{batch, height, width, channels} : Shape{batch, channels, height, width};
}

constexpr const char* layout_name(ChannelOrder order) {
  return order == ChannelOrder::last ? "[B or 1, Ht, Wt, C]" : "[B or 1, C, Ht, Wt]";
}
int channel_axis(ChannelOrder order) { return order == ChannelOrder::last ? 3 : 1; }

}  // namespace
}  // namespace neural

NeuralMesh NeuralMesh::to(Device device) const {
  NeuralMesh out = *this;
  out.triangles = triangles.to(device);
  out.uv_triangles = uv_triangles.to(device);
  out.grid = grid.to(device);
  return out;
}

NeuralMesh prepare_neural_mesh(const Tensor& faces, const Tensor& uv_faces, const Tensor& uv, std::int64_t vertices) {
  expect(faces, "faces", "[F, 3]", DType::i32, {kAny, 3});
  expect(uv_faces, "uv_faces", "[F, 3]", DType::i32, {faces.size(0), 3});
  expect(uv, "uv", "[N, 2]", DType::f32, {kAny, 2});
  for (const Tensor* t : {&faces, &uv_faces, &uv})
    check_argument(t->device().is_cpu(), "prepare_neural_mesh works on the CPU; move the result with to()");
  neural::check_indices(faces, vertices, "faces", "vertex");
  neural::check_indices(uv_faces, uv.size(0), "uv_faces", "row of uv");
  NeuralMesh mesh;
  mesh.triangles = neural::swap_corners(faces);
  mesh.uv_triangles = neural::swap_corners(uv_faces);
  mesh.grid = uv.clone();
  mesh.vertices = vertices;
  float* grid = mesh.grid.mutable_data<float>();
  for (std::int64_t i = 0; i < mesh.grid.count(); i += 2) {
    grid[i] = 2.f * grid[i] - 1.f;
    grid[i + 1] = -(2.f * grid[i + 1] - 1.f);
  }
  return mesh;
}

NeuralTexture neural_texture(const Tensor& face, const Tensor& barycentrics, const NeuralMesh& mesh, const Tensor& texture,
                             const Tensor& uv_mask, const NeuralTextureOptions& options, Stream stream) {
  expect(face, "face", "[B, H, W]", DType::i32, {kAny, kAny, kAny});
  expect(texture, "texture", neural::layout_name(options.texture), DType::f32, {kAny, kAny, kAny, kAny});
  const std::int64_t channels = texture.size(neural::channel_axis(options.texture));
  NeuralTexture out;
  out.features = Tensor::empty(neural::feature_shape(face.size(0), face.size(1), face.size(2), channels, options.features), DType::f32,
                               face.device(), "neural texture view");
  out.alpha = Tensor::empty({face.size(0), 1, face.size(1), face.size(2)}, DType::f32, face.device(), "neural texture view");
  neural_texture_into(out, face, barycentrics, mesh, texture, uv_mask, options, false, stream);
  return out;
}

void neural_texture_into(NeuralTexture& out, const Tensor& face, const Tensor& barycentrics, const NeuralMesh& mesh, const Tensor& texture,
                         const Tensor& uv_mask, const NeuralTextureOptions& options, bool add, Stream stream) {
  expect(face, "face", "[B, H, W]", DType::i32, {kAny, kAny, kAny});
  const std::int64_t batch = face.size(0), height = face.size(1), width = face.size(2);
  expect(barycentrics, "barycentrics", "[B, H, W, 3]", DType::f32, {batch, height, width, 3});
  expect(texture, "texture", neural::layout_name(options.texture), DType::f32, {kAny, kAny, kAny, kAny});
  check_argument(texture.size(0) == batch || texture.size(0) == 1, "texture must have ", batch, " or 1 samples, got ", texture.size(0));
  const bool last = options.texture == ChannelOrder::last;
  const std::int64_t channels = texture.size(neural::channel_axis(options.texture));
  const std::int64_t texture_height = texture.size(last ? 1 : 2), texture_width = texture.size(last ? 2 : 3);
  check_argument(texture_height >= 1 && texture_height <= kLargestSide && texture_width >= 1 && texture_width <= kLargestSide,
                 "sides of texture must be 1..", kLargestSide, ", got ", shape_str(texture.shape()), " as ",
                 neural::layout_name(options.texture));
  check_argument(channels >= 1, "texture must have a channel or more, got ", shape_str(texture.shape()));
  check_argument(mesh.uv_triangles.defined() && mesh.grid.defined(), "mesh must come from prepare_neural_mesh, got an empty one");
  if (uv_mask.defined()) {
    expect(uv_mask, "uv_mask", "[Hm, Wm]", DType::f32, {kAny, kAny});
    check_argument(uv_mask.count() > 0 && uv_mask.size(0) <= kLargestSide && uv_mask.size(1) <= kLargestSide,
                   "sides of uv_mask must be 1..", kLargestSide, ", got ", shape_str(uv_mask.shape()));
  }
  const Shape wanted = neural::feature_shape(batch, height, width, channels, options.features);
  check_argument(
      out.features.defined() && out.features.dtype() == DType::f32 && out.features.shape() == wanted && out.features.is_contiguous(),
      "features must be ", shape_str(wanted), " float32, got ", out.features.defined() ? out.features.str() : "nothing");
  if (out.alpha.defined()) expect(out.alpha, "alpha", "[B, 1, H, W]", DType::f32, {batch, 1, height, width});
  const Device device = face.device();
  const NeuralTexture& to = out;
  for (const Tensor* t : {&barycentrics, &mesh.uv_triangles, &mesh.grid, &texture, &uv_mask, &to.features, &to.alpha})
    check_argument(!t->defined() || t->device() == device, "all tensors of neural_texture must be on one device, got ", t->device().str(),
                   " and ", device.str());
  if (device.is_cpu()) {
    const std::int64_t faces = mesh.uv_triangles.size(0);
    for (std::int64_t i = 0; i < face.count(); ++i)
      check_argument(face.data<std::int32_t>()[i] < faces, "face names triangle ", face.data<std::int32_t>()[i], ", the mesh has ", faces);
  }
  if (out.features.count() == 0) return;
  neural::TextureArgs args{};
  args.face = face.data<std::int32_t>();
  args.barycentrics = barycentrics.data<float>();
  args.uv_triangles = mesh.uv_triangles.data<std::int32_t>();
  args.grid = mesh.grid.data<float>();
  args.texture = texture.data<float>();
  args.features = out.features.mutable_data<float>();
  args.alpha = out.alpha.defined() ? out.alpha.mutable_data<float>() : nullptr;
  args.batch = batch;
  args.pixels = height * width;
  args.channels = channels;
  args.texture_stride = texture.size(0) == 1 ? 0 : channels * texture_height * texture_width;
  args.height = static_cast<int>(texture_height);
  args.width = static_cast<int>(texture_width);
  if (uv_mask.defined()) {
    args.mask = uv_mask.data<float>();
    args.mask_height = static_cast<int>(uv_mask.size(0));
    args.mask_width = static_cast<int>(uv_mask.size(1));
  }
  args.texture_last = last;
  args.features_last = options.features == ChannelOrder::last;
  args.add = add;
  neural::texture_table().select(device)(args, stream);
}

void NeuralViewOptions::validate() const {
  check_argument(size >= 1 && size <= 8192, "size must be 1..8192 pixels, got ", size);
  check_argument(scale > 0.f, "scale must be above 0, got ", scale);
}

NeuralTexture neural_view(const Tensor& vertices, const NeuralMesh& mesh, const Tensor& texture, const Tensor& uv_mask, NeuralView view,
                          const NeuralViewOptions& options, Stream stream) {
  options.validate();
  expect(vertices, "vertices", "[B, V, 3] of the mesh", DType::f32, {kAny, mesh.vertices, 3});
  RasterizeOptions raster;
  raster.size = {options.size, options.size};
  raster.coverage = Coverage::strict_float;
  raster.perspective = false;
  raster.want_depth = false;
  RasterMesh triangles;
  triangles.triangles = mesh.triangles;
  RasterOutput seen;
  const auto look = [&](float pitch, float yaw) {
    const Tensor positions = orthographic_positions(vertices, {pitch, yaw, 0.f}, options.scale, options.shift, stream);
    rasterize_into(seen, positions, triangles, raster, stream);
  };
  look(view == NeuralView::top ? 90.f : 0.f, view == NeuralView::side ? 90.f : 0.f);
  NeuralTexture out = neural_texture(seen.face, seen.barycentrics, mesh, texture, uv_mask, options.layout, stream);
  out.alpha = fill_enclosed(out.alpha, view == NeuralView::side, stream);
  if (view == NeuralView::side) {
    look(0.f, -90.f);
    NeuralTexture other{out.features, {}};
    neural_texture_into(other, seen.face, seen.barycentrics, mesh, texture, uv_mask, options.layout, true, stream);
  }
  return out;
}

}  // namespace forge_rt
