// Colour of one fragment.
#pragma once

#include "background.h"
#include "eye.h"
#include "hair.h"
#include "skin.h"
#include "thing.h"

namespace forge_rt::shade {

/// Linear light towards the eye.
FORGE_HD Vec3 fragment_color(const Look& look, const Light& light, const Part& part, const Fragment& f) {
  switch (static_cast<Material>(part.material)) {
    case Material::skin:
    case Material::ear: return lit_skin(look, f, light);
    case Material::mouth: return lit(mouth_surface(look, f), f, light);
    case Material::tongue: return lit(tongue_surface(look, f), f, light);
    case Material::tooth: return lit(tooth_surface(look, part, f), f, light);
    case Material::eye: return lit_eye(look, part, f, light);
    case Material::cloth: return lit(cloth_surface(look, part, f), f, light);
    case Material::hair:
    case Material::brow:
    case Material::lash:
    case Material::beard: return lit_strand(look, part, f, light);
    default: return lit(solid_surface(part, f), f, light);
  }
}

/// A lens in front of `behind`.
FORGE_HD Vec3 through_lens(const Light& light, const Part& part, const Fragment& f, Vec3 behind) {
  const Vec3 mirrored = f.normal * (2.f * dot(f.normal, f.to_eye)) - f.to_eye;
  const float fresnel = 0.04f + 0.96f * pow5(1.f - fabsf(dot(f.normal, f.to_eye)));
  Surface s = solid_surface(part, f);
  return behind * mix(grey(1.f), part.color, part.alpha) + irradiance(light, mirrored) * (fresnel * 0.8f) +
         highlight(s, f.to_eye, light.key, light.key_color);
}

}  // namespace forge_rt::shade
