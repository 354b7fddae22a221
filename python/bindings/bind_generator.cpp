// Next3D and EG3D. The Python class that people use is in forge_rt/generator.py.
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <memory>

#include "bindings.h"
#include "forge_rt/models/generator.h"

namespace forge_rt::python {
namespace {

using SharedGenerator = std::shared_ptr<Generator>;

template <class Level>
auto tensor_of(Tensor Level::* member) {
  return [member](const Level& level) { return from_tensor(level.*member); };
}

Randomness parse_randomness(const std::string& name) {
  if (name == "midpoints") return Randomness::midpoints;
  if (name == "given") return Randomness::given;
  if (name == "seeded") return Randomness::seeded;
  throw Error(ErrorCode::invalid_argument, concat("randomness must be 'midpoints', 'given' or 'seeded', got '", name, "'"));
}

BoxRule parse_box_rule(const std::string& name) {
  if (name == "inside") return BoxRule::inside;
  if (name == "clamp") return BoxRule::clamp;
  throw Error(ErrorCode::invalid_argument, concat("mouth_box must be 'inside' or 'clamp', got '", name, "'"));
}

DType parse_planes(const std::string& name) {
  if (name == "float32") return DType::f32;
  if (name == "float16") return DType::f16;
  throw Error(ErrorCode::invalid_argument, concat("planes must be 'float32' or 'float16', got '", name, "'"));
}

py::dict info_dict(const GeneratorInfo& info) {
  py::dict out;
  out["family"] = info.family;
  out["conditioning"] = info.conditioning;
  out["surface_level"] = info.surface_level;
  out["head_family"] = info.head_family;
  out["head_sha256"] = info.head_sha256;
  out["z_dim"] = info.z_dim;
  out["w_dim"] = info.w_dim;
  out["num_ws"] = info.num_ws;
  out["num_static_ws"] = info.num_static_ws;
  out["vertices"] = info.vertices;
  out["image_size"] = info.image_size;
  out["resolution"] = info.resolution;
  out["coarse"] = info.coarse;
  out["fine"] = info.fine;
  out["plane_resolution"] = info.plane_resolution;
  out["plane_channels"] = info.plane_channels;
  out["features"] = info.features;
  out["psi"] = info.psi;
  out["cutoff"] = info.cutoff;
  out["blend_planes"] = info.blend_planes == BlendPlanes::all ? "all" : "front";
  out["world_scale"] = info.world.scale;
  out["world_shift"] = info.world.shift;
  out["alignment"] = info.alignment;
  out["bounds"] = info.bounds;
  out["frontal"] = info.frontal;
  return out;
}

}  // namespace

void bind_generator(py::module_& module) {
  py::class_<GeneratorIdentity>(module, "GeneratorIdentity",
                                "What depends on z and the conditioning camera alone. Read-only; made by Generator.identity.")
      .def("__len__", &GeneratorIdentity::size)
      .def_property_readonly("ws", tensor_of(&GeneratorIdentity::ws), "[N, num_ws, w_dim] float32, truncated")
      .def_property_readonly("texture", tensor_of(&GeneratorIdentity::texture), "[N, h, w, T] float32 (CUDA: [N, T, h, w]); None for EG3D")
      .def_property_readonly("static_planes", tensor_of(&GeneratorIdentity::static_planes), "[N, 3 C, H, W] float32")
      .def_readonly("model", &GeneratorIdentity::model, "hash of the bundle that made it");

  py::class_<GeneratorHead>(module, "GeneratorHead", "What depends on identity and mesh. Read-only; made by Generator.expression.")
      .def("__len__", &GeneratorHead::size)
      .def_property_readonly("planes", tensor_of(&GeneratorHead::planes), "[N, 3, H, W, C] float32 or float16")
      .def_property_readonly("alpha", tensor_of(&GeneratorHead::alpha),
                             "[N, 1, H, W] float32, how much of the front plane is the mesh's; None for EG3D")
      .def_property_readonly("mouth_box", tensor_of(&GeneratorHead::mouth_box),
                             "[N, 4] int64: row0, row1, column0, column1 in the front view; None for EG3D")
      .def_property_readonly("style", tensor_of(&GeneratorHead::style), "[N, w_dim] float32, of the super-resolution")
      .def_property_readonly(
          "stages", [](const GeneratorHead& head) { return head.stages; },
          "name -> [N, ...] float32 of the stages between, with keep_stages")
      .def_readonly("model", &GeneratorHead::model, "hash of the bundle that made it");

  py::class_<GeneratorView>(module, "_GeneratorView")
      .def_property_readonly("image", tensor_of(&GeneratorView::image))
      .def_property_readonly("image_raw", tensor_of(&GeneratorView::image_raw))
      .def_property_readonly("features", tensor_of(&GeneratorView::features))
      .def_property_readonly("depth", tensor_of(&GeneratorView::depth))
      .def_property_readonly("depth_m", tensor_of(&GeneratorView::depth_m))
      .def_property_readonly("weight", tensor_of(&GeneratorView::weight_sum));

  py::class_<Generator, SharedGenerator>(module, "Generator", "Compiled Generator; use forge_rt.Generator.")
      .def_static(
          "load",
          [](const std::filesystem::path& bundle, const std::string& device, const std::string& provider, const std::string& precision,
             int threads) {
            const std::u8string text = bundle.u8string();
            GeneratorOptions options;
            options.device = device;
            options.provider = provider;
            options.precision = precision;
            options.threads = threads;
            const py::gil_scoped_release release;
            return std::const_pointer_cast<Generator>(Generator::load(std::string(text.begin(), text.end()), options));
          },
          py::arg("bundle"), py::kw_only(), py::arg("device"), py::arg("provider"), py::arg("precision"), py::arg("threads"))
      .def(
          "identity",
          [](const Generator& self, py::object z, py::object conditioning, std::optional<double> psi, std::optional<int> cutoff) {
            const Tensor latents = to_tensor(z, DType::f32), cameras = to_optional_tensor(conditioning, DType::f32);
            const py::gil_scoped_release release;
            return self.identity(latents, cameras, psi, cutoff);
          },
          py::arg("z"), py::arg("conditioning"), py::arg("psi"), py::arg("cutoff"))
      .def(
          "expression",
          [](const Generator& self, const GeneratorIdentity& identity, py::object vertices, py::object landmarks, py::object rows,
             const std::string& mouth_box, const std::string& planes, bool keep_stages) {
            ExpressionOptions options;
            options.rows = to_optional_tensor(rows, DType::i32);
            options.mouth_box = parse_box_rule(mouth_box);
            options.planes = parse_planes(planes);
            options.keep_stages = keep_stages;
            const Tensor mesh = to_optional_tensor(vertices, DType::f32), points = to_optional_tensor(landmarks, DType::f32);
            const py::gil_scoped_release release;
            return self.expression(identity, mesh, points, options);
          },
          py::arg("identity"), py::arg("vertices"), py::arg("landmarks"), py::kw_only(), py::arg("rows"), py::arg("mouth_box"),
          py::arg("planes"), py::arg("keep_stages"))
      .def(
          "view",
          [](const Generator& self, const GeneratorHead& head, py::object cameras, py::object rows, int resolution, int coarse, int fine,
             const std::string& randomness, py::object u_coarse, py::object u_fine, std::uint64_t seed, py::object index,
             int depth_resolution, bool depth_only, float skip_weight, bool features) {
            ViewOptions options;
            options.rows = to_optional_tensor(rows, DType::i32);
            options.resolution = resolution;
            options.coarse = coarse;
            options.fine = fine;
            options.randomness = parse_randomness(randomness);
            options.u_coarse = to_optional_tensor(u_coarse, DType::f32);
            options.u_fine = to_optional_tensor(u_fine, DType::f32);
            options.seed = seed;
            options.index = to_optional_tensor(index, DType::u64);
            options.depth_resolution = depth_resolution;
            options.depth_only = depth_only;
            options.skip_weight = skip_weight;
            options.features = features;
            const Tensor labels = to_tensor(cameras, DType::f32);
            const py::gil_scoped_release release;
            return self.view(head, labels, options);
          },
          py::arg("head"), py::arg("cameras"), py::kw_only(), py::arg("rows"), py::arg("resolution"), py::arg("coarse"), py::arg("fine"),
          py::arg("randomness"), py::arg("u_coarse"), py::arg("u_fine"), py::arg("seed"), py::arg("index"), py::arg("depth_resolution"),
          py::arg("depth_only"), py::arg("skip_weight"), py::arg("features"))
      .def(
          "density",
          [](const Generator& self, const GeneratorHead& head, py::object points, py::object rows, bool colour) -> py::object {
            DensityOptions options;
            options.rows = to_optional_tensor(rows, DType::i32);
            options.colour = colour;
            const Tensor at = to_tensor(points, DType::f32);
            DensitySamples samples;
            {
              const py::gil_scoped_release release;
              samples = self.density(head, at, options);
            }
            if (!colour) return from_tensor(samples.density);
            return py::make_tuple(from_tensor(samples.density), from_tensor(samples.colour));
          },
          py::arg("head"), py::arg("points"), py::kw_only(), py::arg("rows"), py::arg("colour"))
      .def_property_readonly("info", [](const Generator& self) { return info_dict(self.info()); })
      .def_property_readonly("hash", &Generator::hash)
      .def_property_readonly("precision", &Generator::precision)
      .def_property_readonly("device", [](const Generator& self) { return self.device().str(); })
      .def_property_readonly("provider", &Generator::provider)
      .def_property_readonly("provider_reason", &Generator::provider_reason);

  module.def(
      "to_rgb8",
      [](py::object image) {
        const Tensor values = to_tensor(image, DType::f32);
        const py::gil_scoped_release release;
        return to_rgb8(values);
      },
      py::arg("image"),
      "[M, 3, H, W] float32, nominally -1..1 -> [M, H, W, 3] uint8 on the CPU: clamp(127.5 x + 128, 0, 255), truncated as published.");
}

}  // namespace forge_rt::python
