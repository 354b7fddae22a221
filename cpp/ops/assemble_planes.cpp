// assemble_planes: check inputs, dispatch; with its scalar oracle.
#include "forge_rt/ops/assemble_planes.h"

#include "assemble_planes_table.h"
#include "forge_rt/core/thread_pool.h"

namespace forge_rt {
namespace planes {

OpTable<AssembleFn>& assemble_table() {
  static OpTable<AssembleFn> table{"assemble_planes"};
  return table;
}

namespace {

void assemble_scalar(const AssembleArgs& a, Stream) {
  parallel_for_ranges(a.batch * a.count * a.pixels, 4096 / a.channels + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t p = i % a.pixels, b = i / a.pixels / a.count;
      const int plane = static_cast<int>(i / a.pixels % a.count);
      for (std::int64_t c = 0; c < a.channels; ++c)
        store_value(a, ((b * kPlanes + plane) * a.pixels + p) * a.channels + c, plane_value(a, b, plane, c, p));
    }
  });
}

const Register<AssembleFn> registered(assemble_table().scalar, assemble_scalar);

struct Sizes {
  std::int64_t batch, channels, height, width;
};

// The dynamic planes name the sizes; the static ones must agree.
Sizes sizes_of(const PlaneInputs& inputs) {
  expect(inputs.front, "front", "[B, C, H, W]", DType::f32, {kAny, kAny, kAny, kAny});
  return {inputs.front.size(0), inputs.front.size(1), inputs.front.size(2), inputs.front.size(3)};
}

void check_dynamic(const Tensor& content, const Tensor& alpha, const char* name, const char* alpha_name, const Sizes& s, Device device) {
  expect(content, name, "[B, C, H, W] of the front's shape", DType::f32, {s.batch, s.channels, s.height, s.width});
  expect(alpha, alpha_name, "[B, 1, H, W] of the front's size", DType::f32, {s.batch, 1, s.height, s.width});
  for (const Tensor* t : {&content, &alpha})
    check_argument(t->device() == device, "inputs of assemble_planes must be on one device, got ", t->device().str(), " and ",
                   device.str());
}

void check_statics(const Tensor& statics, const Sizes& s, Device device) {
  const bool shaped = statics.defined() && statics.dtype() == DType::f32 && statics.is_contiguous() &&
                      ((statics.rank() == 5 && statics.size(1) == kPlanes && statics.size(2) == s.channels) ||
                       (statics.rank() == 4 && statics.size(1) == kPlanes * s.channels)) &&
                      statics.size(-2) == s.height && statics.size(-1) == s.width && (statics.size(0) == s.batch || statics.size(0) == 1);
  check_argument(shaped, "statics must be [", s.batch, " or 1, 3, ", s.channels, ", ", s.height, ", ", s.width, "] or [", s.batch,
                 " or 1, ", kPlanes * s.channels, ", ", s.height, ", ", s.width, "] float32, got ",
                 statics.defined() ? statics.str() : "nothing");
  check_argument(statics.device() == device, "inputs of assemble_planes must be on one device, got ", statics.device().str(), " and ",
                 device.str());
}

}  // namespace
}  // namespace planes

void AssembleOptions::validate() const {
  check_argument(dtype == DType::f32 || dtype == DType::f16, "planes are float32 or float16, got ", dtype_name(dtype));
}

Tensor assemble_planes(const PlaneInputs& inputs, const AssembleOptions& options, Stream stream) {
  options.validate();
  const auto s = planes::sizes_of(inputs);
  Tensor out = Tensor::empty({s.batch, planes::kPlanes, s.height, s.width, s.channels}, options.dtype, inputs.front.device(), "tri-planes");
  assemble_planes_into(out, inputs, options, false, stream);
  return out;
}

void assemble_planes_into(Tensor& planes, const PlaneInputs& inputs, const AssembleOptions& options, bool front_only, Stream stream) {
  options.validate();
  const auto s = planes::sizes_of(inputs);
  const Device device = inputs.front.device();
  check_argument(planes.defined(), "planes must be a tensor to write to, got nothing");
  const bool half = planes.dtype() == DType::f16;
  expect(planes, "planes", "[B, 3, H, W, C] of the front's sizes", half ? DType::f16 : DType::f32,
         {s.batch, planes::kPlanes, s.height, s.width, s.channels});
  check_argument(planes.device() == device, "planes are on ", planes.device().str(), ", the inputs on ", device.str());
  const bool all = options.blend == BlendPlanes::all;
  check_argument(!(all && front_only), "front_only needs BlendPlanes::front: with 'all', every expression changes all three planes");
  planes::check_statics(inputs.statics, s, device);
  planes::check_dynamic(inputs.front, inputs.front_alpha, "front", "front_alpha", s, device);
  if (all) {
    planes::check_dynamic(inputs.side, inputs.side_alpha, "side", "side_alpha", s, device);
    planes::check_dynamic(inputs.top, inputs.top_alpha, "top", "top_alpha", s, device);
  }
  if (planes.count() == 0) return;
  planes::AssembleArgs args{};
  args.statics = inputs.statics.data<float>();
  args.dynamic[0] = inputs.front.data<float>();
  args.alpha[0] = inputs.front_alpha.data<float>();
  if (all) {
    args.dynamic[1] = inputs.side.data<float>();
    args.alpha[1] = inputs.side_alpha.data<float>();
    args.dynamic[2] = inputs.top.data<float>();
    args.alpha[2] = inputs.top_alpha.data<float>();
  }
  args.out = planes.mutable_raw();
  args.batch = s.batch;
  args.channels = s.channels;
  args.pixels = s.height * s.width;
  args.static_stride = inputs.statics.size(0) == 1 ? 0 : planes::kPlanes * s.channels * args.pixels;
  args.count = front_only ? 1 : planes::kPlanes;
  args.half = half;
  planes::assemble_table().select(device)(args, stream);
}

}  // namespace forge_rt
