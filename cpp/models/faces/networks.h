// The networks of a bundle: sessions that are loaded once, and the tensors they are bound to in each workspace.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "forge_rt/backends/backend.h"
#include "models/bundle_graphs.h"
#include "models/faces/contract.h"

namespace forge_rt::faces {

/// Where and how the networks of an analyzer run.
struct NetworkPlace {
  Device device;
  std::string provider;
  int threads = 0;
};

/// The device that a session's tensors should be on.
Device device_of(const Session& session, const NetworkPlace& place);

/// The input of a network, filled with crops of frames, which may be on another device. One thread at a time.
class CropInput {
 public:
  /// [B, 3, H, W] float32 on `device`, zeros.
  CropInput(Shape shape, Device device);
  const Tensor& tensor() const { return tensor_; }
  /// Crops to rows first, first + 1, … Rows that no crop fills keep what they had.
  void fill(const ImageView& frame, std::span<const Affine> to_frame, int first, const CropOptions& options);
  const Tensor& rows(int first, int count) const;

 private:
  struct Rows {
    int first, count;
    Tensor tensor;
  };
  static Tensor& rows_of(const Tensor& whole, std::vector<Rows>& known, int first, int count);

  Tensor tensor_, staging_;  // staging: the same on the frame's device, where that is another
  mutable std::vector<Rows> rows_, staging_rows_;  // views are made once: a new one would allocate
};

/// What is computed of the outputs that a bundle has.
struct Wanted {
  bool parsing = true, landmarks = true, depth = true;
};

/// The stages of a "faces" bundle that the wanted outputs need. Immutable.
class FaceNetwork {
 public:
  /// Loads and tries the graphs once, so that whatever does not fit the contract is corrupt_file here and not at the first frame.
  FaceNetwork(const Bundle& bundle, const FacesContract& contract, const std::string& precision, Wanted wanted, int max_batch,
              const NetworkPlace& place);

  const std::string& provider() const { return stages_.front().session.provider(); }
  const std::string& provider_reason() const { return stages_.front().session.provider_reason(); }
  Device device() const { return device_; }
  bool has(const std::string& output) const { return shapes_.count(output) != 0; }
  const Shape& shape(const std::string& output) const { return shapes_.at(output); }  ///< without the batch axis

  /// How many of `faces` go into the next run, and the batch size of that run (the rest of its rows is padding).
  struct Step {
    int faces, batch;
  };
  Step next_step(int faces) const;
  int capacity() const { return fixed_batch_ > 0 ? fixed_batch_ : max_batch_; }

 private:
  friend class FaceBatches;
  struct Stage {
    Session session;
    std::vector<std::string> outputs;
    std::optional<Session> single;  // of one thread, see FaceBatches::run
  };
  void load_stages(const Bundle& bundle, const FacesContract& contract, const std::vector<std::string>& files, const NetworkPlace& place);
  void try_once(const Bundle& bundle, const FacesContract& contract);

  std::vector<Stage> stages_;
  std::map<std::string, Shape> shapes_;   // of every tensor between and behind the stages
  std::vector<std::string> on_host_;      // outputs that our code reads on the CPU
  std::vector<std::string> wanted_;       // outputs of the contract
  std::string input_;
  ImageSize size_;
  Device device_;
  int max_batch_ = 1, fixed_batch_ = 0;   // fixed: the graph's own, 0 = any
};

/// Tensors for up to capacity() faces, shared by the bindings of all batch sizes. One thread at a time.
class FaceBatches {
 public:
  explicit FaceBatches(const FaceNetwork& network);
  CropInput& input() { return input_; }
  /// On a CPU with enough rows each thread of the pool takes some through the whole network: no waiting at the end of every layer, and
  /// activations that stay in its own cache (two cores, 16 faces: 0.9 of the time).
  void run(int batch);
  /// Row i of an output, without the batch axis.
  Tensor& row(const std::string& output, int i) { return rows_.at(output)[i]; }

 private:
  using Bindings = std::vector<Binding>;  // of the stages, in order
  struct Run {
    int batch;
    Bindings whole;               // either all rows at once,
    std::vector<Bindings> parts;  // or kPart rows on each thread
  };
  Bindings bind(int begin, int end, bool single);
  Run& run_of(int batch);

  const FaceNetwork* network_;
  CropInput input_;
  std::map<std::string, Tensor> values_;
  std::map<std::string, std::vector<Tensor>> rows_;
  std::vector<Run> runs_;
};

}  // namespace forge_rt::faces
