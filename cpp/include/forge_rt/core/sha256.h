// SHA-256 (FIPS 180-4), for the hashes in bundles, shards and manifests. Uses the SHA extensions of x86 where the processor has
// them; FORGE_RT_ISA=baseline takes the plain path.
#pragma once

#include <cstdint>
#include <string>

#include "forge_rt/export.h"

namespace forge_rt {

class FORGE_RT_API Sha256 {
 public:
  void update(const void* data, std::size_t bytes);
  std::string hex();  ///< 64 lower-case digits; the object is spent afterwards

 private:
  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::uint8_t buffer_[64] = {};
  std::uint64_t length_ = 0;
};

FORGE_RT_API std::string sha256_hex(const void* data, std::size_t bytes);

}  // namespace forge_rt
