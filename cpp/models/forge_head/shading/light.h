// How surfaces answer to light. Linear light throughout; sRGB only at the very end (capture.cpp).
#pragma once

#include "surface.h"

namespace forge_rt::shade {

struct Surface {
  Vec3 albedo;
  Vec3 wrap;             // how far light bleeds past the terminator, per channel: stands for scattering under the skin
  Vec3 bend;             // occluded light is coloured by what it bounced off: exponent of the occlusion, per channel
  Vec3 normal;           // with bumps
  float occlusion;       // 1 = open
  float gloss;           // strength of the highlight
  float sharpness;       // its exponent
};

/// Irradiance of the environment for a unit normal.
FORGE_HD Vec3 irradiance(const Light& light, Vec3 n) {
  const Vec3* e = light.environment;
  const Vec3 sum = e[0] + e[1] * n.y + e[2] * n.z + e[3] * n.x + e[4] * (n.x * n.y) + e[5] * (n.y * n.z) + e[6] * (3.f * n.z * n.z - 1.f) +
                   e[7] * (n.x * n.z) + e[8] * (n.x * n.x - n.y * n.y);
  return {larger(sum.x, 0.f), larger(sum.y, 0.f), larger(sum.z, 0.f)};
}

/// o^bend for exponents near 1.
FORGE_HD Vec3 bent(float o, Vec3 bend) {
  const float bow = o * (1.f - o);
  return {o - (bend.x - 1.f) * bow, o - (bend.y - 1.f) * bow, o - (bend.z - 1.f) * bow};
}

/// One lobe of a highlight: GGX (Walter et al. 2007) with Kelemen's visibility and Schlick's Fresnel term.
/// `sharpness`: the Blinn exponent of the same width; `spread`: added by the size of the light.
struct Half {
  float nh, lh, weight;  // cosines to the half vector; everything that does not depend on the width
};
FORGE_HD Half half_way(Vec3 normal, Vec3 to_eye, Vec3 towards) {
  const Vec3 half = normalized(towards + to_eye);
  const float nh = larger(dot(normal, half), 0.f), lh = larger(dot(towards, half), 0.f);
  const float fresnel = 0.032f + 0.968f * pow5(1.f - lh);
  return {nh, lh, fresnel * saturate(1.2f * dot(normal, towards)) * 0.25f / larger(lh * lh, 0.15f)};
}
FORGE_HD float lobe(const Half& h, float sharpness, float spread) {
  const float a2 = smaller(2.f / (sharpness + 2.f) + spread, 0.9f);
  const float d = h.nh * h.nh * (a2 - 1.f) + 1.f;
  return h.weight * a2 / (d * d);
}
FORGE_HD Vec3 highlight(const Surface& s, Vec3 to_eye, Vec3 towards, Vec3 color) {
  return color * (s.gloss * lobe(half_way(s.normal, to_eye, towards), s.sharpness, 0.f));
}

FORGE_HD float wrapped(float facing, float wrap) { return larger((facing + wrap) / (1.f + wrap), 0.f); }

/// The rim light casts no shadows: hollows and what turns away get little of it.
FORGE_HD float rim_share(const Surface& s, const Fragment& f, const Light& light) {
  return saturate(2.2f * s.occlusion - 0.7f) * smoothstep(-0.15f, 0.3f, dot(f.normal, light.rim));
}

/// Light that a surface scatters back: key, rim and environment (`around`: irradiance at its normal).
FORGE_HD Vec3 diffuse(const Surface& s, const Fragment& f, const Light& light, float openness, Vec3 around) {
  // Where the channels wrap differently, light spreads under the surface: shadows end in red and bumps show less in it.
  const float bleed = saturate(5.f * (s.wrap.x - s.wrap.z));
  const float size = 0.12f * light.softness;
  const auto lit_by = [&](Vec3 towards) {
    const float facing = dot(s.normal, towards), smooth = dot(f.normal, towards);
    return Vec3{wrapped(mix(facing, smooth, 0.6f * bleed), s.wrap.x + size), wrapped(mix(facing, smooth, 0.2f * bleed), s.wrap.y + size),
                wrapped(facing, s.wrap.z + size)};
  };
  const float half = bleed * f.shadow * (1.f - f.shadow), warm = 0.36f * half, cold = 0.25f * half;
  // A large light is half hidden in hollows.
  const Vec3 key = light.key_color * Vec3{f.shadow + warm, f.shadow, f.shadow - cold} * mix(1.f, openness, 0.7f * light.softness);
  Vec3 sum = key * lit_by(light.key) + around * bent(openness, s.bend);
  if (light.rim_color.x + light.rim_color.y + light.rim_color.z > 0.f)
    sum = sum + light.rim_color * lit_by(light.rim) * rim_share(s, f, light);
  return s.albedo * sum;
}

/// The environment mirrored at the surface.
FORGE_HD Vec3 mirrored(const Surface& s, const Fragment& f, const Light& light, float openness) {
  const float nv = larger(dot(s.normal, f.to_eye), 0.f);
  const Vec3 towards = s.normal * (2.f * nv) - f.to_eye;
  return irradiance(light, towards) * ((0.016f + 0.22f * pow5(1.f - nv)) * s.gloss * square(openness));
}

FORGE_HD Vec3 lit(const Surface& s, const Fragment& f, const Light& light) {
  const float openness = s.occlusion * f.sky;
  Vec3 color = diffuse(s, f, light, openness, irradiance(light, s.normal));
  if (s.gloss > 0.f)
    color = color + highlight(s, f.to_eye, light.key, light.key_color * f.shadow) +
            highlight(s, f.to_eye, light.rim, light.rim_color * rim_share(s, f, light)) + mirrored(s, f, light, openness);
  return color;
}

}  // namespace forge_rt::shade
