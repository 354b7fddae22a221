// Identity, expression and options of a random head.
#include "prior.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "shading/vec3.h"

namespace forge_rt {
namespace prior {
namespace {

// Strength of one slider alone, and of the factors that regions share: faces with independent sliders look like caricatures.
constexpr double kOwnSpread = 0.22, kRegionSpread = 0.085, kBroadSpread = 0.10, kLimit = 0.85;

const std::array<Kind, 8> kKinds = {{
    {0.06,
     0.05,
     -0.3,
     0.45,
     1.00,
     0.45,
     1.00,
     0.10,
     0.14,
     {{{"nose/width", -0.15}, {"mouth/lip_volume", -0.2}, {"nose/bridge_height", 0.15}, {"eyes/depth", 0.1}}}},
    {0.14, 0.07, 0.0, 0.20, 0.75, 0.20, 0.90, 0.15, 0.03, {{{"nose/bridge_height", 0.15}, {"nose/width", -0.1}, {"nose/hump", 0.1}}}},
    {0.27,
     0.08,
     0.4,
     0.05,
     0.40,
     0.05,
     0.55,
     0.25,
     0.0,
     {{{"nose/hump", 0.2}, {"forehead/brow_ridge", 0.1}, {"mouth/lip_volume", 0.1}, {"nose/length", 0.1}}}},
    {0.20,
     0.08,
     0.3,
     0.00,
     0.15,
     0.00,
     0.15,
     0.00,
     0.0,
     {{{"eyes/hood", 0.35},
       {"eyes/crease", -0.3},
       {"nose/bridge_height", -0.3},
       {"cheeks/bone_width", 0.25},
       {"eyes/tilt", 0.15},
       {"eyes/depth", -0.2},
       {"forehead/brow_ridge", -0.15},
       {"nose/width", 0.1}}}},
    {0.42,
     0.12,
     0.4,
     0.00,
     0.18,
     0.00,
     0.25,
     0.15,
     0.0,
     {{{"nose/width", 0.2}, {"mouth/lip_volume", 0.2}, {"eyes/hood", 0.1}, {"cheeks/bone_width", 0.15}, {"nose/bridge_height", -0.1}}}},
    {0.55,
     0.13,
     0.3,
     0.00,
     0.12,
     0.00,
     0.15,
     0.20,
     0.0,
     {{{"nose/bridge_height", 0.1}, {"eyes/size", 0.15}, {"mouth/lip_volume", 0.15}, {"nose/tip_size", 0.1}}}},
    {0.76,
     0.10,
     0.1,
     0.00,
     0.10,
     0.00,
     0.12,
     0.75,
     0.0,
     {{{"nose/width", 0.45},
       {"nose/ala_size", 0.25},
       {"mouth/lip_volume", 0.5},
       {"mouth/protrusion", 0.2},
       {"nose/bridge_height", -0.3},
       {"nose/bridge_width", 0.2},
       {"forehead/bulge", 0.1}}}},
    {0.93,
     0.06,
     -0.1,
     0.00,
     0.06,
     0.00,
     0.08,
     0.85,
     0.0,
     {{{"nose/width", 0.35},
       {"mouth/lip_volume", 0.4},
       {"mouth/protrusion", 0.15},
       {"nose/bridge_height", -0.15},
       {"nose/bridge_width", 0.15},
       {"cheeks/bone_prominence", 0.15}}}},
}};

}  // namespace

const Kind& kind(int row) { return kKinds[row]; }
int kinds() { return static_cast<int>(kKinds.size()); }

void draw_identity(Person& person, FaceParameters& face) {
  Random random = person.stream("identity");
  person.kind = static_cast<int>(random.below(static_cast<std::uint32_t>(kKinds.size())));
  const Kind& k = kKinds[person.kind];
  const double presents = random.uniform() < 0.5 ? -0.55 : 0.55;
  person.masculine = 0.5 + 0.5 * clamp(presents + 0.28 * random.normal(), -1.0, 1.0);
  person.age = std::pow(random.uniform(), 1.25);
  person.child = random.uniform() < 0.06 ? random.uniform(0.25, 0.9) : 0.0;
  if (person.child > 0.0) person.age = 0.0;
  person.weight = clamp(0.38 * random.normal() + 0.15 * person.age, -0.85, 0.9);
  const double broad = random.normal(), heavy_brow = random.normal();

  std::map<std::string, double> shared;
  for (const SliderInfo& s : person.model->sliders) shared.try_emplace(s.region, 0.0);
  for (auto& [region, factor] : shared) factor = random.normal();
  for (std::size_t i = 0; i < person.model->sliders.size(); ++i) {
    const SliderInfo& s = person.model->sliders[i];
    double value = kOwnSpread * random.normal() + kRegionSpread * shared[s.region];
    if (s.name.find("width") != std::string::npos) value += kBroadSpread * broad;
    if (s.name == "forehead/brow_ridge" || s.name == "eyes/depth") value += 0.1 * heavy_brow;
    if (s.name.find("uneven") != std::string::npos || s.name == "mouth/skew" || s.name == "jaw/sideways" || s.name == "nose/bend")
      value *= 0.8;
    for (const auto& [name, shift] : k.sliders)
      if (name != nullptr && s.name == name) value += shift;
    value = clamp(value, -kLimit, kLimit);
    if (s.name == "macro/masculine") value = 2.0 * person.masculine - 1.0;
    if (s.name == "macro/age") value = person.age;
    if (s.name == "macro/child") value = person.child;
    if (s.name == "macro/weight") value = person.weight;
    face.sliders[i] = std::clamp(static_cast<float>(value), s.minimum, s.maximum);
  }
}

void draw_expression(const Person& person, double blink_weight, FaceParameters& face) {
  Random random = person.stream("expression");
  const auto add = [&](const char* name, double weight) {
    const int i = person.model->expression_index(name);
    if (i >= 0) face.expression[i] = std::clamp(face.expression[i] + static_cast<float>(weight), 0.f, 1.f);
  };
  const auto one_of = [&](std::initializer_list<const char*> names) {
    return names.begin()[random.below(static_cast<std::uint32_t>(names.size()))];
  };
  // Arguments have no order in C++: the weight is always drawn before the name.
  const auto add_one = [&](std::initializer_list<const char*> names, double weight) { add(one_of(names), weight); };
  const double mood = random.uniform();
  if (mood < 0.20) {
    // a face at rest
  } else if (mood < 0.38) {
    add("smile", random.uniform(0.25, 0.9));
    add("squint", random.uniform(0.0, 0.4));
  } else if (mood < 0.58) {  // portraits smile with open mouths
    add("smile_open", random.uniform(0.45, 1.0));
    add("smile", random.uniform(0.0, 0.5));
    add("squint", random.uniform(0.0, 0.5));
    if (random.uniform() < 0.25) add("jaw_open", random.uniform(0.1, 0.5));  // laughing
  } else if (mood < 0.73) {
    add_one({"phoneme_aa", "phoneme_ee", "phoneme_oo", "phoneme_fv", "phoneme_mbp"}, random.uniform(0.4, 1.0));
    add("jaw_open", random.uniform(0.0, 0.3));
    add("brows_up", random.uniform(0.0, 0.4));
  } else if (mood < 0.79) {
    add_one({"surprise", "eyes_wide"}, random.uniform(0.4, 1.0));
    add("brows_up", random.uniform(0.3, 1.0));
    add("jaw_open", random.uniform(0.0, 0.7));
  } else if (mood < 0.84) {
    add("brows_down", random.uniform(0.4, 1.0));
    add_one({"lip_press", "sneer", "frown", "squint"}, random.uniform(0.3, 0.9));
  } else if (mood < 0.89) {
    add("brow_inner_up", random.uniform(0.4, 1.0));
    add("frown", random.uniform(0.3, 0.9));
    add("chin_raise", random.uniform(0.0, 0.6));
  } else if (mood < 0.92) {
    add("sneer", random.uniform(0.4, 1.0));
    add("upper_lip_up", random.uniform(0.2, 0.8));
    add("squint", random.uniform(0.2, 0.8));
  } else {
    for (int k = 1 + static_cast<int>(random.below(2)); k > 0; --k) {
      const std::uint32_t e = random.below(static_cast<std::uint32_t>(face.expression.size()));
      if (person.model->expressions[e].find("blink") == std::string::npos)
        add(person.model->expressions[e].c_str(), random.uniform(0.3, 0.9));
    }
  }
  // Small differences between the sides.
  add_one({"smile_left", "smile_right", "mouth_left", "mouth_right"}, 0.12 * random.uniform());

  // Lids close together; a full blink closes this identity's opening.
  const double lids = random.uniform();
  const double closed = lids < 0.06 ? blink_weight : lids < 0.22 ? random.uniform(0.15, 0.55) : random.uniform(0.0, 0.1);
  for (const char* name : {"blink_left", "blink_right"}) {
    const int i = person.model->expression_index(name);
    const bool wink_open = lids >= 0.055 && lids < 0.06 && std::string_view(name) == "blink_right";
    if (i >= 0 && !wink_open) face.expression[i] = static_cast<float>(clamp(closed, 0.0, 1.5));
  }

  const auto gaze_yaw = static_cast<float>(clamp(0.12 * random.normal(), -0.4, 0.4));
  const auto gaze_pitch = static_cast<float>(clamp(0.07 * random.normal(), -0.25, 0.25));
  face.left_eye = face.right_eye = {gaze_pitch, gaze_yaw, 0.f};
  face.neck = {static_cast<float>(0.06 * random.normal()), static_cast<float>(0.09 * random.normal()),
               static_cast<float>(0.06 * random.normal())};
}

void draw_options(const Person& person, FaceParameters& face) {
  for (const OptionSet& set : person.model->sets) {
    Random random = person.stream(("option/" + set.name).c_str());
    std::vector<double> weight;
    double total = 0.0;
    for (const Choice& c : set.choices) {
      weight.push_back(mix(c.weight[0], c.weight[1], static_cast<float>(person.masculine)) *
                       mix(c.age_weight[0], c.age_weight[1], static_cast<float>(person.age)) * (person.wild ? c.wild : 1.f));
      total += weight.back();
    }
    double draw = random.uniform() * total;
    std::size_t choice = 0;
    while (choice + 1 < weight.size() && draw >= weight[choice]) draw -= weight[choice++];
    face.options[set.name] = set.choices[choice].info.name;
  }

  // What does not go together.
  const auto is = [&](const char* set, std::initializer_list<std::string_view> names) {
    const auto found = face.options.find(set);
    return found != face.options.end() && std::find(names.begin(), names.end(), found->second) != names.end();
  };
  const auto put = [&](const char* set, const char* choice) {
    const OptionSet* s = person.model->set(set);
    if (s != nullptr && s->find(choice) >= 0) face.options[set] = choice;
  };
  if (person.child > 0.0) {
    put("beard", "none");
    put("hairline", "rounded");
    if (is("hair", {"none"})) put("hair", "messy");
  }
  if (is("hairline", {"receding", "balding", "bald_top"}) && !is("hair", {"none", "buzz", "crop", "swept_back"})) put("hair", "crop");
  if (is("hat", {"hijab"})) {
    put("hair", "none");
    put("earrings", "none");
    put("necklace", "none");
    put("beard", "none");
  } else if (is("hat", {"turban", "helmet", "beanie", "cap", "cap_back", "fedora", "sun_hat"}) &&
             is("hair", {"bun", "ponytail", "afro", "quiff", "curly", "locs", "curly_long"})) {
    put("hair", person.masculine > 0.5 ? "crop" : "long");
  }
  // A beard without roots shows skin between its hairs.
  if (!is("beard", {"none"})) face.appearance.stubble = 0.6f;
  if (is("clothes", {"scarf", "turtleneck", "hoodie", "coat"})) put("necklace", "none");
  if (is("occluder", {"mask", "mask_white", "mask_black"}) && !is("beard", {"none", "short"})) put("beard", "short");
}

}  // namespace prior

FaceParameters ForgeHead::sample(std::uint64_t seed, std::uint64_t index, double wild, std::uint32_t attempt) const {
  check_argument(wild >= 0.0 && wild <= 1.0, "the share of wild images must be 0..1, got ", wild);
  FaceParameters face = neutral();
  prior::Person person;
  person.model = impl_.get();
  person.seed = seed;
  person.index = index;
  person.wild = person.stream("style").uniform() < wild;  // before the attempt is set: redraws keep the style
  person.attempt = attempt;
  face.style = person.wild ? "wild" : "studio";
  prior::draw_identity(person, face);
  prior::draw_options(person, face);
  prior::draw_expression(person, blink_weight(face), face);
  prior::draw_appearance(person, face);
  prior::draw_scene(person, face);
  return face;
}

}  // namespace forge_rt
