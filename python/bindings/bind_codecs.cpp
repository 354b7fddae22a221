// Encoders of pictures.
#include "bindings.h"
#include "forge_rt/ops/png.h"

namespace forge_rt::python {

void bind_codecs(py::module_& module) {
  module.def(
      "encode_png",
      [](py::object image) {
        const Tensor pixels = to_tensor(image);
        std::vector<std::uint8_t> file;
        {
          const py::gil_scoped_release release;
          file = encode_png(pixels);
        }
        return py::bytes(reinterpret_cast<const char*>(file.data()), file.size());
      },
      py::arg("image"),
      "A PNG file of image [H, W] or [H, W, C], uint8 or uint16; C = 1 (grey), 3 (RGB) or 4 (RGBA). The bytes depend on the image "
      "alone.\nReleases the GIL; may be called from many threads at once.");
}

}  // namespace forge_rt::python
