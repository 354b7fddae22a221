// crop_image: one thread per crop pixel writes its three values; neighbours in a warp are neighbours in the frame. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/crop_image_table.h"

namespace forge_rt::crop {
namespace {

constexpr int kThreads = 256;
constexpr int kMatrices = 64;  // travel with the launch: no copy to the device, and the caller's array is free on return

struct Launch {
  CropArgs args;
  std::int64_t first;  // image of the batch
  Affine to_frame[kMatrices];
  int samples[kMatrices];
};

__global__ void __launch_bounds__(kThreads) crop_pixels(Launch launch) {
  const CropArgs& a = launch.args;
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, width = static_cast<unsigned>(a.out_width);
  const unsigned plane = width * static_cast<unsigned>(a.out_height);
  if (i >= plane) return;
  const unsigned image = blockIdx.y;
  float value[3];
  crop_pixel(a, launch.to_frame[image], launch.samples[image], static_cast<int>(i % width), static_cast<int>(i / width), value);
  float* out = a.out + (launch.first + image) * 3 * static_cast<std::int64_t>(plane) + i;
  for (int c = 0; c < 3; ++c) out[c * static_cast<std::int64_t>(plane)] = value[c];
}

void crop_cuda(const CropArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  for (std::int64_t first = 0; first < args.batch; first += kMatrices) {
    const int count = static_cast<int>(args.batch - first < kMatrices ? args.batch - first : kMatrices);
    Launch launch{args, first, {}, {}};
    launch.args.to_frame = nullptr;  // host memory
    for (int i = 0; i < count; ++i) {
      launch.to_frame[i] = args.to_frame[first + i];
      launch.samples[i] = samples_per_axis(launch.to_frame[i]);
    }
    const dim3 grid = cuda::image_grid(static_cast<std::int64_t>(args.out_width) * args.out_height, count, kThreads);
    crop_pixels<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(launch);
    cuda::check_launch("launching crop_image");
  }
}

const Register<CropFn> registered(crop_image_table().cuda, crop_cuda);

}  // namespace
}  // namespace forge_rt::crop
