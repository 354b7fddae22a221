// One pretended device whose memory is the host's. Fresh memory is poisoned, so that an output nobody wrote is seen.
#include "cuda_runtime_api.h"

#include <map>
#include <mutex>

namespace {

std::mutex mutex;
std::map<char*, std::size_t> blocks;

cudaError_t take(void** pointer, std::size_t bytes) {
  *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (*pointer == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*pointer, 0xCD, bytes);
  const std::lock_guard lock(mutex);
  blocks[static_cast<char*>(*pointer)] = bytes;
  return cudaSuccess;
}

cudaError_t give_back(void* pointer) {
  const std::lock_guard lock(mutex);
  if (blocks.erase(static_cast<char*>(pointer)) == 0) return cudaErrorInvalidValue;
  std::free(pointer);
  return cudaSuccess;
}

bool is_ours(const void* pointer) {
  const std::lock_guard lock(mutex);
  auto block = blocks.upper_bound(const_cast<char*>(static_cast<const char*>(pointer)));
  if (block == blocks.begin()) return false;
  --block;
  return pointer < block->first + block->second;
}

}  // namespace

cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "emulated error"; }
const char* cudaGetErrorName(cudaError_t) { return "emulated"; }
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { return *device = 0, cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::strcpy(properties->name, "emulated on the CPU");
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? 3 : 1;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  *attributes = {is_ours(pointer) ? cudaMemoryTypeDevice : cudaMemoryTypeUnregistered, 0};
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** pointer, std::size_t bytes) { return take(pointer, bytes); }
cudaError_t cudaFree(void* pointer) { return give_back(pointer); }
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps*) {
  static char place;
  *pool = reinterpret_cast<cudaMemPool_t>(&place);
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMallocFromPoolAsync(void** pointer, std::size_t bytes, cudaMemPool_t, cudaStream_t) { return take(pointer, bytes); }
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t) { return give_back(pointer); }
cudaError_t cudaMemcpyAsync(void* destination, const void* source, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  std::memcpy(destination, source, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t) {
  std::memset(pointer, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
