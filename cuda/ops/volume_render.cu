// volume_render: a block takes one ray after the other, a thread takes samples. Depths, densities and weights of a ray lie in shared memory;
// its colours in a scratch of 12 KB per resident block, which the caches hold. The decoder's weights are read by all threads at once:
// for the published sizes from shared memory. Sums over a ray are per thread or trees of fixed shape: runs repeat to the bit.
#include "../core/launch.h"
#include "../core/scratch.h"
#include "ops/volume_render_table.h"

namespace forge_rt::volume {
namespace {

constexpr int kThreads = 64;
constexpr int kMostOnRay = 2 * kMostSamples;
constexpr int kBlocksPerProcessor = 12;
constexpr int kChannels = 32, kHidden = 64, kColours = 32;  // published

// Float order as integer order, so that atomics find ranges.
__device__ int ordered(float value) {
  const int bits = static_cast<int>(__float_as_uint(value));
  return bits < 0 ? bits ^ 0x7FFFFFFF : bits;
}
__device__ float from_ordered(int key) { return __uint_as_float(static_cast<unsigned>(key < 0 ? key ^ 0x7FFFFFFF : key)); }

// Least and most of a set of floats: the second is kept as the least of the complements. Empty: least > most.
struct OrderedRange {
  int least, most_complement;
};
__device__ void include(OrderedRange* range, float value) {
  if (!(value == value)) return;
  atomicMin(&range->least, ordered(value));
  atomicMin(&range->most_complement, ~ordered(value));
}
__device__ Entries range_of(const OrderedRange& range) {
  if (range.least == 0x7FFFFFFF && range.most_complement == 0x7FFFFFFF) return {1.f, -1.f};
  return {from_ordered(range.least), from_ordered(~range.most_complement)};
}

struct Launch {
  RenderArgs args;
  OrderedRange* entries;  // [V], of the rays that hit the box
  OrderedRange* depths;  // [V]
  float* colours;  // [blocks, samples, colours]
};

__device__ std::int64_t range_index(const RenderArgs& a, std::int64_t view) { return a.batch_coupled ? 0 : view; }

__global__ void __launch_bounds__(256) clear_ranges(Launch launch) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (i >= launch.args.views) return;
  launch.entries[i] = {0x7FFFFFFF, 0x7FFFFFFF};
  launch.depths[i] = {0x7FFFFFFF, 0x7FFFFFFF};
}

__global__ void __launch_bounds__(256) find_entries(Launch launch) {
  const RenderArgs& a = launch.args;
  const int side = a.resolution, i = static_cast<int>(blockIdx.x * 256 + threadIdx.x);
  if (i >= side * side) return;
  for (std::int64_t view = blockIdx.y; view < a.views; view += gridDim.y) {
    float start, end;
    if (box_range(camera_ray(a.cameras + 25 * view, i / side, i % side, side), a.box_half, start, end))
      include(launch.entries + range_index(a, view), start);
  }
}

__global__ void __launch_bounds__(256) settle_depths(Launch launch) {
  const RenderArgs& a = launch.args;
  const std::int64_t pixels = static_cast<std::int64_t>(a.resolution) * a.resolution;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x;
  if (i >= pixels) return;
  for (std::int64_t view = blockIdx.y; view < a.views; view += gridDim.y) {
    float* depth = a.depth + view * pixels + i;
    *depth = settle_depth(*depth, range_of(launch.depths[range_index(a, view)]));
  }
}

__device__ float half_value(std::uint16_t h) {
  const unsigned sign = static_cast<unsigned>(h & 0x8000u) << 16, rest = h & 0x7FFFu;
  if (rest >= 0x7C00u) return __uint_as_float(sign | 0x7F800000u | ((rest & 0x3FFu) << 13));
  if (rest < 0x0400u) return __uint_as_float(sign | __float_as_uint(static_cast<float>(rest) * 0x1p-24f));
  return __uint_as_float(sign | ((rest << 13) + 0x38000000u));
}

__device__ float plane_value(const Field& f, std::int64_t index) {
  return f.half ? half_value(static_cast<const std::uint16_t*>(f.planes)[index]) : static_cast<const float*>(f.planes)[index];
}

// Density at a point, and colours where wanted. kFixed: the published sizes, known to the compiler, so that arrays stay in registers.
// `weight1` is [hidden, 1 + colours] when fixed (staged), [1 + colours, hidden] otherwise.
template <bool kFixed>
__device__ float decode(const Field& f, const float* weight0, const float* weight1, std::int64_t row, const float* point, float* colour) {
  constexpr int kMostC = kFixed ? kChannels : kMostChannels, kMostK = kFixed ? kColours : kMostColours;
  const int channels = kFixed ? kChannels : f.channels, hidden = kFixed ? kHidden : f.hidden, colours = kFixed ? kColours : f.colours;
  float feature[kMostC];
#pragma unroll
  for (int c = 0; c < kMostC; ++c) feature[c] = 0.f;
  const std::int64_t plane_size = static_cast<std::int64_t>(f.height) * f.width * channels;
  for (int plane = 0; plane < 3; ++plane) {
    const Taps taps = plane_taps(f, plane, point);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (taps.weight[i] == 0.f) continue;
      const std::int64_t texel = (row * 3 + plane) * plane_size + static_cast<std::int64_t>(taps.offset[i]) * channels;
#pragma unroll
      for (int c = 0; c < kMostC; ++c)
        if (kFixed || c < channels) feature[c] = fmaf(taps.weight[i], plane_value(f, texel + c), feature[c]);
    }
  }
#pragma unroll
  for (int c = 0; c < kMostC; ++c) feature[c] /= 3.f;

  float density = f.bias1[0], sums[kMostK];
#pragma unroll
  for (int o = 0; o < kMostK; ++o) sums[o] = kFixed || o < colours ? f.bias1[1 + o] : 0.f;
  for (int h = 0; h < hidden; ++h) {
    float sum = f.bias0[h];
#pragma unroll
    for (int c = 0; c < kMostC; ++c)
      if (kFixed || c < channels) sum = fmaf(weight0[h * channels + c], feature[c], sum);
    const float value = softplus(sum);
    if (kFixed) {
      density = fmaf(weight1[h * (1 + kColours)], value, density);
      if (colour != nullptr) {
#pragma unroll
        for (int o = 0; o < kMostK; ++o) sums[o] = fmaf(weight1[h * (1 + kColours) + 1 + o], value, sums[o]);
      }
    } else {
      density = fmaf(weight1[h], value, density);
      if (colour != nullptr)
        for (int o = 0; o < colours; ++o) sums[o] = fmaf(weight1[(1 + o) * hidden + h], value, sums[o]);
    }
  }
  if (colour != nullptr) {
#pragma unroll
    for (int o = 0; o < kMostK; ++o)
      if (kFixed || o < colours) colour[o] = colour_of(sums[o]);
  }
  return density;
}

// Copies the decoder's weights to shared memory, outputs of a hidden value side by side.
__device__ void stage_decoder(const Field& f, float* weight0, float* weight1) {
  for (int i = static_cast<int>(threadIdx.x); i < kHidden * kChannels; i += kThreads) weight0[i] = f.weight0[i];
  for (int i = static_cast<int>(threadIdx.x); i < kHidden * (1 + kColours); i += kThreads)
    weight1[i] = f.weight1[i % (1 + kColours) * kHidden + i / (1 + kColours)];
}

// Weights of the intervals of n samples. Each thread multiplies what lies before its own.
__device__ void march(const float* t, const float* density, int n, float* alpha, float* weight) {
  for (int k = static_cast<int>(threadIdx.x); k < n - 1; k += kThreads)
    alpha[k] = interval_alpha(t[k], t[k + 1], density[k], density[k + 1]);
  __syncthreads();
  for (int k = static_cast<int>(threadIdx.x); k < n - 1; k += kThreads) {
    float transmittance = 1.f;
    for (int j = 0; j < k; ++j) transmittance *= 1.f - alpha[j] + kTransmittanceFloor;
    weight[k] = alpha[k] * transmittance;
  }
  __syncthreads();
}

// Sum over the block; all threads get it. `partial` has kThreads entries.
__device__ float block_sum(float value, float* partial) {
  const int i = static_cast<int>(threadIdx.x);
  partial[i] = value;
  for (int step = kThreads / 2; step > 0; step /= 2) {
    __syncthreads();
    if (i < step) partial[i] += partial[i + step];
  }
  __syncthreads();
  const float sum = partial[0];
  __syncthreads();
  return sum;
}

template <bool kFixed>
__global__ void __launch_bounds__(kThreads) render_rays(Launch launch) {
  __shared__ float weight0[kFixed ? kHidden * kChannels : 1], weight1[kFixed ? kHidden * (1 + kColours) : 1];
  __shared__ float t[kMostOnRay], density[kMostOnRay], sorted_t[kMostOnRay], sorted_density[kMostOnRay];
  __shared__ float alpha[kMostOnRay], weight[kMostOnRay], cdf[kMostSamples], partial[kThreads];
  __shared__ int rank[kMostOnRay];
  const RenderArgs& a = launch.args;
  const Field& f = a.field;
  const int first = static_cast<int>(threadIdx.x), n = a.coarse + a.fine, colours = kFixed ? kColours : f.colours;
  const bool want_colour = a.features != nullptr;
  if (kFixed) stage_decoder(f, weight0, weight1);
  const float *layer0 = kFixed ? weight0 : f.weight0, *layer1 = kFixed ? weight1 : f.weight1;
  float* ray_colours = want_colour ? launch.colours + static_cast<std::int64_t>(blockIdx.x) * n * colours : nullptr;
  __syncthreads();

  const std::int64_t pixels = static_cast<std::int64_t>(a.resolution) * a.resolution;
  for (std::int64_t i = blockIdx.x; i < a.views * pixels; i += gridDim.x) {
    const std::int64_t view = i / pixels, pixel = i % pixels, row = row_of(a, view);
    const Ray ray =
        camera_ray(a.cameras + 25 * view, static_cast<int>(pixel / a.resolution), static_cast<int>(pixel % a.resolution), a.resolution);
    float start, end;
    ray_range(a, ray, range_of(launch.entries[range_index(a, view)]), start, end);
    const auto decode_sample = [&](int k) {
      float point[3];
      for (int axis = 0; axis < 3; ++axis) point[axis] = ray.origin[axis] + t[k] * ray.direction[axis];
      density[k] = decode<kFixed>(f, layer0, layer1, row, point, want_colour ? ray_colours + k * colours : nullptr);
    };

    for (int k = first; k < a.coarse; k += kThreads) {
      t[k] = coarse_depth(a, start, end, k, draw(a, false, view, pixel, k));
      decode_sample(k);
    }
    __syncthreads();
    const float *along = t, *densities = density;
    if (a.fine > 0) {
      march(t, density, a.coarse, alpha, weight);
      const int bins = a.coarse - 3;
      for (int k = first; k < bins; k += kThreads) alpha[k] = bin_mass(weight, k);
      __syncthreads();
      for (int k = first; k <= bins; k += kThreads) {
        float total = 0.f, sum = 0.f;
        for (int j = 0; j < bins; ++j) total += alpha[j];
        for (int j = 0; j < k; ++j) sum += alpha[j] / total;
        cdf[k] = sum;
      }
      __syncthreads();
      for (int k = first; k < a.fine; k += kThreads) {
        t[a.coarse + k] = fine_depth(cdf, t, bins + 1, draw(a, true, view, pixel, k));
        decode_sample(a.coarse + k);
      }
      __syncthreads();
      // Places along the ray: how many samples lie before. NaN counts as infinitely far.
      for (int k = first; k < n; k += kThreads) {
        const float key = t[k] == t[k] ? t[k] : INFINITY;
        int before = 0;
        for (int j = 0; j < n; ++j) {
          const float other = t[j] == t[j] ? t[j] : INFINITY;
          before += other < key || (other == key && j < k) ? 1 : 0;
        }
        rank[k] = before;
        sorted_t[before] = t[k];
        sorted_density[before] = density[k];
      }
      __syncthreads();
      along = sorted_t;
      densities = sorted_density;
    } else {
      for (int k = first; k < n; k += kThreads) rank[k] = k;
    }

    march(along, densities, n, alpha, weight);
    float sum = 0.f, moment = 0.f;
    for (int k = first; k < n - 1; k += kThreads) {
      sum += weight[k];
      moment += weight[k] * ((along[k] + along[k + 1]) / 2.f);
    }
    const float weight_sum = block_sum(sum, partial), depth = block_sum(moment, partial) / weight_sum;
    if (first == 0) {
      // Sorted lists have their range at the ends; given draws may leave coarse ones unsorted.
      for (int k = 0; k < n; k += a.fine > 0 ? n - 1 : 1) include(launch.depths + range_index(a, view), along[k]);
      a.weight_sum[view * pixels + pixel] = weight_sum;
      a.depth[view * pixels + pixel] = depth;
    }
    if (want_colour) {
      // The colour of an interval is the mean of its ends': a sample weighs half of the intervals on both sides.
      for (int k = first; k < n; k += kThreads) {
        const int place = rank[k];
        const float w = ((place > 0 ? weight[place - 1] : 0.f) + (place < n - 1 ? weight[place] : 0.f)) / 2.f;
        alpha[k] = w < a.skip_weight ? 0.f : w;
      }
      __syncthreads();
      for (int o = first; o < colours; o += kThreads) {
        float value = a.white_back ? 1.f - weight_sum : 0.f;
        for (int k = 0; k < n; ++k)
          if (alpha[k] != 0.f) value = fmaf(alpha[k], ray_colours[k * colours + o], value);
        a.features[(view * colours + o) * pixels + pixel] = 2.f * value - 1.f;
      }
    }
    __syncthreads();
  }
}

struct DensityLaunch {
  DensityArgs args;
};

__global__ void __launch_bounds__(kThreads) decode_points(DensityLaunch launch) {
  const DensityArgs& a = launch.args;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.count) return;
  for (std::int64_t row = blockIdx.y; row < a.batch; row += gridDim.y) {
    const std::int64_t at = row * a.count + i;
    a.density[at] = decode<false>(a.field, a.field.weight0, a.field.weight1, row, a.points + 3 * at,
                                  a.colour != nullptr ? a.colour + at * a.field.colours : nullptr);
  }
}

// To nearest, ties to even, as the CPU's.
__device__ std::uint16_t to_half(float value) {
  const unsigned bits = __float_as_uint(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
  if (rest > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u | (rest >> 13 & 0x3FFu));
  if (rest >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);
  if (rest < 0x38800000u) return static_cast<std::uint16_t>(sign | (__float_as_uint(__uint_as_float(rest) + 0.5f) - 0x3F000000u));
  return static_cast<std::uint16_t>(sign | ((rest - 0x38000000u + 0xFFFu + (rest >> 13 & 1u)) >> 13));
}

__global__ void __launch_bounds__(256) reorder_planes(LayoutArgs a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * 256 + threadIdx.x, values = a.texels * a.channels;
  if (i >= values) return;
  for (std::int64_t image = blockIdx.y; image < a.images; image += gridDim.y) {
    const float value = a.planes[image * values + i % a.channels * a.texels + i / a.channels];
    if (a.half) static_cast<std::uint16_t*>(a.out)[image * values + i] = to_half(value);
    else static_cast<float*>(a.out)[image * values + i] = value;
  }
}

void render_cuda(const RenderArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.depth);
  const std::int64_t pixels = static_cast<std::int64_t>(args.resolution) * args.resolution;
  const std::int64_t resident = static_cast<std::int64_t>(cuda::multiprocessor_count()) * kBlocksPerProcessor;
  const std::int64_t rays = args.views * pixels, count = rays < resident ? rays : resident;
  const std::size_t colours =
      args.features != nullptr ? static_cast<std::size_t>(count * (args.coarse + args.fine) * args.field.colours) : 1;
  const cuda::Scratch<OrderedRange> ranges(static_cast<std::size_t>(2 * args.views), cuda::to_cuda(stream), "ranges of depths");
  const cuda::Scratch<float> scratch(colours, cuda::to_cuda(stream), "colours of resident rays");
  const Launch launch{args, ranges.data(), ranges.data() + args.views, scratch.data()};
  clear_ranges<<<cuda::blocks_for(args.views, 256), 256, 0, cuda::to_cuda(stream)>>>(launch);
  cuda::check_launch("launching volume_render");
  if (args.auto_range) {
    find_entries<<<cuda::image_grid(pixels, args.views, 256), 256, 0, cuda::to_cuda(stream)>>>(launch);
    cuda::check_launch("launching volume_render");
  }
  const Field& f = args.field;
  if (f.channels == kChannels && f.hidden == kHidden && f.colours == kColours) {
    render_rays<true><<<static_cast<unsigned>(count), kThreads, 0, cuda::to_cuda(stream)>>>(launch);
  } else {
    render_rays<false><<<static_cast<unsigned>(count), kThreads, 0, cuda::to_cuda(stream)>>>(launch);
  }
  cuda::check_launch("launching volume_render");
  settle_depths<<<cuda::image_grid(pixels, args.views, 256), 256, 0, cuda::to_cuda(stream)>>>(launch);
  cuda::check_launch("launching volume_render");
}

void density_cuda(const DensityArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.density);
  const DensityLaunch launch{args};
  decode_points<<<cuda::image_grid(args.count, args.batch, kThreads), kThreads, 0, cuda::to_cuda(stream)>>>(launch);
  cuda::check_launch("launching sample_density");
}

void layout_cuda(const LayoutArgs& args, Stream stream) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.out);
  reorder_planes<<<cuda::image_grid(args.texels * args.channels, args.images, 256), 256, 0, cuda::to_cuda(stream)>>>(args);
  cuda::check_launch("launching planes_from_nchw");
}

const Register<RenderFn> registered_render(volume_render_table().cuda, render_cuda);
const Register<DensityFn> registered_density(sample_density_table().cuda, density_cuda);
const Register<LayoutFn> registered_layout(planes_from_nchw_table().cuda, layout_cuda);

}  // namespace
}  // namespace forge_rt::volume
