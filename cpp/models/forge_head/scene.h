// Everything the pixel code reads and writes, as plain data: shared by the CPU paths and the CUDA kernel.
#pragma once

#include "ops/raster_geometry.h"
#include "shading/surface.h"

namespace forge_rt {

/// Orthographic depth from a direction (a light, the sky).
struct DepthMap {
  const float* depth;       // [size, size], 0 where nothing
  int size;
  Vec3 right, up, towards;  // towards: from the head to the light
  Vec3 centre;
  float radius_m;
};

struct SceneArgs {
  // geometry of one assembly
  const raster::ClipVertex* clip;  // [N]
  const float *position, *normal, *rest, *aux;
  const std::int32_t* triangles;
  const std::uint8_t* part;        // [T]
  const std::uint8_t* label;       // [T]
  const shade::Part* parts;
  std::int64_t head_vertices;      // the first rows: they have texture coordinates in `aux`
  // class map of the skin
  const std::uint8_t* semantic_uv;
  int semantic_height, semantic_width;
  // brows as bands around a curve over |x| (template metres)
  float brow_x[5], brow_y[5], brow_half[5];
  float brow_margin;
  // camera
  Vec3 eye;
  float view[9];                   // world to camera rotation, row-major
  float pixel_angle;               // of one pixel at the image centre, radians
  float near;
  int height, width, factor;
  // look
  shade::Look look;
  shade::Light light;
  shade::Background background;
  DepthMap key_map, sky_map;
  float key_slack;                 // metres: nothing casts shadows on what is this close behind it
  bool wisps, lens_is_clear;       // LabelHabit
  bool matte;                      // RenderOptions
  std::uint8_t label_map[32];      // internal class -> class of the output
  int classes;
  // coverage
  const std::int32_t* face;        // [H f, W f] triangle of each sample
  const std::int32_t* face_behind;    // the same without lenses and free objects; null: there is no lens
  const std::int32_t* face_layer[2];  // or null
  // results; null members were not asked for
  float* color;                    // [H, W, 3] linear light
  std::uint8_t* out_label;         // [H, W]
  float* out_depth;                // [H, W]
  float* out_normal;               // [H, W, 3]
  float* out_soft;                 // [classes, H, W], zeroed
  float* out_uv;                   // [H, W, 2]
  std::uint8_t* out_layer[2];      // [H, W]
};

}  // namespace forge_rt
