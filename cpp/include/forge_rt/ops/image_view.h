// Frames of cameras, videos and games as the caller has them: a pointer, a stride and a pixel format. Nothing is copied or owned.
#pragma once

#include <cstdint>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

enum class PixelFormat : int { rgb = 0, bgr = 1, rgba = 2, bgra = 3, gray = 4, nv12 = 5 };
FORGE_RT_API const char* pixel_format_name(PixelFormat format);      ///< "rgb", …
FORGE_RT_API int bytes_per_pixel(PixelFormat format);                ///< of the first plane: 3, 3, 4, 4, 1, 1

/// 8-bit pixels, row 0 on top. Alpha is ignored. NV12: `data` is the Y plane [height, width], `uv` the interleaved U, V plane
/// [height / 2, width / 2, 2] at half resolution, video range ("limited": 16..235), BT.601, or BT.709 with `bt709`; sides are even.
struct ImageView {
  const std::uint8_t* data = nullptr;
  int width = 0, height = 0;
  std::int64_t stride = 0;  ///< bytes from one row to the next; 0 = width · bytes_per_pixel
  PixelFormat format = PixelFormat::rgb;
  const std::uint8_t* uv = nullptr;
  std::int64_t uv_stride = 0;  ///< 0 = width
  bool bt709 = false;
  Device device = {};  ///< where `data` and `uv` are

  std::int64_t row_bytes() const { return stride != 0 ? stride : static_cast<std::int64_t>(width) * bytes_per_pixel(format); }
  std::int64_t uv_row_bytes() const { return uv_stride != 0 ? uv_stride : width; }
  /// Throws invalid_argument: sides 1..32768, stride not below a row, planes present, even sides for NV12.
  FORGE_RT_API void validate() const;
  /// A uint8 [H, W, 3], [H, W, 4] or [H, W] tensor, contiguous; `format` must fit the channels.
  FORGE_RT_API static ImageView of(const Tensor& image, PixelFormat format = PixelFormat::rgb);
};

/// x' = a x + b y + c,  y' = d x + e y + f, in pixels; the centre of the top-left pixel is (0.5, 0.5).
struct Affine {
  float a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;
  bool operator==(const Affine&) const = default;
  void map(float x, float y, float& out_x, float& out_y) const {
    out_x = a * x + b * y + c;
    out_y = d * x + e * y + f;
  }
  FORGE_RT_API Affine inverse() const;                    ///< throws invalid_argument when singular or not finite
  FORGE_RT_API Affine after(const Affine& first) const;   ///< this(first(x))
};

struct Box {
  float left = 0, top = 0, right = 0, bottom = 0;  ///< pixels
  float width() const { return right - left; }
  float height() const { return bottom - top; }
  bool operator==(const Box&) const = default;
};

}  // namespace forge_rt
