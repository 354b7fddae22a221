// interpolate, vertex_normals: check inputs, allocate, dispatch; with their scalar implementations. Both are bound by memory
// traffic and vectorised by the compiler where it helps, so there is no hand-written SIMD twin.
#include "forge_rt/ops/interpolate.h"

#include "forge_rt/core/thread_pool.h"
#include "interpolate_table.h"

namespace forge_rt {
namespace interpolation {

OpTable<InterpolateFn>& interpolate_table() {
  static OpTable<InterpolateFn> table{"interpolate"};
  return table;
}
OpTable<NormalsFn>& vertex_normals_table() {
  static OpTable<NormalsFn> table{"vertex_normals"};
  return table;
}

namespace {

void interpolate_scalar(const InterpolateArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.pixels, 16384, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) interpolate_pixel(a, i / a.pixels, i % a.pixels);
  });
}
void normals_scalar(const NormalsArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.vertices, 2048, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) vertex_normal(a, i / a.vertices, i % a.vertices);
  });
}
const Register<InterpolateFn> registered_interpolate(interpolate_table().scalar, interpolate_scalar);
const Register<NormalsFn> registered_normals(vertex_normals_table().scalar, normals_scalar);

}  // namespace
}  // namespace interpolation

Tensor interpolate(const Tensor& face, const Tensor& barycentrics, const Tensor& index, const Tensor& attributes, Stream stream) {
  expect(face, "face", "[B, H, W]", DType::i32, {kAny, kAny, kAny});
  const std::int64_t batch = face.size(0), height = face.size(1), width = face.size(2);
  expect(barycentrics, "barycentrics", "[B, H, W, 3]", DType::f32, {batch, height, width, 3});
  expect(index, "index", "[F, 3]", DType::i32, {kAny, 3});
  expect(attributes, "attributes", "[B or 1, N, C]", DType::f32, {kAny, kAny, kAny});
  check_argument(attributes.size(0) == batch || attributes.size(0) == 1, "attributes must have ", batch, " or 1 rows on axis 0, got ",
                 attributes.size(0));
  const Device device = face.device();
  for (const Tensor* t : {&barycentrics, &index, &attributes})
    check_argument(t->device() == device, "all tensors of interpolate must be on one device, got ", t->device().str(), " and ",
                   device.str());
  if (device.is_cpu()) {
    const std::int64_t rows = attributes.size(1), faces = index.size(0);
    for (std::int64_t i = 0; i < index.count(); ++i) {
      const std::int32_t id = index.data<std::int32_t>()[i];
      check_argument(id >= 0 && id < rows, "index[", i / 3, "] names row ", id, ", attributes has ", rows);
    }
    for (std::int64_t i = 0; i < face.count(); ++i)
      check_argument(face.data<std::int32_t>()[i] < faces, "face names triangle ", face.data<std::int32_t>()[i], ", index has ", faces);
  }
  Tensor out = Tensor::empty({batch, height, width, attributes.size(2)}, DType::f32, device, "interpolated attributes");
  if (out.count() == 0) return out;
  const interpolation::InterpolateArgs args{face.data<std::int32_t>(),
                                            barycentrics.data<float>(),
                                            index.data<std::int32_t>(),
                                            attributes.data<float>(),
                                            out.mutable_data<float>(),
                                            batch,
                                            height * width,
                                            attributes.size(1),
                                            attributes.size(2),
                                            attributes.size(0) == 1 ? 0 : attributes.size(1) * attributes.size(2)};
  interpolation::interpolate_table().select(device)(args, stream);
  return out;
}

Topology Topology::to(Device device) const {
  Topology out = *this;
  out.triangles = triangles.to(device);
  out.first = first.to(device);
  out.corner_face = corner_face.to(device);
  return out;
}

Topology prepare_topology(const Tensor& triangles, std::int64_t vertices) {
  expect(triangles, "triangles", "[F, 3]", DType::i32, {kAny, 3});
  check_argument(triangles.device().is_cpu(), "prepare_topology works on the CPU; move the result with to()");
  const std::int32_t* id = triangles.data<std::int32_t>();
  Topology out;
  out.triangles = triangles.clone();  // ours: what was checked must not change
  out.vertices = vertices;
  out.first = Tensor::zeros({vertices + 1}, DType::i32, {}, "mesh topology");
  out.corner_face = Tensor::empty({triangles.count()}, DType::i32, {}, "mesh topology");
  std::int32_t* first = out.first.mutable_data<std::int32_t>();
  for (std::int64_t i = 0; i < triangles.count(); ++i) {
    check_argument(id[i] >= 0 && id[i] < vertices, "triangles[", i / 3, "] names vertex ", id[i], ", the mesh has ", vertices);
    ++first[id[i] + 1];
  }
  for (std::int64_t v = 0; v < vertices; ++v) first[v + 1] += first[v];
  std::vector<std::int32_t> next(first, first + vertices);
  for (std::int64_t i = 0; i < triangles.count(); ++i)
    out.corner_face.mutable_data<std::int32_t>()[next[id[i]]++] = static_cast<std::int32_t>(i / 3);
  return out;
}

Tensor vertex_normals(const Tensor& positions, const Topology& topology, Stream stream) {
  expect(positions, "positions", "[B, V, 3]", DType::f32, {kAny, topology.vertices, 3});
  const Device device = positions.device();
  check_argument(topology.triangles.device() == device, "positions are on ", device.str(), ", the topology on ",
                 topology.triangles.device().str());
  Tensor out = Tensor::empty(positions.shape(), DType::f32, device, "vertex normals");
  if (out.count() == 0) return out;
  const interpolation::NormalsArgs args{positions.data<float>(),
                                        topology.triangles.data<std::int32_t>(),
                                        topology.first.data<std::int32_t>(),
                                        topology.corner_face.data<std::int32_t>(),
                                        out.mutable_data<float>(),
                                        positions.size(0),
                                        topology.vertices};
  interpolation::vertex_normals_table().select(device)(args, stream);
  return out;
}

}  // namespace forge_rt
