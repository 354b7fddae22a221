// Fills cuda_device_api(): what core knows of CUDA goes through here. Also the error sentences and the device guard.
#include "forge_rt/core/device.h"

#include <iomanip>

#include "launch.h"

namespace forge_rt::cuda {
namespace {

// "13.0" from 13000.
std::string version_str(int version) { return concat(version / 1000, ".", version % 1000 / 10); }

// Why there are no devices. `result` is what cudaGetDeviceCount said.
std::string no_device_reason(cudaError_t result, const CudaStatus& status) {
  switch (result) {
    case cudaSuccess:
    case cudaErrorNoDevice: return "the NVIDIA driver shows no CUDA device to this process; check `nvidia-smi` and CUDA_VISIBLE_DEVICES";
    case cudaErrorInsufficientDriver:
      if (status.driver_version == 0)
        return concat("no NVIDIA driver was found on this machine; install one that supports CUDA ", version_str(status.runtime_version));
      return concat("the NVIDIA driver supports CUDA ", version_str(status.driver_version), " and this build needs ",
                    version_str(status.runtime_version), "; update the driver");
    case cudaErrorInitializationError: return "CUDA cannot start in this process; after a fork it never can, so start workers with 'spawn'";
    default: return concat("CUDA cannot start: ", cudaGetErrorString(result), " (", cudaGetErrorName(result), "); check `nvidia-smi`");
  }
}

CudaStatus status() {
  CudaStatus status;
  status.built = true;
  if (cudaRuntimeGetVersion(&status.runtime_version) != cudaSuccess) status.runtime_version = 0;
  if (cudaDriverGetVersion(&status.driver_version) != cudaSuccess) status.driver_version = 0;
  int count = 0;  // left alone by a call that fails
  const cudaError_t result = cudaGetDeviceCount(&count);
  status.device_count = result == cudaSuccess ? count : 0;
  if (status.device_count == 0) status.reason = no_device_reason(result, status);
  cudaGetLastError();
  return status;
}

std::string device_name(int index) {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, index), "reading device properties");
  const double gib = static_cast<double>(properties.totalGlobalMem) / (1 << 30);
  return concat(properties.name, " (sm_", properties.major, properties.minor, ", ", std::fixed, std::setprecision(1), gib, " GiB)");
}

// Plain allocations. cudaFree waits for the device, so a tensor may be dropped while any stream still reads it (docs/design/cuda.md).
void* allocate(int index, std::size_t bytes) {
  const DeviceGuard guard(index);
  void* pointer = nullptr;
  const cudaError_t result = cudaMalloc(&pointer, bytes);
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check_cuda(result, "allocating device memory");
  return pointer;
}

void release(int index, void* pointer) noexcept {
  // No guard: nothing here may throw, and during process exit every call may fail because the driver has gone, memory included.
  int previous = index;
  const bool known = cudaGetDevice(&previous) == cudaSuccess;
  if (previous != index) cudaSetDevice(index);
  cudaFree(pointer);
  if (known && previous != index) cudaSetDevice(previous);
  cudaGetLastError();
}

void copy(void* destination, Device to, const void* source, Device from, std::size_t bytes, void* stream) {
  const DeviceGuard guard(to.is_cuda() ? to.index : from.index);
  const cudaMemcpyKind kind = from.is_cpu() ? cudaMemcpyHostToDevice : to.is_cpu() ? cudaMemcpyDeviceToHost : cudaMemcpyDefault;
  check_cuda(cudaMemcpyAsync(destination, source, bytes, kind, static_cast<cudaStream_t>(stream)), "copying memory");
}

void fill_zero(int index, void* pointer, std::size_t bytes, void* stream) {
  const DeviceGuard guard(index);
  check_cuda(cudaMemsetAsync(pointer, 0, bytes, static_cast<cudaStream_t>(stream)), "filling memory");
}

void synchronize_stream(int index, void* stream) {
  const DeviceGuard guard(index);
  check_cuda(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "waiting for a stream");
}

[[maybe_unused]] const bool registered = [] {
  cuda_device_api() = {status, device_name, allocate, release, copy, fill_zero, synchronize_stream};
  return true;
}();

}  // namespace

ErrorCode error_code(cudaError_t result) {
  switch (result) {
    case cudaErrorMemoryAllocation: return ErrorCode::out_of_memory;
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemNotReady:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorCudartUnloading: return ErrorCode::device_unavailable;
    default: return ErrorCode::internal;
  }
}

std::string error_sentence(cudaError_t result, const char* doing) {
  const CudaStatus now = status();
  if (now.device_count == 0) return concat("CUDA failed while ", doing, ": ", now.reason, "; or use device 'cpu'");
  const std::string failure = concat("CUDA failed while ", doing, ": ", cudaGetErrorString(result), " (", cudaGetErrorName(result), ")");
  if (result == cudaErrorNoKernelImageForDevice || result == cudaErrorUnsupportedPtxVersion)
    return failure +
           "; this build has no machine code for this GPU: rebuild with its number in CMAKE_CUDA_ARCHITECTURES, or use device 'cpu'";
  switch (error_code(result)) {
    case ErrorCode::out_of_memory: return failure + "; use a smaller batch or image, or see memory_report()";
    case ErrorCode::device_unavailable: return failure + "; check `nvidia-smi`, or use device 'cpu'";
    default: return failure + "; an earlier kernel may be the cause: run again with CUDA_LAUNCH_BLOCKING=1 and please report it";
  }
}

DeviceGuard::DeviceGuard(int index) : index_(index), previous_(index) {
  check_cuda(cudaGetDevice(&previous_), "asking for the current device");
  if (index_ != previous_) check_cuda(cudaSetDevice(index_), "selecting a device");
}

DeviceGuard DeviceGuard::of(const void* pointer) {
  cudaPointerAttributes attributes{};
  check_cuda(cudaPointerGetAttributes(&attributes, pointer), "looking up a pointer");
  check_argument(attributes.type == cudaMemoryTypeDevice || attributes.type == cudaMemoryTypeManaged,
                 "a tensor that says it is on CUDA points to host memory; check how it was borrowed");
  return DeviceGuard(attributes.device);
}

DeviceGuard::~DeviceGuard() {
  if (index_ != previous_) cudaSetDevice(previous_);
}

int multiprocessor_count() {
  int device = 0, count = 0;
  check_cuda(cudaGetDevice(&device), "asking for the current device");
  check_cuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "reading a device attribute");
  return count;
}

}  // namespace forge_rt::cuda
