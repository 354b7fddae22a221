// Cameras and camera samplers. forge_rt/camera.py is the surface.
#include <pybind11/numpy.h>

#include "bindings.h"
#include "forge_rt/models/camera_sampler.h"

namespace forge_rt::python {
namespace {

using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast>;

template <std::size_t N>
py::array_t<double> to_numpy(const std::array<double, N>& values, std::vector<py::ssize_t> shape) {
  py::array_t<double> out(std::move(shape));
  std::copy(values.begin(), values.end(), out.mutable_data());
  return out;
}

template <std::size_t N>
std::array<double, N> from_numpy(const Doubles& values, const char* name) {
  check_argument(static_cast<std::size_t>(values.size()) == N, name, " must hold ", N, " numbers, got ", values.size());
  std::array<double, N> out;
  std::copy_n(values.data(), N, out.begin());
  return out;
}

std::array<double, 12> pose_from_numpy(const Doubles& values) {
  check_argument(values.ndim() == 2 && (values.shape(0) == 3 || values.shape(0) == 4) && values.shape(1) == 4,
                 "world_to_camera must be [3, 4] or [4, 4]");
  std::array<double, 12> out;
  std::copy_n(values.data(), 12, out.begin());
  return out;
}

GeneratorWorld to_world(double scale, const Doubles& shift) { return {scale, from_numpy<3>(shift, "shift")}; }

FovMode parse_mode(const std::string& mode) {
  check_argument(mode == "exact" || mode == "compat", "fov mode must be 'exact' or 'compat', got '", mode, "'");
  return mode == "exact" ? FovMode::exact : FovMode::compat;
}

py::dict to_dict(const Camera& c) {
  py::dict out;
  out["size"] = std::array<int, 2>{c.size.height, c.size.width};
  out["fx"] = c.fx;
  out["fy"] = c.fy;
  out["cx"] = c.cx;
  out["cy"] = c.cy;
  py::list rows;
  for (int i = 0; i < 3; ++i)
    rows.append(std::array<double, 4>{c.world_to_camera[4 * i], c.world_to_camera[4 * i + 1], c.world_to_camera[4 * i + 2],
                                      c.world_to_camera[4 * i + 3]});
  out["world_to_camera"] = rows;
  out["yaw_deg"] = c.orbit.yaw_deg;
  out["pitch_deg"] = c.orbit.pitch_deg;
  out["roll_deg"] = c.orbit.roll_deg;
  out["fov_deg"] = c.orbit.fov_deg;
  out["radius_m"] = c.orbit.radius_m;
  out["origin_m"] = c.orbit.origin_m;
  out["lookat_m"] = c.orbit.lookat_m;
  out["center_offset"] = c.orbit.center_offset;
  return out;
}

Camera from_dict(const py::dict& values) {
  const auto get = [&](const char* key) -> py::object {
    check_argument(values.contains(key), "camera record has no \"", key, "\"");
    return values[key];
  };
  const auto number = [&](const char* key) { return get(key).cast<double>(); };
  Camera c = camera_from_matrix(to_image_size(py::tuple(get("size"))), number("fx"), number("fy"), number("cx"), number("cy"),
                                pose_from_numpy(get("world_to_camera").cast<Doubles>()));
  c.orbit = {number("yaw_deg"),
             number("pitch_deg"),
             number("roll_deg"),
             number("fov_deg"),
             number("radius_m"),
             get("origin_m").cast<std::array<double, 3>>(),
             get("lookat_m").cast<std::array<double, 3>>(),
             get("center_offset").cast<std::array<double, 2>>()};
  return c;
}

void bind_class(py::module_& module) {
  py::class_<Camera>(
      module, "Camera",
      "A pinhole camera in the head frame (metres), OpenCV axes, pixels with the top-left pixel's centre at (0.5, 0.5). Immutable.\n"
      "yaw_deg > 0: it stands towards +x, the subject's left; pitch_deg > 0: above; roll_deg > 0: turned clockwise.")
      .def(py::init(
               [](py::object size, double fx, double fy, double cx, double cy, const Doubles& world_to_camera, const Doubles& origin_m) {
                 return camera_from_matrix(to_image_size(size), fx, fy, cx, cy, pose_from_numpy(world_to_camera),
                                           from_numpy<3>(origin_m, "origin_m"));
               }),
           py::arg("size"), py::arg("fx"), py::arg("fy"), py::arg("cx"), py::arg("cy"), py::arg("world_to_camera"),
           py::arg("origin_m") = std::vector<double>{0, 0, 0},
           "From intrinsics in pixels and a [3, 4] or [4, 4] world-to-camera matrix in metres; yaw, pitch and radius are derived about "
           "`origin_m`.")
      .def_property_readonly(
          "size", [](const Camera& c) { return py::make_tuple(c.size.height, c.size.width); }, "(height, width) in pixels")
      .def_readonly("fx", &Camera::fx, "pixels")
      .def_readonly("fy", &Camera::fy, "pixels")
      .def_readonly("cx", &Camera::cx, "pixels; the image centre is width / 2")
      .def_readonly("cy", &Camera::cy, "pixels; the image centre is height / 2")
      .def_property_readonly(
          "intrinsics", [](const Camera& c) { return to_numpy<9>({c.fx, 0, c.cx, 0, c.fy, c.cy, 0, 0, 1}, {3, 3}); },
          "[3, 3] float64, pixels")
      .def_property_readonly(
          "world_to_camera", [](const Camera& c) { return to_numpy(c.world_to_camera, {3, 4}); },
          "[3, 4] float64, metres: head frame to OpenCV camera axes")
      .def_property_readonly(
          "camera_to_world", [](const Camera& c) { return to_numpy(c.camera_to_world(), {4, 4}); }, "[4, 4] float64, metres")
      .def_property_readonly(
          "position_m", [](const Camera& c) { return to_numpy(c.position_m(), {3}); }, "[3] float64, head frame")
      .def_property_readonly("yaw_deg", [](const Camera& c) { return c.orbit.yaw_deg; })
      .def_property_readonly("pitch_deg", [](const Camera& c) { return c.orbit.pitch_deg; })
      .def_property_readonly("roll_deg", [](const Camera& c) { return c.orbit.roll_deg; })
      .def_property_readonly(
          "fov_deg", [](const Camera& c) { return c.orbit.fov_deg; }, "true horizontal field of view")
      .def_property_readonly(
          "radius_m", [](const Camera& c) { return c.orbit.radius_m; }, "distance from origin_m")
      .def_property_readonly(
          "origin_m", [](const Camera& c) { return to_numpy(c.orbit.origin_m, {3}); }, "the point that yaw, pitch and radius are about")
      .def_property_readonly(
          "lookat_m", [](const Camera& c) { return to_numpy(c.orbit.lookat_m, {3}); },
          "the point on the optical axis, relative to origin_m")
      .def_property_readonly(
          "center_offset", [](const Camera& c) { return to_numpy(c.orbit.center_offset, {2}); },
          "principal point minus image centre, fractions of (width, height)")
      .def("with_fov", &with_fov, py::arg("fov_deg"), "The same pose with another true horizontal field of view.")
      .def(
          "with_fov_mode", [](const Camera& c, const std::string& mode) { return with_fov_mode(c, parse_mode(mode)); }, py::arg("mode"),
          "'exact': this camera. 'compat': the camera SynthForge drew label meshes with (true fov = published / 1.414).")
      .def(
          "clip_matrix", [](const Camera& c, double near_m) { return to_numpy(clip_matrix(c, near_m), {4, 4}); }, py::arg("near_m") = 0.01,
          "[4, 4] float64 from the head frame to the clip space of rasterize().")
      .def(
          "label25", [](const Camera& c, double scale, const Doubles& shift) { return to_numpy(label25(c, to_world(scale, shift)), {25}); },
          py::arg("scale") = 2.5, py::arg("shift") = std::vector<double>{0, 0, 0},
          "[25] float64: row-major cam2world in generator units (world = scale * head + shift), then intrinsics divided by the image size.")
      .def_static(
          "from_label25",
          [](const Doubles& label, py::object size, double scale, const Doubles& shift) {
            return camera_from_label25(from_numpy<25>(label, "a camera label"), to_image_size(size), to_world(scale, shift));
          },
          py::arg("label"), py::arg("size") = 512, py::arg("scale") = 2.5, py::arg("shift") = std::vector<double>{0, 0, 0},
          "The camera of a 25-number label. Yaw, pitch and radius are derived about the generator world's origin.")
      .def("to_dict", &to_dict, "Plain numbers and lists, as data-set records carry them.")
      .def_static("from_dict", &from_dict, py::arg("values"))
      .def(
          "__eq__", [](const Camera& a, const Camera& b) { return a == b; }, py::is_operator())
      .def(py::pickle([](const Camera& c) { return to_dict(c); }, [](const py::dict& values) { return from_dict(values); }))
      .def("__repr__", [](const Camera& c) {
        return concat("Camera(", c.size.height, " x ", c.size.width, ", yaw_deg=", c.orbit.yaw_deg, ", pitch_deg=", c.orbit.pitch_deg,
                      ", roll_deg=", c.orbit.roll_deg, ", fov_deg=", c.orbit.fov_deg, ", radius_m=", c.orbit.radius_m, ")");
      });
}

}  // namespace

void bind_camera(py::module_& module) {
  bind_class(module);
  module.attr("_FRONTAL_FOV_DEG") = kFrontalFovDeg;
  module.attr("_SYNTHFORGE_WORLD") =
      py::dict(py::arg("scale") = kSynthForgeWorld.scale, py::arg("shift") = py::tuple(py::cast(kSynthForgeWorld.shift)));

  module.def("_orbit", [](double yaw_deg, double pitch_deg, double roll_deg, double fov_deg, double radius_m, const Doubles& lookat_m,
                          const Doubles& origin_m, const Doubles& center_offset, py::object size) {
    return orbit_camera({yaw_deg, pitch_deg, roll_deg, fov_deg, radius_m, from_numpy<3>(origin_m, "origin_m"),
                         from_numpy<3>(lookat_m, "lookat_m"), from_numpy<2>(center_offset, "center_offset")},
                        to_image_size(size));
  });
  module.def("_look_at_h_v", [](double h, double v, const Doubles& lookat, double radius) {
    return to_numpy(look_at_h_v(h, v, from_numpy<3>(lookat, "lookat"), radius), {4, 4});
  });
  module.def("_sample_published", [](bool gaussian, const Doubles& means_stds, double radius, const Doubles& lookat, Random& random) {
    const auto p = from_numpy<4>(means_stds, "means and stds");
    const PublishedPose pose{p[0], p[1], p[2], p[3], radius, from_numpy<3>(lookat, "lookat")};
    return to_numpy(gaussian ? sample_gaussian(pose, random) : sample_uniform(pose, random), {4, 4});
  });
  module.def("_focal_from_fov", &focal_from_fov);
  module.def("_fov_from_focal", &fov_from_focal);
  module.def("_focal_from_published_fov", &focal_from_published_fov);
  module.def("_published_fov_from_focal", &published_fov_from_focal);
  module.def("_fov_from_published", [](double fov_deg, const std::string& mode) { return fov_from_published(fov_deg, parse_mode(mode)); });

  module.def("_to_clip", [](py::object points, const std::vector<Camera>& cameras, double near_m) {
    return to_clip(to_tensor(points), cameras, near_m);
  });
  module.def("_project", [](py::object points, const std::vector<Camera>& cameras) {
    const Projected p = project(to_tensor(points), cameras);
    return py::make_tuple(p.pixels, p.depth_m);
  });
  module.def("_unproject", [](py::object pixels, py::object depth_m, const std::vector<Camera>& cameras) {
    return unproject(to_tensor(pixels), to_tensor(depth_m), cameras);
  });

  module.def("_camera_presets", &CameraConfig::preset_names);
  py::class_<CameraSampler>(module, "_CameraSampler")
      .def(py::init([](const std::string& json) { return CameraSampler(CameraConfig::from_json(json)); }), py::arg("json"))
      .def("to_json", [](const CameraSampler& s) { return s.config().to_json(); })
      .def(
          "sample",
          [](const CameraSampler& s, std::uint64_t seed, std::uint64_t index, py::object size, std::uint32_t attempt) {
            return s.sample(seed, index, to_image_size(size), attempt);
          },
          py::arg("seed"), py::arg("index"), py::arg("size") = 512, py::arg("attempt") = 0);
}

}  // namespace forge_rt::python
