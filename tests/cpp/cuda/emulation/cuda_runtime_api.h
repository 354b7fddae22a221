// Stands in for NVIDIA's header of this name: kernels become functions that run on the CPU, thread after thread.
//
// Problem: the machines that test every change have no GPU, yet index arithmetic, queues, tie rules and clipping can be wrong.
// Idea:    the kernel sources are compiled as C++ against these few names, and the CPU-against-CUDA tests run on the result. Blocks
//          and threads run in descending order, so that nothing leans on the ascending one.
// Checks the logic. Says nothing of memory ordering, races, alignment faults, speed or a GPU's arithmetic.
#pragma once

#include <barrier>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

// ---- host API, as far as cuda/ uses it (fake_runtime.cpp) ----

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInitializationError = 3,
  cudaErrorCudartUnloading = 4,
  cudaErrorInsufficientDriver = 35,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorUnsupportedPtxVersion = 222,
  cudaErrorSystemNotReady = 802,
  cudaErrorSystemDriverMismatch = 803,
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDefault = 4 };
enum cudaMemoryType { cudaMemoryTypeUnregistered, cudaMemoryTypeHost, cudaMemoryTypeDevice, cudaMemoryTypeManaged };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMemoryPoolsSupported = 115 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaMemAllocationType { cudaMemAllocationTypePinned = 1 };
enum cudaMemLocationType { cudaMemLocationTypeDevice = 1 };

using cudaStream_t = struct FakeStream*;
using cudaMemPool_t = struct FakePool*;
struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major, minor;
};
struct cudaPointerAttributes {
  cudaMemoryType type;
  int device;
};
struct cudaMemPoolProps {
  cudaMemAllocationType allocType;
  struct {
    cudaMemLocationType type;
    int id;
  } location;
};

cudaError_t cudaGetLastError();
const char* cudaGetErrorString(cudaError_t);
const char* cudaGetErrorName(cudaError_t);
cudaError_t cudaDriverGetVersion(int*);
cudaError_t cudaRuntimeGetVersion(int*);
cudaError_t cudaGetDeviceCount(int*);
cudaError_t cudaGetDevice(int*);
cudaError_t cudaSetDevice(int);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp*, int);
cudaError_t cudaDeviceGetAttribute(int*, cudaDeviceAttr, int);
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes*, const void*);
cudaError_t cudaMalloc(void**, std::size_t);
cudaError_t cudaFree(void*);
cudaError_t cudaMemPoolCreate(cudaMemPool_t*, const cudaMemPoolProps*);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*);
cudaError_t cudaMallocFromPoolAsync(void**, std::size_t, cudaMemPool_t, cudaStream_t);
cudaError_t cudaFreeAsync(void*, cudaStream_t);
cudaError_t cudaMemcpyAsync(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t);
cudaError_t cudaMemsetAsync(void*, int, std::size_t, cudaStream_t);
cudaError_t cudaStreamSynchronize(cudaStream_t);

// ---- device side ----

#define __global__
#define __device__
#define __shared__ static
#define __launch_bounds__(...)

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline thread_local uint3 threadIdx, blockIdx;
inline thread_local dim3 blockDim, gridDim;
inline thread_local std::barrier<>* emulated_barrier = nullptr;

inline void __syncthreads() { emulated_barrier->arrive_and_wait(); }
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
template <class T>
T __ldcg(const T* pointer) {
  return *pointer;
}
template <class T>
T atomicMin(T* pointer, T value) {
  const T old = *pointer;
  if (value < old) *pointer = value;
  return old;
}
template <class T>
T atomicAdd(T* pointer, T value) {
  const T old = *pointer;
  *pointer += value;
  return old;
}

// What translate.py makes of kernel<<<grid, threads, 0, stream>>>(args). Blocks with barriers run their threads as real threads.
template <class Kernel, class Args>
void emulate_launch(bool has_barriers, Kernel kernel, dim3 grid, unsigned threads, const Args& args) {
  if (grid.x == 0 || grid.y == 0 || grid.x > 0x7FFFFFFFu || grid.y > 65535 || threads == 0 || threads > 1024) std::abort();
  for (unsigned y = grid.y; y-- > 0;) {
    for (unsigned x = grid.x; x-- > 0;) {
      const auto run = [&](unsigned thread) {
        gridDim = grid;
        blockDim = dim3(threads);
        blockIdx = {x, y, 0};
        threadIdx = {thread, 0, 0};
        kernel(args);
      };
      if (!has_barriers) {
        for (unsigned thread = threads; thread-- > 0;) run(thread);
        continue;
      }
      std::barrier<> barrier(threads);
      std::vector<std::thread> team;
      for (unsigned thread = 0; thread < threads; ++thread)
        team.emplace_back([&, thread] {
          emulated_barrier = &barrier;
          run(thread);
          barrier.arrive_and_drop();  // a thread that returned early no longer holds the others up
        });
      for (std::thread& member : team) member.join();
    }
  }
}
