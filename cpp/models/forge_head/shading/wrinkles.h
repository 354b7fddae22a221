// Lines and folds of the face: by age, and where the expression of the moment folds the skin.
#pragma once

#include "surface.h"

namespace forge_rt::shade {

/// Small relief of the skin: gradient of its height along the template's axes (metres per metre), and how dark its grooves are.
struct Relief {
  Vec3 slope;
  float dark;
};

/// One groove: `d` across it in half widths, `across` the direction of d, `depth` its steepness.
FORGE_HD void groove(Relief& r, float d, Vec3 across, float depth) {
  const float g = hill(d * d);
  r.slope = r.slope + across * (3.2f * d * g * depth);
  r.dark += 1.1f * depth * g;
}

/// Distance to the nearest of parallel lines one apart, -0.5 .. 0.5.
FORGE_HD float to_line(float t) { return t - floorf(t + 0.5f); }

/// q: template decimetres with canonical heights (skin.h); `wander`, `patch`: smooth noise around 0 that bends and interrupts lines.
FORGE_HD void add_wrinkles(const Look& look, Vec3 q, float wander, float patch, Relief& r) {
  const float side = fabsf(q.x), sign = q.x < 0.f ? -1.f : 1.f, old = look.wrinkles;
  const float smile = q.x > 0.f ? look.smile_left : look.smile_right;
  const float broken = saturate(0.75f + 1.2f * patch);
  if (q.z < -0.1f && q.y > -0.6f) return;

  if (q.y > 0.5f && q.y < 1.05f) {  // forehead
    const float strength = (0.55f * square(old) + 0.12f * old + 0.75f * look.brow_raise) * hill(square(q.x / 0.36f)) *
                           smoothstep(0.54f, 0.64f, q.y) * smoothstep(1.05f, 0.88f, q.y);
    if (strength > 0.01f)
      groove(r, to_line((q.y + 0.10f * square(q.x) + 0.05f * wander) / 0.088f) / 0.20f, {0.f, 1.f, 0.f}, 0.42f * strength * broken);
  }
  if (side < 0.16f && q.y > 0.36f && q.y < 0.66f) {  // between the brows
    const float strength = 0.45f * square(old) + 0.8f * look.frown;
    if (strength > 0.01f)
      groove(r, (side - 0.055f - 0.12f * (q.y - 0.45f) + 0.02f * wander) / 0.014f, {sign, 0.f, 0.f},
             0.5f * strength * hill(square((q.y - 0.49f) / 0.07f)));
  }
  if (side < 0.14f && q.y > 0.1f && q.y < 0.4f) {  // across the nose's root
    const float strength = 0.25f * square(old) + 0.8f * look.sneer + 0.3f * look.frown;
    if (strength > 0.01f)
      groove(r, to_line((q.y + 0.6f * side + 0.02f * wander) / 0.045f) / 0.2f, {0.f, 1.f, 0.f},
             0.3f * strength * hill(square((q.y - 0.27f) / 0.07f)) * broken);
  }
  {  // crow's feet: a fan from the outer corner of the eye
    const float u = side - 0.47f + 0.7f * (0.39f - q.z), v = q.y - 0.30f, reach = sqrtf(u * u + v * v);
    if (u > 0.f && reach < 0.26f) {
      const float strength = 0.55f * square(old) + 0.1f * old + (0.35f + 0.5f * old) * larger(look.squint, smile);
      if (strength > 0.02f) {
        const float turn = atan2f(v, u);
        groove(r, to_line((turn + 0.25f * wander + 0.5f * reach) / 0.36f) / 0.17f, {-0.3f * sign * v / reach, 1.f, 0.f},
               0.40f * strength * smoothstep(0.025f, 0.07f, reach) * smoothstep(0.26f, 0.12f, reach) *
                   smoothstep(1.25f, 0.9f, fabsf(turn)) * broken);
      }
    }
  }
  if (side > 0.1f && side < 0.55f && q.y > 0.f && q.y < 0.27f) {  // below the eye: arcs along the lid
    const float e = sqrtf(square((side - 0.315f) / 0.21f) + square((q.y - 0.31f) / 0.125f));
    const float strength = 0.10f + 0.35f * old + 0.35f * look.squint;
    groove(r, (e - 1.0f - 0.06f * wander) / 0.085f, {0.f, -1.f, 0.f}, 0.20f * strength * smoothstep(0.52f, 0.40f, side));
    groove(r, (e - 0.74f) / 0.06f, {0.f, -1.f, 0.f}, 0.28f * strength * (0.3f + look.squint + old) * smoothstep(0.52f, 0.40f, side));
  }
  if (side > 0.08f && side < 0.45f && q.y > -0.1f && q.y < 0.30f)  // the hollow from the inner corner down the cheek
    groove(r, (q.y - 0.235f + 0.55f * (side - 0.15f) + 0.02f * wander) / 0.045f, {0.5f * sign, 0.85f, 0.f},
           (0.05f + 0.20f * old) * smoothstep(0.12f, 0.17f, side) * smoothstep(0.40f, 0.26f, side));
  if (side > 0.1f && side < 0.5f && q.y < 0.02f && q.y > -0.62f) {  // from the nose's wings to the mouth's corners
    const float t = saturate((-0.07f - q.y) / 0.40f);
    const float x = 0.158f + 0.185f * t * (1.25f - 0.25f * t) + 0.03f * smile * t;
    const float strength =
        (0.10f + 0.55f * old + 0.75f * smile + 0.3f * look.sneer) * smoothstep(0.02f, -0.07f, q.y) * smoothstep(-0.52f, -0.36f, q.y);
    const float d = side - x + 0.012f * wander;
    groove(r, d / mix(0.020f, 0.034f, t), {0.85f * sign, 0.35f, 0.f}, 0.42f * strength);
    if (smile > 0.3f)  // the cheek's second fold
      groove(r, (d - 0.10f) / 0.034f, {0.9f * sign, 0.2f, 0.f},
             0.09f * (smile - 0.3f) * (0.3f + old) * smoothstep(-0.1f, -0.25f, q.y) * smoothstep(-0.5f, -0.36f, q.y));
  }
  if (side > 0.15f && side < 0.4f && q.y < -0.36f && q.y > -0.75f)  // down from the corners
    groove(r, (side - 0.255f - 0.16f * (-0.38f - q.y) + 0.01f * wander) / 0.022f, {sign, 0.f, 0.f},
           0.30f * square(old) * smoothstep(-0.37f, -0.43f, q.y) * smoothstep(-0.72f, -0.56f, q.y));
  if (side < 0.3f && q.y < -0.14f && q.y > -0.60f) {  // across the lips' border
    const float around = hill((square(q.x / 0.24f) + square((q.y + 0.385f) / 0.17f)) * 0.7f);
    const float strength = around * (0.55f * larger(old - 0.35f, 0.f) + 0.6f * look.pucker);
    if (strength > 0.01f)
      groove(r, to_line((q.x * (1.f - 0.5f * fabsf(q.y + 0.385f)) + 0.012f * wander) / 0.036f) / 0.2f, {1.f, 0.f, 0.f},
             0.30f * strength * broken);
  }
  if (q.y < -0.75f) {  // neck
    const float strength = (0.22f + 0.6f * old) * smoothstep(-0.80f, -0.98f, q.y) * smoothstep(-0.6f, -0.2f, q.z);
    groove(r, to_line((q.y + 0.22f * square(q.x) + 0.05f * wander) / 0.19f) / 0.085f, {0.f, 1.f, 0.f}, 0.30f * strength * broken);
  }
}

}  // namespace forge_rt::shade
