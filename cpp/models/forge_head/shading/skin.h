// Skin and lips.
#pragma once

#include "kinds.h"
#include "light.h"
#include "noise.h"
#include "wrinkles.h"

namespace forge_rt::shade {

/// Skin has two highlights, the rough surface's (in `base`) and a film of oil or water; fuzz shines at grazing angles.
struct Skin {
  Surface base;
  float film, film_sharpness;
  float fuzz;
};

/// Template height -> the height at which the zones below are written: brows 0.53, eyes 0.30, nose base -0.15, lips -0.38, chin -0.81.
FORGE_HD float canonical_height(const Look& look, float y) {
  const float* h = look.height;
  if (y >= h[0]) return y - h[0] + 0.53f;
  if (y >= h[1]) return mix(0.30f, 0.53f, (y - h[1]) / (h[0] - h[1]));
  if (y >= h[2]) return mix(-0.15f, 0.30f, (y - h[2]) / (h[1] - h[2]));
  if (y >= h[3]) return mix(-0.38f, -0.15f, (y - h[3]) / (h[2] - h[3]));
  if (y >= h[4]) return mix(-0.81f, -0.38f, (y - h[4]) / (h[3] - h[4]));
  return y - h[4] - 0.81f;
}

/// A fixed rotation, and back.
FORGE_HD Vec3 askew(Vec3 v) {
  return {0.36f * v.x + 0.48f * v.y - 0.8f * v.z, -0.8f * v.x + 0.6f * v.y, 0.48f * v.x + 0.64f * v.y + 0.6f * v.z};
}
FORGE_HD Vec3 unskewed(Vec3 v) {
  return {0.36f * v.x - 0.8f * v.y + 0.48f * v.z, 0.48f * v.x + 0.6f * v.y + 0.64f * v.z, -0.8f * v.x + 0.6f * v.z};
}

/// Where a shaved beard shows.
FORGE_HD float beard_share(Vec3 q, float wander) {
  const float side = fabsf(q.x);
  const float lip = 1.2f * hill(square(q.x / 0.26f) + square((q.y + 0.240f) / 0.090f)) * (1.f - 0.45f * hill(square(q.x / 0.04f)));
  const float edge = -0.36f + 1.25f * larger(side - 0.26f, 0.f) + 0.08f * wander;  // from the mouth's corner to the ear
  const float jaw = smoothstep(0.05f, -0.13f, q.y - edge) * smoothstep(-0.44f, -0.25f, q.z) * smoothstep(-1.12f, -0.88f, q.y);
  return saturate(larger(lip, jaw) - 0.9f * hill(square(q.x / 0.24f) + square((q.y + 0.39f) / 0.075f)));
}

/// A point of the skin in the frame of an eye, metres; `gap` is its height over the upper lid's margin.
struct NearLid {
  float s, height, gap_up, gap_low;
};
FORGE_HD NearLid near_lid(const Eye& e, Vec3 position) {
  const Vec3 d = position - e.corner;
  const float s = dot(d, e.along) / e.width_m, height = dot(d, e.across);
  const float arc = 2.f * sqrtf(larger(s * (1.f - s), 0.f));
  return {s, height, height - arc * (e.upper[0] + e.upper[1] * s), height - arc * (e.lower[0] + e.lower[1] * s)};
}

FORGE_HD Skin skin_surface(const Look& look, const Fragment& f) {
  const Vec3 q = f.rest * 10.f;  // decimetres: features below are in these units
  const Vec3 c{q.x, canonical_height(look, q.y), q.z};
  const float side = fabsf(c.x), dark = look.melanin;
  const float front = smoothstep(-0.10f, 0.15f, c.z);
  const bool ear = f.label == kLeftEar || f.label == kRightEar;
  const float pixel = 10.f * f.pixel_m / larger(dot(f.normal, f.to_eye), 0.35f);

  // Noise on several scales; each fades before it would alias.
  const auto visible = [&](float period) { return saturate(2.f - 4.f * pixel / period); };
  Vec3 slope_middle, slope_fine{}, slope_pore{};
  const Vec3 g = askew(q);  // the lattice is not to line up with the face
  const float coarse = value_noise(g * 4.3f, look.seed) - 0.5f, middle = value_noise(g * 16.f, look.seed + 1u, slope_middle) - 0.5f;
  float fine = 0.f, pore = 0.f;
  const float see_fine = visible(0.019f), see_pore = visible(0.0085f);
  if (see_fine > 0.f) fine = (value_noise(g * 53.f, look.seed + 2u, slope_fine) - 0.5f) * see_fine;
  if (see_pore > 0.f) pore = smoothstep(0.5f, 0.85f, value_noise(g * 118.f, look.seed + 3u, slope_pore)) * see_pore;

  // Zones.
  const float cheek = hill(square((side - 0.38f) / 0.23f) + square((c.y + 0.03f - 0.25f * (side - 0.38f)) / 0.19f)) * front;
  const float nose = hill(square(c.x / 0.15f) + square((c.y + 0.06f) / 0.14f)) * front;
  const float chin = hill(square(c.x / 0.15f) + square((c.y + 0.70f) / 0.12f)) * front;
  const float lids = hill(square((side - 0.315f) / 0.20f) + square((c.y - 0.32f) / 0.11f)) * front;
  const float brow_bone = smoothstep(0.55f, 0.75f, c.y);
  const float mouth = hill(square(c.x / 0.30f) + square((c.y + 0.38f) / 0.20f)) * front;

  // Blood.
  const float flush = look.redness * (0.48f * cheek * (1.f + 1.2f * coarse) + 0.72f * nose + 0.40f * chin + 0.35f * lids +
                                      (ear ? 0.75f : 0.f) + 0.12f * mouth);
  float blood = (0.30f * (look.redness - 0.4f) + flush - 0.14f * brow_bone + coarse * (0.30f + 0.50f * flush) +
                 middle * (0.26f + 0.35f * flush) + 0.20f * fine) *
                (1.f - 0.62f * dark);
  if (f.label == kNeck) blood -= 0.05f;
  Vec3 albedo = look.tone * Vec3{1.f - 0.06f * blood, 1.f - 0.46f * blood, 1.f - 0.42f * blood};

  // Pigment: patches; darker around eyes and mouth on dark skin, yellower forehead on fair skin.
  const float uneven = 1.f + 0.5f * look.wrinkles;
  const float pigment = 1.f + (0.12f + 0.14f * dark) * uneven * coarse + 0.15f * uneven * middle + 0.12f * fine - 0.14f * dark * mouth -
                        0.16f * dark * lids - 0.07f * dark * brow_bone + 0.05f * cheek * dark;
  albedo = albedo * pigment;
  const float circle = hill(square((side - 0.265f) / 0.13f) + square((c.y - 0.185f + 0.25f * (side - 0.265f)) / 0.060f)) * front;
  const float tired = saturate(0.18f + 0.75f * look.dark_circles + 0.2f * look.wrinkles);
  albedo =
      albedo * mix(grey(1.f), mix(Vec3{0.70f, 0.58f, 0.66f}, Vec3{0.62f, 0.56f, 0.56f}, dark), tired * saturate(circle + 0.30f * lids));

  Relief relief{{0.f, 0.f, 0.f}, 0.f};
  if (look.freckles > 0.f && pixel < 0.025f) {
    const float sun = saturate(0.10f + 1.1f * cheek + 1.1f * nose + 0.15f * brow_bone) * front * (0.8f + 0.9f * coarse);
    const Vec3 p = g * 31.f + slope_middle * 0.55f + Vec3{2.f, 3.f, 1.f} * coarse;
    const float spot = larger(spots(p, 1.1f * look.freckles * sun, 0.16f, 0.40f, look.seed + 4u),
                              0.7f * spots(g * 47.f + slope_middle * 0.6f, 1.2f * look.freckles * sun, 0.18f, 0.42f, look.seed + 5u));
    albedo = albedo * mix(grey(1.f), Vec3{0.78f, 0.63f, 0.52f}, (0.40f + 0.5f * look.freckles) * spot);
  } else if (look.freckles > 0.f) {
    albedo = albedo * mix(grey(1.f), Vec3{0.93f, 0.88f, 0.84f}, look.freckles * saturate(cheek + nose));
  }
  if (look.moles > 0.f) {
    const float spot = spots(g * 4.1f, 0.9f * look.moles, 0.030f, 0.075f, look.seed + 6u);
    albedo = albedo * mix(grey(1.f), Vec3{0.36f, 0.25f, 0.20f}, 0.9f * smoothstep(0.f, 0.6f, spot));
  }
  if (look.blemishes > 0.f) {
    const float spot = spots(g * 8.3f + slope_middle * 0.03f,
                             0.75f * look.blemishes * (front - 0.6f * hill(square((side - 0.315f) / 0.2f) + square((c.y - 0.3f) / 0.13f))),
                             0.09f, 0.25f, look.seed + 7u);
    albedo = albedo * mix(grey(1.f), mix(Vec3{0.95f, 0.62f, 0.62f}, Vec3{0.72f, 0.60f, 0.55f}, dark), smoothstep(0.f, 0.9f, spot));
  }
  if (look.age > 0.55f) {  // spots of age
    const float sun = 0.9f * (look.age - 0.5f) * smoothstep(0.1f, 0.5f, side + larger(c.y - 0.5f, 0.f));
    const float spot = spots(g * 7.3f + slope_middle * 0.16f, sun, 0.08f, 0.32f, look.seed + 8u);
    albedo = albedo * mix(grey(1.f), Vec3{0.80f, 0.70f, 0.61f}, 0.65f * smoothstep(0.f, 1.f, spot * (1.f + 1.5f * middle + fine)));
  }
  // Small vessels on cheeks and nose.
  const float vessels = saturate(look.redness + 0.5f * look.wrinkles - 0.55f) * (cheek + nose) * (1.f - dark) * visible(0.02f);
  if (vessels > 0.f) {
    const float line = 1.f - smoothstep(0.02f, 0.10f, fabsf(middle + 0.25f * fine));
    albedo = albedo * mix(grey(1.f), Vec3{0.96f, 0.74f, 0.74f}, vessels * line);
  }

  // A shaved beard: blue under fair skin, dots from near.
  const float shave = saturate(look.stubble + 0.10f * saturate(look.masculine) * smoothstep(0.1f, 0.3f, look.age + 0.2f));
  if (shave > 0.f) {
    const float beard = beard_share(c, coarse + 0.5f * middle) * shave;
    if (beard > 0.f) {
      const Vec3 hair = mix(Vec3{0.46f, 0.54f, 0.59f}, mix(grey(1.f), look.hair_color, 0.5f), 0.25f);
      const float see = visible(0.011f);
      const float dots = see > 0.f ? 2.6f * larger(spots(g * 78.f, 0.95f, 0.17f, 0.30f, look.seed + 9u),
                                                   spots(g * 97.f + grey(0.5f), 0.95f, 0.17f, 0.30f, look.seed + 18u))
                                   : 1.f;
      albedo = albedo * mix(grey(1.f), hair, saturate(0.85f * beard * mix(1.f, dots, 0.45f * see) * (0.92f + 0.4f * middle)));
    }
  }

  // Make-up.
  if (look.blush > 0.f) {
    const float at = hill(square((side - 0.42f) / 0.20f) + square((c.y - 0.01f - 0.45f * (side - 0.42f)) / 0.11f)) * front;
    albedo = albedo * mix(grey(1.f), Vec3{1.02f, 0.56f, 0.60f}, 0.75f * look.blush * at);
  }
  if (look.eyeshadow > 0.f) {
    const float at = hill(square((side - 0.325f) / 0.165f) + square((c.y - 0.365f - 0.08f * (side - 0.3f)) / 0.075f)) *
                     smoothstep(0.27f, 0.32f, c.y + 0.1f * (side - 0.315f)) * front;
    albedo = mix(albedo, look.eyeshadow_color * (0.4f + 0.8f * look.tone.x), 0.85f * look.eyeshadow * at);
  }

  // Relief.
  const float rough = 0.5f + 0.5f * look.pores + 0.4f * look.wrinkles;
  const float oily = saturate(0.25f + 0.85f * nose + 0.7f * hill(square(c.x / 0.30f) + square((c.y - 0.72f) / 0.20f)) * front +
                              0.45f * chin + 0.55f * cheek);
  const float bumps = f.lip > 0.6f ? 0.f : 1.f;
  relief.slope = unskewed(
      slope_middle * (0.030f * bumps * visible(0.06f)) + slope_fine * (0.070f * (1.f - 0.4f * dark) * rough * see_fine * bumps) +
      slope_pore * (0.22f * (1.f - 0.3f * dark) * see_pore * (0.35f + look.pores) * (0.4f + 0.8f * saturate(cheek + nose)) * bumps));
  add_wrinkles(look, c, coarse + 0.5f * middle, coarse, relief);
  albedo = albedo * ((1.f - 0.17f * look.pores * pore * (0.5f + saturate(cheek + nose))) * (1.f - 0.42f * saturate(relief.dark)));

  Skin out;
  Surface& s = out.base;
  s.wrap = mix(Vec3{0.25f, 0.14f, 0.09f}, Vec3{0.14f, 0.09f, 0.07f}, dark);
  s.bend = {0.85f, 1.20f, 1.35f};
  // Creases too fine for the occlusion of the mesh.
  const float crease = 0.24f * hill(square((side - 0.135f) / 0.07f) + square((c.y - 0.285f) / 0.11f)) +
                       0.34f * hill(square((side - 0.152f) / 0.032f) + square((c.y + 0.10f) / 0.065f)) +
                       0.24f * (1.f - f.lip) * hill(square(c.x / 0.17f) + square((c.y + 0.515f) / 0.042f)) +
                       0.22f * hill(square((side - 0.31f) / 0.18f) + square((c.y - 0.385f) / 0.032f));
  s.occlusion = larger(f.aux[2] * (0.55f + 0.45f * f.aux[2]) * (1.f - crease * front), 0.10f);
  s.gloss = (0.40f + 0.7f * look.gloss) * (0.75f + 0.35f * oily) * (1.f + 0.4f * fine + 0.2f * middle);
  s.sharpness = 7.f;
  out.film = look.gloss * (0.25f + 1.3f * oily) * (0.85f + 0.5f * dark) * larger(1.f + 0.6f * fine + 0.25f * middle - 0.5f * pore, 0.f);
  out.film_sharpness = 26.f;
  out.fuzz = 1.f;

  if (f.brow > 0.f) {
    albedo = mix(albedo, look.brow_color, 0.30f * f.brow);
    out.film *= 1.f - 0.6f * f.brow;
  }
  if (f.aux[3] > 0.1f) {  // the scalp between the hairs
    const float hair = smoothstep(0.10f, 0.80f, f.aux[3]);
    albedo = mix(albedo, look.hair_color * 0.7f, 0.8f * hair);
    out.film *= 1.f - 0.8f * hair;
    s.gloss *= 1.f - 0.6f * hair;
  }

  // Lips.
  if (f.lip > 0.02f) {
    const float lip = smoothstep(0.15f, 0.72f, f.lip);
    Vec3 slope_line;
    const float line = value_noise({q.x * 52.f, q.y * 5.f, 3.5f}, look.seed + 10u, slope_line) - 0.5f;
    const float upper = smoothstep(-0.006f, 0.010f, c.y + 0.380f);
    Vec3 natural = look.tone * mix(Vec3{0.86f, 0.56f, 0.57f}, Vec3{0.78f, 0.62f, 0.66f}, dark) *
                   Vec3{1.f, 1.f - 0.18f * look.redness, 1.f - 0.14f * look.redness};
    natural = mix(natural, Vec3{0.30f, 0.125f, 0.115f}, 0.42f * smoothstep(0.35f, 0.9f, dark) * (1.f - upper));  // rosy inside of dark lips
    natural = natural * mix(1.f, 0.84f, upper);
    Vec3 colour = mix(natural, look.lip_tint * (0.55f + 0.75f * look.tone.x), look.lip_tint_strength);
    const float contact = hill(square((c.y + 0.380f) / 0.022f));
    colour = colour * ((0.97f + 0.20f * line * visible(0.03f) + 0.10f * middle) * (1.f - 0.50f * contact)) *
             Vec3{1.f, 1.f - 0.2f * contact, 1.f - 0.2f * contact};
    albedo = mix(albedo, colour, lip);
    const float wet = look.lip_gloss;
    relief.slope = relief.slope + Vec3{slope_line.x * 0.14f * lip * visible(0.03f) * (1.f - 0.5f * look.lip_tint_strength), 0.f, 0.f};
    s.gloss = mix(s.gloss, 0.7f, lip);
    out.film = mix(out.film, (0.40f + 1.8f * wet) * larger(1.f + 0.8f * line, 0.f) * (1.f - 0.85f * contact), lip);
    out.film_sharpness = mix(out.film_sharpness, mix(34.f, 130.f, wet), lip);
    out.fuzz = 1.f - lip;
  }

  // Lid margins: lashes darken the upper one, the edges are wet and pink.
  if (front > 0.5f && fabsf(c.y - 0.30f) < 0.15f && side > 0.10f && side < 0.56f) {
    const NearLid at = near_lid(look.eye[c.x > 0.f ? 0 : 1], f.position);
    const float inside = smoothstep(-0.10f, 0.02f, at.s) * smoothstep(1.06f, 0.97f, at.s);
    const float up = hill(square((at.gap_up - 0.0004f) / 0.0009f)) * inside, low = hill(square((at.gap_low + 0.0002f) / 0.0008f)) * inside;
    albedo = albedo * (1.f - 0.50f * up - 0.22f * low);
    if (look.eyeliner > 0.f) {
      const float wing = hill(square((at.s + 0.06f) / 0.11f) + square((at.height - 0.0012f - 0.05f * at.s * at.s) / 0.0011f));
      const float wide = 0.0008f + 0.0007f * look.eyeliner;
      const float ink = larger(hill(square((at.gap_up - 0.0005f) / wide)) * inside,
                               larger(0.8f * wing, 0.55f * hill(square((at.gap_low + 0.0004f) / 0.0007f)) * inside));
      albedo = mix(albedo, grey(0.012f), saturate(1.25f * ink) * saturate(1.4f * look.eyeliner));
    }
    if (f.label == kLeftEye || f.label == kRightEye) {
      // Between the lids it continues the white of the eye, at the inner corner it is the caruncle.
      const Vec3 edge = mix(look.tone, Vec3{0.60f, 0.36f, 0.33f}, 0.5f) * Vec3{0.90f, 0.74f, 0.72f};
      const Vec3 white = mix(Vec3{0.40f, 0.345f, 0.325f}, Vec3{0.50f, 0.27f, 0.25f}, smoothstep(0.82f, 0.94f, at.s));
      const float between = smoothstep(0.0002f, 0.0011f, smaller(-at.gap_up, at.gap_low)) * smoothstep(0.02f, 0.08f, at.s);
      albedo = mix(edge, white, between) * (1.f - 0.45f * up);
      albedo = mix(albedo, grey(0.02f), saturate(1.2f * look.eyeliner) * 0.5f);
      out.film = 1.6f;
      out.film_sharpness = 90.f;
      out.fuzz = 0.f;
      s.occlusion = larger(s.occlusion, 0.60f);
    }
  }

  s.albedo = albedo;
  s.normal = normalized(f.normal - (relief.slope - f.normal * dot(relief.slope, f.normal)));
  return out;
}

/// Skin with what passes through thin parts and what shines on fine hairs.
FORGE_HD Vec3 lit_skin(const Look& look, const Fragment& at, const Light& light) {
  Fragment f = at;
  if (f.label == kLeftEye || f.label == kRightEye)
    f.shadow = mix(f.shadow, 1.f,
                   0.4f * saturate(2.f * dot(f.normal, light.key)) * saturate(3.f * light.key.z));  // wet edges too fine for the shadow map
  const Skin skin = skin_surface(look, f);
  const Surface& s = skin.base;
  const float openness = s.occlusion * f.sky, nv = larger(dot(s.normal, f.to_eye), 0.f);
  const Vec3 around = irradiance(light, s.normal);
  Vec3 color = diffuse(s, f, light, openness, around) + mirrored(s, f, light, openness);
  const Vec3 key = light.key_color * f.shadow;
  const auto shine = [&](Vec3 towards, float spread) {
    const Half half = half_way(s.normal, f.to_eye, towards);
    return s.gloss * lobe(half, s.sharpness, spread) + skin.film * lobe(half, skin.film_sharpness, spread);
  };
  if (f.shadow > 0.f) color = color + key * shine(light.key, 0.10f * light.softness);
  if (luminance(light.rim_color) > 0.f) color = color + light.rim_color * (rim_share(s, f, light) * shine(light.rim, 0.05f));
  const float grazing = square(square(1.f - nv));
  color = color + (around * openness + key * saturate(0.6f + dot(f.normal, light.key)) +
                   light.rim_color * saturate(0.6f + dot(f.normal, light.rim))) *
                      Vec3{1.f, 0.93f, 0.85f} * (0.050f * skin.fuzz * grazing * (1.f - 0.75f * look.melanin));
  // Ears and nose wings glow when the light is behind them.
  const bool thin = f.label == kLeftEar || f.label == kRightEar || f.label == kNose;
  const float behind = -dot(f.normal, light.key);
  if (thin && behind > 0.f && f.thickness_m < 0.02f) {
    const float wing = hill(square((fabsf(f.rest.x) - 0.0115f) / 0.006f) + square((10.f * f.rest.y - look.height[2] - 0.05f) / 0.06f));
    const float through = hill(square(f.thickness_m / 0.008f)) * smoothstep(0.f, 0.4f, behind) * (1.f - 0.75f * look.melanin);
    color = color + light.key_color * Vec3{0.42f, 0.075f, 0.035f} * (f.label == kNose ? 0.25f * through * wing : through);
  }
  return color;
}

}  // namespace forge_rt::shade
