// Arguments, shared arithmetic and dispatch slots of `bias_act`.
#pragma once

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::activation {

struct BiasActArgs {
  const float* x;     // [rows, inner]
  const float* bias;  // [channels] or null
  float* out;         // [rows, inner], may be x
  std::int64_t rows, channels, inner;  // row r has channel r % channels
  float slope, gain, clamp;            // slope 1: linear; clamp < 0: none
};

using BiasActFn = void (*)(const BiasActArgs&, Stream);
OpTable<BiasActFn>& bias_act_table();

FORGE_HD float bias_act_value(const BiasActArgs& a, float x, float bias) {
  const float v = x + bias;
  const float y = (v > 0.f ? v : v * a.slope) * a.gain;
  if (a.clamp < 0.f) return y;
  return y < -a.clamp ? -a.clamp : y > a.clamp ? a.clamp : y;
}

}  // namespace forge_rt::activation
