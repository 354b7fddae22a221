// From linear light to the bytes of a picture: film curve, lens and sensor faults, compression.
#pragma once

#include "forge_rt/models/forge_head.h"

namespace forge_rt {

/// color [H, W, 3] float32 linear light, changed in place; rgb [H, W, 3] uint8 sRGB. `seed` keys the noise.
void capture(const FaceCapture& how, std::uint32_t seed, float* color, int height, int width, std::uint8_t* rgb);

}  // namespace forge_rt
