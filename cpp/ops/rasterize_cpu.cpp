// rasterize, scalar: the oracle of both coverage rules and the fallback. One image after the other, pixel by pixel.
#include <algorithm>
#include <limits>
#include <vector>

#include "forge_rt/core/thread_pool.h"
#include "rasterize_table.h"

namespace forge_rt::raster {
namespace {

struct Image {
  const RasterizeArgs& args;
  std::int64_t index;
  std::vector<float> key;   // depth key of the nearest surface so far
  std::int32_t* face;       // [H, W]

  void draw_pixel(int row, int column, float k, std::int64_t f) {
    const std::size_t i = static_cast<std::size_t>(row) * args.width + column;
    if (k < key[i]) {
      key[i] = k;
      face[i] = static_cast<std::int32_t>(f);
    }
  }

  void draw_watertight(const ClipVertex v[3], std::int64_t f) {
    const float half_width = 0.5f * static_cast<float>(args.width), half_height = 0.5f * static_cast<float>(args.height);
    ScreenVertex s[3];
    for (int k = 0; k < 3; ++k) s[k] = to_screen(v[k], args.perspective, half_width, half_height);
    Edges e;
    if (!setup_edges(s[0], s[1], s[2], args.cull_back, e)) return;
    const PixelBox box = pixel_box(s[0], s[1], s[2], args.width, 0, args.height);
    for (int row = box.y0; row < box.y1; ++row) {
      for (int column = box.x0; column < box.x1; ++column) {
        std::int64_t value[3];
        bool inside = true;
        for (int k = 0; k < 3; ++k) {
          value[k] = edge_at(e, k, pixel_centre(column), pixel_centre(row));
          inside = inside && value[k] + e.bias[k] >= 0;
        }
        if (!inside) continue;
        draw_pixel(row, column,
                   interpolate_key(e, static_cast<float>(value[0]), static_cast<float>(value[1]), static_cast<float>(value[2])), f);
      }
    }
  }

  void draw_strict(const ClipVertex v[3], std::int64_t f) {
    StrictVertex s[3];
    for (int k = 0; k < 3; ++k) s[k] = to_strict(v[k], args.perspective);
    float area;
    if (!strict_setup(s, args.cull_back, area)) return;
    for (int row = 0; row < args.height; ++row) {
      const float py = strict_pixel_centre(args.height - 1 - row, args.height, args.width);
      if (py < std::min({s[0].y, s[1].y, s[2].y}) || py > std::max({s[0].y, s[1].y, s[2].y})) continue;
      for (int column = 0; column < args.width; ++column) {
        const float px = strict_pixel_centre(args.width - 1 - column, args.width, args.height);
        if (px < std::min({s[0].x, s[1].x, s[2].x}) || px > std::max({s[0].x, s[1].x, s[2].x})) continue;
        float b[3], depth;
        if (strict_sample(s, area, px, py, args.perspective, b, depth)) draw_pixel(row, column, depth, f);
      }
    }
  }

  void draw(const ClipVertex v[3], std::int64_t f) { args.strict ? draw_strict(v, f) : draw_watertight(v, f); }

  void run() {
    const ClipVertex* positions = args.positions + index * args.vertices;
    for (std::int64_t f = 0; f < args.faces; ++f) {
      if (!is_drawn(args, index, f)) continue;
      const std::int32_t* id = args.triangles + 3 * f;
      const ClipVertex v[3] = {positions[id[0]], positions[id[1]], positions[id[2]]};
      bool finite = true, safe = true;
      for (const ClipVertex& vertex : v) {
        finite = finite && is_finite(vertex, args.perspective);
        safe = safe && (args.strict ? !args.perspective || vertex.w >= args.near : is_safe(vertex, args.perspective, args.near));
      }
      if (!finite) continue;
      if (safe) {
        draw(v, f);
        continue;
      }
      ClipVertex polygon[kMaxPolygon] = {v[0], v[1], v[2]};
      if (!args.perspective) polygon[0].w = polygon[1].w = polygon[2].w = 1.f;
      const int count = clip_polygon(polygon, 3, args.perspective, args.near);
      for (int i = 2; i < count; ++i) {
        const ClipVertex fan[3] = {polygon[0], polygon[i - 1], polygon[i]};
        draw(fan, f);
      }
    }
  }
};

void resolve(const RasterizeArgs& args, std::int64_t image, const std::vector<float>& key) {
  const ClipVertex* positions = args.positions + image * args.vertices;
  const std::int64_t pixels = std::int64_t{args.height} * args.width;
  const bool watertight_perspective = args.perspective && !args.strict;
  for (std::int64_t i = 0; i < pixels; ++i) {
    const std::int64_t pixel = image * pixels + i;
    const std::int32_t f = args.face[pixel];
    const int row = static_cast<int>(i / args.width), column = static_cast<int>(i % args.width);
    float depth = 0.f, b[3] = {0.f, 0.f, 0.f};
    if (f >= 0) {
      const std::int32_t* id = args.triangles + 3 * std::int64_t{f};
      const ClipVertex v[3] = {positions[id[0]], positions[id[1]], positions[id[2]]};
      depth = watertight_perspective ? -1.f / key[i] : key[i];
      if (watertight_perspective && was_clipped(args, v)) depth = clipped_depth(args, v, row, column);
      args.strict ? strict_barycentrics(args, v, row, column, b) : watertight_barycentrics(args, v, row, column, b);
    }
    if (args.depth != nullptr) args.depth[pixel] = depth;
    if (args.label != nullptr) args.label[pixel] = f < 0 ? std::uint8_t{0} : args.face_labels[f];
    if (args.barycentrics != nullptr) std::copy(b, b + 3, args.barycentrics + 3 * pixel);
  }
}

void rasterize_scalar(const RasterizeArgs& args, void*) {
  const std::size_t pixels = static_cast<std::size_t>(args.height) * args.width;
  parallel_for(args.batch, [&](std::int64_t image) {
    Image target{args, image, std::vector<float>(pixels, std::numeric_limits<float>::infinity()), args.face + image * pixels};
    std::fill_n(target.face, pixels, -1);
    target.run();
    resolve(args, image, target.key);
  });
}

const Register<RasterizeFn> registered(rasterize_table().scalar, rasterize_scalar);

}  // namespace
}  // namespace forge_rt::raster
