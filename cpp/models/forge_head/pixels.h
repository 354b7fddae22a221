// Dispatch of the pixel loop: one CPU function per instruction set, one CUDA kernel.
#pragma once

#include "forge_rt/core/device.h"
#include "ops/dispatch.h"
#include "scene.h"

namespace forge_rt {

using RenderPixelsFn = void (*)(const SceneArgs& scene, int row_begin, int row_end, Stream stream);
OpTable<RenderPixelsFn>& render_pixels_table();

}  // namespace forge_rt
