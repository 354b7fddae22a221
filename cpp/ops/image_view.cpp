// Frames as the caller has them: checks, and the algebra of affine maps.
#include "forge_rt/ops/image_view.h"

#include <cmath>

#include "frame_limits.h"

namespace forge_rt {

namespace {

const char* const kFormatNames[] = {"rgb", "bgr", "rgba", "bgra", "gray", "nv12"};
constexpr int kFormatBytes[] = {3, 3, 4, 4, 1, 1};

bool known(PixelFormat format) { return static_cast<int>(format) >= 0 && static_cast<int>(format) <= static_cast<int>(PixelFormat::nv12); }

// Back to float, with an error instead of an infinity.
Affine to_affine(const double (&m)[6], const char* what) {
  Affine out;
  float* const to[6] = {&out.a, &out.b, &out.c, &out.d, &out.e, &out.f};
  for (int i = 0; i < 6; ++i) {
    *to[i] = static_cast<float>(m[i]);
    check_argument(std::isfinite(*to[i]), what, " is not finite; check the points or the box that it was made from");
  }
  return out;
}
}  // namespace

const char* pixel_format_name(PixelFormat format) {
  check_argument(known(format), "pixel format must be 0..5 (rgb, bgr, rgba, bgra, gray, nv12), got ", static_cast<int>(format));
  return kFormatNames[static_cast<int>(format)];
}

int bytes_per_pixel(PixelFormat format) {
  check_argument(known(format), "pixel format must be 0..5 (rgb, bgr, rgba, bgra, gray, nv12), got ", static_cast<int>(format));
  return kFormatBytes[static_cast<int>(format)];
}

void ImageView::validate() const {
  const char* const name = pixel_format_name(format);
  check_argument(data != nullptr, "a frame needs pixels, got a null pointer");
  check_argument(width >= 1 && width <= kLargestSide && height >= 1 && height <= kLargestSide, "frame sides must be 1..", kLargestSide,
                 " pixels, got ", width, " x ", height);
  const std::int64_t row = static_cast<std::int64_t>(width) * bytes_per_pixel(format);
  check_argument(row_bytes() >= row, "stride of a ", name, " frame ", width, " pixels wide must be at least ", row, " bytes, got ", stride);
  constexpr std::int64_t kLargestStride = std::int64_t{1} << 40;  // times 32768 rows, still a number of bytes
  check_argument(stride <= kLargestStride && uv_stride <= kLargestStride, "stride of a frame must be at most ", kLargestStride,
                 " bytes, got ", stride, " and uv_stride ", uv_stride);
  if (format != PixelFormat::nv12) return;
  check_argument(width % 2 == 0 && height % 2 == 0, "sides of an nv12 frame must be even, got ", width, " x ", height);
  check_argument(uv != nullptr, "an nv12 frame needs its uv plane, got a null pointer");
  check_argument(uv_row_bytes() >= width, "uv_stride of an nv12 frame must be at least its width ", width, ", got ", uv_stride);
}

ImageView ImageView::of(const Tensor& image, PixelFormat format) {
  check_argument(image.defined() && image.dtype() == DType::u8 && (image.rank() == 2 || image.rank() == 3) && image.is_contiguous(),
                 "a frame must be a contiguous uint8 [H, W, 3], [H, W, 4] or [H, W] tensor, got ", image.str());
  check_argument(format != PixelFormat::nv12, "an nv12 frame has two planes; fill an ImageView with their pointers instead");
  const int bytes = bytes_per_pixel(format);
  const std::int64_t channels = image.rank() == 3 ? image.size(2) : 1;
  check_argument(channels == bytes, "a ", pixel_format_name(format), " frame has ", bytes, " bytes per pixel, got ", image.str());
  check_argument(image.size(0) <= kLargestSide && image.size(1) <= kLargestSide, "frame sides must be 1..", kLargestSide, " pixels, got ",
                 image.str());
  ImageView view;
  view.data = image.data<std::uint8_t>();
  view.width = static_cast<int>(image.size(1));
  view.height = static_cast<int>(image.size(0));
  view.format = format;
  view.device = image.device();
  view.validate();
  return view;
}

Affine Affine::inverse() const {
  const double p = a, q = b, r = d, s = e, determinant = p * s - q * r;
  // Relative: a crop of a huge frame and one of a thumbnail are both fine.
  const double size = (std::fabs(p) + std::fabs(r)) * (std::fabs(q) + std::fabs(s));
  check_argument(std::isfinite(determinant) && std::fabs(determinant) > 1e-9 * size && std::isfinite(c) && std::isfinite(f),
                 "an affine map must be finite and invertible, got [", a, ", ", b, ", ", c, "; ", d, ", ", e, ", ", f, "]");
  const double m[6] = {s / determinant,  -q / determinant, (q * f - s * c) / determinant,
                       -r / determinant, p / determinant,  (r * c - p * f) / determinant};
  return to_affine(m, "the inverse of an affine map");
}

Affine Affine::after(const Affine& first) const {
  const double p = a, q = b, r = d, s = e;
  const double m[6] = {p * first.a + q * first.d, p * first.b + q * first.e, p * first.c + q * first.f + c,
                       r * first.a + s * first.d, r * first.b + s * first.e, r * first.c + s * first.f + f};
  return to_affine(m, "the product of two affine maps");
}

}  // namespace forge_rt
