// Memory with a purpose: every buffer names what it is for, so that a report can say where the bytes went.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "forge_rt/core/device.h"

namespace forge_rt {

/// 64-byte aligned memory on one device, freed with the last reference. Never throws from its destructor.
class FORGE_RT_API Storage {
 public:
  /// Throws out_of_memory (naming purpose, size and device) or device_unavailable. Contents are undefined.
  static std::shared_ptr<Storage> allocate(Device device, std::size_t bytes, const char* purpose);
  /// Wraps memory of somebody else; `release` (may be empty) runs with the last reference.
  static std::shared_ptr<Storage> borrow(Device device, void* data, std::size_t bytes, std::shared_ptr<void> keep_alive);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  Storage() = default;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_;
  int purpose_ = -1;                 // row of the report; -1 = borrowed, not counted
  std::shared_ptr<void> keep_alive_;
};

struct MemoryUse {
  std::string purpose;
  Device device;
  std::size_t current_bytes = 0;
  std::size_t peak_bytes = 0;
  std::uint64_t allocations = 0;     ///< since the process started
};

/// One row per (purpose, device kind), largest current use first. Thread-safe.
FORGE_RT_API std::vector<MemoryUse> memory_report();

}  // namespace forge_rt
