// Volume rendering of tri-planes.
#include "bindings.h"
#include "forge_rt/ops/volume_render.h"

namespace forge_rt::python {
namespace {

PlaneAxes parse_axes(const py::object& axes) {
  if (py::isinstance<py::str>(axes)) {
    const auto name = axes.cast<std::string>();
    if (name == "next3d") return kNext3dPlaneAxes;
    if (name == "eg3d") return kEg3dPlaneAxes;
    throw Error(ErrorCode::invalid_argument, concat("axes must be 'next3d', 'eg3d' or three 3 x 3 matrices, got '", name, "'"));
  }
  const Tensor matrices = to_tensor(axes, DType::f32);
  expect(matrices, "axes", "[3, 3, 3]", DType::f32, {3, 3, 3});
  check_argument(matrices.device().is_cpu(), "axes must be on the CPU, got ", matrices.device().str());
  PlaneAxes out;
  for (std::size_t i = 0; i < 27; ++i) out[i / 9][i % 9] = matrices.data<float>()[i];
  return out;
}

// Planes of either precision keep it; other arrays become float32.
Tensor to_planes(const py::object& planes) {
  Tensor tensor = to_tensor(planes);
  return tensor.dtype() == DType::f16 || tensor.dtype() == DType::f32 ? tensor.contiguous() : to_tensor(planes, DType::f32);
}

DType parse_precision(const std::string& name) {
  if (name == "float32") return DType::f32;
  if (name == "float16") return DType::f16;
  throw Error(ErrorCode::invalid_argument, concat("dtype must be 'float32' or 'float16', got '", name, "'"));
}

}  // namespace

void bind_volume_render(py::module_& module) {
  py::class_<TriPlaneDecoder>(module, "TriPlaneDecoder", "The published decoder of tri-plane features, gains folded in. Immutable.")
      .def(py::init([](py::object weight0, py::object bias0, py::object weight1, py::object bias1, float lr_multiplier, bool gains_folded) {
             return prepare_decoder({to_tensor(weight0, DType::f32), to_tensor(bias0, DType::f32), to_tensor(weight1, DType::f32),
                                     to_tensor(bias1, DType::f32), lr_multiplier, gains_folded});
           }),
           py::arg("weight0"), py::arg("bias0"), py::arg("weight1"), py::arg("bias1"), py::kw_only(), py::arg("lr_multiplier") = 1.f,
           py::arg("gains_folded") = false,
           "Arrays of a checkpoint: [hidden, C], [hidden], [1 + colours, hidden], [1 + colours]; output 0 is the density.")
      .def_readonly("channels", &TriPlaneDecoder::channels)
      .def_readonly("hidden", &TriPlaneDecoder::hidden)
      .def_readonly("colours", &TriPlaneDecoder::colours)
      .def_property_readonly("device", [](const TriPlaneDecoder& d) { return d.weights.device().str(); })
      .def("to", [](const TriPlaneDecoder& d, const std::string& device) { return d.to(Device::parse(device)); }, py::arg("device"));

  py::class_<VolumeRenderOutput>(module, "VolumeRenderOutput",
                                 "Result of volume_render; see forge_rt/ops/volume_render.h. Pass it back as `out=` to reuse its memory.")
      .def_property_readonly(
          "features", [](const VolumeRenderOutput& o) { return from_tensor(o.features); },
          "[V, colours, res, res] float32; None for depth_only")
      .def_property_readonly(
          "depth", [](const VolumeRenderOutput& o) { return from_tensor(o.depth); }, "[V, 1, res, res] float32, distance along the ray")
      .def_property_readonly(
          "weight_sum", [](const VolumeRenderOutput& o) { return from_tensor(o.weight_sum); }, "[V, 1, res, res] float32, opacity");

  module.def(
      "planes_from_nchw",
      [](py::object planes, const std::string& dtype) {
        const DType precision = parse_precision(dtype);
        const Tensor p = to_tensor(planes, DType::f32);
        const py::gil_scoped_release release;
        return planes_from_nchw(p, precision);
      },
      py::arg("planes"), py::arg("dtype") = "float32",
      "[B, 3 C, H, W] float32 -> [B, 3, H, W, C] float32 or float16, as volume_render reads them.");

  module.def(
      "volume_render",
      [](py::object planes, const TriPlaneDecoder& decoder, py::object cameras, py::object rows, int resolution, int coarse, int fine,
         py::object ray_range, float box_warp, py::object axes, py::object u_coarse, py::object u_fine, py::object seed, py::object index,
         bool batch_coupled, bool white_back, bool depth_only, float skip_weight, VolumeRenderOutput* out) {
        VolumeRenderOptions options;
        options.resolution = resolution;
        options.coarse = coarse;
        options.fine = fine;
        if (py::isinstance<py::str>(ray_range)) {
          const auto name = ray_range.cast<std::string>();
          check_argument(name == "auto", "ray_range must be (start, end) or 'auto', got '", name, "'");
          options.auto_range = true;
        } else {
          std::tie(options.ray_start, options.ray_end) = ray_range.cast<std::pair<float, float>>();
        }
        options.batch_coupled = batch_coupled;
        options.white_back = white_back;
        options.depth_only = depth_only;
        options.skip_weight = skip_weight;
        RenderViews views;
        views.cameras = to_tensor(cameras, DType::f32);
        views.rows = to_optional_tensor(rows, DType::i32);
        views.u_coarse = to_optional_tensor(u_coarse, DType::f32);
        views.u_fine = to_optional_tensor(u_fine, DType::f32);
        views.index = to_optional_tensor(index, DType::u64);
        const bool given = views.u_coarse.defined() || views.u_fine.defined();
        check_argument(!given || seed.is_none(), "give u_coarse and u_fine, or seed and index, not both");
        check_argument(seed.is_none() == !views.index.defined(), "seed and index belong together");
        options.randomness = given ? Randomness::given : (seed.is_none() ? Randomness::midpoints : Randomness::seeded);
        if (!seed.is_none()) options.seed = seed.cast<std::uint64_t>();
        const TriPlanes p{to_planes(planes), parse_axes(axes), box_warp};
        VolumeRenderOutput result = out != nullptr ? *out : VolumeRenderOutput{};
        {
          const py::gil_scoped_release release;
          volume_render_into(result, p, decoder, views, options);
        }
        if (out != nullptr) *out = result;
        return result;
      },
      py::arg("planes"), py::arg("decoder"), py::arg("cameras"), py::kw_only(), py::arg("rows") = py::none(), py::arg("resolution") = 64,
      py::arg("coarse") = 48, py::arg("fine") = 48, py::arg("ray_range") = py::make_tuple(2.25f, 3.3f), py::arg("box_warp") = 1.f,
      py::arg("axes") = "next3d", py::arg("u_coarse") = py::none(), py::arg("u_fine") = py::none(), py::arg("seed") = py::none(),
      py::arg("index") = py::none(), py::arg("batch_coupled") = false, py::arg("white_back") = false, py::arg("depth_only") = false,
      py::arg("skip_weight") = 0.f, py::arg("out") = nullptr,
      "Renders planes [B, 3, H, W, C] (float32 or float16, channels last) from cameras [V, 25]; `rows` [V] says which planes a view looks "
      "at.\n"
      "Sample positions: u_coarse [V, R, coarse] and u_fine [V, R, fine] in [0, 1); or seed and index [V]; or neither: midpoints, no "
      "noise.\n"
      "skip_weight leaves out colours that would weigh less: a feature differs by at most 2.002 (coarse + fine) skip_weight.\n"
      "batch_coupled: depth clamp and missed rays look at the whole batch, as published.");

  module.def(
      "sample_density",
      [](py::object planes, const TriPlaneDecoder& decoder, py::object points, float box_warp, py::object axes, bool colour) -> py::object {
        const TriPlanes p{to_planes(planes), parse_axes(axes), box_warp};
        const Tensor at = to_tensor(points, DType::f32);
        DensitySamples samples;
        {
          const py::gil_scoped_release release;
          samples = sample_density(p, decoder, at, colour);
        }
        if (!colour) return from_tensor(samples.density);
        return py::make_tuple(from_tensor(samples.density), from_tensor(samples.colour));
      },
      py::arg("planes"), py::arg("decoder"), py::arg("points"), py::kw_only(), py::arg("box_warp") = 1.f, py::arg("axes") = "next3d",
      py::arg("colour") = false, "Raw density [B, N] at points [B, N, 3]; with colour=True also the colours [B, N, colours].");
}

}  // namespace forge_rt::python
