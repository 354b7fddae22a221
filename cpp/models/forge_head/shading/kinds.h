// What a surface is, and what it is called.
#pragma once

#include <cstdint>

namespace forge_rt {

/// What a surface is, for the shader.
enum class Material : std::uint8_t {
  skin,
  mouth,
  eye,
  ear,
  tooth,
  tongue,   // parts of the head
  cloth,
  glasses,
  lens,
  hat,
  metal,
  plain,  // meshes
  hair,
  brow,
  lash,
  beard,                // strands
};

/// Internal classes: CelebAMask-HQ's 19, then ours. What the user sees is a table of these (docs/conventions/labels.md).
enum Label : std::uint8_t {
  kBackground,
  kSkin,
  kLeftBrow,
  kRightBrow,
  kLeftEye,
  kRightEye,
  kGlasses,
  kLeftEar,
  kRightEar,
  kEarring,
  kNose,
  kMouth,
  kUpperLip,
  kLowerLip,
  kNeck,
  kNecklace,
  kCloth,
  kHair,
  kHat,
  kBeard,
  kLens,
  kObject,
  kLabelCount,
};

}  // namespace forge_rt
