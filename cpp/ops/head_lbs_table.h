// Dispatch slots of `head_lbs`: the heavy half, basis product and skinning.
#pragma once

#include "dispatch.h"

namespace forge_rt::head {

struct LbsArgs {
  const float* panels;        // [G, C, 3, 16]
  const float* template_soa;  // [G, 3, 16]
  const float* weights_soa;   // [G, J, 16]
  const float* coefficients;  // [C, stride]: component-major, one column per head, zero-padded
  const std::int32_t* active; // [active_count] components with a non-zero coefficient, ascending
  const float* transforms;    // [B, J, 12] rest to posed, translation included
  float* vertices;            // [B, V, 3]
  std::int64_t batch, stride, vertex_count, groups, components, active_count, joints;
};
// On CUDA every pointer is device memory.
using LbsFn = void (*)(const LbsArgs&, Stream);
OpTable<LbsFn>& lbs_table();

}  // namespace forge_rt::head
