// CUDA errors as forge_rt::Error.
#pragma once

#include <cuda_runtime_api.h>

#include "forge_rt/core/error.h"

namespace forge_rt::cuda {

/// Stable code of a CUDA error: device_unavailable, out_of_memory or internal.
ErrorCode error_code(cudaError_t result);

/// One sentence: what failed and what to try. `doing` completes "CUDA failed while …".
std::string error_sentence(cudaError_t result, const char* doing);

/// Throws unless `result` is cudaSuccess, and clears the error so that the next call does not see it again.
inline void check_cuda(cudaError_t result, const char* doing) {
  if (result == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();
  throw Error(error_code(result), error_sentence(result, doing));
}

}  // namespace forge_rt::cuda
