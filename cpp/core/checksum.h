// The two checksums of PNG, zlib and zip files.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forge_rt {

/// CRC-32 of ISO 3309 (reflected polynomial 0xEDB88320). To continue, pass the value returned so far.
std::uint32_t crc32(const void* data, std::size_t bytes, std::uint32_t crc = 0);

/// Adler-32 of RFC 1950. To continue, pass the value returned so far.
std::uint32_t adler32(const void* data, std::size_t bytes, std::uint32_t adler = 1);

}  // namespace forge_rt
