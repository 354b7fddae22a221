// Shading of one fragment of a ForgeHead: material, light, tone. Linear light throughout; sRGB only at the very end.
#pragma once

#include "forge_head_impl.h"
#include "noise.h"
#include "vec3.h"

namespace forge_rt::shade {

struct Fragment {
  Vec3 position, normal;  // head frame
  Vec3 rest;              // position on the template
  float u = 0, v = 0;     // texture coordinates
  float occlusion = 1;    // 1 = open
  Vec3 to_eye;            // unit, towards the camera
  float shadow = 1;       // 1 = lit by the key light
  std::uint8_t label = 0;
  const HeadPart* part = nullptr;
};

// Label ids of CelebAMask-HQ that the shader treats differently.
enum : std::uint8_t { kBrowLeft = 2, kBrowRight = 3, kUpperLip = 12, kLowerLip = 13, kNose = 10 };

/// Skin by melanin: six steps from fair to dark (linear reflectance, chosen by eye).
inline Vec3 skin_tone(float melanin) {
  static const Vec3 steps[6] = {{0.60f, 0.385f, 0.30f}, {0.53f, 0.32f, 0.23f},   {0.43f, 0.245f, 0.16f},
                                {0.31f, 0.165f, 0.10f}, {0.18f, 0.092f, 0.055f}, {0.085f, 0.043f, 0.028f}};
  const float t = saturate(melanin) * 5.f;
  const int i = std::min(static_cast<int>(t), 4);
  return mix(steps[i], steps[i + 1], t - static_cast<float>(i));
}

struct Surface {
  Vec3 albedo;
  Vec3 wrap;             // how far light bleeds past the terminator, per channel
  float gloss = 0;       // strength of the highlight
  float sharpness = 20;  // its exponent
};

inline Surface skin_surface(const FaceAppearance& look, const Fragment& f) {
  const Vec3 q = f.rest * 10.f;  // decimetres: features below are in these units
  Surface s;
  s.albedo = skin_tone(look.melanin);
  const float side = std::abs(q.x);
  // Blood: cheeks, tip of the nose, around the eyes.
  const float cheek =
      std::exp(-(std::pow((side - 0.38f) / 0.20f, 2.f) + std::pow((q.y + 0.10f) / 0.17f, 2.f))) * smoothstep(0.2f, 0.5f, q.z);
  const float nose = f.label == kNose ? smoothstep(0.55f, 1.0f, q.z) : 0.f;
  const float socket =
      std::exp(-(std::pow((side - 0.31f) / 0.16f, 2.f) + std::pow((q.y - 0.28f) / 0.10f, 2.f))) * smoothstep(0.2f, 0.5f, q.z);
  const float blood = look.redness * (0.35f * cheek + 0.30f * nose + 0.16f * socket);
  s.albedo = s.albedo * Vec3(1.f + 0.10f * blood, 1.f - 0.52f * blood, 1.f - 0.46f * blood);
  // Mottling on three scales.
  const float coarse = value_noise(q * 5.f, look.texture_seed), middle = value_noise(q * 17.f, look.texture_seed + 1u),
              fine = value_noise(q * 70.f, look.texture_seed + 2u);
  const float mottle = 1.f + 0.10f * (coarse - 0.5f) + 0.09f * (middle - 0.5f) + 0.10f * (fine - 0.5f);
  s.albedo = s.albedo * mottle;
  if (look.freckles > 0.f) {
    const float spots =
        smoothstep(0.66f, 0.78f, value_noise(q * 42.f, look.texture_seed + 3u)) * (0.25f + 0.75f * std::min(cheek + nose, 1.f));
    s.albedo = s.albedo * mix(Vec3(1.f, 1.f, 1.f), Vec3(0.62f, 0.46f, 0.36f), look.freckles * spots * smoothstep(0.0f, 0.4f, q.z));
  }
  s.wrap = Vec3(0.30f, 0.17f, 0.12f) * (1.f - 0.5f * look.melanin);
  s.gloss = look.gloss * (0.7f + 0.6f * fine) * (0.6f + 0.5f * look.melanin);
  s.sharpness = 18.f;
  if (f.label == kUpperLip || f.label == kLowerLip) {
    const Vec3 natural = s.albedo * Vec3(0.86f, 0.48f, 0.46f);
    s.albedo = mix(natural, Vec3(look.lip_tint), look.lip_tint_strength) *
               (0.92f + 0.16f * value_noise({q.x * 90.f, q.y * 12.f, q.z * 12.f}, look.texture_seed + 4u));
    s.gloss = look.gloss * 1.5f;
    s.sharpness = 34.f;
  } else if (f.label == kBrowLeft || f.label == kBrowRight) {
    const float hairs = value_noise({q.x * 55.f + q.y * 40.f, q.y * 16.f, 0.f}, look.texture_seed + 5u);
    s.albedo = mix(s.albedo, Vec3(look.hair_color) * 0.8f, look.brow_darkness * (0.45f + 0.55f * smoothstep(0.15f, 0.55f, hairs)));
    s.gloss *= 0.4f;
  }
  return s;
}

inline Surface surface_of(const FaceAppearance& look, const Fragment& f, float eye_angle, float eye_turn, float iris_angle) {
  Surface s;
  const Vec3 q = f.rest * 10.f;
  switch (f.part->material) {
    case Material::skin: return skin_surface(look, f);
    case Material::ear:
      s = skin_surface(look, f);
      s.albedo = s.albedo * Vec3(1.02f, 0.90f, 0.88f);
      return s;
    case Material::mouth:
      s.albedo = {0.22f, 0.055f, 0.05f};
      s.gloss = 0.2f;
      return s;
    case Material::tongue:
      s.albedo = {0.42f, 0.14f, 0.13f};
      s.gloss = 0.4f;
      s.sharpness = 30.f;
      return s;
    case Material::tooth:
      s.albedo = Vec3(0.70f, 0.66f, 0.57f) * (0.94f + 0.06f * std::cos(f.rest.x * 1200.f));
      s.gloss = 0.6f;
      s.sharpness = 60.f;
      return s;
    case Material::eye: {
      const float t = eye_angle / iris_angle;  // 1 at the limbus
      const float fibres = value_noise({eye_turn * 14.f, t * 3.f, 0.f}, look.texture_seed + 6u);
      const Vec3 iris = Vec3(look.iris_color) * (0.65f + 0.9f * fibres) * mix(1.25f, 0.8f, smoothstep(0.45f, 1.f, t));
      Vec3 sclera = mix(Vec3(0.52f, 0.49f, 0.46f), Vec3(0.50f, 0.33f, 0.29f), smoothstep(1.5f, 3.4f, t));
      s.albedo = mix(iris, sclera, smoothstep(0.93f, 1.07f, t));
      s.albedo = s.albedo * mix(1.f, 0.35f, std::exp(-std::pow((t - 0.97f) / 0.09f, 2.f)));   // limbal ring
      s.albedo = mix(Vec3(0.004f, 0.004f, 0.004f), s.albedo, smoothstep(0.36f, 0.42f, t));     // pupil
      s.gloss = 2.2f;
      s.sharpness = 400.f;
      return s;
    }
    case Material::cloth: {
      const float weave = value_noise(q * 60.f, look.texture_seed + 7u);
      s.albedo = Vec3(look.cloth_color) * (0.85f + 0.3f * weave);
      return s;
    }
    case Material::glasses:
      s.albedo = {0.03f, 0.028f, 0.03f};
      s.gloss = 0.9f;
      s.sharpness = 80.f;
      return s;
    case Material::hair: {
      // Strands: noise that is fine around the head (chart angle) and long along the strand (chart radius).
      const HeadPart& part = *f.part;
      const float cu = (f.u - part.chart[0]) / part.chart[2], cv = (f.v - part.chart[1]) / part.chart[3];
      const float radius = std::sqrt(cu * cu + cv * cv), angle = std::atan2(cu, cv);
      const float strand = 0.6f * value_noise({std::cos(angle) * 60.f, std::sin(angle) * 60.f, radius * 5.f}, look.texture_seed + 8u) +
                           0.4f * value_noise({std::cos(angle) * 170.f, std::sin(angle) * 170.f, radius * 9.f}, look.texture_seed + 9u);
      const float lock = value_noise({std::cos(angle) * 11.f, std::sin(angle) * 11.f, radius * 2.5f}, look.texture_seed + 10u);
      s.albedo = Vec3(look.hair_color) * (0.45f + 0.75f * strand) * (0.75f + 0.5f * lock);
      s.wrap = {0.25f, 0.22f, 0.20f};
      s.gloss = 0.22f + 0.9f * strand * strand;
      s.sharpness = 26.f;
      return s;
    }
  }
  return s;
}

/// Unit vector from angles: yaw towards +x, pitch towards +y, (0, 0) = +z.
inline Vec3 direction(float yaw_deg, float pitch_deg) {
  constexpr float kDegree = 0.017453292519943295f;
  const float yaw = yaw_deg * kDegree, pitch = pitch_deg * kDegree;
  return {std::sin(yaw) * std::cos(pitch), std::sin(pitch), std::cos(yaw) * std::cos(pitch)};
}

inline float pow5(float v) { return v * v * v * v * v; }

inline Vec3 lit(const Surface& s, const Fragment& f, const FaceLight& light, Vec3 key_direction) {
  const float facing = dot(f.normal, key_direction);
  const auto wrapped = [&](float w) { return std::max((facing + w) / (1.f + w), 0.f); };
  const Vec3 key = Vec3(light.key_color) * light.key_strength * f.shadow;
  const Vec3 diffuse = key * Vec3(wrapped(s.wrap.x), wrapped(s.wrap.y), wrapped(s.wrap.z));
  // Occluded light is redder on skin: what reaches a crease has bounced off skin.
  const float occlusion = std::log2(f.occlusion);
  const Vec3 open(std::exp2(0.9f * occlusion), std::exp2(1.15f * occlusion), std::exp2(1.25f * occlusion));
  const Vec3 ambient =
      mix(Vec3(light.ground_color), Vec3(light.sky_color), 0.5f + 0.5f * f.normal.y) * (light.ambient_strength * 0.62f) * open;
  Vec3 color = s.albedo * (diffuse + ambient);
  if (s.gloss > 0.f) {
    const Vec3 half = normalized(key_direction + f.to_eye);
    const float lobe = std::pow(std::max(dot(f.normal, half), 0.f), s.sharpness);
    const float grazing = pow5(1.f - std::max(dot(f.to_eye, half), 0.f));
    const float fresnel = 0.035f + 0.965f * grazing;
    const float energy = (s.sharpness + 2.f) / 8.f;
    color = color + key * (s.gloss * fresnel * energy * lobe * std::max(facing, 0.f));
    // Rim of sky light on smooth surfaces.
    const float rim = pow5(1.f - std::max(dot(f.normal, f.to_eye), 0.f));
    color = color + Vec3(light.sky_color) * (light.ambient_strength * 0.20f * s.gloss * rim * f.occlusion);
  }
  return color;
}

/// Film-like shoulder, then the sRGB curve, to 0..255.
inline std::uint8_t tone(float x) {
  const float film = (x * (2.51f * x + 0.03f)) / (x * (2.43f * x + 0.59f) + 0.14f);  // Narkowicz's fit of the ACES curve
  const float c = std::min(film, 1.f);
  const float s = c <= 0.0031308f ? 12.92f * c : 1.055f * std::pow(c, 1.f / 2.4f) - 0.055f;
  return static_cast<std::uint8_t>(s * 255.f + 0.5f);
}

/// `tone` by table; steps of 1/4096 are below a third of a grey level everywhere.
inline std::uint8_t encode(float linear) {
  constexpr int kSteps = 4096, kTop = 8;
  static const auto table = [] {
    std::array<std::uint8_t, kSteps * kTop> t{};
    for (int i = 0; i < kSteps * kTop; ++i) t[i] = tone((static_cast<float>(i) + 0.5f) / kSteps);
    return t;
  }();
  const float i = linear * kSteps;
  return table[i > 0.f ? (i < static_cast<float>(kSteps * kTop) ? static_cast<int>(i) : kSteps * kTop - 1) : 0];
}

}  // namespace forge_rt::shade
