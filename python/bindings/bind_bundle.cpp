// Bundles: models on disk.
#include <pybind11/stl/filesystem.h>

#include "bindings.h"
#include "forge_rt/models/bundle.h"

namespace forge_rt::python {

void bind_bundle(py::module_& module) {
  py::class_<Bundle>(module, "Bundle",
                     "An opened model: a folder name.forge or an uncompressed zip archive of one; every hash was checked.")
      .def_static(
          "open", [](const std::filesystem::path& path) { return Bundle::open(path.string()); }, py::arg("path"),
          py::call_guard<py::gil_scoped_release>(), "Raises NotFoundError, CorruptFileError or UnsupportedError.")
      .def_property_readonly("path", &Bundle::path)
      .def_property_readonly("family", &Bundle::family)
      .def_property_readonly(
          "manifest", [](const Bundle& b) { return py::module_::import("json").attr("loads")(b.manifest()); }, "bundle.json")
      .def_property_readonly("manifest_text", &Bundle::manifest)
      .def_property_readonly("hash", &Bundle::hash, "SHA-256 of bundle.json, which names the hashes of all files.")
      .def_property_readonly("files", &Bundle::files, "{name: bytes as a uint8 Tensor} of every file that bundle.json names.")
      .def("tensors", &Bundle::tensors, py::arg("file"), "{name: Tensor} of a safetensors file.");
}

}  // namespace forge_rt::python
