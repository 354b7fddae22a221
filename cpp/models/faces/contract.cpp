#include "models/faces/contract.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/json.h"
#include "models/json_fields.h"

namespace forge_rt::faces {
namespace {

using json_fields::fail;
using json_fields::integer;
using json_fields::show;

constexpr int kMaxSide = 4096;  // of a network's input

const Json& object(const Json& value, const std::string& path) {
  if (!value.is_object()) fail(path, "an object", show(value));
  return value;
}
const Json& member(const Json& parent, const std::string& path, const char* name) {
  const auto found = parent.find(name);
  if (found == parent.end()) fail(path + "." + name, "there", "nothing");
  return *found;
}

std::string text(const Json& value, const std::string& path) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) fail(path, "a text", show(value));
  return value.get<std::string>();
}
std::string choice(const Json& value, const std::string& path, const std::vector<std::string>& choices) {
  const std::string chosen = text(value, path);
  if (std::find(choices.begin(), choices.end(), chosen) == choices.end())
    fail(path, "one of " + json_fields::join(choices), show(value), json_fields::suggest(chosen, choices));
  return chosen;
}
float real(const Json& value, const std::string& path, double low, double high) {
  const double number = json_fields::number(value, path);
  if (!(number >= low && number <= high)) fail(path, concat("in ", low, "..", high), show(value));
  return static_cast<float>(number);
}
bool boolean(const Json& value, const std::string& path) {
  if (!value.is_boolean()) fail(path, "true or false", show(value));
  return value.get<bool>();
}

// Optional members keep the default.
float real_or(const Json& parent, const std::string& path, const char* name, double low, double high, float otherwise) {
  const auto found = parent.find(name);
  return found == parent.end() ? otherwise : real(*found, path + "." + name, low, high);
}
int integer_or(const Json& parent, const std::string& path, const char* name, int low, int high, int otherwise) {
  const auto found = parent.find(name);
  return found == parent.end() ? otherwise : integer(*found, path + "." + name, low, high);
}
bool boolean_or(const Json& parent, const std::string& path, const char* name, bool otherwise) {
  const auto found = parent.find(name);
  return found == parent.end() ? otherwise : boolean(*found, path + "." + name);
}

std::array<float, 3> triple(const Json& value, const std::string& path, double low, double high) {
  json_fields::array(value, path, 3, "three numbers, one per channel");
  std::array<float, 3> out;
  for (int i = 0; i < 3; ++i) out[i] = real(value[i], path, low, high);
  return out;
}

InputContract read_input(const Json& json, const std::string& path) {
  object(json, path);
  InputContract out;
  out.tensor = text(member(json, path, "tensor"), path + ".tensor");
  out.pixels.bgr = choice(member(json, path, "order"), path + ".order", {"RGB", "BGR"}) == "BGR";
  out.pixels.mean = triple(member(json, path, "mean"), path + ".mean", -1e4, 1e4);
  out.pixels.scale = triple(member(json, path, "scale"), path + ".scale", -1e4, 1e4);
  if (const auto border = json.find("border"); border != json.end())
    out.pixels.border =
        choice(*border, path + ".border", {"constant", "replicate"}) == "replicate" ? CropBorder::replicate : CropBorder::constant;
  return out;
}

FivePointRule read_five_points(const Json& json, const std::string& path) {
  FivePointRule rule;
  rule.eyes = real_or(json, path, "eyes", 0, 100, rule.eyes);
  rule.mouth = real_or(json, path, "mouth", 0, 100, rule.mouth);
  if (rule.eyes + rule.mouth <= 0) fail(path + ".eyes", "above 0 where mouth is 0", "0");
  rule.shift = real_or(json, path, "shift", -10, 10, rule.shift);
  rule.scale = real_or(json, path, "scale", 0.01, 100, rule.scale);
  rule.rotate = boolean_or(json, path, "rotate", rule.rotate);
  const Json& box = object(member(json, path, "box"), path + ".box");
  rule.box_scale = real(member(box, path + ".box", "scale"), path + ".box.scale", 0.01, 100);
  if (const auto shift = box.find("shift"); shift != box.end()) {
    json_fields::array(*shift, path + ".box.shift", 2, "two numbers, x and y");
    for (int i = 0; i < 2; ++i) rule.box_shift[i] = real((*shift)[i], path + ".box.shift", -10, 10);
  }
  return rule;
}

CropContract read_crop(const Json& json, const std::string& path) {
  object(json, path);
  CropContract out;
  if (choice(member(json, path, "rule"), path + ".rule", {"five_points", "box"}) == "five_points") {
    out.five_points = read_five_points(json, path);
  } else {
    out.box.margin = real_or(json, path, "margin", -0.49, 100, out.box.margin);
    out.box.square = boolean_or(json, path, "square", out.box.square);
  }
  return out;
}

/// Calls `read` for each precision of `variants`.
void for_each_variant(const Json& json, const std::string& path,
                      const std::function<void(const std::string&, const Json&, const std::string&)>& read) {
  object(json, path);
  if (json.empty()) fail(path, "an object with a precision, such as fp32", "{}");
  for (const auto& [precision, variant] : json.items()) read(precision, object(variant, path + "." + precision), path + "." + precision);
}
std::string read_file_name(const Json& json, const std::string& path, const Bundle& bundle) {
  const std::string file = text(member(json, path, "file"), path + ".file");
  if (bundle.files().count(file) == 0) fail(path + ".file", "one of the bundle's files", show(json["file"]));
  return file;
}

std::vector<LabelInfo> read_labels(const Json& json, const std::string& path) {
  json_fields::array(json, path, 0, "a list of classes");
  if (json.size() > 256) fail(path, "at most 256 classes", concat(json.size()));
  const int count = static_cast<int>(json.size());
  std::vector<LabelInfo> labels(json.size());
  std::vector<bool> seen(json.size());
  for (int i = 0; i < count; ++i) {
    const std::string at = concat(path, "[", i, "]");
    const Json& entry = object(json[i], at);
    const int id = integer(member(entry, at, "id"), at + ".id", 0, count - 1);
    if (seen[id]) fail(at + ".id", "an id that no other class has", show(entry["id"]));
    seen[id] = true;
    LabelInfo& label = labels[id];
    label.id = id;
    label.name = text(member(entry, at, "name"), at + ".name");
    const Json& color = json_fields::array(member(entry, at, "color"), at + ".color", 3, "three bytes");
    for (int c = 0; c < 3; ++c) label.color[c] = static_cast<std::uint8_t>(integer(color[c], at + ".color", 0, 255));
    label.mirror = integer_or(entry, at, "mirror", 0, count - 1, id);
  }
  return labels;
}

ParsingContract read_parsing(const Json& json, const std::string& path) {
  object(json, path);
  ParsingContract out;
  out.tensor = text(member(json, path, "tensor"), path + ".tensor");
  out.probabilities = choice(member(json, path, "kind"), path + ".kind", {"logits", "probabilities"}) == "probabilities";
  if (const auto ignore = json.find("ignore"); ignore != json.end()) {
    if (!ignore->is_array()) fail(path + ".ignore", "a list of classes", show(*ignore));
    for (const Json& id : *ignore) out.ignore.push_back(integer(id, path + ".ignore", 0, 63));  // UnwarpOptions::masked has 64 bits
  }
  return out;
}

LandmarksContract read_landmarks(const Json& json, const std::string& path) {
  object(json, path);
  LandmarksContract out;
  out.tensor = text(member(json, path, "tensor"), path + ".tensor");
  const std::string unit = choice(member(json, path, "unit"), path + ".unit", {"crop", "signed", "pixels"});
  out.unit = unit == "crop" ? LandmarkUnit::crop : unit == "signed" ? LandmarkUnit::signed_crop : LandmarkUnit::pixels;
  if (const auto columns = json.find("columns"); columns != json.end()) {
    const bool two = *columns == Json{"x", "y"}, three = *columns == Json{"x", "y", "visible"};
    if (!two && !three) fail(path + ".columns", R"(["x", "y"] or ["x", "y", "visible"])", show(*columns));
    out.visible = three;
  }
  return out;
}

DepthContract read_depth(const Json& json, const std::string& path) {
  object(json, path);
  DepthContract out;
  out.tensor = text(member(json, path, "tensor"), path + ".tensor");
  out.unit = text(member(json, path, "unit"), path + ".unit");
  out.scale = real_or(json, path, "scale", -1e9, 1e9, out.scale);
  if (const auto relative = json.find("relative_to"); relative != json.end())
    out.unit += ", relative to " + text(*relative, path + ".relative_to");
  return out;
}

DetectorContract read_detector(const Json& json, const std::string& path, const Bundle& bundle) {
  object(json, path);
  DetectorContract out;
  out.input = read_input(member(json, path, "input"), path + ".input");
  for_each_variant(member(json, path, "variants"), path + ".variants",
                   [&](const std::string& precision, const Json& variant, const std::string& at) {
                     out.variants[precision] = read_file_name(variant, at, bundle);
                   });
  const std::string outputs_path = path + ".outputs";
  const Json& outputs = object(member(json, path, "outputs"), outputs_path);
  out.score = text(member(outputs, outputs_path, "score"), outputs_path + ".score");
  out.box = text(member(outputs, outputs_path, "box"), outputs_path + ".box");
  out.points = text(member(outputs, outputs_path, "points"), outputs_path + ".points");
  out.stride = integer(member(json, path, "stride"), path + ".stride", 1, 256);
  out.size = integer(member(json, path, "size"), path + ".size", 16, kMaxSide);
  out.multiple = integer(member(json, path, "multiple"), path + ".multiple", 1, 1024);
  if (out.multiple % out.stride != 0) fail(path + ".multiple", concat("a multiple of the stride ", out.stride), concat(out.multiple));
  out.threshold = real_or(json, path, "threshold", 0, 1, out.threshold);
  out.iou = real_or(json, path, "iou", 0, 1, out.iou);
  out.confidence = real_or(json, path, "confidence", 0, 1, out.confidence);
  return out;
}

FacesContract read_faces(const Json& json, const Bundle& bundle) {
  FacesContract out;
  const std::string top = "bundle.json";
  const Json& input = member(json, top, "input");
  out.input = read_input(input, "input");
  const Json& size = json_fields::array(member(input, "input", "size"), "input.size", 2, "[height, width]");
  out.input.size = {integer(size[0], "input.size", 8, kMaxSide), integer(size[1], "input.size", 8, kMaxSide)};
  out.crop = read_crop(member(json, top, "crop"), "crop");
  for_each_variant(member(json, top, "variants"), "variants",
                   [&](const std::string& precision, const Json& variant, const std::string& at) {
                     const Json& stages = json_fields::array(member(variant, at, "stages"), at + ".stages", 0, "a list of graphs");
                     for (std::size_t i = 0; i < stages.size(); ++i) {
                       const std::string stage = concat(at, ".stages[", i, "]");
                       out.variants[precision].push_back(read_file_name(object(stages[i], stage), stage, bundle));
                     }
                   });
  const Json& outputs = object(member(json, top, "outputs"), "outputs");
  if (const auto parsing = outputs.find("parsing"); parsing != outputs.end()) {
    out.parsing = read_parsing(*parsing, "outputs.parsing");
    out.labels = read_labels(member(json, top, "labels"), "labels");
    const auto ignored = [&](const LabelInfo& label) {
      return std::find(out.parsing->ignore.begin(), out.parsing->ignore.end(), label.id) != out.parsing->ignore.end();
    };
    if (std::all_of(out.labels.begin(), out.labels.end(), ignored)) fail("outputs.parsing.ignore", "some of the classes", "all of them");
  }
  if (const auto landmarks = outputs.find("landmarks"); landmarks != outputs.end())
    out.landmarks = read_landmarks(*landmarks, "outputs.landmarks");
  if (const auto depth = outputs.find("depth"); depth != outputs.end()) out.depth = read_depth(*depth, "outputs.depth");
  if (!out.parsing && !out.landmarks && !out.depth) fail("outputs", "an object with parsing, landmarks or depth", show(outputs));
  const auto side = json.find("side");
  out.side = side == json.end() ? "subject" : choice(*side, "side", {"subject", "viewer"});
  if (const auto detector = json.find("detector"); detector != json.end()) out.detector = read_detector(*detector, "detector", bundle);
  return out;
}

/// What is wrong in a file is the file's fault, not the caller's.
template <class Read>
auto read_manifest(const Bundle& bundle, const Read& read) {
  const Json json = parse_json(bundle.manifest(), bundle.path() + "/bundle.json");
  try {
    return read(json);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument) throw;
    throw Error(ErrorCode::corrupt_file, concat(bundle.path(), "/bundle.json: ", error.what()));
  } catch (const nlohmann::json::exception& error) {  // text that is not UTF-8, and the like
    throw Error(ErrorCode::corrupt_file, concat(bundle.path(), "/bundle.json: ", error.what()));
  }
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
    return read_detector(*found, "detector", bundle);
  });
}

}  // namespace forge_rt::faces
