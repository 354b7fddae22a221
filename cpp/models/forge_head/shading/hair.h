// Strands: hair, beards, brows, lashes. Two highlights along the strand (Kajiya and Kay 1989; shifted as Marschner et al. 2003 measured),
// light that comes through from behind, and a diffuse term for what scatters between strands.
#pragma once

#include "kinds.h"
#include "light.h"
#include "noise.h"

namespace forge_rt::shade {

/// Colour of the strand at a fragment. `streak` 0..1: finer strands than the ribbons.
FORGE_HD Vec3 strand_color(const Look& look, const Part& part, const Fragment& f, float streak) {
  const float along = f.aux[0], random = f.aux[3];
  Vec3 base = part.color;
  const bool hair = part.material == static_cast<std::uint8_t>(Material::hair);
  if (hair) base = mix(base, look.hair_tip_color, smoothstep(0.35f, 1.f, along));
  // Grey hairs are white ones among the others: whole locks of an old head, single streaks of a young one.
  const float white = part.material == static_cast<std::uint8_t>(Material::lash)
                          ? 0.f
                          : look.grey_hair * (part.material == static_cast<std::uint8_t>(Material::brow) ? 0.6f : 1.f);
  if (white > 0.f) base = mix(base, Vec3{0.36f, 0.355f, 0.345f}, 0.85f * smoothstep(-0.3f, 0.3f, white - 0.55f * random - 0.45f * streak));
  // Each lock has its own tone: the lighter, the warmer. Roots are darker.
  const float tone = (random - 0.5f) * 0.7f + (streak - 0.5f) * 0.75f;
  base = base * Vec3{1.f + tone, 1.f + 0.95f * tone, 1.f + 0.88f * tone};
  return hair ? base * mix(0.72f, 1.f, smoothstep(0.f, 0.3f, along)) : base;
}

FORGE_HD Vec3 lit_strand(const Look& look, const Part& part, const Fragment& f, const Light& light) {
  const float along = f.aux[0], across = f.aux[1], random = f.aux[3];
  const bool hair = part.material == static_cast<std::uint8_t>(Material::hair);
  const float streak = hair ? value_noise(across * 2.6f + random * 91.f, along * 2.f, look.seed + 8u) : random;
  const Vec3 albedo = strand_color(look, part, f, streak);
  const Vec3 tangent = f.rest;
  const Vec3 side = cross(tangent, f.normal);
  const Vec3 normal = normalized(f.normal + side * (0.45f * across + 0.5f * (streak - 0.5f)));
  const float occlusion = f.aux[2];
  const float bright = luminance(albedo);
  const float open = occlusion * mix(f.sky, 1.f, 0.15f + 0.3f * bright);
  const float edge = square(1.f - fabsf(dot(f.normal, f.to_eye)));

  // The environment: scattered, mirrored, and from behind at the outline.
  Vec3 color = albedo * irradiance(light, normal) * open;
  const Vec3 mirrored = f.normal * (2.f * dot(f.normal, f.to_eye)) - f.to_eye;
  const float mirror = (0.022f + 0.035f * edge) * (0.4f + part.gloss) * (0.4f + 1.2f * streak);
  color = color + irradiance(light, normalized(mirrored + f.normal)) * (mirror * open);
  const Vec3 through{sqrtf(albedo.x), sqrtf(albedo.y), sqrtf(albedo.z)};
  color = color + albedo * through * irradiance(light, -f.to_eye) * (0.5f * edge * open);

  const auto add = [&](Vec3 towards, Vec3 amount) {
    const float cosine = dot(tangent, towards);
    const float sine = sqrtf(fmaxf(1.f - cosine * cosine, 0.f));
    const float facing = saturate(0.25f + 0.75f * dot(normal, towards));
    color = color + albedo * amount * ((0.35f + 0.65f * sine) * facing * occlusion);
    const Vec3 half = normalized(towards + f.to_eye);
    const float at = dot(tangent, half), lift = dot(f.normal, half);
    const float jitter = 0.22f * (streak - 0.5f) + 0.10f * (random - 0.5f);
    const auto lobe = [&](float shift, float sharpness) {
      const float th = (at + shift * lift) / sqrtf(1.f + shift * shift + 1e-6f);
      return expf(-sharpness * th * th);  // of the angle out of the plane across the strand
    };
    const float glint = part.gloss * saturate(0.15f + 0.85f * dot(f.normal, towards)) * occlusion * occlusion;
    color = color + amount * (0.045f * glint * (0.4f + 1.2f * streak) * lobe(-0.10f + jitter, 70.f));
    color = color + amount * albedo * (0.85f * glint * (0.3f + 1.4f * streak) * lobe(0.12f + jitter, 14.f));
    const float behind = fmaxf(-dot(towards, f.to_eye), 0.f);
    color = color + amount * albedo * through * (1.6f * square(behind) * sine * (0.15f + 0.85f * edge) * occlusion);
  };
  add(light.key, light.key_color * mix(f.shadow, 1.f, 0.04f + 0.25f * bright));
  add(light.rim, light.rim_color);
  return color;
}

}  // namespace forge_rt::shade
