#include "pixels.h"

#include "pixel.h"

namespace forge_rt {
namespace {

void render_rows(const SceneArgs& scene, int row_begin, int row_end, Stream) {
  for (int row = row_begin; row < row_end; ++row)
    for (int column = 0; column < scene.width; ++column) render_pixel(scene, row, column);
}

}  // namespace

OpTable<RenderPixelsFn>& render_pixels_table() {
  static OpTable<RenderPixelsFn> table{"render_pixels", render_rows};
  return table;
}

}  // namespace forge_rt
