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
  float chart[4];          // eyes, teeth: the UV chart (centre u, v, half width, half height)
};

/// One eye as it is posed. s runs from the outer corner (0) to the inner one (1), heights are above the line between them;
/// a lid's height is 2 sqrt(s (1 - s)) (a + b s).
struct Eye {
  Vec3 right, up, axis;        // of the eyeball; axis: where it looks
  Vec3 corner, along, across;  // outer corner; unit vectors to the inner corner and up
  float width_m;
  float upper[2], lower[2];    // a, b
};

/// One person on one day. Derived from FaceParameters once per image (look.cpp).
struct Look {
  float melanin, undertone, redness, freckles, moles, blemishes, pores, dark_circles, gloss, stubble;
  float wrinkles;          // by age and FaceAppearance::wrinkles
  float masculine, age, weight;
  // how strongly the expression folds the skin, 0..1
  float smile_left, smile_right, brow_raise, frown, squint, pucker, jaw_open, sneer;
  Vec3 tone;               // skin of average blood
  Vec3 iris_color;
  float pupil, bloodshot, teeth_shade;
  Vec3 lip_tint;
  float lip_tint_strength, lip_gloss, blush;
  Vec3 eyeshadow_color;
  float eyeshadow, eyeliner;
  Vec3 hair_color, hair_tip_color, brow_color;
  float grey_hair, hair_gloss;
  float eye_last_angle, iris_angle;
  Eye eye[2];              // left, right
  float height[5];         // of brows, eyes, nose base, lip line, chin on the template, decimetres
  std::uint32_t seed;
};

struct Light {
  Vec3 key, key_color;       // direction towards the light; colour times strength
  Vec3 key_right, key_up;    // complete the direction to a frame
  float softness;            // of the key: 0 point .. 1 large
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
  float thickness_m;      // of what the key light would have to cross
  float sky;              // 1 = sees all of the environment: hats, fringes, noses and chins take away
  float pixel_m;          // size of a pixel here, metres: finer detail fades
  float lip, brow;        // skin: soft versions of the labels
  std::uint8_t label;
};

}  // namespace forge_rt::shade
