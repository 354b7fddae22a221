// Shades ForgeHead's pixels: one thread per pixel, the CPU's own code. Warps cover 8 x 4 pixels, so that neighbours share triangles.
#include "../core/launch.h"
#include "models/forge_head/pixel.h"
#include "models/forge_head/pixels.h"

namespace forge_rt {
namespace {

constexpr int kColumns = 8, kRows = 16;

__global__ void __launch_bounds__(kColumns * kRows) shade_pixels(SceneArgs scene, int row_begin, int row_end) {
  const int column = static_cast<int>(blockIdx.x * kColumns + threadIdx.x), row = row_begin + static_cast<int>(blockIdx.y * kRows + threadIdx.y);
  if (column < scene.width && row < row_end) render_pixel(scene, row, column);
}

void render_pixels_cuda(const SceneArgs& scene, int row_begin, int row_end, Stream stream) {
  if (row_end <= row_begin) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(scene.color);
  const dim3 blocks((scene.width + kColumns - 1) / kColumns, (row_end - row_begin + kRows - 1) / kRows);
  shade_pixels<<<blocks, dim3(kColumns, kRows), 0, cuda::to_cuda(stream)>>>(scene, row_begin, row_end);
  cuda::check_launch("launching render_pixels");
}

const Register<RenderPixelsFn> registered(render_pixels_table().cuda, render_pixels_cuda);

}  // namespace
}  // namespace forge_rt
