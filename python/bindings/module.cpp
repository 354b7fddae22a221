#include "bindings.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "Compiled part of forge_rt. Use the names of the package `forge_rt` instead.";
  forge_rt::python::bind_core(module);
  forge_rt::python::bind_backends(module);
  forge_rt::python::bind_bundle(module);
  forge_rt::python::bind_camera(module);
  forge_rt::python::bind_codecs(module);
  forge_rt::python::bind_head(module);
  forge_rt::python::bind_face_ops(module);
  forge_rt::python::bind_forge_head(module);
  forge_rt::python::bind_face_analyzer(module);
  forge_rt::python::bind_generator(module);
  forge_rt::python::bind_image_ops(module);
  forge_rt::python::bind_production(module);
  forge_rt::python::bind_raster(module);
  forge_rt::python::bind_volume_render(module);
}
