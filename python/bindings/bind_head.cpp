// FLAME-format head evaluation.
#include "bindings.h"
#include "forge_rt/core/safetensors.h"
#include "forge_rt/models/bundle.h"
#include "forge_rt/models/head.h"

namespace forge_rt::python {
namespace {

HeadArrays to_arrays(const py::object& v_template, const py::object& shapedirs, const py::object& posedirs,
                     const py::object& joint_regressor, const py::object& weights, std::vector<int> parents) {
  return {to_tensor(v_template, DType::f32),      to_tensor(shapedirs, DType::f32), to_optional_tensor(posedirs, DType::f32),
          to_tensor(joint_regressor, DType::f32), to_tensor(weights, DType::f32),   std::move(parents)};
}

}  // namespace

void bind_head(py::module_& module) {
  py::class_<HeadPosed>(module, "HeadPosed", "Result of head_lbs; see forge_rt/ops/head_lbs.h.")
      .def_readonly("vertices", &HeadPosed::vertices, "[B, V, 3] float32, metres")
      .def_readonly("joints", &HeadPosed::joints, "[B, J, 3] float32, posed joint positions")
      .def_readonly("rotations", &HeadPosed::rotations, "[B, J, 3, 3] float32, local joint rotations")
      .def_readonly("transforms", &HeadPosed::transforms, "[B, J, 3, 4] float32, rest pose to posed");

  py::class_<HeadBasis>(module, "HeadBasis", "A head model laid out for evaluation. Immutable.")
      .def(py::init([](py::object v_template, py::object shapedirs, py::object joint_regressor, py::object weights,
                       std::vector<int> parents, py::object posedirs) {
             const HeadArrays arrays = to_arrays(v_template, shapedirs, posedirs, joint_regressor, weights, std::move(parents));
             const py::gil_scoped_release release;
             return prepare_head(arrays);
           }),
           py::arg("v_template"), py::arg("shapedirs"), py::arg("joint_regressor"), py::arg("weights"), py::arg("parents"),
           py::arg("posedirs") = py::none())
      .def_readonly("vertices", &HeadBasis::vertices)
      .def_readonly("components", &HeadBasis::components)
      .def_readonly("joints", &HeadBasis::joints)
      .def_readonly("parents", &HeadBasis::parents)
      .def_property_readonly("device", [](const HeadBasis& b) { return b.device().str(); })
      .def("to", [](const HeadBasis& b, const std::string& device) { return b.to(Device::parse(device)); }, py::arg("device"));

  module.def(
      "head_lbs",
      [](const HeadBasis& basis, py::object betas, py::object pose, py::object translation) {
        const Tensor b = to_tensor(betas, DType::f32), p = to_optional_tensor(pose, DType::f32),
                     t = to_optional_tensor(translation, DType::f32);
        const py::gil_scoped_release release;
        return head_lbs(basis, b, p, t);
      },
      py::arg("basis"), py::arg("betas"), py::arg("pose") = py::none(), py::arg("translation") = py::none(),
      "Linear blend skinning of B heads (spec/next3d §17.2). betas [B, k], pose [B, J, 3] axis-angle radians, translation [B, 3] metres.");

  module.def(
      "points_on_mesh",
      [](py::object vertices, py::object triangles, py::object face, py::object barycentrics) {
        return points_on_mesh(to_tensor(vertices, DType::f32), to_tensor(triangles, DType::i32), to_tensor(face, DType::i32),
                              to_tensor(barycentrics, DType::f32));
      },
      py::arg("vertices"), py::arg("triangles"), py::arg("face"), py::arg("barycentrics"),
      "Points fixed to triangles: [B, V, 3], [F, 3], [B or 1, L], [B or 1, L, 3] -> [B, L, 3].");

  py::class_<HeadMesh>(module, "HeadMesh", "A batch of posed heads.")
      .def_readonly("vertices", &HeadMesh::vertices, "[B, V, 3] float32, metres, head frame")
      .def_property_readonly(
          "landmarks", [](const HeadMesh& m) { return from_tensor(m.landmarks); }, "[B, 68, 3] float32, or None without an embedding")
      .def_readonly("joints", &HeadMesh::joints, "[B, J, 3] float32")
      .def_readonly("rotations", &HeadMesh::rotations, "[B, J, 3, 3] float32, local joint rotations");

  py::class_<Head, std::shared_ptr<Head>>(module, "Head", "Compiled head model; use forge_rt.Head.")
      .def(py::init([](py::object v_template, py::object triangles, py::object shapedirs, py::object posedirs, py::object joint_regressor,
                       py::object weights, std::vector<int> parents, int n_shape, int n_expression, py::object static_face,
                       py::object static_barycentrics, py::object dynamic_face, py::object dynamic_barycentrics,
                       std::vector<int> contour_chain, int contour_sign, const std::string& device) {
             const HeadArrays arrays = to_arrays(v_template, shapedirs, posedirs, joint_regressor, weights, std::move(parents));
             LandmarkArrays landmarks;
             landmarks.static_face = to_optional_tensor(static_face, DType::i32);
             landmarks.static_barycentrics = to_optional_tensor(static_barycentrics, DType::f32);
             landmarks.dynamic_face = to_optional_tensor(dynamic_face, DType::i32);
             landmarks.dynamic_barycentrics = to_optional_tensor(dynamic_barycentrics, DType::f32);
             landmarks.contour_chain = std::move(contour_chain);
             landmarks.contour_sign = contour_sign;
             return std::make_shared<Head>(arrays, to_tensor(triangles, DType::i32), n_shape, n_expression, landmarks,
                                           Device::parse(device));
           }),
           py::kw_only(), py::arg("v_template"), py::arg("triangles"), py::arg("shapedirs"), py::arg("posedirs"),
           py::arg("joint_regressor"), py::arg("weights"), py::arg("parents"), py::arg("n_shape"), py::arg("n_expression"),
           py::arg("static_face"), py::arg("static_barycentrics"), py::arg("dynamic_face"), py::arg("dynamic_barycentrics"),
           py::arg("contour_chain"), py::arg("contour_sign"), py::arg("device"))
      .def(
          "evaluate",
          [](const Head& head, py::object shape, py::object expression, py::object pose, py::object translation) {
            const HeadParameters parameters{to_optional_tensor(shape, DType::f32), to_optional_tensor(expression, DType::f32),
                                            to_optional_tensor(pose, DType::f32), to_optional_tensor(translation, DType::f32)};
            const py::gil_scoped_release release;
            return head.evaluate(parameters);
          },
          py::kw_only(), py::arg("shape") = py::none(), py::arg("expression") = py::none(), py::arg("pose") = py::none(),
          py::arg("translation") = py::none())
      .def_property_readonly("vertices", &Head::vertices)
      .def_property_readonly("joints", &Head::joints)
      .def_property_readonly("n_shape", &Head::n_shape)
      .def_property_readonly("n_expression", &Head::n_expression)
      .def_property_readonly("triangles", [](const Head& h) { return h.triangles(); });

  module.def(
      "read_safetensors", [](const std::string& path) { return parse_safetensors(read_file(path), path); }, py::arg("path"),
      "All tensors of a safetensors file, by name.");

  module.def(
      "contour_rows",
      [](py::object rotations, std::vector<int> chain, int sign) { return contour_rows(to_tensor(rotations, DType::f32), chain, sign); },
      py::arg("rotations"), py::arg("chain"), py::arg("sign"), "Rows 0..78 of the dynamic contour table (spec/next3d §17.3).");
}

}  // namespace forge_rt::python
