// orthographic_view, orthographic_positions: one thread per point. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/neural_views_table.h"

namespace forge_rt::views {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) view_points(ViewArgs a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < a.count) view_point(a, i);
}

void view_cuda(const ViewArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  view_points<<<cuda::blocks_for(args.count, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching orthographic_view");
}

const Register<ViewFn> registered(view_table().cuda, view_cuda);

}  // namespace
}  // namespace forge_rt::views
