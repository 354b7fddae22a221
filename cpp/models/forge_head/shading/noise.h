// Value noise on the template position, so that textures stick to the skin under every identity and expression.
#pragma once

#include <cstdint>

#include "vec3.h"

namespace forge_rt {

FORGE_HD std::uint32_t scramble(std::uint32_t h) {
  h = (h ^ (h >> 15)) * 0x2c1b3c6du;
  return h ^ (h >> 13);
}
FORGE_HD std::uint32_t cell_hash(std::int32_t x, std::int32_t y, std::int32_t z, std::uint32_t seed) {
  return scramble((seed * 0x9e3779b1u) ^ (static_cast<std::uint32_t>(x) * 0x8da6b343u) ^ (static_cast<std::uint32_t>(y) * 0xd8163841u) ^
                  (static_cast<std::uint32_t>(z) * 0xcb1ab31fu));
}
FORGE_HD float unit_float(std::uint32_t h) { return static_cast<float>(static_cast<std::int32_t>(h >> 8)) * 0x1p-24f; }
FORGE_HD float lattice(std::int32_t x, std::int32_t y, std::int32_t z, std::uint32_t seed) { return unit_float(cell_hash(x, y, z, seed)); }

FORGE_HD float fade(float t) { return t * t * (3.f - 2.f * t); }

/// Smooth noise in [0, 1) with features of size 1, and its gradient.
FORGE_HD float value_noise(Vec3 p, std::uint32_t seed, Vec3& slope) {
  const float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
  const auto x = static_cast<std::int32_t>(fx), y = static_cast<std::int32_t>(fy), z = static_cast<std::int32_t>(fz);
  const float px = p.x - fx, py = p.y - fy, pz = p.z - fz;
  const float u = fade(px), v = fade(py), w = fade(pz);
  const std::uint32_t x0 = static_cast<std::uint32_t>(x) * 0x8da6b343u, x1 = x0 + 0x8da6b343u,
                      y0 = static_cast<std::uint32_t>(y) * 0xd8163841u, y1 = y0 + 0xd8163841u,
                      z0 = (static_cast<std::uint32_t>(z) * 0xcb1ab31fu) ^ (seed * 0x9e3779b1u),
                      z1 = ((static_cast<std::uint32_t>(z) + 1u) * 0xcb1ab31fu) ^ (seed * 0x9e3779b1u);
  const std::uint32_t yz[4] = {y0 ^ z0, y1 ^ z0, y0 ^ z1, y1 ^ z1};
  float at[4], rise[4];  // four edges along x at once: compilers make vectors of it
  for (int k = 0; k < 4; ++k) {
    const float left = unit_float(scramble(x0 ^ yz[k])), right = unit_float(scramble(x1 ^ yz[k]));
    rise[k] = right - left;
    at[k] = left + rise[k] * u;
  }
  const float low = mix(at[0], at[1], v), high = mix(at[2], at[3], v);
  slope.x = 6.f * px * (1.f - px) * mix(mix(rise[0], rise[1], v), mix(rise[2], rise[3], v), w);
  slope.y = 6.f * py * (1.f - py) * mix(at[1] - at[0], at[3] - at[2], w);
  slope.z = 6.f * pz * (1.f - pz) * (high - low);
  return mix(low, high, w);
}
FORGE_HD float value_noise(Vec3 p, std::uint32_t seed) {
  Vec3 slope;
  return value_noise(p, seed, slope);
}

/// The same in two dimensions, half the work.
FORGE_HD float value_noise(float px, float py, std::uint32_t seed) {
  const float fx = floorf(px), fy = floorf(py);
  const auto x = static_cast<std::int32_t>(fx), y = static_cast<std::int32_t>(fy);
  const float u = fade(px - fx);
  return mix(mix(lattice(x, y, 0, seed), lattice(x + 1, y, 0, seed), u), mix(lattice(x, y + 1, 0, seed), lattice(x + 1, y + 1, 0, seed), u),
             fade(py - fy));
}

/// Round spots, at most one per cell of size 1: 1 in the middle of a spot, 0 outside. `share` of the cells have one.
FORGE_HD float spots(Vec3 p, float share, float smallest, float largest, std::uint32_t seed) {
  const float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
  const std::uint32_t h = cell_hash(static_cast<std::int32_t>(fx), static_cast<std::int32_t>(fy), static_cast<std::int32_t>(fz), seed);
  if (unit_float(h) >= share) return 0.f;
  const std::uint32_t g = scramble(h * 0x85ebca6bu), k = scramble(g + 0x6b43a9b5u);
  const float radius = mix(smallest, largest, square(static_cast<float>(k & 0xffu) / 255.f)), room = 1.f - 2.f * largest;
  const Vec3 centre{largest + room * static_cast<float>(g & 0xffu) / 255.f, largest + room * static_cast<float>((g >> 8) & 0xffu) / 255.f,
                    largest + room * static_cast<float>((g >> 16) & 0xffu) / 255.f};
  const Vec3 d = Vec3{p.x - fx, p.y - fy, p.z - fz} - centre;
  return saturate(1.5f - 1.5f * dot(d, d) / square(radius));
}

}  // namespace forge_rt
