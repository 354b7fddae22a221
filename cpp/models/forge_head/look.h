// FaceParameters → the plain data of the shader.
#pragma once

#include "model.h"
#include "shading/surface.h"

namespace forge_rt {

/// `landmarks` [68, 3]: of the posed head.
shade::Look look_of(const ForgeHead::Impl& model, const FaceParameters& face, const float* landmarks);
shade::Light light_of(const FaceLight& light);
shade::Background background_of(const FaceAppearance& look);
/// Skin of average blood by melanin: linear reflectance, fair to dark.
Vec3 skin_tone(float melanin, float undertone);
/// Unit vector from angles: yaw towards +x, pitch towards +y, (0, 0) = +z.
Vec3 direction(float yaw_deg, float pitch_deg);

}  // namespace forge_rt
