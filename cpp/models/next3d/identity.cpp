// (z, conditioning) → styles, neural texture, static planes (spec/next3d §3, §4).
#include <algorithm>
#include <cmath>

#include "models/next3d/generator_impl.h"

namespace forge_rt {

using namespace next3d;

namespace {

constexpr const char* kPurpose = "generator identity";
constexpr double kMostPsi = 100;  // as in bundles; beyond it styles overflow before pictures mean anything

/// [N, C, H, W] → rows of [M, H, W, C], which samples several times faster.
void channels_last(const Tensor& from, Tensor to) {
  const std::int64_t channels = from.size(1), pixels = from.size(2) * from.size(3), rows = from.size(2);
  const float* in = from.data<float>();
  float* out = to.mutable_data<float>();
  parallel_for(from.size(0) * rows, [&](std::int64_t i) {
    const std::int64_t width = pixels / rows, begin = i % rows * width, sample = i / rows * channels * pixels;
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t p = begin; p < begin + width; ++p) out[sample + p * channels + c] = in[sample + c * pixels + p];
  });
}

}  // namespace

void Generator::Impl::truncate(Tensor& ws, float psi, int cutoff) const {
  if (psi == 1.f) return;
  // A few thousand numbers: on the host, whatever the device.
  Tensor values = move_to(ws, {});
  const Tensor average = move_to(contract.w_avg, {});
  const std::int64_t styles = ws.size(1), width = ws.size(2);
  for (std::int64_t i = 0; i < ws.count(); ++i) {
    if (i / width % styles >= cutoff) continue;
    const float mean = average.data<float>()[i % width];
    float& w = values.mutable_data<float>()[i];
    w = mean + psi * (w - mean);
  }
  ws = move_to(values, device);
}

GeneratorIdentity Generator::Impl::identity(const Tensor& z, const Tensor& conditioning, double psi, int cutoff) const {
  const GeneratorInfo& info = contract.info;
  expect(z, "z", "[N, z_dim]", DType::f32, {kAny, info.z_dim});
  check_finite_rows(z, "z");
  check_argument(std::abs(psi) <= kMostPsi, "psi must be finite, -", kMostPsi, "..", kMostPsi, ", got ", psi);
  check_argument(cutoff >= 0, "cutoff must be 0 or more style vectors, got ", cutoff);
  const std::int64_t count = z.size(0);
  check_argument(conditioning.defined() || info.conditioning != "view",
                 "this bundle is conditioned on the camera that is rendered: pass it as conditioning, or info().frontal for a fixed one");
  Tensor cameras = conditioning;
  if (!cameras.defined()) cameras = Tensor::from(std::vector<float>(info.frontal.begin(), info.frontal.end()), {1, 25});
  expect(cameras, "conditioning", "[N or 1, 25]", DType::f32, {kAny, 25});
  check_argument(cameras.size(0) == count || cameras.size(0) == 1, "conditioning must have ", count, " or 1 cameras, got ",
                 cameras.size(0));
  check_finite_rows(cameras, "conditioning");

  const Tensor latents = move_to(z, device);
  const Tensor one = move_to(cameras, device);
  Tensor labels = one;
  if (one.size(0) != count) {
    labels = Tensor::empty({count, 25}, DType::f32, device, kPurpose);
    for (std::int64_t i = 0; i < count; ++i)
      copy_bytes(labels.slice(i, i + 1).mutable_raw(), device, one.raw(), device, one.bytes(), stream());
  }

  GeneratorIdentity out;
  out.model = hash;
  out.ws = Tensor::empty({count, info.num_ws, info.w_dim}, DType::f32, device, kPurpose);
  stages->mapping.run({{"z", latents}, {"c", labels}}, out.ws);
  truncate(out.ws, static_cast<float>(psi), cutoff);

  const std::int64_t side = info.plane_resolution;
  out.static_planes = Tensor::empty({count, 3 * info.plane_channels, side, side}, DType::f32, device, kPurpose);
  const std::int64_t height = contract.texture_resolution, channels = contract.texture_channels;
  if (contract.next3d)
    out.texture = Tensor::empty(device.is_cpu() ? Shape{count, height, height, channels} : Shape{count, channels, height, height},
                                DType::f32, device, kPurpose);
  for (std::int64_t begin = 0, end; begin < count; begin = end) {
    end = std::min(count, begin + samples_at_once());
    std::vector<std::int64_t> rows;
    for (std::int64_t i = begin; i < end; ++i) rows.push_back(i);
    Tensor planes = out.static_planes.slice(begin, end);
    const Tensor styles = take_styles(out.ws, rows, 0, info.num_static_ws);
    stages->statics.run({{"ws", styles}}, planes);
    if (!contract.next3d) continue;
    const Tensor texture_styles = take_styles(out.ws, rows, info.num_static_ws, info.num_ws);
    Tensor texture = out.texture.slice(begin, end);
    if (device.is_cuda()) {
      stages->texture->run({{"ws", texture_styles}}, texture);
      continue;
    }
    Tensor made = Tensor::empty({end - begin, channels, height, height}, DType::f32, device, kPurpose);
    stages->texture->run({{"ws", texture_styles}}, made);
    channels_last(made, texture);
  }
  out.ws = frozen(out.ws);
  out.static_planes = frozen(out.static_planes);
  if (contract.next3d) out.texture = frozen(out.texture);
  return out;
}

}  // namespace forge_rt
