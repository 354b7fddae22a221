// The ops around the networks of a face analyzer, for tests and tools in Python: private names.
#include "bindings.h"
#include "forge_rt/ops/crop_image.h"
#include "forge_rt/ops/decode_faces.h"
#include "forge_rt/ops/unwarp_labels.h"

namespace forge_rt::python {
namespace {

CropBorder parse_border(const std::string& name) {
  check_argument(name == "constant" || name == "replicate", "border must be 'constant' or 'replicate', got '", name, "'");
  return name == "constant" ? CropBorder::constant : CropBorder::replicate;
}

// Rows may be apart (a part of a larger frame); pixels may not. NV12 as OpenCV has it: [3/2 H, W], the uv plane below the Y plane.
ImageView view_of(const Tensor& frame, PixelFormat format, bool bt709) {
  const int bytes = bytes_per_pixel(format);
  check_argument(
      frame.defined() && frame.dtype() == DType::u8 && (bytes == 1 ? frame.rank() == 2 : frame.rank() == 3 && frame.size(2) == bytes), "a ",
      pixel_format_name(format), " frame must be uint8 ", bytes == 1 ? "[H, W]" : concat("[H, W, ", bytes, "]"), ", got ", frame.str());
  const Shape& strides = frame.strides();
  check_argument(strides.back() == 1 && (bytes == 1 || strides[1] == bytes),
                 "pixels of a frame must lie side by side; pass a contiguous copy");
  check_argument(frame.size(0) <= 1 << 16 && frame.size(1) <= 1 << 16, "a frame must have sides of at most 32768 pixels, got ",
                 frame.str());
  ImageView view;
  view.data = frame.data<std::uint8_t>();
  view.width = static_cast<int>(frame.size(1));
  view.height = static_cast<int>(frame.size(0));
  view.stride = strides[0];
  view.format = format;
  view.device = frame.device();
  view.bt709 = bt709;
  if (format == PixelFormat::nv12) {
    check_argument(view.height % 3 == 0, "an nv12 frame must be [3/2 H, W] with even H, got ", frame.str());
    view.height = view.height / 3 * 2;
    view.uv = view.data + view.height * view.stride;
    view.uv_stride = view.stride;
  }
  return view;
}

Affine to_affine(const std::array<float, 6>& m) { return {m[0], m[1], m[2], m[3], m[4], m[5]}; }

// Where frame pixels may be in the crop, or what the caller asks for.
PixelRect rect_of(const std::optional<std::array<int, 4>>& rect, const Affine& to_crop, ImageSize crop, ImageSize frame) {
  if (!rect) return crop_footprint(to_crop.inverse(), crop.width, crop.height, frame.width, frame.height);
  const PixelRect r{(*rect)[0], (*rect)[1], (*rect)[2], (*rect)[3]};
  check_argument(r.left >= 0 && r.top >= 0 && r.right <= frame.width && r.bottom <= frame.height, "rect must lie in the frame of ",
                 frame.width, " x ", frame.height, " pixels");
  return r;
}

// Zeros, or a copy of what lies below.
Tensor canvas(py::object below, ImageSize frame, DType dtype, Device device) {
  if (below.is_none()) return Tensor::zeros({frame.height, frame.width}, dtype, device, "unwarped");
  Tensor out = to_tensor(below, dtype).clone();
  expect(out, "below", "[H, W]", dtype, {frame.height, frame.width});
  check_argument(out.device() == device, "below must be on ", device.str(), ", got ", out.str());
  return out;
}

template <class T>
T* at(Tensor& image, const PixelRect& rect) {
  return image.mutable_data<T>() + rect.top * image.size(1) + rect.left;
}

}  // namespace

void bind_face_ops(py::module_& module) {
  module.def(
      "_crop_image",
      [](py::object frame, py::object matrices, py::object size, std::array<float, 3> mean, std::array<float, 3> scale, bool bgr,
         const std::string& border, std::uint8_t fill, const std::string& format, bool bt709, py::object out) {
        const Tensor pixels = to_tensor(frame), rows = to_tensor(matrices, DType::f32);
        const ImageView view = view_of(pixels, to_pixel_format(format), bt709);
        expect(rows, "matrices", "[B, 6]", DType::f32, {kAny, 6});
        check_argument(rows.device().is_cpu(), "matrices must be on the CPU, got ", rows.str());
        std::vector<Affine> to_frame;
        for (std::int64_t i = 0; i < rows.size(0); ++i) {
          const float* m = rows.data<float>() + 6 * i;
          to_frame.push_back({m[0], m[1], m[2], m[3], m[4], m[5]});
        }
        CropOptions options;
        options.mean = mean;
        options.scale = scale;
        options.bgr = bgr;
        options.border = parse_border(border);
        options.fill = fill;
        const ImageSize side = to_image_size(size);
        Tensor crops = out.is_none() ? Tensor::empty({rows.size(0), 3, side.height, side.width}, DType::f32, view.device, "crops")
                                     : to_tensor(out, DType::f32);
        const py::gil_scoped_release release;
        crop_image(view, to_frame, options, crops, {view.device});
        return crops;
      },
      py::arg("frame"), py::arg("matrices"), py::arg("size"), py::kw_only(), py::arg("mean") = std::array<float, 3>{0, 0, 0},
      py::arg("scale") = std::array<float, 3>{1, 1, 1}, py::arg("bgr") = false, py::arg("border") = "constant", py::arg("fill") = 0,
      py::arg("format") = "rgb", py::arg("bt709") = false, py::arg("out") = py::none(),
      "Affine crops [B, 3, h, w] float32 of a uint8 frame; matrices [B, 6] map crop pixels to frame pixels. See "
      "forge_rt/ops/crop_image.h.");

  module.def(
      "_crop_footprint",
      [](std::array<float, 6> to_frame, py::object crop, py::object frame) {
        const ImageSize c = to_image_size(crop), f = to_image_size(frame);
        const PixelRect r = crop_footprint(to_affine(to_frame), c.width, c.height, f.width, f.height);
        return py::make_tuple(r.left, r.top, r.right, r.bottom);
      },
      py::arg("to_frame"), py::arg("crop"), py::arg("frame"), "(left, top, right, bottom) of the frame pixels that may lie in a crop.");

  module.def(
      "_invert_affine",
      [](std::array<float, 6> matrix) {
        const Affine m = to_affine(matrix).inverse();
        return std::array<float, 6>{m.a, m.b, m.c, m.d, m.e, m.f};
      },
      py::arg("matrix"), "The inverse of x' = a x + b y + c, y' = d x + e y + f.");

  module.def(
      "_unwarp_labels",
      [](py::object logits, std::array<float, 6> to_crop, py::object crop, py::object frame, bool nearest, const std::vector<int>& masked,
         std::uint8_t background, bool labels, bool confidence, const std::optional<std::array<int, 4>>& rect, py::object below) {
        const Tensor map = to_tensor(logits, DType::f32);
        const Affine m = to_affine(to_crop);
        const ImageSize c = to_image_size(crop), f = to_image_size(frame);
        const PixelRect r = rect_of(rect, m, c, f);
        UnwarpOptions options;
        options.nearest = nearest;
        options.background = background;
        for (const int id : masked) {
          check_argument(id >= 0 && id < 64, "only classes 0..63 can be masked, got ", id);
          options.masked |= std::uint64_t{1} << id;
        }
        Tensor ids = labels ? canvas(below, f, DType::u8, map.device()) : Tensor{};
        Tensor sure = confidence ? Tensor::zeros({f.height, f.width}, DType::u8, map.device(), "unwarped") : Tensor{};
        {
          const py::gil_scoped_release release;
          unwarp_labels(map, m, c.width, c.height, r, labels ? at<std::uint8_t>(ids, r) : nullptr, f.width,
                        confidence ? at<std::uint8_t>(sure, r) : nullptr, f.width, options, {map.device()});
        }
        return py::make_tuple(from_tensor(ids), from_tensor(sure));
      },
      py::arg("logits"), py::arg("to_crop"), py::arg("crop"), py::arg("frame"), py::kw_only(), py::arg("nearest") = false,
      py::arg("masked") = std::vector<int>{}, py::arg("background") = 0, py::arg("labels") = true, py::arg("confidence") = false,
      py::arg("rect") = py::none(), py::arg("below") = py::none(),
      "Class ids and confidences [H, W] uint8 of a frame from logits [C, h, w] of a crop. See forge_rt/ops/unwarp_labels.h.");

  module.def(
      "_unwarp_map",
      [](py::object map, std::array<float, 6> to_crop, py::object crop, py::object frame, py::object mask,
         const std::optional<std::array<int, 4>>& rect, py::object below) {
        const Tensor values = to_tensor(map, DType::f32), shown = to_optional_tensor(mask, DType::u8);
        const Affine m = to_affine(to_crop);
        const ImageSize c = to_image_size(crop), f = to_image_size(frame);
        const PixelRect r = rect_of(rect, m, c, f);
        if (shown.defined()) expect(shown, "mask", "[H, W]", DType::u8, {f.height, f.width});
        check_argument(!shown.defined() || shown.device() == values.device(), "mask must be where the map is, got ", shown.str());
        Tensor out = canvas(below, f, DType::f32, values.device());
        {
          const py::gil_scoped_release release;
          const std::uint8_t* from =
              shown.defined() ? shown.data<std::uint8_t>() + static_cast<std::int64_t>(r.top) * f.width + r.left : nullptr;
          unwarp_map(values, m, c.width, c.height, r, from, f.width, at<float>(out, r), f.width, {values.device()});
        }
        return out;
      },
      py::arg("map"), py::arg("to_crop"), py::arg("crop"), py::arg("frame"), py::kw_only(), py::arg("mask") = py::none(),
      py::arg("rect") = py::none(), py::arg("below") = py::none(), "A map [h, w] of a crop at the pixels of its frame: [H, W] float32.");

  module.def(
      "_decode_faces",
      [](py::object score, py::object box, py::object points, int stride, float score_threshold, float iou_threshold, int max_faces) {
        const Tensor s = to_tensor(score, DType::f32), b = to_tensor(box, DType::f32), p = to_tensor(points, DType::f32);
        DecodeOptions options;
        options.stride = stride;
        options.score_threshold = score_threshold;
        options.iou_threshold = iou_threshold;
        options.max_faces = max_faces;
        std::vector<Detection> found;
        {
          const py::gil_scoped_release release;
          decode_faces(s, b, p, options, found);
        }
        py::list out;
        for (const Detection& face : found) {
          py::dict entry;
          entry["image"] = face.image;
          entry["score"] = face.score;
          entry["box"] = std::array<float, 4>{face.box.left, face.box.top, face.box.right, face.box.bottom};
          entry["points"] = face.points;
          out.append(entry);
        }
        return out;
      },
      py::arg("score"), py::arg("box"), py::arg("points"), py::kw_only(), py::arg("stride") = 8, py::arg("score_threshold") = 0.5f,
      py::arg("iou_threshold") = 0.4f, py::arg("max_faces") = 64,
      "Faces of a detector's maps as dictionaries: image, score, box (left, top, right, bottom), points (5 x 2).");

  module.def(
      "_box_iou",
      [](std::array<float, 4> a, std::array<float, 4> b) { return box_iou({a[0], a[1], a[2], a[3]}, {b[0], b[1], b[2], b[3]}); },
      py::arg("a"), py::arg("b"), "Intersection over union of two boxes (left, top, right, bottom).");
}

}  // namespace forge_rt::python
