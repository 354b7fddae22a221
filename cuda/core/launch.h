// What every launcher needs: the right device for a scope, grid sizes, the check after a launch.
#pragma once

#include <cstdint>

#include "check.h"
#include "forge_rt/core/device.h"

namespace forge_rt::cuda {

/// Makes a device current for a scope. The destructor puts the previous one back and is quiet, also while the driver unloads.
class DeviceGuard {
 public:
  explicit DeviceGuard(int index);
  /// The device that owns `pointer`: kernels run where their output lies. Throws invalid_argument for host memory.
  static DeviceGuard of(const void* pointer);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

  int index() const { return index_; }

 private:
  int index_ = 0, previous_ = 0;
};

inline cudaStream_t to_cuda(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

/// Blocks of `threads` that cover `count` items, one item per thread.
inline unsigned blocks_for(std::int64_t count, int threads) {
  const std::int64_t blocks = (count + threads - 1) / threads;
  check(blocks <= 0x7FFFFFFF, ErrorCode::internal, "a launch of ", blocks, " blocks is beyond the grid limit");
  return static_cast<unsigned>(blocks);
}

/// Grid over `batch` images of `count` items: x and threads cover the items (32-bit indices, because 64-bit division is slow),
/// y the images. Kernels stride over the images by gridDim.y, which has a limit of 65535.
inline dim3 image_grid(std::int64_t count, std::int64_t batch, int threads) {
  check(count <= 0xFFFFFF00, ErrorCode::unsupported, "one image of ", count, " values is too large for CUDA kernels; at most 2^32 - 256");
  return {blocks_for(count, threads), static_cast<unsigned>(batch < 65535 ? batch : 65535), 1};
}

/// Multiprocessors of the current device: sizes grids whose amount of work only the device knows.
int multiprocessor_count();

/// Right after a launch. Finds wrong configurations and missing machine code; faults inside a kernel surface at the next synchronisation.
inline void check_launch(const char* kernel) { check_cuda(cudaGetLastError(), kernel); }

}  // namespace forge_rt::cuda
