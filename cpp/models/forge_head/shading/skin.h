// Skin and lips.
#pragma once

#include "kinds.h"
#include "light.h"
#include "noise.h"

namespace forge_rt::shade {

/// Skin by melanin: six steps from fair to dark (linear reflectance, chosen by eye).
FORGE_HD Vec3 skin_tone(float melanin) {
  const Vec3 steps[6] = {{0.60f, 0.385f, 0.30f}, {0.53f, 0.32f, 0.23f},   {0.43f, 0.245f, 0.16f},
                         {0.31f, 0.165f, 0.10f}, {0.18f, 0.092f, 0.055f}, {0.085f, 0.043f, 0.028f}};
  const float t = saturate(melanin) * 5.f;
  const int i = t < 4.f ? static_cast<int>(t) : 4;
  return mix(steps[i], steps[i + 1], t - static_cast<float>(i));
}

FORGE_HD Surface skin_surface(const Look& look, const Fragment& f) {
  const Vec3 q = f.rest * 10.f;  // decimetres: features below are in these units
  Surface s;
  s.normal = f.normal;
  s.occlusion = f.aux[2];
  s.bend = {0.9f, 1.15f, 1.25f};
  s.albedo = skin_tone(look.melanin);
  const float side = fabsf(q.x);
  // Blood: cheeks, tip of the nose, around the eyes.
  const float cheek = expf(-(square((side - 0.38f) / 0.20f) + square((q.y + 0.10f) / 0.17f))) * smoothstep(0.2f, 0.5f, q.z);
  const float nose = f.label == kNose ? smoothstep(0.55f, 1.0f, q.z) : 0.f;
  const float socket = expf(-(square((side - 0.31f) / 0.16f) + square((q.y - 0.28f) / 0.10f))) * smoothstep(0.2f, 0.5f, q.z);
  const float blood = look.redness * (0.35f * cheek + 0.30f * nose + 0.16f * socket);
  s.albedo = s.albedo * Vec3{1.f + 0.10f * blood, 1.f - 0.52f * blood, 1.f - 0.46f * blood};
  // Mottling on three scales.
  const float coarse = value_noise(q * 5.f, look.seed), middle = value_noise(q * 17.f, look.seed + 1u),
              fine = value_noise(q * 70.f, look.seed + 2u);
  s.albedo = s.albedo * (1.f + 0.10f * (coarse - 0.5f) + 0.09f * (middle - 0.5f) + 0.10f * (fine - 0.5f));
  if (look.freckles > 0.f) {
    const float spots =
        smoothstep(0.66f, 0.78f, value_noise(q * 42.f, look.seed + 3u)) * (0.25f + 0.75f * fminf(cheek + nose, 1.f));
    s.albedo = s.albedo * mix(grey(1.f), Vec3{0.62f, 0.46f, 0.36f}, look.freckles * spots * smoothstep(0.0f, 0.4f, q.z));
  }
  s.wrap = Vec3{0.30f, 0.17f, 0.12f} * (1.f - 0.5f * look.melanin);
  s.gloss = look.gloss * (0.7f + 0.6f * fine) * (0.6f + 0.5f * look.melanin);
  s.sharpness = 18.f;
  if (f.label == kUpperLip || f.label == kLowerLip) {
    const Vec3 natural = s.albedo * Vec3{0.86f, 0.48f, 0.46f};
    s.albedo = mix(natural, look.lip_tint, look.lip_tint_strength) *
               (0.92f + 0.16f * value_noise({q.x * 90.f, q.y * 12.f, q.z * 12.f}, look.seed + 4u));
    s.gloss = look.gloss * 1.5f;
    s.sharpness = 34.f;
  } else if (f.label == kLeftBrow || f.label == kRightBrow) {
    s.albedo = mix(s.albedo, look.brow_color, 0.35f);
    s.gloss *= 0.4f;
  }
  if (f.label == kHair) {  // the scalp between the hairs
    s.albedo = mix(s.albedo, look.hair_color * 0.7f, 0.85f);
    s.gloss *= 0.3f;
  }
  return s;
}

}  // namespace forge_rt::shade
