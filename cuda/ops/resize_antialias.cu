// resize_antialias, crop_resize, resize_paste: one kernel finds the taps of each output row and column, one thread per value sums them.
// Bit-equal to the CPU.
#include "../core/launch.h"
#include "../core/scratch.h"
#include "ops/resize_antialias_table.h"

namespace forge_rt::resize {
namespace {

constexpr int kThreads = 256;
constexpr int kBoxes = 64;  // from the host they travel with the launch: no copy to the device, and the caller's array is free on return

struct Launch {
  ResizeArgs args;
  std::int64_t first, count, samples;  // samples of the batch, and tables of taps: one where there are no boxes
  Span* spans;                         // [samples, out_height + out_width]
  float* weights;                      // [samples, row_room + column_room]
  std::int64_t row_room, column_room;
  std::int64_t boxes[kBoxes][4];
};

// Weights that outputs of one axis need at most, whatever the box: out · most_taps(in, out) for any part of `in` or of `out`.
std::int64_t room(std::int64_t in, std::int64_t out) { return 2 * in + 3 * out; }

__device__ Regions regions_of_sample(const Launch& l, std::int64_t sample) {
  const ResizeArgs& a = l.args;
  if (a.boxes == nullptr) return regions_of(a, nullptr);
  return regions_of(a, a.boxes_on_host ? l.boxes[sample] : a.boxes + 4 * (l.first + sample));
}

__device__ Span* spans_of(const Launch& l, std::int64_t sample, bool rows) {
  return l.spans + sample * (l.args.out_height + l.args.out_width) + (rows ? 0 : l.args.out_height);
}

__device__ float* weights_of(const Launch& l, std::int64_t sample, bool rows) {
  return l.weights + sample * (l.row_room + l.column_room) + (rows ? 0 : l.row_room);
}

__global__ void __launch_bounds__(kThreads) find_taps(Launch l) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x), height = l.args.out_height;
  if (i >= height + l.args.out_width) return;
  for (std::int64_t sample = blockIdx.y; sample < l.samples; sample += gridDim.y) {
    const Regions r = regions_of_sample(l, sample);
    const bool rows = i < height;
    const int output = rows ? i : i - height;
    const int in = rows ? height_of(r.from) : width_of(r.from), out = rows ? height_of(r.to) : width_of(r.to);
    if (output >= out) continue;
    float* weights = weights_of(l, sample, rows) + static_cast<std::int64_t>(output) * most_taps(in, out);
    spans_of(l, sample, rows)[output] = axis_weights(in, out, output, weights);
  }
}

__global__ void __launch_bounds__(kThreads) resize_values(Launch l) {
  const ResizeArgs& a = l.args;
  const unsigned i = blockIdx.x * kThreads + threadIdx.x, width = static_cast<unsigned>(a.out_width);
  if (i >= width * static_cast<unsigned>(a.out_height)) return;
  for (std::int64_t p = blockIdx.y; p < l.count * a.channels; p += gridDim.y) {
    const std::int64_t sample = a.boxes != nullptr ? p / a.channels : 0, plane = l.first * a.channels + p;
    const Regions r = regions_of_sample(l, sample);
    const int y = static_cast<int>(i / width) - r.to.row0, x = static_cast<int>(i % width) - r.to.column0;
    if (y < 0 || x < 0 || y >= height_of(r.to) || x >= width_of(r.to)) continue;
    const AxisTaps rows = {spans_of(l, sample, true), weights_of(l, sample, true), most_taps(height_of(r.from), height_of(r.to))};
    const AxisTaps columns = {spans_of(l, sample, false), weights_of(l, sample, false), most_taps(width_of(r.from), width_of(r.to))};
    const float* from = a.in + (plane * a.in_height + r.from.row0) * a.in_width + r.from.column0;
    a.out[plane * a.out_height * a.out_width + i] = resize_value(from, a.in_width, rows, columns, y, x);
  }
}

void resize_cuda(const ResizeArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  const std::int64_t step = args.boxes != nullptr ? kBoxes : args.batch;
  for (std::int64_t first = 0; first < args.batch; first += step) {
    const std::int64_t count = args.batch - first < step ? args.batch - first : step;
    Launch launch{args, first, count, args.boxes != nullptr ? count : 1, nullptr, nullptr, 0, 0, {}};
    if (args.boxes != nullptr && args.boxes_on_host)
      for (std::int64_t i = 0; i < 4 * count; ++i) launch.boxes[i / 4][i % 4] = args.boxes[4 * first + i];
    launch.row_room = room(args.in_height, args.out_height);
    launch.column_room = room(args.in_width, args.out_width);
    const std::int64_t outputs = args.out_height + args.out_width;
    const cuda::Scratch<Span> spans(static_cast<std::size_t>(launch.samples * outputs), cuda::to_cuda(stream), "taps of a resize");
    const cuda::Scratch<float> weights(static_cast<std::size_t>(launch.samples * (launch.row_room + launch.column_room)),
                                       cuda::to_cuda(stream), "taps of a resize");
    launch.spans = spans.data();
    launch.weights = weights.data();
    find_taps<<<cuda::image_grid(outputs, launch.samples, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(launch);
    cuda::check_launch("launching resize_antialias");
    const dim3 grid = cuda::image_grid(static_cast<std::int64_t>(args.out_height) * args.out_width, count * args.channels, kThreads);
    resize_values<<<grid, kThreads, 0, cuda::to_cuda(stream)>>>(launch);
    cuda::check_launch("launching resize_antialias");
  }
}

const Register<ResizeFn> registered(resize_table().cuda, resize_cuda);

}  // namespace
}  // namespace forge_rt::resize
