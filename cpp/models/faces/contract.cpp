#include "models/faces/contract.h"

#include <algorithm>

#include "models/manifest.h"

namespace forge_rt::faces {
namespace {

using json_fields::fail;
using json_fields::Fields;
using json_fields::integer;
using json_fields::member;
using json_fields::show;

constexpr int kMaxSide = 4096;  // of a network's input

InputContract read_input(const Fields& fields) {
  const char* channels = "three numbers, one per channel";
  InputContract out;
  out.tensor = fields.text("tensor");
  out.pixels.bgr = fields.choice("order", {"RGB", "BGR"}) == "BGR";
  out.pixels.mean = fields.reals<float, 3>("mean", -1e4, 1e4, channels);
  out.pixels.scale = fields.reals<float, 3>("scale", -1e4, 1e4, channels);
  if (fields.find("border") != nullptr)
    out.pixels.border = fields.choice("border", {"constant", "replicate"}) == "replicate" ? CropBorder::replicate : CropBorder::constant;
  return out;
}

FivePointRule read_five_points(const Fields& fields) {
  FivePointRule rule;
  rule.eyes = fields.real_or("eyes", 0, 100, rule.eyes);
  rule.mouth = fields.real_or("mouth", 0, 100, rule.mouth);
  if (rule.eyes + rule.mouth <= 0) fail(fields.path("eyes"), "above 0 where mouth is 0", "0");
  rule.shift = fields.real_or("shift", -10, 10, rule.shift);
  rule.scale = fields.real_or("scale", 0.01, 100, rule.scale);
  rule.rotate = fields.boolean_or("rotate", rule.rotate);
  const Fields box = fields.object("box");
  rule.box_scale = box.real<float>("scale", 0.01, 100);
  if (box.find("shift") != nullptr) rule.box_shift = box.reals<float, 2>("shift", -10, 10, "two numbers, x and y");
  return rule;
}

CropContract read_crop(const Fields& fields) {
  CropContract out;
  if (fields.choice("rule", {"five_points", "box"}) == "five_points") {
    out.five_points = read_five_points(fields);
  } else {
    out.box.margin = fields.real_or("margin", -0.49, 100, out.box.margin);
    out.box.square = fields.boolean_or("square", out.box.square);
  }
  return out;
}

std::vector<LabelInfo> read_labels(const Json& json, const std::string& path) {
  json_fields::array(json, path, 0, "a list of classes");
  if (json.size() > 256) fail(path, "at most 256 classes", concat(json.size()));
  const int count = static_cast<int>(json.size());
  std::vector<LabelInfo> labels(json.size());
  std::vector<bool> seen(json.size());
  for (int i = 0; i < count; ++i) {
    const Fields entry(json[i], concat(path, "[", i, "]"));
    const int id = entry.integer("id", 0, count - 1);
    if (seen[id]) fail(entry.path("id"), "an id that no other class has", concat(id));
    seen[id] = true;
    LabelInfo& label = labels[id];
    label.id = id;
    label.name = entry.text("name");
    const Json& color = entry.array("color", 3, "three bytes");
    for (int c = 0; c < 3; ++c) label.color[c] = static_cast<std::uint8_t>(integer(color[c], entry.path("color"), 0, 255));
    label.mirror = entry.integer_or("mirror", 0, count - 1, id);
  }
  return labels;
}

ParsingContract read_parsing(const Fields& fields) {
  ParsingContract out;
  out.tensor = fields.text("tensor");
  out.probabilities = fields.choice("kind", {"logits", "probabilities"}) == "probabilities";
  if (const Json* ignore = fields.find("ignore")) {
    if (!ignore->is_array()) fail(fields.path("ignore"), "a list of classes", show(*ignore));
    for (const Json& id : *ignore) out.ignore.push_back(integer(id, fields.path("ignore"), 0, 63));  // UnwarpOptions::masked has 64 bits
  }
  return out;
}

LandmarksContract read_landmarks(const Fields& fields) {
  LandmarksContract out;
  out.tensor = fields.text("tensor");
  const std::string unit = fields.choice("unit", {"crop", "signed", "pixels"});
  out.unit = unit == "crop" ? LandmarkUnit::crop : unit == "signed" ? LandmarkUnit::signed_crop : LandmarkUnit::pixels;
  if (const Json* columns = fields.find("columns")) {
    const bool two = *columns == Json{"x", "y"}, three = *columns == Json{"x", "y", "visible"};
    if (!two && !three) fail(fields.path("columns"), R"(["x", "y"] or ["x", "y", "visible"])", show(*columns));
    out.visible = three;
  }
  return out;
}

DepthContract read_depth(const Fields& fields) {
  DepthContract out;
  out.tensor = fields.text("tensor");
  out.unit = fields.text("unit");
  out.scale = fields.real_or("scale", -1e9, 1e9, out.scale);
  if (fields.find("relative_to") != nullptr) out.unit += ", relative to " + fields.text("relative_to");
  return out;
}

DetectorContract read_detector(const Fields& fields, const Bundle& bundle) {
  DetectorContract out;
  out.input = read_input(fields.object("input"));
  for_each_variant(fields.at("variants"), fields.path("variants"),
                   [&](const std::string& precision, const Fields& variant) { out.variants[precision] = read_file_name(variant, bundle); });
  const Fields outputs = fields.object("outputs");
  out.score = outputs.text("score");
  out.box = outputs.text("box");
  out.points = outputs.text("points");
  out.stride = fields.integer("stride", 1, 256);
  out.size = fields.integer("size", 16, kMaxSide);
  out.multiple = fields.integer("multiple", 1, 1024);
  if (out.multiple % out.stride != 0) fail(fields.path("multiple"), concat("a multiple of the stride ", out.stride), concat(out.multiple));
  out.threshold = fields.real_or("threshold", 0, 1, out.threshold);
  out.iou = fields.real_or("iou", 0, 1, out.iou);
  out.confidence = fields.real_or("confidence", 0, 1, out.confidence);
  return out;
}

FacesContract read_faces(const Json& json, const Bundle& bundle) {
  FacesContract out;
  const auto top = [&](const char* name) -> const Json& { return member(json, "bundle.json", name); };
  const Fields input(top("input"), "input");
  out.input = read_input(input);
  const Json& size = input.array("size", 2, "[height, width]");
  out.input.size = {integer(size[0], "input.size", 8, kMaxSide), integer(size[1], "input.size", 8, kMaxSide)};
  out.crop = read_crop(Fields(top("crop"), "crop"));
  for_each_variant(top("variants"), "variants", [&](const std::string& precision, const Fields& variant) {
    const Json& stages = variant.array("stages", 0, "a list of graphs");
    for (std::size_t i = 0; i < stages.size(); ++i)
      out.variants[precision].push_back(read_file_name(Fields(stages[i], concat(variant.path("stages"), "[", i, "]")), bundle));
  });
  const Fields outputs(top("outputs"), "outputs");
  if (outputs.find("parsing") != nullptr) {
    out.parsing = read_parsing(outputs.object("parsing"));
    out.labels = read_labels(top("labels"), "labels");
    const auto ignored = [&](const LabelInfo& label) {
      return std::find(out.parsing->ignore.begin(), out.parsing->ignore.end(), label.id) != out.parsing->ignore.end();
    };
    if (std::all_of(out.labels.begin(), out.labels.end(), ignored)) fail("outputs.parsing.ignore", "some of the classes", "all of them");
  }
  if (outputs.find("landmarks") != nullptr) out.landmarks = read_landmarks(outputs.object("landmarks"));
  if (outputs.find("depth") != nullptr) out.depth = read_depth(outputs.object("depth"));
  if (!out.parsing && !out.landmarks && !out.depth) fail("outputs", "an object with parsing, landmarks or depth", show(top("outputs")));
  const auto side = json.find("side");
  out.side = side == json.end() ? "subject" : json_fields::choice(*side, "side", {"subject", "viewer"});
  if (const auto detector = json.find("detector"); detector != json.end()) out.detector = read_detector({*detector, "detector"}, bundle);
  return out;
}

}  // namespace

FacesContract read_faces_contract(const Bundle& bundle) {
  check(bundle.family() == "faces", ErrorCode::unsupported, bundle.path(), " is a bundle of family '", bundle.family(),
        "'; FaceAnalyzer needs one of family 'faces'");
  return read_manifest(bundle, [&](const Json& json) { return read_faces(json, bundle); });
}

DetectorContract read_detector_contract(const Bundle& bundle) {
  check(bundle.family() == "faces" || bundle.family() == "detector", ErrorCode::unsupported, bundle.path(), " is a bundle of family '",
        bundle.family(), "'; a detector is in one of family 'detector' or 'faces'");
  return read_manifest(bundle, [&](const Json& json) {
    const auto found = json.find("detector");
    check(found != json.end(), bundle.family() == "faces" ? ErrorCode::unsupported : ErrorCode::corrupt_file, bundle.path(),
          " has no detector");
    return read_detector({*found, "detector"}, bundle);
  });
}

}  // namespace forge_rt::faces
