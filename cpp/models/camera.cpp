// Camera geometry, published conversions, projection.
#include "forge_rt/models/camera.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace forge_rt {
namespace {

using Vec3 = std::array<double, 3>;

constexpr double kDegree = std::numbers::pi / 180;

Vec3 operator+(const Vec3& a, const Vec3& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }
Vec3 operator-(const Vec3& a, const Vec3& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }
Vec3 operator*(double s, const Vec3& a) { return {s * a[0], s * a[1], s * a[2]}; }
double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }
double norm(const Vec3& a) { return std::sqrt(dot(a, a)); }
Vec3 cross(const Vec3& a, const Vec3& b) { return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]}; }

void check_finite(double value, const char* name) { check_argument(std::isfinite(value), "camera ", name, " must be finite, got ", value); }

void check_size(ImageSize size) {
  check_argument(size.height >= 1 && size.width >= 1 && size.height <= 32768 && size.width <= 32768,
                 "camera image size must be 1..32768 pixels each way, got ", size.height, " x ", size.width, " (height x width)");
}

// Below this sine of the angle between the view direction and +y, "up" is undefined.
constexpr double kPole = 1e-9;

struct Axes {
  Vec3 right, down, forward;
};

// The published look-at rule: right = -normalise(up x forward), down = normalise(forward x right).
Axes level_axes(const Vec3& forward, const Vec3& right_at_pole) {
  const Vec3 side = cross({0, 1, 0}, forward);
  const double length = norm(side);
  const Vec3 right = length > kPole ? (-1 / length) * side : right_at_pole;
  const Vec3 down = cross(forward, right);
  return {right, (1 / norm(down)) * down, forward};
}

Vec3 right_of_meridian(double yaw_deg) { return {std::cos(yaw_deg * kDegree), 0, -std::sin(yaw_deg * kDegree)}; }

std::array<double, 12> matrix_from_axes(const Axes& axes, const Vec3& position) {
  std::array<double, 12> m{};
  const Vec3* const rows[3] = {&axes.right, &axes.down, &axes.forward};
  for (int i = 0; i < 3; ++i) {
    std::copy(rows[i]->begin(), rows[i]->end(), m.begin() + 4 * i);
    m[4 * i + 3] = -dot(*rows[i], position);
  }
  return m;
}

// Inverse of [A | t]: [A^-1 | -A^-1 t]. General, because float32 labels are rotations only to seven digits.
std::array<double, 12> invert_affine(const std::array<double, 12>& m) {
  const Vec3 r0{m[0], m[1], m[2]}, r1{m[4], m[5], m[6]}, r2{m[8], m[9], m[10]}, t{m[3], m[7], m[11]};
  const Vec3 c0 = cross(r1, r2), c1 = cross(r2, r0), c2 = cross(r0, r1);
  const double scale = 1 / dot(r0, c0);
  std::array<double, 12> out{};
  for (int i = 0; i < 3; ++i) {
    const Vec3 row{scale * c0[i], scale * c1[i], scale * c2[i]};
    std::copy(row.begin(), row.end(), out.begin() + 4 * i);
    out[4 * i + 3] = -dot(row, t);
  }
  return out;
}

void check_rotation(const std::array<double, 12>& m, const char* name) {
  for (const double value : m) check_finite(value, name);
  const Vec3 rows[3] = {{m[0], m[1], m[2]}, {m[4], m[5], m[6]}, {m[8], m[9], m[10]}};
  double worst = std::abs(dot(rows[0], cross(rows[1], rows[2])) - 1);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) worst = std::max(worst, std::abs(dot(rows[i], rows[j]) - (i == j ? 1 : 0)));
  check_argument(worst <= 1e-3, "the 3x3 part of ", name, " must be a rotation (determinant +1, no scale), it is off by ", worst,
                 "; OpenGL cameras need their y and z axes negated first");
}

Vec3 transform(const std::array<double, 12>& m, double x, double y, double z) {
  return {m[0] * x + m[1] * y + m[2] * z + m[3], m[4] * x + m[5] * y + m[6] * z + m[7], m[8] * x + m[9] * y + m[10] * z + m[11]};
}

// Batch size of points against cameras: equal, or one of them is 1.
std::int64_t batch_of(std::int64_t points, const std::vector<Camera>& cameras) {
  const auto count = static_cast<std::int64_t>(cameras.size());
  check_argument(points == count || points == 1 || count == 1, "points and cameras must have the same batch, or one of them 1, got ",
                 points, " and ", count);
  return points == 1 ? count : points;
}

void expect_points(const Tensor& tensor, const char* name, const char* axes, std::initializer_list<std::int64_t> shape) {
  const bool is_double = tensor.defined() && tensor.dtype() == DType::f64;
  expect(tensor, name, axes, is_double ? DType::f64 : DType::f32, shape);
  check(tensor.device().is_cpu(), ErrorCode::unsupported, name, " must be on the CPU, got ", tensor.str(),
        "; on a GPU multiply by clip_matrix() instead");
}

template <class T>
Tensor clip_points(const Tensor& points, const std::vector<Camera>& cameras, double near_m) {
  const std::int64_t batch = batch_of(points.size(0), cameras), count = points.size(1);
  Tensor out = Tensor::empty({batch, count, 4}, DType::f32, {}, "clip positions");
  for (std::int64_t b = 0; b < batch; ++b) {
    const auto m = clip_matrix(cameras[cameras.size() == 1 ? 0 : b], near_m);
    const T* p = points.data<T>() + (points.size(0) == 1 ? 0 : b) * count * 3;
    float* q = out.mutable_data<float>() + b * count * 4;
    for (std::int64_t v = 0; v < count; ++v)
      for (int i = 0; i < 4; ++i)
        q[4 * v + i] = static_cast<float>(m[4 * i] * p[3 * v] + m[4 * i + 1] * p[3 * v + 1] + m[4 * i + 2] * p[3 * v + 2] + m[4 * i + 3]);
  }
  return out;
}

template <class T>
Projected project_points(const Tensor& points, const std::vector<Camera>& cameras) {
  const std::int64_t batch = batch_of(points.size(0), cameras), count = points.size(1);
  Projected out{Tensor::empty({batch, count, 2}, points.dtype(), {}, "projection"),
                Tensor::empty({batch, count}, points.dtype(), {}, "projection")};
  for (std::int64_t b = 0; b < batch; ++b) {
    const Camera& camera = cameras[cameras.size() == 1 ? 0 : b];
    const T* p = points.data<T>() + (points.size(0) == 1 ? 0 : b) * count * 3;
    T* pixel = out.pixels.mutable_data<T>() + b * count * 2;
    T* depth = out.depth_m.mutable_data<T>() + b * count;
    for (std::int64_t v = 0; v < count; ++v) {
      const Vec3 q = transform(camera.world_to_camera, p[3 * v], p[3 * v + 1], p[3 * v + 2]);
      const double inverse_z = q[2] > 0 ? 1 / q[2] : std::numeric_limits<double>::quiet_NaN();
      pixel[2 * v] = static_cast<T>(camera.fx * q[0] * inverse_z + camera.cx);
      pixel[2 * v + 1] = static_cast<T>(camera.fy * q[1] * inverse_z + camera.cy);
      depth[v] = static_cast<T>(q[2]);
    }
  }
  return out;
}

template <class T>
Tensor unproject_pixels(const Tensor& pixels, const Tensor& depth_m, const std::vector<Camera>& cameras) {
  const std::int64_t batch = batch_of(pixels.size(0), cameras), count = pixels.size(1);
  Tensor out = Tensor::empty({batch, count, 3}, pixels.dtype(), {}, "projection");
  for (std::int64_t b = 0; b < batch; ++b) {
    const Camera& camera = cameras[cameras.size() == 1 ? 0 : b];
    const auto inverse = invert_affine(camera.world_to_camera);
    const std::int64_t row = pixels.size(0) == 1 ? 0 : b;
    const T* pixel = pixels.data<T>() + row * count * 2;
    const T* depth = depth_m.data<T>() + row * count;
    T* p = out.mutable_data<T>() + b * count * 3;
    for (std::int64_t v = 0; v < count; ++v) {
      const double z = depth[v];
      const Vec3 q = transform(inverse, (pixel[2 * v] - camera.cx) / camera.fx * z, (pixel[2 * v + 1] - camera.cy) / camera.fy * z, z);
      for (int i = 0; i < 3; ++i) p[3 * v + i] = static_cast<T>(q[i]);
    }
  }
  return out;
}

}  // namespace

// ---- cameras ---------------------------------------------------------------------------------------------------------------------

std::array<double, 16> Camera::camera_to_world() const {
  const auto inverse = invert_affine(world_to_camera);
  std::array<double, 16> out{};
  std::copy(inverse.begin(), inverse.end(), out.begin());
  out[15] = 1;
  return out;
}

std::array<double, 3> Camera::position_m() const {
  const auto inverse = invert_affine(world_to_camera);
  return {inverse[3], inverse[7], inverse[11]};
}

Camera orbit_camera(const Orbit& orbit, ImageSize size) {
  check_size(size);
  check_finite(orbit.yaw_deg, "yaw_deg");
  check_finite(orbit.roll_deg, "roll_deg");
  check_argument(orbit.pitch_deg >= -90 && orbit.pitch_deg <= 90, "camera pitch_deg must be in [-90, 90], got ", orbit.pitch_deg);
  check_argument(orbit.radius_m > 0 && std::isfinite(orbit.radius_m), "camera radius_m must be > 0, got ", orbit.radius_m);
  for (int i = 0; i < 3; ++i) {
    check_finite(orbit.origin_m[i], "origin_m");
    check_finite(orbit.lookat_m[i], "lookat_m");
  }
  for (const double offset : orbit.center_offset) check_finite(offset, "center_offset");

  const double yaw = orbit.yaw_deg * kDegree, pitch = orbit.pitch_deg * kDegree, roll = orbit.roll_deg * kDegree;
  const Vec3 arm = orbit.radius_m * Vec3{std::sin(yaw) * std::cos(pitch), std::sin(pitch), std::cos(yaw) * std::cos(pitch)};
  const Vec3 view = orbit.lookat_m - arm;
  check_argument(norm(view) > 1e-6, "the camera stands on the point it looks at; make radius_m larger than |lookat_m|, got radius_m ",
                 orbit.radius_m);
  const Axes level = level_axes((1 / norm(view)) * view, right_of_meridian(orbit.yaw_deg));
  const Axes rolled{std::cos(roll) * level.right + std::sin(roll) * level.down, std::cos(roll) * level.down - std::sin(roll) * level.right,
                    level.forward};

  Camera camera;
  camera.size = size;
  camera.fx = camera.fy = focal_from_fov(orbit.fov_deg) * size.width;
  camera.cx = (0.5 + orbit.center_offset[0]) * size.width;
  camera.cy = (0.5 + orbit.center_offset[1]) * size.height;
  camera.world_to_camera = matrix_from_axes(rolled, orbit.origin_m + arm);
  camera.orbit = orbit;
  return camera;
}

Camera camera_from_matrix(ImageSize size, double fx, double fy, double cx, double cy, const std::array<double, 12>& world_to_camera,
                          const std::array<double, 3>& origin_m) {
  check_size(size);
  check_argument(fx > 0 && fy > 0 && std::isfinite(fx) && std::isfinite(fy), "camera focal lengths must be > 0 pixels, got fx ", fx,
                 ", fy ", fy);
  check_finite(cx, "cx");
  check_finite(cy, "cy");
  check_rotation(world_to_camera, "world_to_camera");

  Camera camera;
  camera.size = size;
  camera.fx = fx;
  camera.fy = fy;
  camera.cx = cx;
  camera.cy = cy;
  camera.world_to_camera = world_to_camera;

  const auto& m = world_to_camera;
  const Vec3 right{m[0], m[1], m[2]}, axis{m[8], m[9], m[10]};
  const Vec3 forward = (1 / norm(axis)) * axis;
  const Vec3 arm = camera.position_m() - origin_m;
  Orbit& orbit = camera.orbit;
  orbit.origin_m = origin_m;
  orbit.radius_m = norm(arm);
  if (orbit.radius_m > 0) {
    orbit.pitch_deg = std::asin(std::clamp(arm[1] / orbit.radius_m, -1.0, 1.0)) / kDegree;
    orbit.yaw_deg = std::hypot(arm[0], arm[2]) > kPole * orbit.radius_m ? std::atan2(arm[0], arm[2]) / kDegree : 0;
  }
  const Axes level = level_axes(forward, right_of_meridian(orbit.yaw_deg));
  orbit.roll_deg = std::atan2(dot(right, level.down), dot(right, level.right)) / kDegree;
  orbit.lookat_m = arm - dot(arm, forward) * forward;
  orbit.fov_deg = fov_from_focal(fx / size.width);
  orbit.center_offset = {cx / size.width - 0.5, cy / size.height - 0.5};
  return camera;
}

Camera with_fov(const Camera& camera, double fov_deg) {
  Camera out = camera;
  const double fx = focal_from_fov(fov_deg) * camera.size.width;
  out.fy = camera.fy * (fx / camera.fx);
  out.fx = fx;
  out.orbit.fov_deg = fov_deg;
  return out;
}

// ---- fields of view --------------------------------------------------------------------------------------------------------------

double focal_from_fov(double fov_deg) {
  check_argument(fov_deg > 0 && fov_deg < 180, "camera fov_deg must be in (0, 180) degrees, got ", fov_deg);
  return 0.5 / std::tan(fov_deg * kDegree / 2);
}

double fov_from_focal(double focal) {
  check_argument(focal > 0 && std::isfinite(focal), "focal must be > 0 image widths, got ", focal);
  return 2 * std::atan(0.5 / focal) / kDegree;
}

double focal_from_published_fov(double published_fov_deg) {
  check_argument(published_fov_deg > 0 && published_fov_deg < 180, "a published fov must be in (0, 180) degrees, got ", published_fov_deg);
  return 1 / (std::tan(published_fov_deg * 3.14159 / 360) * 1.414);
}

double published_fov_from_focal(double focal) {
  check_argument(focal > 0 && std::isfinite(focal), "focal must be > 0 image widths, got ", focal);
  return std::atan(1 / (focal * 1.414)) * 360 / 3.14159;
}

double fov_from_published(double published_fov_deg, FovMode mode) {
  const double focal = focal_from_published_fov(published_fov_deg);  // checks the range for both
  return mode == FovMode::exact ? fov_from_focal(focal) : published_fov_deg / 1.414;
}

Camera with_fov_mode(const Camera& camera, FovMode mode) {
  if (mode == FovMode::exact) return camera;
  return with_fov(camera, fov_from_published(published_fov_from_focal(camera.fx / camera.size.width), mode));
}

// ---- published samplers ----------------------------------------------------------------------------------------------------------

std::array<double, 16> look_at_h_v(double h, double v, const std::array<double, 3>& lookat, double radius) {
  check_finite(h, "h");
  check_finite(v, "v");
  check_argument(radius > 0 && std::isfinite(radius), "camera radius must be > 0, got ", radius);
  for (const double value : lookat) check_finite(value, "lookat");
  v = std::clamp(v, 1e-5, std::numbers::pi - 1e-5);
  const double phi = std::acos(1 - 2 * v / std::numbers::pi);
  const Vec3 origin =
      radius * Vec3{std::sin(phi) * std::cos(std::numbers::pi - h), std::cos(phi), std::sin(phi) * std::sin(std::numbers::pi - h)};
  const Vec3 view = lookat - origin;
  check_argument(norm(view) > 1e-9, "the camera stands on the point it looks at (radius ", radius, "); move lookat");
  const Axes axes = level_axes((1 / norm(view)) * view, {std::sin(h), 0, std::cos(h)});
  std::array<double, 16> m{};
  for (int i = 0; i < 3; ++i) {
    m[4 * i] = axes.right[i];
    m[4 * i + 1] = axes.down[i];
    m[4 * i + 2] = axes.forward[i];
    m[4 * i + 3] = origin[i];
  }
  m[15] = 1;
  return m;
}

std::array<double, 16> sample_gaussian(const PublishedPose& pose, double normal_h, double normal_v) {
  return look_at_h_v(pose.h_mean + normal_h * pose.h_std, pose.v_mean + normal_v * pose.v_std, pose.lookat, pose.radius);
}

std::array<double, 16> sample_uniform(const PublishedPose& pose, double uniform_h, double uniform_v) {
  return sample_gaussian(pose, 2 * uniform_h - 1, 2 * uniform_v - 1);
}

std::array<double, 16> sample_gaussian(const PublishedPose& pose, Random& random) {
  const double normal_h = random.normal();
  return sample_gaussian(pose, normal_h, random.normal());
}

std::array<double, 16> sample_uniform(const PublishedPose& pose, Random& random) {
  const double uniform_h = random.uniform();
  return sample_uniform(pose, uniform_h, random.uniform());
}

// ---- labels ----------------------------------------------------------------------------------------------------------------------

Label25 label25(const Camera& camera, const GeneratorWorld& world) {
  check_argument(world.scale > 0, "the generator world's scale must be > 0, got ", world.scale);
  const auto pose = camera.camera_to_world();
  Label25 label{};
  std::copy(pose.begin(), pose.end(), label.begin());
  for (int i = 0; i < 3; ++i) label[4 * i + 3] = world.scale * pose[4 * i + 3] + world.shift[i];
  label[16] = camera.fx / camera.size.width;
  label[18] = camera.cx / camera.size.width;
  label[20] = camera.fy / camera.size.height;
  label[21] = camera.cy / camera.size.height;
  label[24] = 1;
  return label;
}

Camera camera_from_label25(const Label25& label, ImageSize size, const GeneratorWorld& world) {
  check_argument(world.scale > 0, "the generator world's scale must be > 0, got ", world.scale);
  std::array<double, 12> pose{};
  std::copy_n(label.begin(), 12, pose.begin());
  check_rotation(pose, "a camera label");
  check_argument(std::abs(label[12]) + std::abs(label[13]) + std::abs(label[14]) + std::abs(label[15] - 1) < 1e-6,
                 "values 12..15 of a camera label must be (0, 0, 0, 1), got (", label[12], ", ", label[13], ", ", label[14], ", ",
                 label[15], "); a label is 16 row-major cam2world numbers, then 9 intrinsics");
  check_argument(std::abs(label[17]) + std::abs(label[19]) + std::abs(label[22]) + std::abs(label[23]) + std::abs(label[24] - 1) < 1e-6,
                 "intrinsics of a camera label must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]; skew is not supported");
  Vec3 origin{};
  for (int i = 0; i < 3; ++i) {
    pose[4 * i + 3] = (pose[4 * i + 3] - world.shift[i]) / world.scale;
    origin[i] = -world.shift[i] / world.scale;
  }
  return camera_from_matrix(size, label[16] * size.width, label[20] * size.height, label[18] * size.width, label[21] * size.height,
                            invert_affine(pose), origin);
}

// ---- projection ------------------------------------------------------------------------------------------------------------------

std::array<double, 16> clip_matrix(const Camera& camera, double near_m) {
  check_size(camera.size);
  check_argument(near_m > 0 && std::isfinite(near_m), "near_m must be > 0, got ", near_m);
  const double* x = camera.world_to_camera.data();
  const double *y = x + 4, *z = x + 8;
  const double sx = 2 * camera.fx / camera.size.width, ox = 2 * camera.cx / camera.size.width - 1;
  const double sy = 2 * camera.fy / camera.size.height, oy = 2 * camera.cy / camera.size.height - 1;
  std::array<double, 16> m{};
  for (int k = 0; k < 4; ++k) {
    m[k] = sx * x[k] + ox * z[k];
    m[4 + k] = -(sy * y[k] + oy * z[k]);
    m[8 + k] = z[k] - (k == 3 ? near_m : 0);
    m[12 + k] = z[k];
  }
  return m;
}

Tensor to_clip(const Tensor& points, const std::vector<Camera>& cameras, double near_m) {
  expect_points(points, "points", "[B, V, 3]", {kAny, kAny, 3});
  return points.dtype() == DType::f64 ? clip_points<double>(points, cameras, near_m) : clip_points<float>(points, cameras, near_m);
}

Projected project(const Tensor& points, const std::vector<Camera>& cameras) {
  expect_points(points, "points", "[B, V, 3]", {kAny, kAny, 3});
  return points.dtype() == DType::f64 ? project_points<double>(points, cameras) : project_points<float>(points, cameras);
}

Tensor unproject(const Tensor& pixels, const Tensor& depth_m, const std::vector<Camera>& cameras) {
  expect_points(pixels, "pixels", "[B, V, 2]", {kAny, kAny, 2});
  expect(depth_m, "depth_m", "[B, V], the dtype of pixels", pixels.dtype(), {pixels.size(0), pixels.size(1)});
  return pixels.dtype() == DType::f64 ? unproject_pixels<double>(pixels, depth_m, cameras)
                                      : unproject_pixels<float>(pixels, depth_m, cameras);
}

}  // namespace forge_rt
