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
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x, row = i / a.width;
  if (row < a.batch * a.height) cover_pixel(a, row / a.height, static_cast<int>(row % a.height), static_cast<int>(i % a.width));
}

void coverage_cuda(const CoverageArgs& args, Stream stream) {
  const std::int64_t pixels = args.batch * args.height * args.width;
  if (pixels == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.labels);
  cover<<<cuda::blocks_for(pixels, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching label_coverage");
}

__global__ void __launch_bounds__(kThreads) see(VisibilityArgs a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < a.batch * a.points) a.out[i] = visibility_of(a, i / a.points, i % a.points);
}

void visibility_cuda(const VisibilityArgs& args, Stream stream) {
  if (args.batch * args.points == 0) return;
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  see<<<cuda::blocks_for(args.batch * args.points, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching point_visibility");
}

const Register<ProjectFn> registered_project(project_labels_table().cuda, project_cuda);
const Register<CoverageFn> registered_coverage(label_coverage_table().cuda, coverage_cuda);
const Register<VisibilityFn> registered_visibility(point_visibility_table().cuda, visibility_cuda);

}  // namespace
}  // namespace forge_rt::labels
