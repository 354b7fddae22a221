// Rasterization and what reads its output.
#include "bindings.h"
#include "forge_rt/ops/interpolate.h"
#include "forge_rt/ops/label_projection.h"
#include "forge_rt/ops/neural_views.h"
#include "forge_rt/ops/rasterize.h"
#include "forge_rt/ops/sample_texture.h"

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
  py::class_<RasterOutput>(module, "RasterOutput",
                           "Result of rasterize; see forge_rt/ops/rasterize.h. Pass it back as `out=` to reuse its memory.")
      .def_property_readonly(
          "face", [](const RasterOutput& o) { return from_tensor(o.face); }, "[B, H, W] int32, -1 where empty")
      .def_property_readonly(
          "depth", [](const RasterOutput& o) { return from_tensor(o.depth); }, "[B, H, W] float32, 0 where empty")
      .def_property_readonly(
          "barycentrics", [](const RasterOutput& o) { return from_tensor(o.barycentrics); }, "[B, H, W, 3] float32")
      .def_property_readonly("label", [](const RasterOutput& o) { return from_tensor(o.label); }, "[B, H, W] uint8, only with face_labels");

  module.def(
      "rasterize",
      [](py::object positions, py::object triangles, py::object size, const std::string& coverage, const std::string& cull,
         bool perspective, float near, bool depth, bool barycentrics, py::object face_labels, py::object face_part,
         py::object visible_parts, RasterOutput* out) {
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
      },
      py::arg("positions"), py::arg("triangles"), py::arg("size"), py::kw_only(), py::arg("coverage") = "watertight",
      py::arg("cull") = "back", py::arg("perspective") = true, py::arg("near") = 0.01f, py::arg("depth") = true,
      py::arg("barycentrics") = true, py::arg("face_labels") = py::none(), py::arg("face_part") = py::none(),
      py::arg("visible_parts") = py::none(), py::arg("out") = nullptr,
      "Rasterizes positions [B, V, 4] float32 (clip space: x right, y up) with triangles [F, 3] int32. `size` is (height, width) or one "
      "number.\n"
      "coverage 'watertight': exact, neighbours neither overlap nor leave holes; 'strict_float': the published rule of spec/next3d §6.2\n"
      "(short image side spans [-1, 1]). The nearest surface wins, equal depth goes to the lower triangle index.");

  module.def(
      "interpolate",
      [](py::object face, py::object barycentrics, py::object index, py::object attributes) {
        const Tensor f = to_tensor(face, DType::i32), b = to_tensor(barycentrics, DType::f32), i = to_tensor(index, DType::i32),
                     a = to_tensor(attributes, DType::f32);
        const py::gil_scoped_release release;
        return interpolate(f, b, i, a);
      },
      py::arg("face"), py::arg("barycentrics"), py::arg("index"), py::arg("attributes"),
      "Attributes [B or 1, N, C] at the pixels of a rasterized mesh -> [B, H, W, C] float32, 0 where empty. `index` [F, 3] names the rows "
      "of each triangle's corners.");

  py::class_<Topology>(module, "Topology", "Which triangles touch a vertex; prepared once per mesh.")
      .def(py::init(
               [](py::object triangles, std::int64_t vertices) { return prepare_topology(to_tensor(triangles, DType::i32), vertices); }),
           py::arg("triangles"), py::arg("vertices"))
      .def("to", [](const Topology& t, const std::string& device) { return t.to(Device::parse(device)); }, py::arg("device"));
  module.def(
      "vertex_normals",
      [](py::object positions, const Topology& topology) {
        const Tensor p = to_tensor(positions, DType::f32);
        const py::gil_scoped_release release;
        return vertex_normals(p, topology);
      },
      py::arg("positions"), py::arg("topology"), "Area-weighted unit normals [B, V, 3].");

  module.def(
      "sample_texture",
      [](py::object texture, py::object grid, const std::string& filter, const std::string& border, bool align_corners) {
        SampleOptions options;
        check_argument(filter == "nearest" || filter == "bilinear", "filter must be 'nearest' or 'bilinear', got '", filter, "'");
        check_argument(border == "zero" || border == "clamp", "border must be 'zero' or 'clamp', got '", border, "'");
        options.filter = filter == "nearest" ? Filter::nearest : Filter::bilinear;
        options.border = border == "zero" ? Border::zero : Border::clamp;
        options.align_corners = align_corners;
        const Tensor t = to_tensor(texture, DType::f32), g = to_tensor(grid, DType::f32);
        const py::gil_scoped_release release;
        return sample_texture(t, g, options);
      },
      py::arg("texture"), py::arg("grid"), py::kw_only(), py::arg("filter") = "bilinear", py::arg("border") = "zero",
      py::arg("align_corners") = false,
      "texture [B or 1, Ht, Wt, C] at grid [B, H, W, 2] in [-1, 1] (x right, y down), as torch's grid_sample. From OBJ UVs: (2u - 1, 1 - "
      "2v).");

  module.def(
      "project_labels",
      [](py::object face, py::object barycentrics, py::object face_labels, py::object uv_triangles, py::object uv, py::object semantic_uv,
         std::uint8_t background) {
        const Tensor f = to_tensor(face, DType::i32), b = to_tensor(barycentrics, DType::f32), l = to_tensor(face_labels, DType::u8);
        const Tensor t = to_optional_tensor(uv_triangles, DType::i32), u = to_optional_tensor(uv, DType::f32),
                     m = to_optional_tensor(semantic_uv, DType::u8);
        const py::gil_scoped_release release;
        return project_labels(f, b, l, t, u, m, background);
      },
      py::arg("face"), py::arg("barycentrics"), py::arg("face_labels"), py::arg("uv_triangles") = py::none(), py::arg("uv") = py::none(),
      py::arg("semantic_uv") = py::none(), py::arg("background") = 0,
      "Exact class ids [B, H, W] uint8, per triangle or (face label 255) through a semantic UV map [Hm, Wm] uint8, row 0 = v 1.");
  module.def(
      "label_coverage",
      [](py::object labels, int factor, int classes) { return label_coverage(to_tensor(labels, DType::u8), factor, classes); },
      py::arg("labels"), py::arg("factor"), py::arg("classes"), "Soft labels: [B, f H, f W] uint8 -> [B, classes, H, W] float32 shares.");
  module.def(
      "label_majority", [](py::object labels, int factor) { return label_majority(to_tensor(labels, DType::u8), factor); },
      py::arg("labels"), py::arg("factor"), "[B, f H, f W] uint8 -> [B, H, W] uint8, the most frequent class of each pixel.");
  module.def(
      "point_visibility",
      [](py::object pixels, py::object depth, py::object depth_map, float slack) {
        return point_visibility(to_tensor(pixels, DType::f32), to_tensor(depth, DType::f32), to_tensor(depth_map, DType::f32), slack);
      },
      py::arg("pixels"), py::arg("depth"), py::arg("depth_map"), py::arg("slack"),
      "COCO's numbers: 0 outside the frame, 1 hidden, 2 visible. [B, L] uint8.");

  module.def(
      "orthographic_view",
      [](py::object points, std::array<float, 3> angles, float scale, std::array<float, 3> shift) {
        return orthographic_view(to_tensor(points, DType::f32), angles, scale, shift);
      },
      py::arg("points"), py::arg("pitch_yaw_roll_deg"), py::arg("scale") = 5.f,
      py::arg("shift") = std::array<float, 3>{0.f, -0.01f, -0.01f},
      "Next3D's view transform (spec/next3d §6.1): [B, N, 3] head frame -> (x', y', z').");
  module.def(
      "fill_enclosed",
      [](py::object alpha, bool binarise) {
        const Tensor a = to_tensor(alpha, DType::f32);
        const py::gil_scoped_release release;
        return fill_enclosed(a, binarise);
      },
      py::arg("alpha"), py::kw_only(), py::arg("binarise") = false,
      "Mouth filling of spec/next3d §6.4; with `binarise`, what is not 0 becomes 1 (§6.5).");
  module.def(
      "mouth_box", [](py::object landmarks, int size) { return mouth_box(to_tensor(landmarks, DType::f32), size); }, py::arg("landmarks"),
      py::arg("size"), "Mouth box of spec/next3d §7.2: [B, 68, 2] pixels -> [B, 4] (row0, row1, col0, col1).");
}

}  // namespace forge_rt::python
