// Small per-joint arithmetic of head_lbs, in float32 as the published evaluation does it.
#pragma once

#include <cmath>

#include "forge_rt/core/host_device.h"

namespace forge_rt::head {

// Axis-angle to rotation matrix (row-major). The 1e-8 is added to each component before the norm, as published (spec §17.2 step 3).
FORGE_HD void rodrigues(const float r[3], float out[9]) {
  const float a = r[0] + 1e-8f, b = r[1] + 1e-8f, c = r[2] + 1e-8f;
  const float angle = sqrtf(a * a + b * b + c * c);
  const float x = r[0] / angle, y = r[1] / angle, z = r[2] / angle;
  const float s = sinf(angle), t = 1.f - cosf(angle);
  const float k[9] = {0.f, -z, y, z, 0.f, -x, -y, x, 0.f};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      const float kk = k[3 * i] * k[j] + k[3 * i + 1] * k[3 + j] + k[3 * i + 2] * k[6 + j];
      out[3 * i + j] = (i == j ? 1.f : 0.f) + s * k[3 * i + j] + t * kk;
    }
}

FORGE_HD void multiply3(const float a[9], const float b[9], float out[9]) {
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
}

FORGE_HD void rotate(const float m[9], const float v[3], float out[3]) {
  for (int i = 0; i < 3; ++i) out[i] = m[3 * i] * v[0] + m[3 * i + 1] * v[1] + m[3 * i + 2] * v[2];
}

}  // namespace forge_rt::head
