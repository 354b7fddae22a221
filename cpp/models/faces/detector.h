// The face detector of a bundle: letterbox, network, decode.
#pragma once

#include <memory>
#include <vector>

#include "forge_rt/ops/decode_faces.h"
#include "models/faces/networks.h"

namespace forge_rt::faces {

/// How a frame lies in the detector's input: scaled by `scale` at its top left.
struct Letterbox {
  float scale = 1;
  ImageSize input;
  Affine to_frame() const { return {1 / scale, 0, 0, 0, 1 / scale, 0}; }
};

/// Immutable.
class FaceDetector {
 public:
  FaceDetector(const Bundle& bundle, const DetectorContract& contract, const std::string& precision, const NetworkPlace& place);

  const DetectorContract& contract() const { return contract_; }
  const std::string& provider() const { return session_.provider(); }
  Letterbox letterbox(int frame_width, int frame_height, int detect_size) const;

 private:
  friend class DetectorRuns;
  Shape output_shape(ImageSize input, int channels) const {
    return {1, channels, input.height / contract_.stride, input.width / contract_.stride};
  }
  void try_once();

  DetectorContract contract_;
  Session session_;
  Device device_;
  ImageSize fixed_{0, 0};  // of the graph; 0 = any multiple
};

/// Tensors of one input size. One thread at a time.
class DetectorRun {
 public:
  DetectorRun(CropInput crop, const Session& session) : input(std::move(crop)), binding(session.binding()), graph_(session.name()) {}
  void run() {
    blame_bundle(graph_, [&] { binding.run({input.tensor().device(), nullptr}); });
  }
  CropInput input;
  Tensor score, box, points;  // on the CPU
  Binding binding;

 private:
  std::string graph_;
};

/// One DetectorRun for each input size that came up. One thread at a time.
class DetectorRuns {
 public:
  explicit DetectorRuns(const FaceDetector& detector) : detector_(&detector) {}
  DetectorRun& of(ImageSize input);

 private:
  struct Known {
    ImageSize input;
    std::unique_ptr<DetectorRun> run;
  };
  const FaceDetector* detector_;
  std::vector<Known> known_;
};

}  // namespace forge_rt::faces
