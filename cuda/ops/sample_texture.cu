// sample_texture: one thread per output value, channels fastest, so that the threads of a pixel share its taps. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/sample_texture_table.h"

namespace forge_rt::texture {
namespace {

constexpr int kThreads = 256;

// Channel `channel` of sample_pixel: the same sums in the same order, kept in a register.
__device__ float sample_channel(const SampleArgs& a, std::int64_t image, std::int64_t pixel, unsigned channel) {
  float x, y;
  if (!locate(a, pixel, x, y)) return 0.f;
  const float* base = a.texture + image * a.texture_stride + channel;
  const auto inside = [&](int row, int column) { return column >= 0 && column < a.width && row >= 0 && row < a.height; };
  const auto texel = [&](int row, int column) { return base[(static_cast<std::int64_t>(row) * a.width + column) * a.channels]; };
  if (!a.bilinear) {
    const int column = static_cast<int>(nearbyintf(x)), row = static_cast<int>(nearbyintf(y));  // half to even, as grid_sample
    return inside(row, column) ? texel(row, column) : 0.f;
  }
  const int x0 = static_cast<int>(floorf(x)), y0 = static_cast<int>(floorf(y));
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  float sum = 0.f;
  for (int tap = 0; tap < 4; ++tap) {
    const int column = x0 + (tap & 1), row = y0 + (tap >> 1);
    if (!inside(row, column)) continue;
    const float weight = ((tap & 1) ? fx : 1.f - fx) * ((tap >> 1) ? fy : 1.f - fy);
    sum += weight * texel(row, column);
  }
  return sum;
}

__global__ void __launch_bounds__(kThreads) sample_values(SampleArgs a) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, channels = static_cast<unsigned>(a.channels);
  if (i >= a.pixels * a.channels) return;
  const unsigned channel = i % channels;
  for (std::int64_t image = blockIdx.y; image < a.batch; image += gridDim.y) {
    const std::int64_t pixel = image * a.pixels + i / channels;
    a.out[pixel * a.channels + channel] = sample_channel(a, image, pixel, channel);
  }
}

void sample_cuda(const SampleArgs& args, Stream stream) {
  if (args.batch * args.pixels * args.channels == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  sample_values<<<cuda::image_grid(args.pixels * args.channels, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching sample_texture");
}

const Register<SampleFn> registered(sample_texture_table().cuda, sample_cuda);

}  // namespace
}  // namespace forge_rt::texture
