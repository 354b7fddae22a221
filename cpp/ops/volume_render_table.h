// Arguments, shared arithmetic and dispatch slots of `volume_render`. The formulas are those of spec/next3d §8-9. Rays and coarse depths
// round as PyTorch rounds, fused where it fuses: at a camera distance of 2.7 the last bit of a direction moves a point by 6e-7, which
// a steep density turns into 1e-4 of the picture.
#pragma once

#include <cmath>

#include "dispatch.h"
#include "forge_rt/core/host_device.h"
#include "forge_rt/ops/volume_render.h"

namespace forge_rt::volume {

constexpr int kMostSamples = 256;                       // of each kind on a ray
constexpr int kMostChannels = 64, kMostHidden = 128, kMostColours = 64;
constexpr float kColourScale = 1.002f, kColourShift = 0.001f;
constexpr float kTransmittanceFloor = 1e-10f;           // keeps the product of published weights above zero
constexpr float kPdfBase = 0.01f, kPdfFloor = 1e-5f;    // every bin gets some fine samples

// Planes and decoder: what a point needs.
struct Field {
  const void* planes;         // [B, 3, H, W, C]
  bool half;
  int height, width, channels, hidden, colours;
  float scale;                // 2 / box_warp
  float axes[3][2][3];        // row vectors: column and row coordinate of each plane
  const float *weight0, *bias0, *weight1, *bias1;
};

struct RenderArgs {
  Field field;
  std::int64_t views;
  const float* cameras;         // [V, 25]
  const std::int32_t* rows;     // [V], or null: one_row decides
  bool one_row;
  const float *u_coarse, *u_fine;
  const std::uint64_t* index;   // [V]
  std::uint64_t seed;
  Randomness randomness;
  int resolution, coarse, fine;
  float start, end, box_half;
  bool auto_range, batch_coupled, white_back;
  float skip_weight;
  float *features, *depth, *weight_sum;  // features may be null
};
using RenderFn = void (*)(const RenderArgs&, Stream);
OpTable<RenderFn>& volume_render_table();

struct DensityArgs {
  Field field;
  const float* points;    // [B, N, 3]
  std::int64_t batch, count;
  float *density, *colour;  // colour may be null
};
using DensityFn = void (*)(const DensityArgs&, Stream);
OpTable<DensityFn>& sample_density_table();

struct LayoutArgs {
  const float* planes;    // [B * 3, C, texels]
  void* out;              // [B * 3, texels, C]
  std::int64_t images, channels, texels;
  bool half;
};
using LayoutFn = void (*)(const LayoutArgs&, Stream);
OpTable<LayoutFn>& planes_from_nchw_table();

struct Ray {
  float origin[3], direction[3];
};

FORGE_HD std::int64_t row_of(const RenderArgs& a, std::int64_t view) { return a.rows != nullptr ? a.rows[view] : (a.one_row ? 0 : view); }

// §9.1; pixel centres are at +0.5.
FORGE_HD Ray camera_ray(const float* camera, int row, int column, int resolution) {
  const float* k = camera + 16;
  const float fx = k[0], skew = k[1], cx = k[2], fy = k[4], cy = k[5];
  const float step = 1.f / static_cast<float>(resolution), half = 0.5f / static_cast<float>(resolution);
  const float xc = static_cast<float>(column) * step + half, yc = static_cast<float>(row) * step + half;
  const float x = (xc - cx + cy * skew / fy - skew * yc / fy) / fx, y = (yc - cy) / fy;
  Ray ray;
  float length = 0.f;
  for (int i = 0; i < 3; ++i) {
    const float* m = camera + 4 * i;
    ray.origin[i] = m[3];
    ray.direction[i] = fmaf(m[1], y, m[0] * x) + m[2] + m[3] - m[3];
    length += ray.direction[i] * ray.direction[i];
  }
  length = fmaxf(sqrtf(length), 1e-12f);
  for (int i = 0; i < 3; ++i) ray.direction[i] /= length;
  return ray;
}

// Where a ray enters and leaves the box, §9.2; false: it misses.
FORGE_HD bool box_range(const Ray& ray, float half, float& start, float& end) {
  bool hit = true;
  for (int i = 0; i < 3; ++i) {
    const float inverse = 1.f / ray.direction[i];
    const float low = ((inverse < 0.f ? half : -half) - ray.origin[i]) * inverse;
    const float high = ((inverse < 0.f ? -half : half) - ray.origin[i]) * inverse;
    if (i == 0) {
      start = low;
      end = high;
      continue;
    }
    if (start > high || low > end) hit = false;
    start = fmaxf(start, low);
    end = fminf(end, high);
  }
  if (!hit) {
    start = -1.f;
    end = -2.f;
  }
  return end > start;
}

// Entries of the rays of one image, or of the batch, that hit the box. Empty: least > most.
struct Entries {
  float least, most;
};

FORGE_HD void ray_range(const RenderArgs& a, const Ray& ray, const Entries& entries, float& start, float& end) {
  if (!a.auto_range) {
    start = a.start;
    end = a.end;
  } else if (!box_range(ray, a.box_half, start, end) && entries.least <= entries.most) {
    start = entries.least;
    end = entries.most;  // published: the farthest entry, not exit
  }
}

// Where a value lies on a plane's axis of `size` texels.
FORGE_HD float texel(float coordinate, int size) {
  const float n = static_cast<float>(size);
  return ((coordinate + 1.f) * n - 1.f) / 2.f;
}

// The four taps of a point on one plane, as grid_sample reads them: zero outside. Offsets in texels; weight 0 where there is none.
struct Taps {
  std::int32_t offset[4];
  float weight[4];
};

FORGE_HD Taps plane_taps(const Field& f, int plane, const float* p) {
  float at[2];
  for (int i = 0; i < 2; ++i) {
    const float* axis = f.axes[plane][i];
    at[i] = axis[0] * (f.scale * p[0]) + axis[1] * (f.scale * p[1]) + axis[2] * (f.scale * p[2]);
  }
  const float x = texel(at[0], f.width), y = texel(at[1], f.height);
  Taps taps = {};
  if (!(x > -1.f && y > -1.f && x < static_cast<float>(f.width) && y < static_cast<float>(f.height))) return taps;  // also NaN
  const int column = static_cast<int>(floorf(x)), row = static_cast<int>(floorf(y));
  const float fx = x - static_cast<float>(column), fy = y - static_cast<float>(row);
  for (int i = 0; i < 4; ++i) {
    const int c = column + (i & 1), r = row + (i >> 1);
    if (c < 0 || c >= f.width || r < 0 || r >= f.height) continue;
    taps.offset[i] = r * f.width + c;
    taps.weight[i] = ((i & 1) != 0 ? fx : 1.f - fx) * ((i >> 1) != 0 ? fy : 1.f - fy);
  }
  return taps;
}

FORGE_HD float softplus(float x) { return x > 20.f ? x : log1pf(expf(x)); }
FORGE_HD float colour_of(float x) { return 1.f / (1.f + expf(-x)) * kColourScale - kColourShift; }

// Stratified depth k. A fixed range is torch.linspace, which counts from both ends; one of the box is start + (k / last) · span.
FORGE_HD float coarse_depth(const RenderArgs& a, float start, float end, int k, float u) {
  const float span = end - start, last = static_cast<float>(a.coarse - 1), step = span / last, from_start = static_cast<float>(k);
  float t;
  if (a.auto_range) t = start + from_start / last * span;
  else t = k < a.coarse / 2 ? fmaf(step, from_start, start) : fmaf(-step, last - from_start, end);
  return t + u * step;
}

// Opacity of the interval between two neighbours, §9.3: the density is averaged before the softplus.
FORGE_HD float interval_alpha(float t0, float t1, float density0, float density1) {
  return 1.f - expf(-softplus((density0 + density1) / 2.f - 1.f) * (t1 - t0));
}

// Unnormalised probability of bin k in [0, S - 3), §9.4: max- then average-pooled weights.
FORGE_HD float bin_mass(const float* weight, int k) {
  return 0.5f * (fmaxf(weight[k], weight[k + 1]) + fmaxf(weight[k + 1], weight[k + 2])) + kPdfBase + kPdfFloor;
}

// Depth at quantile u. cdf has count entries, bin i lies between the middles of coarse depths i, i + 1 and i + 1, i + 2.
FORGE_HD float fine_depth(const float* cdf, const float* depth, int count, float u) {
  int above = 0;
  while (above < count && cdf[above] <= u) ++above;
  const int low = above > 0 ? above - 1 : 0, high = above < count ? above : count - 1;
  float span = cdf[high] - cdf[low];
  if (span < 1e-5f) span = 1.f;
  const float from = 0.5f * (depth[low] + depth[low + 1]), to = 0.5f * (depth[high] + depth[high + 1]);
  return from + (u - cdf[low]) / span * (to - from);
}

constexpr std::uint32_t kCoarsePurpose = purpose_id("volume_render.coarse"), kFinePurpose = purpose_id("volume_render.fine");

// Draw k of `count` of a ray.
FORGE_HD float draw(const RenderArgs& a, bool fine, std::int64_t view, std::int64_t ray, int k) {
  const int count = fine ? a.fine : a.coarse;
  if (a.randomness == Randomness::midpoints) return fine ? (static_cast<float>(k) + 0.5f) / static_cast<float>(count) : 0.5f;
  const std::int64_t position = ray * count + k;
  if (a.randomness == Randomness::given) return (fine ? a.u_fine : a.u_coarse)[view * a.resolution * a.resolution * count + position];
  RandomKey key;
  key.seed = a.seed;
  key.index = a.index[view];
  key.purpose = fine ? kFinePurpose : kCoarsePurpose;
  return uniform_from_bits(philox_block(key, static_cast<std::uint32_t>(position / 4)).x[position % 4]);
}

// Pixels [top, bottom) x [left, right) of one view. The CPU paths work in small tiles: their rays read the same texels.
struct Tile {
  std::int64_t view;
  int top, left, bottom, right;
  Entries entries;  // for auto_range
};
// Renders a tile, depths not yet clamped, and returns the range of all its samples' depths.
using TileFn = Entries (*)(const RenderArgs&, const Tile&, const void* context);
// What the CPU paths share: tiles over threads, the ranges that span an image or the batch, the depth clamp.
void render_tiles(const RenderArgs& args, TileFn tile, const void* context);

// The depth clamp of §9.3 happens once the range of all depths is known; until then a ray without weight holds NaN.
FORGE_HD float settle_depth(float depth, const Entries& depths) {
  if (!(depth == depth)) return depths.most;
  return fminf(fmaxf(depth, depths.least), depths.most);
}

}  // namespace forge_rt::volume
