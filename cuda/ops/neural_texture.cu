// neural_texture: one thread per pixel and group of channels, so that the threads of a warp read neighbouring texels, write neighbouring
// pixels, and find their taps once for the group. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/neural_texture_table.h"

namespace forge_rt::neural {
namespace {

constexpr int kThreads = 256;
constexpr int kGroup = 8;  // channels

__global__ void __launch_bounds__(kThreads) sample_views(TextureArgs a) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, pixels = static_cast<unsigned>(a.pixels);
  const unsigned groups = static_cast<unsigned>((a.channels + kGroup - 1) / kGroup);
  if (i >= pixels * groups) return;
  // Channels first: pixels run fastest; channels last: groups do.
  const unsigned p = a.features_last ? i / groups : i % pixels, group = a.features_last ? i % groups : i / pixels;
  const std::int64_t first = static_cast<std::int64_t>(group) * kGroup;
  const std::int64_t last = first + kGroup < a.channels ? first + kGroup : a.channels;
  for (std::int64_t b = blockIdx.y; b < a.batch; b += gridDim.y) {
    const std::int64_t pixel = b * a.pixels + p;
    const Coordinates at = coordinates_of(a, pixel);
    if (a.alpha != nullptr && group == 0) a.alpha[pixel] = alpha_of(a, pixel, at);
    const Taps taps = find_taps(at.u, at.v, a.height, a.width);
    for (std::int64_t c = first; c < last; ++c) {
      float* out = a.features + feature_index(a, b, p, c);
      const float value = texture_value(a, b, taps, c);
      *out = a.add ? *out + value : value;
    }
  }
}

void texture_cuda(const TextureArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.features);
  const std::int64_t groups = args.channels > 0 ? (args.channels + kGroup - 1) / kGroup : 0;
  if (groups == 0) return;
  sample_views<<<cuda::image_grid(args.pixels * groups, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching neural_texture");
}

const Register<TextureFn> registered(texture_table().cuda, texture_cuda);

}  // namespace
}  // namespace forge_rt::neural
