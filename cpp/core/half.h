// Scalar conversions of the 16-bit float formats.
#pragma once

#include <bit>
#include <cstdint>

namespace forge_rt {

inline float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = std::uint32_t{h & 0x8000u} << 16;
  const std::uint32_t rest = h & 0x7FFFu;
  if (rest >= 0x7C00u) return std::bit_cast<float>(sign | 0x7F800000u | ((rest & 0x3FFu) << 13));  // infinity, NaN
  if (rest < 0x0400u) return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(rest) * 0x1p-24f));  // subnormal
  return std::bit_cast<float>(sign | ((rest << 13) + 0x38000000u));
}

inline float bfloat16_to_float(std::uint16_t h) { return std::bit_cast<float>(std::uint32_t{h} << 16); }

}  // namespace forge_rt
