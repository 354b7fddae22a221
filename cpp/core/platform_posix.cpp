#include <sched.h>
#include <unistd.h>

#include <thread>

#include "platform.h"

namespace forge_rt::platform {

long process_id() { return static_cast<long>(getpid()); }

int usable_cores() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace forge_rt::platform
