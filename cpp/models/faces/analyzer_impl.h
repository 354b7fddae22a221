// The inside of FaceAnalyzer, which FaceTracker shares.
#pragma once

#include <mutex>
#include <optional>

#include "forge_rt/models/face_analyzer.h"
#include "models/faces/crop_rule.h"
#include "models/faces/detector.h"
#include "models/faces/networks.h"
#include "models/faces/paint.h"

namespace forge_rt {
namespace faces {

/// A crop to look at, and the face that gets the results.
struct Target {
  int frame = 0;
  Face* face = nullptr;  // to_crop is set
  int id = 0;            // the caller's
  Affine to_frame{};
};

/// Is asked between the steps of look().
class Watcher {
 public:
  virtual ~Watcher() = default;
  /// May change the logits of a face whose landmarks are already known. CPU tensors only, see logits_on_host().
  virtual void on_logits(const Target& target, Tensor& logits) = 0;
  /// The face is complete but for its pixels; false: it is not painted.
  virtual bool keep(const Target& target) = 0;
};

/// Everything that one call needs and that is worth keeping.
struct Workspace {
  std::optional<FaceBatches> batches;
  std::vector<Tensor> depth_rows;  // [h, w]
  std::optional<DetectorRuns> detector;
  std::vector<Detection> detections;
  std::vector<Target> targets;
  std::vector<Affine> crops;
  std::vector<Face> spare;  // faces of earlier results, for their buffers
  Painter painter;

  /// Gives `faces` the size `count`; what is too much is kept, and comes back when there are more again.
  void resize(std::vector<Face>& faces, std::size_t count);
};

}  // namespace faces

struct FaceAnalyzer::Impl {
  Impl(const std::string& path, const AnalyzerOptions& options);

  faces::FacesContract contract;
  std::string hash, precision, depth_unit;
  bool parsing = false, landmarks = false, depth = false;  // computed
  int landmark_count = 0;
  std::uint64_t ignored_classes = 0;
  std::optional<faces::FaceNetwork> network;
  std::optional<faces::FaceDetector> detector;

  /// Face::confidence that a find of the detector needs.
  float verification() const { return parsing && detector ? detector->contract().confidence : 0.f; }

  /// A workspace for one call; goes back to the others afterwards.
  class Lease {
   public:
    explicit Lease(const Impl& impl) : impl_(impl), workspace_(impl.take_workspace()) {}
    ~Lease() { impl_.keep_workspace(std::move(workspace_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    faces::Workspace& operator*() const { return *workspace_; }

   private:
    const Impl& impl_;
    std::unique_ptr<faces::Workspace> workspace_;
  };

  /// Logits must be readable by our CPU code (Watcher::on_logits): they are when this is true.
  bool logits_on_host() const { return parsing && network->device().is_cpu(); }

  /// Crop of a face: by its points where the rule and the points allow, else by its box.
  Affine crop_of(const Face& face) const;
  void detect(faces::Workspace& workspace, const ImageView& frame, const AnalyzeOptions& options, StageTimes& ms,
              std::vector<Detection>& out) const;
  /// Empty maps of the frame's size.
  void clear(const ImageView& frame, const AnalyzeOptions& options, Faces& out) const;
  /// Fills the faces of workspace.targets, whose frames are `frames` and whose results are `out`. Changes the order of the targets.
  void look(faces::Workspace& workspace, std::span<const ImageView> frames, const AnalyzeOptions& options, std::span<Faces> out,
            faces::Watcher* watcher) const;

 private:
  std::unique_ptr<faces::Workspace> take_workspace() const;
  void keep_workspace(std::unique_ptr<faces::Workspace> workspace) const noexcept;
  void read_landmarks(const Tensor& row, const faces::Target& target) const;
  faces::FaceMaps maps_of(faces::Workspace& workspace, int row) const;

  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<faces::Workspace>> idle_;
  mutable std::size_t workspaces_ = 0;
};

}  // namespace forge_rt
