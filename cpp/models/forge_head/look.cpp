#include "look.h"

#include <algorithm>

namespace forge_rt {
namespace {

Vec3 color_of(const Color& c) { return {c[0], c[1], c[2]}; }

// Point `i` of the 68 landmarks on the template, metres.
Vec3 rest_landmark(const ForgeHead::Impl& model, int i) {
  const LandmarkArrays& marks = model.head->landmarks();
  const std::int32_t* id = model.head->triangles().data<std::int32_t>() + 3 * marks.static_face.data<std::int32_t>()[i];
  const float* w = marks.static_barycentrics.data<float>() + 3 * i;
  Vec3 p{};
  for (int k = 0; k < 3; ++k) p = p + vec3(model.rest.data<float>() + 3 * id[k]) * w[k];
  return p;
}

// Frame and lid curves of one eye.
shade::Eye eye_of(const FaceParameters& face, const float* landmarks, bool left) {
  const auto mark = [&](int i) { return vec3(landmarks + 3 * i); };
  const auto turned = [&](Vec3 v) {
    return rotate(vec3(face.neck.data()), rotate(vec3((left ? face.left_eye : face.right_eye).data()), v));
  };
  shade::Eye e{};
  e.right = turned({1, 0, 0});
  e.up = turned({0, 1, 0});
  e.axis = turned({0, 0, 1});
  // Outer to inner corner; upper lid; lower lid.
  const int row[6] = {left ? 45 : 36, left ? 42 : 39, left ? 44 : 37, left ? 43 : 38, left ? 46 : 41, left ? 47 : 40};
  e.corner = mark(row[0]);
  const Vec3 across = mark(row[1]) - e.corner, up = mark(27) - mark(33);
  e.width_m = length(across);
  e.along = normalized(across);
  e.across = normalized(up - e.along * dot(up, e.along));
  const auto lid = [&](Vec3 p, Vec3 q, float out[2]) {
    const auto share = [&](Vec3 v) { return std::clamp(dot(v - e.corner, e.along) / e.width_m, 0.1f, 0.9f); };
    const auto height = [&](Vec3 v) { return dot(v - e.corner, e.across) / (2.f * std::sqrt(share(v) * (1.f - share(v)))); };
    const float s = share(p), t = share(q), slope = (height(q) - height(p)) / std::max(t - s, 0.1f);
    out[0] = height(p) - slope * s;
    out[1] = slope;
  };
  lid(mark(row[2]), mark(row[3]), e.upper);
  lid(mark(row[4]), mark(row[5]), e.lower);
  return e;
}

}  // namespace

Vec3 skin_tone(float melanin, float undertone) {
  constexpr int kSteps = 7;
  const Vec3 steps[kSteps] = {{0.605f, 0.405f, 0.325f}, {0.53f, 0.335f, 0.250f},  {0.445f, 0.265f, 0.183f}, {0.345f, 0.195f, 0.127f},
                              {0.240f, 0.128f, 0.080f}, {0.133f, 0.071f, 0.046f}, {0.062f, 0.036f, 0.0265f}};
  const float t = saturate(melanin) * (kSteps - 1);
  const int i = std::min(static_cast<int>(t), kSteps - 2);
  const Vec3 base = mix(steps[i], steps[i + 1], t - static_cast<float>(i));
  // Warm skin is yellow to olive, cool skin pink.
  const float warm = std::clamp(undertone, -1.f, 1.f);
  return base * (warm > 0.f ? mix(grey(1.f), Vec3{0.985f, 1.0f, 0.86f}, warm) : mix(grey(1.f), Vec3{1.02f, 0.96f, 1.07f}, -warm));
}

Vec3 direction(float yaw_deg, float pitch_deg) {
  constexpr float kDegree = 0.017453292519943295f;
  const float yaw = yaw_deg * kDegree, pitch = pitch_deg * kDegree;
  return {std::sin(yaw) * std::cos(pitch), std::sin(pitch), std::cos(yaw) * std::cos(pitch)};
}

shade::Look look_of(const ForgeHead::Impl& model, const FaceParameters& face, const float* landmarks) {
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
  l.smile_left = std::max({expression("smile"), expression("smile_left"), 0.4f * expression("stretch")});
  l.smile_right = std::max({expression("smile"), expression("smile_right"), 0.4f * expression("stretch")});
  l.brow_raise = std::max(
      {expression("brows_up"), 0.7f * expression("brow_inner_up"), 0.6f * expression("brow_left_up"), 0.6f * expression("brow_right_up")});
  l.frown = std::max(expression("brows_down"), 0.5f * expression("brow_inner_up"));
  l.squint = std::max({expression("squint"), 0.6f * std::max(l.smile_left, l.smile_right), 0.5f * expression("sneer")});
  l.pucker = std::max({expression("pucker"), 0.8f * expression("phoneme_oo"), 0.6f * expression("lip_press")});
  l.jaw_open = std::max(expression("jaw_open"), expression("phoneme_aa"));
  l.sneer = expression("sneer");
  l.tone = skin_tone(a.melanin, a.undertone);
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
  l.eye[0] = eye_of(face, landmarks, true);
  l.eye[1] = eye_of(face, landmarks, false);
  const auto height = [&](int p, int q) { return 5.f * (rest_landmark(model, p).y + rest_landmark(model, q).y); };
  l.height[0] = height(19, 24);
  l.height[1] = height(39, 42);
  l.height[2] = height(31, 35);
  l.height[3] = height(62, 66);
  l.height[4] = height(8, 8);
  return l;
}

shade::Light light_of(const FaceLight& light) {
  shade::Light l{};
  l.key = direction(light.key_yaw_deg, light.key_pitch_deg);
  l.key_color = color_of(light.key_color) * light.key_strength;
  l.key_right = normalized(cross(std::abs(l.key.y) < 0.99f ? Vec3{0, 1, 0} : Vec3{0, 0, 1}, l.key));
  l.key_up = cross(l.key, l.key_right);
  l.softness = std::clamp(light.key_softness, 0.f, 1.f);
  l.rim = direction(light.rim_yaw_deg, light.rim_pitch_deg);
  l.rim_color = color_of(light.rim_color) * light.rim_strength;
  for (int k = 0; k < 9; ++k) l.environment[k] = vec3(light.environment.data() + 3 * k) * light.ambient_strength;
  return l;
}

shade::Background background_of(const FaceAppearance& look) {
  return {look.background, color_of(look.background_color), color_of(look.background_color_2), look.background_blur, look.texture_seed};
}

}  // namespace forge_rt
