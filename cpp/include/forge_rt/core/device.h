// Devices, streams and what each device is able to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "forge_rt/export.h"

namespace forge_rt {

enum class DeviceType : int { cpu = 1, cuda = 2 };  // the numbers of DLPack

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;

  bool is_cpu() const { return type == DeviceType::cpu; }
  bool is_cuda() const { return type == DeviceType::cuda; }
  bool operator==(const Device&) const = default;
  /// "cpu" or "cuda:N".
  FORGE_RT_API std::string str() const;
  /// Reads "cpu", "cuda" (= "cuda:0") or "cuda:N". Throws invalid_argument for anything else and
  /// device_unavailable, with the reason, for a CUDA device that this process cannot use.
  FORGE_RT_API static Device parse(const std::string& text);
};

/// Where device work is queued. A CPU stream has no handle and all calls on it finish before they return.
/// For CUDA `handle` is a cudaStream_t (null = the legacy default stream). Streams are borrowed, never owned.
struct Stream {
  Device device;
  void* handle = nullptr;
};

/// What the CUDA side of this build looks like from here.
struct CudaStatus {
  bool built = false;       ///< the library contains CUDA code
  int device_count = 0;     ///< usable devices
  int driver_version = 0;   ///< as the driver says it, e.g. 13000; 0 without a driver
  int runtime_version = 0;  ///< of the CUDA runtime in the library, e.g. 13000; 0 when not built
  std::string reason;       ///< why device_count is 0; empty when it is not
};
FORGE_RT_API CudaStatus cuda_status();

/// Name and compute capability of CUDA device `index`, e.g. "NVIDIA H200 (sm_90, 139.8 GiB)".
FORGE_RT_API std::string cuda_device_name(int index);

/// Copies `bytes` between any two devices on `stream`; for a CPU stream, or with host memory on either side, the copy has finished on return.
FORGE_RT_API void copy_bytes(void* destination, Device destination_device, const void* source, Device source_device, std::size_t bytes,
                             Stream stream);

/// Waits for all work on `stream`. No-op on the CPU.
FORGE_RT_API void synchronize(Stream stream);

/// The functions the CUDA part of the build registers (cuda/core/device.cu). Null members: built without CUDA.
struct DeviceApi {
  CudaStatus (*status)() = nullptr;
  std::string (*device_name)(int index) = nullptr;
  void* (*allocate)(int index, std::size_t bytes) = nullptr;  // null on failure
  void (*release)(int index, void* pointer) noexcept = nullptr;
  void (*copy)(void* destination, Device to, const void* source, Device from, std::size_t bytes, void* stream) = nullptr;
  void (*fill_zero)(int index, void* pointer, std::size_t bytes, void* stream) = nullptr;
  void (*synchronize)(int index, void* stream) = nullptr;
};
DeviceApi& cuda_device_api();

}  // namespace forge_rt
