// Runs one exported graph (ONNX) on named tensors. Design: docs/design/backends.md.
//
//   auto session = forge_rt::Session::load("faces.onnx", {.device = forge_rt::Device::parse("cuda")});
//   std::vector<forge_rt::Tensor> out = session.run({{"image", image}});
//   session.provider(), session.provider_reason();   // "cuda", "cuda: the device is cuda:0; …"
//
// The engine is a library of its own, loaded when the first session or runtime_info() asks for it; forge_rt does not link to it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "forge_rt/core/tensor.h"

namespace forge_rt {

namespace backends {
class SessionImpl;
class BindingImpl;
}  // namespace backends

enum class BackendKind : int { onnxruntime = 0, tensorrt = 1 };  ///< tensorrt: reserved, loading with it is `unsupported`

struct SessionOptions {
  BackendKind backend = BackendKind::onnxruntime;
  Device device = {};  ///< where the network is meant to run
  /// "auto": the provider of `device`; where ONNX Runtime has no working CUDA provider, a CUDA device falls back to "cpu" and
  /// provider_reason() says why. "cpu" and "cuda" are demands: device_unavailable, with the reason, when they cannot be met.
  std::string provider = "auto";
  int intra_op_threads = 0;  ///< threads of one run; 0 = num_threads()
  /// CUDA: all runs are queued here when its handle is set; it must outlive the session. Otherwise ONNX Runtime makes its own stream.
  Stream stream = {};
  std::string name = {};  ///< of the model, for errors; empty = the path
  void validate() const;
};

/// An input or output of a graph. -1 is an axis that each run chooses.
struct GraphPort {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  FORGE_RT_API std::string str() const;  ///< "image: float32 [?, 3, 256, 256]"
};

using NamedTensors = std::map<std::string, Tensor>;

/// Inputs and outputs fixed ahead, for loops that run with the same shapes: with both bound to tensors a run allocates no tensor.
/// One thread at a time; any number of bindings of one session may run at once. Move-only; holds what is bound and its session.
class FORGE_RT_API Binding {
 public:
  Binding(Binding&&) noexcept;
  Binding& operator=(Binding&&) noexcept;
  ~Binding();

  /// Contiguous, of the port's dtype, fitting its shape. Read at each run: write new values in place, or bind again.
  void bind_input(const std::string& name, const Tensor& tensor);
  /// Written by each run. The shape must be the one the graph computes; run() throws invalid_argument when it is not.
  void bind_output(const std::string& name, const Tensor& tensor);
  /// Each run makes a new tensor on `device`: for outputs whose shape is not known ahead.
  void bind_output_device(const std::string& name, Device device);
  /// All inputs and at least one output must be bound; only bound outputs are computed. Waits for `stream` unless it is the stream the
  /// session was loaded with. Results are complete on return.
  void run(Stream stream = {});
  /// The tensor bound, or the one the last run made. Valid for as long as it is held.
  Tensor output(const std::string& name) const;

 private:
  friend class Session;
  explicit Binding(std::unique_ptr<backends::BindingImpl> impl);
  std::unique_ptr<backends::BindingImpl> impl_;
};

/// A loaded graph, ready to run. Copies share it; it is immutable, and every member may be called from many threads at once.
class FORGE_RT_API Session {
 public:
  /// From a file. External weights are looked for in its folder. Throws not_found, corrupt_file (not a model), unsupported (a graph that
  /// this ONNX Runtime cannot run, or no ONNX Runtime), device_unavailable.
  static Session load(const std::string& path, const SessionOptions& options = {});
  /// From the bytes of a file: uint8 [n] on the CPU. They are not needed afterwards.
  static Session load(const Tensor& model, const SessionOptions& options = {});

  const std::vector<GraphPort>& inputs() const;
  const std::vector<GraphPort>& outputs() const;
  const std::string& name() const;
  const std::string& model_sha256() const;     ///< of the model's bytes, for engine_cache_key
  const std::string& provider() const;         ///< really in use: "cpu" or "cuda"
  const std::string& provider_reason() const;  ///< one sentence: asked for, available, taken or why not

  /// All inputs by name; strided CPU tensors are copied, others are read in place. Work that writes them must be complete.
  /// Returns new CPU tensors, complete: those of `wanted` in its order, or all in the order of outputs().
  std::vector<Tensor> run(const NamedTensors& inputs, const std::vector<std::string>& wanted = {}) const;
  Binding binding() const;

 private:
  explicit Session(std::shared_ptr<backends::SessionImpl> impl);
  std::shared_ptr<backends::SessionImpl> impl_;
};

// ---- ONNX Runtime's library ----

struct RuntimeInfo {
  std::string path;       ///< of the loaded file
  std::string found_by;   ///< "FORGE_RT_ORT_LIBRARY", "package" or "loader"
  std::string version;    ///< "1.31.1"
  std::string build;      ///< what the library says of its build
  std::vector<std::string> providers;  ///< compiled in ("CPUExecutionProvider", …); whether one works here shows when a model loads
};

/// Loads the library if nothing has yet, checks it, and says what it is. Searched in this order: the file that the environment variable
/// FORGE_RT_ORT_LIBRARY names (then nothing else), set_runtime_library, the system's loader. Throws unsupported with everything that
/// was tried. After a success the process keeps that library.
FORGE_RT_API RuntimeInfo runtime_info();

/// Where an installed package has the library; used by the Python package. Loads nothing. Empty = none.
FORGE_RT_API void set_runtime_library(const std::string& path);

/// Asks the library at `path`, whether or not it is the one in use. Throws unsupported when it is not an ONNX Runtime this build can use.
FORGE_RT_API RuntimeInfo inspect_runtime_library(const std::string& path);

// ---- keys of compiled engines ----

/// Smallest, best and largest shape of one input that an engine is built for.
struct ShapeRange {
  Shape min, opt, max;
  bool operator==(const ShapeRange&) const = default;
};

/// Everything that makes a compiled engine or a set of chosen algorithms (TensorRT, cuDNN) fit one machine only.
struct EngineCacheKey {
  std::string model_sha256;                      ///< 64 lower-case hexadecimal digits
  std::string provider;                          ///< "cuda", "tensorrt", …
  std::string gpu_name;                          ///< empty on the CPU
  std::string compute_capability;                ///< "9.0"; empty on the CPU
  std::string driver_version;
  std::map<std::string, std::string> libraries;  ///< "onnxruntime" → "1.31.1", "cudnn" → …
  std::map<std::string, ShapeRange> shapes;      ///< by input
  std::map<std::string, std::string> flags;      ///< whatever else changes the engine: precision, builder level
};

/// SHA-256 (64 hexadecimal digits) over all fields. A pure function; equal on every system and, while the format stays 1, in every release.
FORGE_RT_API std::string engine_cache_key(const EngineCacheKey& key);

}  // namespace forge_rt
