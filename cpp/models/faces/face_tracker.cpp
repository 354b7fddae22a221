// Faces of a video. Between detections the next crop is where the last landmarks were; a detection brings new faces, and finds lost ones.
#include <algorithm>
#include <cmath>

#include "models/faces/analyzer_impl.h"
#include "models/faces/logits_memory.h"
#include "models/faces/one_euro.h"
#include "models/faces/stopwatch.h"

namespace forge_rt {
namespace {

using faces::Target;
using Points = std::vector<std::array<float, 2>>;

constexpr double kForgetAfter_s = 1.0;  // a lost face keeps its number so long
constexpr double kCoast_s = 0.5;        // and is expected to go on moving so long
// A face that so many detections in a row do not confirm is given up. While any face is lost there is one in each frame: of those, one in
// detect_every frames counts.
constexpr int kMissedDetections = 3;
constexpr float kSameFace = 0.25f, kSameLostFace = 0.1f;  // IoU of a detection and the place where a face is expected
constexpr float kDrifted = 0.5f;        // below this IoU the crop is taken from the detection
constexpr float kOneAndTheSame = 0.6f;  // IoU of two tracks that follow one face
constexpr float kGrowth = 2.f;          // a face that changes its size by more between two frames is none
constexpr float kVelocityWeight = 0.4f;

Box moved(const Box& box, float x, float y) { return {box.left + x, box.top + y, box.right + x, box.bottom + y}; }
float size_of(const Box& box) { return std::sqrt(std::max(box.width() * box.height(), 1e-6f)); }
std::array<float, 2> centre_of(const Box& box) { return {0.5f * (box.left + box.right), 0.5f * (box.top + box.bottom)}; }
bool finite(const Points& points) {
  for (const auto& p : points)
    if (!std::isfinite(p[0]) || !std::isfinite(p[1])) return false;
  return true;
}

enum class State {
  waiting,  // not looked at in this frame
  held,     // seen in this frame
  lost
};

struct Track {
  int id = 0;
  State state = State::waiting;
  bool was_held = false;     // in the last frame
  bool placed = false;       // face.to_crop says where to look
  Face face;                 // of this frame
  Points landmarks;          // of the last frame that held it, unfiltered
  Box box;                   // there
  std::array<float, 2> velocity{};  // pixels per second
  double seen_s = 0;
  int missed = 0;            // detections in a row, at least detect_every frames apart
  std::int64_t judged = 0;   // the frame that confirmed it or counted a miss
  bool confirmed = false;    // by the detection of this frame
  std::vector<faces::OneEuroPoint> filters;
  faces::LogitsMemory memory;

  Box expected(double time_s) const {
    const float dt = static_cast<float>(std::min(time_s - seen_s, kCoast_s));
    return moved(box, dt * velocity[0], dt * velocity[1]);
  }
};

}  // namespace

void TrackerOptions::validate() const {
  check_argument(detect_every >= 1, "detect_every must be 1 (each frame) or more, got ", detect_every);
  check_argument(lost_below >= 0 && lost_below <= 1, "lost_below must be in 0..1, got ", lost_below);
  check_argument(min_cutoff_hz > 0 && std::isfinite(min_cutoff_hz), "min_cutoff_hz must be above 0, got ", min_cutoff_hz);
  check_argument(beta >= 0 && std::isfinite(beta), "beta must be 0 or more, got ", beta);
  check_argument(derivative_cutoff_hz > 0 && std::isfinite(derivative_cutoff_hz), "derivative_cutoff_hz must be above 0, got ",
                 derivative_cutoff_hz);
  check_argument(smooth_mask >= 0 && smooth_mask <= 0.95f, "smooth_mask must be in 0..0.95, got ", smooth_mask);
  analyze.validate();
}

struct FaceTracker::Impl final : faces::Watcher {
  Impl(std::shared_ptr<const FaceAnalyzer> shared, const FaceAnalyzer::Impl& loaded, const TrackerOptions& chosen)
      : analyzer(std::move(shared)), model(loaded), options(chosen), by_landmarks(loaded.landmark_count > 1) {}

  void update(const ImageView& frame, double time_s, Faces& out);
  void reset() {
    for (Track& track : tracks) spare.push_back(std::move(track));
    tracks.clear();
    since_detection = 0;
    size = {0, 0};
  }

  Track& new_track();
  void forget_lost();

  // ---- the steps of a frame ----
  void detect(faces::Workspace& workspace, const ImageView& frame, Faces& out);
  void look(faces::Workspace& workspace, const ImageView& frame, Faces& out);
  void smooth(Track& track);
  void remember(Track& track) const;

  // ---- between the steps of the analyzer ----
  void on_logits(const Target& target, Tensor& logits) override;
  bool keep(const Target& target) override;

  bool plausible(const Track& track) const;
  bool is_another_track(const Track& track);
  Affine next_crop(const Track& track) const;
  void place(Track& track, const Detection& detection) const;
  /// Lost faces do not count: a new one need not wait until they are forgotten.
  bool full() const {
    const auto followed = std::count_if(tracks.begin(), tracks.end(), [](const Track& t) { return t.state != State::lost; });
    return options.analyze.max_faces > 0 && followed >= options.analyze.max_faces;
  }
  bool any_lost() const {
    return std::any_of(tracks.begin(), tracks.end(), [](const Track& t) { return t.state == State::lost; });
  }

  std::shared_ptr<const FaceAnalyzer> analyzer;
  const FaceAnalyzer::Impl& model;
  TrackerOptions options;
  bool by_landmarks;
  std::vector<Track> tracks, spare;  // spare: for their buffers
  std::vector<int> track_of;  // detections
  std::vector<const Track*> shown;
  ImageSize size{0, 0};
  bool started = false;
  double time_s = 0, dt_s = 0;
  int next_id = 0, since_detection = 0;
  std::int64_t frame_number = 0;
};

void FaceTracker::Impl::update(const ImageView& frame, double now_s, Faces& out) {
  faces::Stopwatch whole;
  frame.validate();
  check_argument(std::isfinite(now_s), "time_s must be finite");
  check_argument(!started || now_s > time_s, "time_s must rise: got ", now_s, " s after ", time_s, " s; call reset() for another video");
  if (size != ImageSize{frame.height, frame.width}) reset();
  dt_s = started ? now_s - time_s : 0;
  time_s = now_s;
  started = true;
  size = {frame.height, frame.width};

  const FaceAnalyzer::Impl::Lease lease(model);
  faces::Workspace& workspace = *lease;
  model.clear(frame, options.analyze, out);
  for (Track& track : tracks) {
    // without landmarks: a new face of a call that failed before it was remembered
    track.was_held = track.state == State::held && (!by_landmarks || !track.landmarks.empty());
    track.placed = track.was_held && by_landmarks;
    if (track.placed) track.face.to_crop = next_crop(track);
    track.state = track.placed ? State::waiting : State::lost;
  }

  ++frame_number;
  ++since_detection;
  const bool due = tracks.empty() || since_detection >= options.detect_every || any_lost() || !by_landmarks;
  if (due) detect(workspace, frame, out);
  look(workspace, frame, out);
  if (!due && any_lost()) {  // in the same frame: a face that moved on is not missing from the picture
    detect(workspace, frame, out);
    look(workspace, frame, out);
  }

  forget_lost();
  shown.clear();
  for (const Track& track : tracks)
    if (track.state == State::held) shown.push_back(&track);
  std::sort(shown.begin(), shown.end(),
            [](const Track* a, const Track* b) { return a->face.score != b->face.score ? a->face.score > b->face.score : a->id < b->id; });
  workspace.resize(out.faces, shown.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    out.faces[i] = shown[i]->face;
    out.faces[i].track = shown[i]->id;
  }
  out.ms.total = whole.lap();
}

// With the buffers of a track that is gone: people come and go without an allocation.
Track& FaceTracker::Impl::new_track() {
  if (spare.empty()) {
    tracks.emplace_back();
  } else {
    tracks.push_back(std::move(spare.back()));
    spare.pop_back();
  }
  Track& track = tracks.back();
  track.id = next_id++;
  track.state = State::waiting;
  track.was_held = track.placed = track.confirmed = false;
  track.landmarks.clear();
  track.velocity = {};
  track.seen_s = time_s;
  track.missed = 0;
  track.judged = frame_number;
  track.memory.forget();  // the filters start anew with the first frame that holds the face
  return track;
}

void FaceTracker::Impl::forget_lost() {
  for (std::size_t i = 0; i < tracks.size();) {
    const Track& track = tracks[i];
    if (track.state == State::held || (track.missed < kMissedDetections && time_s - track.seen_s <= kForgetAfter_s)) {
      ++i;
      continue;
    }
    spare.push_back(std::move(tracks[i]));
    tracks.erase(tracks.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// Detections go to the tracks that are expected where they are: to held ones first, then to lost ones. The others are new faces.
void FaceTracker::Impl::detect(faces::Workspace& workspace, const ImageView& frame, Faces& out) {
  since_detection = 0;
  std::vector<Detection>& found = workspace.detections;
  model.detect(workspace, frame, options.analyze, out.ms, found);
  track_of.assign(found.size(), -1);
  for (Track& track : tracks) track.confirmed = false;
  for (const bool lost : {false, true}) {
    while (!lost || !full()) {  // the best pair that is left
      float best = lost ? kSameLostFace : kSameFace;
      int best_track = -1, best_detection = -1;
      for (std::size_t t = 0; t < tracks.size(); ++t) {
        if (tracks[t].confirmed || (tracks[t].state == State::lost) != lost) continue;
        const Box expected = tracks[t].expected(time_s);
        for (std::size_t d = 0; d < found.size(); ++d) {
          const float overlap = track_of[d] < 0 ? box_iou(expected, found[d].box) : 0.f;
          if (overlap > best) best = overlap, best_track = static_cast<int>(t), best_detection = static_cast<int>(d);
        }
      }
      if (best_track < 0) break;
      Track& track = tracks[best_track];
      track_of[best_detection] = best_track;
      track.confirmed = true;
      track.face.score = found[best_detection].score;
      if (lost || !by_landmarks || (best < kDrifted && track.state == State::waiting)) place(track, found[best_detection]);
    }
  }
  for (Track& track : tracks) {
    if (!track.confirmed && frame_number - track.judged < options.detect_every) continue;
    track.missed = track.confirmed ? 0 : track.missed + 1;
    track.judged = frame_number;
  }
  const std::size_t known = tracks.size();
  for (std::size_t d = 0; d < found.size(); ++d) {
    if (track_of[d] >= 0) continue;
    if (full()) break;
    bool second_look = false;  // of a face that is held already
    for (std::size_t t = 0; t < known; ++t)
      second_look |= tracks[t].state != State::lost && box_iou(tracks[t].expected(time_s), found[d].box) > kSameFace;
    if (second_look) continue;
    Track& track = new_track();
    track.box = found[d].box;
    track.face.score = found[d].score;
    place(track, found[d]);
  }
  if (!by_landmarks) return;
  for (Track& track : tracks)  // in spite of good landmarks: the detector says there is none
    if (track.missed >= kMissedDetections && track.state == State::waiting) {
      track.state = State::lost;
      track.placed = false;
      track.missed = 0;  // from here on it is remembered like any lost face
    }
}

void FaceTracker::Impl::place(Track& track, const Detection& detection) const {
  track.face.box = detection.box;
  track.face.points = detection.points;
  track.face.to_crop = model.crop_of(track.face);
  track.state = State::waiting;
  track.placed = true;
}

// From the five points of the last landmarks, or from the box around them where the rule or the number of landmarks asks for it.
Affine FaceTracker::Impl::next_crop(const Track& track) const {
  const ImageSize crop = model.contract.input.size;
  if (model.landmark_count == 68) {
    const faces::FivePoints points = faces::five_points_of(track.landmarks);
    if (faces::usable_points(model.contract.crop, points)) return faces::crop_of_points(model.contract.crop, crop, points);
  }
  return faces::crop_of_box(model.contract.crop, crop, track.box);
}

void FaceTracker::Impl::look(faces::Workspace& workspace, const ImageView& frame, Faces& out) {
  workspace.targets.clear();
  for (std::size_t i = 0; i < tracks.size(); ++i)
    if (tracks[i].placed && tracks[i].state == State::waiting) {
      if (by_landmarks) tracks[i].face.box = tracks[i].was_held ? tracks[i].box : tracks[i].face.box;
      if (model.landmark_count == 68) tracks[i].face.points = {};
      workspace.targets.push_back({0, &tracks[i].face, static_cast<int>(i)});
    }
  if (!workspace.targets.empty()) model.look(workspace, {&frame, 1}, options.analyze, {&out, 1}, this);
  for (Track& track : tracks) {
    if (track.state == State::waiting) track.state = State::lost;
    if (track.placed && track.state == State::held) remember(track);
    track.placed = false;
  }
}

void FaceTracker::Impl::on_logits(const Target& target, Tensor& logits) {
  if (options.smooth_mask <= 0) return;
  Track& track = tracks[target.id];
  if (!track.was_held) track.memory.forget();
  Affine motion;
  if (by_landmarks) {
    motion = faces::similarity_between(track.landmarks, track.face.landmarks);
  } else {
    const float k = size_of(track.face.box) / size_of(track.box);
    const auto from = centre_of(track.box), to = centre_of(track.face.box);
    motion = {k, 0, to[0] - k * from[0], 0, k, to[1] - k * from[1]};
  }
  track.memory.blend(logits, target.face->to_crop, motion, model.contract.input.size, options.smooth_mask);
}

// The landmarks are still unfiltered here.
bool FaceTracker::Impl::keep(const Target& target) {
  Track& track = tracks[target.id];
  if (by_landmarks && finite(track.face.landmarks)) track.face.box = faces::bounding_box(track.face.landmarks);
  const bool kept = plausible(track) && !is_another_track(track);
  track.state = kept ? State::held : State::lost;
  if (!kept) track.memory.forget();
  return kept;
}

bool FaceTracker::Impl::plausible(const Track& track) const {
  if (by_landmarks && !finite(track.face.landmarks)) return false;
  if (model.parsing && track.face.confidence < options.lost_below) return false;
  if (!track.was_held && track.face.confidence < model.verification()) return false;
  const auto centre = centre_of(track.face.box);
  if (!(centre[0] >= 0 && centre[1] >= 0 && centre[0] < static_cast<float>(size.width) && centre[1] < static_cast<float>(size.height)))
    return false;
  if (!by_landmarks) return true;
  const float growth = size_of(track.face.box) / size_of(track.box);
  const float width = track.face.box.width(), height = track.face.box.height();
  return width > 1 && height > 1 && width < faces::kLargestBox && height < faces::kLargestBox &&
         (!track.was_held || (growth < kGrowth && growth > 1 / kGrowth));
}

// When faces cross, both crops may show the one in front. It belongs to the track that was expected there.
bool FaceTracker::Impl::is_another_track(const Track& track) {
  const auto surprise = [&](const Track& t) {
    const auto expected = centre_of(t.expected(time_s)), is = centre_of(t.face.box);
    return std::hypot(is[0] - expected[0], is[1] - expected[1]);
  };
  for (Track& other : tracks) {
    if (&other == &track || other.state != State::held || box_iou(other.face.box, track.face.box) < kOneAndTheSame) continue;
    if (surprise(track) >= surprise(other)) return true;
    other.state = State::lost;
    other.placed = false;
    other.memory.forget();
  }
  return false;
}

void FaceTracker::Impl::remember(Track& track) const {
  if (track.was_held && dt_s > 0) {
    const auto before = centre_of(track.box), now = centre_of(track.face.box);
    for (int axis = 0; axis < 2; ++axis)
      track.velocity[axis] += kVelocityWeight * ((now[axis] - before[axis]) / static_cast<float>(dt_s) - track.velocity[axis]);
  } else {
    track.velocity = {};
    for (faces::OneEuroPoint& filter : track.filters) filter.reset();
  }
  track.seen_s = time_s;
  track.box = track.face.box;
  if (!by_landmarks) return;
  track.landmarks.assign(track.face.landmarks.begin(), track.face.landmarks.end());
  if (options.smooth_landmarks) {
    const faces::OneEuroOptions euro{options.min_cutoff_hz, options.beta, options.derivative_cutoff_hz};
    track.filters.resize(track.landmarks.size());
    for (std::size_t k = 0; k < track.landmarks.size(); ++k)
      track.face.landmarks[k] = track.filters[k].filter(track.landmarks[k], static_cast<float>(dt_s), size_of(track.box), euro);
    track.face.box = faces::bounding_box(track.face.landmarks);
  }
  if (model.landmark_count == 68) track.face.points = faces::five_points_of(track.face.landmarks);
}

FaceTracker::FaceTracker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FaceTracker::~FaceTracker() = default;

std::unique_ptr<FaceTracker> FaceTracker::make(std::shared_ptr<const FaceAnalyzer> analyzer, const TrackerOptions& options) {
  options.validate();
  check_argument(analyzer != nullptr, "a tracker needs an analyzer");
  const FaceAnalyzer::Impl& model = *analyzer->impl_;
  check(model.detector.has_value(), ErrorCode::unsupported,
        "a tracker needs a detector, and the analyzer has none; name another bundle's in "
        "AnalyzerOptions::detector");
  check(options.smooth_mask <= 0 || model.logits_on_host(), ErrorCode::unsupported,
        "smooth_mask needs an analyzer with parsing whose network runs on the CPU; set it to 0");
  return std::unique_ptr<FaceTracker>(new FaceTracker(std::make_unique<Impl>(std::move(analyzer), model, options)));
}

void FaceTracker::update(const ImageView& frame, double time_s, Faces& out) { impl_->update(frame, time_s, out); }
void FaceTracker::reset() {
  impl_->reset();
  impl_->started = false;
}
const TrackerOptions& FaceTracker::options() const { return impl_->options; }

}  // namespace forge_rt
