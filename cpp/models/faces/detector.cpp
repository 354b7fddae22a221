#include "models/faces/detector.h"

#include <algorithm>

namespace forge_rt::faces {
namespace {

constexpr std::size_t kKnownSizes = 24;  // frames of all aspect ratios have 20 input sizes at 320

int next_multiple(std::int64_t numerator, std::int64_t denominator, int multiple) {
  const std::int64_t step = denominator * multiple;
  return static_cast<int>(std::max<std::int64_t>(1, (numerator + step - 1) / step)) * multiple;
}

}  // namespace

FaceDetector::FaceDetector(const Bundle& bundle, const DetectorContract& contract, const std::string& precision, const NetworkPlace& place)
    : contract_(contract), session_(Session::load(bundle.file(contract.variants.at(precision)),
                                                  {.device = place.device,
                                                   .provider = place.provider,
                                                   .intra_op_threads = place.threads,
                                                   .name = bundle.path() + "/" + contract.variants.at(precision)})),
      device_(device_of(session_, place)) {
  try_once();
}

void FaceDetector::try_once() {
  const std::vector<GraphPort>& inputs = session_.inputs();
  const bool fits = inputs.size() == 1 && inputs[0].name == contract_.input.tensor && inputs[0].dtype == DType::f32 &&
                    inputs[0].shape.size() == 4 && (inputs[0].shape[0] < 0 || inputs[0].shape[0] == 1);
  check(fits, ErrorCode::corrupt_file, session_.name(), ": the only input must be ", contract_.input.tensor,
        " float32 [1 or any, 3, h, w], got ", inputs.empty() ? "none" : inputs[0].str());
  const Shape& shape = inputs[0].shape;
  if (shape[2] >= 0 || shape[3] >= 0) {
    fixed_ = {static_cast<int>(shape[2]), static_cast<int>(shape[3])};
    check(shape[2] > 0 && shape[3] > 0 && shape[2] <= 8192 && shape[3] <= 8192 && shape[2] % contract_.stride == 0 &&
              shape[3] % contract_.stride == 0,
          ErrorCode::corrupt_file, session_.name(), ": height and width must both be free, or multiples of the stride ", contract_.stride,
          ", got ", inputs[0].str());
  }

  const ImageSize size = letterbox(1, 1, 0).input;
  const NamedTensors input{{contract_.input.tensor, Tensor::zeros({1, 3, size.height, size.width}, DType::f32)}};
  const std::pair<const std::string*, int> outputs[] = {{&contract_.score, 1}, {&contract_.box, 4}, {&contract_.points, 10}};
  for (const auto& [name, channels] : outputs) {
    const std::vector<Tensor> made = blame_bundle(session_.name(), [&] { return session_.run(input, {*name}); });
    const Shape expected = output_shape(size, channels);
    check(made[0].dtype() == DType::f32 && made[0].shape() == expected, ErrorCode::corrupt_file, session_.name(), ": output '", *name,
          "' of an input of ", size.height, " x ", size.width, " must be float32 ", shape_str(expected), ", got ", made[0].str());
  }
}

Letterbox FaceDetector::letterbox(int frame_width, int frame_height, int detect_size) const {
  if (fixed_.height > 0) {
    check(detect_size == 0, ErrorCode::unsupported, session_.name(), " takes inputs of ", fixed_.height, " x ", fixed_.width,
          " only; leave detect_size at 0");
    return {std::min(static_cast<float>(fixed_.width) / static_cast<float>(frame_width),
                     static_cast<float>(fixed_.height) / static_cast<float>(frame_height)),
            fixed_};
  }
  const int size = detect_size > 0 ? detect_size : contract_.size;
  const int longer = std::max(frame_width, frame_height);
  // In whole numbers: 1280 · (320 / 1280) must not become 352.
  return {static_cast<float>(size) / static_cast<float>(longer),
          {next_multiple(std::int64_t{frame_height} * size, longer, contract_.multiple),
           next_multiple(std::int64_t{frame_width} * size, longer, contract_.multiple)}};
}

DetectorRun& DetectorRuns::of(ImageSize input) {
  for (Known& known : known_)
    if (known.input == input) return *known.run;
  if (known_.size() >= kKnownSizes) known_.erase(known_.begin());
  const FaceDetector& detector = *detector_;
  auto run = std::make_unique<DetectorRun>(CropInput({1, 3, input.height, input.width}, detector.device_), detector.session_);
  const auto output = [&](const std::string& name, int channels) {
    const Tensor tensor = Tensor::zeros(detector.output_shape(input, channels), DType::f32, {}, "face networks");
    run->binding.bind_output(name, tensor);
    return tensor;
  };
  blame_bundle(detector.session_.name(), [&] {
    run->binding.bind_input(detector.contract_.input.tensor, run->input.tensor());
    run->score = output(detector.contract_.score, 1);
    run->box = output(detector.contract_.box, 4);
    run->points = output(detector.contract_.points, 10);
  });
  known_.push_back({input, std::move(run)});
  return *known_.back().run;
}

}  // namespace forge_rt::faces
