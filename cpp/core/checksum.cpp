#include "core/checksum.h"

#include <algorithm>
#include <array>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define FORGE_RT_SSE2
#endif

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
// Bytes until the sums have to be reduced to stay below 2^32 (RFC 1950: 5552), in whole rows of lanes.
constexpr std::size_t kAdlerBlock = 5552 / kLanes * kLanes;

struct AdlerSums {
  std::uint64_t total;     // of the bytes
  std::uint64_t weighted;  // each byte times its distance from the end: the last one counts once
};

/// Sums over whole rows of 16 bytes, at most kAdlerBlock.
AdlerSums adler_sums(const std::uint8_t* p, std::size_t bytes) {
#ifdef FORGE_RT_SSE2
  const __m128i zero = _mm_setzero_si128();
  const __m128i low_weights = _mm_setr_epi16(16, 15, 14, 13, 12, 11, 10, 9), high_weights = _mm_setr_epi16(8, 7, 6, 5, 4, 3, 2, 1);
  __m128i totals = zero, earlier = zero, in_row = zero;  // `earlier`: totals of the rows before, summed over the rows
  for (std::size_t i = 0; i < bytes; i += kLanes) {
    const __m128i row = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i));
    earlier = _mm_add_epi32(earlier, totals);
    totals = _mm_add_epi32(totals, _mm_sad_epu8(row, zero));
    in_row = _mm_add_epi32(in_row, _mm_madd_epi16(_mm_unpacklo_epi8(row, zero), low_weights));
    in_row = _mm_add_epi32(in_row, _mm_madd_epi16(_mm_unpackhi_epi8(row, zero), high_weights));
  }
  const auto sum = [](__m128i v) {
    alignas(16) std::uint32_t lanes[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(lanes), v);
    return std::uint64_t{lanes[0]} + lanes[1] + lanes[2] + lanes[3];
  };
  return {sum(totals), kLanes * sum(earlier) + sum(in_row)};
#else
  // The two sums of each of 16 columns, which compilers keep in vectors.
  std::uint32_t totals[kLanes] = {}, earlier[kLanes] = {};
  for (std::size_t i = 0; i < bytes; i += kLanes)
    for (int k = 0; k < kLanes; ++k) {
      earlier[k] += totals[k];
      totals[k] += p[i + k];
    }
  AdlerSums sums{};
  for (int k = 0; k < kLanes; ++k) {
    sums.total += totals[k];
    sums.weighted += std::uint64_t{kLanes} * earlier[k] + std::uint64_t(kLanes - k) * totals[k];
  }
  return sums;
#endif
}

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
    const AdlerSums sums = adler_sums(p, block);
    b = static_cast<std::uint32_t>((b + std::uint64_t{a} * block + sums.weighted) % kAdlerModulus);
    a = static_cast<std::uint32_t>((a + sums.total) % kAdlerModulus);
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
