#include "forge_rt/ops/neural_views.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace forge_rt {

Tensor orthographic_view(const Tensor& points, std::array<float, 3> pitch_yaw_roll_deg, float scale, std::array<float, 3> shift) {
  expect(points, "points", "[B, N, 3]", DType::f32, {kAny, kAny, 3});
  check_argument(points.device().is_cpu(), "orthographic_view works on the CPU, got ", points.str());
  // Quirk: the published model takes sine and cosine of a float32 angle, so cos 90° is -4.4e-8, not 0.
  const auto radians = [&](int i) { return static_cast<float>(double{pitch_yaw_roll_deg[i]} * std::numbers::pi / 180.0); };
  const auto sine = [&](int i) { return std::sin(radians(i)); };
  const auto cosine = [&](int i) { return std::cos(radians(i)); };
  const float sx = sine(0), sy = sine(1), sz = sine(2), cx = cosine(0), cy = cosine(1), cz = cosine(2);
  const float r[3][3] = {{cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx},
                         {sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx},
                         {-sy, cy * sx, cy * cx}};
  Tensor out = Tensor::empty(points.shape(), DType::f32, {}, "view points");
  const float* p = points.data<float>();
  float* q = out.mutable_data<float>();
  for (std::int64_t i = 0; i < points.count(); i += 3) {
    const float v[3] = {p[i], -p[i + 1], p[i + 2]};
    float t[3];
    for (int k = 0; k < 3; ++k) t[k] = ((v[0] * r[0][k] + v[1] * r[1][k] + v[2] * r[2][k]) + shift[k]) * scale;
    q[i] = t[0];
    q[i + 1] = -t[1];
    q[i + 2] = -t[2] + 10.f;
  }
  return out;
}

Tensor fill_enclosed(const Tensor& alpha) {
  check_argument(alpha.defined() && alpha.dtype() == DType::f32 && (alpha.rank() == 3 || (alpha.rank() == 4 && alpha.size(1) == 1)),
                 "alpha must be [B, 1, H, W] or [B, H, W] float32, got ", alpha.str());
  check_argument(alpha.is_contiguous() && alpha.device().is_cpu(), "alpha must be contiguous and on the CPU");
  const std::int64_t batch = alpha.size(0), height = alpha.size(-2), width = alpha.size(-1), pixels = height * width;
  Tensor out = alpha.clone();
  if (out.count() == 0) return out;
  std::vector<std::uint8_t> reached(static_cast<std::size_t>(pixels));
  std::vector<std::int64_t> stack;
  for (std::int64_t b = 0; b < batch; ++b) {
    const float* a = alpha.data<float>() + b * pixels;
    const float seed = 255.f * a[0];
    const auto passes = [&](std::int64_t i) { return 255.f * a[i] >= seed && 255.f * a[i] <= seed + 254.f; };
    std::fill(reached.begin(), reached.end(), 0);
    stack.assign(1, 0);
    reached[0] = 1;
    while (!stack.empty()) {
      const std::int64_t i = stack.back(), row = i / width, column = i % width;
      stack.pop_back();
      const auto visit = [&](std::int64_t j) {
        if (reached[j] || !passes(j)) return;
        reached[j] = 1;
        stack.push_back(j);
      };
      if (row > 0) visit(i - width);
      if (row + 1 < height) visit(i + width);
      if (column > 0) visit(i - 1);
      if (column + 1 < width) visit(i + 1);
    }
    float* o = out.mutable_data<float>() + b * pixels;
    for (std::int64_t i = 0; i < pixels; ++i)
      if (!reached[i]) o[i] = 1.f;
  }
  return out;
}

Tensor mouth_box(const Tensor& landmarks, int size) {
  expect(landmarks, "landmarks", "[B, 68, 2]", DType::f32, {kAny, 68, 2});
  Tensor out = Tensor::empty({landmarks.size(0), 4}, DType::i64, {}, "mouth box");
  for (std::int64_t b = 0; b < landmarks.size(0); ++b) {
    const float* p = landmarks.data<float>() + b * 68 * 2;
    float low[2] = {p[96], p[97]}, high[2] = {p[96], p[97]};
    for (int l = 48; l < 60; ++l)
      for (int axis = 0; axis < 2; ++axis) {
        low[axis] = std::min(low[axis], p[2 * l + axis]);
        high[axis] = std::max(high[axis], p[2 * l + axis]);
      }
    bool finite = true;
    for (int l = 48; l < 60; ++l) finite = finite && std::fabs(p[2 * l]) < 1e8f && std::fabs(p[2 * l + 1]) < 1e8f;  // false for NaN
    check_argument(finite, "the lips of image ", b, " are not finite or far outside the view");
    const int extent = static_cast<int>(1.2f * std::max(high[0] - low[0], high[1] - low[1]));
    const int half = extent / 2;
    const float centre[2] = {(p[2 * 48] + p[2 * 54]) / 2.f, (p[2 * 48 + 1] + p[2 * 54 + 1]) / 2.f};
    std::int64_t* box = out.mutable_data<std::int64_t>() + 4 * b;
    for (int axis = 0; axis < 2; ++axis) {  // rows from y, then columns from x
      box[2 * axis] = static_cast<std::int64_t>(centre[1 - axis] - static_cast<float>(half));
      box[2 * axis + 1] = static_cast<std::int64_t>(centre[1 - axis] + static_cast<float>(half));
      check_argument(box[2 * axis] >= 0 && box[2 * axis + 1] <= size, "the mouth of image ", b,
                     " lies outside the view: ", axis == 0 ? "rows " : "columns ", box[2 * axis], "..", box[2 * axis + 1], " of 0..", size,
                     "; check that the landmarks are in the head frame, in metres");
    }
  }
  return out;
}

}  // namespace forge_rt
