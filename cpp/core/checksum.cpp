#include "core/checksum.h"

#include <algorithm>
#include <array>

namespace forge_rt {
namespace {

// Slicing: table k holds the CRC of a byte followed by k zero bytes, so that 16 bytes need 16 independent look-ups.
constexpr int kSlices = 16;

constexpr std::array<std::array<std::uint32_t, 256>, kSlices> crc_tables() {
  std::array<std::array<std::uint32_t, 256>, kSlices> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    tables[0][byte] = crc;
  }
  for (int k = 1; k < kSlices; ++k)
    for (int byte = 0; byte < 256; ++byte) tables[k][byte] = (tables[k - 1][byte] >> 8) ^ tables[0][tables[k - 1][byte] & 0xFF];
  return tables;
}
constexpr auto kCrc = crc_tables();

constexpr std::uint32_t kAdlerModulus = 65521;
constexpr int kLanes = 16;
// Bytes until the second sum has to be reduced to stay below 2^32 (RFC 1950: 5552), in whole rows of lanes.
constexpr std::size_t kAdlerBlock = 5552 / kLanes * kLanes;

}  // namespace

std::uint32_t crc32(const void* data, std::size_t bytes, std::uint32_t crc) {
  const auto* p = static_cast<const std::uint8_t*>(data);
  crc = ~crc;
  for (; bytes >= kSlices; bytes -= kSlices, p += kSlices) {
    std::uint32_t next = 0;
    for (int i = 4; i < kSlices; ++i) next ^= kCrc[kSlices - 1 - i][p[i]];
    for (int i = 0; i < 4; ++i) next ^= kCrc[kSlices - 1 - i][p[i] ^ ((crc >> (8 * i)) & 0xFF)];
    crc = next;
  }
  for (; bytes > 0; --bytes, ++p) crc = (crc >> 8) ^ kCrc[0][(crc ^ *p) & 0xFF];
  return ~crc;
}

std::uint32_t adler32(const void* data, std::size_t bytes, std::uint32_t adler) {
  const auto* p = static_cast<const std::uint8_t*>(data);
  std::uint32_t a = adler & 0xFFFF, b = adler >> 16;
  while (bytes >= kLanes) {
    const std::size_t block = std::min(bytes / kLanes * kLanes, kAdlerBlock);
    // Rows of 16 bytes: `sums` and `running` are the two sums of each column, which the compiler keeps in vectors.
    std::uint32_t sums[kLanes] = {}, running[kLanes] = {};
    for (std::size_t i = 0; i < block; i += kLanes)
      for (int k = 0; k < kLanes; ++k) {
        running[k] += sums[k];
        sums[k] += p[i + k];
      }
    std::uint64_t total = 0, weighted = 0;
    for (int k = 0; k < kLanes; ++k) {
      total += sums[k];
      weighted += std::uint64_t{kLanes} * running[k] + std::uint64_t(kLanes - k) * sums[k];
    }
    b = static_cast<std::uint32_t>((b + std::uint64_t{a} * block + weighted) % kAdlerModulus);
    a = static_cast<std::uint32_t>((a + total) % kAdlerModulus);
    p += block;
    bytes -= block;
  }
  for (; bytes > 0; --bytes, ++p) {
    a = (a + *p) % kAdlerModulus;
    b = (b + a) % kAdlerModulus;
  }
  return b << 16 | a;
}

}  // namespace forge_rt
