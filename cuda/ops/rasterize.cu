// rasterize: same numbers as the scalar oracle, bit for bit (raster_geometry.h has the shared arithmetic).
//
// Problem: many threads draw at once, yet the nearest surface must win, and the lower triangle index where depths are equal.
// Idea:    one 64-bit cell per pixel, depth above triangle index, written with atomicMin: the smallest cell wins in whatever order
//          threads arrive. Small triangles take one thread each; large and clipped ones are queued for whole warps, which share them
//          by slices of the image. A last kernel turns cells into face, depth, label and barycentrics.
#include <algorithm>
#include <limits>

#include "../core/launch.h"
#include "../core/scratch.h"
#include "ops/rasterize_table.h"

namespace forge_rt::raster {
namespace {

using Cell = unsigned long long;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kThreads = 128;
constexpr int kWarp = 32;
constexpr int kPatchWidth = 8, kPatchHeight = 4;        // pixels that a warp looks at together
constexpr int kSmallExtent = 64;                        // pixels: up to here edge functions fit int32
constexpr int kSmallArea = 64;                          // pixels of the box that one thread walks
constexpr int kSliceRows = 64;                          // rows of a large triangle that one warp walks
constexpr std::size_t kCellBytes = std::size_t{64} << 20;  // of the cells of one pass; larger batches take several passes

// The images [first, first + images) of a batch, drawn in one pass.
struct Pass {
  RasterizeArgs args;
  std::int64_t first;
  unsigned images;
  Cell* cells;             // [images, H, W]
  std::uint32_t* queue;    // [images * F] image * F + face: large triangles from the front, clipped ones from the back
  std::uint32_t* lengths;  // [2] of the two queues
};

// ---- cells ----

// Unsigned order of the high word is the order of floats. Zeros of both signs are equal depths, so the sign of a zero moves to
// the lowest bit, from where `depth_key` restores it.
__device__ Cell make_cell(float key, std::int32_t face) {
  const std::uint32_t bits = __float_as_uint(key + 0.f);
  const std::uint32_t ordered = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  const std::uint32_t negative_zero = __float_as_uint(key) == 0x80000000u;
  return Cell{ordered} << 32 | (static_cast<std::uint32_t>(face) << 1) | negative_zero;
}
__device__ bool is_empty(Cell cell) { return cell == ~Cell{0}; }
__device__ std::int32_t face_of(Cell cell) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(cell) >> 1); }
__device__ float depth_key(Cell cell) {
  if ((cell & 1u) != 0) return -0.f;
  const auto ordered = static_cast<std::uint32_t>(cell >> 32);
  return __uint_as_float((ordered >> 31) != 0 ? ordered & 0x7FFFFFFFu : ~ordered);
}

__device__ void draw_pixel(Cell* cell, float key, std::int32_t face) {
  if (!(key < kInfinity)) return;
  const Cell mine = make_cell(key, face);
  if (mine < __ldcg(cell)) atomicMin(cell, mine);  // cells only ever shrink, so a late read costs an atomic and no pixel
}

// ---- the two coverage rules behind one face: setup, then sample pixels ----

struct Watertight {
  Edges edges;
  PixelBox box;
  bool fits_int32;

  __device__ bool setup(const RasterizeArgs& args, const ClipVertex v[3]) {
    const float half_width = 0.5f * static_cast<float>(args.width), half_height = 0.5f * static_cast<float>(args.height);
    const ScreenVertex a = to_screen(v[0], args.perspective, half_width, half_height),
                       b = to_screen(v[1], args.perspective, half_width, half_height),
                       c = to_screen(v[2], args.perspective, half_width, half_height);
    box = pixel_box(a, b, c, args.width, 0, args.height);
    if (box.x0 >= box.x1 || box.y0 >= box.y1) return false;
    const int extent_x = imax(a.x, imax(b.x, c.x)) - imin(a.x, imin(b.x, c.x));
    const int extent_y = imax(a.y, imax(b.y, c.y)) - imin(a.y, imin(b.y, c.y));
    fits_int32 = extent_x <= kSmallExtent * kSubpixel && extent_y <= kSmallExtent * kSubpixel;
    return setup_edges(a, b, c, args.cull_back, edges);
  }

  template <class Int>
  __device__ bool sample_as(int row, int column, float& key) const {
    Int value[3];
    bool inside = true;
    for (int k = 0; k < 3; ++k) {
      value[k] = static_cast<Int>(edges.dx[k]) * (pixel_centre(row) - edges.y[k]) -
                 static_cast<Int>(edges.dy[k]) * (pixel_centre(column) - edges.x[k]);
      inside = inside && value[k] + edges.bias[k] >= 0;
    }
    if (inside) key = interpolate_key(edges, static_cast<float>(value[0]), static_cast<float>(value[1]), static_cast<float>(value[2]));
    return inside;
  }
  __device__ bool sample_small(const RasterizeArgs&, int row, int column, float& key) const {
    return sample_as<std::int32_t>(row, column, key);
  }
  __device__ bool sample(const RasterizeArgs&, int row, int column, float& key) const { return sample_as<std::int64_t>(row, column, key); }

  // Can the triangle be drawn without cutting it first?
  static __device__ bool is_whole(const RasterizeArgs& args, const ClipVertex& v) { return is_safe(v, args.perspective, args.near); }
};

// Pixel index along one axis, counted from the side where the axis is -range / 2; kept near the image also for infinite values.
__device__ int strict_index(float value, float range, int size) {
  const float i = (value / range + 0.5f) * static_cast<float>(size) - 0.5f;
  return static_cast<int>(fminf(fmaxf(i, -2.f), static_cast<float>(size) + 2.f));
}

struct Strict {
  StrictVertex v[3];
  float area;
  float min_x, max_x, min_y, max_y;
  PixelBox box;
  static constexpr bool fits_int32 = true;  // no integers here

  __device__ bool setup(const RasterizeArgs& args, const ClipVertex clip[3]) {
    for (int k = 0; k < 3; ++k) v[k] = to_strict(clip[k], args.perspective);
    if (!strict_setup(v, args.cull_back, area)) return false;
    min_x = fminf(v[0].x, fminf(v[1].x, v[2].x)), max_x = fmaxf(v[0].x, fmaxf(v[1].x, v[2].x));
    min_y = fminf(v[0].y, fminf(v[1].y, v[2].y)), max_y = fmaxf(v[0].y, fmaxf(v[1].y, v[2].y));
    // Inverse of strict_pixel_centre, two pixels wider on each side so that rounding cannot lose one. X grows to the left.
    const float range_x = args.width > args.height ? 2.f * args.width / args.height : 2.f;
    const float range_y = args.height > args.width ? 2.f * args.height / args.width : 2.f;
    box.x0 = imax(args.width - 1 - strict_index(max_x, range_x, args.width) - 2, 0);
    box.x1 = imin(args.width - 1 - strict_index(min_x, range_x, args.width) + 3, args.width);
    box.y0 = imax(args.height - 1 - strict_index(max_y, range_y, args.height) - 2, 0);
    box.y1 = imin(args.height - 1 - strict_index(min_y, range_y, args.height) + 3, args.height);
    return box.x0 < box.x1 && box.y0 < box.y1;
  }

  __device__ bool sample(const RasterizeArgs& args, int row, int column, float& key) const {
    const float py = strict_pixel_centre(args.height - 1 - row, args.height, args.width);
    const float px = strict_pixel_centre(args.width - 1 - column, args.width, args.height);
    if (py < min_y || py > max_y || px < min_x || px > max_x) return false;
    float b[3];
    return strict_sample(v, area, px, py, args.perspective, b, key);
  }
  __device__ bool sample_small(const RasterizeArgs& args, int row, int column, float& key) const { return sample(args, row, column, key); }

  static __device__ bool is_whole(const RasterizeArgs& args, const ClipVertex& v) { return !args.perspective || v.w >= args.near; }
};

// ---- drawing ----

// Corners of a face of image `first + image`. False: an index is out of range, or a corner is NaN or infinite.
__device__ bool fetch(const Pass& pass, unsigned image, std::int64_t face, ClipVertex v[3]) {
  const RasterizeArgs& args = pass.args;
  const ClipVertex* positions = args.positions + (pass.first + image) * args.vertices;
  bool usable = true;
  for (int k = 0; k < 3; ++k) {
    const auto id = static_cast<std::uint32_t>(args.triangles[3 * face + k]);
    if (id >= static_cast<std::uint64_t>(args.vertices)) return false;  // triangles on the GPU were not checked by the host
    v[k] = positions[id];
    usable = usable && is_finite(v[k], args.perspective);
  }
  return usable;
}

__device__ Cell* cells_of(const Pass& pass, unsigned image) {
  return pass.cells + static_cast<std::int64_t>(image) * pass.args.height * pass.args.width;
}

template <class Rule>
__global__ void __launch_bounds__(kThreads) draw_small(Pass pass) {
  const RasterizeArgs& args = pass.args;
  const std::int64_t face = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const unsigned image = blockIdx.y;
  if (face >= args.faces || !is_drawn(args, pass.first + image, face)) return;

  ClipVertex v[3];
  if (!fetch(pass, image, face, v)) return;
  const std::uint32_t capacity = static_cast<std::uint32_t>(pass.images * args.faces);
  const std::uint32_t item = static_cast<std::uint32_t>(image * args.faces + face);
  if (!Rule::is_whole(args, v[0]) || !Rule::is_whole(args, v[1]) || !Rule::is_whole(args, v[2])) {
    pass.queue[capacity - 1 - atomicAdd(&pass.lengths[1], 1u)] = item;
    return;
  }

  Rule rule;
  if (!rule.setup(args, v)) return;
  if (!rule.fits_int32 || (rule.box.x1 - rule.box.x0) * (rule.box.y1 - rule.box.y0) > kSmallArea) {
    pass.queue[atomicAdd(&pass.lengths[0], 1u)] = item;
    return;
  }

  Cell* cells = cells_of(pass, image);
  for (int row = rule.box.y0; row < rule.box.y1; ++row) {
    for (int column = rule.box.x0; column < rule.box.x1; ++column) {
      float key;
      if (rule.sample_small(args, row, column, key))
        draw_pixel(cells + static_cast<std::int64_t>(row) * args.width + column, key, static_cast<std::int32_t>(face));
    }
  }
}

// One warp draws the rows of its slice, a patch of pixels at a time.
template <class Rule>
__device__ void draw_slice(const Pass& pass, const Rule& rule, unsigned image, std::int32_t face) {
  const RasterizeArgs& args = pass.args;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, begin = static_cast<int>(blockIdx.y) * kSliceRows;
  const int y0 = imax(rule.box.y0, begin), y1 = imin(rule.box.y1, begin + kSliceRows);
  Cell* cells = cells_of(pass, image);
  for (int row = y0 + lane / kPatchWidth; row < y1; row += kPatchHeight) {
    for (int column = rule.box.x0 + lane % kPatchWidth; column < rule.box.x1; column += kPatchWidth) {
      float key;
      if (rule.sample(args, row, column, key)) draw_pixel(cells + static_cast<std::int64_t>(row) * args.width + column, key, face);
    }
  }
}

// Warps take turns on the queue; the grid's y axis is the slice. The grid is fixed, since only the device knows the queue's length.
template <class Rule>
__global__ void __launch_bounds__(kThreads) draw_large(Pass pass) {
  const std::uint32_t length = pass.lengths[0], warps = gridDim.x * (kThreads / kWarp);
  for (std::uint32_t i = blockIdx.x * (kThreads / kWarp) + threadIdx.x / kWarp; i < length; i += warps) {
    const unsigned image = static_cast<unsigned>(pass.queue[i] / pass.args.faces);
    const auto face = static_cast<std::int32_t>(pass.queue[i] % pass.args.faces);
    ClipVertex v[3];
    Rule rule;
    if (fetch(pass, image, face, v) && rule.setup(pass.args, v)) draw_slice(pass, rule, image, face);
  }
}

// The same for triangles that reach behind the near plane or out of the guard band: cut, then drawn as a fan. Rare, so the
// polygon may lie in local memory.
template <class Rule>
__global__ void __launch_bounds__(kThreads) draw_clipped(Pass pass) {
  const RasterizeArgs& args = pass.args;
  const std::uint32_t length = pass.lengths[1], warps = gridDim.x * (kThreads / kWarp);
  const auto capacity = static_cast<std::uint32_t>(pass.images * args.faces);
  for (std::uint32_t i = blockIdx.x * (kThreads / kWarp) + threadIdx.x / kWarp; i < length; i += warps) {
    const std::uint32_t item = pass.queue[capacity - 1 - i];
    const unsigned image = static_cast<unsigned>(item / args.faces);
    const auto face = static_cast<std::int32_t>(item % args.faces);
    ClipVertex polygon[kMaxPolygon];
    if (!fetch(pass, image, face, polygon)) continue;
    if (!args.perspective) polygon[0].w = polygon[1].w = polygon[2].w = 1.f;
    const int count = clip_polygon(polygon, 3, args.perspective, args.near);
    for (int k = 2; k < count; ++k) {
      const ClipVertex fan[3] = {polygon[0], polygon[k - 1], polygon[k]};
      Rule rule;
      if (rule.setup(args, fan)) draw_slice(pass, rule, image, face);
    }
  }
}

// ---- output ----

template <bool kStrict>
__global__ void __launch_bounds__(kThreads) resolve(Pass pass) {
  const RasterizeArgs& args = pass.args;
  const int i = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  if (i >= args.height * args.width) return;
  const std::int64_t image = pass.first + blockIdx.y;
  const std::int64_t pixel = image * args.height * args.width + i;
  const Cell cell = cells_of(pass, blockIdx.y)[i];
  const bool empty = is_empty(cell);
  const std::int32_t face = empty ? -1 : face_of(cell);

  const int row = i / args.width, column = i % args.width;
  ClipVertex v[3];
  const bool known = !empty && fetch(pass, blockIdx.y, face, v);

  args.face[pixel] = face;
  if (args.depth != nullptr) {
    const float key = depth_key(cell);
    float depth = empty ? 0.f : (args.perspective && !kStrict ? -1.f / key : key);
    if (!kStrict && known && args.perspective && was_clipped(args, v)) depth = clipped_depth(args, v, row, column);
    args.depth[pixel] = depth;
  }
  if (args.label != nullptr) args.label[pixel] = empty ? std::uint8_t{0} : args.face_labels[face];
  if (args.barycentrics == nullptr) return;

  float b[3] = {0.f, 0.f, 0.f};
  if (known) {
    if (kStrict) strict_barycentrics(args, v, row, column, b);
    else watertight_barycentrics(args, v, row, column, b);
  }
  for (int k = 0; k < 3; ++k) args.barycentrics[3 * pixel + k] = b[k];
}

// ---- host ----

template <class Rule>
void draw(const Pass& pass, unsigned multiprocessors, cudaStream_t stream) {
  const RasterizeArgs& args = pass.args;
  draw_small<Rule><<<dim3(cuda::blocks_for(args.faces, kThreads), pass.images), kThreads, 0, stream>>>(pass);
  cuda::check_launch("launching rasterize (small triangles)");
  const dim3 slices(2 * multiprocessors, static_cast<unsigned>((args.height + kSliceRows - 1) / kSliceRows));
  draw_large<Rule><<<slices, kThreads, 0, stream>>>(pass);
  cuda::check_launch("launching rasterize (large triangles)");
  draw_clipped<Rule><<<slices, kThreads, 0, stream>>>(pass);
  cuda::check_launch("launching rasterize (clipped triangles)");
}

void rasterize_cuda(const RasterizeArgs& args, void* handle) {
  const cuda::DeviceGuard guard = cuda::DeviceGuard::of(args.face);
  const auto stream = static_cast<cudaStream_t>(handle);
  const auto multiprocessors = static_cast<unsigned>(cuda::multiprocessor_count());
  const std::int64_t pixels = std::int64_t{args.height} * args.width;

  // Images per pass: bounded scratch, 32-bit queue items, and the grid's y axis.
  std::int64_t images = std::max<std::int64_t>(1, static_cast<std::int64_t>(kCellBytes / sizeof(Cell)) / pixels);
  images = std::min({images, args.batch, std::int64_t{65535}, std::int64_t{0xFFFFFFFF} / std::max<std::int64_t>(args.faces, 1)});
  const cuda::Scratch<Cell> cells(static_cast<std::size_t>(images * pixels), stream, "raster cells");
  const cuda::Scratch<std::uint32_t> queue(static_cast<std::size_t>(images * args.faces), stream, "raster queue");
  const cuda::Scratch<std::uint32_t> lengths(2, stream, "raster queue");

  for (std::int64_t first = 0; first < args.batch; first += images) {
    const Pass pass{args, first, static_cast<unsigned>(std::min(images, args.batch - first)), cells.data(), queue.data(), lengths.data()};
    cuda::check_cuda(cudaMemsetAsync(pass.cells, 0xFF, pass.images * pixels * sizeof(Cell), stream), "clearing raster cells");
    if (args.faces > 0) {
      cuda::check_cuda(cudaMemsetAsync(pass.lengths, 0, 2 * sizeof(std::uint32_t), stream), "clearing raster queues");
      args.strict ? draw<Strict>(pass, multiprocessors, stream) : draw<Watertight>(pass, multiprocessors, stream);
    }
    const dim3 grid(cuda::blocks_for(pixels, kThreads), pass.images);
    if (args.strict) resolve<true><<<grid, kThreads, 0, stream>>>(pass);
    else resolve<false><<<grid, kThreads, 0, stream>>>(pass);
    cuda::check_launch("launching rasterize (resolve)");
  }
}

const Register<RasterizeFn> registered(rasterize_table().cuda, rasterize_cuda);

}  // namespace
}  // namespace forge_rt::raster
