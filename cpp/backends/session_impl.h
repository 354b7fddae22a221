// What a backend implements. Arguments are checked in backend.cpp before they come here.
#pragma once

#include "forge_rt/backends/backend.h"

namespace forge_rt::backends {

/// The facts every backend fills in while it loads.
struct SessionFacts {
  std::string name, model_sha256, provider, provider_reason;
  std::vector<GraphPort> inputs, outputs;
  Device device;  // where the provider runs; tensors may be there or on the CPU
};

class BindingImpl {
 public:
  virtual ~BindingImpl() = default;
  virtual const SessionFacts& facts() const = 0;
  virtual void bind_input(std::size_t port, const Tensor& tensor) = 0;
  virtual void bind_output(std::size_t port, const Tensor& tensor) = 0;
  virtual void bind_output_device(std::size_t port, Device device) = 0;
  virtual void run(Stream stream) = 0;
  virtual Tensor output(std::size_t port) const = 0;  // undefined when there is none
};

class SessionImpl : public std::enable_shared_from_this<SessionImpl> {
 public:
  virtual ~SessionImpl() = default;
  const SessionFacts& facts() const { return facts_; }
  /// `inputs` in the order of the ports. Returns the outputs of `wanted`.
  virtual std::vector<Tensor> run(const std::vector<Tensor>& inputs, const std::vector<std::size_t>& wanted) const = 0;
  virtual std::unique_ptr<BindingImpl> binding() const = 0;

 protected:
  SessionFacts facts_;
};

struct ModelSource {
  Tensor bytes;      // of the file
  std::string path;  // of the file, beside which external weights may lie; empty: there are only the bytes
};

std::shared_ptr<SessionImpl> load_onnxruntime_session(const ModelSource& source, const SessionOptions& options);

}  // namespace forge_rt::backends
