// ForgeHead: parameters, mesh, rendering.
#include <pybind11/operators.h>
#include "bindings.h"

#include "forge_rt/models/forge_head.h"

namespace forge_rt::python {

void bind_forge_head(py::module_& module) {
  py::class_<FaceAppearance>(module, "FaceAppearance", "How one head looks; colours are linear RGB reflectances in 0..1.")
      .def(py::init<>())
      .def_readwrite("melanin", &FaceAppearance::melanin, "0 fair .. 1 dark skin")
      .def_readwrite("redness", &FaceAppearance::redness)
      .def_readwrite("hair_color", &FaceAppearance::hair_color)
      .def_readwrite("iris_color", &FaceAppearance::iris_color)
      .def_readwrite("lip_tint", &FaceAppearance::lip_tint)
      .def_readwrite("lip_tint_strength", &FaceAppearance::lip_tint_strength)
      .def_readwrite("cloth_color", &FaceAppearance::cloth_color)
      .def_readwrite("background_color", &FaceAppearance::background_color)
      .def_readwrite("brow_darkness", &FaceAppearance::brow_darkness)
      .def_readwrite("freckles", &FaceAppearance::freckles)
      .def_readwrite("gloss", &FaceAppearance::gloss)
      .def_readwrite("texture_seed", &FaceAppearance::texture_seed);
  py::class_<FaceLight>(module, "FaceLight", "Key light and ambient; directions in the head frame, towards the light.")
      .def(py::init<>())
      .def_readwrite("key_yaw_deg", &FaceLight::key_yaw_deg)
      .def_readwrite("key_pitch_deg", &FaceLight::key_pitch_deg)
      .def_readwrite("key_strength", &FaceLight::key_strength)
      .def_readwrite("key_color", &FaceLight::key_color)
      .def_readwrite("ambient_strength", &FaceLight::ambient_strength)
      .def_readwrite("sky_color", &FaceLight::sky_color)
      .def_readwrite("ground_color", &FaceLight::ground_color);
  py::class_<FaceParameters>(module, "FaceParameters", "Everything that makes one image of one head, but the camera.")
      .def(py::init<>())
      .def(py::init<const FaceParameters&>(), py::arg("other"), "A copy.")
      .def_readwrite("sliders", &FaceParameters::sliders)
      .def_readwrite("expression", &FaceParameters::expression)
      .def_readwrite("neck", &FaceParameters::neck, "axis-angle, radians")
      .def_readwrite("jaw", &FaceParameters::jaw)
      .def_readwrite("left_eye", &FaceParameters::left_eye)
      .def_readwrite("right_eye", &FaceParameters::right_eye)
      .def_readwrite("options", &FaceParameters::options, "discrete sets, e.g. {'hair': 'short'}; assign a whole dict")
      .def_readwrite("appearance", &FaceParameters::appearance)
      .def_readwrite("light", &FaceParameters::light)
      .def(py::self == py::self);
  py::class_<FaceImages>(module, "FaceImages", "A rendered batch with its exact ground truth; see forge_rt/models/forge_head.h.")
      .def_readonly("rgb", &FaceImages::rgb, "[B, H, W, 3] uint8, sRGB")
      .def_readonly("segmentation", &FaceImages::segmentation, "[B, H, W] uint8 class ids")
      .def_readonly("depth_m", &FaceImages::depth_m, "[B, H, W] float32 camera z, metres, 0 = background")
      .def_property_readonly(
          "normals", [](const FaceImages& i) { return from_tensor(i.normals); }, "[B, H, W, 3] float32 camera frame, or None")
      .def_property_readonly(
          "soft_labels", [](const FaceImages& i) { return from_tensor(i.soft_labels); }, "[B, classes, H, W] float32, or None")
      .def_readonly("landmarks_px", &FaceImages::landmarks_px, "[B, 68, 2] float32; centre of the top-left pixel is (0.5, 0.5)")
      .def_readonly("visibility", &FaceImages::visibility, "[B, 68] uint8: 0 outside the frame, 1 hidden, 2 visible")
      .def_readonly("landmarks_camera_m", &FaceImages::landmarks_camera_m, "[B, 68, 3] float32, camera frame")
      .def_readonly("landmarks_head_m", &FaceImages::landmarks_head_m, "[B, 68, 3] float32, head frame");
  py::class_<SliderInfo>(module, "SliderInfo", "One continuous control.")
      .def_readonly("name", &SliderInfo::name)
      .def_readonly("region", &SliderInfo::region)
      .def_readonly("about", &SliderInfo::about)
      .def_readonly("minimum", &SliderInfo::minimum)
      .def_readonly("maximum", &SliderInfo::maximum)
      .def_readonly("default", &SliderInfo::value);
  py::class_<LabelInfo>(module, "LabelInfo", "One class of the segmentation.")
      .def_readonly("id", &LabelInfo::id)
      .def_readonly("name", &LabelInfo::name)
      .def_readonly("color", &LabelInfo::color)
      .def_readonly("mirror", &LabelInfo::mirror, "id after a left-right flip");
  py::class_<ForgeHead, std::shared_ptr<ForgeHead>>(module, "ForgeHead", "Compiled ForgeHead; use forge_rt.ForgeHead.")
      .def_static(
          "load", [](const std::string& folder) { return std::const_pointer_cast<ForgeHead>(ForgeHead::load(folder)); }, py::arg("folder"))
      .def("sample", &ForgeHead::sample, py::arg("seed"), py::arg("index"))
      .def("neutral", &ForgeHead::neutral)
      .def("mesh", &ForgeHead::mesh, py::arg("faces"), py::call_guard<py::gil_scoped_release>())
      .def(
          "render",
          [](const ForgeHead& head, const std::vector<FaceParameters>& faces, const std::vector<Camera>& cameras, py::object size,
             int supersample, bool normals, bool soft_labels) {
            RenderOptions options;
            options.size = to_image_size(size);
            options.supersample = supersample;
            options.normals = normals;
            options.soft_labels = soft_labels;
            const py::gil_scoped_release release;
            return head.render(faces, cameras, options);
          },
          py::arg("faces"), py::arg("cameras"), py::kw_only(), py::arg("size"), py::arg("supersample") = 2, py::arg("normals") = false,
          py::arg("soft_labels") = false)
      .def_property_readonly("sliders", &ForgeHead::sliders)
      .def_property_readonly("expressions", &ForgeHead::expressions)
      .def_property_readonly("options", &ForgeHead::options)
      .def_property_readonly("labels", &ForgeHead::labels)
      .def_property_readonly("triangles", [](const ForgeHead& h) { return h.head().triangles(); })
      .def_property_readonly("hash", &ForgeHead::hash);
}

}  // namespace forge_rt::python
