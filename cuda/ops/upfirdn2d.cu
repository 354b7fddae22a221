// upfirdn2d: one thread per output value; neighbours in a warp read neighbours of the image. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/upfirdn2d_table.h"

namespace forge_rt::upfirdn {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) filter_values(UpfirdnArgs a) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, width = static_cast<unsigned>(a.ax.out);
  if (i >= width * static_cast<unsigned>(a.ay.out)) return;
  const std::int64_t in = static_cast<std::int64_t>(a.ay.in) * a.ax.in, out = static_cast<std::int64_t>(a.ay.out) * a.ax.out;
  for (std::int64_t plane = blockIdx.y; plane < a.planes; plane += gridDim.y)
    a.out[plane * out + i] = upfirdn_value(a, a.x + plane * in, static_cast<int>(i % width), static_cast<int>(i / width));
}

void upfirdn_cuda(const UpfirdnArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  const dim3 grid = cuda::image_grid(static_cast<std::int64_t>(args.ay.out) * args.ax.out, args.planes, kThreads);
  filter_values<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching upfirdn2d");
}

const Register<UpfirdnFn> registered(upfirdn_table().cuda, upfirdn_cuda);

}  // namespace
}  // namespace forge_rt::upfirdn
