// project_labels, label_coverage and label_majority, point_visibility: one thread per output pixel or point, with the arithmetic of
// label_projection_table.h. Bit-equal to the CPU.
#include "../core/launch.h"
#include "ops/label_projection_table.h"

namespace forge_rt::labels {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) project(ProjectArgs a) {
  const std::int64_t p = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (p >= a.pixels) return;
  // The host did not read face labels on the GPU: a triangle that asks for a map that is not there stays background.
  const bool lost = a.uv_triangles == nullptr && a.face[p] >= 0 && a.face_labels[a.face[p]] == a.from_uv;
  a.out[p] = lost ? a.background : project_pixel(a, p);
}

void project_cuda(const ProjectArgs& args, Stream stream) {
  if (args.pixels == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  project<<<cuda::blocks_for(args.pixels, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching project_labels");
}

__global__ void __launch_bounds__(kThreads) cover(CoverageArgs a) {
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, row = i / a.width;
  if (row >= a.height) return;
  for (std::int64_t image = blockIdx.y; image < a.batch; image += gridDim.y)
    cover_pixel(a, image, static_cast<int>(row), static_cast<int>(i % a.width));
}

void coverage_cuda(const CoverageArgs& args, Stream stream) {
  const std::int64_t pixels = std::int64_t{args.height} * args.width;
  if (args.batch * pixels == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.labels);
  cover<<<cuda::image_grid(pixels, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching label_coverage");
}

__global__ void __launch_bounds__(kThreads) see(VisibilityArgs a) {
  const unsigned point = blockIdx.x * kThreads + threadIdx.x;
  if (point >= a.points) return;
  for (std::int64_t image = blockIdx.y; image < a.batch; image += gridDim.y)
    a.out[image * a.points + point] = visibility_of(a, image, point);
}

void visibility_cuda(const VisibilityArgs& args, Stream stream) {
  if (args.batch * args.points == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  see<<<cuda::image_grid(args.points, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching point_visibility");
}

const Register<ProjectFn> registered_project(project_labels_table().cuda, project_cuda);
const Register<CoverageFn> registered_coverage(label_coverage_table().cuda, coverage_cuda);
const Register<VisibilityFn> registered_visibility(point_visibility_table().cuda, visibility_cuda);

}  // namespace
}  // namespace forge_rt::labels
