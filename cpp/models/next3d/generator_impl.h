// The inside of Generator, which its three levels share.
#pragma once

#include <string>
#include <vector>

#include "forge_rt/core/thread_pool.h"
#include "forge_rt/models/generator.h"
#include "models/next3d/stages.h"

namespace forge_rt {

struct Generator::Impl {
  Impl(const Bundle& bundle, const GeneratorOptions& options);

  next3d::GeneratorContract contract;
  std::string path, hash, precision;
  std::optional<next3d::Stages> stages;
  Device device;

  Stream stream() const { return {device, nullptr}; }
  /// Samples that are under way at once: what bounds the memory between the stages.
  std::int64_t samples_at_once() const { return device.is_cpu() ? num_threads() : 1; }
  /// Throws unless a level was made by this bundle and has its tensors' shapes: levels are plain structs that anybody can fill.
  void check_level(const GeneratorIdentity& identity) const;
  void check_level(const GeneratorHead& head) const;

  GeneratorIdentity identity(const Tensor& z, const Tensor& conditioning, double psi, int cutoff) const;
  GeneratorHead expression(const GeneratorIdentity& identity, const Tensor& vertices, const Tensor& landmarks,
                           const ExpressionOptions& options) const;
  GeneratorHead without_expression(const GeneratorIdentity& identity, const ExpressionOptions& options) const;
  GeneratorView view(const GeneratorHead& head, const Tensor& cameras, const ViewOptions& options) const;
  DensitySamples density(const GeneratorHead& head, const Tensor& points, const DensityOptions& options) const;

 private:
  void truncate(Tensor& ws, float psi, int cutoff) const;
  void check_model(const std::string& model, const char* level) const;
};

namespace next3d {

/// The same values on `device`; the tensor itself where it is there and contiguous.
Tensor move_to(const Tensor& tensor, Device device);
/// The same memory, which nobody writes any more.
Tensor frozen(const Tensor& tensor);
/// Rows of a level that `count` samples look at: `rows` [count] int32 on the CPU; undefined: sample i looks at i, or all at the only one.
/// `what` and `level` are words for errors.
std::vector<std::int64_t> read_rows(const Tensor& rows, std::int64_t count, std::int64_t level_size, const char* what, const char* level);
/// Rows of a tensor, in that order: a view where they follow each other or are all the same (then of one row), else a copy.
Tensor take_rows(const Tensor& tensor, const std::vector<std::int64_t>& rows);
/// Style vectors [begin, end) of rows of ws [N, n, w] → [K, end - begin, w], a copy.
Tensor take_styles(const Tensor& ws, const std::vector<std::int64_t>& rows, std::int64_t begin, std::int64_t end);
/// Throws, naming the sample, unless every value of a CPU tensor is finite; others are not looked into.
void check_finite_rows(const Tensor& tensor, const char* name);

}  // namespace next3d
}  // namespace forge_rt
