// Camera distributions: the config language, its checks, and the draw.
#include "forge_rt/models/camera_sampler.h"

#include <cmath>
#include <numeric>

#include "json_fields.h"

namespace forge_rt {
namespace {

using Kind = Distribution::Kind;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kDegree = std::numbers::pi / 180;
constexpr int kMaxCells = 4096;  // a block's permutation is drawn per sample: keep it a few microseconds

// ---- presets ---------------------------------------------------------------------------------------------------------------------

struct Preset {
  const char* name;
  const char* json;
};
// Written in the language itself. Sizes and pictures of what they frame: docs/guides/cameras.md.
// clang-format off
const Preset kPresets[] = {
    // The view that FFHQ generators are trained and conditioned with.
    {"frontal", R"({"yaw_deg": 0, "pitch_deg": 0, "fov_deg": 13.373836931985192, "radius_m": 1.08})"},
    // The default of `forge-rt generate`: a portrait photographer's views, the whole head in the frame.
    {"portrait", R"({"yaw_deg": {"normal": {"mean": 0, "std": 24, "clip": [-60, 60]}}, "pitch_deg": {"normal": {"mean": 3, "std": 9, "clip": [-25, 25]}},
                     "fov_deg": {"uniform": [12, 26]}, "radius_m": {"frame_m": {"uniform": [0.30, 0.38]}}, "origin_m": [0, 0, -0.035]})"},
    // As the SynthForge paper states it: azimuth and elevation ±45°, published fov 12..27, radius 2.7 = 1.08 m. The rig's origin
    // is the generator world's origin in the head frame (kSynthForgeWorld), its pivot (0, 0, 0.2) of that world.
    {"paper", R"({"yaw_deg": {"uniform": [-45, 45]}, "pitch_deg": {"uniform": [-45, 45]}, "fov_published_deg": {"uniform": [12, 27]},
                  "radius_m": 1.08, "lookat_m": [0, 0, 0.08], "origin_m": [0, 0.01, -0.0465685424949238]})"},
    // As the SynthForge code does it: h, v = pi/2 + U[-0.8, 0.8] rad through the look-at sampler. h is yaw, ±0.8 rad;
    // v is an area parameter, sin(pitch) = ±2 · 0.8 / pi, so the elevation only reaches ±30.6°.
    {"synthforge-code", R"({"yaw_deg": {"uniform": [-45.836623610465864, 45.836623610465864]},
                            "pitch_deg": {"area_uniform": [-30.616935903009068, 30.616935903009068]},
                            "fov_published_deg": {"uniform": [18, 24]}, "radius_m": 1.08, "lookat_m": [0, 0, 0.08],
                            "origin_m": [0, 0.01, -0.0465685424949238]})"},
    // Photographs as people take them. The distance follows the field of view, so that the head keeps 40 to 65 % of the image's
    // height. The origin is the middle of a FLAME-format head, chin to crown and nose to back.
    {"wild", R"({"yaw_deg": {"normal": {"mean": 0, "std": 30, "clip": [-75, 75]}}, "pitch_deg": {"normal": {"mean": 0, "std": 14, "clip": [-35, 35]}},
                 "roll_deg": {"normal": {"mean": 0, "std": 10, "clip": [-30, 30]}}, "fov_deg": {"uniform": [15, 60]},
                 "radius_m": {"frame_m": {"uniform": [0.36, 0.6]}}, "origin_m": [0, 0.015, -0.035],
                 "center_offset": [{"normal": {"mean": 0, "std": 0.05, "clip": [-0.12, 0.12]}}, {"normal": {"mean": 0, "std": 0.05, "clip": [-0.12, 0.12]}}]})"},
};
// clang-format on

// ---- fields ----------------------------------------------------------------------------------------------------------------------

// The scalars in their fixed order: slot k owns uniform number k of a camera's stream. Append only.
constexpr int kSlots = 13;
enum Slot { kYaw, kPitch, kRoll, kFov, kRadius, kLookat, kOffset = kLookat + 3, kOrigin = kOffset + 2 };
static_assert(kOrigin + 3 == kSlots);

struct Field {
  const Distribution* distribution;
  std::string path;
  double low, high;  // what the scalar may be
};

std::array<Field, kSlots> fields_of(const CameraConfig& c) {
  using FovUnit = CameraConfig::FovUnit;
  const bool frame = c.radius_unit == CameraConfig::RadiusUnit::frame_m;
  const Field fov = c.fov_unit == FovUnit::focal     ? Field{&c.fov, "camera.focal", 0.05, 100}
                    : c.fov_unit == FovUnit::fov_deg ? Field{&c.fov, "camera.fov_deg", 0.5, 170}
                                                     : Field{&c.fov, "camera.fov_published_deg", 0.5, 170};
  return {{{&c.yaw_deg, "camera.yaw_deg", -180, 180},
           {&c.pitch_deg, "camera.pitch_deg", -90, 90},
           {&c.roll_deg, "camera.roll_deg", -180, 180},
           fov,
           {&c.radius, frame ? "camera.radius_m.frame_m" : "camera.radius_m", 0.01, 100},
           {&c.lookat_m[0], "camera.lookat_m[0]", -100, 100},
           {&c.lookat_m[1], "camera.lookat_m[1]", -100, 100},
           {&c.lookat_m[2], "camera.lookat_m[2]", -100, 100},
           {&c.center_offset[0], "camera.center_offset[0]", -2, 2},
           {&c.center_offset[1], "camera.center_offset[1]", -2, 2},
           {&c.origin_m[0], "camera.origin_m[0]", -100, 100},
           {&c.origin_m[1], "camera.origin_m[1]", -100, 100},
           {&c.origin_m[2], "camera.origin_m[2]", -100, 100}}};
}

// ---- quantiles -------------------------------------------------------------------------------------------------------------------

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

// Quantile u of the standard normal truncated to [low, high], by bisection: monotone and accurate in both tails.
double truncated_normal(double u, double low, double high) {
  if (low > 0) return -truncated_normal(1 - u, -high, -low);  // erfc keeps its digits in the left tail
  low = std::max(low, -38.0);
  high = std::min(high, 38.0);
  const double from = normal_cdf(low), target = from + u * (normal_cdf(high) - from);
  for (;;) {
    const double middle = 0.5 * (low + high);
    if (middle <= low || middle >= high) return middle;
    (normal_cdf(middle) < target ? low : high) = middle;
  }
}

double quantile(const Field& field, double u) {
  const Distribution& d = *field.distribution;
  switch (d.kind) {
    case Kind::uniform: return d.low + (d.high - d.low) * u;
    case Kind::area_uniform: {
      const double low = std::sin(d.low * kDegree), high = std::sin(d.high * kDegree);
      return std::asin(low + (high - low) * u) / kDegree;
    }
    case Kind::normal: {
      const double low = std::max(d.low, field.low), high = std::min(d.high, field.high);
      const double x = truncated_normal(u, (low - d.mean) / d.std, (high - d.mean) / d.std);
      return std::clamp(d.mean + d.std * x, low, high);
    }
    case Kind::choice: {
      if (d.weights.empty())
        return d.values[std::min(d.values.size() - 1, static_cast<std::size_t>(u * static_cast<double>(d.values.size())))];
      double left = u * std::accumulate(d.weights.begin(), d.weights.end(), 0.0);
      std::size_t last = 0;  // rounding may leave a remainder: it goes to the last value that has a weight
      for (std::size_t i = 0; i < d.values.size(); ++i) {
        if (d.weights[i] == 0) continue;
        last = i;
        if (left < d.weights[i]) break;
        left -= d.weights[i];
      }
      return d.values[last];
    }
    case Kind::constant:
    case Kind::grid: break;
  }
  return d.low;
}

double grid_point(const Distribution& d, std::uint64_t k) {
  return d.count == 1 ? d.low : d.low + (d.high - d.low) * static_cast<double>(k) / (d.count - 1);
}

// ---- checks ----------------------------------------------------------------------------------------------------------------------

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::constant: return "constant";
    case Kind::uniform: return "uniform";
    case Kind::area_uniform: return "area_uniform";
    case Kind::normal: return "normal";
    case Kind::choice: return "choice";
    case Kind::grid: return "grid";
  }
  return "?";
}

std::string range_text(double low, double high) { return concat("[", low, ", ", high, "]"); }

void check_within(double value, const Field& field, const std::string& path) {
  if (!(value >= field.low && value <= field.high)) json_fields::fail(path, "in " + range_text(field.low, field.high), concat(value));
}

void check_ordered(double low, double high, const std::string& path) {
  if (!(low < high))
    json_fields::fail(path, "[low, high] with low < high", range_text(low, high),
                      low > high ? "swap the two numbers" : "write the number alone for a constant");
}

void check_field(const Field& field) {
  const Distribution& d = *field.distribution;
  const std::string path = d.kind == Kind::constant ? field.path : concat(field.path, ".", kind_name(d.kind));
  switch (d.kind) {
    case Kind::constant: check_within(d.low, field, path); break;
    case Kind::area_uniform:
      if (field.path != "camera.pitch_deg")
        throw Error(ErrorCode::invalid_argument, concat(path, " is not possible: area_uniform describes pitch_deg only; use uniform"));
      [[fallthrough]];
    case Kind::uniform:
      check_ordered(d.low, d.high, path);
      check_within(d.low, field, path + "[0]");
      check_within(d.high, field, path + "[1]");
      break;
    case Kind::normal: {
      if (!std::isfinite(d.mean)) json_fields::fail(path + ".mean", "a finite number", concat(d.mean));
      if (!(d.std > 0 && std::isfinite(d.std)))
        json_fields::fail(path + ".std", "> 0", concat(d.std), "write the number alone for a constant");
      check_ordered(d.low, d.high, path + ".clip");
      const double low = (std::max(d.low, field.low) - d.mean) / d.std, high = (std::min(d.high, field.high) - d.mean) / d.std;
      const double kept = low > 0 ? normal_cdf(-low) - normal_cdf(-high) : normal_cdf(high) - normal_cdf(low);
      if (!(kept >= 1e-6))
        json_fields::fail(path,
                          concat("a bell with at least a millionth of its mass inside its clip and ", range_text(field.low, field.high)),
                          concat("mean ", d.mean, ", std ", d.std), "move the mean or widen the clip");
      break;
    }
    case Kind::choice: {
      if (d.values.empty()) json_fields::fail(path, "a list of at least one number", "[]");
      for (std::size_t i = 0; i < d.values.size(); ++i) check_within(d.values[i], field, concat(path, "[", i, "]"));
      if (d.weights.empty()) break;
      const std::string weights = field.path + ".weights";
      if (d.weights.size() != d.values.size())
        json_fields::fail(weights, concat(d.values.size(), " numbers, one per choice"), concat(d.weights.size()));
      double total = 0;
      for (std::size_t i = 0; i < d.weights.size(); ++i) {
        if (!(d.weights[i] >= 0 && std::isfinite(d.weights[i])))
          json_fields::fail(concat(weights, "[", i, "]"), ">= 0", concat(d.weights[i]));
        total += d.weights[i];
      }
      if (!(total > 0 && std::isfinite(total))) json_fields::fail(weights, "numbers with a positive sum", concat("the sum ", total));
      break;
    }
    case Kind::grid:
      if (d.count < 1 || d.count > 1000000) json_fields::fail(path + "[2]", "an integer in [1, 1000000]", concat(d.count));
      if (d.count == 1 && d.low != d.high)
        json_fields::fail(path, "[low, high, n] with n >= 2", concat("[", d.low, ", ", d.high, ", 1]"),
                          "write the number alone for a constant");
      check_within(d.low, field, path + "[0]");
      check_within(d.high, field, path + "[1]");
      break;
  }
}

void check_strata(int strata, const Field& field) {
  const std::string path = "camera.stratify." + field.path.substr(sizeof("camera.") - 1);
  if (strata < 0 || strata > kMaxCells) json_fields::fail(path, concat("an integer in [1, ", kMaxCells, "]"), concat(strata));
  const Kind kind = field.distribution->kind;
  if (strata > 0 && kind != Kind::uniform && kind != Kind::area_uniform && kind != Kind::normal)
    throw Error(ErrorCode::invalid_argument, concat(path, " needs ", field.path, " to be uniform, area_uniform or normal, it is ",
                                                    kind_name(kind), "; give it a range or remove it from stratify"));
}

// ---- reading and writing ---------------------------------------------------------------------------------------------------------

const std::vector<std::string> kKinds = {"uniform", "area_uniform", "normal", "choice", "grid"};
const std::vector<std::string> kFovKeys = {"fov_deg", "fov_published_deg", "focal"};
const std::vector<std::string> kKeys = {"preset", "yaw_deg",  "pitch_deg", "roll_deg",      "fov_deg",  "fov_published_deg",
                                        "focal",  "radius_m", "lookat_m",  "center_offset", "origin_m", "stratify"};

Distribution read_distribution(const Json& value, const std::string& path) {
  using namespace json_fields;
  if (!value.is_object()) {
    if (value.is_array() && value.size() == 2)
      fail(path, "a number or an object such as {\"uniform\": [low, high]}", show(value), concat("write {\"uniform\": ", show(value), "}"));
    if (!value.is_number() && !value.is_string()) fail(path, "a number or an object such as {\"uniform\": [low, high]}", show(value));
    return number(value, path);
  }
  std::string kind;
  for (const auto& [key, ignored] : value.items()) {
    if (key == "weights" && value.contains("choice")) continue;
    if (std::find(kKinds.begin(), kKinds.end(), key) == kKinds.end())
      throw Error(ErrorCode::invalid_argument, concat(path, ".", key, " is not a known distribution; ", suggest(key, kKinds)));
    if (!kind.empty()) fail(path, "one distribution", concat("\"", kind, "\" and \"", key, "\""), "remove one of them");
    kind = key;
  }
  if (kind.empty()) fail(path, "a distribution", "{}", "one of: " + join(kKinds));
  const Json& body = value.at(kind);
  const std::string inner = concat(path, ".", kind);
  const auto at = [&](std::size_t i) { return number(body[i], concat(inner, "[", i, "]")); };
  if (kind == "uniform" || kind == "area_uniform") {
    array(body, inner, 2, "[low, high]");
    return kind == "uniform" ? Distribution::uniform(at(0), at(1)) : Distribution::area_uniform(at(0), at(1));
  }
  if (kind == "grid") {
    array(body, inner, 3, "[low, high, n]");
    return Distribution::grid(at(0), at(1), integer(body[2], inner + "[2]", 1, 1000000));
  }
  if (kind == "choice") {
    array(body, inner, 0, "a list of at least one number");
    std::vector<double> values, weights;
    for (std::size_t i = 0; i < body.size(); ++i) values.push_back(at(i));
    if (value.contains("weights")) {
      const Json& list = array(value.at("weights"), path + ".weights", values.size(), concat(values.size(), " numbers, one per choice"));
      for (std::size_t i = 0; i < list.size(); ++i) weights.push_back(number(list[i], concat(path, ".weights[", i, "]")));
    }
    return Distribution::choice(std::move(values), std::move(weights));
  }
  expect_object(body, inner, {"mean", "std", "clip"});
  for (const char* key : {"mean", "std"})
    if (!body.contains(key)) fail(inner, "{\"mean\", \"std\", \"clip\": [low, high] (optional)}", show(body), concat("add \"", key, "\""));
  double low = -kInfinity, high = kInfinity;
  if (body.contains("clip")) {
    const Json& clip = array(body.at("clip"), inner + ".clip", 2, "[low, high]");
    if (!clip[0].is_null()) low = number(clip[0], inner + ".clip[0]");
    if (!clip[1].is_null()) high = number(clip[1], inner + ".clip[1]");
  }
  return Distribution::normal(number(body.at("mean"), inner + ".mean"), number(body.at("std"), inner + ".std"), low, high);
}

Json write_distribution(const Distribution& d) {
  switch (d.kind) {
    case Kind::constant: return d.low;
    case Kind::uniform: return {{"uniform", {d.low, d.high}}};
    case Kind::area_uniform: return {{"area_uniform", {d.low, d.high}}};
    case Kind::grid: return {{"grid", Json::array({d.low, d.high, d.count})}};
    case Kind::choice: {
      Json out = {{"choice", d.values}};
      if (!d.weights.empty()) out["weights"] = d.weights;
      return out;
    }
    case Kind::normal: {
      Json body = {{"mean", d.mean}, {"std", d.std}};
      if (d.low != -kInfinity || d.high != kInfinity)  // null: open on that side
        body["clip"] = Json::array({std::isfinite(d.low) ? Json(d.low) : Json(), std::isfinite(d.high) ? Json(d.high) : Json()});
      return {{"normal", body}};
    }
  }
  return nullptr;
}

template <std::size_t N>
void read_vector(const Json& object, const char* key, const char* expected, std::array<Distribution, N>& out) {
  if (!object.contains(key)) return;
  const std::string path = concat("camera.", key);
  const Json& list = json_fields::array(object.at(key), path, N, expected);
  for (std::size_t i = 0; i < N; ++i) out[i] = read_distribution(list[i], concat(path, "[", i, "]"));
}

template <std::size_t N>
Json write_vector(const std::array<Distribution, N>& values) {
  Json out = Json::array();
  for (const Distribution& d : values) out.push_back(write_distribution(d));
  return out;
}

// The keys of one object over what `config` already says.
void read_config(const Json& object, CameraConfig& config) {
  using namespace json_fields;
  const auto scalar = [&](const char* key, Distribution& out) {
    if (object.contains(key)) out = read_distribution(object.at(key), concat("camera.", key));
  };
  scalar("yaw_deg", config.yaw_deg);
  scalar("pitch_deg", config.pitch_deg);
  scalar("roll_deg", config.roll_deg);

  const std::string* fov_key = nullptr;
  for (const std::string& key : kFovKeys) {
    if (!object.contains(key)) continue;
    if (fov_key != nullptr)
      fail("camera", "given one of fov_deg, fov_published_deg, focal", concat("\"", *fov_key, "\" and \"", key, "\""),
           "remove one of them");
    fov_key = &key;
    scalar(key.c_str(), config.fov);
    config.fov_unit = static_cast<CameraConfig::FovUnit>(&key - kFovKeys.data());
  }

  if (object.contains("radius_m")) {
    const Json& value = object.at("radius_m");
    const bool frame = value.is_object() && value.contains("frame_m");
    if (frame) expect_object(value, "camera.radius_m", {"frame_m"});
    config.radius_unit = frame ? CameraConfig::RadiusUnit::frame_m : CameraConfig::RadiusUnit::radius_m;
    config.radius = frame ? read_distribution(value.at("frame_m"), "camera.radius_m.frame_m") : read_distribution(value, "camera.radius_m");
  }
  read_vector(object, "lookat_m", "[x, y, z]", config.lookat_m);
  read_vector(object, "center_offset", "[x, y]", config.center_offset);
  read_vector(object, "origin_m", "[x, y, z]", config.origin_m);
  if (object.contains("stratify")) {
    const Json& value = object.at("stratify");
    expect_object(value, "camera.stratify", {"yaw_deg", "pitch_deg"});
    const auto strata = [&](const char* key) {
      return value.contains(key) ? integer(value.at(key), concat("camera.stratify.", key), 1, kMaxCells) : 0;
    };
    config.stratify_yaw = strata("yaw_deg");
    config.stratify_pitch = strata("pitch_deg");
  }
}

}  // namespace

// ---- configs ---------------------------------------------------------------------------------------------------------------------

Distribution Distribution::uniform(double low, double high) {
  Distribution d;
  d.kind = Kind::uniform;
  d.low = low;
  d.high = high;
  return d;
}

Distribution Distribution::area_uniform(double low_deg, double high_deg) {
  Distribution d = uniform(low_deg, high_deg);
  d.kind = Kind::area_uniform;
  return d;
}

Distribution Distribution::normal(double mean, double std, double low, double high) {
  Distribution d = uniform(low, high);
  d.kind = Kind::normal;
  d.mean = mean;
  d.std = std;
  return d;
}

Distribution Distribution::choice(std::vector<double> values, std::vector<double> weights) {
  Distribution d;
  d.kind = Kind::choice;
  d.values = std::move(values);
  d.weights = std::move(weights);
  return d;
}

Distribution Distribution::grid(double low, double high, int count) {
  Distribution d = uniform(low, high);
  d.kind = Kind::grid;
  d.count = count;
  return d;
}

void CameraConfig::validate() const {
  const auto fields = fields_of(*this);
  double product = 1;
  for (const Field& field : fields) {
    check_field(field);
    if (field.distribution->kind == Kind::grid) product *= field.distribution->count;
  }
  check_argument(product < 0x1p48, "camera grids have ", product, " points together, more than a run has images; make them coarser");
  check_strata(stratify_yaw, fields[kYaw]);
  check_strata(stratify_pitch, fields[kPitch]);
  const std::int64_t cells = std::int64_t{std::max(1, stratify_yaw)} * std::max(1, stratify_pitch);
  if (cells > kMaxCells) json_fields::fail("camera.stratify", concat("at most ", kMaxCells, " cells together"), concat(cells));
}

std::string CameraConfig::to_json() const {
  Json out;
  out["yaw_deg"] = write_distribution(yaw_deg);
  out["pitch_deg"] = write_distribution(pitch_deg);
  out["roll_deg"] = write_distribution(roll_deg);
  out[kFovKeys[static_cast<std::size_t>(fov_unit)]] = write_distribution(fov);
  out["radius_m"] = write_distribution(radius);
  if (radius_unit == RadiusUnit::frame_m) out["radius_m"] = Json{{"frame_m", write_distribution(radius)}};
  out["lookat_m"] = write_vector(lookat_m);
  out["center_offset"] = write_vector(center_offset);
  out["origin_m"] = write_vector(origin_m);
  if (stratify_yaw > 0) out["stratify"]["yaw_deg"] = stratify_yaw;
  if (stratify_pitch > 0) out["stratify"]["pitch_deg"] = stratify_pitch;
  return out.dump();
}

CameraConfig CameraConfig::from_json(std::string_view text) {
  const Json json = json_fields::parse(text, "camera config");
  if (json.is_string()) return preset(json.get<std::string>());
  json_fields::expect_object(json, "camera", kKeys);
  CameraConfig config;
  if (json.contains("preset")) {
    const Json& name = json.at("preset");
    if (!name.is_string())
      json_fields::fail("camera.preset", "a name", json_fields::show(name), "one of: " + json_fields::join(preset_names()));
    config = preset(name.get<std::string>());
  }
  read_config(json, config);
  config.validate();
  return config;
}

CameraConfig CameraConfig::preset(std::string_view name) {
  CameraConfig config;
  for (const Preset& preset : kPresets) {
    if (name != preset.name) continue;
    read_config(json_fields::parse(preset.json, preset.name), config);
    return config;
  }
  throw Error(ErrorCode::invalid_argument,
              concat("camera.preset: there is no preset \"", name, "\"; ", json_fields::suggest(name, preset_names())));
}

std::vector<std::string> CameraConfig::preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

// ---- the draw --------------------------------------------------------------------------------------------------------------------

namespace {

// Cell of position i in a permutation of [0, cells) drawn for each block of `cells` positions.
std::uint32_t stratum(std::uint64_t seed, std::uint64_t i, std::uint32_t cells) {
  Random random(seed, i / cells, "camera.stratify");
  std::vector<std::uint32_t> order(cells);
  std::iota(order.begin(), order.end(), 0u);
  const auto position = static_cast<std::uint32_t>(i % cells);
  for (std::uint32_t k = 0; k <= position; ++k) std::swap(order[k], order[k + random.below(cells - k)]);
  return order[position];
}

}  // namespace

CameraSampler::CameraSampler(CameraConfig config) : config_(std::move(config)) { config_.validate(); }

Camera CameraSampler::sample(std::uint64_t seed, std::uint64_t index, ImageSize size, std::uint32_t attempt) const {
  const auto fields = fields_of(config_);
  std::array<double, kSlots> u{}, value{};
  Random random(seed, index, "camera", attempt);
  for (double& x : u) x = random.uniform();

  std::uint64_t rest = index;  // what grids leave of the index drives the strata
  for (int k = 0; k < kSlots; ++k) {
    const Distribution& d = *fields[k].distribution;
    if (d.kind != Kind::grid) continue;
    value[k] = grid_point(d, rest % static_cast<std::uint64_t>(d.count));
    rest /= static_cast<std::uint64_t>(d.count);
  }
  const auto yaw_strata = static_cast<std::uint32_t>(std::max(1, config_.stratify_yaw));
  const auto pitch_strata = static_cast<std::uint32_t>(std::max(1, config_.stratify_pitch));
  if (yaw_strata * pitch_strata > 1) {
    const std::uint32_t cell = stratum(seed, rest, yaw_strata * pitch_strata);
    u[kYaw] = (cell % yaw_strata + u[kYaw]) / yaw_strata;
    u[kPitch] = (cell / yaw_strata + u[kPitch]) / pitch_strata;
  }
  for (int k = 0; k < kSlots; ++k)
    if (fields[k].distribution->kind != Kind::grid) value[k] = quantile(fields[k], u[k]);

  Orbit orbit;
  orbit.yaw_deg = value[kYaw];
  orbit.pitch_deg = value[kPitch];
  orbit.roll_deg = value[kRoll];
  orbit.fov_deg = config_.fov_unit == CameraConfig::FovUnit::focal               ? fov_from_focal(value[kFov])
                  : config_.fov_unit == CameraConfig::FovUnit::fov_published_deg ? fov_from_published(value[kFov])
                                                                                 : value[kFov];
  orbit.radius_m = value[kRadius];
  if (config_.radius_unit == CameraConfig::RadiusUnit::frame_m)
    orbit.radius_m *= focal_from_fov(orbit.fov_deg) * size.width / std::min(size.width, size.height);
  std::copy_n(value.begin() + kLookat, 3, orbit.lookat_m.begin());
  std::copy_n(value.begin() + kOffset, 2, orbit.center_offset.begin());
  std::copy_n(value.begin() + kOrigin, 3, orbit.origin_m.begin());
  return orbit_camera(orbit, size);
}

}  // namespace forge_rt
