// What the binding files share.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>

#include "forge_rt/core/tensor.h"
#include "forge_rt/ops/image_view.h"

namespace forge_rt::python {

namespace py = pybind11;

void bind_backends(py::module_& module);
void bind_bundle(py::module_& module);
void bind_camera(py::module_& module);
void bind_codecs(py::module_& module);
void bind_core(py::module_& module);
void bind_face_analyzer(py::module_& module);
void bind_face_ops(py::module_& module);
void bind_forge_head(py::module_& module);
void bind_generator(py::module_& module);
void bind_head(py::module_& module);
void bind_image_ops(py::module_& module);
void bind_production(py::module_& module);
void bind_raster(py::module_& module);
void bind_volume_render(py::module_& module);

/// Any array the caller may pass: forge_rt.Tensor, an object with __dlpack__ (torch, CuPy, JAX: zero copy), or what NumPy
/// can convert. With `dtype`, arrays of NumPy's making (lists, other dtypes, strided arrays) are converted; device arrays never are.
Tensor to_tensor(py::handle object);
Tensor to_tensor(py::handle object, DType dtype);
/// None becomes an undefined tensor.
Tensor to_optional_tensor(py::handle object, DType dtype);
/// Undefined becomes None.
py::object from_tensor(const Tensor& tensor);

py::capsule to_dlpack(const Tensor& tensor, py::object max_version, py::object dl_device, py::object copy);
Tensor from_dlpack(py::handle object);

/// One whole number (square) or (height, width). Throws invalid_argument for anything else.
ImageSize to_image_size(const py::object& size);

/// "rgb", "bgr", "rgba", "bgra", "gray" or "nv12". Throws invalid_argument for anything else.
PixelFormat to_pixel_format(const std::string& name);

}  // namespace forge_rt::python
