// Loading a generator; the levels are in identity.cpp, expression.cpp and view.cpp.
#include "forge_rt/models/generator.h"

#include <cmath>

#include "models/bundle_graphs.h"
#include "models/next3d/generator_impl.h"

namespace forge_rt {

void GeneratorOptions::validate() const {
  check_argument(threads >= 0 && threads <= 256, "threads must be 0 (as many as the engine) to 256, got ", threads);
  check_argument(!precision.empty(), "precision must be auto or a variant of the bundle, got ''");
}

void ExpressionOptions::validate() const {
  check_argument(planes == DType::f32 || planes == DType::f16, "planes are float32 or float16, got ", dtype_name(planes));
}

void ViewOptions::validate() const {
  check_argument(resolution >= 0 && resolution <= 4096, "resolution must be 0 (the bundle's) to 4096, got ", resolution);
  check_argument(depth_resolution >= 0 && depth_resolution <= 4096, "depth_resolution must be 0 (the features' own depth) to 4096, got ",
                 depth_resolution);
  check_argument(coarse >= 0, "coarse must be 0 (the bundle's) or more samples, got ", coarse);
  check_argument(fine >= -1, "fine must be -1 (the bundle's) or more samples, got ", fine);
  check_argument(randomness == Randomness::given || !(u_coarse.defined() || u_fine.defined()),
                 "u_coarse and u_fine are taken with randomness \"given\" only; ask for it, or leave them out");
  check_argument(depth_resolution == 0 || randomness != Randomness::given,
                 "depth_resolution is a rendering of its own, which u_coarse and u_fine do not serve; give a seed, or render the depth in "
                 "a second call with depth_only");
}

Generator::Impl::Impl(const Bundle& bundle, const GeneratorOptions& options) {
  options.validate();
  SessionOptions sessions{.device = Device::parse(options.device), .provider = options.provider, .intra_op_threads = options.threads};
  contract = next3d::read_generator_contract(bundle);
  path = bundle.path();
  hash = bundle.hash();
  precision = choose_precision(contract.variants, options.precision, path);
  const auto load = [&](const std::string& variant) { stages.emplace(bundle, contract, contract.variants.at(variant), sessions); };
  // fp16 pays on a GPU only, and whether there is one shows when the networks load.
  const bool try_half = options.precision == "auto" && sessions.device.is_cuda() && contract.variants.count("fp16") != 0;
  if (try_half) load("fp16");
  if (try_half && stages->device().is_cuda()) precision = "fp16";
  else load(precision);
  device = stages->device();
  if (device.is_cpu()) return;
  contract.w_avg = contract.w_avg.to(device);
  contract.decoder = contract.decoder.to(device);
  if (!contract.next3d) return;
  contract.mesh = contract.mesh.to(device);
  contract.uv_mask = contract.uv_mask.to(device);
}

void Generator::Impl::check_model(const std::string& model, const char* level) const {
  check_argument(model == hash, "the ", level, " must come from this generator's bundle ", path, ", it was made by ",
                 model.empty() ? "none" : "another, of hash " + model.substr(0, 12));
}

void Generator::Impl::check_level(const GeneratorIdentity& identity) const {
  check_model(identity.model, "identity");
  const GeneratorInfo& info = contract.info;
  const std::int64_t count = identity.size(), side = info.plane_resolution, height = contract.texture_resolution;
  expect(identity.ws, "the identity's ws", "[N, num_ws, w_dim]", DType::f32, {kAny, info.num_ws, info.w_dim});
  expect(identity.static_planes, "the identity's static_planes", "[N, 3 C, H, W]", DType::f32,
         {count, 3 * info.plane_channels, side, side});
  if (!contract.next3d) return;
  if (device.is_cpu())
    expect(identity.texture, "the identity's texture", "[N, h, w, T]", DType::f32, {count, height, height, contract.texture_channels});
  else expect(identity.texture, "the identity's texture", "[N, T, h, w]", DType::f32, {count, contract.texture_channels, height, height});
}

void Generator::Impl::check_level(const GeneratorHead& head) const {
  check_model(head.model, "head");
  const GeneratorInfo& info = contract.info;
  const std::int64_t side = info.plane_resolution;
  const DType dtype = head.planes.defined() && head.planes.dtype() == DType::f16 ? DType::f16 : DType::f32;
  expect(head.planes, "the head's planes", "[N, 3, H, W, C]", dtype, {kAny, 3, side, side, info.plane_channels});
  expect(head.style, "the head's style", "[N, w_dim]", DType::f32, {head.size(), info.w_dim});
}

Generator::Generator(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Generator::~Generator() = default;

std::shared_ptr<const Generator> Generator::load(const std::string& bundle, const GeneratorOptions& options) {
  return load(Bundle::open(bundle), options);
}

std::shared_ptr<const Generator> Generator::load(const Bundle& bundle, const GeneratorOptions& options) {
  return std::shared_ptr<const Generator>(new Generator(std::make_unique<const Impl>(bundle, options)));
}

GeneratorIdentity Generator::identity(const Tensor& z, const Tensor& conditioning, std::optional<double> psi,
                                      std::optional<int> cutoff) const {
  const GeneratorInfo& info = impl_->contract.info;
  return impl_->identity(z, conditioning, psi.value_or(info.psi), cutoff.value_or(info.cutoff));
}

GeneratorHead Generator::expression(const GeneratorIdentity& identity, const Tensor& vertices, const Tensor& landmarks,
                                    const ExpressionOptions& options) const {
  options.validate();
  impl_->check_level(identity);
  if (impl_->contract.next3d) return impl_->expression(identity, vertices, landmarks, options);
  check_argument(!vertices.defined() && !landmarks.defined(),
                 "EG3D's heads have no mesh and no expression: leave vertices and landmarks out");
  return impl_->without_expression(identity, options);
}

GeneratorView Generator::view(const GeneratorHead& head, const Tensor& cameras, const ViewOptions& options) const {
  options.validate();
  impl_->check_level(head);
  return impl_->view(head, cameras, options);
}

DensitySamples Generator::density(const GeneratorHead& head, const Tensor& points, const DensityOptions& options) const {
  impl_->check_level(head);
  return impl_->density(head, points, options);
}

const GeneratorInfo& Generator::info() const { return impl_->contract.info; }
const std::string& Generator::hash() const { return impl_->hash; }
const std::string& Generator::precision() const { return impl_->precision; }
Device Generator::device() const { return impl_->device; }
const std::string& Generator::provider() const { return impl_->stages->mapping.session().provider(); }
const std::string& Generator::provider_reason() const { return impl_->stages->mapping.session().provider_reason(); }

}  // namespace forge_rt
