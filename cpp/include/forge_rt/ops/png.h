// Pictures into PNG files.
#pragma once

#include <cstdint>
#include <vector>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// Encodes a picture as a PNG file (ISO 15948), held in memory. Lossless; made for label maps and depth, where it is several
/// times faster than zlib at about its size.
///   image  [H, W] or [H, W, C]  uint8 or uint16 on the CPU, row 0 at the top, sides 1 to 2^31 - 1;
///          C = 1 (grey), 3 (RGB) or 4 (RGBA, alpha not premultiplied)
/// The bytes depend on the image alone: not on the processor, its ISA path or threads. May be called from many threads at once;
/// each call works on the calling thread.
FORGE_RT_API std::vector<std::uint8_t> encode_png(const Tensor& image);

}  // namespace forge_rt
