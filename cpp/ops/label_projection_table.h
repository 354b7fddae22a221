// Arguments, shared arithmetic and dispatch slots of the label projection ops.
#pragma once

#include <cmath>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::labels {

struct ProjectArgs {
  const std::int32_t* face;          // [P]
  const float* barycentrics;         // [P, 3]
  const std::uint8_t* face_labels;   // [F]
  const std::int32_t* uv_triangles;  // [F, 3] or null
  const float* uv;                   // [T, 2]
  const std::uint8_t* map;           // [Hm, Wm]
  std::uint8_t* out;                 // [P]
  std::int64_t pixels;
  int map_height, map_width;
  std::uint8_t background, from_uv;
};
using ProjectFn = void (*)(const ProjectArgs&, Stream);
OpTable<ProjectFn>& project_labels_table();

FORGE_HD int texel_of(float t, int size) {
  const float i = floorf(t * static_cast<float>(size));
  return i > 0.f ? (i < static_cast<float>(size) ? static_cast<int>(i) : size - 1) : 0;  // clamped in float; NaN reads texel 0
}

FORGE_HD std::uint8_t project_pixel(const ProjectArgs& a, std::int64_t p) {
  const std::int32_t f = a.face[p];
  if (f < 0) return a.background;
  const std::uint8_t label = a.face_labels[f];
  if (label != a.from_uv) return label;
  const std::int32_t* id = a.uv_triangles + 3 * std::int64_t{f};
  const float* w = a.barycentrics + 3 * p;
  const float u = (w[0] * a.uv[2 * id[0]] + w[1] * a.uv[2 * id[1]]) + w[2] * a.uv[2 * id[2]];
  const float v = (w[0] * a.uv[2 * id[0] + 1] + w[1] * a.uv[2 * id[1] + 1]) + w[2] * a.uv[2 * id[2] + 1];
  return a.map[static_cast<std::int64_t>(texel_of(1.f - v, a.map_height)) * a.map_width + texel_of(u, a.map_width)];
}

struct CoverageArgs {
  const std::uint8_t* labels;  // [B, f H, f W]
  float* coverage;             // [B, C, H, W] or null
  std::uint8_t* majority;      // [B, H, W] or null
  std::int64_t batch;
  int height, width, factor, classes;
};
using CoverageFn = void (*)(const CoverageArgs&, Stream);
OpTable<CoverageFn>& label_coverage_table();

// Index of the first sample of the most frequent value.
FORGE_HD int most_frequent(const std::uint8_t* value, int samples) {
  int best = 0, best_count = 0;
  for (int i = 0; i < samples; ++i) {
    int count = 0;
    for (int k = 0; k < samples; ++k) count += value[k] == value[i];
    if (count > best_count) {
      best = i;
      best_count = count;
    }
  }
  return best;
}

// One output pixel; at most 8 x 8 samples.
FORGE_HD void cover_pixel(const CoverageArgs& a, std::int64_t b, int row, int column) {
  const int f = a.factor, samples = f * f;
  std::uint8_t value[64];
  for (int i = 0; i < samples; ++i)
    value[i] = a.labels[(b * a.height * f + row * f + i / f) * (static_cast<std::int64_t>(a.width) * f) + column * f + i % f];
  const std::int64_t plane = static_cast<std::int64_t>(a.height) * a.width, pixel = static_cast<std::int64_t>(row) * a.width + column;
  if (a.majority != nullptr) a.majority[b * plane + pixel] = value[most_frequent(value, samples)];
  if (a.coverage != nullptr) {
    float* out = a.coverage + b * a.classes * plane + pixel;
    for (int c = 0; c < a.classes; ++c) out[c * plane] = 0.f;
    for (int i = 0; i < samples; ++i)
      if (value[i] < a.classes) out[value[i] * plane] += 1.f / static_cast<float>(samples);
  }
}

struct VisibilityArgs {
  const float* pixels;     // [B, L, 2]
  const float* depth;      // [B, L]
  const float* depth_map;  // [B, H, W]
  std::uint8_t* out;       // [B, L]
  std::int64_t batch, points;
  int height, width;
  float slack;
};
using VisibilityFn = void (*)(const VisibilityArgs&, Stream);
OpTable<VisibilityFn>& point_visibility_table();

FORGE_HD std::uint8_t visibility_of(const VisibilityArgs& a, std::int64_t b, std::int64_t l) {
  const float x = a.pixels[(b * a.points + l) * 2], y = a.pixels[(b * a.points + l) * 2 + 1], z = a.depth[b * a.points + l];
  if (!(x >= 0.f && y >= 0.f && x < static_cast<float>(a.width) && y < static_cast<float>(a.height) && z > 0.f)) return 0;
  const int column = static_cast<int>(x), row = static_cast<int>(y);
  float farthest = 0.f;
  bool any = false;
  for (int dy = -1; dy <= 1; ++dy)
    for (int dx = -1; dx <= 1; ++dx) {
      const int r = row + dy, c = column + dx;
      if (r < 0 || r >= a.height || c < 0 || c >= a.width) continue;
      const float d = a.depth_map[(b * a.height + r) * a.width + c];
      any = any || d > 0.f;
      farthest = d > farthest ? d : farthest;
    }
  return !any || z <= farthest + a.slack ? 2 : 1;
}

}  // namespace forge_rt::labels
