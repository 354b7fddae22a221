// What bundle.json and the arrays of a generator say, checked.
#pragma once

#include <array>
#include <map>
#include <string>

#include "forge_rt/models/bundle.h"
#include "forge_rt/models/generator.h"
#include "forge_rt/ops/neural_texture.h"

namespace forge_rt::next3d {

/// Stage → file of the bundle.
using StageFiles = std::map<std::string, std::string>;

struct GeneratorContract {
  GeneratorInfo info;
  std::map<std::string, StageFiles> variants;  // by precision
  bool next3d = false;

  int texture_resolution = 0, texture_channels = 0;
  int mouth_in = 0, mouth_out = 0;  // sides of the mouth network's images
  float orth_scale = 5.f;
  std::array<float, 3> orth_shift{};

  float ray_start = 0, ray_end = 0, box_warp = 1;
  bool auto_range = false, white_back = false;
  PlaneAxes axes{};

  int sr_input = 0;  // side of the features that super-resolution takes
  bool sr_larger_as_they_are = false;  // quirk of 4X: larger features are not resized
  bool sr_antialias = true;

  Tensor w_avg;  // [w_dim]
  TriPlaneDecoder decoder;
  NeuralMesh mesh;
  Tensor uv_mask;  // [h, w]
};

/// Throws unsupported for another family and corrupt_file for whatever does not fit.
GeneratorContract read_generator_contract(const Bundle& bundle);

}  // namespace forge_rt::next3d
