// Arguments, shared arithmetic and dispatch slots of `interpolate` and `vertex_normals`.
#pragma once

#include <cmath>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::interpolation {

struct InterpolateArgs {
  const std::int32_t* face;   // [B, P]
  const float* barycentrics;  // [B, P, 3]
  const std::int32_t* index;  // [F, 3]
  const float* attributes;    // [B or 1, N, C]
  float* out;                 // [B, P, C]
  std::int64_t batch, pixels, rows, channels;
  std::int64_t attribute_stride;  // N * C, or 0 when the attributes are shared
};
using InterpolateFn = void (*)(const InterpolateArgs&, Stream);
OpTable<InterpolateFn>& interpolate_table();

// Pixel p of image b, all channels.
FORGE_HD void interpolate_pixel(const InterpolateArgs& a, std::int64_t b, std::int64_t p) {
  const std::int64_t pixel = b * a.pixels + p;
  const std::int32_t f = a.face[pixel];
  float* out = a.out + pixel * a.channels;
  if (f < 0) {
    for (std::int64_t c = 0; c < a.channels; ++c) out[c] = 0.f;
    return;
  }
  const float* w = a.barycentrics + 3 * pixel;
  const std::int32_t* id = a.index + 3 * std::int64_t{f};
  const float* base = a.attributes + b * a.attribute_stride;
  const float *x = base + id[0] * a.channels, *y = base + id[1] * a.channels, *z = base + id[2] * a.channels;
  for (std::int64_t c = 0; c < a.channels; ++c) out[c] = (w[0] * x[c] + w[1] * y[c]) + w[2] * z[c];
}

struct NormalsArgs {
  const float* positions;         // [B, V, 3]
  const std::int32_t* triangles;  // [F, 3]
  const std::int32_t* first;      // [V + 1]
  const std::int32_t* corner_face;
  float* out;                     // [B, V, 3]
  std::int64_t batch, vertices;
};
using NormalsFn = void (*)(const NormalsArgs&, Stream);
OpTable<NormalsFn>& vertex_normals_table();

// Vertex v of image b: sum of the cross products of its triangles, normalised.
FORGE_HD void vertex_normal(const NormalsArgs& a, std::int64_t b, std::int64_t v) {
  const float* p = a.positions + b * a.vertices * 3;
  float n[3] = {0.f, 0.f, 0.f};
  for (std::int32_t i = a.first[v]; i < a.first[v + 1]; ++i) {
    const std::int32_t* id = a.triangles + 3 * std::int64_t{a.corner_face[i]};
    const float *q = p + 3 * std::int64_t{id[0]}, *r = p + 3 * std::int64_t{id[1]}, *s = p + 3 * std::int64_t{id[2]};
    const float e[3] = {r[0] - q[0], r[1] - q[1], r[2] - q[2]}, f[3] = {s[0] - q[0], s[1] - q[1], s[2] - q[2]};
    n[0] += e[1] * f[2] - e[2] * f[1];
    n[1] += e[2] * f[0] - e[0] * f[2];
    n[2] += e[0] * f[1] - e[1] * f[0];
  }
  const float length = sqrtf((n[0] * n[0] + n[1] * n[1]) + n[2] * n[2]);
  float* out = a.out + (b * a.vertices + v) * 3;
  for (int axis = 0; axis < 3; ++axis) out[axis] = length > 0.f ? n[axis] / length : 0.f;
}

}  // namespace forge_rt::interpolation
