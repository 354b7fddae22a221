// The networks of a generator. A stage takes samples one at a time, so that none depends on its batch.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "forge_rt/backends/backend.h"
#include "models/next3d/contract.h"

namespace forge_rt::next3d {

struct StageInput {
  const char* name;
  const Tensor& rows;  // [K, …]
};

/// One graph with a batch axis of 1 or any length, and one output. Immutable.
class Stage {
 public:
  /// `inputs`: name and shape of a sample that the graph may have; `output`: name and shape that it must have. Throws corrupt_file.
  struct Port {
    std::string name;
    Shape shape;  // without the batch; -1: whatever the graph takes
  };
  Stage(const Bundle& bundle, const std::string& file, const std::vector<Port>& inputs, const Port& output, const SessionOptions& options);

  /// Row k of the output from rows k of the inputs. On a CPU, with enough samples for all threads, small graphs run a sample on each
  /// thread; otherwise the samples follow each other, each on all threads.
  void run(std::initializer_list<StageInput> inputs, Tensor& output) const;

  const Session& session() const { return session_; }
  Device device() const { return device_; }
  /// The graph's own shape of an input, -1 where it is free.
  std::int64_t axis(const std::string& input, int axis) const;

 private:
  void run_row(const Session& session, std::span<const StageInput> inputs, Tensor output, std::int64_t row) const;

  Session session_;
  std::optional<Session> single_;  // of one thread
  std::vector<std::string> inputs_;  // of those it may have, those it has
  std::string output_;
  Device device_;
};

/// The stages of a contract; those that only Next3D has are empty for EG3D.
struct Stages {
  Stages(const Bundle& bundle, const GeneratorContract& contract, const StageFiles& files, const SessionOptions& options);

  Stage mapping, statics, super_resolution;
  std::optional<Stage> texture, mouth, blend;
  /// Where the networks run, and with them everything else.
  Device device() const { return mapping.device(); }
};

}  // namespace forge_rt::next3d
