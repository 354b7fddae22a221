// Arguments, shared arithmetic and dispatch slots of `orthographic_view` and `orthographic_positions`.
#pragma once

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::views {

struct ViewArgs {
  const float* points;  // [count, 3]
  float* out;           // [count, 3], or with `clip` [count, 4]
  std::int64_t count;
  float rotation[3][3];  // of row vectors
  float shift[3];
  float scale;
  bool clip;
};

using ViewFn = void (*)(const ViewArgs&, Stream);
OpTable<ViewFn>& view_table();

FORGE_HD void view_point(const ViewArgs& a, std::int64_t i) {
  const float* p = a.points + 3 * i;
  const float v[3] = {p[0], -p[1], p[2]};
  float t[3];
  for (int k = 0; k < 3; ++k) t[k] = ((v[0] * a.rotation[0][k] + v[1] * a.rotation[1][k] + v[2] * a.rotation[2][k]) + a.shift[k]) * a.scale;
  if (a.clip) {
    float* q = a.out + 4 * i;
    q[0] = t[0];
    q[1] = t[1];
    q[2] = -t[2] + 10.f;
    q[3] = 1.f;
    return;
  }
  float* q = a.out + 3 * i;
  q[0] = t[0];
  q[1] = -t[1];
  q[2] = -t[2] + 10.f;
}

}  // namespace forge_rt::views
