// Rasterization and what reads its output.
#include "bindings.h"
#include "forge_rt/ops/rasterize.h"

namespace forge_rt::python {
namespace {

Coverage parse_coverage(const std::string& name) {
  if (name == "watertight") return Coverage::watertight;
  if (name == "strict_float") return Coverage::strict_float;
  throw Error(ErrorCode::invalid_argument, concat("coverage must be 'watertight' or 'strict_float', got '", name, "'"));
}

Cull parse_cull(const std::string& name) {
  if (name == "none") return Cull::none;
  if (name == "back") return Cull::back;
  throw Error(ErrorCode::invalid_argument, concat("cull must be 'none' or 'back', got '", name, "'"));
}

}  // namespace

void bind_raster(py::module_& module) {
  py::class_<RasterOutput>(module, "RasterOutput", "Result of rasterize; see forge_rt/ops/rasterize.h. Pass it back as `out=` to reuse its memory.")
      .def_property_readonly("face", [](const RasterOutput& o) { return from_tensor(o.face); }, "[B, H, W] int32, -1 where empty")
      .def_property_readonly("depth", [](const RasterOutput& o) { return from_tensor(o.depth); }, "[B, H, W] float32, 0 where empty")
      .def_property_readonly("barycentrics", [](const RasterOutput& o) { return from_tensor(o.barycentrics); }, "[B, H, W, 3] float32")
      .def_property_readonly("label", [](const RasterOutput& o) { return from_tensor(o.label); }, "[B, H, W] uint8, only with face_labels");

  module.def("rasterize", [](py::object positions, py::object triangles, py::object size, const std::string& coverage, const std::string& cull, bool perspective,
                             float near, bool depth, bool barycentrics, py::object face_labels, py::object face_part, py::object visible_parts, RasterOutput* out) {
    RasterizeOptions options;
    options.size = to_image_size(size);
    options.coverage = parse_coverage(coverage);
    options.cull = parse_cull(cull);
    options.perspective = perspective;
    options.near = near;
    options.want_depth = depth;
    options.want_barycentrics = barycentrics;
    RasterMesh mesh;
    mesh.triangles = to_tensor(triangles, DType::i32);
    mesh.face_labels = to_optional_tensor(face_labels, DType::u8);
    mesh.face_part = to_optional_tensor(face_part, DType::u8);
    mesh.visible_parts = to_optional_tensor(visible_parts, DType::u64);
    const Tensor p = to_tensor(positions, DType::f32);
    RasterOutput result = out != nullptr ? *out : RasterOutput{};
    {
      const py::gil_scoped_release release;
      rasterize_into(result, p, mesh, options);
    }
    if (out != nullptr) *out = result;
    return result;
  }, py::arg("positions"), py::arg("triangles"), py::arg("size"), py::kw_only(), py::arg("coverage") = "watertight", py::arg("cull") = "back",
     py::arg("perspective") = true, py::arg("near") = 0.01f, py::arg("depth") = true, py::arg("barycentrics") = true, py::arg("face_labels") = py::none(),
     py::arg("face_part") = py::none(), py::arg("visible_parts") = py::none(), py::arg("out") = nullptr,
     "Rasterizes positions [B, V, 4] float32 (clip space: x right, y up) with triangles [F, 3] int32. `size` is (height, width) or one number.\n"
     "coverage 'watertight': exact, neighbours neither overlap nor leave holes; 'strict_float': the published rule of spec/next3d §6.2\n"
     "(short image side spans [-1, 1]). The nearest surface wins, equal depth goes to the lower triangle index.");
}

}  // namespace forge_rt::python
