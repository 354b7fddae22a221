#include "models/faces/logits_memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace forge_rt::faces {

Affine similarity_between(std::span<const std::array<float, 2>> from, std::span<const std::array<float, 2>> to) {
  const std::size_t n = std::min(from.size(), to.size());
  if (n < 2) return {};
  double centre[4] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (int axis = 0; axis < 2; ++axis) centre[axis] += from[i][axis], centre[2 + axis] += to[i][axis];
  for (double& c : centre) c /= static_cast<double>(n);
  double dot = 0, cross = 0, spread = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = from[i][0] - centre[0], y = from[i][1] - centre[1], u = to[i][0] - centre[2], v = to[i][1] - centre[3];
    dot += x * u + y * v;
    cross += x * v - y * u;
    spread += x * x + y * y;
  }
  if (!(spread > 1e-6) || !std::isfinite(dot) || !std::isfinite(cross)) return {};
  const double a = dot / spread, b = cross / spread;
  return {static_cast<float>(a), static_cast<float>(-b), static_cast<float>(centre[2] - a * centre[0] + b * centre[1]),
          static_cast<float>(b), static_cast<float>(a),  static_cast<float>(centre[3] - b * centre[0] - a * centre[1])};
}

void LogitsMemory::blend(Tensor& logits, const Affine& to_crop, const Affine& motion, ImageSize crop, float weight) {
  const int height = static_cast<int>(logits.size(1)), width = static_cast<int>(logits.size(2));
  const std::int64_t plane = std::int64_t{height} * width, count = logits.count();
  float* now = logits.mutable_data<float>();
  if (!last_.defined() || last_.count() != count) {
    last_ = Tensor::empty(logits.shape(), DType::f32, {}, "mask smoothing");
    known_ = false;
  }
  if (known_ && std::abs(motion.a * motion.e - motion.b * motion.d) > 1e-12f) {
    const float step_x = static_cast<float>(crop.width) / static_cast<float>(width),
                step_y = static_cast<float>(crop.height) / static_cast<float>(height);
    const Affine to_pixels{step_x, 0, 0, 0, step_y, 0};
    // grid → crop → frame → frame of the last time → its crop → its grid
    const Affine back = to_pixels.inverse().after(last_to_crop_).after(motion.inverse()).after(to_crop.inverse()).after(to_pixels);
    const float* last = last_.data<float>();
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        float u = 0, v = 0;
        back.map(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f, u, v);
        if (!(u >= 0 && v >= 0 && u <= static_cast<float>(width) && v <= static_cast<float>(height))) continue;
        u = std::clamp(u - 0.5f, 0.f, static_cast<float>(width - 1));
        v = std::clamp(v - 0.5f, 0.f, static_cast<float>(height - 1));
        const int x0 = static_cast<int>(u), y0 = static_cast<int>(v), x1 = std::min(x0 + 1, width - 1), y1 = std::min(y0 + 1, height - 1);
        const float fx = u - static_cast<float>(x0), fy = v - static_cast<float>(y0);
        const float* corner[4] = {last + std::int64_t{y0} * width + x0, last + std::int64_t{y0} * width + x1,
                                  last + std::int64_t{y1} * width + x0, last + std::int64_t{y1} * width + x1};
        float* value = now + std::int64_t{y} * width + x;
        for (std::int64_t c = 0; c < count; c += plane) {
          const float before =
              (1 - fy) * ((1 - fx) * corner[0][c] + fx * corner[1][c]) + fy * ((1 - fx) * corner[2][c] + fx * corner[3][c]);
          if (before == before) value[c] += weight * (before - value[c]);
        }
      }
  }
  std::memcpy(last_.mutable_raw(), now, logits.bytes());
  last_to_crop_ = to_crop;
  known_ = true;
}

}  // namespace forge_rt::faces
