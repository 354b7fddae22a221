// What is behind the head. x, y in 0..1 of the image, y down.
#pragma once

#include "noise.h"
#include "surface.h"

namespace forge_rt::shade {

FORGE_HD Vec3 background_at(const Background& b, float x, float y) {
  const float soft = value_noise({x * 3.f, y * 3.f, 0.5f}, b.seed + 20u) + 0.5f * value_noise({x * 7.f, y * 7.f, 0.5f}, b.seed + 21u);
  switch (b.kind) {
    case 0: return b.color;
    case 1: return mix(b.color, b.color_2, y);
    default: return mix(b.color, b.color_2, saturate(soft - 0.25f)) * (1.1f - 0.3f * y);
  }
}

}  // namespace forge_rt::shade
