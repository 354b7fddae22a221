// ForgeHead: parameters, mesh, rendering.
#include <pybind11/operators.h>
#include "bindings.h"

#include "forge_rt/models/forge_head.h"

namespace forge_rt::python {

void bind_forge_head(py::module_& module) {
  py::class_<FaceAppearance>(module, "FaceAppearance", "How one head looks; colours are linear RGB reflectances in 0..1.")
      .def(py::init<>())
      .def(py::init<const FaceAppearance&>(), py::arg("other"), "A copy.")
      .def_readwrite("melanin", &FaceAppearance::melanin)
      .def_readwrite("undertone", &FaceAppearance::undertone)
      .def_readwrite("redness", &FaceAppearance::redness)
      .def_readwrite("freckles", &FaceAppearance::freckles)
      .def_readwrite("moles", &FaceAppearance::moles)
      .def_readwrite("blemishes", &FaceAppearance::blemishes)
      .def_readwrite("wrinkles", &FaceAppearance::wrinkles)
      .def_readwrite("pores", &FaceAppearance::pores)
      .def_readwrite("dark_circles", &FaceAppearance::dark_circles)
      .def_readwrite("gloss", &FaceAppearance::gloss)
      .def_readwrite("stubble", &FaceAppearance::stubble)
      .def_readwrite("iris_color", &FaceAppearance::iris_color)
      .def_readwrite("pupil", &FaceAppearance::pupil)
      .def_readwrite("bloodshot", &FaceAppearance::bloodshot)
      .def_readwrite("teeth_shade", &FaceAppearance::teeth_shade)
      .def_readwrite("lip_tint", &FaceAppearance::lip_tint)
      .def_readwrite("lip_tint_strength", &FaceAppearance::lip_tint_strength)
      .def_readwrite("lip_gloss", &FaceAppearance::lip_gloss)
      .def_readwrite("blush", &FaceAppearance::blush)
      .def_readwrite("eyeshadow_color", &FaceAppearance::eyeshadow_color)
      .def_readwrite("eyeshadow", &FaceAppearance::eyeshadow)
      .def_readwrite("eyeliner", &FaceAppearance::eyeliner)
      .def_readwrite("hair_color", &FaceAppearance::hair_color)
      .def_readwrite("hair_tip_color", &FaceAppearance::hair_tip_color)
      .def_readwrite("grey_hair", &FaceAppearance::grey_hair)
      .def_readwrite("hair_gloss", &FaceAppearance::hair_gloss)
      .def_readwrite("brow_darkness", &FaceAppearance::brow_darkness)
      .def_readwrite("cloth_color", &FaceAppearance::cloth_color)
      .def_readwrite("cloth_color_2", &FaceAppearance::cloth_color_2)
      .def_readwrite("cloth_pattern", &FaceAppearance::cloth_pattern)
      .def_readwrite("glasses_color", &FaceAppearance::glasses_color)
      .def_readwrite("lens_tint", &FaceAppearance::lens_tint)
      .def_readwrite("hat_color", &FaceAppearance::hat_color)
      .def_readwrite("occluder_color", &FaceAppearance::occluder_color)
      .def_readwrite("background", &FaceAppearance::background)
      .def_readwrite("background_color", &FaceAppearance::background_color)
      .def_readwrite("background_color_2", &FaceAppearance::background_color_2)
      .def_readwrite("background_blur", &FaceAppearance::background_blur)
      .def_readwrite("texture_seed", &FaceAppearance::texture_seed)
      .def(py::self == py::self);
  py::class_<HairShape>(module, "HairShape", "How the chosen hair style is grown.")
      .def(py::init<>())
      .def(py::init<const HairShape&>(), py::arg("other"), "A copy.")
      .def_readwrite("length", &HairShape::length)
      .def_readwrite("volume", &HairShape::volume)
      .def_readwrite("curl", &HairShape::curl)
      .def_readwrite("frizz", &HairShape::frizz)
      .def_readwrite("clump", &HairShape::clump)
      .def_readwrite("seed", &HairShape::seed)
      .def(py::self == py::self);
  py::class_<FaceLight>(module, "FaceLight", "Key, rim and environment light; directions in the head frame, towards the light.")
      .def(py::init<>())
      .def(py::init<const FaceLight&>(), py::arg("other"), "A copy.")
      .def_readwrite("key_yaw_deg", &FaceLight::key_yaw_deg)
      .def_readwrite("key_pitch_deg", &FaceLight::key_pitch_deg)
      .def_readwrite("key_strength", &FaceLight::key_strength)
      .def_readwrite("key_color", &FaceLight::key_color)
      .def_readwrite("key_softness", &FaceLight::key_softness)
      .def_readwrite("rim_yaw_deg", &FaceLight::rim_yaw_deg)
      .def_readwrite("rim_pitch_deg", &FaceLight::rim_pitch_deg)
      .def_readwrite("rim_strength", &FaceLight::rim_strength)
      .def_readwrite("rim_color", &FaceLight::rim_color)
      .def_readwrite("ambient_strength", &FaceLight::ambient_strength)
      .def_readwrite("environment", &FaceLight::environment)
      .def(py::self == py::self);
  py::class_<FaceCapture>(module, "FaceCapture", "What camera and file format do to the picture.")
      .def(py::init<>())
      .def(py::init<const FaceCapture&>(), py::arg("other"), "A copy.")
      .def_readwrite("exposure", &FaceCapture::exposure)
      .def_readwrite("contrast", &FaceCapture::contrast)
      .def_readwrite("saturation", &FaceCapture::saturation)
      .def_readwrite("white_balance", &FaceCapture::white_balance)
      .def_readwrite("vignette", &FaceCapture::vignette)
      .def_readwrite("blur_px", &FaceCapture::blur_px)
      .def_readwrite("motion_px", &FaceCapture::motion_px)
      .def_readwrite("motion_deg", &FaceCapture::motion_deg)
      .def_readwrite("noise_read", &FaceCapture::noise_read)
      .def_readwrite("noise_shot", &FaceCapture::noise_shot)
      .def_readwrite("sharpen", &FaceCapture::sharpen)
      .def_readwrite("downscale", &FaceCapture::downscale)
      .def_readwrite("jpeg_quality", &FaceCapture::jpeg_quality)
      .def_readwrite("greyscale", &FaceCapture::greyscale)
      .def(py::self == py::self);
  py::class_<LabelHabit>(module, "LabelHabit", "How the annotator draws class borders.")
      .def(py::init<>())
      .def(py::init<const LabelHabit&>(), py::arg("other"), "A copy.")
      .def_readwrite("brow_margin_m", &LabelHabit::brow_margin_m)
      .def_readwrite("lens_as_glasses", &LabelHabit::lens_as_glasses)
      .def_readwrite("beard_as_hair", &LabelHabit::beard_as_hair)
      .def_readwrite("wisps", &LabelHabit::wisps)
      .def(py::self == py::self);
  py::class_<OccluderPose>(module, "OccluderPose", "Where a free object stands.")
      .def(py::init<>())
      .def(py::init<const OccluderPose&>(), py::arg("other"), "A copy.")
      .def_readwrite("position_m", &OccluderPose::position_m)
      .def_readwrite("rotation", &OccluderPose::rotation)
      .def_readwrite("scale", &OccluderPose::scale)
      .def(py::self == py::self);
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
      .def_readwrite("style", &FaceParameters::style)
      .def_readwrite("appearance", &FaceParameters::appearance)
      .def_readwrite("hair", &FaceParameters::hair)
      .def_readwrite("occluder", &FaceParameters::occluder)
      .def_readwrite("light", &FaceParameters::light)
      .def_readwrite("capture", &FaceParameters::capture)
      .def_readwrite("habit", &FaceParameters::habit)
      .def(py::self == py::self);
  py::class_<FaceImages>(module, "FaceImages", "A rendered batch with its exact ground truth; see forge_rt/models/forge_head.h.")
      .def_readonly("rgb", &FaceImages::rgb, "[B, H, W, 3] uint8, sRGB")
      .def_readonly("segmentation", &FaceImages::segmentation, "[B, H, W] uint8 class ids")
      .def_readonly("depth_m", &FaceImages::depth_m, "[B, H, W] float32 camera z, metres, 0 = background")
      .def_property_readonly(
          "normals", [](const FaceImages& i) { return from_tensor(i.normals); }, "[B, H, W, 3] float32 camera frame, or None")
      .def_property_readonly(
          "soft_labels", [](const FaceImages& i) { return from_tensor(i.soft_labels); }, "[B, classes, H, W] float32, or None")
      .def_property_readonly(
          "layers", [](const FaceImages& i) { return from_tensor(i.layers); },
          "[B, 2, H, W] uint8 without free objects; the bare head; or None")
      .def_property_readonly(
          "uv", [](const FaceImages& i) { return from_tensor(i.uv); }, "[B, H, W, 2] float32, -1 off the head, or None")
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
      .def("sample", &ForgeHead::sample, py::arg("seed"), py::arg("index"), py::arg("wild") = 0.0, py::arg("attempt") = 0)
      .def("neutral", &ForgeHead::neutral)
      .def("set_slider", &ForgeHead::set_slider, py::arg("face"), py::arg("name"), py::arg("value"))
      .def("set_expression", &ForgeHead::set_expression, py::arg("face"), py::arg("name"), py::arg("weight"))
      .def("set_option", &ForgeHead::set_option, py::arg("face"), py::arg("set"), py::arg("choice"))
      .def("blink_weight", &ForgeHead::blink_weight, py::arg("face"))
      .def("mesh", &ForgeHead::mesh, py::arg("faces"), py::call_guard<py::gil_scoped_release>())
      .def(
          "render",
          [](const ForgeHead& head, const std::vector<FaceParameters>& faces, const std::vector<Camera>& cameras, py::object size,
             int supersample, bool normals, bool soft_labels, bool layers, bool uv, bool matte, const std::string& device) {
            RenderOptions options;
            options.size = to_image_size(size);
            options.supersample = supersample;
            options.normals = normals;
            options.soft_labels = soft_labels;
            options.layers = layers;
            options.uv = uv;
            options.matte = matte;
            options.device = Device::parse(device);
            const py::gil_scoped_release release;
            return head.render(faces, cameras, options);
          },
          py::arg("faces"), py::arg("cameras"), py::kw_only(), py::arg("size"), py::arg("supersample") = 2, py::arg("normals") = false,
          py::arg("soft_labels") = false, py::arg("layers") = false, py::arg("uv") = false, py::arg("matte") = false,
          py::arg("device") = "cpu")
      .def_property_readonly("sliders", &ForgeHead::sliders)
      .def_property_readonly("expressions", &ForgeHead::expressions)
      .def_property_readonly("options", &ForgeHead::options)
      .def_property_readonly("labels", &ForgeHead::labels)
      .def_property_readonly("triangles", [](const ForgeHead& h) { return h.head().triangles(); })
      .def_property_readonly("hash", &ForgeHead::hash);
}

}  // namespace forge_rt::python
