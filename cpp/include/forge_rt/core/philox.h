// Counter-based random numbers: a draw is a pure function of (seed, index, purpose, attempt, position).
//
// Generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//   key     = (seed low, seed high)
//   counter = (position / 4, index low, index high 16 bits | attempt << 16, purpose)
// Nothing is stored between draws, so batch size, order, threads and devices leave every number alone (design §4).
#pragma once

#include <cstdint>
#include <string_view>

#include "forge_rt/core/host_device.h"
#include "forge_rt/core/tensor.h"
#include "forge_rt/export.h"

namespace forge_rt {

struct PhiloxBlock {
  std::uint32_t x[4];
};

/// The bare 10-round function, checked against the published known answers.
FORGE_HD PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter.x[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter.x[2];
    counter = {{static_cast<std::uint32_t>(b >> 32) ^ counter.x[1] ^ key0, static_cast<std::uint32_t>(b),
                static_cast<std::uint32_t>(a >> 32) ^ counter.x[3] ^ key1, static_cast<std::uint32_t>(a)}};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// FNV-1a of a purpose's name: "camera", "shape", "noise", … Names are part of the format: never rename one.
constexpr std::uint32_t purpose_id(std::string_view name) {
  std::uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

/// What a stream of draws belongs to.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t index = 0;     ///< sample index, < 2^48
  std::uint32_t purpose = 0;   ///< purpose_id("…")
  std::uint32_t attempt = 0;   ///< redraws inside one index, < 2^16
};

FORGE_HD PhiloxBlock philox_block(const RandomKey& key, std::uint32_t block) {
  return philox4x32({{block, static_cast<std::uint32_t>(key.index),
                      static_cast<std::uint32_t>((key.index >> 32) & 0xFFFFu) | (key.attempt << 16), key.purpose}},
                    static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.seed >> 32));
}

/// 24 random bits as a float in [0, 1): exact, so equal on every device.
FORGE_HD float uniform_from_bits(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

/// Sequential draws on the host.
class FORGE_RT_API Random {
 public:
  /// Throws invalid_argument when index or attempt is out of range.
  Random(std::uint64_t seed, std::uint64_t index, std::string_view purpose, std::uint32_t attempt = 0);

  std::uint32_t next_u32();
  float uniform_f32() { return uniform_from_bits(next_u32()); }      ///< [0, 1), 24 bits, one draw
  double uniform();                                                  ///< [0, 1), 53 bits, two draws
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();                                                   ///< N(0, 1), Box-Muller in double, four draws
  std::uint32_t below(std::uint32_t n);                              ///< unbiased integer in [0, n), n > 0

 private:
  RandomKey key_;
  PhiloxBlock block_{};
  std::uint64_t position_ = 0;  // in 32-bit words
};

/// Fills a float32 tensor of any shape with uniforms in [0, 1): element i is draw i of the key. Bit-equal on every device.
FORGE_RT_API Tensor random_uniform(const Shape& shape, const RandomKey& key, Device device = {}, Stream stream = {});

}  // namespace forge_rt
