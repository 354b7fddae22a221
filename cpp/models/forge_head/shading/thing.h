// Clothes, glasses, hats, objects.
#pragma once

#include "kinds.h"
#include "light.h"
#include "noise.h"

namespace forge_rt::shade {

FORGE_HD Surface cloth_surface(const Look& look, const Part& part, const Fragment& f) {
  const Vec3 q = f.rest * 10.f;
  float t = 0.f;
  if (part.pattern == 1) t = smoothstep(0.45f, 0.55f, 0.5f + 0.5f * sinf(q.y * 26.f));
  if (part.pattern == 2) t = 0.5f * smoothstep(0.45f, 0.55f, 0.5f + 0.5f * sinf(q.y * 22.f)) + 0.5f * smoothstep(0.45f, 0.55f, 0.5f + 0.5f * sinf(q.x * 22.f));
  if (part.pattern == 3) t = smoothstep(0.4f, 0.6f, value_noise(q * 6.f, look.seed + 11u));
  const float weave = value_noise(q * 60.f, look.seed + 7u);
  Surface s{mix(part.color, part.color_2, t) * (0.85f + 0.3f * weave), grey(0.15f), grey(1.f), f.normal, f.aux[2], part.gloss, 8.f};
  return s;
}

FORGE_HD Surface solid_surface(const Part& part, const Fragment& f) {
  return {part.color, grey(0.05f), grey(1.f), f.normal, f.aux[2], part.gloss, mix(200.f, 8.f, part.roughness)};
}

}  // namespace forge_rt::shade
