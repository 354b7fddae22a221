// DLPack both ways, zero copy (https://dmlc.github.io/dlpack, versions 0.8 and 1.0).
#include <climits>
#include <cstring>

#include "bindings.h"

namespace forge_rt::python {
namespace {

// The layout of the protocol's structs; the names are the protocol's.
struct DLDevice {
  std::int32_t device_type, device_id;  // 1 cpu, 2 cuda, 3 pinned host
};
struct DLDataType {
  std::uint8_t code, bits;  // code: 0 int, 1 uint, 2 float, 4 bfloat, 6 bool
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t *shape, *strides;
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};
struct DLPackVersion {
  std::uint32_t major, minor;
};
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;  // bit 0: read-only, bit 1: copied
  DLTensor dl_tensor;
};

DLDataType dl_dtype(DType dtype) {
  const auto bits = static_cast<std::uint8_t>(8 * dtype_size(dtype));
  switch (dtype) {
    case DType::u8:
    case DType::u16:
    case DType::u32:
    case DType::u64: return {1, bits, 1};
    case DType::i8:
    case DType::i16:
    case DType::i32:
    case DType::i64: return {0, bits, 1};
    case DType::f16:
    case DType::f32:
    case DType::f64: return {2, bits, 1};
    case DType::bf16: return {4, bits, 1};
    case DType::boolean: return {6, bits, 1};
  }
  throw Error(ErrorCode::internal, "unknown dtype");
}

DType dtype_from(DLDataType type) {
  for (const DType dtype : {DType::u8, DType::i8, DType::u16, DType::i16, DType::u32, DType::i32, DType::u64, DType::i64, DType::f16,
                            DType::bf16, DType::f32, DType::f64, DType::boolean}) {
    const DLDataType ours = dl_dtype(dtype);
    if (ours.code == type.code && ours.bits == type.bits && type.lanes == 1) return dtype;
  }
  throw Error(ErrorCode::unsupported, concat("array dtype is not supported (DLPack code ", int{type.code}, ", ", int{type.bits}, " bits)"));
}

// Keeps tensor, shape and strides alive until the consumer is done.
template <class Managed>
struct Exported {
  Tensor tensor;
  Managed managed{};
};

template <class Managed>
Managed* export_tensor(const Tensor& tensor) {
  auto* exported = new Exported<Managed>{tensor};
  DLTensor& dl = exported->managed.dl_tensor;
  dl.data = const_cast<void*>(tensor.raw());
  dl.device = {static_cast<std::int32_t>(tensor.device().type), tensor.device().index};
  dl.ndim = tensor.rank();
  dl.dtype = dl_dtype(tensor.dtype());
  dl.shape = const_cast<std::int64_t*>(exported->tensor.shape().data());
  dl.strides = const_cast<std::int64_t*>(exported->tensor.strides().data());
  exported->managed.manager_ctx = exported;
  exported->managed.deleter = [](Managed* self) { delete static_cast<Exported<Managed>*>(self->manager_ctx); };
  return &exported->managed;
}

template <class Managed>
Tensor import_tensor(py::capsule capsule, const char* used_name, bool read_only) {
  auto* managed = static_cast<Managed*>(capsule.get_pointer());
  const DLTensor& dl = managed->dl_tensor;
  Shape shape(dl.shape, dl.shape + dl.ndim), strides;
  if (dl.strides != nullptr) {
    strides.assign(dl.strides, dl.strides + dl.ndim);
  } else {
    strides.resize(dl.ndim);
    std::int64_t step = 1;
    for (int axis = dl.ndim; axis-- > 0; step *= shape[axis]) strides[axis] = step;
  }
  check(dl.device.device_type >= 1 && dl.device.device_type <= 3, ErrorCode::unsupported, "arrays on DLPack device type ",
        dl.device.device_type, " are not supported; copy to the CPU or to CUDA first");
  const bool cuda = dl.device.device_type == 2;
  const Device device{cuda ? DeviceType::cuda : DeviceType::cpu, cuda ? dl.device.device_id : 0};
  const DType dtype = dtype_from(dl.dtype);
  // From here on the tensor owns the producer's memory. Its last reference may die in any thread, so the deleter takes the GIL.
  PyCapsule_SetName(capsule.ptr(), used_name);
  std::shared_ptr<void> owner(managed, [](void* pointer) {
    auto* m = static_cast<Managed*>(pointer);
    if (m->deleter == nullptr || !Py_IsInitialized()) return;
    const py::gil_scoped_acquire gil;
    m->deleter(m);
  });
  return Tensor::borrow_strided(static_cast<char*>(dl.data) + dl.byte_offset, std::move(shape), std::move(strides), dtype, device,
                                std::move(owner), read_only);
}

}  // namespace

py::capsule to_dlpack(const Tensor& tensor, py::object max_version, py::object dl_device, py::object copy) {
  check_argument(dl_device.is_none() || dl_device.cast<std::pair<int, int>>() ==
                                            std::pair<int, int>(static_cast<int>(tensor.device().type), tensor.device().index),
                 "this tensor is on ", tensor.device().str(), "; move it with .to(device) first");
  const Tensor source = !copy.is_none() && copy.cast<bool>() ? tensor.clone() : tensor;
  const bool versioned = !max_version.is_none() && max_version.cast<std::pair<int, int>>().first >= 1;
  if (versioned) {
    auto* managed = export_tensor<DLManagedTensorVersioned>(source);
    managed->version = {1, 0};
    managed->flags = source.read_only() ? 1u : 0u;
    return py::capsule(managed, "dltensor_versioned", [](PyObject* capsule) {
      if (auto* m = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule, "dltensor_versioned"))) m->deleter(m);
      else PyErr_Clear();  // taken by a consumer
    });
  }
  if (source.read_only()) throw py::buffer_error("a read-only tensor needs DLPack 1.0 (max_version=(1, 0)); clone() it to export a copy");
  return py::capsule(export_tensor<DLManagedTensor>(source), "dltensor", [](PyObject* capsule) {
    if (auto* m = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"))) m->deleter(m);
    else PyErr_Clear();
  });
}

Tensor from_dlpack(py::handle object) {
  if (!py::hasattr(object, "__dlpack__") || !py::hasattr(object, "__dlpack_device__"))
    throw py::type_error(concat("from_dlpack takes an array with __dlpack__ (NumPy, torch, CuPy, JAX), got ",
                                py::str(py::type::of(object).attr("__name__")).cast<std::string>(), "; use numpy.asarray first"));
  py::object capsule;
  py::dict extra;
  const auto device = object.attr("__dlpack_device__")().cast<std::pair<int, int>>();
  if (device.first == 2) extra["stream"] = 1;  // we consume on the legacy default stream
  try {
    capsule = object.attr("__dlpack__")(**extra, py::arg("max_version") = py::make_tuple(1, 0));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError)) throw;
    capsule = object.attr("__dlpack__")(**extra);
  }
  const char* name = PyCapsule_GetName(capsule.ptr());
  if (name != nullptr && std::strcmp(name, "dltensor_versioned") == 0) {
    const auto* managed = static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(capsule.ptr(), name));
    check(managed->version.major == 1, ErrorCode::unsupported, "DLPack ", managed->version.major, " is not supported, 1 is");
    return import_tensor<DLManagedTensorVersioned>(py::reinterpret_borrow<py::capsule>(capsule), "used_dltensor_versioned",
                                                   managed->flags & 1u);
  }
  check_argument(name != nullptr && std::strcmp(name, "dltensor") == 0, "__dlpack__ returned a capsule that was already used");
  return import_tensor<DLManagedTensor>(py::reinterpret_borrow<py::capsule>(capsule), "used_dltensor", false);
}

Tensor to_tensor(py::handle object) {
  if (py::isinstance<Tensor>(object)) return object.cast<Tensor>();
  if (!py::hasattr(object, "__dlpack__")) return from_dlpack(py::module_::import("numpy").attr("asarray")(object));
  return from_dlpack(object);
}

Tensor to_tensor(py::handle object, DType dtype) {
  if (py::isinstance<Tensor>(object)) return object.cast<Tensor>();
  const py::module_ numpy = py::module_::import("numpy");
  if (!py::isinstance(object, numpy.attr("ndarray")) && py::hasattr(object, "__dlpack__")) return from_dlpack(object);
  const py::object source = numpy.attr("asarray")(object);
  const py::object wanted = numpy.attr("dtype")(dtype_name(dtype));
  const auto same_kind = numpy.attr("can_cast")(source.attr("dtype"), wanted, "same_kind").cast<bool>();
  const bool to_integer = dtype != DType::f32 && dtype != DType::f64 && dtype != DType::f16;
  if (source.attr("dtype").attr("kind").cast<std::string>().find_first_not_of("biuf") != std::string::npos)
    throw Error(ErrorCode::invalid_argument,
                concat("expected numbers, got an array of ", py::str(source.attr("dtype")).cast<std::string>()));
  const py::object converted = numpy.attr("ascontiguousarray")(source, wanted);
  // Whole numbers must survive: no wrapping, no dropped fractions.
  if (to_integer && !numpy.attr("can_cast")(source.attr("dtype"), wanted, "safe").cast<bool>())
    check_argument(numpy.attr("array_equal")(converted, source).cast<bool>(), "the array holds values that do not fit ", dtype_name(dtype),
                   same_kind ? " (too large or negative)" : " (fractions, or too large)");
  // ascontiguousarray turns a 0-d array into [1]; ops want the rank that was given.
  return from_dlpack(converted.attr("reshape")(source.attr("shape")));
}

ImageSize to_image_size(const py::object& size) {
  const auto describe = [&] { return py::repr(size).cast<std::string>(); };
  const auto axis = [&](const py::handle& value) {
    const py::object whole = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));  // int, NumPy integers; not floats
    if (!whole) {
      PyErr_Clear();
      throw Error(ErrorCode::invalid_argument, concat("size must be one whole number or (height, width), got ", describe()));
    }
    int overflow = 0;
    const long long n = PyLong_AsLongLongAndOverflow(whole.ptr(), &overflow);
    check_argument(overflow == 0 && n >= INT_MIN && n <= INT_MAX, "size must fit an image, got ", describe());  // ops have their own limits
    return static_cast<int>(n);
  };
  const Py_ssize_t length = py::isinstance<py::str>(size) ? -1 : PySequence_Size(size.ptr());
  if (length < 0) PyErr_Clear();  // not a sequence
  if (length == 2) {
    const py::sequence pair = py::reinterpret_borrow<py::sequence>(size);
    return {axis(pair[0]), axis(pair[1])};
  }
  const int n = axis(size);
  return {n, n};
}

PixelFormat to_pixel_format(const std::string& name) {
  for (const PixelFormat format :
       {PixelFormat::rgb, PixelFormat::bgr, PixelFormat::rgba, PixelFormat::bgra, PixelFormat::gray, PixelFormat::nv12})
    if (name == pixel_format_name(format)) return format;
  throw Error(ErrorCode::invalid_argument, concat("format must be rgb, bgr, rgba, bgra, gray or nv12, got '", name, "'"));
}

Tensor to_optional_tensor(py::handle object, DType dtype) { return object.is_none() ? Tensor{} : to_tensor(object, dtype); }

py::object from_tensor(const Tensor& tensor) { return tensor.defined() ? py::cast(tensor) : py::none(); }

}  // namespace forge_rt::python
