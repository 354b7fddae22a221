// Errors, tensors, devices, threads, random numbers, memory.
#include "bindings.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/philox.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/version.h"
#include "ops/registry.h"

namespace forge_rt::python {
namespace {

// One Python class per code, each also a built-in class, so that `except ValueError` and `except forge_rt.ForgeError` both work.
struct ErrorClass {
  ErrorCode code;
  const char* name;
  PyObject** builtin;
};
const ErrorClass kErrorClasses[] = {
    {ErrorCode::invalid_argument, "InvalidArgumentError", &PyExc_ValueError},
    {ErrorCode::not_found, "NotFoundError", &PyExc_FileNotFoundError},
    {ErrorCode::corrupt_file, "CorruptFileError", &PyExc_ValueError},
    {ErrorCode::unsupported, "UnsupportedError", &PyExc_NotImplementedError},
    {ErrorCode::device_unavailable, "DeviceUnavailableError", &PyExc_RuntimeError},
    {ErrorCode::out_of_memory, "OutOfMemoryError", &PyExc_MemoryError},
    {ErrorCode::io, "InputOutputError", &PyExc_OSError},
    {ErrorCode::cancelled, "CancelledError", &PyExc_RuntimeError},
    {ErrorCode::internal, "InternalError", &PyExc_RuntimeError},
};
PyObject* error_types[16] = {};

void bind_errors(py::module_& module) {
  PyObject* base = PyErr_NewExceptionWithDoc("forge_rt.ForgeError", "Base of all errors of forge_rt. `code` is its stable name.",
                                             PyExc_Exception, nullptr);
  module.attr("ForgeError") = py::reinterpret_borrow<py::object>(base);
  for (const ErrorClass& c : kErrorClasses) {
    const py::tuple bases = py::make_tuple(py::reinterpret_borrow<py::object>(base), py::reinterpret_borrow<py::object>(*c.builtin));
    PyObject* type = PyErr_NewException(concat("forge_rt.", c.name).c_str(), bases.ptr(), nullptr);
    if (type == nullptr) throw py::error_already_set();
    py::setattr(type, "code", py::str(error_code_name(c.code)));
    error_types[static_cast<int>(c.code)] = type;
    module.attr(c.name) = py::reinterpret_borrow<py::object>(type);
  }
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      PyErr_SetString(error_types[static_cast<int>(error.code())], error.what());
    }
  });
}

void bind_tensor(py::module_& module) {
  py::class_<Tensor>(module, "Tensor",
                     "A typed, shaped view of CPU or CUDA memory. Speaks DLPack both ways: `np.from_dlpack(t)`, `torch.from_dlpack(t)`.")
      .def_property_readonly("shape", [](const Tensor& t) { return py::tuple(py::cast(t.shape())); })
      .def_property_readonly(
          "strides", [](const Tensor& t) { return py::tuple(py::cast(t.strides())); }, "In elements.")
      .def_property_readonly(
          "dtype", [](const Tensor& t) { return dtype_name(t.dtype()); }, "NumPy's name of the element type.")
      .def_property_readonly("device", [](const Tensor& t) { return t.device().str(); })
      .def_property_readonly("read_only", &Tensor::read_only)
      .def_property_readonly("nbytes", &Tensor::bytes)
      .def("__len__", [](const Tensor& t) { return t.rank() > 0 ? t.size(0) : throw py::type_error("len() of a 0-d tensor"); })
      .def("__repr__", [](const Tensor& t) { return "forge_rt.Tensor(" + t.str() + ")"; })
      .def(
          "__dlpack__",
          [](const Tensor& t, py::object stream, py::object max_version, py::object dl_device, py::object copy) {
            if (t.device().is_cuda() && !(py::isinstance<py::int_>(stream) && stream.cast<int>() == -1)) synchronize({t.device(), nullptr});
            return to_dlpack(t, std::move(max_version), std::move(dl_device), std::move(copy));
          },
          py::kw_only(), py::arg("stream") = py::none(), py::arg("max_version") = py::none(), py::arg("dl_device") = py::none(),
          py::arg("copy") = py::none())
      .def("__dlpack_device__", [](const Tensor& t) { return py::make_tuple(static_cast<int>(t.device().type), t.device().index); })
      .def(
          "numpy",
          [](py::object self) {
            const auto& t = self.cast<const Tensor&>();
            const py::object source = t.device().is_cpu() ? self : py::cast(t.to({}));
            return py::module_::import("numpy").attr("from_dlpack")(source);
          },
          "As a NumPy array: a view on the CPU, a copy from a GPU.")
      .def(
          "__array__",
          [](py::object self, py::object dtype, py::object copy) {
            py::object array = self.attr("numpy")();
            if (!dtype.is_none()) array = array.attr("astype")(dtype, py::arg("copy") = false);
            return !copy.is_none() && copy.cast<bool>() ? array.attr("copy")() : array;
          },
          py::arg("dtype") = py::none(), py::arg("copy") = py::none())
      .def(
          "to", [](const Tensor& t, const std::string& device) { return t.to(Device::parse(device)); }, py::arg("device"),
          "A copy on `device`.")
      .def("clone", &Tensor::clone)
      .def("reshape", [](const Tensor& t, Shape shape) { return t.reshape(std::move(shape)); }, py::arg("shape"));
  module.def(
      "from_dlpack", [](py::object array) { return from_dlpack(array); }, py::arg("array"),
      "Takes any array with __dlpack__ (NumPy, torch, CuPy, JAX) as a Tensor. Zero copy.");
}

}  // namespace

void bind_core(py::module_& module) {
  bind_errors(module);
  bind_tensor(module);

  module.attr("__version__") = FORGE_RT_VERSION_STRING;
  module.def(
      "cuda_status",
      [] {
        const CudaStatus s = cuda_status();
        py::dict out;
        out["built"] = s.built;
        out["device_count"] = s.device_count;
        out["driver_version"] = s.driver_version;
        out["runtime_version"] = s.runtime_version;
        out["reason"] = s.reason;
        py::list names;
        for (int i = 0; i < s.device_count; ++i) names.append(cuda_device_name(i));
        out["devices"] = names;
        return out;
      },
      "What the CUDA side of this build looks like from here; `reason` says why device_count is 0.");
  module.def("isa", [] { return isa_name(active_isa()); }, "CPU path in use: 'baseline', 'avx2' or 'avx512'.");
  module.def("best_isa", [] { return isa_name(best_isa()); });
  module.def(
      "set_isa", [](const std::string& name) { set_isa(parse_isa(name)); }, py::arg("name"), "Changes the CPU path of the whole process.");
  module.def("isa_reason", &isa_reason);
  module.def(
      "check_device", [](const std::string& name) { return Device::parse(name).str(); }, py::arg("name"),
      "The full name of a device, e.g. 'cuda' -> 'cuda:0'. Raises DeviceUnavailableError, with the reason, when it cannot be used.");
  module.def("num_threads", &num_threads);
  module.def("set_num_threads", &set_num_threads, py::arg("n"), "Threads of one call, the caller included. Results never depend on it.");
  module.def(
      "op_paths",
      [](const std::string& device) {
        py::dict out;
        for (const OpPath& op : op_paths(Device::parse(device))) out[py::str(op.name)] = op.path;
        return out;
      },
      py::arg("device") = "cpu", "Which implementation each op takes now: 'scalar', 'avx2', 'avx512' or 'cuda'.");
  module.def(
      "memory_report",
      [] {
        py::list rows;
        for (const MemoryUse& use : memory_report()) {
          py::dict row;
          row["purpose"] = use.purpose;
          row["device"] = use.device.str();
          row["current_bytes"] = use.current_bytes;
          row["peak_bytes"] = use.peak_bytes;
          row["allocations"] = use.allocations;
          rows.append(row);
        }
        return rows;
      },
      "Bytes in use and at most, by purpose.");

  py::class_<Random>(module, "Random",
                     "Counter-based random numbers (Philox4x32-10): draws are a pure function of (seed, index, purpose, attempt).")
      .def(py::init([](std::uint64_t seed, std::uint64_t index, const std::string& purpose, std::uint32_t attempt) {
             return Random(seed, index, purpose, attempt);
           }),
           py::arg("seed"), py::arg("index"), py::arg("purpose"), py::arg("attempt") = 0)
      .def("next_u32", &Random::next_u32)
      .def("uniform_f32", &Random::uniform_f32, "[0, 1), 24 bits.")
      .def("uniform", py::overload_cast<double, double>(&Random::uniform), py::arg("low") = 0.0, py::arg("high") = 1.0,
           "[low, high), 53 bits.")
      .def("normal", &Random::normal, "N(0, 1), in double.")
      .def("below", &Random::below, py::arg("n"), "Unbiased integer in [0, n).");
  module.def(
      "random_uniform",
      [](Shape shape, std::uint64_t seed, std::uint64_t index, const std::string& purpose, std::uint32_t attempt,
         const std::string& device) { return random_uniform(shape, {seed, index, purpose_id(purpose), attempt}, Device::parse(device)); },
      py::arg("shape"), py::arg("seed"), py::arg("index"), py::arg("purpose"), py::arg("attempt") = 0, py::arg("device") = "cpu",
      "float32 uniforms in [0, 1), bit-equal on every device.");
  module.def(
      "_philox4x32",
      [](std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
        const PhiloxBlock b = philox4x32({{counter[0], counter[1], counter[2], counter[3]}}, key[0], key[1]);
        return py::make_tuple(b.x[0], b.x[1], b.x[2], b.x[3]);
      },
      py::arg("counter"), py::arg("key"));
}

}  // namespace forge_rt::python
