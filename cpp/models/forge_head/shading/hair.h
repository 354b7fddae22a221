// Strands: hair, beards, brows, lashes. Two highlights along the strand (Kajiya and Kay 1989; shifted as Marschner et al. 2003 measured).
#pragma once

#include "kinds.h"
#include "light.h"
#include "noise.h"

namespace forge_rt::shade {

FORGE_HD Vec3 strand_color(const Look& look, const Part& part, const Fragment& f) {
  const float along = f.aux[0], across = f.aux[1], random = f.aux[3];
  Vec3 base = part.color;
  if (part.material == static_cast<std::uint8_t>(Material::hair)) base = mix(base, look.hair_tip_color, smoothstep(0.35f, 1.f, along));
  if (random < look.grey_hair) base = mix(base, grey(0.55f), 0.85f);
  // Finer strands than the ribbons: streaks across, and each ribbon its own tone.
  const float streak = value_noise(across * 3.f + random * 91.f, along * 2.5f, look.seed + 8u);
  return base * ((0.55f + 0.55f * streak) * (0.8f + 0.4f * random));
}

FORGE_HD Vec3 lit_strand(const Look& look, const Part& part, const Fragment& f, const Light& light) {
  const Vec3 albedo = strand_color(look, part, f);
  const Vec3 tangent = f.rest;
  const float occlusion = f.aux[2];
  Vec3 color = albedo * irradiance(light, f.normal) * (occlusion * f.sky);
  const auto add = [&](Vec3 towards, Vec3 amount) {
    const float along = dot(tangent, towards);
    const float across = sqrtf(fmaxf(1.f - along * along, 0.f));
    const float facing = saturate(0.35f + 0.75f * dot(f.normal, towards));
    color = color + albedo * amount * (across * facing * occlusion);
    const Vec3 half = normalized(towards + f.to_eye);
    const auto lobe = [&](float shift, float sharpness) {
      const float th = dot(normalized(tangent + f.normal * shift), half);
      return powf(fmaxf(1.f - th * th, 0.f), 0.5f * sharpness);
    };
    const float glint = part.gloss * facing * occlusion;
    color = color + amount * (0.030f * glint * lobe(-0.08f, 90.f)) + amount * albedo * (0.9f * glint * lobe(0.10f, 24.f));
  };
  add(light.key, light.key_color * f.shadow);
  add(light.rim, light.rim_color);
  return color;
}

}  // namespace forge_rt::shade
