#include "look.h"

#include <algorithm>

namespace forge_rt {
namespace {

Vec3 color_of(const Color& c) { return {c[0], c[1], c[2]}; }

}  // namespace

Vec3 direction(float yaw_deg, float pitch_deg) {
  constexpr float kDegree = 0.017453292519943295f;
  const float yaw = yaw_deg * kDegree, pitch = pitch_deg * kDegree;
  return {std::sin(yaw) * std::cos(pitch), std::sin(pitch), std::cos(yaw) * std::cos(pitch)};
}

shade::Look look_of(const ForgeHead::Impl& model, const FaceParameters& face) {
  const FaceAppearance& a = face.appearance;
  const auto slider = [&](const char* name) {
    const int i = model.slider_index(name);
    return i >= 0 ? face.sliders[i] : 0.f;
  };
  const auto expression = [&](const char* name) {
    const int i = model.expression_index(name);
    return i >= 0 ? std::clamp(face.expression[i], 0.f, 1.f) : 0.f;
  };
  shade::Look l{};
  l.melanin = a.melanin;
  l.undertone = a.undertone;
  l.redness = a.redness;
  l.freckles = a.freckles;
  l.moles = a.moles;
  l.blemishes = a.blemishes;
  l.pores = a.pores;
  l.dark_circles = a.dark_circles;
  l.gloss = a.gloss;
  l.stubble = a.stubble;
  l.masculine = slider("macro/masculine");
  l.age = slider("macro/age");
  l.weight = slider("macro/weight");
  l.wrinkles = std::clamp(a.wrinkles + std::max(l.age - 0.35f, 0.f) * 1.2f, 0.f, 1.f);
  l.smile_left = std::max(expression("smile_left"), expression("smile"));
  l.smile_right = std::max(expression("smile_right"), expression("smile"));
  l.brow_raise = std::max({expression("brow_raise"), expression("brow_raise_left"), expression("brow_raise_right"), expression("brows_up")});
  l.frown = std::max(expression("frown"), expression("brows_down"));
  l.squint = std::max(expression("squint"), 0.5f * std::max(l.smile_left, l.smile_right));
  l.pucker = expression("pucker");
  l.jaw_open = expression("jaw_open");
  l.iris_color = color_of(a.iris_color);
  l.pupil = a.pupil;
  l.bloodshot = a.bloodshot;
  l.teeth_shade = a.teeth_shade;
  l.lip_tint = color_of(a.lip_tint);
  l.lip_tint_strength = a.lip_tint_strength;
  l.lip_gloss = a.lip_gloss;
  l.blush = a.blush;
  l.eyeshadow_color = color_of(a.eyeshadow_color);
  l.eyeshadow = a.eyeshadow;
  l.eyeliner = a.eyeliner;
  l.hair_color = color_of(a.hair_color);
  l.hair_tip_color = color_of(a.hair_tip_color);
  l.brow_color = color_of(a.hair_color) * (1.f - 0.75f * a.brow_darkness);
  l.grey_hair = a.grey_hair;
  l.hair_gloss = a.hair_gloss;
  l.eye_last_angle = model.eye_last_angle;
  l.iris_angle = model.iris_angle;
  l.seed = a.texture_seed;
  return l;
}

shade::Light light_of(const FaceLight& light) {
  shade::Light l{};
  l.key = direction(light.key_yaw_deg, light.key_pitch_deg);
  l.key_color = color_of(light.key_color) * light.key_strength;
  l.rim = direction(light.rim_yaw_deg, light.rim_pitch_deg);
  l.rim_color = color_of(light.rim_color) * light.rim_strength;
  for (int k = 0; k < 9; ++k) l.environment[k] = vec3(light.environment.data() + 3 * k) * light.ambient_strength;
  return l;
}

shade::Background background_of(const FaceAppearance& look) {
  return {look.background, color_of(look.background_color), color_of(look.background_color_2), look.background_blur, look.texture_seed};
}

}  // namespace forge_rt
