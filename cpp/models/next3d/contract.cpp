#include "models/next3d/contract.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/json.h"
#include "models/json_fields.h"

namespace forge_rt::next3d {
namespace {

using json_fields::fail;
using json_fields::integer;
using json_fields::show;

constexpr int kMostChannels = 4096, kMostVertices = 1 << 24;
constexpr int kCameraNumbers = 25;

const Json& member(const Json& parent, const std::string& path, const char* name) {
  if (!parent.is_object()) fail(path, "an object", show(parent));
  const auto found = parent.find(name);
  if (found == parent.end()) fail(path + "." + name, "there", "nothing");
  return *found;
}
/// null and nothing are the same.
bool has(const Json& parent, const char* name) {
  const auto found = parent.find(name);
  return found != parent.end() && !found->is_null();
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
bool boolean(const Json& value, const std::string& path) {
  if (!value.is_boolean()) fail(path, "true or false", show(value));
  return value.get<bool>();
}
double real(const Json& value, const std::string& path, double low, double high) {
  const double number = json_fields::number(value, path);
  if (!(number >= low && number <= high)) fail(path, concat("in ", low, "..", high), show(value));
  return number;
}
std::array<double, 3> triple(const Json& value, const std::string& path) {
  json_fields::array(value, path, 3, "three numbers");
  return {real(value[0], path, -1e6, 1e6), real(value[1], path, -1e6, 1e6), real(value[2], path, -1e6, 1e6)};
}

/// Members of one object, by name.
class Fields {
 public:
  Fields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json_.is_object()) fail(path_, "an object", show(json_));
  }
  const Json& at(const char* name) const { return member(json_, path_, name); }
  std::string path(const char* name) const { return path_ + "." + name; }
  int whole(const char* name, int low, int high) const { return integer(at(name), path(name), low, high); }
  float number(const char* name, double low, double high) const { return static_cast<float>(real(at(name), path(name), low, high)); }
  bool flag(const char* name) const { return boolean(at(name), path(name)); }
  std::string one_of(const char* name, const std::vector<std::string>& choices) const { return choice(at(name), path(name), choices); }
  /// 8, 16, … 1024
  int resolution(const char* name) const {
    const int value = whole(name, 8, 1024);
    if ((value & (value - 1)) != 0) fail(path(name), "a power of two", concat(value));
    return value;
  }
  Fields object(const char* name) const { return {at(name), path(name)}; }

 private:
  const Json& json_;
  std::string path_;
};

/// Style vectors of a synthesis network: two for each of its blocks, 4, 8, … resolution.
int style_count(int resolution) {
  int count = 0;
  for (int r = 4; r <= resolution; r *= 2) count += 2;
  return count;
}

void read_super_resolution(const Fields& config, GeneratorContract& out) {
  const std::string kind = config.one_of("superresolution", {"8XDC", "8X", "4X", "2X"});
  out.sr_input = kind == "2X" ? 64 : 128;
  out.sr_larger_as_they_are = kind == "4X";
  out.info.image_size = out.sr_input * (kind == "4X" || kind == "2X" ? 2 : 4);
}

void read_rendering(const Fields& rendering, GeneratorContract& out) {
  out.auto_range = rendering.at("ray_start") == "auto";
  if (!out.auto_range) {
    out.ray_start = rendering.number("ray_start", 0, 1e6);
    out.ray_end = rendering.number("ray_end", 0, 1e6);
    if (out.ray_end <= out.ray_start) fail(rendering.path("ray_end"), concat("beyond ray_start, ", out.ray_start), concat(out.ray_end));
  }
  out.info.coarse = rendering.whole("depth_resolution", 2, 256);
  out.info.fine = rendering.whole("depth_resolution_importance", 0, 256);
  if (out.info.fine > 0 && out.info.coarse < 4) fail(rendering.path("depth_resolution"), "4 or more with fine samples", "fewer");
  out.box_warp = rendering.number("box_warp", 1e-6, 1e6);
  out.white_back = rendering.flag("white_back");
  out.sr_antialias = rendering.flag("sr_antialias");
  const std::array<double, 3> pivot = triple(rendering.at("avg_camera_pivot"), rendering.path("avg_camera_pivot"));
  const double radius = rendering.number("avg_camera_radius", 1e-6, 1e6), half_pi = std::numbers::pi / 2;
  const std::array<double, 16> pose = look_at_h_v(half_pi, half_pi, pivot, radius);
  std::array<float, kCameraNumbers>& frontal = out.info.frontal;
  for (std::size_t i = 0; i < pose.size(); ++i) frontal[i] = static_cast<float>(pose[i]);
  const auto focal = static_cast<float>(focal_from_fov(kFrontalFovDeg));
  const float intrinsics[9] = {focal, 0, 0.5f, 0, focal, 0.5f, 0, 0, 1};
  std::copy_n(intrinsics, 9, frontal.begin() + 16);
}

void read_next3d_config(const Fields& config, GeneratorContract& out) {
  out.texture_resolution = config.resolution("texture_resolution");
  out.texture_channels = config.whole("texture_channels", 1, kMostChannels);
  const Fields mouth = config.object("mouth");
  out.mouth_in = mouth.resolution("in_size");
  out.mouth_out = mouth.resolution("resolution");
  out.info.num_ws += style_count(out.texture_resolution);
  out.info.blend_planes = config.one_of("blend_planes", {"front", "all"}) == "all" ? BlendPlanes::all : BlendPlanes::front;
  if (out.info.blend_planes == BlendPlanes::all && out.texture_channels != out.info.plane_channels)
    fail(config.path("blend_planes"), "front where texture and planes have different channels", "\"all\"");
  out.orth_scale = config.number("orth_scale", 1e-6, 1e6);
  const std::array<double, 3> shift = triple(config.at("orth_shift"), config.path("orth_shift"));
  for (std::size_t i = 0; i < 3; ++i) out.orth_shift[i] = static_cast<float>(shift[i]);
}

void read_config(const Fields& config, GeneratorContract& out) {
  GeneratorInfo& info = out.info;
  info.z_dim = config.whole("z_dim", 1, 1 << 16);
  info.w_dim = config.whole("w_dim", 1, 1 << 16);
  info.plane_resolution = config.resolution("plane_resolution");
  info.plane_channels = config.whole("plane_channels", 1, kMostChannels);
  info.features = config.whole("feature_channels", 3, kMostChannels);
  info.resolution = config.whole("neural_rendering_resolution", 1, 4096);
  info.num_static_ws = info.num_ws = style_count(info.plane_resolution);
  config.whole("c_dim", 0, kCameraNumbers);
  if (config.whole("image_channels", 1, kMostChannels) != 3) fail(config.path("image_channels"), "3", show(config.at("image_channels")));
  read_super_resolution(config, out);
  read_rendering(config.object("rendering"), out);
  if (out.next3d) read_next3d_config(config, out);
}

void read_generator(const Fields& generator, const Json& json, GeneratorContract& out) {
  read_config(generator.object("config"), out);
  GeneratorInfo& info = out.info;
  info.conditioning = generator.one_of("conditioning", {"frontal", "view"});
  info.psi = real(generator.at("psi"), generator.path("psi"), -100, 100);
  info.cutoff = has(json, "cutoff") ? std::min(generator.whole("cutoff", 0, 1 << 16), info.num_ws) : info.num_ws;
  const Fields world = generator.object("world");
  info.world.scale = real(world.at("scale"), world.path("scale"), 1e-6, 1e6);
  info.world.shift = triple(world.at("shift"), world.path("shift"));
  if (has(json, "alignment")) {
    const Json& rows = json_fields::array(generator.at("alignment"), generator.path("alignment"), 3, "three rows of four numbers");
    info.alignment.emplace();
    for (std::size_t r = 0; r < 3; ++r) {
      json_fields::array(rows[r], generator.path("alignment"), 4, "three rows of four numbers");
      for (std::size_t c = 0; c < 4; ++c) (*info.alignment)[4 * r + c] = real(rows[r][c], generator.path("alignment"), -1e6, 1e6);
    }
  }
  if (has(json, "bounds")) {
    const std::string path = generator.path("bounds");
    const Json& corners = json_fields::array(generator.at("bounds"), path, 2, "two corners of three numbers");
    info.bounds.emplace();
    for (std::size_t i = 0; i < 6; ++i) (*info.bounds)[i] = triple(corners[i / 3], path)[i % 3];
  }
  if (!out.next3d || !has(json, "head")) return;
  const Fields head = generator.object("head");
  info.head_family = text(head.at("family"), head.path("family"));
  info.vertices = head.whole("vertices", 3, kMostVertices);
  if (has(generator.at("head"), "sha256")) info.head_sha256 = text(head.at("sha256"), head.path("sha256"));
}

std::string file_of(const Fields& fields, const Bundle& bundle) {
  const std::string file = text(fields.at("file"), fields.path("file"));
  if (bundle.files().count(file) == 0) fail(fields.path("file"), "one of the bundle's files", show(fields.at("file")));
  return file;
}

std::map<std::string, StageFiles> read_variants(const Json& json, bool next3d, const Bundle& bundle) {
  if (!json.is_object() || json.empty()) fail("variants", "an object with a precision, such as fp32", show(json));
  std::vector<std::string> names = {"mapping", "static", "super_resolution"};
  if (next3d) names.insert(names.end(), {"texture", "mouth", "blend"});
  std::map<std::string, StageFiles> out;
  for (const auto& [precision, variant] : json.items()) {
    const Fields stages = Fields(variant, "variants." + precision).object("stages");
    for (const std::string& name : names) {
      out[precision][name] = file_of(stages.object(name.c_str()), bundle);
    }
  }
  return out;
}

/// Arrays of the bundle, each taken with its expected shape.
class Arrays {
 public:
  Arrays(const Bundle& bundle, const std::string& file) : file_(file), tensors_(bundle.tensors(file)) {}

  Tensor take(const char* name, DType dtype, std::initializer_list<std::int64_t> shape) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(file_ + "." + name, "there", "nothing");
    const Tensor& array = found->second;
    bool fits = array.rank() == static_cast<int>(shape.size());
    std::string axes;
    for (int axis = 0; const std::int64_t length : shape) {
      fits = fits && (length == kAny || array.size(axis) == length);
      axes += concat(axes.empty() ? "" : ", ", length == kAny ? "any" : concat(length));
      ++axis;
    }
    if (!fits) fail(file_ + "." + name, "[" + axes + "]", shape_str(array.shape()));
    if (array.dtype() != dtype) fail(file_ + "." + name, dtype_name(dtype), dtype_name(array.dtype()));
    if (dtype == DType::f32)
      for (std::int64_t i = 0; i < array.count(); ++i)
        if (!std::isfinite(array.data<float>()[i])) fail(file_ + "." + name, "finite", concat(array.data<float>()[i]));
    return array.contiguous();
  }

 private:
  std::string file_;
  std::map<std::string, Tensor> tensors_;
};

void read_arrays(const Bundle& bundle, const Json& json, GeneratorContract& out) {
  const std::string file = file_of(Fields(member(json, "bundle.json", "arrays"), "arrays"), bundle);
  const Arrays arrays(bundle, file);
  GeneratorInfo& info = out.info;
  out.w_avg = arrays.take("w_avg", DType::f32, {info.w_dim});
  const Tensor axes = arrays.take("plane_axes", DType::f32, {3, 3, 3});
  for (std::size_t i = 0; i < 27; ++i) out.axes[i / 9][i % 9] = axes.data<float>()[i];
  const int outputs = 1 + info.features;
  const Tensor weight0 = arrays.take("decoder.net.0.weight", DType::f32, {kAny, info.plane_channels});
  const std::int64_t hidden = weight0.size(0);
  out.decoder = prepare_decoder({weight0, arrays.take("decoder.net.0.bias", DType::f32, {hidden}),
                                 arrays.take("decoder.net.2.weight", DType::f32, {outputs, hidden}),
                                 arrays.take("decoder.net.2.bias", DType::f32, {outputs})});
  if (!out.next3d) return;
  const Tensor faces = arrays.take("faces", DType::i32, {kAny, 3});
  // The published buffer holds texture coordinates as the network samples them.
  const Tensor grid = arrays.take("uvcoords", DType::f32, {kAny, 2});
  if (info.vertices == 0)  // the bundle names no head: its triangles say how many vertices there are
    for (std::int64_t i = 0; i < faces.count(); ++i) {
      const std::int32_t vertex = faces.data<std::int32_t>()[i];
      if (vertex >= kMostVertices) fail(file + ".faces", concat("vertices below ", kMostVertices), concat(vertex));
      info.vertices = std::max(info.vertices, vertex + 1);
    }
  out.mesh = prepare_neural_mesh(faces, arrays.take("uvfaces", DType::i32, {faces.size(0), 3}), grid, info.vertices);
  out.mesh.grid = grid;
  out.uv_mask = arrays.take("uv_face_mask", DType::f32, {kAny, kAny});
  if (faces.count() == 0 || out.uv_mask.count() == 0) fail(file, "a mesh with triangles and a mask with pixels", "none");
}

}  // namespace

GeneratorContract read_generator_contract(const Bundle& bundle) {
  const std::string& family = bundle.family();
  check(family == "next3d" || family == "eg3d", ErrorCode::unsupported, bundle.path(), " is a bundle of family '", family,
        "'; Generator needs one of family 'next3d' or 'eg3d'");
  const Json json = parse_json(bundle.manifest(), bundle.path() + "/bundle.json");
  GeneratorContract out;
  out.next3d = family == "next3d";
  out.info.family = family;
  // What is wrong in a file is the file's fault, not the caller's.
  try {
    const Json& generator = member(json, "bundle.json", "generator");
    read_generator(Fields(generator, "generator"), generator, out);
    out.variants = read_variants(member(json, "bundle.json", "variants"), out.next3d, bundle);
    read_arrays(bundle, json, out);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::invalid_argument) throw;
    throw Error(ErrorCode::corrupt_file, concat(bundle.path(), "/bundle.json: ", error.what()));
  } catch (const nlohmann::json::exception& error) {  // text that is not UTF-8, and the like
    throw Error(ErrorCode::corrupt_file, concat(bundle.path(), "/bundle.json: ", error.what()));
  }
  return out;
}

}  // namespace forge_rt::next3d
