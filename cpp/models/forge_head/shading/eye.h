// Eyeballs, teeth, tongue, the inside of the mouth.
#pragma once

#include "light.h"
#include "noise.h"

namespace forge_rt::shade {

FORGE_HD Surface plain_surface(const Fragment& f, Vec3 albedo, float gloss, float sharpness) {
  return {albedo, grey(0.1f), grey(1.f), f.normal, f.aux[2], gloss, sharpness};
}

FORGE_HD Surface eye_surface(const Look& look, const Part& part, const Fragment& f) {
  const float cu = (f.aux[0] - part.chart[0]) / part.chart[2], cv = (f.aux[1] - part.chart[1]) / part.chart[3];
  const float t = sqrtf(cu * cu + cv * cv) * look.eye_last_angle / look.iris_angle;  // 1 at the limbus
  const float turn = atan2f(cv, cu);
  const float fibres = value_noise(turn * 14.f, t * 3.f, look.seed + 6u);
  const Vec3 iris = look.iris_color * ((0.65f + 0.9f * fibres) * mix(1.25f, 0.8f, smoothstep(0.45f, 1.f, t)));
  const Vec3 sclera = mix(Vec3{0.52f, 0.49f, 0.46f}, Vec3{0.50f, 0.33f, 0.29f}, smoothstep(1.5f, 3.4f, t));
  Surface s = plain_surface(f, mix(iris, sclera, smoothstep(0.93f, 1.07f, t)), 2.2f, 400.f);
  s.albedo = s.albedo * mix(1.f, 0.35f, expf(-square((t - 0.97f) / 0.09f)));                      // limbal ring
  s.albedo = mix(grey(0.004f), s.albedo, smoothstep(look.pupil - 0.03f, look.pupil + 0.03f, t));  // pupil
  return s;
}

FORGE_HD Surface mouth_surface(const Fragment& f) { return plain_surface(f, {0.22f, 0.055f, 0.05f}, 0.2f, 20.f); }
FORGE_HD Surface tongue_surface(const Fragment& f) { return plain_surface(f, {0.42f, 0.14f, 0.13f}, 0.4f, 30.f); }
FORGE_HD Surface tooth_surface(const Look& look, const Fragment& f) {
  const Vec3 shade = mix(Vec3{0.74f, 0.72f, 0.66f}, Vec3{0.60f, 0.50f, 0.33f}, look.teeth_shade);
  return plain_surface(f, shade * (0.94f + 0.06f * cosf(f.rest.x * 1200.f)), 0.6f, 60.f);
}

}  // namespace forge_rt::shade
