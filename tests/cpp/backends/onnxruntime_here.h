// Tests that need ONNX Runtime begin with: if (no_onnxruntime()) return;
#pragma once

#include <cstdio>
#include <utility>

#include "check.h"
#include "forge_rt/backends/backend.h"

namespace forge_rt::testing {

/// The library is not part of the build: FORGE_RT_ORT_LIBRARY names it. True where it was not found; the test program then counts as skipped, and says why once.
inline bool no_onnxruntime() {
  try {
    (void)runtime_info();
    return false;
  } catch (const Error& error) {
    skipped() = true;
    static bool told = false;
    if (!std::exchange(told, true)) std::printf("skip all that needs a network: %s\n", error.what());
    return true;
  }
}

}  // namespace forge_rt::testing
