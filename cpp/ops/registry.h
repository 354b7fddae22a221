// All ops by name, for reports: which path would each of them take?
#pragma once

#include <string>
#include <vector>

#include "forge_rt/core/device.h"

namespace forge_rt {

struct OpPath {
  std::string name;
  std::string path;  ///< "scalar", "avx2", "avx512", "cuda", or "missing" when the build has no kernel for the device
};
FORGE_RT_API std::vector<OpPath> op_paths(Device device);

}  // namespace forge_rt
