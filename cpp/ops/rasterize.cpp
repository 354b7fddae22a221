// rasterize: check inputs, allocate output, dispatch to the device.
#include "forge_rt/ops/rasterize.h"

#include <algorithm>

#include "rasterize_table.h"

namespace forge_rt {
namespace raster {

OpTable<RasterizeFn>& rasterize_table() {
  static OpTable<RasterizeFn> table{"rasterize"};
  return table;
}

}  // namespace raster

namespace {

void reuse_or_allocate(Tensor& tensor, Shape shape, DType dtype, Device device, const char* purpose) {
  const bool fits = tensor.defined() && tensor.shape() == shape && tensor.dtype() == dtype && tensor.device() == device &&
                    tensor.is_contiguous() && !tensor.read_only();
  if (!fits) tensor = Tensor::empty(std::move(shape), dtype, device, purpose);
}

void check_indices(const Tensor& triangles, std::int64_t vertices) {
  if (!triangles.device().is_cpu()) return;  // on a GPU the mesh's loader checked them; reading back here would synchronise
  const std::int32_t* index = triangles.data<std::int32_t>();
  const std::int64_t count = triangles.count();
  const auto limit = static_cast<std::uint32_t>(vertices);
  std::uint32_t largest = 0;  // a negative index is large as an unsigned number
  for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, static_cast<std::uint32_t>(index[i]));
  if (count == 0 || largest < limit) return;
  for (std::int64_t i = 0; i < count; ++i)
    check_argument(static_cast<std::uint32_t>(index[i]) < limit, "triangles[", i / 3, "] names vertex ", index[i], ", but positions has ",
                   vertices, " vertices");
}

}  // namespace

void RasterizeOptions::validate() const {
  check_argument(size.height >= 1 && size.height <= raster::kMaxImage && size.width >= 1 && size.width <= raster::kMaxImage,
                 "image size must be 1..", raster::kMaxImage, " on both axes, got ", size.height, " x ", size.width);
  check_argument(!perspective || (near > 0.f && raster::is_finite(near)), "near must be finite and > 0 for a perspective camera, got ",
                 near);
}

RasterOutput rasterize(const Tensor& positions, const RasterMesh& mesh, const RasterizeOptions& options, Stream stream) {
  RasterOutput output;
  rasterize_into(output, positions, mesh, options, stream);
  return output;
}

void rasterize_into(RasterOutput& output, const Tensor& positions, const RasterMesh& mesh, const RasterizeOptions& options, Stream stream) {
  options.validate();
  expect(positions, "positions", "[B, V, 4]", DType::f32, {kAny, kAny, 4});
  expect(mesh.triangles, "triangles", "[F, 3]", DType::i32, {kAny, 3});
  const std::int64_t batch = positions.size(0), vertices = positions.size(1), faces = mesh.triangles.size(0);
  const bool labels = mesh.face_labels.defined(), parts = mesh.visible_parts.defined();
  if (labels) expect(mesh.face_labels, "face_labels", "[F]", DType::u8, {faces});
  check_argument(!parts || mesh.face_part.defined(), "visible_parts needs face_part");
  if (parts) {
    expect(mesh.face_part, "face_part", "[F]", DType::u8, {faces});
    expect(mesh.visible_parts, "visible_parts", "[B]", DType::u64, {batch});
    if (mesh.face_part.device().is_cpu())
      for (std::int64_t f = 0; f < faces; ++f)
        check_argument(mesh.face_part.data<std::uint8_t>()[f] < 64, "face_part must be < 64, got ",
                       int{mesh.face_part.data<std::uint8_t>()[f]});
  }
  const Device device = positions.device();
  for (const Tensor* t : {&mesh.triangles, &mesh.face_labels, &mesh.face_part, &mesh.visible_parts})
    check_argument(!t->defined() || t->device() == device, "all tensors of rasterize must be on one device, got ", t->device().str(),
                   " and ", device.str());
  check_indices(mesh.triangles, vertices);

  const std::int64_t height = options.size.height, width = options.size.width;
  reuse_or_allocate(output.face, {batch, height, width}, DType::i32, device, "raster face ids");
  if (options.want_depth) reuse_or_allocate(output.depth, {batch, height, width}, DType::f32, device, "raster depth");
  else output.depth = {};
  if (options.want_barycentrics)
    reuse_or_allocate(output.barycentrics, {batch, height, width, 3}, DType::f32, device, "raster barycentrics");
  else output.barycentrics = {};
  if (labels) reuse_or_allocate(output.label, {batch, height, width}, DType::u8, device, "raster labels");
  else output.label = {};
  if (batch == 0) return;

  raster::RasterizeArgs args{};
  args.positions = reinterpret_cast<const raster::ClipVertex*>(positions.data<float>());
  args.triangles = mesh.triangles.data<std::int32_t>();
  args.face_labels = labels ? mesh.face_labels.data<std::uint8_t>() : nullptr;
  args.face_part = parts ? mesh.face_part.data<std::uint8_t>() : nullptr;
  args.visible_parts = parts ? mesh.visible_parts.data<std::uint64_t>() : nullptr;
  args.batch = batch;
  args.vertices = vertices;
  args.faces = faces;
  args.height = options.size.height;
  args.width = options.size.width;
  args.strict = options.coverage == Coverage::strict_float;
  args.cull_back = options.cull == Cull::back;
  args.perspective = options.perspective;
  args.near = options.near;
  args.face = output.face.mutable_data<std::int32_t>();
  args.depth = options.want_depth ? output.depth.mutable_data<float>() : nullptr;
  args.barycentrics = options.want_barycentrics ? output.barycentrics.mutable_data<float>() : nullptr;
  args.label = labels ? output.label.mutable_data<std::uint8_t>() : nullptr;
  raster::rasterize_table().select(device)(args, stream.handle);
}

}  // namespace forge_rt
