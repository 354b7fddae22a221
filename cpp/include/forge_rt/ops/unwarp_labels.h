// What a network said about a crop, back in the frame: class ids, confidence and depth at frame pixels.
#pragma once

#include <span>

#include "forge_rt/ops/image_view.h"

namespace forge_rt {

/// Pixels [left, right) × [top, bottom) of a frame.
struct PixelRect {
  int left = 0, top = 0, right = 0, bottom = 0;
  int width() const { return right - left; }
  int height() const { return bottom - top; }
  bool empty() const { return right <= left || bottom <= top; }
  bool operator==(const PixelRect&) const = default;
};

/// The frame pixels whose centres may lie in a crop of `crop_width` × `crop_height`, cut to the frame. May be empty.
FORGE_RT_API PixelRect crop_footprint(const Affine& to_frame, int crop_width, int crop_height, int frame_width, int frame_height);

struct UnwarpOptions {
  bool nearest = false;           ///< class of the nearest logit instead of the class of the bilinear logits: faster, ragged borders
  std::uint64_t masked = 0;       ///< bit c: class c is never chosen (an "ignore" output); classes beyond 63 cannot be masked
  std::uint8_t background = 0;    ///< class that leaves a pixel of `labels` as it is
};

/// Class of each frame pixel in `rect`: argmax over c of logits[c] sampled bilinearly (pixel centres; clamped at the map's border) at
/// the pixel's place in the crop; ties take the lowest c. Pixels whose centre lies outside the crop are left alone, as are those of
/// class `background`: several faces are painted one over the other.
///   logits      [C, h, w] float32, C in 1..256, of a crop of `crop_width` × `crop_height` pixels (h, w may be smaller: a coarser grid)
///   to_crop     frame pixels → crop pixels (the inverse of what crop_image got)
///   labels      row `rect.top`, column `rect.left` is its first byte; `label_stride` bytes to the next row. May be null.
///   confidence  uint8, same geometry: softmax probability of the chosen class among those not masked · 255, rounded; written where
///               labels would be, background included, inside the crop. May be null.
/// NaN counts as -1e30 and logits beyond ±1e30 as that: a NaN never wins against a number. `labels` and `confidence` lie where `logits` do.
/// `rect` lies within 0..32768; entries of `to_crop` beyond 1e9 or not finite are invalid_argument. Same bytes on every path and device.
/// Exact, not approximate: where all four corners of a cell agree, their class is the class of every point between, and is not computed.
FORGE_RT_API void unwarp_labels(const Tensor& logits, const Affine& to_crop, int crop_width, int crop_height, PixelRect rect,
                                std::uint8_t* labels, std::int64_t label_stride, std::uint8_t* confidence, std::int64_t confidence_stride,
                                const UnwarpOptions& options = {}, Stream stream = {});

/// One channel [h, w] float32 of a crop at frame pixels, bilinear, clamped at the map's border: out[y, x] for each pixel of `rect` whose
/// centre lies in the crop and for which `mask` (same geometry, may be null) is not 0; others stay. `stride` in elements.
FORGE_RT_API void unwarp_map(const Tensor& map, const Affine& to_crop, int crop_width, int crop_height, PixelRect rect,
                             const std::uint8_t* mask, std::int64_t mask_stride, float* out, std::int64_t stride, Stream stream = {});

}  // namespace forge_rt
