// sample_texture: check inputs, allocate, dispatch; with its scalar implementation (bound by cache misses, see interpolate.cpp).
#include "forge_rt/ops/sample_texture.h"

#include "forge_rt/core/thread_pool.h"
#include "sample_texture_table.h"

namespace forge_rt {
namespace texture {

OpTable<SampleFn>& sample_texture_table() {
  static OpTable<SampleFn> table{"sample_texture"};
  return table;
}

namespace {
void sample_scalar(const SampleArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.pixels, 8192, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sample_pixel(a, i / a.pixels, i % a.pixels);
  });
}
const Register<SampleFn> registered(sample_texture_table().scalar, sample_scalar);
}  // namespace

}  // namespace texture

Tensor sample_texture(const Tensor& texture, const Tensor& grid, const SampleOptions& options, Stream stream) {
  expect(texture, "texture", "[B or 1, Ht, Wt, C]", DType::f32, {kAny, kAny, kAny, kAny});
  expect(grid, "grid", "[B, H, W, 2]", DType::f32, {kAny, kAny, kAny, 2});
  const std::int64_t batch = grid.size(0);
  check_argument(texture.size(0) == batch || texture.size(0) == 1, "texture must have ", batch, " or 1 rows on axis 0, got ",
                 texture.size(0));
  check_argument(texture.size(1) >= 1 && texture.size(2) >= 1 && texture.size(1) <= (1 << 20) && texture.size(2) <= (1 << 20),
                 "texture size must be 1..2^20, got ", shape_str(texture.shape()));
  check_argument(texture.device() == grid.device(), "texture is on ", texture.device().str(), ", grid on ", grid.device().str());
  Tensor out = Tensor::empty({batch, grid.size(1), grid.size(2), texture.size(3)}, DType::f32, grid.device(), "texture samples");
  if (out.count() == 0) return out;
  const texture::SampleArgs args{texture.data<float>(),
                                 grid.data<float>(),
                                 out.mutable_data<float>(),
                                 batch,
                                 grid.size(1) * grid.size(2),
                                 texture.size(3),
                                 texture.size(0) == 1 ? 0 : texture.size(1) * texture.size(2) * texture.size(3),
                                 static_cast<int>(texture.size(1)),
                                 static_cast<int>(texture.size(2)),
                                 options.filter == Filter::bilinear,
                                 options.border == Border::clamp,
                                 options.align_corners};
  texture::sample_texture_table().select(grid.device())(args, stream);
  return out;
}

}  // namespace forge_rt
