// head_lbs, SIMD: a block of 16 vertices times up to 8 heads stays in registers through the basis product and the skinning.
// Each value is one chain of fused multiply-adds in component order, whatever the batch, so a head's bytes do not depend on it.
#include <algorithm>

#include "../core/simd.h"
#include "forge_rt/core/thread_pool.h"
#include "head_lbs_table.h"

namespace forge_rt::head {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kGroup = 16;
constexpr int kParts = kGroup / kLanes;                  // vectors per axis: 1 (AVX-512) or 2 (AVX2)
constexpr int kHeads = kLanes == 16 ? 8 : 4;             // 24 or 12 accumulators

template <int kCount>
void block(const LbsArgs& a, std::int64_t group, int part, std::int64_t first) {
  const float* panel = a.panels + group * a.components * 3 * kGroup + part * kLanes;
  const float* rest = a.template_soa + group * 3 * kGroup + part * kLanes;
  Float acc[kCount][3];
  for (int h = 0; h < kCount; ++h)
    for (int axis = 0; axis < 3; ++axis) acc[h][axis] = zero_float();
  for (std::int64_t i = 0; i < a.active_count; ++i) {
    const std::int64_t c = a.active[i];
    const float* row = panel + c * 3 * kGroup;
    const float* coefficient = a.coefficients + c * a.stride + first;
    const Float x = load(row), y = load(row + kGroup), z = load(row + 2 * kGroup);
    for (int h = 0; h < kCount; ++h) {
      const Float k = set(coefficient[h]);
      acc[h][0] = fmadd(k, x, acc[h][0]);
      acc[h][1] = fmadd(k, y, acc[h][1]);
      acc[h][2] = fmadd(k, z, acc[h][2]);
    }
  }
  // The template last: small terms first keep their digits.
  for (int h = 0; h < kCount; ++h)
    for (int axis = 0; axis < 3; ++axis) acc[h][axis] = add(load(rest + axis * kGroup), acc[h][axis]);

  const float* weights = a.weights_soa + group * a.joints * kGroup + part * kLanes;
  const std::int64_t base = group * kGroup + part * kLanes;
  const int lanes = static_cast<int>(std::min<std::int64_t>(kLanes, a.vertex_count - base));
  for (int h = 0; h < kCount; ++h) {
    const float* transform = a.transforms + (first + h) * a.joints * 12;
    Float m[12];
    for (int i = 0; i < 12; ++i) m[i] = zero_float();
    for (std::int64_t j = 0; j < a.joints; ++j) {
      const Float w = load(weights + j * kGroup);
      for (int i = 0; i < 12; ++i) m[i] = fmadd(w, set(transform[12 * j + i]), m[i]);
    }
    alignas(64) float xyz[3][kLanes];
    for (int i = 0; i < 3; ++i)
      store(xyz[i], fmadd(m[4 * i], acc[h][0], fmadd(m[4 * i + 1], acc[h][1], fmadd(m[4 * i + 2], acc[h][2], m[4 * i + 3]))));
    float* out = a.vertices + ((first + h) * a.vertex_count + base) * 3;
    for (int lane = 0; lane < lanes; ++lane) {
      out[3 * lane] = xyz[0][lane];
      out[3 * lane + 1] = xyz[1][lane];
      out[3 * lane + 2] = xyz[2][lane];
    }
  }
}

template <int kCount>
void block_of(int count, const LbsArgs& a, std::int64_t group, int part, std::int64_t first) {
  if constexpr (kCount >= 1) {
    if (count == kCount) block<kCount>(a, group, part, first);
    else block_of<kCount - 1>(count, a, group, part, first);
  }
}

void lbs_simd(const LbsArgs& a, Stream) {
  parallel_for_ranges(a.groups, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t group = begin; group < end; ++group)
      for (std::int64_t first = 0; first < a.batch; first += kHeads)
        for (int part = 0; part < kParts; ++part)
          if (group * kGroup + part * kLanes < a.vertex_count)
            block_of<kHeads>(static_cast<int>(std::min<std::int64_t>(kHeads, a.batch - first)), a, group, part, first);
  });
}

const Register<LbsFn> registered(lbs_table().FORGE_RT_SIMD_NAMESPACE, lbs_simd);

}  // namespace
}  // namespace forge_rt::head
