// frt_analyzer, frt_faces, frt_tracker: FaceAnalyzer over frames of the caller.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "capi.h"
#include "forge_rt/backends/backend.h"
#include "forge_rt/models/face_analyzer.h"

struct frt_analyzer {
  std::shared_ptr<const forge_rt::FaceAnalyzer> analyzer;
};
struct frt_faces {
  forge_rt::Faces result;
  std::vector<forge_rt::Box> boxes;  // of the caller; here, so that their room is kept
};
struct frt_tracker {
  std::unique_ptr<forge_rt::FaceTracker> tracker;
};

namespace forge_rt::capi {
namespace {

bool flag(std::int32_t value, const char* name) {
  check_argument(value == 0 || value == 1, name, " must be 0 or 1, got ", value);
  return value == 1;
}

const char* text(const char* given, const char* otherwise) { return given != nullptr ? given : otherwise; }

ImageView view_of(const frt_image_view* image) {
  const frt_image_view v = read_struct(image, "image", "FRT_IMAGE_VIEW_INIT");
  check_reserved(v.reserved, "image.reserved");
  check_argument(v.format >= FRT_PIXELS_RGB && v.format <= FRT_PIXELS_NV12, "image.format must be one of FRT_PIXELS_..., got ", v.format);
  ImageView out;
  out.data = v.data;
  out.width = v.width;
  out.height = v.height;
  out.stride = v.stride;
  out.format = static_cast<PixelFormat>(v.format);
  out.uv = v.uv;
  out.uv_stride = v.uv_stride;
  out.bt709 = flag(v.bt709, "image.bt709");
  return out;
}

AnalyzeOptions options_of(const frt_analyze_options* options) {
  const frt_analyze_options o = options != nullptr ? read_struct(options, "options", "FRT_ANALYZE_OPTIONS_INIT") : init_of(options);
  AnalyzeOptions out;
  out.max_faces = o.max_faces;
  out.detect_threshold = o.detect_threshold;
  out.detect_size = o.detect_size;
  out.min_face = o.min_face;
  out.mask = flag(o.mask, "options.mask");
  out.confidence = flag(o.confidence, "options.confidence");
  out.depth_map = flag(o.depth_map, "options.depth_map");
  out.nearest = flag(o.nearest, "options.nearest");
  return out;
}

AnalyzerOptions options_of(const frt_analyzer_options* options) {
  const frt_analyzer_options o = options != nullptr ? read_struct(options, "options", "FRT_ANALYZER_OPTIONS_INIT") : init_of(options);
  AnalyzerOptions out;
  out.device = text(o.device, "cpu");
  out.provider = text(o.provider, "auto");
  out.precision = text(o.precision, "auto");
  out.threads = o.threads;
  out.detector = text(o.detector, "");
  out.parsing = flag(o.parsing, "options.parsing");
  out.landmarks = flag(o.landmarks, "options.landmarks");
  out.depth = flag(o.depth, "options.depth");
  out.batch = o.batch;
  return out;
}

TrackerOptions options_of(const frt_tracker_options* options) {
  const frt_tracker_options o = options != nullptr ? read_struct(options, "options", "FRT_TRACKER_OPTIONS_INIT") : init_of(options);
  TrackerOptions out;
  out.detect_every = o.detect_every;
  out.lost_below = o.lost_below;
  out.smooth_landmarks = flag(o.smooth_landmarks, "options.smooth_landmarks");
  out.min_cutoff_hz = o.min_cutoff_hz;
  out.beta = o.beta;
  out.derivative_cutoff_hz = o.derivative_cutoff_hz;
  out.smooth_mask = o.smooth_mask;
  out.analyze = options_of(o.analyze);
  return out;
}

/// Empties a result without giving its memory back.
void clear(Faces& faces) {
  faces.faces.clear();
  faces.width = faces.height = 0;
  faces.mask.clear();
  faces.confidence.clear();
  faces.depth.clear();
  faces.ms = {};
}

/// A body that fills `faces`: what failed halfway is not a result.
template <class Body>
frt_status filling(frt_faces* faces, const Body& body) {
  const frt_status status = guarded([&] {
    check_pointer(faces, "faces");
    body(faces->result);
  });
  if (status != FRT_OK && faces != nullptr) clear(faces->result);
  return status;
}

template <class T>
frt_status give_map(const frt_faces* faces, std::vector<T> Faces::* map, const char* what, const T** data, int32_t* width, int32_t* height,
                    int64_t* stride) {
  return guarded([&] {
    check_pointer(data, "data");
    *data = nullptr;
    check_pointer(faces, "faces");
    const std::vector<T>& pixels = faces->result.*map;
    check_argument(!pixels.empty(), "this result has no ", what);
    *data = pixels.data();
    if (width != nullptr) *width = faces->result.width;
    if (height != nullptr) *height = faces->result.height;
    if (stride != nullptr) *stride = static_cast<std::int64_t>(faces->result.width) * static_cast<std::int64_t>(sizeof(T));
  });
}

}  // namespace
}  // namespace forge_rt::capi

using namespace forge_rt;
using namespace forge_rt::capi;

// ---- ONNX Runtime ----

frt_status frt_set_runtime_library(const char* path) {
  return guarded([&] { set_runtime_library(text(path, "")); });
}

frt_status frt_runtime_query(frt_runtime_info* info) {
  return guarded([&] {
    check_struct(info, "info", "FRT_RUNTIME_INFO_INIT", sizeof(frt_runtime_info));
    thread_local RuntimeInfo known;
    known = runtime_info();
    write_struct(info, frt_runtime_info{0, 0, known.path.c_str(), known.found_by.c_str(), known.version.c_str()}, "info",
                 "FRT_RUNTIME_INFO_INIT");
  });
}

// ---- analyzer ----

frt_status frt_analyzer_load(const char* bundle, const frt_analyzer_options* options, frt_analyzer** analyzer) {
  return guarded([&] {
    check_pointer(analyzer, "analyzer");
    *analyzer = nullptr;
    check_pointer(bundle, "bundle");
    *analyzer = new frt_analyzer{FaceAnalyzer::load(bundle, options_of(options))};
  });
}

void frt_analyzer_free(frt_analyzer* analyzer) { delete analyzer; }

frt_status frt_analyzer_get_info(const frt_analyzer* analyzer, frt_analyzer_info* info) {
  return guarded([&] {
    check_pointer(analyzer, "analyzer");
    const FaceAnalyzer& a = *analyzer->analyzer;
    const ImageSize crop = a.crop_size();
    write_struct(info,
                 frt_analyzer_info{0, static_cast<std::int32_t>(a.labels().size()), a.landmark_count(), crop.height, crop.width,
                                   a.has_detector() ? 1 : 0, a.side().c_str(), a.depth_unit().c_str(), a.hash().c_str(),
                                   a.precision().c_str(), a.provider().c_str(), a.provider_reason().c_str()},
                 "info", "FRT_ANALYZER_INFO_INIT");
  });
}

frt_status frt_analyzer_get_label(const frt_analyzer* analyzer, int32_t row, frt_label_info* info) {
  return guarded([&] {
    check_pointer(analyzer, "analyzer");
    give_label(analyzer->analyzer->labels(), row, info);
  });
}

// ---- results ----

frt_status frt_faces_new(frt_faces** faces) {
  return guarded([&] {
    check_pointer(faces, "faces");
    *faces = nullptr;
    *faces = new frt_faces{};
  });
}

void frt_faces_free(frt_faces* faces) { delete faces; }

frt_status frt_analyzer_analyze(const frt_analyzer* analyzer, const frt_image_view* image, const frt_analyze_options* options,
                                frt_faces* faces) {
  return filling(faces, [&](Faces& out) {
    check_pointer(analyzer, "analyzer");
    analyzer->analyzer->analyze(view_of(image), options_of(options), out);
  });
}

frt_status frt_analyzer_analyze_boxes(const frt_analyzer* analyzer, const frt_image_view* image, const float* boxes, int32_t count,
                                      const frt_analyze_options* options, frt_faces* faces) {
  return filling(faces, [&](Faces& out) {
    check_pointer(analyzer, "analyzer");
    check_argument(count >= 0, "count must be >= 0, got ", count);
    check_argument(boxes != nullptr || count == 0, "boxes is NULL; pass [count, 4] floats");
    faces->boxes.clear();
    for (std::int32_t i = 0; i < count; ++i, boxes += 4) faces->boxes.push_back({boxes[0], boxes[1], boxes[2], boxes[3]});
    analyzer->analyzer->analyze(view_of(image), std::span<const Box>(faces->boxes), options_of(options), out);
  });
}

frt_status frt_faces_count(const frt_faces* faces, int32_t* count) {
  return guarded([&] {
    check_pointer(faces, "faces");
    check_pointer(count, "count");
    *count = static_cast<std::int32_t>(faces->result.faces.size());
  });
}

frt_status frt_faces_get(const frt_faces* faces, int32_t index, frt_face* face) {
  return guarded([&] {
    check_pointer(faces, "faces");
    const std::vector<Face>& found = faces->result.faces;
    check_argument(index >= 0 && index < static_cast<std::int32_t>(found.size()), "index is ", index, ", this result has ", found.size(),
                   " faces; see frt_faces_count");
    const Face& f = found[static_cast<std::size_t>(index)];
    frt_face out = FRT_FACE_INIT;
    out.track = f.track;
    const float box[4] = {f.box.left, f.box.top, f.box.right, f.box.bottom};
    std::copy_n(box, 4, out.box);
    out.score = f.score;
    out.confidence = f.confidence;
    for (std::size_t i = 0; i < f.points.size(); ++i) std::copy_n(f.points[i].data(), 2, out.points + 2 * i);
    const float to_crop[6] = {f.to_crop.a, f.to_crop.b, f.to_crop.c, f.to_crop.d, f.to_crop.e, f.to_crop.f};
    std::copy_n(to_crop, 6, out.to_crop);
    const std::int32_t rect[4] = {f.rect.left, f.rect.top, f.rect.right, f.rect.bottom};
    std::copy_n(rect, 4, out.rect);
    out.landmark_count = static_cast<std::int32_t>(f.landmarks.size());
    out.area_count = static_cast<std::int32_t>(f.area.size());
    if (!f.landmarks.empty()) out.landmarks = f.landmarks.data()->data();
    if (!f.visibility.empty()) out.visibility = f.visibility.data();
    if (!f.area.empty()) out.area = f.area.data();
    write_struct(face, out, "face", "FRT_FACE_INIT");
  });
}

frt_status frt_faces_mask(const frt_faces* faces, const uint8_t** data, int32_t* width, int32_t* height, int64_t* stride) {
  return give_map(faces, &Faces::mask, "mask: it needs an image, options.mask = 1 and a bundle with parsing", data, width, height, stride);
}

frt_status frt_faces_confidence(const frt_faces* faces, const uint8_t** data, int32_t* width, int32_t* height, int64_t* stride) {
  return give_map(faces, &Faces::confidence, "confidence: it needs an image, options.confidence = 1 and a bundle with parsing", data, width,
                  height, stride);
}

frt_status frt_faces_depth(const frt_faces* faces, const float** data, int32_t* width, int32_t* height, int64_t* stride) {
  return give_map(faces, &Faces::depth, "depth: it needs an image, options.depth_map = 1 and a bundle with depth", data, width, height,
                  stride);
}

frt_status frt_faces_times(const frt_faces* faces, frt_stage_times* times) {
  return guarded([&] {
    check_pointer(faces, "faces");
    const StageTimes& ms = faces->result.ms;
    write_struct(times,
                 frt_stage_times{0, 0, ms.detect_preprocess, ms.detect_network, ms.detect_decode, ms.crop, ms.network, ms.unwarp, ms.total},
                 "times", "FRT_STAGE_TIMES_INIT");
  });
}

// ---- tracker ----

frt_status frt_tracker_new(const frt_analyzer* analyzer, const frt_tracker_options* options, frt_tracker** tracker) {
  return guarded([&] {
    check_pointer(tracker, "tracker");
    *tracker = nullptr;
    check_pointer(analyzer, "analyzer");
    *tracker = new frt_tracker{FaceTracker::make(analyzer->analyzer, options_of(options))};
  });
}

void frt_tracker_free(frt_tracker* tracker) { delete tracker; }

frt_status frt_tracker_update(frt_tracker* tracker, const frt_image_view* image, double time_s, frt_faces* faces) {
  return filling(faces, [&](Faces& out) {
    check_pointer(tracker, "tracker");
    tracker->tracker->update(view_of(image), time_s, out);
  });
}

frt_status frt_tracker_reset(frt_tracker* tracker) {
  return guarded([&] {
    check_pointer(tracker, "tracker");
    tracker->tracker->reset();
  });
}
