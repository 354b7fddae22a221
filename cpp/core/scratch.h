// Per-thread scratch memory that is reused from call to call, so that hot loops neither allocate nor fault new pages.
#pragma once

#include <cstddef>
#include <type_traits>

namespace forge_rt {

/// Takes blocks from this thread's arena; the destructor gives them back to the arena, not to the system.
/// Scratches of one thread nest like a stack. The arena is counted in memory_report() under "scratch arena".
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  /// 64-byte aligned, uninitialised, plus at least 64 readable bytes behind it.
  template <class T>
  T* take(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(take_bytes(count * sizeof(T)));
  }

 private:
  void* take_bytes(std::size_t bytes);
  std::size_t block_ = 0, offset_ = 0;  // arena position to return to
};

}  // namespace forge_rt
