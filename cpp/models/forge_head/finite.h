// Every number of FaceParameters that the renderer reads must be finite; the message names the one that is not.
#pragma once

#include <cmath>

#include "forge_rt/models/forge_head.h"

namespace forge_rt {

inline void check_finite(const FaceParameters& face) {
  const auto number = [](const char* name, float value) {
    check_argument(std::isfinite(value), name, " of a face is ", value, "; it must be finite");
  };
  const auto row = [&](const char* name, const auto& values) {
    for (const float v : values) number(name, v);
  };
  for (const float v : face.sliders) number("a slider", v);
  for (const float v : face.expression) number("an expression weight", v);
  row("neck", face.neck);
  row("jaw", face.jaw);
  row("left_eye", face.left_eye);
  row("right_eye", face.right_eye);
  number("appearance.melanin", face.appearance.melanin);
  number("appearance.undertone", face.appearance.undertone);
  number("appearance.redness", face.appearance.redness);
  number("appearance.freckles", face.appearance.freckles);
  number("appearance.moles", face.appearance.moles);
  number("appearance.blemishes", face.appearance.blemishes);
  number("appearance.wrinkles", face.appearance.wrinkles);
  number("appearance.pores", face.appearance.pores);
  number("appearance.dark_circles", face.appearance.dark_circles);
  number("appearance.gloss", face.appearance.gloss);
  number("appearance.stubble", face.appearance.stubble);
  row("appearance.iris_color", face.appearance.iris_color);
  number("appearance.pupil", face.appearance.pupil);
  number("appearance.bloodshot", face.appearance.bloodshot);
  number("appearance.teeth_shade", face.appearance.teeth_shade);
  row("appearance.lip_tint", face.appearance.lip_tint);
  number("appearance.lip_tint_strength", face.appearance.lip_tint_strength);
  number("appearance.lip_gloss", face.appearance.lip_gloss);
  number("appearance.blush", face.appearance.blush);
  row("appearance.eyeshadow_color", face.appearance.eyeshadow_color);
  number("appearance.eyeshadow", face.appearance.eyeshadow);
  number("appearance.eyeliner", face.appearance.eyeliner);
  row("appearance.hair_color", face.appearance.hair_color);
  row("appearance.hair_tip_color", face.appearance.hair_tip_color);
  number("appearance.grey_hair", face.appearance.grey_hair);
  number("appearance.hair_gloss", face.appearance.hair_gloss);
  number("appearance.brow_darkness", face.appearance.brow_darkness);
  row("appearance.cloth_color", face.appearance.cloth_color);
  row("appearance.cloth_color_2", face.appearance.cloth_color_2);
  row("appearance.glasses_color", face.appearance.glasses_color);
  number("appearance.lens_tint", face.appearance.lens_tint);
  row("appearance.hat_color", face.appearance.hat_color);
  row("appearance.occluder_color", face.appearance.occluder_color);
  row("appearance.background_color", face.appearance.background_color);
  row("appearance.background_color_2", face.appearance.background_color_2);
  number("appearance.background_blur", face.appearance.background_blur);
  number("hair.length", face.hair.length);
  number("hair.volume", face.hair.volume);
  number("hair.curl", face.hair.curl);
  number("hair.frizz", face.hair.frizz);
  number("hair.clump", face.hair.clump);
  row("occluder.position_m", face.occluder.position_m);
  row("occluder.rotation", face.occluder.rotation);
  number("occluder.scale", face.occluder.scale);
  number("light.key_yaw_deg", face.light.key_yaw_deg);
  number("light.key_pitch_deg", face.light.key_pitch_deg);
  number("light.key_strength", face.light.key_strength);
  row("light.key_color", face.light.key_color);
  number("light.key_softness", face.light.key_softness);
  number("light.rim_yaw_deg", face.light.rim_yaw_deg);
  number("light.rim_pitch_deg", face.light.rim_pitch_deg);
  number("light.rim_strength", face.light.rim_strength);
  row("light.rim_color", face.light.rim_color);
  number("light.ambient_strength", face.light.ambient_strength);
  row("light.environment", face.light.environment);
  number("capture.exposure", face.capture.exposure);
  number("capture.contrast", face.capture.contrast);
  number("capture.saturation", face.capture.saturation);
  row("capture.white_balance", face.capture.white_balance);
  number("capture.vignette", face.capture.vignette);
  number("capture.blur_px", face.capture.blur_px);
  number("capture.motion_px", face.capture.motion_px);
  number("capture.motion_deg", face.capture.motion_deg);
  number("capture.noise_read", face.capture.noise_read);
  number("capture.noise_shot", face.capture.noise_shot);
  number("capture.sharpen", face.capture.sharpen);
  number("capture.downscale", face.capture.downscale);
  number("habit.brow_margin_m", face.habit.brow_margin_m);
  number("habit.lens_as_glasses", face.habit.lens_as_glasses);
  number("habit.beard_as_hair", face.habit.beard_as_hair);
  number("habit.wisps", face.habit.wisps);
}

}  // namespace forge_rt
