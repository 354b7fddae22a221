// interpolate: one thread per output value, channels fastest, so that reads and writes coalesce for any channel count.
// vertex_normals: one thread per vertex gathers its triangles, so no atomics and the CPU's order of sums.
// Both bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/interpolate_table.h"

namespace forge_rt::interpolation {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) interpolate_values(InterpolateArgs a) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, channels = static_cast<unsigned>(a.channels);
  if (i >= a.pixels * a.channels) return;
  const unsigned channel = i % channels;
  for (std::int64_t image = blockIdx.y; image < a.batch; image += gridDim.y) {
    const std::int64_t pixel = image * a.pixels + i / channels;
    const std::int32_t face = a.face[pixel];
    float value = 0.f;
    if (face >= 0) {  // the sum of interpolate_pixel, in its order
      const float* w = a.barycentrics + 3 * pixel;
      const std::int32_t* row = a.index + 3 * std::int64_t{face};
      const float* base = a.attributes + image * a.attribute_stride + channel;
      value = (w[0] * base[row[0] * a.channels] + w[1] * base[row[1] * a.channels]) + w[2] * base[row[2] * a.channels];
    }
    a.out[pixel * a.channels + channel] = value;
  }
}

void interpolate_cuda(const InterpolateArgs& args, Stream stream) {
  if (args.batch * args.pixels * args.channels == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  interpolate_values<<<cuda::image_grid(args.pixels * args.channels, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching interpolate");
}

__global__ void __launch_bounds__(kThreads) compute_normals(NormalsArgs a) {
  const unsigned vertex = blockIdx.x * kThreads + threadIdx.x;
  if (vertex >= a.vertices) return;
  for (std::int64_t image = blockIdx.y; image < a.batch; image += gridDim.y) vertex_normal(a, image, vertex);
}

void normals_cuda(const NormalsArgs& args, Stream stream) {
  if (args.batch * args.vertices == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  compute_normals<<<cuda::image_grid(args.vertices, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching vertex_normals");
}

const Register<InterpolateFn> registered_interpolate(interpolate_table().cuda, interpolate_cuda);
const Register<NormalsFn> registered_normals(vertex_normals_table().cuda, normals_cuda);

}  // namespace
}  // namespace forge_rt::interpolation
