// What bundle.json of families "faces" and "detector" says (docs/design/faces.md), read and checked once.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "forge_rt/models/bundle.h"
#include "forge_rt/models/forge_head.h"  // LabelInfo
#include "forge_rt/ops/crop_image.h"

namespace forge_rt::faces {

struct InputContract {
  std::string tensor;
  ImageSize size{};  // 0 × 0: each frame chooses (detectors)
  CropOptions pixels;
};

struct FivePointRule {
  float eyes = 4.f, mouth = 3.6f, shift = 0.1f, scale = 1.1f;
  bool rotate = true;
  float box_scale = 1.9f;
  std::array<float, 2> box_shift{};
};
struct BoxRule {
  float margin = 0.25f;
  bool square = true;
};
/// How a face becomes a crop.
struct CropContract {
  std::optional<FivePointRule> five_points;  // else `box`
  BoxRule box;
};

struct ParsingContract {
  std::string tensor;
  bool probabilities = false;
  std::vector<int> ignore;
};
enum class LandmarkUnit { crop, signed_crop, pixels };
struct LandmarksContract {
  std::string tensor;
  LandmarkUnit unit = LandmarkUnit::crop;
  bool visible = false;
  int columns() const { return visible ? 3 : 2; }
};
struct DepthContract {
  std::string tensor, unit;  // "m, relative to …"
  float scale = 1.f;
};

struct DetectorContract {
  InputContract input;
  std::map<std::string, std::string> variants;  // precision → file
  std::string score, box, points;               // tensors
  int stride = 8, size = 320, multiple = 32;
  float threshold = 0.5f, iou = 0.4f;
  float confidence = 0;  // finds of which the parser is less sure are none
};

struct FacesContract {
  InputContract input;
  CropContract crop;
  std::map<std::string, std::vector<std::string>> variants;  // precision → files of the stages, in order
  std::optional<ParsingContract> parsing;
  std::optional<LandmarksContract> landmarks;
  std::optional<DepthContract> depth;
  std::vector<LabelInfo> labels;  // by id, 0 … n - 1
  std::string side;
  std::optional<DetectorContract> detector;
};

/// Throws corrupt_file, naming bundle and field, or unsupported for another family.
FacesContract read_faces_contract(const Bundle& bundle);
/// Of a bundle of family "detector", or the detector inside one of family "faces".
DetectorContract read_detector_contract(const Bundle& bundle);

}  // namespace forge_rt::faces
