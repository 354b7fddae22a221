// The prior: which images ForgeHead::sample draws. Each subject has its own stream of (seed, index), so that one can be redrawn alone and
// new draws of one leave the others as they were. The order of draws inside a stream is part of the format.
#pragma once

#include "forge_rt/core/philox.h"
#include "model.h"

namespace forge_rt::prior {

/// What the streams of one image share.
struct Person {
  const ForgeHead::Impl* model = nullptr;
  std::uint64_t seed = 0, index = 0;
  std::uint32_t attempt = 0;
  bool wild = false;
  // hidden factors of the identity
  int kind = 0;             // row of kKinds
  double masculine = 0.5;   // 0 feminine .. 1 masculine
  double age = 0.3;         // 0 young adult .. 1 old
  double child = 0.0;
  double weight = 0.0;

  Random stream(const char* purpose) const { return Random(seed, index, purpose, attempt); }
};

/// Kinds of people: looks and shapes that often come together. They overlap widely and every feature also varies alone; their only
/// purpose is that skin, hair, eyes and features of a random head look like one person's.
struct Kind {
  double melanin, melanin_spread, undertone;
  double hair_low, hair_high;   // range on the palette of hair colours, 0 black .. 1 light blond
  double iris_low, iris_high;   // range on the palette of irises, 0 dark brown .. 1 light blue
  double curl;                  // typical HairShape::curl
  double red_hair;              // probability
  std::array<std::pair<const char*, double>, 10> sliders;  // mean shifts; empty names end the list
};
const Kind& kind(int row);
int kinds();

void draw_identity(Person& person, FaceParameters& face);      // sliders
void draw_options(const Person& person, FaceParameters& face);
void draw_expression(const Person& person, double blink_weight, FaceParameters& face);  // blink_weight closes this identity's lids
void draw_appearance(const Person& person, FaceParameters& face);  // skin, eyes, make-up, hair, things
void draw_scene(const Person& person, FaceParameters& face);       // light, background, capture, label habit, pose of objects

inline double clamp(double v, double low, double high) { return v < low ? low : v > high ? high : v; }

}  // namespace forge_rt::prior
