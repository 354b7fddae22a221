// Arithmetic that the scalar oracle, the SIMD paths and the CUDA kernel of `rasterize` share.
// Every file that includes this is compiled without FMA contraction, so that all of them agree to the bit.
#pragma once

#include <cmath>
#include <cstdint>

#include "forge_rt/core/host_device.h"

namespace forge_rt::raster {

constexpr int kSubpixelBits = 8;
constexpr int kSubpixel = 1 << kSubpixelBits;
constexpr float kGuardBand = 16.f;   // in NDC; keeps every edge function exact in double and int64
constexpr int kMaxImage = 8192;
constexpr int kMaxPolygon = 8;       // a triangle cut by five planes

struct ClipVertex {
  float x, y, z, w;
};

// A vertex on the screen. `key` orders depth: smaller is nearer; linear in screen space.
struct ScreenVertex {
  std::int32_t x, y;  // 1/256 pixel, y down
  float key;          // -1 / w (perspective) or z (orthographic)
};

FORGE_HD bool is_finite(float v) { return v - v == 0.f; }

// Can this vertex be projected as it is? If not, its triangles take the clipping path.
FORGE_HD bool is_safe(const ClipVertex& v, bool perspective, float near) {
  const float w = perspective ? v.w : 1.f;
  const float limit = kGuardBand * w;
  return !(perspective && !(w >= near)) && fabsf(v.x) <= limit && fabsf(v.y) <= limit && is_finite(v.z) && is_finite(w);
}

FORGE_HD bool is_finite(const ClipVertex& v, bool perspective) {
  return is_finite(v.x) && is_finite(v.y) && is_finite(v.z) && (!perspective || is_finite(v.w));
}

// Round half up on the 1/256 pixel grid.
FORGE_HD std::int32_t snap(float pixels) { return static_cast<std::int32_t>(floorf(pixels * kSubpixel + 0.5f)); }

FORGE_HD ScreenVertex to_screen(const ClipVertex& v, bool perspective, float half_width, float half_height) {
  if (!perspective) return {snap(half_width + v.x * half_width), snap(half_height - v.y * half_height), v.z};
  const float inverse = 1.f / v.w;
  return {snap(half_width + (v.x * inverse) * half_width), snap(half_height - (v.y * inverse) * half_height), -inverse};
}

// A positively oriented (clockwise on the screen, y down) triangle. E_k(p) >= 0 for all k: p is inside.
//   E_k(p) = dx_k (p.y - y_k) - dy_k (p.x - x_k),   edge k runs from vertex k+1 to k+2 and is opposite vertex k
struct Edges {
  std::int32_t x[3], y[3];    // start of edge k
  std::int32_t dx[3], dy[3];
  std::int32_t bias[3];       // 0 on top and left edges, -1 on others: points exactly on those belong to the neighbour
  float key[3];               // depth key of vertex k
  float inverse_area;         // 1 / (E_0 + E_1 + E_2)
  int slot[3];                // vertex k is vertex slot[k] of the triangle as given
};

// False: nothing to draw (degenerate, or culled).
FORGE_HD bool setup_edges(const ScreenVertex& v0, const ScreenVertex& v1, const ScreenVertex& v2, bool cull_back, Edges& e) {
  const std::int64_t area = static_cast<std::int64_t>(v1.x - v0.x) * (v2.y - v0.y) - static_cast<std::int64_t>(v2.x - v0.x) * (v1.y - v0.y);
  if (area == 0 || (cull_back && area > 0)) return false;  // counter-clockwise with y up is negative with y down
  const bool swap = area < 0;
  const ScreenVertex v[3] = {v0, swap ? v2 : v1, swap ? v1 : v2};
  e.slot[0] = 0;
  e.slot[1] = swap ? 2 : 1;
  e.slot[2] = swap ? 1 : 2;
  for (int k = 0; k < 3; ++k) {
    const ScreenVertex &a = v[(k + 1) % 3], &b = v[(k + 2) % 3];
    e.x[k] = a.x;
    e.y[k] = a.y;
    e.dx[k] = b.x - a.x;
    e.dy[k] = b.y - a.y;
    e.bias[k] = (e.dy[k] < 0 || (e.dy[k] == 0 && e.dx[k] > 0)) ? 0 : -1;
    e.key[k] = v[k].key;
  }
  e.inverse_area = 1.f / static_cast<float>(swap ? -area : area);
  return true;
}

FORGE_HD std::int64_t edge_at(const Edges& e, int k, std::int32_t px, std::int32_t py) {
  return static_cast<std::int64_t>(e.dx[k]) * (py - e.y[k]) - static_cast<std::int64_t>(e.dy[k]) * (px - e.x[k]);
}

// Depth key from the three edge values, already converted to float.
FORGE_HD float interpolate_key(const Edges& e, float e0, float e1, float e2) {
  return ((e0 * e.key[0] + e1 * e.key[1]) + e2 * e.key[2]) * e.inverse_area;
}

// Pixels whose centres may be inside.
struct PixelBox {
  int x0, y0, x1, y1;  // [x0, x1) x [y0, y1)
};
FORGE_HD int imin(int a, int b) { return a < b ? a : b; }
FORGE_HD int imax(int a, int b) { return a > b ? a : b; }
FORGE_HD PixelBox pixel_box(const ScreenVertex& a, const ScreenVertex& b, const ScreenVertex& c, int width, int row_begin, int row_end) {
  const int min_x = imin(a.x, imin(b.x, c.x)), max_x = imax(a.x, imax(b.x, c.x));
  const int min_y = imin(a.y, imin(b.y, c.y)), max_y = imax(a.y, imax(b.y, c.y));
  constexpr int half = kSubpixel / 2;
  return {imax((min_x - half + kSubpixel - 1) >> kSubpixelBits, 0), imax((min_y - half + kSubpixel - 1) >> kSubpixelBits, row_begin),
          imin(((max_x - half) >> kSubpixelBits) + 1, width), imin(((max_y - half) >> kSubpixelBits) + 1, row_end)};
}
FORGE_HD std::int32_t pixel_centre(int pixel) { return pixel * kSubpixel + kSubpixel / 2; }

// ---- clipping (Sutherland-Hodgman): near plane, then the four sides of the guard band; in double, so that vertices may be anywhere ----

struct ClipVertexDouble {
  double x, y, z, w;
};

FORGE_HD double plane_distance(const ClipVertexDouble& v, int plane, double near) {
  constexpr double guard = kGuardBand;
  switch (plane) {
    case 0: return v.w - near;
    case 1: return guard * v.w + v.x;
    case 2: return guard * v.w - v.x;
    case 3: return guard * v.w + v.y;
    default: return guard * v.w - v.y;
  }
}

// Cuts `polygon` (in/out, `count` vertices) and returns the new count. The cut point of an edge is always computed from its inner
// end, so that two triangles that share the edge get the same point.
FORGE_HD int clip_polygon(ClipVertex* polygon, int count, bool perspective, float near) {
  ClipVertexDouble corner[kMaxPolygon];
  for (int i = 0; i < count; ++i) corner[i] = {polygon[i].x, polygon[i].y, polygon[i].z, polygon[i].w};
  for (int plane = perspective ? 0 : 1; plane < 5 && count >= 3; ++plane) {
    ClipVertexDouble cut[kMaxPolygon];
    int kept = 0;
    for (int i = 0; i < count; ++i) {
      const ClipVertexDouble &a = corner[i], &b = corner[(i + 1) % count];
      const double da = plane_distance(a, plane, near), db = plane_distance(b, plane, near);
      if (da >= 0.0 && kept < kMaxPolygon) cut[kept++] = a;
      if ((da >= 0.0) != (db >= 0.0) && kept < kMaxPolygon) {
        const ClipVertexDouble &in = da >= 0.0 ? a : b, &out = da >= 0.0 ? b : a;
        const double inner = da >= 0.0 ? da : db, outer = da >= 0.0 ? db : da;
        const double t = inner / (inner - outer);
        ClipVertexDouble v{in.x + t * (out.x - in.x), in.y + t * (out.y - in.y), in.z + t * (out.z - in.z), in.w + t * (out.w - in.w)};
        if (plane == 0) v.w = near;  // exactly on the plane
        cut[kept++] = v;
      }
    }
    count = kept;
    for (int i = 0; i < count; ++i) corner[i] = cut[i];
  }
  for (int i = 0; i < count; ++i)
    polygon[i] = {static_cast<float>(corner[i].x), static_cast<float>(corner[i].y), static_cast<float>(corner[i].z),
                  static_cast<float>(corner[i].w)};
  return count;
}

// Perspective-correct barycentrics of the unclipped triangle at NDC point (x, y), from homogeneous coordinates alone: valid also
// when vertices lie behind the camera. Clamped to the triangle (the visible part may have been snapped outwards by 1/512 pixel).
FORGE_HD void homogeneous_barycentrics(const ClipVertex v[3], float x, float y, float out[3]) {
  float px[3], py[3];
  for (int k = 0; k < 3; ++k) {
    px[k] = v[k].x - x * v[k].w;
    py[k] = v[k].y - y * v[k].w;
  }
  float sum = 0.f;
  for (int k = 0; k < 3; ++k) {
    const int i = (k + 1) % 3, j = (k + 2) % 3;
    out[k] = px[i] * py[j] - px[j] * py[i];
    sum += out[k];
  }
  float total = 0.f;
  for (int k = 0; k < 3; ++k) {
    const float b = out[k] / sum;
    out[k] = b > 0.f ? b : 0.f;
    total += out[k];
  }
  for (int k = 0; k < 3; ++k) out[k] = total > 0.f ? out[k] / total : 1.f / 3.f;
}

// ---- the published float rule, spec/next3d §6.2, in its own axes: X left, Y up, short side ±1 ----

// Centre of pixel `i` counted from the side where the axis is -range/2 (PyTorch3D flips both image axes).
FORGE_HD float strict_pixel_centre(int i, int size, int other) {
  const float range = size > other ? 2.f * (static_cast<float>(size) / static_cast<float>(other)) : 2.f;
  const float offset = range / 2.f;
  return -offset + (range * static_cast<float>(i) + offset) / static_cast<float>(size);
}

struct StrictVertex {
  float x, y, z;  // X left, Y up, depth
};
FORGE_HD StrictVertex to_strict(const ClipVertex& v, bool perspective) {
  if (!perspective) return {-v.x, v.y, v.z};
  return {-(v.x / v.w), v.y / v.w, v.w};
}
FORGE_HD float strict_edge(float px, float py, const StrictVertex& a, const StrictVertex& b) {
  return (px - a.x) * (b.y - a.y) - (py - a.y) * (b.x - a.x);
}
constexpr float kStrictEpsilon = 1e-8f;

// False: degenerate, culled, or with a vertex at or behind the camera plane (the published rasterizer drops such faces whole;
// spec §6.2 only names the per-pixel test). `area` gets the divisor of the barycentrics.
FORGE_HD bool strict_setup(const StrictVertex v[3], bool cull_back, float& area) {
  if (v[0].z < kStrictEpsilon || v[1].z < kStrictEpsilon || v[2].z < kStrictEpsilon) return false;
  const float signed_area = strict_edge(v[2].x, v[2].y, v[0], v[1]);
  if (!(fabsf(signed_area) > kStrictEpsilon) || (cull_back && signed_area < 0.f)) return false;
  area = signed_area + kStrictEpsilon;
  return true;
}

// Barycentrics and depth at a pixel centre; false: not covered.
FORGE_HD bool strict_sample(const StrictVertex v[3], float area, float px, float py, bool perspective, float b[3], float& depth) {
  b[0] = strict_edge(px, py, v[1], v[2]) / area;
  b[1] = strict_edge(px, py, v[2], v[0]) / area;
  b[2] = strict_edge(px, py, v[0], v[1]) / area;
  if (!(b[0] > 0.f && b[1] > 0.f && b[2] > 0.f)) return false;
  if (perspective) {
    const float t0 = b[0] * v[1].z * v[2].z, t1 = v[0].z * b[1] * v[2].z, t2 = v[0].z * v[1].z * b[2];
    const float sum = t0 + t1 + t2;
    const float denominator = sum > kStrictEpsilon ? sum : kStrictEpsilon;
    b[0] = t0 / denominator;
    b[1] = t1 / denominator;
    b[2] = t2 / denominator;
  }
  depth = b[0] * v[0].z + b[1] * v[1].z + b[2] * v[2].z;
  return depth >= 0.f;
}

// Everything the kernels need, as plain data.
struct RasterizeArgs {
  const ClipVertex* positions;         // [B, V]
  const std::int32_t* triangles;       // [F, 3]
  const std::uint8_t* face_labels;     // [F] or null
  const std::uint8_t* face_part;       // [F] or null
  const std::uint64_t* visible_parts;  // [B] or null
  std::int64_t batch, vertices, faces;
  int height, width;
  bool strict, cull_back, perspective;
  float near;
  std::int32_t* face;                  // [B, H, W]
  float* depth;                        // [B, H, W] or null
  float* barycentrics;                 // [B, H, W, 3] or null
  std::uint8_t* label;                 // [B, H, W] or null
};

FORGE_HD bool is_drawn(const RasterizeArgs& args, std::int64_t image, std::int64_t face) {
  if (args.visible_parts == nullptr) return true;
  return (args.visible_parts[image] >> args.face_part[face]) & 1u;
}

// Barycentrics from the edge values of a covered pixel: in [0, 1] and perspective-correct.
FORGE_HD void edge_barycentrics(const Edges& e, bool perspective, int row, int column, float out[3]) {
  float q[3];
  for (int k = 0; k < 3; ++k) {
    q[k] = static_cast<float>(edge_at(e, k, pixel_centre(column), pixel_centre(row)));
    if (perspective) q[k] = q[k] * -e.key[k];
  }
  const float sum = (q[0] + q[1]) + q[2];
  for (int k = 0; k < 3; ++k) out[e.slot[k]] = q[k] / sum;
}

// Barycentrics of watertight pixel (row, column) of triangle v[0..2].
FORGE_HD void watertight_barycentrics(const RasterizeArgs& args, const ClipVertex v[3], int row, int column, float out[3]) {
  const float half_width = 0.5f * static_cast<float>(args.width), half_height = 0.5f * static_cast<float>(args.height);
  bool safe = true;
  for (int k = 0; k < 3; ++k) safe = safe && is_safe(v[k], args.perspective, args.near);
  Edges e;
  if (safe &&
      setup_edges(to_screen(v[0], args.perspective, half_width, half_height), to_screen(v[1], args.perspective, half_width, half_height),
                  to_screen(v[2], args.perspective, half_width, half_height), false, e)) {
    edge_barycentrics(e, args.perspective, row, column, out);
    return;
  }
  ClipVertex flat[3] = {v[0], v[1], v[2]};
  if (!args.perspective) flat[0].w = flat[1].w = flat[2].w = 1.f;
  homogeneous_barycentrics(flat, (static_cast<float>(column) + 0.5f) / half_width - 1.f,
                           1.f - (static_cast<float>(row) + 0.5f) / half_height, out);
}

// Was this perspective face drawn through the clipping path?
FORGE_HD bool was_clipped(const RasterizeArgs& args, const ClipVertex v[3]) {
  return !(is_safe(v[0], true, args.near) && is_safe(v[1], true, args.near) && is_safe(v[2], true, args.near));
}

// Depth of such a face at a watertight pixel, from the triangle as it was given: the clipped, snapped polygon is too coarse for it
// where the face is seen at a grazing angle.
FORGE_HD float clipped_depth(const RasterizeArgs& args, const ClipVertex v[3], int row, int column) {
  float b[3];
  homogeneous_barycentrics(v, (static_cast<float>(column) + 0.5f) / (0.5f * static_cast<float>(args.width)) - 1.f,
                           1.f - (static_cast<float>(row) + 0.5f) / (0.5f * static_cast<float>(args.height)), b);
  const float depth = (b[0] * v[0].w + b[1] * v[1].w) + b[2] * v[2].w;
  return depth > args.near ? depth : args.near;
}

// Barycentrics of strict pixel (row, column).
FORGE_HD void strict_barycentrics(const RasterizeArgs& args, const ClipVertex v[3], int row, int column, float out[3]) {
  const float px = strict_pixel_centre(args.width - 1 - column, args.width, args.height);
  const float py = strict_pixel_centre(args.height - 1 - row, args.height, args.width);
  bool clipped = false;
  for (int k = 0; k < 3; ++k) clipped = clipped || (args.perspective && !(v[k].w >= args.near));
  if (!clipped) {
    StrictVertex s[3];
    for (int k = 0; k < 3; ++k) s[k] = to_strict(v[k], args.perspective);
    float area, depth;
    if (strict_setup(s, false, area) && strict_sample(s, area, px, py, args.perspective, out, depth)) return;
  }
  homogeneous_barycentrics(v, -px, py, out);
}

using RasterizeFn = void (*)(const RasterizeArgs&, void* stream);

}  // namespace forge_rt::raster
