// interpolate: one thread per output value, channels fastest, so that reads and writes coalesce for any channel count.
// vertex_normals: one thread per vertex gathers its triangles, so no atomics and the CPU's order of sums.
// Both bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/interpolate_table.h"

namespace forge_rt::interpolation {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) interpolate_values(InterpolateArgs a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.batch * a.pixels * a.channels) return;
  const std::int64_t pixel = i / a.channels, channel = i % a.channels;
  const std::int32_t face = a.face[pixel];
  if (face < 0) {
    a.out[i] = 0.f;
    return;
  }

  // The sum of interpolate_pixel, in its order.
  const float* w = a.barycentrics + 3 * pixel;
  const std::int32_t* row = a.index + 3 * std::int64_t{face};
  const float* base = a.attributes + pixel / a.pixels * a.attribute_stride + channel;
  a.out[i] = (w[0] * base[row[0] * a.channels] + w[1] * base[row[1] * a.channels]) + w[2] * base[row[2] * a.channels];
}

void interpolate_cuda(const InterpolateArgs& args, Stream stream) {
  const std::int64_t values = args.batch * args.pixels * args.channels;
  if (values == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  interpolate_values<<<cuda::blocks_for(values, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching interpolate");
}

__global__ void __launch_bounds__(kThreads) compute_normals(NormalsArgs a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < a.batch * a.vertices) vertex_normal(a, i / a.vertices, i % a.vertices);
}

void normals_cuda(const NormalsArgs& args, Stream stream) {
  if (args.batch * args.vertices == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  compute_normals<<<cuda::blocks_for(args.batch * args.vertices, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching vertex_normals");
}

const Register<InterpolateFn> registered_interpolate(interpolate_table().cuda, interpolate_cuda);
const Register<NormalsFn> registered_normals(vertex_normals_table().cuda, normals_cuda);

}  // namespace
}  // namespace forge_rt::interpolation
