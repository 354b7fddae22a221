// One spelling for functions that the CPU twin and the CUDA kernel share.
#pragma once
#if defined(__CUDACC__)
#define FORGE_HD __host__ __device__ __forceinline__
#else
#define FORGE_HD [[maybe_unused]] static inline
#endif
