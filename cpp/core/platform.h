// Everything that differs between operating systems; implemented in platform_posix.cpp and platform_windows.cpp.
#pragma once

#include <string>

namespace forge_rt::platform {

long process_id();
int usable_cores();  ///< respects the affinity mask

}  // namespace forge_rt::platform
