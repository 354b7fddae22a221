// Value noise on the template position, so that textures stick to the skin under every identity and expression.
#pragma once

#include <cstdint>

#include "vec3.h"

namespace forge_rt {

FORGE_HD float lattice(std::int32_t x, std::int32_t y, std::int32_t z, std::uint32_t seed) {
  std::uint32_t h = seed ^ (static_cast<std::uint32_t>(x) * 0x8da6b343u) ^ (static_cast<std::uint32_t>(y) * 0xd8163841u) ^
                    (static_cast<std::uint32_t>(z) * 0xcb1ab31fu);
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return static_cast<float>((h ^ (h >> 16)) >> 8) * 0x1p-24f;
}

FORGE_HD float fade(float t) { return t * t * (3.f - 2.f * t); }

/// Smooth noise in [0, 1) with features of size 1.
FORGE_HD float value_noise(Vec3 p, std::uint32_t seed) {
  const float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
  const auto x = static_cast<std::int32_t>(fx), y = static_cast<std::int32_t>(fy), z = static_cast<std::int32_t>(fz);
  const float u = fade(p.x - fx), v = fade(p.y - fy), w = fade(p.z - fz);
  float plane[2];
  for (int k = 0; k < 2; ++k) {
    const float low = mix(lattice(x, y, z + k, seed), lattice(x + 1, y, z + k, seed), u);
    const float high = mix(lattice(x, y + 1, z + k, seed), lattice(x + 1, y + 1, z + k, seed), u);
    plane[k] = mix(low, high, v);
  }
  return mix(plane[0], plane[1], w);
}

/// The same in two dimensions, half the work.
FORGE_HD float value_noise(float px, float py, std::uint32_t seed) {
  const float fx = floorf(px), fy = floorf(py);
  const auto x = static_cast<std::int32_t>(fx), y = static_cast<std::int32_t>(fy);
  const float u = fade(px - fx);
  return mix(mix(lattice(x, y, 0, seed), lattice(x + 1, y, 0, seed), u), mix(lattice(x, y + 1, 0, seed), lattice(x + 1, y + 1, 0, seed), u),
             fade(py - fy));
}

}  // namespace forge_rt
