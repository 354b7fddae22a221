#include "models/next3d/contract.h"

#include <algorithm>
#include <cmath>

#include "models/manifest.h"

namespace forge_rt::next3d {
namespace {

using json_fields::fail;
using json_fields::Fields;
using json_fields::member;
using json_fields::show;

constexpr int kMostChannels = 4096, kMostVertices = 1 << 24;
constexpr int kCameraNumbers = 25;

std::array<double, 3> triple(const Fields& fields, const char* name) { return fields.reals<double, 3>(name, -1e6, 1e6, "three numbers"); }

/// 8, 16, … 1024
int resolution(const Fields& fields, const char* name) {
  const int value = fields.integer(name, 8, 1024);
  if ((value & (value - 1)) != 0) fail(fields.path(name), "a power of two", concat(value));
  return value;
}

/// Style vectors of a synthesis network: two for each of its blocks, 4, 8, … resolution.
int style_count(int resolution) {
  int count = 0;
  for (int r = 4; r <= resolution; r *= 2) count += 2;
  return count;
}

void read_super_resolution(const Fields& config, GeneratorContract& out) {
  const std::string kind = config.choice("superresolution", {"8XDC", "8X", "4X", "2X"});
  out.sr_input = kind == "2X" ? 64 : 128;
  out.sr_larger_as_they_are = kind == "4X";
  out.info.image_size = out.sr_input * (kind == "4X" || kind == "2X" ? 2 : 4);
}

void read_rendering(const Fields& rendering, GeneratorContract& out) {
  out.auto_range = rendering.at("ray_start") == "auto";
  if (!out.auto_range) {
    out.ray_start = rendering.real<float>("ray_start", 0, 1e6);
    out.ray_end = rendering.real<float>("ray_end", 0, 1e6);
    if (out.ray_end <= out.ray_start) fail(rendering.path("ray_end"), concat("beyond ray_start, ", out.ray_start), concat(out.ray_end));
  }
  out.info.coarse = rendering.integer("depth_resolution", 2, 256);
  out.info.fine = rendering.integer("depth_resolution_importance", 0, 256);
  if (out.info.fine > 0 && out.info.coarse < 4) fail(rendering.path("depth_resolution"), "4 or more with fine samples", "fewer");
  out.box_warp = rendering.real<float>("box_warp", 1e-6, 1e6);
  out.white_back = rendering.boolean("white_back");
  out.sr_antialias = rendering.boolean("sr_antialias");
  const std::array<double, 3> pivot = triple(rendering, "avg_camera_pivot");
  const double radius = rendering.real<float>("avg_camera_radius", 1e-6, 1e6), half_pi = std::numbers::pi / 2;
  const std::array<double, 16> pose = look_at_h_v(half_pi, half_pi, pivot, radius);
  std::array<float, kCameraNumbers>& frontal = out.info.frontal;
  for (std::size_t i = 0; i < pose.size(); ++i) frontal[i] = static_cast<float>(pose[i]);
  const auto focal = static_cast<float>(focal_from_fov(kFrontalFovDeg));
  const float intrinsics[9] = {focal, 0, 0.5f, 0, focal, 0.5f, 0, 0, 1};
  std::copy_n(intrinsics, 9, frontal.begin() + 16);
}

void read_next3d_config(const Fields& config, GeneratorContract& out) {
  out.texture_resolution = resolution(config, "texture_resolution");
  out.texture_channels = config.integer("texture_channels", 1, kMostChannels);
  const Fields mouth = config.object("mouth");
  out.mouth_in = resolution(mouth, "in_size");
  out.mouth_out = resolution(mouth, "resolution");
  out.info.num_ws += style_count(out.texture_resolution);
  out.info.blend_planes = config.choice("blend_planes", {"front", "all"}) == "all" ? BlendPlanes::all : BlendPlanes::front;
  if (out.info.blend_planes == BlendPlanes::all && out.texture_channels != out.info.plane_channels)
    fail(config.path("blend_planes"), "front where texture and planes have different channels", "\"all\"");
  out.orth_scale = config.real<float>("orth_scale", 1e-6, 1e6);
  const std::array<double, 3> shift = triple(config, "orth_shift");
  for (std::size_t i = 0; i < 3; ++i) out.orth_shift[i] = static_cast<float>(shift[i]);
}

void read_config(const Fields& config, GeneratorContract& out) {
  GeneratorInfo& info = out.info;
  info.z_dim = config.integer("z_dim", 1, 1 << 16);
  info.w_dim = config.integer("w_dim", 1, 1 << 16);
  info.plane_resolution = resolution(config, "plane_resolution");
  info.plane_channels = config.integer("plane_channels", 1, kMostChannels);
  info.features = config.integer("feature_channels", 3, kMostChannels);
  info.resolution = config.integer("neural_rendering_resolution", 1, 4096);
  info.num_static_ws = info.num_ws = style_count(info.plane_resolution);
  config.integer("c_dim", 0, kCameraNumbers);
  if (config.integer("image_channels", 1, kMostChannels) != 3) fail(config.path("image_channels"), "3", show(config.at("image_channels")));
  read_super_resolution(config, out);
  read_rendering(config.object("rendering"), out);
  if (out.next3d) read_next3d_config(config, out);
}

void read_generator(const Fields& generator, GeneratorContract& out) {
  read_config(generator.object("config"), out);
  GeneratorInfo& info = out.info;
  info.conditioning = generator.choice("conditioning", {"frontal", "view"});
  info.psi = generator.real("psi", -100, 100);
  info.cutoff = generator.given("cutoff") ? std::min(generator.integer("cutoff", 0, 1 << 16), info.num_ws) : info.num_ws;
  if (generator.given("surface_level")) info.surface_level = generator.real("surface_level", -1e6, 1e6);
  const Fields world = generator.object("world");
  info.world.scale = world.real("scale", 1e-6, 1e6);
  info.world.shift = triple(world, "shift");
  if (generator.given("alignment")) {
    const char* expected = "three rows of four numbers";
    const Json& rows = generator.array("alignment", 3, expected);
    info.alignment.emplace();
    for (std::size_t r = 0; r < 3; ++r) {
      const auto row = json_fields::reals<double, 4>(rows[r], generator.path("alignment"), -1e6, 1e6, expected);
      std::copy_n(row.begin(), 4, &(*info.alignment)[4 * r]);
    }
  }
  if (generator.given("bounds")) {
    const Json& corners = generator.array("bounds", 2, "two corners of three numbers");
    info.bounds.emplace();
    for (std::size_t i = 0; i < 2; ++i) {
      const auto corner = json_fields::reals<double, 3>(corners[i], generator.path("bounds"), -1e6, 1e6, "three numbers");
      std::copy_n(corner.begin(), 3, &(*info.bounds)[3 * i]);
    }
  }
  if (!out.next3d || !generator.given("head")) return;
  const Fields head = generator.object("head");
  info.head_family = head.text("family");
  info.vertices = head.integer("vertices", 3, kMostVertices);
  if (head.given("sha256")) info.head_sha256 = head.text("sha256");
}

std::map<std::string, StageFiles> read_variants(const Json& json, bool next3d, const Bundle& bundle) {
  std::vector<std::string> names = {"mapping", "static", "super_resolution"};
  if (next3d) names.insert(names.end(), {"texture", "mouth", "blend"});
  std::map<std::string, StageFiles> out;
  for_each_variant(json, "variants", [&](const std::string& precision, const Fields& variant) {
    const Fields stages = variant.object("stages");
    for (const std::string& name : names) out[precision][name] = read_file_name(stages.object(name.c_str()), bundle);
  });
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
  const std::string file = read_file_name(Fields(member(json, "bundle.json", "arrays"), "arrays"), bundle);
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
  return read_manifest(bundle, [&](const Json& json) {
    GeneratorContract out;
    out.next3d = family == "next3d";
    out.info.family = family;
    read_generator(Fields(member(json, "bundle.json", "generator"), "generator"), out);
    out.variants = read_variants(member(json, "bundle.json", "variants"), out.next3d, bundle);
    read_arrays(bundle, json, out);
    return out;
  });
}

}  // namespace forge_rt::next3d
