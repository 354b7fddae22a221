// head_lbs, scalar: the oracle and the fallback.
#include <vector>

#include "forge_rt/core/thread_pool.h"
#include "head_lbs_table.h"

namespace forge_rt::head {
namespace {

constexpr int kLane = 16;

void lbs_scalar(const LbsArgs& a, Stream) {
  parallel_for(a.groups, [&](std::int64_t g) {
    const float* panel = a.panels + g * a.components * 3 * kLane;
    for (std::int64_t b = 0; b < a.batch; ++b) {
      for (int lane = 0; lane < kLane && g * kLane + lane < a.vertex_count; ++lane) {
        float p[3];
        for (int axis = 0; axis < 3; ++axis) {
          float sum = 0.f;
          for (std::int64_t i = 0; i < a.active_count; ++i) {
            const std::int64_t c = a.active[i];
            sum += a.coefficients[c * a.stride + b] * panel[(c * 3 + axis) * kLane + lane];
          }
          p[axis] = a.template_soa[(g * 3 + axis) * kLane + lane] + sum;  // last: small terms first keep their digits
        }
        float m[12] = {};  // blended transform
        for (std::int64_t j = 0; j < a.joints; ++j) {
          const float w = a.weights_soa[(g * a.joints + j) * kLane + lane];
          for (int i = 0; i < 12; ++i) m[i] += w * a.transforms[(b * a.joints + j) * 12 + i];
        }
        float* out = a.vertices + (b * a.vertex_count + g * kLane + lane) * 3;
        for (int i = 0; i < 3; ++i) out[i] = m[4 * i] * p[0] + m[4 * i + 1] * p[1] + m[4 * i + 2] * p[2] + m[4 * i + 3];
      }
    }
  });
}

const Register<LbsFn> registered(lbs_table().scalar, lbs_scalar);

}  // namespace
}  // namespace forge_rt::head
