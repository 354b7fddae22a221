#include "scratch.h"

#include <mutex>
#include <vector>

#include "check.h"

namespace forge_rt::cuda {
namespace {

constexpr unsigned long long kKeptBytes = 256ull << 20;  // more than this goes back to the system at the next synchronisation

cudaMemPool_t create_pool(int device) {
  int supported = 0;
  if (cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, device) != cudaSuccess || !supported) return nullptr;
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  cudaMemPool_t pool = nullptr;
  if (cudaMemPoolCreate(&pool, &properties) != cudaSuccess) return nullptr;
  unsigned long long kept = kKeptBytes;
  cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &kept);
  return pool;
}

// Null: this device has none. Pools are never destroyed, since the driver may unload before our static objects do.
cudaMemPool_t pool_of(int device) {
  struct Entry {
    bool asked = false;
    cudaMemPool_t pool = nullptr;
  };
  static std::mutex mutex;
  static auto* entries = new std::vector<Entry>;
  const std::lock_guard lock(mutex);
  if (entries->size() <= static_cast<std::size_t>(device)) entries->resize(device + 1);
  Entry& entry = (*entries)[device];
  if (!entry.asked) entry = {true, create_pool(device)};
  cudaGetLastError();
  return entry.pool;
}

}  // namespace

ScratchBlock::ScratchBlock(std::size_t bytes, cudaStream_t stream, const char* purpose) : stream_(stream) {
  if (bytes == 0) return;
  int device = 0;
  check_cuda(cudaGetDevice(&device), "asking for the current device");
  cudaMemPool_t pool = pool_of(device);
  pooled_ = pool != nullptr;
  const cudaError_t result = pooled_ ? cudaMallocFromPoolAsync(&data_, bytes, pool, stream) : cudaMalloc(&data_, bytes);
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw Error(ErrorCode::out_of_memory, concat("no memory for '", purpose, "': ", bytes, " bytes on cuda:", device,
                                                 "; use a smaller batch or image, or see memory_report()"));
  }
  check_cuda(result, "allocating scratch memory");
}

ScratchBlock::~ScratchBlock() {
  if (data_ == nullptr) return;
  const cudaError_t result = pooled_ ? cudaFreeAsync(data_, stream_) : cudaFree(data_);
  if (result != cudaSuccess) cudaGetLastError();
}

}  // namespace forge_rt::cuda
