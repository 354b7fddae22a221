// (head, camera) → image and depth (spec/next3d §8-11): volume rendering, super-resolution. (head, points) → density (§19).
#include <algorithm>
#include <cmath>

#include "models/next3d/generator_impl.h"

namespace forge_rt {

using namespace next3d;

namespace {

constexpr const char* kPurpose = "generator view";

VolumeRenderOptions render_options(const GeneratorContract& contract, const ViewOptions& options) {
  VolumeRenderOptions out;
  out.resolution = options.resolution > 0 ? options.resolution : contract.info.resolution;
  out.coarse = options.coarse > 0 ? options.coarse : contract.info.coarse;
  out.fine = options.fine >= 0 ? options.fine : contract.info.fine;
  out.auto_range = contract.auto_range;
  if (!contract.auto_range) {
    out.ray_start = contract.ray_start;
    out.ray_end = contract.ray_end;
  }
  out.white_back = contract.white_back;
  out.randomness = options.randomness;
  out.seed = options.seed;
  out.depth_only = options.depth_only;
  out.skip_weight = options.skip_weight;
  return out;  // batch_coupled stays off: the published clamp over the batch is that of a batch of one image
}

Tensor rows_or_none(const Tensor& tensor, std::int64_t begin, std::int64_t end) {
  return tensor.defined() ? tensor.slice(begin, end) : Tensor{};
}

/// Views [begin, end) of all; random numbers and rows among them.
RenderViews part(const RenderViews& views, std::int64_t begin, std::int64_t end) {
  return {views.cameras.slice(begin, end), views.rows.slice(begin, end), rows_or_none(views.u_coarse, begin, end),
          rows_or_none(views.u_fine, begin, end), rows_or_none(views.index, begin, end)};
}

/// Ray length → camera z in metres. The ray of a pixel is (x, y, 1) in camera axes (spec §9.1).
Tensor camera_depth_m(const Tensor& depth, const Tensor& cameras, double world_scale) {
  const Tensor lengths = move_to(depth, {}), labels = move_to(cameras, {});
  Tensor out = Tensor::empty(depth.shape(), DType::f32, {}, kPurpose);
  const std::int64_t side = depth.size(2);
  const float* in = lengths.data<float>();
  float* z = out.mutable_data<float>();
  parallel_for(depth.size(0) * side, [&](std::int64_t line) {
    const float* k = labels.data<float>() + line / side * 25 + 16;
    const double fx = k[0], skew = k[1], cx = k[2], fy = k[4], cy = k[5],
                 v = (static_cast<double>(line % side) + 0.5) / static_cast<double>(side);
    const double y = (v - cy) / fy;
    for (std::int64_t j = 0; j < side; ++j) {
      const double u = (static_cast<double>(j) + 0.5) / static_cast<double>(side);
      const double x = (u - cx + cy * skew / fy - skew * v / fy) / fx;
      z[line * side + j] = static_cast<float>(in[line * side + j] / (std::sqrt(x * x + y * y + 1) * world_scale));
    }
  });
  return out;
}

}  // namespace

GeneratorView Generator::Impl::view(const GeneratorHead& head, const Tensor& cameras, const ViewOptions& options) const {
  const GeneratorInfo& info = contract.info;
  expect(cameras, "cameras", "[M, 25]", DType::f32, {kAny, 25});
  const std::int64_t count = cameras.size(0);
  const std::vector<std::int64_t> rows = read_rows(options.rows, count, head.size(), "views", "heads");
  const VolumeRenderOptions render = render_options(contract, options);
  render.validate();
  if (options.randomness == Randomness::seeded) {
    check_argument(options.index.defined(), "seeded views need `index` [M], the sample index of each");
    expect(options.index, "index", "[M]", DType::u64, {count});
  }

  // Sides of the features that super-resolution takes.
  const int side = render.resolution;
  const bool as_they_are = contract.sr_larger_as_they_are && side > contract.sr_input;
  const int sr_side = as_they_are ? side : contract.sr_input;
  if (!options.depth_only) {
    const std::int64_t takes = stages->super_resolution.axis("features", 2);
    check(takes < 0 || takes == sr_side, ErrorCode::unsupported, "the super-resolution of this bundle takes features of ", takes,
          "², a resolution of ", side, " gives ", sr_side, "²; ask for a resolution of ", takes);
    check(contract.sr_antialias || side <= sr_side, ErrorCode::unsupported,
          "this model's features are made smaller without antialiasing, which is not supported; ask for a resolution of at most ", sr_side);
  }

  RenderViews views;
  {
    std::vector<std::int32_t> ids(rows.begin(), rows.end());
    views.rows = move_to(Tensor::from(ids, {count}), device);
  }
  views.cameras = move_to(cameras, device);
  check_finite_rows(cameras, "cameras");
  if (options.u_coarse.defined()) views.u_coarse = move_to(options.u_coarse, device);
  if (options.u_fine.defined()) views.u_fine = move_to(options.u_fine, device);
  if (options.index.defined() && options.randomness == Randomness::seeded) views.index = move_to(options.index, device);
  if (options.randomness == Randomness::given) {
    const std::int64_t rays = static_cast<std::int64_t>(side) * side;
    check_argument(views.u_coarse.defined() && (render.fine == 0 || views.u_fine.defined()),
                   "given random numbers need u_coarse [M, R, coarse] and u_fine [M, R, fine]");
    expect(views.u_coarse, "u_coarse", "[M, R, coarse]", DType::f32, {count, rays, render.coarse});
    if (render.fine > 0) expect(views.u_fine, "u_fine", "[M, R, fine]", DType::f32, {count, rays, render.fine});
  }
  const TriPlanes planes{head.planes, contract.axes, contract.box_warp};

  GeneratorView out;
  const auto make = [&](Shape shape) { return Tensor::empty(std::move(shape), DType::f32, device, kPurpose); };
  const int depth_side = options.depth_resolution > 0 ? options.depth_resolution : side;
  out.depth = make({count, 1, depth_side, depth_side});
  out.weight_sum = make({count, 1, depth_side, depth_side});
  if (options.depth_resolution > 0 || options.depth_only) {
    VolumeRenderOptions own = render;
    own.depth_only = true;
    own.resolution = depth_side;
    if (options.depth_resolution > 0) own.seed ^= std::uint64_t{1} << 63;  // other samples than the image's
    VolumeRenderOutput whole{{}, out.depth, out.weight_sum};
    volume_render_into(whole, planes, contract.decoder, views, own, stream());
  }
  if (!options.depth_only) {
    const int image_side = sr_side * (info.image_size / contract.sr_input);
    out.image = make({count, 3, image_side, image_side});
    out.image_raw = make({count, 3, side, side});
    if (options.features) out.features = make({count, info.features, side, side});
    for (std::int64_t begin = 0, end; begin < count; begin = end) {
      end = std::min(count, begin + samples_at_once());
      VolumeRenderOutput some;
      if (options.features) some.features = out.features.slice(begin, end);
      if (options.depth_resolution == 0) {
        some.depth = out.depth.slice(begin, end);
        some.weight_sum = out.weight_sum.slice(begin, end);
      }
      volume_render_into(some, planes, contract.decoder, part(views, begin, end), render, stream());
      for (std::int64_t v = begin; v < end; ++v) {
        const Tensor from = some.features.slice(v - begin, v - begin + 1);
        Tensor raw = out.image_raw.slice(v, v + 1);
        copy_bytes(raw.mutable_raw(), device, from.raw(), device, raw.bytes(), stream());
      }
      const Tensor features = side == sr_side ? some.features : resize_antialias(some.features, {sr_side, sr_side}, stream());
      std::vector<std::int64_t> those(rows.begin() + begin, rows.begin() + end);
      const Tensor styles = take_styles(head.style.reshape({head.size(), 1, info.w_dim}), those, 0, 1).reshape({end - begin, info.w_dim});
      Tensor image = out.image.slice(begin, end);
      stages->super_resolution.run({{"features", features}, {"ws", styles}}, image);
    }
  }
  out.depth_m = camera_depth_m(out.depth, cameras, info.world.scale);
  return out;
}

DensitySamples Generator::Impl::density(const GeneratorHead& head, const Tensor& points, const DensityOptions& options) const {
  expect(points, "points", "[M, P, 3]", DType::f32, {kAny, kAny, 3});
  const std::int64_t count = points.size(0), each = points.size(1);
  const std::vector<std::int64_t> rows = read_rows(options.rows, count, head.size(), "sets of points", "heads");
  check_finite_rows(points, "points");
  const Tensor planes = take_rows(head.planes, rows);
  const bool shared = planes.size(0) == 1 && count > 1;  // one head: its points are one long list
  const Tensor at = move_to(points, device);
  DensitySamples out = sample_density({planes, contract.axes, contract.box_warp}, contract.decoder,
                                      shared ? at.reshape({1, count * each, 3}) : at, options.colour, stream());
  if (shared) {
    out.density = out.density.reshape({count, each});
    if (options.colour) out.colour = out.colour.reshape({count, each, out.colour.size(2)});
  }
  return out;
}

Tensor to_rgb8(const Tensor& image) {
  expect(image, "image", "[M, 3, H, W]", DType::f32, {kAny, 3, kAny, kAny});
  const Tensor from = move_to(image, {});
  const std::int64_t height = from.size(2), width = from.size(3), pixels = height * width;
  Tensor out = Tensor::empty({from.size(0), height, width, 3}, DType::u8, {}, "images");
  const float* in = from.data<float>();
  std::uint8_t* bytes = out.mutable_data<std::uint8_t>();
  parallel_for(from.size(0) * height, [&](std::int64_t line) {
    const std::int64_t sample = line / height, begin = line % height * width;
    for (std::int64_t p = begin; p < begin + width; ++p)
      for (std::int64_t c = 0; c < 3; ++c) {
        const float value = in[(sample * 3 + c) * pixels + p] * 127.5f + 128.f;
        bytes[(sample * pixels + p) * 3 + c] = static_cast<std::uint8_t>(value > 0.f ? std::min(value, 255.f) : 0.f);  // NaN: 0
      }
  });
  return out;
}

}  // namespace forge_rt
