// Skin, eyes, make-up, hair and the colours of things of a random person.
#include <algorithm>
#include <cmath>

#include "prior.h"
#include "shading/vec3.h"

namespace forge_rt::prior {
namespace {

// Linear reflectances, dark to light.
const std::vector<Color> kHairColors = {{0.008f, 0.006f, 0.005f}, {0.018f, 0.011f, 0.008f}, {0.040f, 0.022f, 0.013f},
                                        {0.080f, 0.042f, 0.021f}, {0.15f, 0.080f, 0.036f},  {0.28f, 0.165f, 0.075f},
                                        {0.42f, 0.29f, 0.15f},    {0.52f, 0.41f, 0.26f}};
const std::vector<Color> kIrisColors = {{0.030f, 0.014f, 0.007f}, {0.070f, 0.033f, 0.013f}, {0.12f, 0.065f, 0.022f}, {0.13f, 0.10f, 0.035f},
                                        {0.09f, 0.13f, 0.07f},    {0.12f, 0.16f, 0.17f},    {0.10f, 0.17f, 0.24f},   {0.20f, 0.29f, 0.38f}};
const std::vector<Color> kClothColors = {{0.010f, 0.010f, 0.012f}, {0.030f, 0.032f, 0.036f}, {0.12f, 0.12f, 0.12f},   {0.35f, 0.35f, 0.34f},
                                         {0.72f, 0.71f, 0.68f},    {0.75f, 0.73f, 0.66f},    {0.015f, 0.025f, 0.07f}, {0.05f, 0.10f, 0.25f},
                                         {0.20f, 0.33f, 0.50f},    {0.25f, 0.02f, 0.025f},   {0.50f, 0.06f, 0.05f},   {0.03f, 0.08f, 0.05f},
                                         {0.12f, 0.13f, 0.06f},    {0.35f, 0.27f, 0.17f},    {0.18f, 0.10f, 0.06f},   {0.55f, 0.38f, 0.08f},
                                         {0.55f, 0.30f, 0.33f},    {0.22f, 0.10f, 0.25f}};
const std::vector<Color> kFrameColors = {{0.012f, 0.012f, 0.012f}, {0.015f, 0.014f, 0.014f}, {0.09f, 0.04f, 0.015f}, {0.30f, 0.30f, 0.31f},
                                         {0.45f, 0.32f, 0.12f},    {0.05f, 0.08f, 0.18f},    {0.25f, 0.02f, 0.03f},  {0.45f, 0.40f, 0.35f}};

Color on_palette(const std::vector<Color>& colors, double t) {
  const double position = clamp(t, 0.0, 1.0) * static_cast<double>(colors.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(position), colors.size() - 2);
  const auto f = static_cast<float>(position - static_cast<double>(i));
  Color out;
  for (int c = 0; c < 3; ++c) out[c] = mix(colors[i][c], colors[i + 1][c], f);
  return out;
}

Color one_of(Random& random, const std::vector<Color>& colors) {
  Color c = colors[random.below(static_cast<std::uint32_t>(colors.size()))];
  for (float& v : c) v *= static_cast<float>(random.uniform(0.75, 1.3));
  return c;
}

float chance(Random& random, double probability, double low, double high) {
  const double value = random.uniform(low, high);
  return random.uniform() < probability ? static_cast<float>(value) : 0.f;
}

}  // namespace

void draw_appearance(const Person& person, FaceParameters& face) {
  const Kind& k = kind(person.kind);
  FaceAppearance& look = face.appearance;
  const double feminine = 1.0 - person.masculine, grown = person.child > 0.0 ? 0.0 : 1.0;

  {
    Random random = person.stream("skin");
    look.melanin = static_cast<float>(clamp(k.melanin + k.melanin_spread * random.normal(), 0.0, 1.0));
    look.undertone = static_cast<float>(clamp(0.45 * k.undertone + 0.2 * random.normal(), -0.7, 0.7));
    const double fair = clamp(1.0 - 2.2 * look.melanin, 0.0, 1.0);
    look.redness = static_cast<float>(clamp(0.42 + 0.17 * random.normal() + 0.1 * fair, 0.05, 1.0));
    look.freckles = chance(random, 0.06 + 0.25 * fair, 0.15, 0.9);
    look.moles = chance(random, 0.5, 0.1, 0.8);
    look.blemishes = chance(random, 0.35, 0.05, 0.6);
    look.wrinkles = static_cast<float>(grown * clamp(0.12 * random.normal(), -0.2, 0.35));
    look.pores = static_cast<float>(grown * random.uniform(0.2, 0.8));
    look.dark_circles = static_cast<float>(clamp(0.22 + 0.18 * random.normal() + 0.2 * person.age, 0.0, 1.0));
    look.gloss = static_cast<float>(random.uniform(0.18, 0.55));
    look.stubble = std::max(look.stubble,
                            static_cast<float>(grown * clamp((person.masculine - 0.55) * 2.2, 0.0, 1.0)) * chance(random, 0.75, 0.1, 1.0));
    look.texture_seed = random.next_u32();
  }
  {
    Random random = person.stream("eyes");
    look.iris_color = on_palette(kIrisColors, random.uniform(k.iris_low, k.iris_high));
    for (float& c : look.iris_color) c *= static_cast<float>(random.uniform(0.8, 1.25));
    look.pupil = static_cast<float>(random.uniform(0.28, 0.55));
    look.bloodshot = static_cast<float>(clamp(0.15 + 0.12 * random.normal() + 0.15 * person.age, 0.0, 0.8));
    look.teeth_shade = static_cast<float>(clamp(0.22 + 0.16 * random.normal() + 0.25 * person.age, 0.0, 1.0));
  }
  {
    Random random = person.stream("make-up");
    const bool wears = random.uniform() < grown * clamp(1.25 * (feminine - 0.35), 0.0, 0.8);
    const double amount = wears ? random.uniform(0.25, 1.0) : 0.0;
    look.lip_tint = {static_cast<float>(random.uniform(0.22, 0.55)), static_cast<float>(random.uniform(0.03, 0.14)),
                     static_cast<float>(random.uniform(0.04, 0.18))};
    look.lip_tint_strength = static_cast<float>(amount * random.uniform(0.2, 0.85));
    const double gloss = 0.2 + 0.15 * random.normal();
    look.lip_gloss = static_cast<float>(clamp(gloss + 0.4 * amount * random.uniform(), 0.0, 1.0));
    look.blush = static_cast<float>(amount * random.uniform(0.0, 0.6));
    const double shade = random.uniform();
    look.eyeshadow_color = {static_cast<float>(mix(0.22f, 0.10f, static_cast<float>(shade))),
                            static_cast<float>(random.uniform(0.06, 0.12)),
                            static_cast<float>(mix(0.06f, 0.20f, static_cast<float>(shade)))};
    look.eyeshadow = static_cast<float>(amount * chance(random, 0.6, 0.1, 0.9));
    look.eyeliner = static_cast<float>(amount * chance(random, 0.7, 0.2, 1.0));
  }
  {
    Random random = person.stream("hair");
    Color hair = on_palette(kHairColors, random.uniform(k.hair_low, k.hair_high));
    if (random.uniform() < k.red_hair) hair = {static_cast<float>(random.uniform(0.14, 0.34)), 0.055f, 0.018f};
    const double dyed = random.uniform();
    if (dyed < 0.10 * feminine * grown) hair = on_palette(kHairColors, random.uniform());
    if (dyed > 1.0 - 0.02 * grown)
      hair = {static_cast<float>(random.uniform(0.02, 0.5)), static_cast<float>(random.uniform(0.02, 0.3)),
              static_cast<float>(random.uniform(0.05, 0.5))};
    look.hair_color = hair;
    const float tips = chance(random, 0.25 * feminine, 0.2, 1.0);
    for (int c = 0; c < 3; ++c) look.hair_tip_color[c] = mix(hair[c], std::min(hair[c] * 2.6f + 0.03f, 0.6f), tips);
    look.grey_hair = static_cast<float>(clamp((person.age - 0.5) * 2.4 * random.uniform(), 0.0, 0.95));
    look.hair_gloss = static_cast<float>(random.uniform(0.25, 0.8));
    look.brow_darkness = static_cast<float>(random.uniform(0.0, 0.65));
    face.hair.length = static_cast<float>(random.uniform(0.75, 1.15));
    face.hair.volume = static_cast<float>(clamp(1.0 + 0.2 * random.normal(), 0.6, 1.5));
    const double curl = k.curl * random.uniform(0.3, 1.2);
    face.hair.curl = static_cast<float>(clamp(curl + 0.12 * random.normal(), 0.0, 1.0));
    face.hair.frizz = static_cast<float>(random.uniform(0.05, 0.7));
    face.hair.clump = static_cast<float>(random.uniform(0.2, 0.8));
    face.hair.seed = random.next_u32();
  }
  {
    Random random = person.stream("things");
    look.cloth_color = one_of(random, kClothColors);
    look.cloth_color_2 = one_of(random, kClothColors);
    look.cloth_pattern = random.uniform() < 0.65 ? 0 : 1 + static_cast<int>(random.below(3));
    look.glasses_color = one_of(random, kFrameColors);
    look.lens_tint = static_cast<float>(random.uniform(0.0, 0.12));
    look.hat_color = one_of(random, kClothColors);
    look.occluder_color = one_of(random, kClothColors);
  }
}

}  // namespace forge_rt::prior
