// Plain data of the shader: what a part is made of, how this person looks, how the scene is lit, one fragment.
#pragma once

#include <cstdint>

#include "vec3.h"

namespace forge_rt::shade {

/// One part of an assembly.
struct Part {
  std::uint8_t material;   // forge_rt::Material
  std::uint8_t label;      // forge_rt::Label
  std::uint8_t pattern;    // cloth: FaceAppearance::cloth_pattern
  std::uint8_t strand;     // 1: ribbons; every triangle of a pixel is shaded
  Vec3 color, color_2;
  float gloss, roughness;  // strength of the highlight; 0 sharp .. 1 wide
  float alpha;             // < 1: seen through (lenses)
  float chart[4];          // eyes: the UV chart (centre u, v, half width, half height)
};

/// One person on one day. Derived from FaceParameters once per image (look.cpp).
struct Look {
  float melanin, undertone, redness, freckles, moles, blemishes, pores, dark_circles, gloss, stubble;
  float wrinkles;          // by age and FaceAppearance::wrinkles
  float masculine, age, weight;
  // how strongly the expression folds the skin, 0..1
  float smile_left, smile_right, brow_raise, frown, squint, pucker, jaw_open;
  Vec3 iris_color;
  float pupil, bloodshot, teeth_shade;
  Vec3 lip_tint;
  float lip_tint_strength, lip_gloss, blush;
  Vec3 eyeshadow_color;
  float eyeshadow, eyeliner;
  Vec3 hair_color, hair_tip_color, brow_color;
  float grey_hair, hair_gloss;
  float eye_last_angle, iris_angle;
  std::uint32_t seed;
};

struct Light {
  Vec3 key, key_color;       // direction towards the light; colour times strength
  Vec3 rim, rim_color;
  Vec3 environment[9];       // irradiance coefficients times ambient strength
};

struct Background {
  int kind;
  Vec3 color, color_2;
  float blur;
  std::uint32_t seed;
};

/// What the shader knows about a point.
struct Fragment {
  Vec3 position, normal;  // head frame, metres
  Vec3 rest;              // template position, metres; strands: unit tangent
  float aux[4];           // see Assembly::aux
  Vec3 to_eye;            // unit
  float shadow;           // 1 = lit by the key light
  float sky;              // 1 = sees all of the environment: hats, fringes, noses and chins take away
  float pixel_m;          // size of a pixel here, metres: finer detail fades
  std::uint8_t label;
};

}  // namespace forge_rt::shade
