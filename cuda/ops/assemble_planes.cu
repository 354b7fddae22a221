// assemble_planes: a block turns a tile of 32 pixels x 32 channels in shared memory, so that reads run along pixels and writes along
// channels. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/assemble_planes_table.h"

namespace forge_rt::planes {
namespace {

constexpr int kTile = 32;
constexpr int kRows = 8;  // of the tile at a time
constexpr int kThreads = kTile * kRows;

__global__ void __launch_bounds__(kThreads) assemble_tiles(AssembleArgs a) {
  __shared__ float tile[kTile][kTile + 1];  // one more column: no two threads of a warp meet in a bank
  const unsigned groups = static_cast<unsigned>((a.channels + kTile - 1) / kTile);
  const std::int64_t first_pixel = static_cast<std::int64_t>(blockIdx.x / groups) * kTile, first_channel = blockIdx.x % groups * kTile;
  const int lane = static_cast<int>(threadIdx.x % kTile), row = static_cast<int>(threadIdx.x / kTile);
  for (std::int64_t image = blockIdx.y; image < a.batch * a.count; image += gridDim.y) {
    const std::int64_t b = image / a.count;
    const int plane = static_cast<int>(image % a.count);
    for (int i = row; i < kTile; i += kRows) {
      const std::int64_t c = first_channel + i, p = first_pixel + lane;
      if (c < a.channels && p < a.pixels) tile[i][lane] = plane_value(a, b, plane, c, p);
    }
    __syncthreads();
    for (int i = row; i < kTile; i += kRows) {
      const std::int64_t c = first_channel + lane, p = first_pixel + i;
      if (c < a.channels && p < a.pixels) store_value(a, ((b * kPlanes + plane) * a.pixels + p) * a.channels + c, tile[lane][i]);
    }
    __syncthreads();
  }
}

void assemble_cuda(const AssembleArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  const std::int64_t tiles = (args.pixels + kTile - 1) / kTile * ((args.channels + kTile - 1) / kTile);
  const std::int64_t images = args.batch * args.count;
  check(tiles <= 0x7FFFFFFF, ErrorCode::unsupported, "planes of ", args.pixels, " pixels are too large for the CUDA kernel");
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(images < 65535 ? images : 65535), 1);
  assemble_tiles<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching assemble_planes");
}

const Register<AssembleFn> registered(assemble_table().cuda, assemble_cuda);

}  // namespace
}  // namespace forge_rt::planes
