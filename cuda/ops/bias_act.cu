// bias_act: one thread per value. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/bias_act_table.h"

namespace forge_rt::activation {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) activate_values(BiasActArgs a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.rows * a.inner) return;
  const float bias = a.bias != nullptr ? a.bias[i / a.inner % a.channels] : 0.f;
  a.out[i] = bias_act_value(a, a.x[i], bias);
}

void bias_act_cuda(const BiasActArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  activate_values<<<cuda::blocks_for(args.rows * args.inner, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching bias_act");
}

const Register<BiasActFn> registered(bias_act_table().cuda, bias_act_cuda);

}  // namespace
}  // namespace forge_rt::activation
