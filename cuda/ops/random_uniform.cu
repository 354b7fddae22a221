// random_uniform: one Philox block, four draws, per thread. Integers and an exact scaling, so bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/dispatch.h"

namespace forge_rt {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) fill_uniform(RandomUniformArgs args) {
  const std::int64_t block = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t first = 4 * block;
  if (first >= args.count) return;

  const PhiloxBlock draws = philox_block(args.key, static_cast<std::uint32_t>(block));
  float* out = args.out + first;
  const bool aligned = reinterpret_cast<std::uintptr_t>(args.out) % sizeof(float4) == 0;
  if (aligned && first + 4 <= args.count) {
    *reinterpret_cast<float4*>(out) = make_float4(uniform_from_bits(draws.x[0]), uniform_from_bits(draws.x[1]),
                                                  uniform_from_bits(draws.x[2]), uniform_from_bits(draws.x[3]));
    return;
  }
  for (int k = 0; k < 4; ++k)
    if (first + k < args.count) out[k] = uniform_from_bits(draws.x[k]);
}

void random_uniform_cuda(const RandomUniformArgs& args, Stream stream) {
  if (args.count == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  fill_uniform<<<cuda::blocks_for((args.count + 3) / 4, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching random_uniform");
}

const Register<RandomUniformFn> registered(random_uniform_table().cuda, random_uniform_cuda);

}  // namespace
}  // namespace forge_rt
