// The prior: which faces ForgeHead::sample draws. Draw order is part of the format; add new draws under a new purpose.
#include <algorithm>
#include <cmath>

#include "model.h"
#include "forge_rt/core/philox.h"
#include "shading/vec3.h"

namespace forge_rt {
namespace {

// Strength of one slider alone, and of the factors that regions share: faces with independent sliders look like caricatures.
constexpr double kOwnSpread = 0.24, kSharedSpread = 0.17, kMacroSpread = 0.38;

std::array<float, 3> pick_color(const std::vector<std::array<float, 3>>& colors, double t) {
  const double position = std::clamp(t, 0.0, 1.0) * static_cast<double>(colors.size() - 1);
  const auto i = std::min(static_cast<std::size_t>(position), colors.size() - 2);
  const auto f = static_cast<float>(position - static_cast<double>(i));
  std::array<float, 3> out;
  for (int c = 0; c < 3; ++c) out[c] = mix(colors[i][c], colors[i + 1][c], f);
  return out;
}

// A colour of random brightness in [low, high] and at most `saturation` away from grey.
std::array<float, 3> muted(Random& random, double low, double high, double saturation) {
  const double grey = low + (high - low) * std::pow(random.uniform(), 1.6), strength = saturation * random.uniform();
  std::array<float, 3> out;
  for (float& c : out) c = static_cast<float>(grey * (1.0 + strength * random.uniform(-1.0, 1.0)));
  return out;
}

// Linear reflectances, dark to light.
const std::vector<Color> kHairColors = {{0.010f, 0.008f, 0.007f}, {0.028f, 0.016f, 0.010f}, {0.075f, 0.038f, 0.018f},
                                                       {0.16f, 0.085f, 0.036f},  {0.36f, 0.22f, 0.10f},    {0.50f, 0.38f, 0.22f}};
const std::vector<std::array<float, 3>> kIrisColors = {{0.045f, 0.022f, 0.010f}, {0.10f, 0.05f, 0.02f}, {0.13f, 0.10f, 0.035f},
                                                       {0.09f, 0.13f, 0.07f},    {0.10f, 0.17f, 0.22f}, {0.20f, 0.28f, 0.36f}};

}  // namespace

FaceParameters ForgeHead::sample(std::uint64_t seed, std::uint64_t index, double) const {
  FaceParameters face = neutral();

  {  // identity
    Random random(seed, index, "identity");
    std::map<std::string, double> shared;
    for (const SliderInfo& s : impl_->sliders) shared.try_emplace(s.region, 0.0);
    for (auto& [region, factor] : shared) factor = random.normal();
    const double broad = random.normal(), masculine = random.uniform(-1.0, 1.0), age = random.uniform();
    for (std::size_t i = 0; i < impl_->sliders.size(); ++i) {
      const SliderInfo& s = impl_->sliders[i];
      const double own = random.normal();
      double value = kOwnSpread * own + kSharedSpread * 0.5 * shared[s.region];
      if (s.name.find("width") != std::string::npos) value += kSharedSpread * 0.6 * broad;
      if (s.region == "macro") value = kMacroSpread * own;
      if (s.name == "macro/masculine") value = 0.8 * masculine;
      if (s.name == "macro/age") value = age;
      if (s.name == "macro/child") value = 0.0;
      face.sliders[i] = std::clamp(static_cast<float>(value), s.minimum, s.maximum);
    }
  }

  {  // expression, gaze and a small turn of the neck
    Random random(seed, index, "expression");
    const double kind = random.uniform();
    const int active = kind < 0.25 ? 0 : kind < 0.6 ? 1 : kind < 0.9 ? 2 : 3;
    for (int k = 0; k < active && !face.expression.empty(); ++k) {
      const std::uint32_t e = random.below(static_cast<std::uint32_t>(face.expression.size()));
      face.expression[e] = std::max(face.expression[e], static_cast<float>(random.uniform(0.25, 1.0)));
    }
    // Lids of real people close together far more often than alone.
    const int left = impl_->expression_index("blink_left"), right = impl_->expression_index("blink_right");
    if (left >= 0 && right >= 0 && random.uniform() < 0.85)
      face.expression[left] = face.expression[right] = std::max(face.expression[left], face.expression[right]);
    const auto gaze_yaw = static_cast<float>(std::clamp(0.14 * random.normal(), -0.4, 0.4));
    const auto gaze_pitch = static_cast<float>(std::clamp(0.09 * random.normal(), -0.25, 0.25));
    face.left_eye = face.right_eye = {gaze_pitch, gaze_yaw, 0.f};
    face.neck = {static_cast<float>(0.05 * random.normal()), static_cast<float>(0.06 * random.normal()),
                 static_cast<float>(0.04 * random.normal())};
  }

  {  // look
    Random random(seed, index, "appearance");
    FaceAppearance& look = face.appearance;
    look.melanin = static_cast<float>(random.uniform());
    look.redness = static_cast<float>(random.uniform(0.2, 0.8));
    // Fair hair and light eyes go with fair skin; dark hair goes with any.
    const double fair = std::max(0.0, 1.0 - 1.6 * look.melanin);
    const int age_slider = impl_->slider_index("macro/age");
    const double age = age_slider >= 0 ? face.sliders[age_slider] : 0.0;
    look.hair_color = pick_color(kHairColors, random.uniform() * (0.25 + 0.75 * fair));
    if (random.uniform() < 0.12 * fair) look.hair_color = {0.25f, 0.07f, 0.025f};
    const auto grey = static_cast<float>(std::clamp((age - 0.65) * 3.0 * random.uniform(), 0.0, 1.0));
    for (float& c : look.hair_color) c = mix(c, 0.45f, grey);
    look.iris_color = pick_color(kIrisColors, random.uniform() * (0.3 + 0.7 * fair));
    look.lip_tint = {0.45f, static_cast<float>(random.uniform(0.03, 0.12)), static_cast<float>(random.uniform(0.05, 0.15))};
    look.lip_tint_strength = random.uniform() < 0.25 ? static_cast<float>(random.uniform(0.2, 0.7)) : 0.f;
    look.cloth_color = muted(random, 0.02, 0.6, 0.55);
    look.background_color = muted(random, 0.06, 0.8, 0.3);
    look.brow_darkness = static_cast<float>(random.uniform(0.45, 0.9));
    look.freckles = random.uniform() < 0.2 * (0.3 + fair) ? static_cast<float>(random.uniform(0.2, 0.8)) : 0.f;
    look.gloss = static_cast<float>(random.uniform(0.15, 0.5));
    look.texture_seed = random.next_u32();
    const int masculine_slider = impl_->slider_index("macro/masculine");
    const double masculine = masculine_slider >= 0 ? 0.5 + 0.5 * face.sliders[masculine_slider] : 0.5;
    for (const OptionSet& set : impl_->sets) {
      std::vector<double> weight;
      double total = 0.0;
      for (const Choice& c : set.choices) {
        weight.push_back((c.weight[0] * (1.0 - masculine) + c.weight[1] * masculine) * (c.age_weight[0] * (1.0 - age) + c.age_weight[1] * age));
        total += weight.back();
      }
      double draw = random.uniform() * total;
      std::size_t choice = 0;
      while (choice + 1 < weight.size() && draw >= weight[choice]) draw -= weight[choice++];
      face.options[set.name] = set.choices[choice].info.name;
    }
    look.hair_tip_color = look.hair_color;
    face.hair.seed = look.texture_seed;
  }

  {  // light
    Random random(seed, index, "light");
    FaceLight& light = face.light;
    light.key_yaw_deg = static_cast<float>(std::clamp(35.0 * random.normal(), -80.0, 80.0));
    light.key_pitch_deg = static_cast<float>(random.uniform(5.0, 60.0));
    light.key_strength = static_cast<float>(random.uniform(0.9, 1.8));
    light.ambient_strength = static_cast<float>(random.uniform(0.35, 0.62));
    const auto warmth = static_cast<float>(random.uniform(-0.08, 0.12));
    light.key_color = {1.f + 0.5f * warmth, 0.98f, 1.f - warmth};
  }
  return face;
}

}  // namespace forge_rt
