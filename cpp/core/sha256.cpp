#include "forge_rt/core/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(FORGE_RT_X86_SIMD)
#include <cpuid.h>
#endif

#include "forge_rt/core/isa.h"
#include "sha256_blocks.h"

namespace forge_rt {
namespace {

using sha256::kRound;

void compress(std::uint32_t* state, const std::uint8_t* data) {
  std::uint32_t w[64];
  for (int i = 0; i < 16; ++i)
    w[i] = std::uint32_t{data[4 * i]} << 24 | std::uint32_t{data[4 * i + 1]} << 16 | std::uint32_t{data[4 * i + 2]} << 8 | data[4 * i + 3];
  for (int i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  std::uint32_t v[8];
  std::copy_n(state, 8, v);
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t s1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
    const std::uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + kRound[i] + w[i];
    const std::uint32_t s0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
    const std::uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    std::copy_backward(v, v + 7, v + 8);
    v[4] += t1;
    v[0] = t1 + t2;
  }
  for (int i = 0; i < 8; ++i) state[i] += v[i];
}

bool has_sha_extensions() {
#if defined(FORGE_RT_X86_SIMD)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  const bool shuffles = (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0;
  return shuffles && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_SHA) != 0;
#else
  return false;
#endif
}

void compress(std::uint32_t* state, const std::uint8_t* data, std::size_t blocks) {
#if defined(FORGE_RT_X86_SIMD)
  static const bool extensions = has_sha_extensions();
  if (extensions && active_isa() != Isa::baseline) return sha256::compress_shani(state, data, blocks);
#endif
  for (; blocks > 0; --blocks, data += 64) compress(state, data);
}

}  // namespace

void Sha256::update(const void* data, std::size_t bytes) {
  if (bytes == 0) return;
  const auto* p = static_cast<const std::uint8_t*>(data);
  const std::size_t used = length_ % 64;
  length_ += bytes;
  if (used > 0) {
    const std::size_t take = std::min(64 - used, bytes);
    std::memcpy(buffer_ + used, p, take);
    if (used + take < 64) return;
    compress(state_, buffer_, 1);
    p += take;
    bytes -= take;
  }
  compress(state_, p, bytes / 64);
  std::memcpy(buffer_, p + bytes / 64 * 64, bytes % 64);
}

std::string Sha256::hex() {
  const std::uint64_t bits = length_ * 8;
  const std::uint8_t one = 0x80, zero = 0;
  update(&one, 1);
  while (length_ % 64 != 56) update(&zero, 1);
  std::uint8_t size[8];
  for (int i = 0; i < 8; ++i) size[i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  update(size, 8);
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (const std::uint32_t word : state_)
    for (int shift = 28; shift >= 0; shift -= 4) out += digits[(word >> shift) & 15u];
  return out;
}

std::string sha256_hex(const void* data, std::size_t bytes) {
  Sha256 hash;
  hash.update(data, bytes);
  return hash.hex();
}

}  // namespace forge_rt
