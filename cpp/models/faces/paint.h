// A crop's outputs on the frame: class ids, confidence and depth of one face, painted over what is there.
#pragma once

#include <cstring>

#include "forge_rt/models/face_analyzer.h"

namespace forge_rt::faces {

/// Pixels of one face on the device where they are computed. Grows and is kept; one thread at a time.
template <class T>
class Plane {
 public:
  /// `count` zeros.
  T* clear(std::size_t count, Device device) {
    if (!tensor_.defined() || tensor_.device() != device || static_cast<std::size_t>(tensor_.count()) < count) {
      const auto room = static_cast<std::int64_t>(count + count / 4);
      tensor_ = Tensor::empty({room}, dtype_of<T>(), device, "face planes");
      host_ = device.is_cpu() ? tensor_ : Tensor::empty({room}, dtype_of<T>(), {}, "face planes");
    }
    T* data = tensor_.template mutable_data<T>();
    if (device.is_cpu()) std::memset(data, 0, count * sizeof(T));
    else cuda_device_api().fill_zero(device.index, data, count * sizeof(T), nullptr);
    return data;
  }
  /// The same pixels on the CPU.
  const T* host(std::size_t count) {
    const Device device = tensor_.device();
    if (!device.is_cpu()) copy_bytes(host_.mutable_raw(), {}, tensor_.raw(), device, count * sizeof(T), {device, nullptr});
    return host_.template data<T>();
  }

 private:
  Tensor tensor_, host_;
};

/// What a face shows: rows of a batch, undefined where the network has or computes none.
struct FaceMaps {
  Tensor* logits = nullptr;  // [C, h, w]
  Tensor* depth = nullptr;   // [h, w]
  float depth_scale = 1;
  std::uint64_t ignored = 0;  // UnwarpOptions::masked
  int classes = 0;            // of Face::area
};

class Painter {
 public:
  /// Paints `face` (its to_crop and rect are set) and fills its area.
  void paint(const FaceMaps& maps, ImageSize crop, const AnalyzeOptions& options, Face& face, Faces& out);
  /// Face::confidence of logits.
  float confidence(const FaceMaps& maps, ImageSize crop, const Affine& to_frame, int frame_width, int frame_height);

 private:
  Plane<std::uint8_t> labels_, confidence_;
  Plane<float> depth_;
};

}  // namespace forge_rt::faces
