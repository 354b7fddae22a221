// fill_enclosed: a block floods one image without the host, a bit per pixel. It alternates between rows, a thread each, and columns of
// words, a thread each; both flood their line completely, so the rounds count the turns of the path, not its length. Bit-equal to the CPU.
#include "../core/launch.h"
#include "../core/scratch.h"
#include "ops/fill_enclosed_table.h"

namespace forge_rt::fill {
namespace {

constexpr int kThreads = 256;

struct Launch {
  FillArgs args;
  Word *passing, *reached;  // [batch, height, words]
};

// Floods a column of words down and up; true when a bit was added.
__device__ bool flood_column(const Word* passing, Word* reached, int height, int words) {
  bool changed = false;
  Word carry = 0;
  for (int y = 0; y < height; ++y) {
    const Word old = reached[y * words], flooded = old | (carry & passing[y * words]);
    if (flooded != old) reached[y * words] = flooded;
    changed |= flooded != old;
    carry = flooded;
  }
  for (int y = height - 1; y >= 0; --y) {
    const Word old = reached[y * words], flooded = old | (carry & passing[y * words]);
    if (flooded != old) reached[y * words] = flooded;
    changed |= flooded != old;
    carry = flooded;
  }
  return changed;
}

__global__ void __launch_bounds__(kThreads) flood_images(Launch launch) {
  __shared__ int changed;
  const FillArgs& a = launch.args;
  const int thread = static_cast<int>(threadIdx.x), words = words_of(a.width), count = words * a.height;
  const std::int64_t pixels = static_cast<std::int64_t>(a.height) * a.width;
  for (std::int64_t image = blockIdx.x; image < a.batch; image += gridDim.x) {
    const float* alpha = a.alpha + image * pixels;
    float* out = a.out + image * pixels;
    Word *passing = launch.passing + image * count, *reached = launch.reached + image * count;
    const float seed = alpha[0];
    for (int i = thread; i < count; i += kThreads) {
      const Word first = i == 0 ? 1u : 0u;  // the seed is reached whatever it is
      passing[i] = passing_word(alpha + static_cast<std::int64_t>(i / words) * a.width, a.width, i % words, seed) | first;
      reached[i] = first;
    }
    for (bool again = true; again;) {
      __syncthreads();
      if (thread == 0) changed = 0;
      __syncthreads();
      for (int y = thread; y < a.height; y += kThreads)
        if (flood_row(passing + y * words, reached + y * words, words)) changed = 1;
      __syncthreads();
      for (int w = thread; w < words; w += kThreads)
        if (flood_column(passing + w, reached + w, a.height, words)) changed = 1;
      __syncthreads();
      again = changed != 0;
    }
    for (std::int64_t i = thread; i < pixels; i += kThreads) {
      const int y = static_cast<int>(i / a.width), x = static_cast<int>(i % a.width);
      out[i] = filled_value(a, alpha[i], (reached[y * words + x / kWordBits] >> (x % kWordBits) & 1u) != 0);
    }
  }
}

void fill_cuda(const FillArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  const auto count =
      static_cast<std::size_t>(args.batch) * static_cast<std::size_t>(args.height) * static_cast<std::size_t>(words_of(args.width));
  const cuda::Scratch<Word> passing(count, cuda::to_cuda(stream), "flooded pixels"),
      reached(count, cuda::to_cuda(stream), "flooded pixels");
  const Launch launch{args, passing.data(), reached.data()};
  const dim3 grid(static_cast<unsigned>(args.batch < 65535 ? args.batch : 65535), 1, 1);
  flood_images<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(launch);
  cuda::check_launch("launching fill_enclosed");
}

const Register<FillFn> registered(fill_table().cuda, fill_cuda);

}  // namespace
}  // namespace forge_rt::fill
