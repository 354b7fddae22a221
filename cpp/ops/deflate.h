// A fast deflate (RFC 1951) for pictures: runs, literals and a Huffman code for each block.
//
// Problem: a general match finder looks for repeats at any distance. In filtered pictures nearly all of them are runs of
//          one byte, and finding those takes no hash table.
// Idea:    one vector comparison per 16 bytes marks bytes equal to their predecessor; runs are read off the bit mask. The
//          codes come from the exact counts; runs that cost more than their bytes become literals, with the codes made anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace forge_rt {

/// Bits into bytes, first bit lowest. `next` must have room for what is put plus 8 bytes.
struct BitWriter {
  std::uint8_t* next;
  std::uint64_t bits = 0;
  unsigned count = 0;  ///< valid bits; below 8 after flush()

  void put(std::uint64_t value, unsigned width) {
    bits |= value << count;
    count += width;
  }
  /// Writes whole bytes. Between two flushes at most 56 bits may be put.
  void flush() {
    for (int k = 0; k < 8; ++k) next[k] = static_cast<std::uint8_t>(bits >> (8 * k));  // one store on little-endian processors
    next += count >> 3;
    bits >>= count & ~7u;
    count &= 7;
  }
  /// Fills the last byte with zeros.
  void align() {
    flush();
    if (count > 0) *next++ = static_cast<std::uint8_t>(bits);
    bits = count = 0;
  }
};

constexpr std::size_t kDeflateSlack = 4;

/// Most bytes that deflate_block can write for `bytes` of input, the writer's slack included.
constexpr std::size_t deflate_bound(std::size_t bytes) { return bytes + (bytes / 65535 + 1) * 5 + 64; }

/// Appends one deflate block (several stored ones where those are smaller). bytes < 2^31; kDeflateSlack bytes behind the data
/// must be readable, their values do not matter.
void deflate_block(BitWriter& out, const std::uint8_t* data, std::size_t bytes, bool last);

/// Lengths of an optimal prefix code, shortened where needed so that none exceeds `max_bits`; 0 for symbols that do not occur.
/// A lone symbol gets one bit. `symbols` <= 288, and at most 2^max_bits of them may occur.
void huffman_lengths(const std::uint32_t* counts, int symbols, int max_bits, std::uint8_t* lengths);

/// The canonical codes of RFC 1951 §3.2.2 for these lengths, bit-reversed as they are written.
void huffman_codes(const std::uint8_t* lengths, int symbols, std::uint16_t* codes);

}  // namespace forge_rt
