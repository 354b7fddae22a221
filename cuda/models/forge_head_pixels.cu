// Shades ForgeHead's pixels: one thread per pixel, the CPU's own code. Blocks cover 8 x 16 pixels, so that neighbours share triangles.
#include "../core/launch.h"
#include "models/forge_head/pixel.h"
#include "models/forge_head/pixels.h"

namespace forge_rt {
namespace {

constexpr int kColumns = 8, kRows = 16, kThreads = kColumns * kRows;

struct PixelRows {
  SceneArgs scene;
  int begin, end;
};

__global__ void __launch_bounds__(kThreads) shade_pixels(PixelRows a) {
  const int column = static_cast<int>(blockIdx.x) * kColumns + static_cast<int>(threadIdx.x) % kColumns;
  const int row = a.begin + static_cast<int>(blockIdx.y) * kRows + static_cast<int>(threadIdx.x) / kColumns;
  if (column < a.scene.width && row < a.end) render_pixel(a.scene, row, column);
}

void render_pixels_cuda(const SceneArgs& scene, int row_begin, int row_end, Stream stream) {
  if (row_end <= row_begin) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(scene.color);
  const PixelRows args{scene, row_begin, row_end};
  const dim3 grid{cuda::blocks_for(scene.width, kColumns), cuda::blocks_for(row_end - row_begin, kRows), 1};
  shade_pixels<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching render_pixels");
}

const Register<RenderPixelsFn> registered(render_pixels_table().cuda, render_pixels_cuda);

}  // namespace
}  // namespace forge_rt
