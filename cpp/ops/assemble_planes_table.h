// Arguments, shared arithmetic and dispatch slots of `assemble_planes`.
#pragma once

#include <string.h>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::planes {

constexpr int kPlanes = 3;

struct AssembleArgs {
  const float* statics;            // [batch or 1, 3, channels, pixels]
  const float* dynamic[kPlanes];   // [batch, channels, pixels], or null: the static plane as it is
  const float* alpha[kPlanes];     // [batch, pixels]
  void* out;                       // [batch, 3, pixels, channels]
  std::int64_t batch, channels, pixels;
  std::int64_t static_stride;      // of a sample; 0 when one serves all
  int count;                       // planes that are written, from the first
  bool half;                       // out is float16
};

using AssembleFn = void (*)(const AssembleArgs&, Stream);
OpTable<AssembleFn>& assemble_table();

// float16 bits, rounded to nearest even, as the processors' own conversions do.
FORGE_HD std::uint16_t to_half(float value) {
  std::uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  const std::uint32_t sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
  if (rest > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u | (rest >> 13 & 0x3FFu));  // NaN, made quiet
  if (rest >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);                         // rounds to infinity
  if (rest < 0x38800000u) {  // below the smallest normal half: adding 0.5 leaves its multiples of 2^-24 in the last bits
    float magnitude;
    memcpy(&magnitude, &rest, sizeof(magnitude));
    magnitude += 0.5f;
    std::uint32_t shifted;
    memcpy(&shifted, &magnitude, sizeof(shifted));
    return static_cast<std::uint16_t>(sign | (shifted - 0x3F000000u));
  }
  return static_cast<std::uint16_t>(sign | ((rest - 0x38000000u + 0xFFFu + (rest >> 13 & 1u)) >> 13));
}

FORGE_HD float blend_value(float dynamic, float fixed, float alpha) { return dynamic * alpha + fixed * (1.f - alpha); }

FORGE_HD void store_value(const AssembleArgs& a, std::int64_t index, float value) {
  if (a.half) static_cast<std::uint16_t*>(a.out)[index] = to_half(value);
  else static_cast<float*>(a.out)[index] = value;
}

// Which of three, without an address: indexed arguments of a kernel would be copied to local memory.
FORGE_HD const float* of_plane(const float* const (&pointers)[kPlanes], int plane) {
  return plane == 0 ? pointers[0] : plane == 1 ? pointers[1] : pointers[2];
}

// Channel `c` at pixel `p` of one plane.
FORGE_HD float plane_value(const AssembleArgs& a, std::int64_t b, int plane, std::int64_t c, std::int64_t p) {
  const float fixed = a.statics[b * a.static_stride + (plane * a.channels + c) * a.pixels + p];
  const float* dynamic = of_plane(a.dynamic, plane);
  if (dynamic == nullptr) return fixed;
  return blend_value(dynamic[(b * a.channels + c) * a.pixels + p], fixed, of_plane(a.alpha, plane)[b * a.pixels + p]);
}

}  // namespace forge_rt::planes
