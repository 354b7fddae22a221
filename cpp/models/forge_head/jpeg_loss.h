// What JPEG compression does to a picture, without the bits: blocks, quantisation, chroma at half resolution.
#pragma once

#include <cstdint>

namespace forge_rt {

/// rgb [height, width, 3] uint8, in place. quality 1..100 as in libjpeg (ITU-T T.81 Annex K tables); below 90 chroma is 4:2:0.
void jpeg_loss(int quality, int height, int width, std::uint8_t* rgb);

}  // namespace forge_rt
