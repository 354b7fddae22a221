// (identity, mesh) → tri-planes (spec/next3d §6, §7): views of the mesh, mouth, blending, assembly.
#include <algorithm>

#include "forge_rt/ops/neural_views.h"
#include "models/next3d/generator_impl.h"

namespace forge_rt {

using namespace next3d;

namespace {

constexpr const char* kPurpose = "generator expression";
constexpr std::int64_t kLandmarks = 68;

void check_mesh(const Tensor& vertices, const Tensor& landmarks, const GeneratorInfo& info) {
  const std::string mesh = concat("the ", info.head_family, info.head_family.empty() ? "" : " ", "mesh that this bundle was trained with");
  check_argument(vertices.defined(), "Next3D's heads need vertices [N, ", info.vertices, ", 3] of ", mesh, ", got none");
  expect(vertices, "vertices", "[N, V, 3]", DType::f32, {kAny, kAny, 3});
  const std::int64_t count = vertices.size(1);
  check_argument(count == info.vertices, "vertices must be [N, ", info.vertices, ", 3] of ", mesh, ", got ", shape_str(vertices.shape()),
                 count == info.vertices + kLandmarks ? "; the last 68 look like landmarks: pass them apart"
                                                     : "; use a head of the same topology, or a bundle for this one");
  check_argument(landmarks.defined(), "Next3D's heads need landmarks [N, 68, 3], got none: the mouth cannot be found without them");
  expect(landmarks, "landmarks", "[N, 68, 3] of the vertices' N", DType::f32, {vertices.size(0), kLandmarks, 3});
  check_finite_rows(vertices, "vertices");
}

/// Boxes around the mouths in the front view, [N, 4] on the CPU.
Tensor mouth_boxes(const Tensor& landmarks, const GeneratorContract& contract, BoxRule rule) {
  const int size = contract.info.plane_resolution;
  const Tensor seen = orthographic_view(move_to(landmarks, {}), {0, 0, 0}, contract.orth_scale, contract.orth_shift);
  Tensor pixels = Tensor::empty({landmarks.size(0), kLandmarks, 2}, DType::f32, {}, kPurpose);
  const float half = static_cast<float>(size) / 2.f;
  for (std::int64_t i = 0; i < pixels.count(); ++i)
    pixels.mutable_data<float>()[i] = seen.data<float>()[i / 2 * 3 + i % 2] * half + half;  // no half pixel, as published
  Tensor boxes = mouth_box(pixels, size, rule == BoxRule::clamp);
  if (rule == BoxRule::clamp) return boxes;
  const std::int64_t* box = boxes.data<std::int64_t>();
  for (std::int64_t b = 0; b < boxes.size(0); ++b, box += 4)
    check_argument(box[0] < box[1] && box[2] < box[3], "the mouth of image ", b, " covers no pixel of the ", size,
                   "² view; check that the head is in metres");
  return boxes;
}

std::vector<std::int64_t> part(const std::vector<std::int64_t>& rows, std::int64_t begin, std::int64_t end) {
  return {rows.begin() + begin, rows.begin() + end};
}

/// Copies of what lies between the stages, when asked for.
class Keeper {
 public:
  Keeper(GeneratorHead& head, bool wanted, std::int64_t count) : head_(head), wanted_(wanted), count_(count) {}
  void keep(const char* name, const Tensor& rows, std::int64_t begin) {
    if (!wanted_) return;
    Tensor& whole = head_.stages[name];
    if (!whole.defined()) {
      Shape shape = rows.shape();
      shape[0] = count_;
      whole = Tensor::empty(shape, DType::f32, rows.device(), kPurpose);
    }
    copy_bytes(whole.slice(begin, begin + rows.size(0)).mutable_raw(), whole.device(), rows.raw(), rows.device(), rows.bytes(),
               {rows.device(), nullptr});
  }

 private:
  GeneratorHead& head_;
  bool wanted_;
  std::int64_t count_;
};

}  // namespace

GeneratorHead Generator::Impl::expression(const GeneratorIdentity& identity, const Tensor& vertices, const Tensor& landmarks,
                                          const ExpressionOptions& options) const {
  const GeneratorInfo& info = contract.info;
  check_mesh(vertices, landmarks, info);
  const std::int64_t count = vertices.size(0), side = info.plane_resolution;
  const std::vector<std::int64_t> rows = read_rows(options.rows, count, identity.size(), "heads", "identities");
  const Tensor points = move_to(vertices, device);

  GeneratorHead out;
  out.model = hash;
  out.mouth_box = mouth_boxes(landmarks, contract, options.mouth_box);
  out.alpha = Tensor::empty({count, 1, side, side}, DType::f32, device, kPurpose);
  out.planes = Tensor::empty({count, 3, side, side, info.plane_channels}, options.planes, device, "tri-planes");
  out.style = take_styles(identity.ws, rows, info.num_static_ws - 1, info.num_static_ws).reshape({count, info.w_dim});
  Keeper stages_of(out, options.keep_stages, count);

  NeuralViewOptions seen;
  seen.size = info.plane_resolution;
  seen.scale = contract.orth_scale;
  seen.shift = contract.orth_shift;
  seen.layout = {device.is_cpu() ? ChannelOrder::last : ChannelOrder::first, ChannelOrder::first};
  AssembleOptions assemble;
  assemble.blend = info.blend_planes;
  assemble.dtype = options.planes;

  for (std::int64_t begin = 0, end; begin < count; begin = end) {
    end = std::min(count, begin + samples_at_once());
    const std::vector<std::int64_t> those = part(rows, begin, end);
    const Tensor texture = take_rows(identity.texture, those), mesh_points = points.slice(begin, end);
    const Tensor styles = take_styles(identity.ws, those, 0, info.num_static_ws), boxes = out.mouth_box.slice(begin, end);
    const auto look = [&](NeuralView view) {
      return neural_view(mesh_points, contract.mesh, texture, contract.uv_mask, view, seen, stream());
    };

    NeuralTexture front = look(NeuralView::front);
    stages_of.keep("front", front.features, begin);
    const Tensor crop = crop_resize(front.features, boxes, {contract.mouth_in, contract.mouth_in}, options.mouth_box, stream());
    Tensor mouth =
        Tensor::empty({end - begin, contract.texture_channels, contract.mouth_out, contract.mouth_out}, DType::f32, device, kPurpose);
    stages->mouth->run({{"crop", crop}, {"ws", styles}}, mouth);
    resize_paste_into(front.features, mouth, boxes, options.mouth_box, stream());
    Tensor blended = Tensor::empty({end - begin, info.plane_channels, side, side}, DType::f32, device, kPurpose);
    stages->blend->run({{"stitched", front.features}, {"ws", styles}}, blended);
    stages_of.keep("mouth_in", crop, begin);
    stages_of.keep("mouth_out", mouth, begin);
    stages_of.keep("stitched", front.features, begin);
    stages_of.keep("blended", blended, begin);

    PlaneInputs inputs;
    inputs.statics = take_rows(identity.static_planes, those);
    inputs.front = blended;
    inputs.front_alpha = front.alpha;
    if (info.blend_planes == BlendPlanes::all) {
      NeuralTexture side_view = look(NeuralView::side), top = look(NeuralView::top);
      inputs.side = side_view.features;
      inputs.side_alpha = side_view.alpha;
      inputs.top = top.features;
      inputs.top_alpha = top.alpha;
      stages_of.keep("side", side_view.features, begin);
      stages_of.keep("side_alpha", side_view.alpha, begin);
      stages_of.keep("top", top.features, begin);
      stages_of.keep("top_alpha", top.alpha, begin);
    }
    Tensor planes = out.planes.slice(begin, end);
    assemble_planes_into(planes, inputs, assemble, false, stream());
    copy_bytes(out.alpha.slice(begin, end).mutable_raw(), device, front.alpha.raw(), device, front.alpha.bytes(), stream());
  }
  out.planes = frozen(out.planes);
  out.alpha = frozen(out.alpha);
  out.mouth_box = frozen(out.mouth_box);
  out.style = frozen(out.style);
  return out;
}

GeneratorHead Generator::Impl::without_expression(const GeneratorIdentity& identity, const ExpressionOptions& options) const {
  const GeneratorInfo& info = contract.info;
  const std::int64_t count = options.rows.defined() ? options.rows.size(0) : identity.size();
  const std::vector<std::int64_t> rows = read_rows(options.rows, count, identity.size(), "heads", "identities");
  GeneratorHead out;
  out.model = hash;
  out.style = frozen(take_styles(identity.ws, rows, info.num_static_ws - 1, info.num_static_ws).reshape({count, info.w_dim}));
  const std::int64_t side = info.plane_resolution;
  out.planes = Tensor::empty({count, 3, side, side, info.plane_channels}, options.planes, device, "tri-planes");
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = rows[static_cast<std::size_t>(i)];
    const Tensor planes = planes_from_nchw(identity.static_planes.slice(row, row + 1), options.planes, stream());
    copy_bytes(out.planes.slice(i, i + 1).mutable_raw(), device, planes.raw(), device, planes.bytes(), stream());
  }
  out.planes = frozen(out.planes);
  return out;
}

}  // namespace forge_rt
