// Device memory for the length of one op call.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <type_traits>

namespace forge_rt::cuda {

/// Taken and given back in stream order, from a pool of ours per device that keeps its memory: no call here waits for the GPU.
/// Devices without memory pools fall back to cudaMalloc / cudaFree, which do. Not part of memory_report().
class ScratchBlock {
 public:
  /// On the current device. Throws out_of_memory, naming purpose and size.
  ScratchBlock(std::size_t bytes, cudaStream_t stream, const char* purpose);
  ~ScratchBlock();
  ScratchBlock(const ScratchBlock&) = delete;
  ScratchBlock& operator=(const ScratchBlock&) = delete;
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
  cudaStream_t stream_;
  bool pooled_ = false;
};

template <class T>
class Scratch {
 public:
  Scratch(std::size_t count, cudaStream_t stream, const char* purpose) : block_(count * sizeof(T), stream, purpose) {
    static_assert(std::is_trivially_destructible_v<T>);
  }
  T* data() const { return static_cast<T*>(block_.data()); }

 private:
  ScratchBlock block_;
};

}  // namespace forge_rt::cuda
