// Faces of a frame: where they are, what each pixel is, 68 landmarks, depth. From any bundle of family "faces" (docs/design/faces.md).
//
//   auto analyzer = forge_rt::FaceAnalyzer::load("faces-mini.forge");
//   forge_rt::Faces faces = analyzer->analyze(forge_rt::ImageView::of(image));
//   for (const forge_rt::Face& face : faces.faces) draw(face.landmarks, face.box);
//   save(faces.mask);                                                   // uint8 [H, W], class ids
//
// What is said of CUDA devices has not been run on one yet: docs/gpu_status.md.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "forge_rt/backends/backend.h"
#include "forge_rt/models/forge_head.h"  // LabelInfo
#include "forge_rt/ops/decode_faces.h"
#include "forge_rt/ops/image_view.h"
#include "forge_rt/ops/unwarp_labels.h"

namespace forge_rt {

struct AnalyzerOptions {
  std::string device = "cpu";
  std::string provider = "auto";    ///< as SessionOptions::provider
  std::string precision = "auto";  ///< a variant of the bundle: "fp32", "int8", "fp16"; auto: fp16 on CUDA where there is one, else fp32
  int threads = 0;  ///< of one network run; 0 = num_threads()
  std::string detector = {};  ///< another bundle (family "detector" or "faces") to detect with; empty = the one inside
  bool parsing = true, landmarks = true, depth = true;  ///< what is not wanted, or not in the bundle, is not computed
  int batch = 8;  ///< faces that go through the network together, at most; 1..64
  void validate() const;
};

struct AnalyzeOptions {
  int max_faces = 16;  ///< of the detector, best first; 0 = all (boxes and crops of the caller are all looked at)
  float detect_threshold = 0.f;  ///< 0..1; 0 = the bundle's (0.5)
  int detect_size = 0;  ///< long side of the detector's input, a multiple of 32; 0 = the bundle's
  float min_face = 0.f;  ///< pixels: boxes whose longer side is smaller are dropped
  bool mask = true;  ///< fills Faces::mask
  bool confidence = false;  ///< fills Faces::confidence
  bool depth_map = false;  ///< fills Faces::depth
  bool nearest = false;  ///< mask from the nearest logit: faster, ragged
  void validate() const;
};

struct Face {
  Box box;  ///< frame pixels; may reach beyond the frame. Of a crop that the caller gave: the box around its corners
  float score = 0;  ///< of the detector, 0..1; 1 for what the caller gave
  /// Right eye, left eye, nose tip, mouth corners (the subject's), frame pixels: of the detector, else of 68 landmarks, else zeros.
  std::array<std::array<float, 2>, 5> points{};
  Affine to_crop;  ///< frame pixels → pixels of the crop that the network saw
  std::vector<std::array<float, 2>> landmarks;  ///< [K], iBUG order for 68, frame pixels; empty when not computed
  std::vector<float> visibility;  ///< [K] probability that the point can be seen; empty when the network does not say
  /// 0..1: mean softmax probability of the chosen classes over the face's pixels (of a grid of 64 × 64 over the crop, those in the frame
  /// that are not background); 0 without parsing.
  float confidence = 0;
  PixelRect rect;  ///< frame pixels that the crop covers
  std::vector<std::int64_t> area;  ///< [classes] pixels this face painted, also where a larger one lies over them; empty without a mask
  int track = -1;  ///< FaceTracker: the same number while it is the same face
};

/// Milliseconds of wall clock of one frame. Of many frames in one call, a network's batch is shared out by faces, and `total` is the call's.
struct StageTimes {
  double detect_preprocess = 0, detect_network = 0, detect_decode = 0, crop = 0, network = 0, unwarp = 0, total = 0;
};

/// What was found. Reuse one object for many frames: its buffers keep their capacity and nothing is allocated after the first few.
struct Faces {
  std::vector<Face> faces;  ///< by falling score; in the caller's order where boxes or crops were given
  int width = 0, height = 0;
  std::vector<std::uint8_t> mask;  ///< [height, width] class ids, 0 where no face has a class; larger faces lie over smaller ones
  std::vector<std::uint8_t> confidence;  ///< [height, width] probability · 255 of the class in the mask; 0 outside all crops
  std::vector<float> depth;  ///< [height, width] in the bundle's unit, 0 where mask is 0; without parsing: over whole crops
  StageTimes ms;
};

/// Immutable; every member may be called from many threads at once (each call takes a workspace of its own, which is kept for later calls).
/// What an exception leaves in `out` is valid and unspecified.
class FORGE_RT_API FaceAnalyzer {
 public:
  /// A folder or archive of family "faces". Throws not_found, corrupt_file, unsupported (another family, a variant the bundle does not
  /// have, no ONNX Runtime), device_unavailable.
  static std::shared_ptr<const FaceAnalyzer> load(const std::string& bundle, const AnalyzerOptions& options = {});
  ~FaceAnalyzer();
  FaceAnalyzer(const FaceAnalyzer&) = delete;
  FaceAnalyzer& operator=(const FaceAnalyzer&) = delete;

  /// Detects, then looks at each face. A frame without faces gives none and a mask of zeros. unsupported without a detector.
  void analyze(const ImageView& frame, const AnalyzeOptions& options, Faces& out) const;
  /// Looks at boxes of the caller (face boxes as detectors give them: brows to chin, ear to ear; frame pixels); `out` keeps their order.
  /// A box that is not finite, empty or wholly outside the frame is invalid_argument.
  void analyze(const ImageView& frame, std::span<const Box> boxes, const AnalyzeOptions& options, Faces& out) const;
  /// The same for crops that the caller aligned: frame pixels → crop pixels.
  void analyze(const ImageView& frame, std::span<const Affine> to_crop, const AnalyzeOptions& options, Faces& out) const;
  /// Many frames: faces of all of them share network batches. out.size() == frames.size(). Each result is that of analyze() of the frame
  /// alone, up to the network's rounding at another batch size.
  void analyze(std::span<const ImageView> frames, const AnalyzeOptions& options, std::span<Faces> out) const;
  /// Only the detector.
  void detect(const ImageView& frame, const AnalyzeOptions& options, std::vector<Detection>& out) const;
  /// The bundle's crop rule for five points (unsupported where the rule is of boxes), or for a box: frame pixels → crop pixels.
  Affine crop_of(const std::array<std::array<float, 2>, 5>& points) const;
  Affine crop_of(const Box& box) const;

  Faces analyze(const ImageView& frame, const AnalyzeOptions& options = {}) const {
    Faces out;
    analyze(frame, options, out);
    return out;
  }

  const std::vector<LabelInfo>& labels() const;  ///< id, name, colour, mirror; empty without parsing
  const std::string& side() const;  ///< whose left "left" is: "subject" or "viewer"
  const std::string& depth_unit() const;  ///< "m, relative to the mean of the landmarks", …; empty without depth
  int landmark_count() const;  ///< 68; 0 without landmarks
  ImageSize crop_size() const;  ///< of the network's input
  bool has_detector() const;
  const std::string& hash() const;  ///< of the bundle
  const std::string& precision() const;  ///< the variant in use
  const std::string& provider() const;  ///< really in use
  const std::string& provider_reason() const;

  struct Impl;  // the loaded networks; defined in the sources

 private:
  friend class FaceTracker;
  explicit FaceAnalyzer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

struct TrackerOptions {
  int detect_every = 15;  ///< frames between detections while every known face is held; 1 = each frame
  float lost_below = 0.35f;  ///< a face whose confidence falls below it is looked for again
  bool smooth_landmarks = true;  ///< One-Euro filter (Casiez et al. 2012) in units of the face's size
  float min_cutoff_hz = 1.2f, beta = 6.f, derivative_cutoff_hz = 1.f;
  float smooth_mask = 0.f;  ///< 0..0.95: weight of the last frame's logits, carried along by the face's motion
  AnalyzeOptions analyze = {};
  void validate() const;
};

/// Faces of a video: between detections each is followed by its landmarks, so the detector rests. Without landmarks it looks in every
/// frame. One thread at a time; any number of trackers may share an analyzer.
class FORGE_RT_API FaceTracker {
 public:
  static std::unique_ptr<FaceTracker> make(std::shared_ptr<const FaceAnalyzer> analyzer, const TrackerOptions& options = {});
  ~FaceTracker();
  FaceTracker(const FaceTracker&) = delete;
  FaceTracker& operator=(const FaceTracker&) = delete;

  /// The faces that are held in this frame, by falling score, each with its `track`. Boxes are those around the landmarks.
  /// `time_s`: when the frame was taken, in seconds, rising; a frame that is not later than the one before is invalid_argument.
  /// A frame of another size starts anew. Faces are painted as they are found: what was looked for again after a loss lies over the
  /// others whatever its size, and where two tracks turn out to follow one face, pixels of the one that is dropped may stay.
  void update(const ImageView& frame, double time_s, Faces& out);
  void reset();  ///< forgets all faces (a cut)
  const TrackerOptions& options() const;

 private:
  struct Impl;
  explicit FaceTracker(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace forge_rt
