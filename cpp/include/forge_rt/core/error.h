// The one exception type of the library, with codes that stay the same between releases.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

#include "forge_rt/export.h"

namespace forge_rt {

/// Stable: numbers are part of the C ABI (`frt_status` in forge_rt.h) and never change meaning.
enum class ErrorCode : int {
  ok = 0,
  invalid_argument = 1,    ///< a value, shape or dtype that the call does not take
  not_found = 2,           ///< a file, model or name that does not exist
  corrupt_file = 3,        ///< a file that is truncated, edited or not what it says it is
  unsupported = 4,         ///< valid, but this build or this op cannot do it
  device_unavailable = 5,  ///< no such device, no driver, or built without it
  out_of_memory = 6,
  io = 7,                  ///< the operating system refused a read or write
  cancelled = 8,
  internal = 9,            ///< a broken promise inside forge_rt: please report it
};

/// Lower-case name of a code, e.g. "invalid_argument". Never null.
FORGE_RT_API const char* error_code_name(ErrorCode code) noexcept;

/// `what()` is one sentence: what was expected, what came, what to try.
class FORGE_RT_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Streams all arguments into one string.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// Throws Error(code, concat(args...)) unless `condition`.
template <class... Args>
void check(bool condition, ErrorCode code, const Args&... args) {
  if (!condition) [[unlikely]]
    throw Error(code, concat(args...));
}

/// `check` for the most common code.
template <class... Args>
void check_argument(bool condition, const Args&... args) {
  if (!condition) [[unlikely]]
    throw Error(ErrorCode::invalid_argument, concat(args...));
}

}  // namespace forge_rt
