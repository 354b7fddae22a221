// Dispatch slots of `rasterize`.
#pragma once
#include "dispatch.h"
#include "raster_geometry.h"
namespace forge_rt::raster {
OpTable<RasterizeFn>& rasterize_table();
}
