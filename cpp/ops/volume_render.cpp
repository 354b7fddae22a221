// volume_render, sample_density, prepare_decoder, planes_from_nchw: check inputs, allocate outputs, dispatch to the device.
#include "forge_rt/ops/volume_render.h"

#include <cmath>

#include "volume_render_table.h"

namespace forge_rt {
namespace volume {

OpTable<RenderFn>& volume_render_table() {
  static OpTable<RenderFn> table{"volume_render"};
  return table;
}

OpTable<DensityFn>& sample_density_table() {
  static OpTable<DensityFn> table{"sample_density"};
  return table;
}

OpTable<LayoutFn>& planes_from_nchw_table() {
  static OpTable<LayoutFn> table{"planes_from_nchw"};
  return table;
}

namespace {

constexpr int kLargestResolution = 4096, kLargestPlane = 8192;

// Columns 0 and 1 of the inverse: what turns a point into plane coordinates.
void invert_axes(const PlaneAxes& matrices, float (&axes)[3][2][3]) {
  for (int plane = 0; plane < 3; ++plane) {
    const auto m = [&](int i, int j) {
      return static_cast<double>(matrices[static_cast<std::size_t>(plane)][static_cast<std::size_t>(3 * (i % 3) + j % 3)]);
    };
    const auto cofactor = [&](int i, int j) { return m(i + 1, j + 1) * m(i + 2, j + 2) - m(i + 1, j + 2) * m(i + 2, j + 1); };
    const double determinant = m(0, 0) * cofactor(0, 0) + m(0, 1) * cofactor(0, 1) + m(0, 2) * cofactor(0, 2);
    check_argument(std::isfinite(determinant) && std::abs(determinant) > 1e-9, "axes of plane ", plane,
                   " must be an invertible matrix, its determinant is ", determinant);
    for (int j = 0; j < 2; ++j)
      for (int i = 0; i < 3; ++i) axes[plane][j][i] = static_cast<float>(cofactor(j, i) / determinant) + 0.f;  // no negative zeros
  }
}

Field make_field(const TriPlanes& planes, const TriPlaneDecoder& decoder) {
  const Tensor& p = planes.planes;
  const DType dtype = p.defined() && p.dtype() == DType::f16 ? DType::f16 : DType::f32;
  expect(p, "planes", "[B, 3, H, W, C]", dtype, {kAny, 3, kAny, kAny, kAny});
  check_argument(p.size(2) >= 1 && p.size(2) <= kLargestPlane && p.size(3) >= 1 && p.size(3) <= kLargestPlane,
                 "sides of planes must be 1..", kLargestPlane, " texels, got ", shape_str(p.shape()));
  check_argument(p.size(2) * p.size(3) * p.size(4) < (std::int64_t{1} << 31), "one plane must have less than 2^31 values, got ",
                 shape_str(p.shape()));
  check_argument(decoder.weights.defined(), "the decoder is empty: make it with prepare_decoder");
  check_argument(p.size(4) == decoder.channels, "planes have ", p.size(4), " channels, the decoder takes ", decoder.channels,
                 "; planes are channels-last, see planes_from_nchw");
  check_argument(decoder.weights.device() == p.device(), "planes are on ", p.device().str(), ", the decoder on ",
                 decoder.weights.device().str());
  check_argument(std::isfinite(planes.box_warp) && planes.box_warp > 0.f, "box_warp must be finite and > 0, got ", planes.box_warp);
  Field field{};
  field.planes = p.raw();
  field.half = dtype == DType::f16;
  field.height = static_cast<int>(p.size(2));
  field.width = static_cast<int>(p.size(3));
  field.channels = decoder.channels;
  field.hidden = decoder.hidden;
  field.colours = decoder.colours;
  field.scale = 2.f / planes.box_warp;
  invert_axes(planes.axes, field.axes);
  field.weight0 = decoder.weights.data<float>();
  field.bias0 = field.weight0 + static_cast<std::int64_t>(field.hidden) * field.channels;
  field.weight1 = field.bias0 + field.hidden;
  field.bias1 = field.weight1 + static_cast<std::int64_t>(1 + field.colours) * field.hidden;
  return field;
}

void reuse_or_allocate(Tensor& tensor, Shape shape, Device device, const char* purpose) {
  const bool fits = tensor.defined() && tensor.shape() == shape && tensor.dtype() == DType::f32 && tensor.device() == device &&
                    tensor.is_contiguous() && !tensor.read_only();
  if (!fits) tensor = Tensor::empty(std::move(shape), DType::f32, device, purpose);
}

void check_cameras(const Tensor& cameras) {
  if (!cameras.device().is_cpu()) return;  // reading back would synchronise
  const float* values = cameras.data<float>();
  for (std::int64_t i = 0; i < cameras.count(); ++i)
    check_argument(std::isfinite(values[i]), "cameras[", i / 25, "] holds ", values[i], " at position ", i % 25, "; it must be finite");
  for (std::int64_t v = 0; v < cameras.size(0); ++v)
    check_argument(values[25 * v + 16] != 0.f && values[25 * v + 20] != 0.f, "cameras[", v,
                   "] has focal length 0; its last nine numbers are intrinsics in image sizes, [[f, 0, 0.5], [0, f, 0.5], [0, 0, 1]]");
}

void check_rows(const RenderViews& views, std::int64_t batch) {
  const std::int64_t count = views.cameras.size(0);
  if (!views.rows.defined()) {
    check_argument(batch == 1 || batch == count, count, " views of ", batch, " rows of planes need `rows`: which row each view looks at");
    return;
  }
  expect(views.rows, "rows", "[V]", DType::i32, {count});
  if (!views.rows.device().is_cpu()) return;
  for (std::int64_t v = 0; v < count; ++v) {
    const std::int32_t row = views.rows.data<std::int32_t>()[v];
    check_argument(row >= 0 && row < batch, "rows[", v, "] is ", row, ", but planes have ", batch, " rows");
  }
}

/// A number beyond 0..1 would place a sample outside of its ray, NaN anywhere.
void check_uniform(const Tensor& draws, const char* name) {
  if (!draws.device().is_cpu() || draws.count() == 0) return;
  const Tensor values = draws.contiguous();
  const float* u = values.data<float>();
  const std::int64_t view = values.count() / values.size(0);
  for (std::int64_t i = 0; i < values.count(); ++i) {
    if (u[i] >= 0.f && u[i] <= 1.f) continue;
    throw Error(ErrorCode::invalid_argument, concat(name, "[", i / view, "] holds ", u[i], "; every random number must be in 0..1"));
  }
}

void check_draws(const RenderViews& views, const VolumeRenderOptions& options) {
  const std::int64_t count = views.cameras.size(0), rays = static_cast<std::int64_t>(options.resolution) * options.resolution;
  if (options.randomness == Randomness::given) {
    check_argument(views.u_coarse.defined() && (options.fine == 0 || views.u_fine.defined()),
                   "Randomness::given needs u_coarse [V, R, coarse] and u_fine [V, R, fine]");
    expect(views.u_coarse, "u_coarse", "[V, R, coarse]", DType::f32, {count, rays, options.coarse});
    check_uniform(views.u_coarse, "u_coarse");
    if (options.fine == 0) return;
    expect(views.u_fine, "u_fine", "[V, R, fine]", DType::f32, {count, rays, options.fine});
    check_uniform(views.u_fine, "u_fine");
  }
  if (options.randomness == Randomness::seeded) {
    check_argument(views.index.defined(), "Randomness::seeded needs `index`, the sample index of each view");
    expect(views.index, "index", "[V]", DType::u64, {count});
    if (views.index.device().is_cpu())
      for (std::int64_t v = 0; v < count; ++v)
        check_argument(views.index.data<std::uint64_t>()[v] < (std::uint64_t{1} << 48), "sample index must be < 2^48, got ",
                       views.index.data<std::uint64_t>()[v]);
  }
}

}  // namespace
}  // namespace volume

using namespace volume;

void VolumeRenderOptions::validate() const {
  check_argument(resolution >= 1 && resolution <= kLargestResolution, "resolution must be 1..", kLargestResolution, ", got ", resolution);
  check_argument(fine >= 0 && fine <= kMostSamples, "fine must be 0..", kMostSamples, " samples, got ", fine);
  const int least = fine > 0 ? 4 : 2;
  check_argument(coarse >= least && coarse <= kMostSamples, "coarse must be ", least, "..", kMostSamples, " samples with fine = ", fine,
                 ", got ", coarse);
  check_argument(auto_range || (std::isfinite(ray_start) && std::isfinite(ray_end) && ray_start < ray_end),
                 "ray_start must be less than ray_end, got ", ray_start, " and ", ray_end);
  check_argument(skip_weight >= 0.f && skip_weight < 1.f, "skip_weight must be 0..1, got ", skip_weight);
}

TriPlaneDecoder TriPlaneDecoder::to(Device device) const { return {weights.to(device), channels, hidden, colours}; }

TriPlaneDecoder prepare_decoder(const DecoderArrays& arrays) {
  expect(arrays.weight0, "weight0", "[hidden, C]", DType::f32, {kAny, kAny});
  const std::int64_t hidden = arrays.weight0.size(0), channels = arrays.weight0.size(1);
  expect(arrays.weight1, "weight1", "[1 + colours, hidden]", DType::f32, {kAny, hidden});
  const std::int64_t outputs = arrays.weight1.size(0);
  expect(arrays.bias0, "bias0", "[hidden]", DType::f32, {hidden});
  expect(arrays.bias1, "bias1", "[1 + colours]", DType::f32, {outputs});
  check_argument(channels >= 8 && channels <= kMostChannels && channels % 8 == 0, "the decoder must take 8, 16, …, ", kMostChannels,
                 " channels, weight0 has ", channels, " columns");
  check_argument(hidden >= 8 && hidden <= kMostHidden && hidden % 8 == 0, "the decoder must have 8, 16, …, ", kMostHidden,
                 " hidden values, weight0 has ", hidden, " rows");
  check_argument(outputs >= 2 && outputs <= 1 + kMostColours, "the decoder must have a density and 1..", kMostColours,
                 " colours, weight1 has ", outputs, " rows");
  const bool raw = !arrays.gains_folded;
  TriPlaneDecoder decoder{Tensor::empty({hidden * channels + hidden + outputs * hidden + outputs}, DType::f32, {}, "decoder"),
                          static_cast<int>(channels), static_cast<int>(hidden), static_cast<int>(outputs - 1)};
  float* out = decoder.weights.mutable_data<float>();
  const auto append = [&](const Tensor& values, std::int64_t inputs) {
    check_argument(values.device().is_cpu(), "prepare_decoder reads arrays on the CPU, got one on ", values.device().str());
    const double gain = raw ? arrays.lr_multiplier / std::sqrt(static_cast<double>(inputs)) : 1.0;
    for (std::int64_t i = 0; i < values.count(); ++i) *out++ = values.data<float>()[i] * static_cast<float>(gain);
  };
  append(arrays.weight0, channels);
  append(arrays.bias0, 1);
  append(arrays.weight1, hidden);
  append(arrays.bias1, 1);
  return decoder;
}

Tensor planes_from_nchw(const Tensor& planes, DType dtype, Stream stream) {
  expect(planes, "planes", "[B, 3 C, H, W]", DType::f32, {kAny, kAny, kAny, kAny});
  check_argument(planes.size(1) % 3 == 0, "planes must have 3 C channels on axis 1, got ", planes.size(1));
  check_argument(dtype == DType::f32 || dtype == DType::f16, "planes are float32 or float16, got ", dtype_name(dtype));
  const std::int64_t channels = planes.size(1) / 3;
  Tensor out = Tensor::empty({planes.size(0), 3, planes.size(2), planes.size(3), channels}, dtype, planes.device(), "tri-planes");
  if (out.count() == 0) return out;
  planes_from_nchw_table().select(planes.device())(
      {planes.data<float>(), out.mutable_raw(), planes.size(0) * 3, channels, planes.size(2) * planes.size(3), dtype == DType::f16},
      stream);
  return out;
}

VolumeRenderOutput volume_render(const TriPlanes& planes, const TriPlaneDecoder& decoder, const RenderViews& views,
                                 const VolumeRenderOptions& options, Stream stream) {
  VolumeRenderOutput output;
  volume_render_into(output, planes, decoder, views, options, stream);
  return output;
}

void volume_render_into(VolumeRenderOutput& output, const TriPlanes& planes, const TriPlaneDecoder& decoder, const RenderViews& views,
                        const VolumeRenderOptions& options, Stream stream) {
  options.validate();
  const Field field = make_field(planes, decoder);
  expect(views.cameras, "cameras", "[V, 25]", DType::f32, {kAny, 25});
  const Device device = planes.planes.device();
  for (const Tensor* t : {&views.cameras, &views.rows, &views.u_coarse, &views.u_fine, &views.index})
    check_argument(!t->defined() || t->device() == device, "all tensors of volume_render must be on one device, got ", t->device().str(),
                   " and ", device.str());
  check_cameras(views.cameras);
  check_rows(views, planes.planes.size(0));
  check_draws(views, options);

  const std::int64_t count = views.cameras.size(0), side = options.resolution;
  if (options.depth_only) output.features = {};
  else reuse_or_allocate(output.features, {count, field.colours, side, side}, device, "rendered features");
  reuse_or_allocate(output.depth, {count, 1, side, side}, device, "rendered depth");
  reuse_or_allocate(output.weight_sum, {count, 1, side, side}, device, "rendered opacity");
  if (count == 0) return;

  const bool given = options.randomness == Randomness::given;
  RenderArgs args{};
  args.field = field;
  args.views = count;
  args.cameras = views.cameras.data<float>();
  args.rows = views.rows.defined() ? views.rows.data<std::int32_t>() : nullptr;
  args.one_row = planes.planes.size(0) == 1;
  args.u_coarse = given ? views.u_coarse.data<float>() : nullptr;
  args.u_fine = given && options.fine > 0 ? views.u_fine.data<float>() : nullptr;
  args.index = options.randomness == Randomness::seeded ? views.index.data<std::uint64_t>() : nullptr;
  args.seed = options.seed;
  args.randomness = options.randomness;
  args.resolution = options.resolution;
  args.coarse = options.coarse;
  args.fine = options.fine;
  args.start = options.ray_start;
  args.end = options.ray_end;
  args.box_half = planes.box_warp / 2.f;
  args.auto_range = options.auto_range;
  args.batch_coupled = options.batch_coupled;
  args.white_back = options.white_back;
  args.skip_weight = options.skip_weight;
  args.features = options.depth_only ? nullptr : output.features.mutable_data<float>();
  args.depth = output.depth.mutable_data<float>();
  args.weight_sum = output.weight_sum.mutable_data<float>();
  volume_render_table().select(device)(args, stream);
}

DensitySamples sample_density(const TriPlanes& planes, const TriPlaneDecoder& decoder, const Tensor& points, bool want_colour,
                              Stream stream) {
  const Field field = make_field(planes, decoder);
  expect(points, "points", "[B, N, 3]", DType::f32, {planes.planes.size(0), kAny, 3});
  const Device device = planes.planes.device();
  check_argument(points.device() == device, "planes are on ", device.str(), ", points on ", points.device().str());
  DensitySamples out;
  out.density = Tensor::empty({points.size(0), points.size(1)}, DType::f32, device, "densities");
  if (want_colour) out.colour = Tensor::empty({points.size(0), points.size(1), field.colours}, DType::f32, device, "colours");
  if (out.density.count() == 0) return out;
  const DensityArgs args{field,
                         points.data<float>(),
                         points.size(0),
                         points.size(1),
                         out.density.mutable_data<float>(),
                         want_colour ? out.colour.mutable_data<float>() : nullptr};
  sample_density_table().select(device)(args, stream);
  return out;
}

}  // namespace forge_rt
