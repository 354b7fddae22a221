// Three floats, for code that the host's instruction-set paths and the CUDA kernel share: no inline member may be left to the linker.
#pragma once

#include <cmath>

#include "forge_rt/core/host_device.h"

namespace forge_rt {

struct Vec3 {
  float x, y, z;
};

// fmaxf and fminf are calls into the C library unless the compiler may ignore NaN.
FORGE_HD float larger(float a, float b) { return a > b ? a : b; }
FORGE_HD float smaller(float a, float b) { return a < b ? a : b; }

FORGE_HD Vec3 vec3(const float* p) { return {p[0], p[1], p[2]}; }
FORGE_HD Vec3 grey(float v) { return {v, v, v}; }
FORGE_HD Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
FORGE_HD Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
FORGE_HD Vec3 operator-(Vec3 a) { return {-a.x, -a.y, -a.z}; }
FORGE_HD Vec3 operator*(Vec3 a, Vec3 b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
FORGE_HD Vec3 operator*(Vec3 a, float s) { return {a.x * s, a.y * s, a.z * s}; }
FORGE_HD Vec3 operator*(float s, Vec3 a) { return a * s; }
FORGE_HD float dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
FORGE_HD Vec3 cross(Vec3 a, Vec3 b) { return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x}; }
FORGE_HD float length(Vec3 a) { return sqrtf(dot(a, a)); }
FORGE_HD Vec3 normalized(Vec3 a) { return a * (1.f / larger(length(a), 1e-20f)); }
FORGE_HD float mix(float a, float b, float t) { return a + (b - a) * t; }
FORGE_HD Vec3 mix(Vec3 a, Vec3 b, float t) { return a + (b - a) * t; }
FORGE_HD float saturate(float v) { return smaller(larger(v, 0.f), 1.f); }
FORGE_HD float smoothstep(float low, float high, float v) {
  const float t = saturate((v - low) / (high - low));
  return t * t * (3.f - 2.f * t);
}
FORGE_HD float square(float v) { return v * v; }
/// A bump like exp(-t2) that ends at t2 = 4.
FORGE_HD float hill(float t2) { return square(square(larger(1.f - 0.25f * t2, 0.f))); }
FORGE_HD float pow5(float v) { return v * v * v * v * v; }
FORGE_HD float luminance(Vec3 c) { return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z; }

/// Rotates `p` about the unit-length-free axis-angle `r`.
FORGE_HD Vec3 rotate(Vec3 r, Vec3 p) {
  const float angle = length(r);
  if (angle < 1e-8f) return p + cross(r, p);
  const Vec3 axis = r * (1.f / angle);
  const float c = cosf(angle), s = sinf(angle);
  return p * c + cross(axis, p) * s + axis * (dot(axis, p) * (1.f - c));
}

}  // namespace forge_rt
