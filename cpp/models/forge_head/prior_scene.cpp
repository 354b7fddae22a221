// Light, background, camera faults, label habit and the pose of objects: where the styles "studio" and "wild" differ.
#include <algorithm>
#include <cmath>

#include "prior.h"
#include "shading/vec3.h"

namespace forge_rt::prior {
namespace {

float f32(double v) { return static_cast<float>(v); }

// A tint of random hue, `strength` 0 grey .. 1 strong; mean 1.
Color tint(Random& random, double strength) {
  Color c;
  double sum = 0.0;
  for (float& v : c) {
    v = f32(std::exp(strength * random.uniform(-1.0, 1.0)));
    sum += v / 3.0;
  }
  for (float& v : c) v = f32(v / sum);
  return c;
}

Color warmth(double amount) { return {f32(1.0 + 0.5 * amount), 1.f, f32(1.0 - amount)}; }

// Irradiance with one colour from above, one from the ground, and a bright side.
void set_environment(FaceLight& light, const Color& sky, const Color& ground, double sky_share, double side, double front, Random& random) {
  for (int c = 0; c < 3; ++c) {
    const double mean = 0.5 * (sky[c] + ground[c]);
    light.environment[c] = f32(0.72 * mean);
    light.environment[3 + c] = f32(sky_share * 0.36 * (1.6 * sky[c] - 0.6 * ground[c]));
    light.environment[6 + c] = f32(front * 0.22 * mean);
    light.environment[9 + c] = f32(side * 0.30 * mean);
    for (int k = 4; k < 9; ++k) light.environment[3 * k + c] = f32(0.03 * mean * random.uniform(-1.0, 1.0));
  }
}

void light_studio(Random& random, FaceLight& light) {
  light.key_yaw_deg = f32(clamp(36.0 * random.normal(), -80.0, 80.0));
  light.key_pitch_deg = f32(random.uniform(5.0, 55.0));
  light.key_strength = f32(random.uniform(0.45, 1.15));
  light.key_softness = f32(random.uniform(0.3, 1.0));
  light.key_color = warmth(random.uniform(-0.06, 0.14));
  light.rim_strength = random.uniform() < 0.4 ? f32(random.uniform(0.2, 1.2)) : 0.f;
  light.rim_yaw_deg = f32((light.key_yaw_deg > 0.f ? -1.0 : 1.0) * random.uniform(110.0, 165.0));
  light.rim_pitch_deg = f32(random.uniform(10.0, 50.0));
  light.rim_color = warmth(random.uniform(-0.1, 0.1));
  light.ambient_strength = f32(random.uniform(0.4, 0.75));
  // Arguments have no order in C++: one draw a statement.
  const double front = random.uniform(0.0, 1.0), side = random.uniform(-0.6, 0.6), sky_share = random.uniform(0.3, 1.0);
  const Color ground = warmth(random.uniform(0.0, 0.15));
  set_environment(light, warmth(random.uniform(-0.1, 0.1)), ground, sky_share, side, front, random);
}

void light_wild(Random& random, FaceLight& light, FaceCapture& capture) {
  light_studio(random, light);
  const double kind = random.uniform();
  if (kind < 0.22) {  // sun
    light.key_strength = f32(random.uniform(1.3, 2.4));
    light.key_softness = f32(random.uniform(0.0, 0.2));
    light.key_pitch_deg = f32(random.uniform(10.0, 75.0));
    light.key_color = warmth(random.uniform(0.0, 0.25));
    light.ambient_strength = f32(random.uniform(0.25, 0.6));
  } else if (kind < 0.40) {  // light from behind
    const double side = random.uniform() < 0.5 ? -1.0 : 1.0;
    light.key_yaw_deg = f32(side * random.uniform(100.0, 175.0));
    light.key_strength = f32(random.uniform(1.0, 2.4));
    light.ambient_strength = f32(random.uniform(0.3, 0.65));
    capture.exposure += f32(random.uniform(0.0, 0.6));
  } else if (kind < 0.58) {  // colours
    light.key_color = tint(random, 0.8);
    const double front = random.uniform(0.0, 1.0), side = random.uniform(-1.0, 1.0);
    const Color ground = tint(random, 0.7);
    set_environment(light, tint(random, 0.7), ground, 1.0, side, front, random);
  } else if (kind < 0.72) {  // side light in the dark
    const double side = random.uniform() < 0.5 ? -1.0 : 1.0;
    light.key_yaw_deg = f32(side * random.uniform(55.0, 100.0));
    light.key_softness = f32(random.uniform(0.0, 0.6));
    light.key_strength = f32(random.uniform(1.0, 2.4));
    light.ambient_strength = f32(random.uniform(0.12, 0.4));
  } else if (kind < 0.80) {  // from the ceiling
    light.key_yaw_deg = f32(40.0 * random.normal());
    light.key_pitch_deg = f32(random.uniform(60.0, 85.0));
    light.key_strength = f32(random.uniform(1.2, 2.4));
    light.ambient_strength = f32(random.uniform(0.3, 0.7));
  } else if (kind < 0.84) {  // from below
    light.key_pitch_deg = f32(random.uniform(-50.0, -10.0));
    light.key_strength = f32(random.uniform(0.8, 1.6));
  } else if (kind < 0.93) {  // flash
    light.key_yaw_deg = f32(5.0 * random.normal());
    light.key_pitch_deg = f32(random.uniform(0.0, 12.0));
    light.key_strength = f32(random.uniform(1.0, 1.9));
    light.key_softness = 0.15f;
    light.ambient_strength = f32(random.uniform(0.15, 0.5));
  }
}

Color backdrop(Random& random, double saturation) {
  const double value = 0.03 + 0.75 * std::pow(random.uniform(), 1.5);
  Color c = tint(random, saturation * random.uniform());
  for (float& v : c) v = std::min(f32(v * value), 0.95f);
  return c;
}

int pick(Random& random, const std::array<double, 9>& weights) {
  double total = 0.0;
  for (const double w : weights) total += w;
  double draw = random.uniform() * total;
  int row = 0;
  while (row < 8 && draw >= weights[row]) draw -= weights[row++];
  return row;
}

void capture_wild(Random& random, FaceCapture& c) {
  const auto often = [&](double probability) { return random.uniform() < probability; };
  c.exposure += f32(clamp(0.55 * random.normal(), -1.4, 1.2));
  c.contrast = f32(clamp(1.0 + 0.18 * random.normal(), 0.6, 1.6));
  c.saturation = f32(clamp(1.0 + 0.25 * random.normal(), 0.2, 1.7));
  c.white_balance = tint(random, often(0.5) ? 0.25 : 0.08);
  c.vignette = often(0.3) ? f32(random.uniform(0.1, 0.8)) : 0.f;
  c.blur_px = often(0.45) ? f32(random.uniform(0.4, 2.6)) : 0.f;
  if (often(0.15)) {
    c.motion_px = f32(random.uniform(2.0, 10.0));
    c.motion_deg = f32(random.uniform(0.0, 180.0));
  }
  if (often(0.6)) {
    c.noise_read = f32(random.uniform(0.002, 0.035));
    c.noise_shot = f32(random.uniform(0.0, 0.05));
  }
  c.sharpen = often(0.2) ? f32(random.uniform(0.2, 1.0)) : 0.f;
  c.downscale = often(0.35) ? f32(random.uniform(1.3, 5.0)) : 1.f;
  c.jpeg_quality = often(0.7) ? 18 + static_cast<int>(random.below(78)) : 0;
  c.greyscale = often(0.06) ? 1 : 0;
}

void pose_objects(const Person& person, FaceParameters& face) {
  Random random = person.stream("object");
  for (const Choice* choice : chosen_options(*person.model, face))
    for (const int index : choice->meshes) {
      const MeshPart& mesh = person.model->meshes[index];
      if (!mesh.free || mesh.worn) continue;
      float pose[7];
      for (int k = 0; k < 7; ++k) pose[k] = f32(random.uniform(mesh.pose_low[k], mesh.pose_high[k]));
      std::copy_n(pose, 3, face.occluder.position_m.begin());
      std::copy_n(pose + 3, 3, face.occluder.rotation.begin());
      face.occluder.scale = pose[6];
      return;
    }
}

}  // namespace

void draw_scene(const Person& person, FaceParameters& face) {
  FaceAppearance& look = face.appearance;
  {
    Random random = person.stream(person.wild ? "light/wild" : "light/studio");
    if (person.wild) light_wild(random, face.light, face.capture);
    else light_studio(random, face.light);
  }
  {
    Random random = person.stream("background");
    //                                            plain gradient blobs bokeh room street foliage stripes texture
    const std::array<double, 9> studio = {0.12, 0.34, 0.14, 0.10, 0.14, 0.04, 0.06, 0.01, 0.05};
    const std::array<double, 9> wild = {0.06, 0.06, 0.08, 0.14, 0.22, 0.17, 0.14, 0.05, 0.08};
    look.background = pick(random, person.wild ? wild : studio);
    look.background_color = backdrop(random, person.wild ? 0.9 : 0.45);
    look.background_color_2 = backdrop(random, person.wild ? 0.9 : 0.45);
    look.background_blur = f32(random.uniform(person.wild ? 0.0 : 0.3, 1.0));
  }
  {
    Random random = person.stream(person.wild ? "capture/wild" : "capture/studio");
    FaceCapture& c = face.capture;
    // Cameras and photographers expose for the face.
    const double metered = 0.9 * std::max(look.melanin - 0.3, 0.0);
    if (person.wild) {
      capture_wild(random, c);
      c.exposure += f32(0.6 * metered);
    } else {
      c.exposure = f32(clamp(0.14 * random.normal(), -0.35, 0.35) + metered);
      c.contrast = f32(clamp(1.0 + 0.05 * random.normal(), 0.85, 1.15));
      c.saturation = f32(clamp(1.0 + 0.06 * random.normal(), 0.8, 1.2));
      c.white_balance = tint(random, 0.03);
      c.blur_px = random.uniform() < 0.4 ? f32(random.uniform(0.3, 0.6)) : 0.f;
      c.noise_read = f32(random.uniform(0.0, 0.006));
    }
  }
  if (person.wild) {
    Random random = person.stream("label habit");
    face.habit.brow_margin_m = f32(clamp(0.0007 * random.normal(), -0.001, 0.002));
    face.habit.lens_as_glasses = random.uniform() < 0.6 ? 1.f : 0.f;
    face.habit.beard_as_hair = random.uniform() < 0.25 ? 1.f : 0.f;
    face.habit.wisps = random.uniform() < 0.5 ? 1.f : 0.f;
  }
  pose_objects(person, face);
}

}  // namespace forge_rt::prior
