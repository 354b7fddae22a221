// Faces of a frame and of a video. The Python classes that people use are in forge_rt/face_analyzer.py.
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "bindings.h"
#include "forge_rt/models/face_analyzer.h"

namespace forge_rt::python {
namespace {

/// Pixels whose rows are whole; their distance is free. Other layouts (mirrored, every second column, planes) are copied.
Tensor with_whole_rows(const Tensor& image, std::int64_t channels) {
  const Shape &shape = image.shape(), &strides = image.strides();
  const bool pixels = channels == 1 || shape[2] == 1 || strides[2] == 1;
  const bool whole = pixels && (shape[1] == 1 || strides[1] == channels) && (shape[0] == 1 || strides[0] >= shape[1] * channels);
  return whole ? image : image.contiguous();
}

std::int64_t stride_of(const Tensor& image, std::int64_t channels) {
  return image.size(0) > 1 ? image.strides()[0] : image.size(1) * channels;
}

void check_bytes(const Tensor& image, const char* what) {
  const std::string dtype = dtype_name(image.dtype());
  const char* advice = "convert it to uint8";
  if (image.dtype() == DType::u16) advice = "divide 16-bit pixels by 257: (image // 257).astype(np.uint8)";
  if (dtype.starts_with("float") || dtype.starts_with("bfloat"))
    advice = "float pixels become bytes by (255 * image).clip(0, 255).astype(np.uint8), without NaN";
  check_argument(image.dtype() == DType::u8, what, " must be uint8, got ", dtype, " ", shape_str(image.shape()), "; ", advice);
}

/// A frame and what keeps its memory.
struct Frame {
  Tensor data, uv;
  ImageView view;
};

Frame to_frame(const py::handle& image, const std::string& format, bool bt709) {
  Frame out;
  const bool planes = format == "nv12";
  if (planes) {
    check_argument(py::isinstance<py::tuple>(image) && py::len(image) == 2,
                   "an nv12 image is a tuple of its planes: y [H, W] and uv [H/2, W/2, 2]");
    const auto pair = py::reinterpret_borrow<py::tuple>(image);
    out.data = to_tensor(pair[0]);
    out.uv = to_tensor(pair[1]);
    check_bytes(out.uv, "the uv plane");
    if (out.uv.rank() == 3 && out.uv.size(2) == 2) {
      out.uv = with_whole_rows(out.uv, 2);
      out.view.uv_stride = stride_of(out.uv, 2);
    } else {
      check_argument(out.uv.rank() == 2, "the uv plane must be [H/2, W/2, 2] or [H/2, W], got ", shape_str(out.uv.shape()));
      out.uv = with_whole_rows(out.uv, 1);
      out.view.uv_stride = stride_of(out.uv, 1);
    }
    out.view.uv = static_cast<const std::uint8_t*>(out.uv.raw());
  } else {
    check_argument(!py::isinstance<py::tuple>(image), "only nv12 images are tuples; pass format=\"nv12\"");
    out.data = to_tensor(image);
  }
  check_bytes(out.data, "an image");
  const Shape& shape = out.data.shape();
  const std::int64_t channels = shape.size() == 2 ? 1 : shape.size() == 3 ? shape[2] : 0;
  check_argument((channels == 1 || channels == 3 || channels == 4) && out.data.count() > 0,
                 "an image must be [H, W, 3], [H, W, 4] or [H, W], got ", shape_str(shape));
  check_argument(shape[0] <= 32768 && shape[1] <= 32768, "an image may have 32768 pixels per side, got ", shape_str(shape));
  out.view.format = !format.empty() ? to_pixel_format(format)
                    : channels == 1 ? PixelFormat::gray
                    : channels == 3 ? PixelFormat::rgb
                                    : PixelFormat::rgba;
  check_argument(bytes_per_pixel(out.view.format) == channels, "an image of format ", pixel_format_name(out.view.format), " must have ",
                 bytes_per_pixel(out.view.format), " channels, got ", shape_str(shape));
  if (planes) {
    const Shape& uv = out.uv.shape();
    check_argument(uv[0] == (shape[0] + 1) / 2 && out.uv.count() / uv[0] == (shape[1] + 1) / 2 * 2, "the uv plane of ", shape_str(shape),
                   " must have half its height and width, got ", shape_str(uv));
    check_argument(out.uv.device() == out.data.device(), "y and uv must be on one device, got ", out.data.device().str(), " and ",
                   out.uv.device().str());
  }
  out.data = with_whole_rows(out.data, channels);
  out.view.data = static_cast<const std::uint8_t*>(out.data.raw());
  out.view.width = static_cast<int>(shape[1]);
  out.view.height = static_cast<int>(shape[0]);
  out.view.stride = stride_of(out.data, channels);
  out.view.bt709 = bt709;
  out.view.device = out.data.device();
  return out;
}

using SharedFaces = std::shared_ptr<Faces>;

/// A view of memory that belongs to `faces`; None when it was not computed.
template <class T>
py::object plane(const SharedFaces& faces, std::vector<T>& values) {
  if (values.empty()) return py::none();
  return py::cast(Tensor::borrow(values.data(), {faces->height, faces->width}, dtype_of<T>(), {}, faces));
}

py::object to_array(const float* values, Shape shape) {
  Tensor out = Tensor::empty(std::move(shape), DType::f32);
  std::copy_n(values, out.count(), out.mutable_data<float>());
  return py::cast(out);
}

py::tuple to_tuple(const Affine& m) { return py::make_tuple(py::make_tuple(m.a, m.b, m.c), py::make_tuple(m.d, m.e, m.f)); }

py::dict face_dict(const Face& face) {
  py::dict out;
  out["box"] = py::make_tuple(face.box.left, face.box.top, face.box.right, face.box.bottom);
  out["score"] = face.score;
  out["points"] = to_array(face.points[0].data(), {5, 2});
  out["landmarks"] =
      face.landmarks.empty() ? py::none() : to_array(face.landmarks[0].data(), {static_cast<std::int64_t>(face.landmarks.size()), 2});
  out["visibility"] =
      face.visibility.empty() ? py::none() : to_array(face.visibility.data(), {static_cast<std::int64_t>(face.visibility.size())});
  out["confidence"] = face.confidence;
  out["area"] = face.area;
  out["to_crop"] = to_tuple(face.to_crop);
  out["rect"] = py::make_tuple(face.rect.left, face.rect.top, face.rect.right, face.rect.bottom);
  out["track"] = face.track;
  return out;
}

py::dict times(const StageTimes& ms) {
  py::dict out;
  out["detect_preprocess"] = ms.detect_preprocess;
  out["detect_network"] = ms.detect_network;
  out["detect_decode"] = ms.detect_decode;
  out["crop"] = ms.crop;
  out["network"] = ms.network;
  out["unwarp"] = ms.unwarp;
  out["total"] = ms.total;
  return out;
}

AnalyzeOptions analyze_options(const py::dict& fields) {
  AnalyzeOptions out;
  for (const auto& [key, value] : fields) {
    const auto name = key.cast<std::string>();
    if (name == "max_faces") out.max_faces = value.cast<int>();
    else if (name == "detect_threshold") out.detect_threshold = value.cast<float>();
    else if (name == "detect_size") out.detect_size = value.cast<int>();
    else if (name == "min_face") out.min_face = value.cast<float>();
    else if (name == "mask") out.mask = value.cast<bool>();
    else if (name == "confidence") out.confidence = value.cast<bool>();
    else if (name == "depth_map") out.depth_map = value.cast<bool>();
    else if (name == "nearest") out.nearest = value.cast<bool>();
    else
      throw Error(ErrorCode::invalid_argument, concat("unknown option '", name,
                                                      "'; there are max_faces, detect_threshold, detect_size, "
                                                      "min_face, mask, confidence, depth_map and nearest"));
  }
  return out;
}

/// Python threads may share a tracker by mistake: they wait for each other.
struct LockedTracker {
  std::mutex mutex;
  std::unique_ptr<FaceTracker> tracker;
};

using SharedAnalyzer = std::shared_ptr<FaceAnalyzer>;
SharedAnalyzer hold(const std::shared_ptr<const FaceAnalyzer>& analyzer) { return std::const_pointer_cast<FaceAnalyzer>(analyzer); }

}  // namespace

void bind_face_analyzer(py::module_& module) {
  py::class_<Faces, SharedFaces>(module, "_FaceResult", "What was found; see forge_rt.Faces.")
      .def_readonly("width", &Faces::width)
      .def_readonly("height", &Faces::height)
      .def_property_readonly("mask", [](const SharedFaces& f) { return plane(f, f->mask); })
      .def_property_readonly("confidence", [](const SharedFaces& f) { return plane(f, f->confidence); })
      .def_property_readonly("depth", [](const SharedFaces& f) { return plane(f, f->depth); })
      .def_property_readonly("ms", [](const Faces& f) { return times(f.ms); })
      .def_property_readonly("faces", [](const Faces& f) {
        py::list out;
        for (const Face& face : f.faces) out.append(face_dict(face));
        return out;
      });

  py::class_<FaceAnalyzer, SharedAnalyzer>(module, "FaceAnalyzer", "Compiled FaceAnalyzer; use forge_rt.FaceAnalyzer.")
      .def_static(
          "load",
          [](const std::filesystem::path& bundle, const std::string& device, const std::string& provider, const std::string& precision,
             int threads, const std::optional<std::filesystem::path>& detector, bool parsing, bool landmarks, bool depth, int batch) {
            const auto utf8 = [](const std::filesystem::path& path) {
              const std::u8string text = path.u8string();
              return std::string(text.begin(), text.end());
            };
            AnalyzerOptions options;
            options.device = device;
            options.provider = provider;
            options.precision = precision;
            options.threads = threads;
            if (detector) options.detector = utf8(*detector);
            options.parsing = parsing;
            options.landmarks = landmarks;
            options.depth = depth;
            options.batch = batch;
            const py::gil_scoped_release release;
            return hold(FaceAnalyzer::load(utf8(bundle), options));
          },
          py::arg("bundle"), py::kw_only(), py::arg("device"), py::arg("provider"), py::arg("precision"), py::arg("threads"),
          py::arg("detector"), py::arg("parsing"), py::arg("landmarks"), py::arg("depth"), py::arg("batch"))
      .def(
          "analyze",
          [](const FaceAnalyzer& self, const py::list& images, const std::string& format, bool bt709, const py::dict& options) {
            std::vector<Frame> frames;
            std::vector<ImageView> views;
            for (const py::handle& image : images) {
              frames.push_back(to_frame(image, format, bt709));
              views.push_back(frames.back().view);
            }
            const AnalyzeOptions chosen = analyze_options(options);
            std::vector<SharedFaces> out;
            {
              const py::gil_scoped_release release;
              std::vector<Faces> results(views.size());
              self.analyze(views, chosen, results);
              for (Faces& result : results) out.push_back(std::make_shared<Faces>(std::move(result)));
            }
            return out;
          },
          py::arg("images"), py::arg("format"), py::arg("bt709"), py::arg("options"))
      .def(
          "analyze_boxes",
          [](const FaceAnalyzer& self, const py::object& image, const std::vector<std::array<float, 4>>& boxes, const std::string& format,
             bool bt709, const py::dict& options) {
            const Frame frame = to_frame(image, format, bt709);
            std::vector<Box> given;
            for (const auto& b : boxes) given.push_back({b[0], b[1], b[2], b[3]});
            const AnalyzeOptions chosen = analyze_options(options);
            const py::gil_scoped_release release;
            auto out = std::make_shared<Faces>();
            self.analyze(frame.view, std::span<const Box>(given), chosen, *out);
            return out;
          },
          py::arg("image"), py::arg("boxes"), py::arg("format"), py::arg("bt709"), py::arg("options"))
      .def(
          "analyze_crops",
          [](const FaceAnalyzer& self, const py::object& image, const std::vector<std::array<std::array<float, 3>, 2>>& to_crop,
             const std::string& format, bool bt709, const py::dict& options) {
            const Frame frame = to_frame(image, format, bt709);
            std::vector<Affine> given;
            for (const auto& m : to_crop) given.push_back({m[0][0], m[0][1], m[0][2], m[1][0], m[1][1], m[1][2]});
            const AnalyzeOptions chosen = analyze_options(options);
            const py::gil_scoped_release release;
            auto out = std::make_shared<Faces>();
            self.analyze(frame.view, std::span<const Affine>(given), chosen, *out);
            return out;
          },
          py::arg("image"), py::arg("to_crop"), py::arg("format"), py::arg("bt709"), py::arg("options"))
      .def(
          "detect",
          [](const FaceAnalyzer& self, const py::object& image, const std::string& format, bool bt709, const py::dict& options) {
            const Frame frame = to_frame(image, format, bt709);
            const AnalyzeOptions chosen = analyze_options(options);
            std::vector<Detection> found;
            {
              const py::gil_scoped_release release;
              self.detect(frame.view, chosen, found);
            }
            py::list out;
            for (const Detection& d : found) {
              Face face;
              face.box = d.box;
              face.score = d.score;
              face.points = d.points;
              out.append(face_dict(face));
            }
            return out;
          },
          py::arg("image"), py::arg("format"), py::arg("bt709"), py::arg("options"))
      .def("crop_of_box",
           [](const FaceAnalyzer& self, const std::array<float, 4>& b) { return to_tuple(self.crop_of(Box{b[0], b[1], b[2], b[3]})); })
      .def("crop_of_points",
           [](const FaceAnalyzer& self, const std::array<std::array<float, 2>, 5>& p) { return to_tuple(self.crop_of(p)); })
      .def_property_readonly("labels", &FaceAnalyzer::labels)
      .def_property_readonly("side", &FaceAnalyzer::side)
      .def_property_readonly("depth_unit", &FaceAnalyzer::depth_unit)
      .def_property_readonly("landmark_count", &FaceAnalyzer::landmark_count)
      .def_property_readonly("crop_size",
                             [](const FaceAnalyzer& self) { return py::make_tuple(self.crop_size().height, self.crop_size().width); })
      .def_property_readonly("has_detector", &FaceAnalyzer::has_detector)
      .def_property_readonly("hash", &FaceAnalyzer::hash)
      .def_property_readonly("precision", &FaceAnalyzer::precision)
      .def_property_readonly("provider", &FaceAnalyzer::provider)
      .def_property_readonly("provider_reason", &FaceAnalyzer::provider_reason);

  py::class_<LockedTracker>(module, "FaceTracker", "Compiled FaceTracker; use forge_rt.FaceTracker.")
      .def(py::init([](const SharedAnalyzer& analyzer, int detect_every, float lost_below, bool smooth_landmarks, float min_cutoff_hz,
                       float beta, float derivative_cutoff_hz, float smooth_mask, const py::dict& analyze) {
             TrackerOptions options;
             options.detect_every = detect_every;
             options.lost_below = lost_below;
             options.smooth_landmarks = smooth_landmarks;
             options.min_cutoff_hz = min_cutoff_hz;
             options.beta = beta;
             options.derivative_cutoff_hz = derivative_cutoff_hz;
             options.smooth_mask = smooth_mask;
             options.analyze = analyze_options(analyze);
             auto out = std::make_unique<LockedTracker>();
             out->tracker = FaceTracker::make(analyzer, options);
             return out;
           }),
           py::arg("analyzer"), py::kw_only(), py::arg("detect_every"), py::arg("lost_below"), py::arg("smooth_landmarks"),
           py::arg("min_cutoff_hz"), py::arg("beta"), py::arg("derivative_cutoff_hz"), py::arg("smooth_mask"), py::arg("analyze"))
      .def(
          "update",
          [](LockedTracker& self, const py::object& image, double time_s, const std::string& format, bool bt709) {
            const Frame frame = to_frame(image, format, bt709);
            const py::gil_scoped_release release;
            auto out = std::make_shared<Faces>();
            const std::lock_guard<std::mutex> lock(self.mutex);
            self.tracker->update(frame.view, time_s, *out);
            return out;
          },
          py::arg("image"), py::arg("time_s"), py::arg("format"), py::arg("bt709"))
      .def("reset", [](LockedTracker& self) {
        const py::gil_scoped_release release;
        const std::lock_guard<std::mutex> lock(self.mutex);
        self.tracker->reset();
      });
}

}  // namespace forge_rt::python
