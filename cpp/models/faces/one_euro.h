// The One-Euro filter (Casiez, Roussel, Vogel 2012) for a point of the plane: smooth at rest, quick in motion.
#pragma once

#include <array>
#include <cmath>
#include <numbers>

namespace forge_rt::faces {

struct OneEuroOptions {
  float min_cutoff_hz = 1.2f, beta = 6.f, derivative_cutoff_hz = 1.f;
};

class OneEuroPoint {
 public:
  /// `size`: pixels of the thing the point is part of. Speed counts in sizes per second, so a face near the camera is smoothed like
  /// one far away; the filtered values are pixels, so noise of the size does not move them.
  std::array<float, 2> filter(const std::array<float, 2>& point, float dt_s, float size, const OneEuroOptions& options) {
    if (!started_) {
      started_ = true;
      raw_ = value_ = point;
      speed_ = {};
      return value_;
    }
    const float follow = weight(options.derivative_cutoff_hz, dt_s);
    for (int axis = 0; axis < 2; ++axis) {
      const float speed = (point[axis] - raw_[axis]) / (dt_s * size);
      speed_[axis] += follow * (speed - speed_[axis]);
    }
    const float cutoff_hz = options.min_cutoff_hz + options.beta * std::hypot(speed_[0], speed_[1]);
    const float take = weight(cutoff_hz, dt_s);
    for (int axis = 0; axis < 2; ++axis) value_[axis] += take * (point[axis] - value_[axis]);
    raw_ = point;
    return value_;
  }
  void reset() { started_ = false; }

 private:
  /// Of a new sample in a low-pass of first order.
  static float weight(float cutoff_hz, float dt_s) {
    const float tau_s = 1 / (2 * std::numbers::pi_v<float> * cutoff_hz);
    return 1 / (1 + tau_s / dt_s);
  }

  std::array<float, 2> raw_{}, value_{}, speed_{};
  bool started_ = false;
};

}  // namespace forge_rt::faces
