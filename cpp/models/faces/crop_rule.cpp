#include "models/faces/crop_rule.h"

#include <algorithm>
#include <cmath>

namespace forge_rt::faces {
namespace {

struct Vector {
  float x = 0, y = 0;
  float length() const { return std::hypot(x, y); }
};
Vector operator+(Vector a, Vector b) { return {a.x + b.x, a.y + b.y}; }
Vector operator-(Vector a, Vector b) { return {a.x - b.x, a.y - b.y}; }
Vector operator*(float k, Vector a) { return {k * a.x, k * a.y}; }
Vector vector(const std::array<float, 2>& p) { return {p[0], p[1]}; }

/// Eyes and mouth of five points, as the rule names them.
struct EyesAndMouth {
  Vector eye_line, eyes, down;  // e1 - e0, e, d = m - e
  explicit EyesAndMouth(const FivePoints& p)
      : eye_line(vector(p[1]) - vector(p[0])), eyes(0.5f * (vector(p[0]) + vector(p[1]))),
        down(0.5f * (vector(p[3]) + vector(p[4])) - eyes) {}
  Vector axis() const { return eye_line + Vector{down.y, -down.x}; }
  float side(const FivePointRule& rule) const { return rule.scale * std::max(rule.eyes * eye_line.length(), rule.mouth * down.length()); }
};

/// The square of `side` around `centre`, its x axis along the unit vector `x`, in the middle of the crop.
Affine similarity(Vector centre, Vector x, float side, ImageSize crop) {
  const float k = static_cast<float>(std::min(crop.width, crop.height)) / side;
  const float a = k * x.x, b = k * x.y;
  return {a,  b, 0.5f * static_cast<float>(crop.width) - a * centre.x - b * centre.y,
          -b, a, 0.5f * static_cast<float>(crop.height) + b * centre.x - a * centre.y};
}

bool finite(const Affine& m) {
  for (const float v : {m.a, m.b, m.c, m.d, m.e, m.f})
    if (!std::isfinite(v)) return false;
  return true;
}

}  // namespace

bool usable_points(const CropContract& rule, const FivePoints& points) {
  if (!rule.five_points) return false;
  for (const auto& p : points)
    if (!std::isfinite(p[0]) || !std::isfinite(p[1])) return false;
  const EyesAndMouth face(points);
  // a face of less than a thousandth of a pixel is a point
  return face.side(*rule.five_points) > 1e-3f && std::isfinite(face.side(*rule.five_points)) &&
         (!rule.five_points->rotate || face.axis().length() > 1e-3f);
}

Affine crop_of_points(const CropContract& rule, ImageSize crop, const FivePoints& points) {
  check(rule.five_points.has_value(), ErrorCode::unsupported, "this bundle crops faces by their boxes; give a box");
  check_argument(usable_points(rule, points), "five points must be finite and apart from each other, got right eye (", points[0][0], ", ",
                 points[0][1], "), left eye (", points[1][0], ", ", points[1][1], ")");
  const EyesAndMouth face(points);
  const Vector axis = rule.five_points->rotate ? face.axis() : Vector{1, 0};
  return similarity(face.eyes + rule.five_points->shift * face.down, (1.f / axis.length()) * axis, face.side(*rule.five_points), crop);
}

Affine crop_of_box(const CropContract& rule, ImageSize crop, const Box& box) {
  const float width = box.width(), height = box.height(), longer = std::max(width, height);
  const bool finite_box = std::isfinite(box.left) && std::isfinite(box.top) && std::isfinite(width) && std::isfinite(height);
  check_argument(finite_box && width > 0 && height > 0, "a box must be finite, left before right and top above bottom, got (", box.left,
                 ", ", box.top, ") to (", box.right, ", ", box.bottom, ")");
  const Vector centre{box.left + 0.5f * width, box.top + 0.5f * height};
  Affine out;
  if (rule.five_points) {
    const float side = rule.five_points->box_scale * longer;
    const Vector shift{rule.five_points->box_shift[0], rule.five_points->box_shift[1]};
    out = similarity(centre + side * shift, {1, 0}, side, crop);
  } else if (rule.box.square) {
    out = similarity(centre, {1, 0}, (1 + 2 * rule.box.margin) * longer, crop);
  } else {
    const float w = width + 2 * rule.box.margin * longer, h = height + 2 * rule.box.margin * longer;
    const float a = static_cast<float>(crop.width) / w, e = static_cast<float>(crop.height) / h;
    check_argument(w > 0 && h > 0, "the box ", width, " x ", height, " has no extent after the bundle's margin ", rule.box.margin);
    out = {a, 0, 0.5f * static_cast<float>(crop.width) - a * centre.x, 0, e, 0.5f * static_cast<float>(crop.height) - e * centre.y};
  }
  check_argument(finite(out), "the box ", width, " x ", height, " is too small or too large for a crop");
  return out;
}

FivePoints five_points_of(std::span<const std::array<float, 2>> landmarks) {
  const auto mean = [&](int first, int last) {
    std::array<float, 2> out{};
    for (int i = first; i <= last; ++i)
      for (int axis = 0; axis < 2; ++axis) out[axis] += landmarks[i][axis];
    for (float& v : out) v /= static_cast<float>(last - first + 1);
    return out;
  };
  return {mean(36, 41), mean(42, 47), landmarks[30], landmarks[48], landmarks[54]};
}

Box bounding_box(std::span<const std::array<float, 2>> points) {
  if (points.empty()) return {};
  Box out{points[0][0], points[0][1], points[0][0], points[0][1]};
  for (const auto& p : points)
    out = {std::min(out.left, p[0]), std::min(out.top, p[1]), std::max(out.right, p[0]), std::max(out.bottom, p[1])};
  return out;
}

Box box_around_crop(const Affine& to_frame, ImageSize crop) {
  const float w = static_cast<float>(crop.width), h = static_cast<float>(crop.height);
  std::array<std::array<float, 2>, 4> corners;
  const float at[4][2] = {{0, 0}, {w, 0}, {0, h}, {w, h}};
  for (int i = 0; i < 4; ++i) to_frame.map(at[i][0], at[i][1], corners[i][0], corners[i][1]);
  return bounding_box(corners);
}

}  // namespace forge_rt::faces
