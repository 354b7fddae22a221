#include "forge_rt/core/memory.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>

#include "forge_rt/core/error.h"

namespace forge_rt {
namespace {

constexpr std::size_t kAlignment = 64;  // one cache line, one AVX-512 register

// Never destroyed: storages held by other static objects may be released after static destructors ran.
struct Report {
  std::mutex mutex;
  std::vector<MemoryUse> rows;
};
Report& report() {
  static Report* instance = new Report;
  return *instance;
}

int count_allocation(Device device, std::size_t bytes, const char* purpose) {
  Report& r = report();
  const std::lock_guard lock(r.mutex);
  auto row =
      std::find_if(r.rows.begin(), r.rows.end(), [&](const MemoryUse& use) { return use.device == device && use.purpose == purpose; });
  if (row == r.rows.end()) row = r.rows.insert(r.rows.end(), MemoryUse{purpose, device});
  row->current_bytes += bytes;
  row->peak_bytes = std::max(row->peak_bytes, row->current_bytes);
  row->allocations += 1;
  return static_cast<int>(row - r.rows.begin());
}

}  // namespace

std::shared_ptr<Storage> Storage::allocate(Device device, std::size_t bytes, const char* purpose) {
  void* data = nullptr;
  if (bytes > 0) {
    if (device.is_cpu()) {
      data = ::operator new(bytes, std::align_val_t{kAlignment}, std::nothrow);
    } else {
      check(cuda_device_api().allocate != nullptr, ErrorCode::device_unavailable, cuda_status().reason);
      data = cuda_device_api().allocate(device.index, bytes);
    }
    check(data != nullptr, ErrorCode::out_of_memory, "no memory for '", purpose, "': ", bytes, " bytes on ", device.str(),
          "; use a smaller batch or image, or see memory_report()");
  }
  std::shared_ptr<Storage> storage(new Storage);
  storage->data_ = data;
  storage->bytes_ = bytes;
  storage->device_ = device;
  storage->purpose_ = count_allocation(device, bytes, purpose);
  return storage;
}

std::shared_ptr<Storage> Storage::borrow(Device device, void* data, std::size_t bytes, std::shared_ptr<void> keep_alive) {
  std::shared_ptr<Storage> storage(new Storage);
  storage->data_ = data;
  storage->bytes_ = bytes;
  storage->device_ = device;
  storage->keep_alive_ = std::move(keep_alive);
  return storage;
}

Storage::~Storage() {
  if (purpose_ < 0) return;
  {
    Report& r = report();
    const std::lock_guard lock(r.mutex);
    r.rows[purpose_].current_bytes -= bytes_;
  }
  if (data_ == nullptr) return;
  if (device_.is_cpu()) {
    ::operator delete(data_, std::align_val_t{kAlignment});
  } else {
    cuda_device_api().release(device_.index, data_);
  }
}

std::vector<MemoryUse> memory_report() {
  Report& r = report();
  std::vector<MemoryUse> rows;
  {
    const std::lock_guard lock(r.mutex);
    rows = r.rows;
  }
  std::stable_sort(rows.begin(), rows.end(), [](const MemoryUse& a, const MemoryUse& b) { return a.current_bytes > b.current_bytes; });
  return rows;
}

}  // namespace forge_rt
