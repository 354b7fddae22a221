#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "platform.h"

namespace forge_rt::platform {

long process_id() { return static_cast<long>(GetCurrentProcessId()); }

int usable_cores() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return static_cast<int>(info.dwNumberOfProcessors);
}

}  // namespace forge_rt::platform
