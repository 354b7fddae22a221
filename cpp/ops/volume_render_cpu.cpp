// volume_render, scalar: the oracle and the fallback. One ray after the other, in the order and with the names of spec/next3d §8-9.
#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "../core/half.h"
#include "forge_rt/core/thread_pool.h"
#include "volume_render_table.h"

namespace forge_rt::volume {
namespace {

constexpr int kTileSide = 8;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Entries kNone{kInfinity, -kInfinity};

void include(Entries& range, const Entries& other) {
  range.least = std::min(range.least, other.least);
  range.most = std::max(range.most, other.most);
}

Entries box_entries(const RenderArgs& a, std::int64_t view) {
  Entries entries = kNone;
  for (int row = 0; row < a.resolution; ++row)
    for (int column = 0; column < a.resolution; ++column) {
      float start, end;
      if (box_range(camera_ray(a.cameras + 25 * view, row, column, a.resolution), a.box_half, start, end)) include(entries, {start, start});
    }
  return entries;
}

// One range for each view; of the whole batch when it is coupled.
void couple(const RenderArgs& a, std::vector<Entries>& ranges) {
  if (!a.batch_coupled) return;
  Entries all = kNone;
  for (const Entries& range : ranges) include(all, range);
  std::fill(ranges.begin(), ranges.end(), all);
}

}  // namespace

void render_tiles(const RenderArgs& a, TileFn render, const void* context) {
  std::vector<Entries> entries(static_cast<std::size_t>(a.views), kNone);
  if (a.auto_range) parallel_for(a.views, [&](std::int64_t view) { entries[static_cast<std::size_t>(view)] = box_entries(a, view); });
  couple(a, entries);

  const std::int64_t across = (a.resolution + kTileSide - 1) / kTileSide, tiles = across * across;
  std::vector<Entries> tile_depths(static_cast<std::size_t>(a.views * tiles));
  parallel_for(a.views * tiles, [&](std::int64_t i) {
    const std::int64_t view = i / tiles;
    const int top = static_cast<int>(i % tiles / across) * kTileSide, left = static_cast<int>(i % across) * kTileSide;
    const Tile tile{view,
                    top,
                    left,
                    std::min(top + kTileSide, a.resolution),
                    std::min(left + kTileSide, a.resolution),
                    entries[static_cast<std::size_t>(view)]};
    tile_depths[static_cast<std::size_t>(i)] = render(a, tile, context);
  });

  std::vector<Entries> depths(static_cast<std::size_t>(a.views), kNone);
  for (std::int64_t i = 0; i < a.views * tiles; ++i)
    include(depths[static_cast<std::size_t>(i / tiles)], tile_depths[static_cast<std::size_t>(i)]);
  couple(a, depths);
  const std::int64_t pixels = static_cast<std::int64_t>(a.resolution) * a.resolution;
  for (std::int64_t i = 0; i < a.views * pixels; ++i) a.depth[i] = settle_depth(a.depth[i], depths[static_cast<std::size_t>(i / pixels)]);
}

namespace {

struct Sample {
  float t, density;
  std::array<float, kMostColours> colour;
};

float plane_value(const Field& f, std::int64_t index) {
  return f.half ? half_to_float(static_cast<const std::uint16_t*>(f.planes)[index]) : static_cast<const float*>(f.planes)[index];
}

// Decoder at a point: density, and colours where the caller wants them.
float decode(const Field& f, std::int64_t row, const float* point, float* colour) {
  std::array<float, kMostChannels> feature{};
  const std::int64_t plane_size = static_cast<std::int64_t>(f.height) * f.width * f.channels;
  for (int plane = 0; plane < 3; ++plane) {
    const Taps taps = plane_taps(f, plane, point);
    for (int c = 0; c < f.channels; ++c) {
      float sum = 0.f;
      for (int i = 0; i < 4; ++i)
        if (taps.weight[i] != 0.f)
          sum += taps.weight[i] * plane_value(f, (row * 3 + plane) * plane_size + std::int64_t{taps.offset[i]} * f.channels + c);
      feature[static_cast<std::size_t>(c)] += sum;
    }
  }
  for (float& value : feature) value /= 3.f;

  std::array<float, kMostHidden> hidden;
  for (int h = 0; h < f.hidden; ++h) {
    float sum = f.bias0[h];
    for (int c = 0; c < f.channels; ++c) sum += f.weight0[h * f.channels + c] * feature[static_cast<std::size_t>(c)];
    hidden[static_cast<std::size_t>(h)] = softplus(sum);
  }
  const auto output = [&](int o) {
    float sum = f.bias1[o];
    for (int h = 0; h < f.hidden; ++h) sum += f.weight1[o * f.hidden + h] * hidden[static_cast<std::size_t>(h)];
    return sum;
  };
  if (colour != nullptr)
    for (int c = 0; c < f.colours; ++c) colour[c] = colour_of(output(1 + c));
  return output(0);
}

void decode_on_ray(const RenderArgs& a, std::int64_t view, const Ray& ray, Sample& sample) {
  float point[3];
  for (int i = 0; i < 3; ++i) point[i] = ray.origin[i] + sample.t * ray.direction[i];
  sample.density = decode(a.field, row_of(a, view), point, a.features != nullptr ? sample.colour.data() : nullptr);
}

std::vector<float> march(const std::vector<Sample>& samples) {
  std::vector<float> weights;
  float transmittance = 1.f;
  for (std::size_t k = 0; k + 1 < samples.size(); ++k) {
    const float alpha = interval_alpha(samples[k].t, samples[k + 1].t, samples[k].density, samples[k + 1].density);
    weights.push_back(alpha * transmittance);
    transmittance *= 1.f - alpha + kTransmittanceFloor;
  }
  return weights;
}

std::vector<float> bin_cdf(const std::vector<float>& weights) {
  const int bins = static_cast<int>(weights.size()) - 2;
  float total = 0.f, sum = 0.f;
  for (int k = 0; k < bins; ++k) total += bin_mass(weights.data(), k);
  std::vector<float> cdf{0.f};
  for (int k = 0; k < bins; ++k) cdf.push_back(sum += bin_mass(weights.data(), k) / total);
  return cdf;
}

// NaN counts as infinitely far, so that the order is one.
bool nearer(const Sample& a, const Sample& b) {
  const float ta = a.t == a.t ? a.t : kInfinity, tb = b.t == b.t ? b.t : kInfinity;
  return ta < tb;
}

Entries render_ray(const RenderArgs& a, const Tile& tile, int row, int column) {
  const std::int64_t pixel = static_cast<std::int64_t>(row) * a.resolution + column, view = tile.view;
  const std::int64_t pixels = static_cast<std::int64_t>(a.resolution) * a.resolution;
  const Ray ray = camera_ray(a.cameras + 25 * view, row, column, a.resolution);
  float start, end;
  ray_range(a, ray, tile.entries, start, end);

  std::vector<Sample> samples(static_cast<std::size_t>(a.coarse));
  for (int k = 0; k < a.coarse; ++k) {
    Sample& sample = samples[static_cast<std::size_t>(k)];
    sample.t = coarse_depth(a, start, end, k, draw(a, false, view, pixel, k));
    decode_on_ray(a, view, ray, sample);
  }
  if (a.fine > 0) {
    const std::vector<float> cdf = bin_cdf(march(samples));
    std::vector<float> depths;
    for (const Sample& sample : samples) depths.push_back(sample.t);
    for (int k = 0; k < a.fine; ++k) {
      Sample sample;
      sample.t = fine_depth(cdf.data(), depths.data(), static_cast<int>(cdf.size()), draw(a, true, view, pixel, k));
      decode_on_ray(a, view, ray, sample);
      samples.push_back(sample);
    }
    std::stable_sort(samples.begin(), samples.end(), nearer);
  }

  const std::vector<float> weights = march(samples);
  float weight_sum = 0.f, depth = 0.f;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    weight_sum += weights[k];
    depth += weights[k] * ((samples[k].t + samples[k + 1].t) / 2.f);
  }
  a.weight_sum[view * pixels + pixel] = weight_sum;
  a.depth[view * pixels + pixel] = depth / weight_sum;

  if (a.features != nullptr) {
    // The colour of an interval is the mean of its ends': sample k weighs half of the intervals on both sides.
    std::array<float, kMostColours> colour{};
    for (std::size_t k = 0; k < samples.size(); ++k) {
      const float before = k > 0 ? weights[k - 1] : 0.f, after = k < weights.size() ? weights[k] : 0.f;
      const float weight = (before + after) / 2.f;
      if (weight < a.skip_weight) continue;
      for (int c = 0; c < a.field.colours; ++c)
        colour[static_cast<std::size_t>(c)] += weight * samples[k].colour[static_cast<std::size_t>(c)];
    }
    for (int c = 0; c < a.field.colours; ++c) {
      float value = colour[static_cast<std::size_t>(c)];
      if (a.white_back) value += 1.f - weight_sum;
      a.features[(view * a.field.colours + c) * pixels + pixel] = 2.f * value - 1.f;
    }
  }

  Entries depths = kNone;
  for (const Sample& sample : samples) include(depths, {sample.t, sample.t});
  return depths;
}

Entries render_tile(const RenderArgs& a, const Tile& tile, const void*) {
  Entries depths = kNone;
  for (int row = tile.top; row < tile.bottom; ++row)
    for (int column = tile.left; column < tile.right; ++column) include(depths, render_ray(a, tile, row, column));
  return depths;
}

void render_scalar(const RenderArgs& a, Stream) { render_tiles(a, render_tile, nullptr); }

void density_scalar(const DensityArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      a.density[i] = decode(a.field, i / a.count, a.points + 3 * i, a.colour != nullptr ? a.colour + i * a.field.colours : nullptr);
  });
}

// To nearest, ties to even; beyond 65504 to infinity.
std::uint16_t to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value), sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
  if (rest > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u | (rest >> 13 & 0x3FFu));
  if (rest >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);
  if (rest < 0x38800000u) {  // subnormal: the adder rounds
    const float shifted = std::bit_cast<float>(rest) + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u));
  }
  return static_cast<std::uint16_t>(sign | ((rest - 0x38000000u + 0xFFFu + (rest >> 13 & 1u)) >> 13));
}

void layout_scalar(const LayoutArgs& a, Stream) {
  constexpr std::int64_t kRun = 64;  // texels whose channels stay in the cache
  const std::int64_t runs = (a.texels + kRun - 1) / kRun;
  parallel_for_ranges(a.images * runs, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t image = i / runs, first = i % runs * kRun, last = std::min(first + kRun, a.texels);
      for (std::int64_t c = 0; c < a.channels; ++c) {
        const float* in = a.planes + (image * a.channels + c) * a.texels;
        for (std::int64_t t = first; t < last; ++t) {
          const std::int64_t at = (image * a.texels + t) * a.channels + c;
          if (a.half) static_cast<std::uint16_t*>(a.out)[at] = to_half(in[t]);
          else static_cast<float*>(a.out)[at] = in[t];
        }
      }
    }
  });
}

const Register<RenderFn> registered_render(volume_render_table().scalar, render_scalar);
const Register<DensityFn> registered_density(sample_density_table().scalar, density_scalar);
const Register<LayoutFn> registered_layout(planes_from_nchw_table().scalar, layout_scalar);

}  // namespace
}  // namespace forge_rt::volume
