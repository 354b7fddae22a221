// FLAME-format head evaluation.
#include "bindings.h"
#include "forge_rt/ops/head_lbs.h"

namespace forge_rt::python {

void bind_head(py::module_& module) {
  py::class_<HeadPosed>(module, "HeadPosed", "Result of head_lbs; see forge_rt/ops/head_lbs.h.")
      .def_readonly("vertices", &HeadPosed::vertices, "[B, V, 3] float32, metres")
      .def_readonly("joints", &HeadPosed::joints, "[B, J, 3] float32, posed joint positions")
      .def_readonly("rotations", &HeadPosed::rotations, "[B, J, 3, 3] float32, local joint rotations")
      .def_readonly("transforms", &HeadPosed::transforms, "[B, J, 3, 4] float32, rest pose to posed");

  py::class_<HeadBasis>(module, "HeadBasis", "A head model laid out for evaluation. Immutable.")
      .def(py::init([](py::object v_template, py::object shapedirs, py::object joint_regressor, py::object weights, std::vector<int> parents, py::object posedirs) {
             HeadArrays arrays;
             arrays.v_template = to_tensor(v_template, DType::f32);
             arrays.shapedirs = to_tensor(shapedirs, DType::f32);
             arrays.posedirs = to_optional_tensor(posedirs, DType::f32);
             arrays.joint_regressor = to_tensor(joint_regressor, DType::f32);
             arrays.weights = to_tensor(weights, DType::f32);
             arrays.parents = std::move(parents);
             const py::gil_scoped_release release;
             return prepare_head(arrays);
           }), py::arg("v_template"), py::arg("shapedirs"), py::arg("joint_regressor"), py::arg("weights"), py::arg("parents"), py::arg("posedirs") = py::none())
      .def_readonly("vertices", &HeadBasis::vertices)
      .def_readonly("components", &HeadBasis::components)
      .def_readonly("joints", &HeadBasis::joints)
      .def_readonly("parents", &HeadBasis::parents)
      .def_property_readonly("device", [](const HeadBasis& b) { return b.device().str(); })
      .def("to", [](const HeadBasis& b, const std::string& device) { return b.to(Device::parse(device)); }, py::arg("device"));

  module.def("head_lbs", [](const HeadBasis& basis, py::object betas, py::object pose, py::object translation) {
    const Tensor b = to_tensor(betas, DType::f32), p = to_optional_tensor(pose, DType::f32), t = to_optional_tensor(translation, DType::f32);
    const py::gil_scoped_release release;
    return head_lbs(basis, b, p, t);
  }, py::arg("basis"), py::arg("betas"), py::arg("pose") = py::none(), py::arg("translation") = py::none(),
     "Linear blend skinning of B heads (spec/next3d §17.2). betas [B, k], pose [B, J, 3] axis-angle radians, translation [B, 3] metres.");

  module.def("points_on_mesh", [](py::object vertices, py::object triangles, py::object face, py::object barycentrics) {
    return points_on_mesh(to_tensor(vertices, DType::f32), to_tensor(triangles, DType::i32), to_tensor(face, DType::i32), to_tensor(barycentrics, DType::f32));
  }, py::arg("vertices"), py::arg("triangles"), py::arg("face"), py::arg("barycentrics"),
     "Points fixed to triangles: [B, V, 3], [F, 3], [B or 1, L], [B or 1, L, 3] -> [B, L, 3].");

  module.def("contour_rows", [](py::object rotations, std::vector<int> chain, int sign) {
    return contour_rows(to_tensor(rotations, DType::f32), chain, sign);
  }, py::arg("rotations"), py::arg("chain"), py::arg("sign"), "Rows 0..78 of the dynamic contour table (spec/next3d §17.3).");
}

}  // namespace forge_rt::python
