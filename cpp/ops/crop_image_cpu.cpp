// crop_image, scalar: the oracle and the fallback.
#include "crop_image_table.h"
#include "forge_rt/core/thread_pool.h"

namespace forge_rt::crop {
namespace {

void crop_row(const CropArgs& a, std::int64_t image, int y) {
  const Affine& m = a.to_frame[image];
  const int n = samples_per_axis(m);
  const std::int64_t plane = static_cast<std::int64_t>(a.out_height) * a.out_width;
  float* row = a.out + image * 3 * plane + static_cast<std::int64_t>(y) * a.out_width;
  for (int x = 0; x < a.out_width; ++x) {
    float value[3];
    crop_pixel(a, m, n, x, y, value);
    for (int c = 0; c < 3; ++c) row[c * plane + x] = value[c];
  }
}

void crop_scalar(const CropArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.out_height, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) crop_row(a, i / a.out_height, static_cast<int>(i % a.out_height));
  });
}

const Register<CropFn> registered(crop_image_table().scalar, crop_scalar);

}  // namespace
}  // namespace forge_rt::crop
