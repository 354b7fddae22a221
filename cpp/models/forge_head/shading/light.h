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
  const Vec3 sum = e[0] + e[1] * n.y + e[2] * n.z + e[3] * n.x + e[4] * (n.x * n.y) + e[5] * (n.y * n.z) +
                   e[6] * (3.f * n.z * n.z - 1.f) + e[7] * (n.x * n.z) + e[8] * (n.x * n.x - n.y * n.y);
  return {fmaxf(sum.x, 0.f), fmaxf(sum.y, 0.f), fmaxf(sum.z, 0.f)};
}

/// Highlight of one light: normalised Blinn-Phong with Schlick's Fresnel term.
FORGE_HD Vec3 highlight(const Surface& s, Vec3 to_eye, Vec3 towards, Vec3 color) {
  const Vec3 half = normalized(towards + to_eye);
  const float facing = fmaxf(dot(s.normal, towards), 0.f);
  const float lobe = powf(fmaxf(dot(s.normal, half), 0.f), s.sharpness);
  const float fresnel = 0.035f + 0.965f * pow5(1.f - fmaxf(dot(to_eye, half), 0.f));
  return color * (s.gloss * fresnel * (s.sharpness + 2.f) / 8.f * lobe * facing);
}

FORGE_HD Vec3 lit(const Surface& s, const Fragment& f, const Light& light) {
  const auto wrapped = [&](Vec3 towards) {
    const float facing = dot(s.normal, towards);
    return Vec3{fmaxf((facing + s.wrap.x) / (1.f + s.wrap.x), 0.f), fmaxf((facing + s.wrap.y) / (1.f + s.wrap.y), 0.f),
                fmaxf((facing + s.wrap.z) / (1.f + s.wrap.z), 0.f)};
  };
  const float open = log2f(fmaxf(s.occlusion * f.sky, 0.03f));
  const Vec3 occluded{exp2f(s.bend.x * open), exp2f(s.bend.y * open), exp2f(s.bend.z * open)};
  Vec3 color = s.albedo * (light.key_color * f.shadow * wrapped(light.key) + light.rim_color * wrapped(light.rim) +
                           irradiance(light, s.normal) * occluded);
  if (s.gloss > 0.f) {
    color = color + highlight(s, f.to_eye, light.key, light.key_color * f.shadow) + highlight(s, f.to_eye, light.rim, light.rim_color);
    // The environment mirrored at grazing angles.
    const Vec3 mirrored = s.normal * (2.f * dot(s.normal, f.to_eye)) - f.to_eye;
    const float grazing = pow5(1.f - fmaxf(dot(s.normal, f.to_eye), 0.f));
    color = color + irradiance(light, mirrored) * ((0.02f + 0.20f * grazing) * s.gloss * s.occlusion * f.sky);
  }
  return color;
}

}  // namespace forge_rt::shade
