// All of the C++ API.
//
//   #include <forge_rt/forge_rt.hpp>
//
//   auto head = forge_rt::ForgeHead::load("forgehead.forge");
//   auto camera = forge_rt::orbit_camera({.yaw_deg = 20}, {256, 256});
//   auto images = head->render({head->sample(7, 0)}, {camera}, {.size = {256, 256}});
//   images.rgb, images.segmentation, images.depth_m, images.landmarks_px;   // tensors [1, 256, 256, 3], [1, 256, 256], …
//
// Link with CMake's `forge_rt::forge_rt`, or `pkg-config --cflags --libs forge_rt`. From C: forge_rt/forge_rt.h.
#pragma once

#include "forge_rt/backends/backend.h"
#include "forge_rt/core/device.h"
#include "forge_rt/core/error.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/memory.h"
#include "forge_rt/core/philox.h"
#include "forge_rt/core/safetensors.h"
#include "forge_rt/core/sha256.h"
#include "forge_rt/core/tensor.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/models/bundle.h"
#include "forge_rt/models/camera.h"
#include "forge_rt/models/camera_sampler.h"
#include "forge_rt/models/face_analyzer.h"
#include "forge_rt/models/forge_head.h"
#include "forge_rt/models/generator.h"
#include "forge_rt/models/head.h"
#include "forge_rt/ops/assemble_planes.h"
#include "forge_rt/ops/bias_act.h"
#include "forge_rt/ops/crop_image.h"
#include "forge_rt/ops/decode_faces.h"
#include "forge_rt/ops/head_lbs.h"
#include "forge_rt/ops/image_view.h"
#include "forge_rt/ops/interpolate.h"
#include "forge_rt/ops/label_projection.h"
#include "forge_rt/ops/neural_texture.h"
#include "forge_rt/ops/neural_views.h"
#include "forge_rt/ops/png.h"
#include "forge_rt/ops/rasterize.h"
#include "forge_rt/ops/resize_antialias.h"
#include "forge_rt/ops/sample_texture.h"
#include "forge_rt/ops/unwarp_labels.h"
#include "forge_rt/ops/upfirdn2d.h"
#include "forge_rt/ops/volume_render.h"
#include "forge_rt/version.h"
