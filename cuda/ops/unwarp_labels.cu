// unwarp_labels, unwarp_map: one thread per grid point finds its best class, then one thread per frame pixel paints. Bit-equal to the CPU.
#include "../core/launch.h"
#include "../core/scratch.h"
#include "ops/unwarp_labels_table.h"

namespace forge_rt::unwarp {
namespace {

constexpr int kThreads = 256;

struct Launch {
  UnwarpArgs args;
  std::uint8_t* classes;  // [height, width] of the grid
};

__global__ void __launch_bounds__(kThreads) classify_points(Launch launch) {
  const UnwarpArgs& a = launch.args;
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, width = static_cast<unsigned>(a.grid.width);
  if (i >= width * static_cast<unsigned>(a.grid.height)) return;
  launch.classes[i] = static_cast<std::uint8_t>(point_class(a, static_cast<int>(i % width), static_cast<int>(i / width)));
}

__global__ void __launch_bounds__(kThreads) unwarp_pixels(Launch launch) {
  const UnwarpArgs& a = launch.args;
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, width = static_cast<unsigned>(a.rect.right - a.rect.left);
  if (i >= width * static_cast<unsigned>(a.rect.bottom - a.rect.top)) return;
  unwarp_pixel(a, launch.classes, a.rect.left + static_cast<int>(i % width), a.rect.top + static_cast<int>(i / width));
}

__global__ void __launch_bounds__(kThreads) unwarp_map_pixels(UnwarpMapArgs a) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, width = static_cast<unsigned>(a.rect.right - a.rect.left);
  if (i >= width * static_cast<unsigned>(a.rect.bottom - a.rect.top)) return;
  unwarp_map_pixel(a, a.rect.left + static_cast<int>(i % width), a.rect.top + static_cast<int>(i / width));
}

std::int64_t area(const PixelRect& rect) { return static_cast<std::int64_t>(rect.width()) * rect.height(); }

void unwarp_labels_cuda(const UnwarpArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.logits);
  const std::int64_t points = static_cast<std::int64_t>(args.grid.width) * args.grid.height;
  const cuda::Scratch<std::uint8_t> classes(static_cast<std::size_t>(points), cuda::to_cuda(stream), "classes of grid points");
  const Launch launch{args, classes.data()};
  classify_points<<<cuda::image_grid(points, 1, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(launch);
  cuda::check_launch("launching unwarp_labels");
  unwarp_pixels<<<cuda::image_grid(area(args.rect), 1, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(launch);
  cuda::check_launch("launching unwarp_labels");
}

void unwarp_map_cuda(const UnwarpMapArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.map);
  unwarp_map_pixels<<<cuda::image_grid(area(args.rect), 1, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching unwarp_map");
}

const Register<UnwarpLabelsFn> registered_labels(unwarp_labels_table().cuda, unwarp_labels_cuda);
const Register<UnwarpMapFn> registered_map(unwarp_map_table().cuda, unwarp_map_cuda);

}  // namespace
}  // namespace forge_rt::unwarp
