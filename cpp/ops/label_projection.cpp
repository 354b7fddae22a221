// Label projection: check inputs, allocate, dispatch; with the scalar implementations.
#include "forge_rt/ops/label_projection.h"

#include "forge_rt/core/thread_pool.h"
#include "label_projection_table.h"

namespace forge_rt {
namespace labels {

OpTable<ProjectFn>& project_labels_table() {
  static OpTable<ProjectFn> table{"project_labels"};
  return table;
}
OpTable<CoverageFn>& label_coverage_table() {
  static OpTable<CoverageFn> table{"label_coverage"};
  return table;
}
OpTable<VisibilityFn>& point_visibility_table() {
  static OpTable<VisibilityFn> table{"point_visibility"};
  return table;
}

namespace {

void project_scalar(const ProjectArgs& a, Stream) {
  parallel_for_ranges(a.pixels, 32768, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) a.out[p] = project_pixel(a, p);
  });
}
void coverage_scalar(const CoverageArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.height, 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (int column = 0; column < a.width; ++column) cover_pixel(a, i / a.height, static_cast<int>(i % a.height), column);
  });
}
void visibility_scalar(const VisibilityArgs& a, Stream) {
  for (std::int64_t i = 0; i < a.batch * a.points; ++i) a.out[i] = visibility_of(a, i / a.points, i % a.points);
}
const Register<ProjectFn> registered_project(project_labels_table().scalar, project_scalar);
const Register<CoverageFn> registered_coverage(label_coverage_table().scalar, coverage_scalar);
const Register<VisibilityFn> registered_visibility(point_visibility_table().scalar, visibility_scalar);

}  // namespace
}  // namespace labels

namespace {

void expect_one_device(const char* op, std::initializer_list<const Tensor*> tensors) {
  const Device device = (*tensors.begin())->device();
  for (const Tensor* t : tensors)
    check_argument(!t->defined() || t->device() == device, "all tensors of ", op, " must be on one device, got ", t->device().str(),
                   " and ", device.str());
}

labels::CoverageArgs coverage_args(const Tensor& map, int factor) {
  expect(map, "labels", "[B, f H, f W]", DType::u8, {kAny, kAny, kAny});
  check_argument(factor >= 1 && factor <= 8, "factor must be 1..8, got ", factor);
  check_argument(map.size(1) % factor == 0 && map.size(2) % factor == 0, "labels ", shape_str(map.shape()), " do not divide by factor ",
                 factor);
  return {map.data<std::uint8_t>(),
          nullptr,
          nullptr,
          map.size(0),
          static_cast<int>(map.size(1) / factor),
          static_cast<int>(map.size(2) / factor),
          factor,
          0};
}

}  // namespace

Tensor project_labels(const Tensor& face, const Tensor& barycentrics, const Tensor& face_labels, const Tensor& uv_triangles,
                      const Tensor& uv, const Tensor& semantic_uv, std::uint8_t background, Stream stream) {
  expect(face, "face", "[B, H, W]", DType::i32, {kAny, kAny, kAny});
  expect(barycentrics, "barycentrics", "[B, H, W, 3]", DType::f32, {face.size(0), face.size(1), face.size(2), 3});
  expect(face_labels, "face_labels", "[F]", DType::u8, {kAny});
  const std::int64_t faces = face_labels.size(0);
  const bool mapped = semantic_uv.defined();
  if (mapped) {
    expect(uv_triangles, "uv_triangles", "[F, 3]", DType::i32, {faces, 3});
    expect(uv, "uv", "[T, 2]", DType::f32, {kAny, 2});
    expect(semantic_uv, "semantic_uv", "[Hm, Wm]", DType::u8, {kAny, kAny});
    check_argument(semantic_uv.count() > 0, "semantic_uv is empty");
  }
  expect_one_device("project_labels", {&face, &barycentrics, &face_labels, &uv_triangles, &uv, &semantic_uv});
  if (face.device().is_cpu()) {
    const std::int64_t rows = mapped ? uv.size(0) : 0;
    for (std::int64_t f = 0; f < faces; ++f)
      check_argument(mapped || face_labels.data<std::uint8_t>()[f] != kLabelFromUv, "triangle ", f,
                     " asks for the UV map (label 255), but there is none");
    for (std::int64_t i = 0; mapped && i < uv_triangles.count(); ++i) {
      const std::int32_t id = uv_triangles.data<std::int32_t>()[i];
      check_argument(id >= 0 && id < rows, "uv_triangles[", i / 3, "] names row ", id, ", uv has ", rows);
    }
    for (std::int64_t i = 0; i < face.count(); ++i)
      check_argument(face.data<std::int32_t>()[i] < faces, "face names triangle ", face.data<std::int32_t>()[i], ", face_labels has ",
                     faces);
  }
  Tensor out = Tensor::empty(face.shape(), DType::u8, face.device(), "label map");
  if (out.count() == 0) return out;
  const labels::ProjectArgs args{face.data<std::int32_t>(),
                                 barycentrics.data<float>(),
                                 face_labels.data<std::uint8_t>(),
                                 mapped ? uv_triangles.data<std::int32_t>() : nullptr,
                                 mapped ? uv.data<float>() : nullptr,
                                 mapped ? semantic_uv.data<std::uint8_t>() : nullptr,
                                 out.mutable_data<std::uint8_t>(),
                                 out.count(),
                                 mapped ? static_cast<int>(semantic_uv.size(0)) : 0,
                                 mapped ? static_cast<int>(semantic_uv.size(1)) : 0,
                                 background,
                                 kLabelFromUv};
  labels::project_labels_table().select(face.device())(args, stream);
  return out;
}

Tensor label_coverage(const Tensor& map, int factor, int classes, Stream stream) {
  labels::CoverageArgs args = coverage_args(map, factor);
  check_argument(classes >= 1 && classes <= 256, "classes must be 1..256, got ", classes);
  if (map.device().is_cpu())
    for (std::int64_t i = 0; i < map.count(); ++i)
      check_argument(map.data<std::uint8_t>()[i] < classes, "labels hold class ", int{map.data<std::uint8_t>()[i]}, ", but there are ",
                     classes);
  Tensor out = Tensor::empty({args.batch, classes, args.height, args.width}, DType::f32, map.device(), "label coverage");
  args.coverage = out.mutable_data<float>();
  args.classes = classes;
  if (out.count() > 0) labels::label_coverage_table().select(map.device())(args, stream);
  return out;
}

Tensor label_majority(const Tensor& map, int factor, Stream stream) {
  labels::CoverageArgs args = coverage_args(map, factor);
  Tensor out = Tensor::empty({args.batch, args.height, args.width}, DType::u8, map.device(), "label map");
  args.majority = out.mutable_data<std::uint8_t>();
  if (out.count() > 0) labels::label_coverage_table().select(map.device())(args, stream);
  return out;
}

Tensor point_visibility(const Tensor& pixels, const Tensor& depth, const Tensor& depth_map, float slack, Stream stream) {
  expect(pixels, "pixels", "[B, L, 2]", DType::f32, {kAny, kAny, 2});
  expect(depth, "depth", "[B, L]", DType::f32, {pixels.size(0), pixels.size(1)});
  expect(depth_map, "depth_map", "[B, H, W]", DType::f32, {pixels.size(0), kAny, kAny});
  check_argument(slack >= 0.f, "slack must be >= 0, got ", slack);
  expect_one_device("point_visibility", {&pixels, &depth, &depth_map});
  Tensor out = Tensor::empty({pixels.size(0), pixels.size(1)}, DType::u8, pixels.device(), "visibility");
  if (out.count() == 0) return out;
  const labels::VisibilityArgs args{pixels.data<float>(),
                                    depth.data<float>(),
                                    depth_map.data<float>(),
                                    out.mutable_data<std::uint8_t>(),
                                    pixels.size(0),
                                    pixels.size(1),
                                    static_cast<int>(depth_map.size(1)),
                                    static_cast<int>(depth_map.size(2)),
                                    slack};
  labels::point_visibility_table().select(pixels.device())(args, stream);
  return out;
}

}  // namespace forge_rt
