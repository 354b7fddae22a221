// Bilinear resizing with antialiasing, of whole images and of one box per image (spec/next3d §2.10, §7.3).
//
// Problem: the mouth's box has another size in every sample, so a batch of crops has no common shape.
// Idea:    only the other side of the resize has a shape: boxes of any size become [B, C, h, w], and go back from it.
#pragma once

#include "forge_rt/core/tensor.h"

namespace forge_rt {

/// x [B, C, H, W] float32 → [B, C, size.height, size.width] float32, as torch's interpolate(mode='bilinear', antialias=True):
/// a triangle kernel, widened by the scale where an axis shrinks and normalised over the pixels inside; edge pixels repeat where it grows.
/// Axes are independent. A tap of weight 0 is not read: NaN and infinity spread no further than the kernel.
/// Bit-equal on every path and device. Runs on `stream`; does not synchronise.
FORGE_RT_API Tensor resize_antialias(const Tensor& x, ImageSize size, Stream stream = {});

enum class BoxRule {
  inside,  ///< a box that is empty or reaches outside its image is an error; boxes on the CPU only
  clamp,   ///< the box is cut to the image, and kept at least one pixel wide and high
};

/// resize_antialias of one box per image: x [B, C, H, W] float32 → [B, C, size.height, size.width].
///   boxes  [B, 4]  int64: row0, row1, column0, column1, as mouth_box gives them. Half open. On the CPU, or where x is (then BoxRule::clamp).
FORGE_RT_API Tensor crop_resize(const Tensor& x, const Tensor& boxes, ImageSize size, BoxRule rule = BoxRule::inside, Stream stream = {});

/// The way back: resizes patch [B, C, h, w] to each image's box and overwrites it there. Returns a copy of `image` [B, C, H, W].
FORGE_RT_API Tensor resize_paste(const Tensor& patch, const Tensor& boxes, const Tensor& image, BoxRule rule = BoxRule::inside,
                                 Stream stream = {});

/// The same in place.
FORGE_RT_API void resize_paste_into(Tensor& image, const Tensor& patch, const Tensor& boxes, BoxRule rule = BoxRule::inside,
                                    Stream stream = {});

}  // namespace forge_rt
