// Networks on ONNX Runtime.
#include <pybind11/stl/filesystem.h>

#include <mutex>
#include <optional>

#include "bindings.h"
#include "forge_rt/backends/backend.h"

namespace forge_rt::python {
namespace {

/// Arrays are taken as they are; what has no memory of its own (lists, numbers) becomes an array of the port's dtype.
Tensor to_port(const py::handle& object, const std::vector<GraphPort>& ports, const std::string& name) {
  if (!py::isinstance<Tensor>(object) && !py::hasattr(object, "__dlpack__"))
    for (const GraphPort& port : ports)
      if (port.name == name) return to_tensor(object, port.dtype);
  return to_tensor(object);
}

Session load(const py::object& model, const std::string& device, const std::string& provider, int threads, std::string name) {
  SessionOptions options{.device = Device::parse(device), .provider = provider, .intra_op_threads = threads, .name = std::move(name)};
  if (PyObject_CheckBuffer(model.ptr()) || py::isinstance<Tensor>(model)) {
    const py::module_ numpy = py::module_::import("numpy");
    const Tensor bytes = py::isinstance<Tensor>(model)
                             ? model.cast<Tensor>()
                             : to_tensor(numpy.attr("frombuffer")(py::memoryview(model), py::arg("dtype") = numpy.attr("uint8")));
    const py::gil_scoped_release release;
    return Session::load(bytes, options);
  }
  const std::u8string path = model.cast<std::filesystem::path>().u8string();
  const py::gil_scoped_release release;
  return Session::load(std::string(path.begin(), path.end()), options);
}

py::dict run(const Session& session, const py::dict& arrays, const std::vector<std::string>& wanted) {
  NamedTensors inputs;
  for (const auto& [key, array] : arrays) {
    const auto name = key.cast<std::string>();
    inputs.emplace(name, to_port(array, session.inputs(), name));
  }
  std::vector<Tensor> results;
  {
    const py::gil_scoped_release release;
    results = session.run(inputs, wanted);
  }
  py::dict out;
  for (std::size_t i = 0; i < results.size(); ++i) out[py::str(wanted.empty() ? session.outputs()[i].name : wanted[i])] = results[i];
  return out;
}

/// Python threads may share a binding by mistake: they wait for each other.
class LockedBinding {
 public:
  explicit LockedBinding(const Session& session) : session_(session), binding_(session.binding()) {}

  template <class Use>
  auto with(const Use& use) {
    const py::gil_scoped_release release;
    const std::lock_guard<std::mutex> lock(mutex_);
    return use(binding_);
  }
  const Session& session() const { return session_; }

 private:
  std::mutex mutex_;
  Session session_;
  Binding binding_;
};

py::dict to_dict(const RuntimeInfo& info) {
  py::dict out;
  out["path"] = info.path;
  out["found_by"] = info.found_by;
  out["version"] = info.version;
  out["build"] = info.build;
  out["providers"] = info.providers;
  return out;
}

using PyShapeRanges = std::map<std::string, std::tuple<Shape, Shape, Shape>>;

}  // namespace

void bind_backends(py::module_& module) {
  py::class_<GraphPort>(module, "GraphPort", "An input or output of a graph.")
      .def_readonly("name", &GraphPort::name)
      .def_property_readonly("dtype", [](const GraphPort& p) { return dtype_name(p.dtype); })
      .def_property_readonly(
          "shape", [](const GraphPort& p) { return py::tuple(py::cast(p.shape)); }, "-1 is an axis that each run chooses.")
      .def("__repr__", [](const GraphPort& p) { return "<" + p.str() + ">"; });

  py::class_<Session>(module, "Session", "A loaded graph; see forge_rt.Session.")
      .def(py::init(&load), py::arg("model"), py::arg("device"), py::arg("provider"), py::arg("threads"), py::arg("name"))
      .def_property_readonly("inputs", &Session::inputs)
      .def_property_readonly("outputs", &Session::outputs)
      .def_property_readonly("name", &Session::name)
      .def_property_readonly("model_sha256", &Session::model_sha256)
      .def_property_readonly("provider", &Session::provider)
      .def_property_readonly("provider_reason", &Session::provider_reason)
      .def("run", &run, py::arg("inputs"), py::arg("outputs"));

  py::class_<LockedBinding>(module, "Binding", "Inputs and outputs fixed ahead; made by forge_rt.Session.binding().")
      .def(py::init<const Session&>(), py::arg("session"))
      .def(
          "bind_input",
          [](LockedBinding& self, const std::string& name, const py::object& array) {
            const Tensor tensor = to_port(array, self.session().inputs(), name);
            self.with([&](Binding& binding) { binding.bind_input(name, tensor); });
          },
          py::arg("name"), py::arg("array"), "Read at each run: write new values into the array, or bind another.")
      .def(
          "bind_output",
          [](LockedBinding& self, const std::string& name, const py::object& array) {
            const Tensor tensor = to_tensor(array);
            self.with([&](Binding& binding) { binding.bind_output(name, tensor); });
          },
          py::arg("name"), py::arg("array"), "Written by each run.")
      .def(
          "bind_output_device",
          [](LockedBinding& self, const std::string& name, const std::string& device) {
            self.with([&](Binding& binding) { binding.bind_output_device(name, Device::parse(device)); });
          },
          py::arg("name"), py::arg("device") = "cpu", "Each run makes a new tensor there.")
      .def("run", [](LockedBinding& self) { self.with([](Binding& binding) { binding.run(); }); })
      .def(
          "output",
          [](LockedBinding& self, const std::string& name) { return self.with([&](Binding& binding) { return binding.output(name); }); },
          py::arg("name"), "What was bound, or what the last run made.");

  module.def("_runtime_info", [] { return to_dict(runtime_info()); });
  module.def("_set_runtime_library", &set_runtime_library, py::arg("path"));
  module.def("_inspect_runtime_library", [](const std::string& path) { return to_dict(inspect_runtime_library(path)); }, py::arg("path"));
  module.def(
      "engine_cache_key",
      [](std::string model_sha256, std::string provider, std::string gpu_name, std::string compute_capability, std::string driver_version,
         std::map<std::string, std::string> libraries, const PyShapeRanges& shapes, std::map<std::string, std::string> flags) {
        EngineCacheKey key{std::move(model_sha256),
                           std::move(provider),
                           std::move(gpu_name),
                           std::move(compute_capability),
                           std::move(driver_version),
                           std::move(libraries),
                           {},
                           std::move(flags)};
        for (const auto& [name, range] : shapes) key.shapes[name] = {std::get<0>(range), std::get<1>(range), std::get<2>(range)};
        return engine_cache_key(key);
      },
      py::arg("model_sha256"), py::kw_only(), py::arg("provider"), py::arg("gpu_name") = "", py::arg("compute_capability") = "",
      py::arg("driver_version") = "", py::arg("libraries") = std::map<std::string, std::string>{}, py::arg("shapes") = PyShapeRanges{},
      py::arg("flags") = std::map<std::string, std::string>{},
      "SHA-256 over everything that makes a compiled engine fit one machine only. shapes: {input: (min, best, max)}.");
}

}  // namespace forge_rt::python
