// Frame → detect → crop → network → decode → back in the frame. Design: docs/design/faces.md.
#include "forge_rt/models/face_analyzer.h"

#include <algorithm>
#include <cmath>

#include "models/faces/analyzer_impl.h"
#include "models/faces/stopwatch.h"

namespace forge_rt {

using faces::FaceMaps;
using faces::Stopwatch;
using faces::Target;
using faces::Workspace;

namespace {

constexpr int kAllFaces = 1024;  // more than any frame shows
constexpr float kSmallestBox = 0.5f;  // pixels
using faces::kLargestBox;

bool sane(const faces::FivePoints& points) {
  for (const auto& p : points)
    if (!(std::fabs(p[0]) < kLargestBox && std::fabs(p[1]) < kLargestBox)) return false;
  return true;
}

bool touches(const Box& box, int width, int height) {
  return box.right > 0 && box.bottom > 0 && box.left < static_cast<float>(width) && box.top < static_cast<float>(height);
}

void check_box(const Box& box, std::size_t index, const ImageView& frame) {
  const auto refuse = [&](const char* why) {
    throw Error(ErrorCode::invalid_argument,
                concat("box ", index, ", (", box.left, ", ", box.top, ") to (", box.right, ", ", box.bottom, "), ", why, frame.width, " x ",
                       frame.height, "; give left, top, right, bottom in frame pixels"));
  };
  if (!std::isfinite(box.left) || !std::isfinite(box.top) || !std::isfinite(box.right) || !std::isfinite(box.bottom))
    refuse("must be finite; the frame has ");
  if (!(box.width() > 0 && box.height() > 0)) refuse("must have its left before its right and its top above its bottom; the frame has ");
  if (!(box.width() <= kLargestBox && box.height() <= kLargestBox)) refuse("must have sides of at most a million pixels; the frame has ");
  if (!touches(box, frame.width, frame.height)) refuse("lies wholly outside the frame of ");
}

/// What is known of a face before its crop is looked at.
void begin(Face& face, const Box& box, float score, const faces::FivePoints& points) {
  face.box = box;
  face.score = score;
  face.points = points;
  face.track = -1;
}

/// Softmax of the logarithm is what it was: the rest of the pipeline sees logits only.
void probabilities_to_logits(Tensor& row) {
  float* values = row.mutable_data<float>();
  for (std::int64_t i = 0; i < row.count(); ++i) values[i] = std::log(std::max(values[i], 1e-30f));
}

}  // namespace

// ---- options ----

void AnalyzerOptions::validate() const {
  check_argument(batch >= 1 && batch <= 64, "batch must be 1..64, got ", batch);
  check_argument(threads >= 0 && threads <= 256, "threads must be 0 (as many as the engine) to 256, got ", threads);
  check_argument(!precision.empty(), "precision must be auto or a variant of the bundle, got ''");
  check_argument(parsing || landmarks || depth, "at least one of parsing, landmarks and depth must be wanted");
}

void AnalyzeOptions::validate() const {
  check_argument(max_faces >= 0, "max_faces must be 0 (all) or more, got ", max_faces);
  check_argument(detect_threshold >= 0 && detect_threshold <= 1, "detect_threshold must be in 0..1, got ", detect_threshold);
  check_argument(detect_size == 0 || (detect_size >= 32 && detect_size <= 4096 && detect_size % 32 == 0),
                 "detect_size must be 0 (the bundle's) or a multiple of 32 up to 4096, got ", detect_size);
  check_argument(min_face >= 0 && std::isfinite(min_face), "min_face must be 0 pixels or more, got ", min_face);
}

// ---- loading ----

FaceAnalyzer::Impl::Impl(const std::string& path, const AnalyzerOptions& options) {
  options.validate();
  const faces::NetworkPlace place{Device::parse(options.device), options.provider, options.threads};
  const Bundle bundle = Bundle::open(path);
  contract = faces::read_faces_contract(bundle);
  hash = bundle.hash();
  precision = choose_precision(contract.variants, options.precision, path);

  const faces::Wanted wanted{options.parsing, options.landmarks, options.depth};
  const auto load = [&](const std::string& variant) { network.emplace(bundle, contract, variant, wanted, options.batch, place); };
  // fp16 pays on a GPU only, and whether there is one shows when the network loads.
  const bool try_half = options.precision == "auto" && place.device.is_cuda() && contract.variants.count("fp16") != 0;
  if (try_half) load("fp16");
  if (try_half && network->device().is_cuda()) precision = "fp16";
  else load(precision);

  parsing = contract.parsing && options.parsing;
  landmarks = contract.landmarks && options.landmarks;
  depth = contract.depth && options.depth;
  if (landmarks) landmark_count = static_cast<int>(network->shape(contract.landmarks->tensor)[0]);
  if (depth) depth_unit = contract.depth->unit;
  if (!parsing) contract.labels.clear();
  if (parsing)
    for (const int id : contract.parsing->ignore) ignored_classes |= std::uint64_t{1} << id;

  const auto load_detector = [&](const Bundle& from, const faces::DetectorContract& found) {
    const bool same = found.variants.count(precision) != 0;
    detector.emplace(from, found, same ? precision : choose_precision(found.variants, "auto", from.path()), place);
  };
  if (!options.detector.empty()) {
    const Bundle other = Bundle::open(options.detector);
    load_detector(other, faces::read_detector_contract(other));
  } else if (contract.detector) {
    load_detector(bundle, *contract.detector);
  }
}

FaceAnalyzer::FaceAnalyzer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
FaceAnalyzer::~FaceAnalyzer() = default;

std::shared_ptr<const FaceAnalyzer> FaceAnalyzer::load(const std::string& bundle, const AnalyzerOptions& options) {
  return std::shared_ptr<const FaceAnalyzer>(new FaceAnalyzer(std::make_unique<const Impl>(bundle, options)));
}

// ---- workspaces ----

std::unique_ptr<Workspace> FaceAnalyzer::Impl::take_workspace() const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Workspace> taken = std::move(idle_.back());
      idle_.pop_back();
      return taken;
    }
    idle_.reserve(++workspaces_);  // room for all of them, so that giving one back cannot fail
  }
  auto made = std::make_unique<Workspace>();
  made->batches.emplace(*network);
  if (depth) {
    const Shape& shape = network->shape(contract.depth->tensor);
    for (int i = 0; i < network->capacity(); ++i)
      made->depth_rows.push_back(made->batches->row(contract.depth->tensor, i).reshape({shape[1], shape[2]}));
  }
  if (detector) made->detector.emplace(*detector);
  return made;
}

void FaceAnalyzer::Impl::keep_workspace(std::unique_ptr<Workspace> workspace) const noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(workspace));
}

void Workspace::resize(std::vector<Face>& faces, std::size_t count) {
  while (faces.size() > count) {
    spare.push_back(std::move(faces.back()));
    faces.pop_back();
  }
  while (faces.size() < count) {
    if (spare.empty()) {
      faces.emplace_back();
      continue;
    }
    faces.push_back(std::move(spare.back()));
    spare.pop_back();
  }
  if (spare.size() > kAllFaces) spare.resize(kAllFaces);
}

// ---- detect ----

void FaceAnalyzer::Impl::detect(Workspace& workspace, const ImageView& frame, const AnalyzeOptions& options, StageTimes& ms,
                                std::vector<Detection>& out) const {
  check(detector.has_value(), ErrorCode::unsupported,
        "the bundle has no detector; give boxes, or name another bundle's in AnalyzerOptions::detector");
  const faces::DetectorContract& about = detector->contract();
  const faces::Letterbox letterbox = detector->letterbox(frame.width, frame.height, options.detect_size);
  Stopwatch watch;
  faces::DetectorRun& run = workspace.detector->of(letterbox.input);
  const Affine to_frame = letterbox.to_frame();
  run.input.fill(frame, {&to_frame, 1}, 0, about.input.pixels);
  ms.detect_preprocess += watch.lap();
  run.run();
  ms.detect_network += watch.lap();

  const float threshold = options.detect_threshold > 0 ? options.detect_threshold : about.threshold;
  decode_faces(run.score, run.box, run.points,
               {.stride = about.stride, .score_threshold = threshold, .iou_threshold = about.iou, .max_faces = kAllFaces}, out);
  const float scale = 1 / letterbox.scale;
  for (Detection& face : out) {
    face.box = {scale * face.box.left, scale * face.box.top, scale * face.box.right, scale * face.box.bottom};
    for (auto& p : face.points) p = {scale * p[0], scale * p[1]};
    if (!sane(face.points)) face.points = {};  // the box is used
  }
  std::erase_if(out, [&](const Detection& face) {  // also what the black margin seems to show
    const float width = face.box.width(), height = face.box.height();
    const bool sane = width > kSmallestBox && height > kSmallestBox && width < kLargestBox && height < kLargestBox;
    return !sane || !touches(face.box, frame.width, frame.height) || std::max(width, height) < options.min_face;
  });
  if (options.max_faces > 0 && out.size() > static_cast<std::size_t>(options.max_faces)) out.resize(options.max_faces);
  ms.detect_decode += watch.lap();
}

// ---- look ----

Affine FaceAnalyzer::Impl::crop_of(const Face& face) const {
  return faces::usable_points(contract.crop, face.points) ? faces::crop_of_points(contract.crop, contract.input.size, face.points)
                                                          : faces::crop_of_box(contract.crop, contract.input.size, face.box);
}

void FaceAnalyzer::Impl::clear(const ImageView& frame, const AnalyzeOptions& options, Faces& out) const {
  const std::size_t pixels = static_cast<std::size_t>(frame.width) * frame.height;
  out.width = frame.width;
  out.height = frame.height;
  out.mask.assign(options.mask && parsing ? pixels : 0, 0);
  out.confidence.assign(options.confidence && parsing ? pixels : 0, 0);
  out.depth.assign(options.depth_map && depth ? pixels : 0, 0.f);
  out.ms = {};
}

FaceMaps FaceAnalyzer::Impl::maps_of(Workspace& workspace, int row) const {
  FaceMaps maps;
  maps.ignored = ignored_classes;
  maps.classes = static_cast<int>(contract.labels.size());
  if (parsing) maps.logits = &workspace.batches->row(contract.parsing->tensor, row);
  if (depth) {
    maps.depth = &workspace.depth_rows[row];
    maps.depth_scale = contract.depth->scale;
  }
  return maps;
}

void FaceAnalyzer::Impl::read_landmarks(const Tensor& row, const Target& target) const {
  const faces::LandmarksContract& about = *contract.landmarks;
  const float width = static_cast<float>(contract.input.size.width), height = static_cast<float>(contract.input.size.height);
  Face& face = *target.face;
  face.landmarks.resize(landmark_count);
  face.visibility.resize(about.visible ? landmark_count : 0);
  const float* value = row.data<float>();
  for (int k = 0; k < landmark_count; ++k, value += about.columns()) {
    float x = value[0], y = value[1];
    if (about.unit == faces::LandmarkUnit::signed_crop) x = 0.5f * x + 0.5f, y = 0.5f * y + 0.5f;
    if (about.unit != faces::LandmarkUnit::pixels) x *= width, y *= height;
    target.to_frame.map(x, y, face.landmarks[k][0], face.landmarks[k][1]);
    if (about.visible) face.visibility[k] = 1 / (1 + std::exp(-value[2]));
  }
  if (landmark_count == 68 && face.points == faces::FivePoints{}) face.points = faces::five_points_of(face.landmarks);
}

void FaceAnalyzer::Impl::look(Workspace& workspace, std::span<const ImageView> frames, const AnalyzeOptions& options, std::span<Faces> out,
                              faces::Watcher* watcher) const {
  const ImageSize crop = contract.input.size;
  std::vector<Target>& targets = workspace.targets;
  for (Target& target : targets) {
    target.to_frame = target.face->to_crop.inverse();
    target.face->rect = crop_footprint(target.to_frame, crop.width, crop.height, frames[target.frame].width, frames[target.frame].height);
  }
  // Batches in the order of painting: larger faces over smaller ones, better ones over equals.
  std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    if (a.frame != b.frame) return a.frame < b.frame;
    const float area_a = a.face->box.width() * a.face->box.height(), area_b = b.face->box.width() * b.face->box.height();
    return area_a != area_b ? area_a < area_b : a.face > b.face;
  });

  const int count = static_cast<int>(targets.size());
  for (int first = 0; first < count;) {
    const faces::FaceNetwork::Step step = network->next_step(count - first);
    Stopwatch watch;
    for (int row = 0; row < step.faces;) {  // neighbours in the batch that share a frame
      const int frame = targets[first + row].frame;
      const int start = row;
      workspace.crops.clear();
      for (; row < step.faces && targets[first + row].frame == frame; ++row) workspace.crops.push_back(targets[first + row].to_frame);
      workspace.batches->input().fill(frames[frame], workspace.crops, start, contract.input.pixels);
      out[frame].ms.crop += watch.lap();
    }
    workspace.batches->run(step.batch);
    const double share_ms = watch.lap() / step.faces;
    for (int row = 0; row < step.faces; ++row) {
      const Target& target = targets[first + row];
      Faces& result = out[target.frame];
      Face& face = *target.face;
      result.ms.network += share_ms;
      face.landmarks.clear();
      face.visibility.clear();
      face.confidence = 0;
      if (landmarks) read_landmarks(workspace.batches->row(contract.landmarks->tensor, row), target);
      const FaceMaps maps = maps_of(workspace, row);
      if (parsing) {
        if (contract.parsing->probabilities) probabilities_to_logits(*maps.logits);
        if (watcher != nullptr && logits_on_host()) watcher->on_logits(target, *maps.logits);
        face.confidence = workspace.painter.confidence(maps, crop, target.to_frame, result.width, result.height);
      }
      if (watcher == nullptr || watcher->keep(target)) workspace.painter.paint(maps, crop, options, face, result);
      result.ms.unwarp += watch.lap();
    }
    first += step.faces;
  }
}

// ---- the calls ----

namespace {

/// The parser has the last word on what the detector found: with a face before it it is sure of most pixels.
class Verifier : public faces::Watcher {
 public:
  explicit Verifier(float confidence) : confidence_(confidence) {}
  void on_logits(const Target&, Tensor&) override {}
  bool keep(const Target& target) override { return holds(*target.face); }
  bool holds(const Face& face) const { return face.confidence >= confidence_; }

 private:
  float confidence_;
};

}  // namespace

void FaceAnalyzer::analyze(const ImageView& frame, const AnalyzeOptions& options, Faces& out) const {
  analyze(std::span(&frame, 1), options, std::span(&out, 1));
}

void FaceAnalyzer::analyze(std::span<const ImageView> frames, const AnalyzeOptions& options, std::span<Faces> out) const {
  Stopwatch whole;
  options.validate();
  check_argument(frames.size() == out.size(), "there must be one result per frame, got ", out.size(), " for ", frames.size(), " frames");
  for (const ImageView& frame : frames) frame.validate();
  const Impl::Lease lease(*impl_);
  Workspace& workspace = *lease;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    impl_->clear(frames[i], options, out[i]);
    impl_->detect(workspace, frames[i], options, out[i].ms, workspace.detections);
    workspace.resize(out[i].faces, workspace.detections.size());
    for (std::size_t k = 0; k < workspace.detections.size(); ++k) {
      const Detection& found = workspace.detections[k];
      Face& face = out[i].faces[k];
      begin(face, found.box, found.score, found.points);
      face.to_crop = impl_->crop_of(face);
    }
  }
  workspace.targets.clear();
  for (std::size_t i = 0; i < frames.size(); ++i)
    for (Face& face : out[i].faces) workspace.targets.push_back({static_cast<int>(i), &face});
  Verifier verifier(impl_->verification());
  impl_->look(workspace, frames, options, out, &verifier);
  for (Faces& result : out) {
    std::size_t kept = 0;
    for (Face& face : result.faces)
      if (verifier.holds(face)) std::swap(face, result.faces[kept++]);
    workspace.resize(result.faces, kept);
  }
  const double total_ms = whole.lap();
  for (Faces& result : out) result.ms.total = total_ms;
}

void FaceAnalyzer::analyze(const ImageView& frame, std::span<const Box> boxes, const AnalyzeOptions& options, Faces& out) const {
  Stopwatch whole;
  options.validate();
  frame.validate();
  for (std::size_t i = 0; i < boxes.size(); ++i) check_box(boxes[i], i, frame);
  const Impl::Lease lease(*impl_);
  Workspace& workspace = *lease;
  impl_->clear(frame, options, out);
  workspace.resize(out.faces, boxes.size());
  workspace.targets.clear();
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    Face& face = out.faces[i];
    begin(face, boxes[i], 1, {});
    face.to_crop = impl_->crop_of(face);
    workspace.targets.push_back({0, &face});
  }
  impl_->look(workspace, {&frame, 1}, options, {&out, 1}, nullptr);
  out.ms.total = whole.lap();
}

void FaceAnalyzer::analyze(const ImageView& frame, std::span<const Affine> to_crop, const AnalyzeOptions& options, Faces& out) const {
  Stopwatch whole;
  options.validate();
  frame.validate();
  const ImageSize crop = impl_->contract.input.size;
  for (std::size_t i = 0; i < to_crop.size(); ++i) {
    const Affine to_frame = to_crop[i].inverse();
    check_argument(!crop_footprint(to_frame, crop.width, crop.height, frame.width, frame.height).empty(), "crop ", i,
                   " lies wholly outside the frame of ", frame.width, " x ", frame.height,
                   "; give matrices from frame pixels to crop pixels");
  }
  const Impl::Lease lease(*impl_);
  Workspace& workspace = *lease;
  impl_->clear(frame, options, out);
  workspace.resize(out.faces, to_crop.size());
  workspace.targets.clear();
  for (std::size_t i = 0; i < to_crop.size(); ++i) {
    Face& face = out.faces[i];
    begin(face, faces::box_around_crop(to_crop[i].inverse(), crop), 1, {});
    face.to_crop = to_crop[i];
    workspace.targets.push_back({0, &face});
  }
  impl_->look(workspace, {&frame, 1}, options, {&out, 1}, nullptr);
  out.ms.total = whole.lap();
}

void FaceAnalyzer::detect(const ImageView& frame, const AnalyzeOptions& options, std::vector<Detection>& out) const {
  options.validate();
  frame.validate();
  const Impl::Lease lease(*impl_);
  StageTimes ms;
  impl_->detect(*lease, frame, options, ms, out);
}

Affine FaceAnalyzer::crop_of(const std::array<std::array<float, 2>, 5>& points) const {
  return faces::crop_of_points(impl_->contract.crop, impl_->contract.input.size, points);
}
Affine FaceAnalyzer::crop_of(const Box& box) const { return faces::crop_of_box(impl_->contract.crop, impl_->contract.input.size, box); }

const std::vector<LabelInfo>& FaceAnalyzer::labels() const { return impl_->contract.labels; }
const std::string& FaceAnalyzer::side() const { return impl_->contract.side; }
const std::string& FaceAnalyzer::depth_unit() const { return impl_->depth_unit; }
int FaceAnalyzer::landmark_count() const { return impl_->landmark_count; }
ImageSize FaceAnalyzer::crop_size() const { return impl_->contract.input.size; }
bool FaceAnalyzer::has_detector() const { return impl_->detector.has_value(); }
const std::string& FaceAnalyzer::hash() const { return impl_->hash; }
const std::string& FaceAnalyzer::precision() const { return impl_->precision; }
const std::string& FaceAnalyzer::provider() const { return impl_->network->provider(); }
const std::string& FaceAnalyzer::provider_reason() const { return impl_->network->provider_reason(); }

}  // namespace forge_rt
