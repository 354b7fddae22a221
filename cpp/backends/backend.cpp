// The front: checks names, dtypes and shapes once, whatever the backend.
#include "forge_rt/backends/backend.h"

#include <algorithm>

#include "backends/session_impl.h"
#include "forge_rt/core/safetensors.h"
#include "forge_rt/core/sha256.h"

namespace forge_rt {
namespace {

using backends::SessionFacts;

std::string port_shape(const Shape& shape) {
  std::string out = "[";
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    out += (axis > 0 ? ", " : "") + (shape[axis] < 0 ? std::string("?") : std::to_string(shape[axis]));
  return out + "]";
}

std::string port_names(const std::vector<GraphPort>& ports) {
  std::string out;
  for (const GraphPort& port : ports) out += (out.empty() ? "" : ", ") + port.name;
  return out.empty() ? "none" : out;
}

std::size_t find_port(const SessionFacts& facts, const std::vector<GraphPort>& ports, const char* kind, const std::string& name) {
  for (std::size_t i = 0; i < ports.size(); ++i)
    if (ports[i].name == name) return i;
  throw Error(ErrorCode::invalid_argument, concat(facts.name, " has no ", kind, " '", name, "'; it has: ", port_names(ports)));
}

void check_device(const SessionFacts& facts, const char* kind, const std::string& name, Device device) {
  check_argument(device.is_cpu() || device == facts.device, kind, " '", name, "' of ", facts.name, " is on ", device.str(),
                 ", the session runs on ", facts.device.str(), "; copy it with to(), or load the session there");
}

void check_fits(const SessionFacts& facts, const char* kind, const GraphPort& port, const Tensor& tensor) {
  check_argument(tensor.defined(), kind, " '", port.name, "' of ", facts.name, " is not a tensor");
  bool fits = tensor.dtype() == port.dtype && tensor.shape().size() == port.shape.size();
  for (std::size_t axis = 0; fits && axis < port.shape.size(); ++axis)
    fits = port.shape[axis] < 0 || port.shape[axis] == tensor.shape()[axis];
  check_argument(fits, kind, " '", port.name, "' of ", facts.name, " must be ", port_shape(port.shape), " ", dtype_name(port.dtype),
                 ", got ", shape_str(tensor.shape()), " ", dtype_name(tensor.dtype()));
  check_device(facts, kind, port.name, tensor.device());
}

std::shared_ptr<backends::SessionImpl> load_session(backends::ModelSource source, const SessionOptions& options) {
  options.validate();
  check(options.backend != BackendKind::tensorrt, ErrorCode::unsupported,
        "the TensorRT backend is not in this forge_rt yet; load the model with the backend onnxruntime and the provider cuda "
        "(pip install \"forge-rt[gpu]\")");
  check_argument(options.backend == BackendKind::onnxruntime, "unknown backend ", static_cast<int>(options.backend));
  expect(source.bytes, "model", "[n]", DType::u8, {kAny});
  check_argument(source.bytes.device().is_cpu(), "the bytes of a model must be on the CPU, got ", source.bytes.str());
  check(source.bytes.count() > 0, ErrorCode::corrupt_file, options.name, " is empty: not an ONNX model");
  return backends::load_onnxruntime_session(source, options);
}

}  // namespace

void SessionOptions::validate() const {
  check_argument(provider == "auto" || provider == "cpu" || provider == "cuda", "provider must be auto, cpu or cuda, got '", provider, "'");
  check_argument(intra_op_threads >= 0 && intra_op_threads <= 256, "intra_op_threads must be 0 (as many as the engine) to 256, got ",
                 intra_op_threads);
  check_argument(!(provider == "cpu" && device.is_cuda()), "provider cpu cannot run on ", device.str(),
                 "; take the device cpu, or the provider auto or cuda");
  check_argument(stream.handle == nullptr || stream.device == device, "the stream is on ", stream.device.str(), ", the session on ",
                 device.str());
}

std::string GraphPort::str() const { return concat(name, ": ", dtype_name(dtype), " ", port_shape(shape)); }

// ---- Session ----

Session::Session(std::shared_ptr<backends::SessionImpl> impl) : impl_(std::move(impl)) {}

Session Session::load(const std::string& path, const SessionOptions& options) {
  SessionOptions named = options;
  if (named.name.empty()) named.name = path;
  return Session(load_session({read_file(path), path}, named));
}

Session Session::load(const Tensor& model, const SessionOptions& options) {
  SessionOptions named = options;
  if (named.name.empty()) named.name = "the model";
  return Session(load_session({model, ""}, named));
}

const std::vector<GraphPort>& Session::inputs() const { return impl_->facts().inputs; }
const std::vector<GraphPort>& Session::outputs() const { return impl_->facts().outputs; }
const std::string& Session::name() const { return impl_->facts().name; }
const std::string& Session::model_sha256() const { return impl_->facts().model_sha256; }
const std::string& Session::provider() const { return impl_->facts().provider; }
const std::string& Session::provider_reason() const { return impl_->facts().provider_reason; }

std::vector<Tensor> Session::run(const NamedTensors& inputs, const std::vector<std::string>& wanted) const {
  const SessionFacts& facts = impl_->facts();
  for (const auto& [name, tensor] : inputs) (void)find_port(facts, facts.inputs, "input", name);
  std::vector<Tensor> ordered;
  ordered.reserve(facts.inputs.size());
  for (const GraphPort& port : facts.inputs) {
    const auto found = inputs.find(port.name);
    check_argument(found != inputs.end(), facts.name, " needs the input '", port.name, "'; its inputs are: ", port_names(facts.inputs));
    check_fits(facts, "input", port, found->second);
    ordered.push_back(found->second.contiguous());
  }
  std::vector<std::size_t> ports;
  for (const std::string& name : wanted) {
    ports.push_back(find_port(facts, facts.outputs, "output", name));
    check_argument(std::count(wanted.begin(), wanted.end(), name) == 1, "output '", name, "' is asked for twice");
  }
  if (wanted.empty())
    for (std::size_t i = 0; i < facts.outputs.size(); ++i) ports.push_back(i);
  return impl_->run(ordered, ports);
}

Binding Session::binding() const { return Binding(impl_->binding()); }

// ---- Binding ----

Binding::Binding(std::unique_ptr<backends::BindingImpl> impl) : impl_(std::move(impl)) {}
Binding::Binding(Binding&&) noexcept = default;
Binding& Binding::operator=(Binding&&) noexcept = default;
Binding::~Binding() = default;

void Binding::bind_input(const std::string& name, const Tensor& tensor) {
  const SessionFacts& facts = impl_->facts();
  const std::size_t port = find_port(facts, facts.inputs, "input", name);
  check_fits(facts, "input", facts.inputs[port], tensor);
  check_argument(tensor.is_contiguous(), "input '", name, "' of ", facts.name, " must be contiguous to be bound; call contiguous() first");
  impl_->bind_input(port, tensor);
}

void Binding::bind_output(const std::string& name, const Tensor& tensor) {
  const SessionFacts& facts = impl_->facts();
  const std::size_t port = find_port(facts, facts.outputs, "output", name);
  check_fits(facts, "output", facts.outputs[port], tensor);
  check_argument(tensor.is_contiguous() && !tensor.read_only(), "output '", name, "' of ", facts.name,
                 " must be contiguous and writable to be bound");
  impl_->bind_output(port, tensor);
}

void Binding::bind_output_device(const std::string& name, Device device) {
  const SessionFacts& facts = impl_->facts();
  const std::size_t port = find_port(facts, facts.outputs, "output", name);
  check_device(facts, "output", name, device);
  impl_->bind_output_device(port, device);
}

void Binding::run(Stream stream) { impl_->run(stream); }

Tensor Binding::output(const std::string& name) const {
  const SessionFacts& facts = impl_->facts();
  const Tensor out = impl_->output(find_port(facts, facts.outputs, "output", name));
  check_argument(out.defined(), "output '", name, "' of ", facts.name, " is not there: bind it and run first");
  return out;
}

// ---- keys ----

namespace {

// Every field with its length in front, so that no two keys share a text.
class KeyText {
 public:
  void add(const std::string& field) { text_ += std::to_string(field.size()) + ':' + field; }
  void add(const Shape& shape) {
    add(std::to_string(shape.size()));
    for (const std::int64_t n : shape) add(std::to_string(n));
  }
  void add(const ShapeRange& range) { add(range.min), add(range.opt), add(range.max); }
  template <class Value>
  void add(const std::map<std::string, Value>& fields) {
    add(std::to_string(fields.size()));
    for (const auto& [name, value] : fields) add(name), add(value);
  }
  std::string hash() const { return sha256_hex(text_.data(), text_.size()); }

 private:
  std::string text_ = "forge_rt engine key 1\n";
};

}  // namespace

std::string engine_cache_key(const EngineCacheKey& key) {
  check_argument(key.model_sha256.size() == 64 && key.model_sha256.find_first_not_of("0123456789abcdef") == std::string::npos,
                 "model_sha256 must be 64 lower-case hexadecimal digits, got '", key.model_sha256, "'");
  check_argument(!key.provider.empty(), "the provider of an engine key must not be empty");
  for (const auto& [name, range] : key.shapes) {
    bool ordered = range.min.size() == range.opt.size() && range.opt.size() == range.max.size();
    for (std::size_t i = 0; ordered && i < range.min.size(); ++i)
      ordered = 0 <= range.min[i] && range.min[i] <= range.opt[i] && range.opt[i] <= range.max[i];
    check_argument(ordered, "shapes of input '", name, "' must be min <= opt <= max on every axis, got ", shape_str(range.min), ", ",
                   shape_str(range.opt), ", ", shape_str(range.max));
  }
  KeyText text;
  text.add(key.model_sha256);
  text.add(key.provider);
  text.add(key.gpu_name);
  text.add(key.compute_capability);
  text.add(key.driver_version);
  text.add(key.libraries);
  text.add(key.shapes);
  text.add(key.flags);
  return text.hash();
}

}  // namespace forge_rt
