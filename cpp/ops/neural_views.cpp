// orthographic_view: check inputs, dispatch, with its scalar implementation (a few values per vertex: nothing to gain from SIMD).
// mouth_box: on the CPU.
#include "forge_rt/ops/neural_views.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "forge_rt/core/thread_pool.h"
#include "neural_views_table.h"

namespace forge_rt {
namespace views {

OpTable<ViewFn>& view_table() {
  static OpTable<ViewFn> table{"orthographic_view"};
  return table;
}

namespace {

void view_scalar(const ViewArgs& a, Stream) {
  parallel_for_ranges(a.count, 8192, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) view_point(a, i);
  });
}

const Register<ViewFn> registered(view_table().scalar, view_scalar);

Tensor view(const Tensor& points, std::array<float, 3> pitch_yaw_roll_deg, float scale, std::array<float, 3> shift, bool clip,
            Stream stream) {
  expect(points, "points", "[B, N, 3]", DType::f32, {kAny, kAny, 3});
  // Quirk: the published model takes sine and cosine of a float32 angle, so cos 90° is -4.4e-8, not 0.
  const auto radians = [&](int i) { return static_cast<float>(double{pitch_yaw_roll_deg[i]} * std::numbers::pi / 180.0); };
  const auto sine = [&](int i) { return std::sin(radians(i)); };
  const auto cosine = [&](int i) { return std::cos(radians(i)); };
  const float sx = sine(0), sy = sine(1), sz = sine(2), cx = cosine(0), cy = cosine(1), cz = cosine(2);
  Tensor out = Tensor::empty({points.size(0), points.size(1), clip ? 4 : 3}, DType::f32, points.device(), "view points");
  if (out.count() == 0) return out;
  const ViewArgs args{points.data<float>(),
                      out.mutable_data<float>(),
                      points.size(0) * points.size(1),
                      {{cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx},
                       {sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx},
                       {-sy, cy * sx, cy * cx}},
                      {shift[0], shift[1], shift[2]},
                      scale,
                      clip};
  view_table().select(points.device())(args, stream);
  return out;
}

}  // namespace
}  // namespace views

Tensor orthographic_view(const Tensor& points, std::array<float, 3> pitch_yaw_roll_deg, float scale, std::array<float, 3> shift,
                         Stream stream) {
  return views::view(points, pitch_yaw_roll_deg, scale, shift, false, stream);
}

Tensor orthographic_positions(const Tensor& points, std::array<float, 3> pitch_yaw_roll_deg, float scale, std::array<float, 3> shift,
                              Stream stream) {
  return views::view(points, pitch_yaw_roll_deg, scale, shift, true, stream);
}

Tensor mouth_box(const Tensor& landmarks, int size, bool may_leave) {
  expect(landmarks, "landmarks", "[B, 68, 2]", DType::f32, {kAny, 68, 2});
  check_argument(landmarks.device().is_cpu(), "mouth_box works on the CPU, got ", landmarks.str());
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
    // As published: the centre in float32, its distance to the sides in double.
    const double centre[2] = {(p[2 * 48] + p[2 * 54]) / 2.f, (p[2 * 48 + 1] + p[2 * 54 + 1]) / 2.f};
    std::int64_t* box = out.mutable_data<std::int64_t>() + 4 * b;
    for (int axis = 0; axis < 2; ++axis) {  // rows from y, then columns from x
      box[2 * axis] = static_cast<std::int64_t>(centre[1 - axis] - half);
      box[2 * axis + 1] = static_cast<std::int64_t>(centre[1 - axis] + half);
      check_argument(may_leave || (box[2 * axis] >= 0 && box[2 * axis + 1] <= size), "the mouth of image ", b,
                     " lies outside the view: ", axis == 0 ? "rows " : "columns ", box[2 * axis], "..", box[2 * axis + 1], " of 0..", size,
                     "; check that the landmarks are in the head frame, in metres");
    }
  }
  return out;
}

}  // namespace forge_rt
