// The pixel loop compiled for AVX2 or AVX-512: the same source, so only the compiler's vector code differs.
#include "pixel.h"
#include "pixels.h"

namespace forge_rt::FORGE_RT_SIMD_NAMESPACE {
namespace {

void render_rows(const SceneArgs& scene, int row_begin, int row_end, Stream) {
  for (int row = row_begin; row < row_end; ++row)
    for (int column = 0; column < scene.width; ++column) render_pixel(scene, row, column);
}

const Register<RenderPixelsFn> registered(render_pixels_table().FORGE_RT_SIMD_NAMESPACE, render_rows);

}  // namespace
}  // namespace forge_rt::FORGE_RT_SIMD_NAMESPACE
