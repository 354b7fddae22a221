// How an op finds its implementation: one table per op, one slot per path.
//
// The scalar oracle fills `scalar`; SIMD twins fill `avx2` / `avx512`; a .cu file fills `cuda` from a static Register.
// A build without CUDA or on another processor leaves those files out, and nothing else changes.
#pragma once

#include <map>
#include <string>

#include "forge_rt/core/device.h"
#include "forge_rt/core/error.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/philox.h"

namespace forge_rt {

template <class Fn>
struct OpTable {
  const char* name;
  Fn scalar = nullptr, avx2 = nullptr, avx512 = nullptr, cuda = nullptr;

  /// "scalar", "avx2", "avx512" or "cuda": the slot that select() would take.
  const char* path(Device device) const {
    if (device.is_cuda()) return "cuda";
    if (active_isa() >= Isa::avx512 && avx512 != nullptr) return "avx512";
    if (active_isa() >= Isa::avx2 && avx2 != nullptr) return "avx2";
    return "scalar";
  }

  Fn select(Device device) const {
    if (device.is_cuda()) {
      check(cuda != nullptr, ErrorCode::unsupported, "op '", name, "' has no CUDA kernel in this build; move its inputs to the CPU");
      return cuda;
    }
    if (active_isa() >= Isa::avx512 && avx512 != nullptr) return avx512;
    if (active_isa() >= Isa::avx2 && avx2 != nullptr) return avx2;
    return scalar;
  }
};

/// Fills a slot during static initialisation.
template <class Fn>
struct Register {
  Register(Fn& slot, Fn function) { slot = function; }
};

struct RandomUniformArgs {
  RandomKey key;
  float* out;
  std::int64_t count;
};
using RandomUniformFn = void (*)(const RandomUniformArgs&, Stream);
OpTable<RandomUniformFn>& random_uniform_table();

}  // namespace forge_rt
