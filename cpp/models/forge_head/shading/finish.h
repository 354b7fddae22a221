// How the surface of a mesh is made.
#pragma once

#include <cstdint>

namespace forge_rt::shade {

/// Kept in the upper six bits of Part::pattern; the lower two are FaceAppearance::cloth_pattern.
enum class Finish : std::uint8_t {
  plain,
  skin,                                     // skin: shaded as the head's own
  jersey,
  knit,
  rib,
  poplin,
  wool,
  silk,
  fleece,   // clothes
  felt,
  twill,
  straw,
  wound,
  gloss,                // hats
  metal,
  hand,
  paper,
  screen,                      // jewellery, objects
};

}  // namespace forge_rt::shade
