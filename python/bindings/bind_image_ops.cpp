// Image operations of generators: filters, activations, resizing, neural textures, tri-planes.
#include <optional>
#include <utility>

#include "bindings.h"
#include "forge_rt/ops/assemble_planes.h"
#include "forge_rt/ops/bias_act.h"
#include "forge_rt/ops/neural_texture.h"
#include "forge_rt/ops/neural_views.h"
#include "forge_rt/ops/resize_antialias.h"
#include "forge_rt/ops/upfirdn2d.h"

namespace forge_rt::python {
namespace {

// One whole number for both axes, or (x, y).
std::array<int, 2> to_factors(const py::object& value, const char* name) {
  try {
    if (py::isinstance<py::sequence>(value) && py::len(value) == 2) return value.cast<std::array<int, 2>>();
    const int both = value.cast<int>();
    return {both, both};
  } catch (const py::cast_error&) {
    throw Error(ErrorCode::invalid_argument, concat(name, " must be a whole number or (x, y)"));
  }
}

template <class Value>
Value parse(const std::string& text, const char* name, std::initializer_list<std::pair<const char*, Value>> values) {
  std::string choices;
  for (const auto& [label, value] : values) {
    if (text == label) return value;
    choices += concat(choices.empty() ? "'" : ", '", label, "'");
  }
  throw Error(ErrorCode::invalid_argument, concat(name, " must be one of ", choices, ", got '", text, "'"));
}

BoxRule parse_rule(const std::string& outside) {
  return parse<BoxRule>(outside, "outside", {{"error", BoxRule::inside}, {"clamp", BoxRule::clamp}});
}

ChannelOrder parse_order(const std::string& order, const char* name) {
  return parse<ChannelOrder>(order, name, {{"first", ChannelOrder::first}, {"last", ChannelOrder::last}});
}

BlendPlanes parse_blend(const std::string& blend) {
  return parse<BlendPlanes>(blend, "blend", {{"front", BlendPlanes::front}, {"all", BlendPlanes::all}});
}

void bind_filters(py::module_& module) {
  module.def(
      "upfirdn2d",
      [](py::object x, py::object filter, py::object up, py::object down, std::array<int, 4> padding, bool flip_filter, float gain) {
        UpfirdnOptions options;
        const auto ups = to_factors(up, "up"), downs = to_factors(down, "down");
        options.up_x = ups[0];
        options.up_y = ups[1];
        options.down_x = downs[0];
        options.down_y = downs[1];
        options.padding = padding;
        options.flip_filter = flip_filter;
        options.gain = gain;
        const Tensor t = to_tensor(x, DType::f32), f = to_tensor(filter, DType::f32);
        const py::gil_scoped_release release;
        return upfirdn2d(t, f, options);
      },
      py::arg("x"), py::arg("filter"), py::kw_only(), py::arg("up") = 1, py::arg("down") = 1,
      py::arg("padding") = std::array<int, 4>{0, 0, 0, 0}, py::arg("flip_filter") = false, py::arg("gain") = 1.f,
      "StyleGAN's upfirdn2d: x [B, C, H, W] float32, zeros inserted, padded by (left, right, top, bottom) or cropped, convolved with "
      "`filter` [T] or [Th, Tw], every down-th value kept. `up` and `down`: one number or (x, y).");
  module.def(
      "upsample2d",
      [](py::object x, py::object filter) {
        const Tensor t = to_tensor(x, DType::f32), f = to_tensor(filter, DType::f32);
        const py::gil_scoped_release release;
        return upsample2d(t, f);
      },
      py::arg("x"), py::arg("filter"), "Twice the size, filtered: upfirdn2d with up 2 and gain 4.");
  module.def(
      "downsample2d",
      [](py::object x, py::object filter) {
        const Tensor t = to_tensor(x, DType::f32), f = to_tensor(filter, DType::f32);
        const py::gil_scoped_release release;
        return downsample2d(t, f);
      },
      py::arg("x"), py::arg("filter"), "Half the size, filtered: upfirdn2d with down 2.");
  module.def(
      "bias_act",
      [](py::object x, py::object bias, const std::string& activation, float slope, std::optional<float> gain, std::optional<float> clamp,
         py::object out) {
        BiasActOptions options;
        options.activation = parse<Activation>(activation, "activation", {{"linear", Activation::linear}, {"lrelu", Activation::lrelu}});
        options.slope = slope;
        options.gain = gain;
        options.clamp = clamp;
        const Tensor t = to_tensor(x, DType::f32), b = to_optional_tensor(bias, DType::f32);
        Tensor result = out.is_none() ? Tensor{} : to_tensor(out);
        const py::gil_scoped_release release;
        if (!result.defined()) return bias_act(t, b, options);
        bias_act_into(result, t, b, options);
        return result;
      },
      py::arg("x"), py::arg("bias") = py::none(), py::kw_only(), py::arg("activation") = "linear", py::arg("slope") = 0.2f,
      py::arg("gain") = py::none(), py::arg("clamp") = py::none(), py::arg("out") = py::none(),
      "clamp(activation(x + bias) * gain): x [B, C, ...], bias [C]. activation 'linear' (gain 1) or 'lrelu' (gain sqrt 2). "
      "`out` may be x itself.");
}

void bind_resizing(py::module_& module) {
  module.def(
      "resize_antialias",
      [](py::object x, py::object size) {
        const Tensor t = to_tensor(x, DType::f32);
        const ImageSize s = to_image_size(size);
        const py::gil_scoped_release release;
        return resize_antialias(t, s);
      },
      py::arg("x"), py::arg("size"),
      "Bilinear resize with antialiasing, [B, C, H, W] float32 -> [B, C, *size], as torch's interpolate(antialias=True).");
  module.def(
      "crop_resize",
      [](py::object x, py::object boxes, py::object size, const std::string& outside) {
        const Tensor t = to_tensor(x, DType::f32), b = to_tensor(boxes, DType::i64);
        const ImageSize s = to_image_size(size);
        const BoxRule rule = parse_rule(outside);
        const py::gil_scoped_release release;
        return crop_resize(t, b, s, rule);
      },
      py::arg("x"), py::arg("boxes"), py::arg("size"), py::kw_only(), py::arg("outside") = "error",
      "One box per image, resized: boxes [B, 4] (row0, row1, column0, column1) -> [B, C, *size]. Boxes that reach outside: 'error', or "
      "'clamp' cuts them.");
  module.def(
      "resize_paste",
      [](py::object patch, py::object boxes, py::object image, const std::string& outside, py::object out) {
        const Tensor p = to_tensor(patch, DType::f32), b = to_tensor(boxes, DType::i64), i = to_tensor(image, DType::f32);
        const BoxRule rule = parse_rule(outside);
        check_argument(out.is_none() || out.is(image), "out must be None (a copy) or the image itself");
        Tensor target = out.is_none() ? Tensor{} : to_tensor(out);
        const py::gil_scoped_release release;
        if (!target.defined()) return resize_paste(p, b, i, rule);
        resize_paste_into(target, p, b, rule);
        return target;
      },
      py::arg("patch"), py::arg("boxes"), py::arg("image"), py::kw_only(), py::arg("outside") = "error", py::arg("out") = py::none(),
      "crop_resize's way back: patch [B, C, h, w], resized to each image's box, overwrites it in a copy of `image` [B, C, H, W]; "
      "out=image pastes in place.");
}

void bind_textures(py::module_& module) {
  py::class_<NeuralMesh>(module, "NeuralMesh", "Topology and texture coordinates that carry a neural texture; prepared once.")
      .def(py::init([](py::object faces, py::object uv_faces, py::object uv, std::int64_t vertices) {
             return prepare_neural_mesh(to_tensor(faces, DType::i32), to_tensor(uv_faces, DType::i32), to_tensor(uv, DType::f32), vertices);
           }),
           py::arg("faces"), py::arg("uv_faces"), py::arg("uv"), py::arg("vertices"))
      .def_property_readonly("triangles", [](const NeuralMesh& m) { return from_tensor(m.triangles); })
      .def_property_readonly("uv_triangles", [](const NeuralMesh& m) { return from_tensor(m.uv_triangles); })
      .def_property_readonly("grid", [](const NeuralMesh& m) { return from_tensor(m.grid); })
      .def_readonly("vertices", &NeuralMesh::vertices)
      .def("to", [](const NeuralMesh& m, const std::string& device) { return m.to(Device::parse(device)); }, py::arg("device"));
  const auto pair = [](const NeuralTexture& t) { return py::make_tuple(from_tensor(t.features), from_tensor(t.alpha)); };
  module.def(
      "neural_texture",
      [pair](py::object face, py::object barycentrics, const NeuralMesh& mesh, py::object texture, py::object uv_mask,
             const std::string& texture_channels, const std::string& feature_channels, py::object add_to) {
        const Tensor f = to_tensor(face, DType::i32), b = to_tensor(barycentrics, DType::f32), t = to_tensor(texture, DType::f32),
                     m = to_optional_tensor(uv_mask, DType::f32);
        NeuralTextureOptions options;
        options.texture = parse_order(texture_channels, "texture_channels");
        options.features = parse_order(feature_channels, "feature_channels");
        NeuralTexture out;
        if (!add_to.is_none()) out.features = to_tensor(add_to);
        {
          const py::gil_scoped_release release;
          if (out.features.defined()) neural_texture_into(out, f, b, mesh, t, m, options, true);
          else out = neural_texture(f, b, mesh, t, m, options);
        }
        return pair(out);
      },
      py::arg("face"), py::arg("barycentrics"), py::arg("mesh"), py::arg("texture"), py::arg("uv_mask") = py::none(), py::kw_only(),
      py::arg("texture_channels") = "first", py::arg("feature_channels") = "first", py::arg("add_to") = py::none(),
      "A texture seen through a rasterized mesh -> (features [B, C, H, W], alpha [B, 1, H, W]); the background holds the texture's centre. "
      "Channels 'first' or 'last'. `add_to`: features that are added to in place; alpha is then None.");
  module.def(
      "neural_view",
      [pair](py::object vertices, const NeuralMesh& mesh, py::object texture, py::object uv_mask, const std::string& view, int size,
             float scale, std::array<float, 3> shift, const std::string& texture_channels, const std::string& feature_channels) {
        const Tensor v = to_tensor(vertices, DType::f32), t = to_tensor(texture, DType::f32), m = to_optional_tensor(uv_mask, DType::f32);
        NeuralViewOptions options;
        options.size = size;
        options.scale = scale;
        options.shift = shift;
        options.layout.texture = parse_order(texture_channels, "texture_channels");
        options.layout.features = parse_order(feature_channels, "feature_channels");
        const auto which =
            parse<NeuralView>(view, "view", {{"front", NeuralView::front}, {"side", NeuralView::side}, {"top", NeuralView::top}});
        NeuralTexture out;
        {
          const py::gil_scoped_release release;
          out = neural_view(v, mesh, t, m, which, options);
        }
        return pair(out);
      },
      py::arg("vertices"), py::arg("mesh"), py::arg("texture"), py::arg("uv_mask") = py::none(), py::kw_only(), py::arg("view") = "front",
      py::arg("size") = 256, py::arg("scale") = 5.f, py::arg("shift") = std::array<float, 3>{0.f, -0.01f, -0.01f},
      py::arg("texture_channels") = "first", py::arg("feature_channels") = "first",
      "Next3D's rasterized texture straight from vertices [B, V, 3] -> (features, filled alpha). view 'front', 'side' (yaw 90 plus yaw "
      "-90, "
      "alpha 0 or 1) or 'top'.");
  module.def(
      "orthographic_positions",
      [](py::object points, std::array<float, 3> angles, float scale, std::array<float, 3> shift) {
        return orthographic_positions(to_tensor(points, DType::f32), angles, scale, shift);
      },
      py::arg("points"), py::arg("pitch_yaw_roll_deg"), py::arg("scale") = 5.f,
      py::arg("shift") = std::array<float, 3>{0.f, -0.01f, -0.01f},
      "orthographic_view as positions for rasterize [B, N, 4]: (x', -y', z', 1).");
}

void bind_planes(py::module_& module) {
  module.def(
      "assemble_planes",
      [](py::object statics, py::object front, py::object front_alpha, py::object side, py::object side_alpha, py::object top,
         py::object top_alpha, const std::string& blend, const std::string& dtype, py::object out, bool front_only) {
        PlaneInputs inputs;
        inputs.statics = to_tensor(statics, DType::f32);
        inputs.front = to_tensor(front, DType::f32);
        inputs.front_alpha = to_tensor(front_alpha, DType::f32);
        inputs.side = to_optional_tensor(side, DType::f32);
        inputs.side_alpha = to_optional_tensor(side_alpha, DType::f32);
        inputs.top = to_optional_tensor(top, DType::f32);
        inputs.top_alpha = to_optional_tensor(top_alpha, DType::f32);
        AssembleOptions options;
        options.blend = parse_blend(blend);
        options.dtype = parse<DType>(dtype, "dtype", {{"float32", DType::f32}, {"float16", DType::f16}});
        check_argument(!(out.is_none() && front_only), "front_only needs out=: planes whose other two are already there");
        Tensor planes = out.is_none() ? Tensor{} : to_tensor(out);
        const py::gil_scoped_release release;
        if (!planes.defined()) return assemble_planes(inputs, options);
        assemble_planes_into(planes, inputs, options, front_only);
        return planes;
      },
      py::arg("statics"), py::arg("front"), py::arg("front_alpha"), py::kw_only(), py::arg("side") = py::none(),
      py::arg("side_alpha") = py::none(), py::arg("top") = py::none(), py::arg("top_alpha") = py::none(), py::arg("blend") = "front",
      py::arg("dtype") = "float32", py::arg("out") = py::none(), py::arg("front_only") = false,
      "D * A + P * (1 - A) -> tri-planes [B, 3, H, W, C], channels last. statics [B or 1, 3, C, H, W] or [B or 1, 3 C, H, W]; front "
      "[B, C, H, W], front_alpha [B, 1, H, W]; side and top likewise for blend='all'. `out` is reused; with front_only, its planes 1 and 2 "
      "are left alone.");
}

}  // namespace

void bind_image_ops(py::module_& module) {
  bind_filters(module);
  bind_resizing(module);
  bind_textures(module);
  bind_planes(module);
}

}  // namespace forge_rt::python
