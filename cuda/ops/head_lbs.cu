// head_lbs: one thread owns one vertex of kHeads heads through the basis product and the skinning.
//
// Each value is one chain of fused multiply-adds in component order, the chain of head_lbs_simd.cpp: equal to the AVX paths to the bit,
// within rounding of the scalar oracle (which does not fuse), and independent of the batch.
#include <algorithm>

#include "../core/launch.h"
#include "ops/head_lbs_table.h"

namespace forge_rt::head {
namespace {

constexpr int kGroup = 16;    // vertices per panel
constexpr int kThreads = 64;  // 4 panels: small blocks, because a head has only about 300 panels to spread over the device
constexpr int kHeads = 8;     // 24 accumulators; `stride` pads heads to 16, so coefficients can be read past the batch
constexpr int kStage = 64;    // components whose coefficients lie in shared memory at a time

__global__ void __launch_bounds__(kThreads) skin(LbsArgs a) {
  alignas(16) __shared__ float coefficients[kStage][kHeads];
  __shared__ std::int32_t components[kStage];

  const std::int64_t vertex = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const std::int64_t group = vertex / kGroup < a.groups ? vertex / kGroup : a.groups - 1;  // idle threads still serve the barriers
  const int lane = static_cast<int>(vertex % kGroup);
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * kHeads;

  // Rest shape plus blend shapes and pose correctives.
  const float* panel = a.panels + group * a.components * 3 * kGroup + lane;
  float position[kHeads][3] = {};
  for (std::int64_t begin = 0; begin < a.active_count; begin += kStage) {
    const int count = a.active_count - begin < kStage ? static_cast<int>(a.active_count - begin) : kStage;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += kThreads) components[i] = a.active[begin + i];
    for (int i = threadIdx.x; i < count * kHeads; i += kThreads)
      coefficients[i / kHeads][i % kHeads] = a.coefficients[a.active[begin + i / kHeads] * a.stride + first + i % kHeads];
    __syncthreads();
#pragma unroll 4
    for (int i = 0; i < count; ++i) {
      const float* row = panel + components[i] * (3 * kGroup);
      const float x = row[0], y = row[kGroup], z = row[2 * kGroup];
#pragma unroll
      for (int h = 0; h < kHeads; ++h) {
        position[h][0] = fmaf(coefficients[i][h], x, position[h][0]);
        position[h][1] = fmaf(coefficients[i][h], y, position[h][1]);
        position[h][2] = fmaf(coefficients[i][h], z, position[h][2]);
      }
    }
  }
  if (vertex >= a.vertex_count) return;

  // The template last: small terms first keep their digits.
  const float* rest = a.template_soa + group * 3 * kGroup + lane;
#pragma unroll
  for (int h = 0; h < kHeads; ++h)
    for (int axis = 0; axis < 3; ++axis) position[h][axis] = rest[axis * kGroup] + position[h][axis];

  // Blend the joint transforms and apply.
  const float* weights = a.weights_soa + group * a.joints * kGroup + lane;
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    if (first + h >= a.batch) return;
    const auto* rows = reinterpret_cast<const float4*>(a.transforms + (first + h) * a.joints * 12);
    float m[12] = {};
    for (std::int64_t j = 0; j < a.joints; ++j) {
      const float w = weights[j * kGroup];
#pragma unroll
      for (int i = 0; i < 3; ++i) {
        const float4 row = rows[3 * j + i];
        m[4 * i] = fmaf(w, row.x, m[4 * i]);
        m[4 * i + 1] = fmaf(w, row.y, m[4 * i + 1]);
        m[4 * i + 2] = fmaf(w, row.z, m[4 * i + 2]);
        m[4 * i + 3] = fmaf(w, row.w, m[4 * i + 3]);
      }
    }
    float* out = a.vertices + ((first + h) * a.vertex_count + vertex) * 3;
    for (int i = 0; i < 3; ++i)
      out[i] = fmaf(m[4 * i], position[h][0], fmaf(m[4 * i + 1], position[h][1], fmaf(m[4 * i + 2], position[h][2], m[4 * i + 3])));
  }
}

void lbs_cuda(const LbsArgs& args, Stream stream) {
  if (args.batch == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.vertices);
  constexpr std::int64_t kMaxTiles = 65535;  // grid limit in y
  for (std::int64_t head = 0; head < args.batch; head += kMaxTiles * kHeads) {
    LbsArgs part = args;
    part.batch = std::min(args.batch - head, kMaxTiles * kHeads);
    part.coefficients += head;
    part.transforms += head * args.joints * 12;
    part.vertices += head * args.vertex_count * 3;
    const dim3 grid(cuda::blocks_for(args.vertex_count, kThreads), static_cast<unsigned>((part.batch + kHeads - 1) / kHeads));
    skin<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(part);
    cuda::check_launch("launching head_lbs");
  }
}

const Register<LbsFn> registered(lbs_table().cuda, lbs_cuda);

}  // namespace
}  // namespace forge_rt::head
