// Cameras: geometry by hand-computed values, round trips, and the clip matrix against the rasterizer's pixels.
#include "forge_rt/models/camera_sampler.h"

#include <cmath>

#include "check.h"
#include "forge_rt/ops/rasterize.h"

using namespace forge_rt;

namespace {

Tensor points_of(const std::vector<double>& xyz) { return Tensor::from(xyz, {1, static_cast<std::int64_t>(xyz.size() / 3), 3}); }

std::array<double, 3> pixel_and_depth(const Camera& camera, double x, double y, double z) {
  const Projected p = project(points_of({x, y, z}), {camera});
  return {p.pixels.data<double>()[0], p.pixels.data<double>()[1], p.depth_m.data<double>()[0]};
}

std::string message_of(const char* json) {
  try {
    CameraConfig::from_json(json);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(frontal_axes) {
  Orbit orbit;
  orbit.fov_deg = 2 * std::atan(0.5) * 180 / std::numbers::pi;  // focal = one image width
  orbit.radius_m = 1;
  const Camera camera = orbit_camera(orbit, {200, 400});
  CHECK_NEAR(camera.fx, 400, 1e-9);
  CHECK_NEAR(camera.fy, 400, 1e-9);
  const auto centre = pixel_and_depth(camera, 0, 0, 0);
  CHECK_NEAR(centre[0], 200, 1e-9);
  CHECK_NEAR(centre[1], 100, 1e-9);
  CHECK_NEAR(centre[2], 1, 1e-12);
  const auto left_up_near = pixel_and_depth(camera, 0.1, 0.05, 0.2);  // subject's left is image right; up is a smaller row
  CHECK_NEAR(left_up_near[0], 200 + 400 * 0.1 / 0.8, 1e-9);
  CHECK_NEAR(left_up_near[1], 100 - 400 * 0.05 / 0.8, 1e-9);
  CHECK_NEAR(left_up_near[2], 0.8, 1e-12);
}

TEST(signs_of_yaw_pitch_roll) {
  CHECK(orbit_camera({.yaw_deg = 30}).position_m()[0] > 0);
  CHECK(orbit_camera({.pitch_deg = 30}).position_m()[1] > 0);
  CHECK(pixel_and_depth(orbit_camera({.yaw_deg = 30}), 0, 0, 0.1)[0] < 256);       // the nose moves to the left of the picture
  CHECK(pixel_and_depth(orbit_camera({.pitch_deg = 30}), 0, 0, 0.1)[1] > 256);     // seen from above it moves down
  CHECK(pixel_and_depth(orbit_camera({.roll_deg = 30}), 0, 0.1, 0)[0] < 256);      // the picture turns counter-clockwise
  CHECK(pixel_and_depth(orbit_camera({.center_offset = {0.1, -0.1}}), 0, 0, 0)[0] > 256);
  CHECK(pixel_and_depth(orbit_camera({.center_offset = {0.1, -0.1}}), 0, 0, 0)[1] < 256);
}

TEST(poles_are_finite) {
  for (const double pitch : {-90.0, 90.0}) {
    const Camera camera = orbit_camera({.yaw_deg = 25, .pitch_deg = pitch});
    const Camera near = orbit_camera({.yaw_deg = 25, .pitch_deg = pitch * (1 - 1e-9)});
    for (int i = 0; i < 12; ++i) CHECK_NEAR(camera.world_to_camera[i], near.world_to_camera[i], 1e-7);
  }
}

TEST(look_at_is_the_orbit_in_generator_units) {
  const double h = 1.9, v = 1.2;
  const auto published = look_at_h_v(h, v, {0, 0, 0.2}, 2.7);
  Orbit orbit;
  orbit.yaw_deg = (h - std::numbers::pi / 2) * 180 / std::numbers::pi;
  orbit.pitch_deg = std::asin(1 - 2 * v / std::numbers::pi) * 180 / std::numbers::pi;
  orbit.lookat_m = {0, 0, 0.08};
  const Label25 label = label25(orbit_camera(orbit));
  for (int i = 0; i < 16; ++i) CHECK_NEAR(label[i], published[i], 1e-12);
}

TEST(label_round_trip) {
  const GeneratorWorld world{2.5, {0.01, -0.025, 0.116}};
  const Camera camera = orbit_camera(
      {.yaw_deg = -40, .pitch_deg = 20, .roll_deg = 12, .fov_deg = 17, .radius_m = 0.9, .center_offset = {0.03, -0.1}}, {300, 500});
  const Camera back = camera_from_label25(label25(camera, world), camera.size, world);
  for (int i = 0; i < 12; ++i) CHECK_NEAR(back.world_to_camera[i], camera.world_to_camera[i], 1e-12);
  CHECK_NEAR(back.fx, camera.fx, 1e-9);
  CHECK_NEAR(back.cy, camera.cy, 1e-9);
  CHECK_NEAR(back.orbit.roll_deg, 12, 1e-9);
}

TEST(fields_of_view) {
  CHECK_NEAR(focal_from_published_fov(18.837), 4.2634, 1e-4);
  CHECK_NEAR(fov_from_published(18.837), 13.38, 5e-3);
  CHECK_NEAR(published_fov_from_focal(focal_from_published_fov(21)), 21, 1e-12);
  CHECK_NEAR(fov_from_focal(4.2647), kFrontalFovDeg, 1e-12);
  const double scale = focal_from_fov(fov_from_published(18)) / focal_from_fov(fov_from_published(18, FovMode::compat));
  CHECK_NEAR(1 / scale, 1.0039, 1e-4);  // compat draws 0.39 % larger at 18 published degrees
  CHECK_THROWS(focal_from_fov(0), invalid_argument);
  CHECK_THROWS(focal_from_fov(180), invalid_argument);
}

TEST(rasterizer_draws_what_projection_says) {
  // A camera-facing triangle per probed point: its centre pixel must be the one that contains the projection.
  const Camera camera = orbit_camera({.yaw_deg = 35, .pitch_deg = -15, .roll_deg = 20, .center_offset = {0.1, -0.05}}, {96, 160});
  const auto pose = camera.camera_to_world();
  RasterizeOptions options;
  options.size = camera.size;
  options.cull = Cull::none;
  for (const std::array<double, 3>& p : {std::array<double, 3>{0, 0, 0}, {0.05, 0.03, 0.06}, {-0.04, -0.03, 0.02}}) {
    std::vector<float> triangle;
    const double half = 0.7 * camera.orbit.radius_m / camera.fx;  // about a pixel wide
    for (const auto& [dx, dy] : {std::pair{-half, -half}, {half, -half}, {0.0, half}})
      for (int i = 0; i < 3; ++i) triangle.push_back(static_cast<float>(p[i] + dx * pose[4 * i] + dy * pose[4 * i + 1]));
    const Tensor clip = to_clip(Tensor::from(triangle, {1, 3, 3}), {camera});
    RasterMesh mesh;
    mesh.triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2}, {1, 3});
    const RasterOutput drawn = rasterize(clip, mesh, options);
    const auto expected = pixel_and_depth(camera, p[0], p[1], p[2]);
    int covered = 0;
    for (int row = 0; row < 96; ++row)
      for (int column = 0; column < 160; ++column)
        if (drawn.face.data<std::int32_t>()[row * 160 + column] == 0) {
          ++covered;
          CHECK_NEAR(column + 0.5, expected[0], 1);
          CHECK_NEAR(row + 0.5, expected[1], 1);
          CHECK_NEAR(drawn.depth.data<float>()[row * 160 + column], expected[2], 1e-5);
        }
    CHECK(covered >= 1);
  }
}

TEST(batching) {
  const Camera a = orbit_camera({.yaw_deg = 10}), b = orbit_camera({.yaw_deg = -10});
  const Tensor mesh = points_of({0.1, 0, 0, 0, 0.1, 0});
  CHECK(to_clip(mesh, {a, b}).shape() == (Shape{2, 2, 4}));
  CHECK_THROWS(to_clip(Tensor::zeros({3, 2, 3}, DType::f32), {a, b}), invalid_argument);
  CHECK(to_clip(Tensor::zeros({3, 0, 3}, DType::f32), {a}).shape() == (Shape{3, 0, 4}));
  const Tensor one = project(mesh, {b}).pixels, two = project(mesh, {a, b}).pixels;
  for (int i = 0; i < 4; ++i) CHECK(one.data<double>()[i] == two.data<double>()[4 + i]);
}

TEST(behind_the_camera) {
  const auto p = pixel_and_depth(orbit_camera({}), 0, 0, 2);
  CHECK(std::isnan(p[0]) && std::isnan(p[1]));
  CHECK_NEAR(p[2], -0.92, 1e-12);
}

TEST(sampler_depends_on_seed_and_index_only) {
  const CameraSampler sampler(CameraConfig::preset("wild"));
  const Camera first = sampler.sample(7, 100);
  sampler.sample(7, 3);
  CHECK(first == sampler.sample(7, 100));
  CHECK(!(first == sampler.sample(7, 101)));
  CHECK(!(first == sampler.sample(8, 100)));
  CHECK(!(first == sampler.sample(7, 100, {}, 1)));
}

TEST(config_round_trip) {
  CameraConfig config;
  config.yaw_deg = Distribution::uniform(-30, 30);
  config.pitch_deg = Distribution::area_uniform(-20, 0.1);
  config.roll_deg = Distribution::normal(0, 5, -10);
  config.fov = Distribution::choice({18, 24}, {1, 2});
  config.fov_unit = CameraConfig::FovUnit::fov_published_deg;
  config.radius = Distribution::grid(0.3, 0.5, 3);
  config.radius_unit = CameraConfig::RadiusUnit::frame_m;
  config.stratify_yaw = 4;
  CHECK(CameraConfig::from_json(config.to_json()) == config);
  for (const std::string& name : CameraConfig::preset_names()) {
    const CameraConfig preset = CameraConfig::preset(name);
    CHECK(CameraConfig::from_json(preset.to_json()) == preset);
  }
}

TEST(errors_of_configs) {
  CHECK_THROWS(CameraConfig::from_json("{"), invalid_argument);
  CHECK(message_of(R"({"yaw": 3})") == "camera.yaw is not a known key; did you mean \"yaw_deg\"?");
  CHECK(message_of(R"({"yaw_deg": {"uniform": [30, -30]}})") ==
        "camera.yaw_deg.uniform must be [low, high] with low < high, got [30, -30]; swap the two numbers");
  CameraConfig config;
  config.pitch_deg = 120.0;
  CHECK_THROWS(config.validate(), invalid_argument);
}
