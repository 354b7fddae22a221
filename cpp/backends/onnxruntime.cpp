// Sessions and bindings of ONNX Runtime.
#include <algorithm>

#include "backends/onnxruntime_api.h"
#include "backends/session_impl.h"
#include "core/platform.h"
#include "forge_rt/core/sha256.h"
#include "forge_rt/core/thread_pool.h"

namespace forge_rt::backends {
namespace {

using namespace ort;  // NOLINT: its names are those of ONNX Runtime, and this file is about nothing else

/// A name of a port, copied from ONNX Runtime's memory.
template <class GetName>
std::string port_name(const Runtime& rt, const OrtSession* session, std::size_t index, const std::string& context) {
  char* text = nullptr;
  succeed(rt.api, rt.api.call<GetName>(session, index, rt.allocator, &text), context);
  std::string out = text;
  succeed(rt.api, rt.api.call<AllocatorFree>(rt.allocator, text), context);
  return out;
}

template <class GetCount, class GetName, class GetTypeInfo>
std::vector<GraphPort> read_ports(const Runtime& rt, const OrtSession* session, const char* kind, const std::string& context) {
  std::size_t count = 0;
  succeed(rt.api, rt.api.call<GetCount>(session, &count), context);
  std::vector<GraphPort> out;
  for (std::size_t i = 0; i < count; ++i) {
    GraphPort port;
    port.name = port_name<GetName>(rt, session, i, context);
    const auto info = create<TypeInfoHandle, GetTypeInfo>(rt.api, context, session, i);
    const OrtTensorInfo* tensor = nullptr;
    succeed(rt.api, rt.api.call<CastTypeInfoToTensorInfo>(info.get(), &tensor), context);
    const std::string what = concat(kind, " '", port.name, "' of ", context);
    check(tensor != nullptr, ErrorCode::unsupported, what, " is not a tensor; export the graph with tensors only");
    TensorType type = tensor_type(rt.api, tensor, context);
    port.dtype = dtype_from(type.element_type, what);
    port.shape = std::move(type.shape);
    out.push_back(std::move(port));
  }
  return out;
}

/// "CPU, CUDA"
std::string provider_names(const RuntimeInfo& info) {
  std::string out;
  for (std::string name : info.providers) {
    const std::size_t suffix = name.find("ExecutionProvider");
    if (suffix != std::string::npos) name.resize(suffix);
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

ErrorCode load_error(int code) {
  switch (code) {
    case kNoModel:
    case kInvalidProtobuf:
    case kInvalidGraph: return ErrorCode::corrupt_file;
    default: return ErrorCode::unsupported;
  }
}

ErrorCode run_error(const Failure& failure) {
  if (failure.message.find("Failed to allocate memory") != std::string::npos || failure.message.find("out of memory") != std::string::npos)
    return ErrorCode::out_of_memory;
  return failure.code == kNotImplemented ? ErrorCode::unsupported : ErrorCode::invalid_argument;  // a kernel refused its inputs
}

class OnnxSession final : public SessionImpl {
 public:
  OnnxSession(const Runtime& runtime, const ModelSource& source, const SessionOptions& asked);
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const std::vector<std::size_t>& wanted) const override;
  std::unique_ptr<BindingImpl> binding() const override;

  const Runtime& rt() const { return rt_; }
  OrtSession* get() const { return session_.get(); }
  const void* stream() const { return stream_; }
  ValueHandle value_over(const Tensor& tensor) const;
  Tensor tensor_of(ValueHandle value, Device device) const;
  const OrtMemoryInfo* memory(Device device) const { return device.is_cuda() ? cuda_memory_.get() : rt_.cpu; }
  void check_run(OrtStatus* status) const;
  void check_process() const;

 private:
  SessionOptionsHandle session_options() const;
  /// Opens on CUDA; without success the reason.
  std::string open_cuda(const ModelSource& source, const SessionOptions& asked);
  Failure open(const ModelSource& source, const OrtSessionOptions* options);

  const Runtime& rt_;
  SessionHandle session_{nullptr, {}};
  MemoryInfoHandle cuda_memory_{nullptr, {}};
  std::vector<const char*> input_names_;
  void* stream_ = nullptr;
  int threads_ = 1;
  long process_ = 0;
};

OnnxSession::OnnxSession(const Runtime& runtime, const ModelSource& source, const SessionOptions& asked) : rt_(runtime) {
  facts_.name = asked.name;
  facts_.model_sha256 = sha256_hex(source.bytes.raw(), source.bytes.bytes());
  threads_ = asked.intra_op_threads > 0 ? asked.intra_op_threads : num_threads();
  process_ = platform::process_id();

  const std::string version = "ONNX Runtime " + rt_.info.version;
  const bool wants_cuda = asked.provider == "cuda" || (asked.provider == "auto" && asked.device.is_cuda());
  const std::string no_cuda = wants_cuda ? open_cuda(source, asked) : "";
  if (wants_cuda && no_cuda.empty()) {
    facts_.provider = "cuda";
    facts_.provider_reason = concat("cuda: ", asked.provider == "cuda" ? "asked for" : "the device is " + asked.device.str(), "; taken by ",
                                    version, "; nodes without a CUDA kernel run on the CPU");
  } else {
    check(asked.provider != "cuda", ErrorCode::device_unavailable, facts_.name, " cannot run on CUDA: ", no_cuda);
    const auto options = session_options();
    const Failure failure = open(source, options.get());
    check(!failure, load_error(failure.code), facts_.name, ": ", version, " cannot load it: ", failure.message);
    facts_.provider = "cpu";
    if (wants_cuda) facts_.provider_reason = concat("cpu, although the device is ", asked.device.str(), ": ", no_cuda);
    else
      facts_.provider_reason = concat("cpu: ", asked.provider == "cpu" ? "asked for" : "the device is cpu", "; ", version, " offers ",
                                      provider_names(rt_.info), "; ", threads_, threads_ == 1 ? " thread" : " threads");
  }
  facts_.inputs = read_ports<GetInputCount, GetInputName, GetInputTypeInfo>(rt_, get(), "input", facts_.name);
  facts_.outputs = read_ports<GetOutputCount, GetOutputName, GetOutputTypeInfo>(rt_, get(), "output", facts_.name);
  for (const GraphPort& port : facts_.inputs) input_names_.push_back(port.name.c_str());
}

SessionOptionsHandle OnnxSession::session_options() const {
  const Api& api = rt_.api;
  auto options = create<SessionOptionsHandle, CreateSessionOptions>(api, facts_.name);
  const auto set = [&](OrtStatus* status) { succeed(api, status, facts_.name); };
  set(api.call<SetExecutionMode>(options.get(), kSequential));
  set(api.call<SetOptimizationLevel>(options.get(), kAllOptimizations));
  set(api.call<SetIntraOpThreads>(options.get(), threads_));
  set(api.call<SetInterOpThreads>(options.get(), 1));
  // Threads wait awake within a run (a fifth of the time of small networks) and sleep after it: a session shares the machine with our
  // own pool and with other sessions.
  set(api.call<AddSessionConfigEntry>(options.get(), "session.intra_op.allow_spinning", "1"));
  set(api.call<AddSessionConfigEntry>(options.get(), "session.force_spinning_stop", "1"));
  return options;
}

Failure OnnxSession::open(const ModelSource& source, const OrtSessionOptions* options) {
  OrtSession* session = nullptr;
  // The file itself where there is one: from memory, older versions (1.20) do not find external weights.
  OrtStatus* status = source.path.empty()
                          ? rt_.api.call<CreateSessionFromArray>(rt_.env, source.bytes.raw(), source.bytes.bytes(), options, &session)
                          : rt_.api.call<CreateSession>(rt_.env, platform::native_path(source.path).c_str(), options, &session);
  Failure failure = take_failure(rt_.api, status);
  session_ = SessionHandle(session, {rt_.api});
  return failure;
}

std::string OnnxSession::open_cuda(const ModelSource& source, const SessionOptions& asked) {
  const Api& api = rt_.api;
  const auto& compiled = rt_.info.providers;
  if (std::find(compiled.begin(), compiled.end(), "CUDAExecutionProvider") == compiled.end())
    return concat("ONNX Runtime ", rt_.info.version, " at ", rt_.info.path,
                  " has no CUDA provider; uninstall onnxruntime, then pip install \"forge-rt[gpu]\"");
  const int index = asked.device.is_cuda() ? asked.device.index : 0;
  const auto options = session_options();
  const auto cuda = create<CudaOptionsHandle, CreateCudaOptions>(api, facts_.name);
  std::vector<std::pair<std::string, std::string>> settings = {
      {"device_id", std::to_string(index)},
      {"arena_extend_strategy", "kSameAsRequested"},
      {"cudnn_conv_algo_search", "HEURISTIC"},  // the exhaustive default measures anew for each new batch size
  };
  if (asked.stream.handle != nullptr)
    settings.emplace_back("user_compute_stream", std::to_string(reinterpret_cast<std::uintptr_t>(asked.stream.handle)));
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : settings) keys.push_back(key.c_str()), values.push_back(value.c_str());
  const auto refused = [&](const Failure& failure) {
    return concat("the CUDA provider of ONNX Runtime ", rt_.info.version, " does not start on device ", index, ": ", failure.message);
  };
  if (const Failure failure = take_failure(api, api.call<UpdateCudaOptions>(cuda.get(), keys.data(), values.data(), keys.size())))
    return refused(failure);
  if (const Failure failure = take_failure(api, api.call<AppendCudaProvider>(options.get(), cuda.get()))) return refused(failure);
  if (const Failure failure = open(source, options.get())) {
    check(load_error(failure.code) != ErrorCode::corrupt_file, ErrorCode::corrupt_file, facts_.name, ": ONNX Runtime ", rt_.info.version,
          " cannot load it: ", failure.message);
    return refused(failure);
  }
  stream_ = asked.stream.handle;
  facts_.device = {DeviceType::cuda, index};
  cuda_memory_ = create<MemoryInfoHandle, CreateMemoryInfo>(api, facts_.name, "Cuda", kDeviceAllocator, index, kDefaultMemory);
  return "";
}

// ONNX Runtime does not write to inputs. The value does not own the memory: the tensor must outlive it.
ValueHandle OnnxSession::value_over(const Tensor& tensor) const {
  static char nothing[64];  // an empty tensor may have no memory, which ONNX Runtime refuses
  void* data = tensor.bytes() > 0 ? const_cast<void*>(tensor.raw()) : nothing;
  return create<ValueHandle, CreateTensorWithData>(rt_.api, facts_.name, memory(tensor.device()), data, tensor.bytes(),
                                                   tensor.shape().data(), tensor.shape().size(), element_type(tensor.dtype()));
}

// The tensor owns the value, and the value its memory, also after the session is gone.
Tensor OnnxSession::tensor_of(ValueHandle value, Device device) const {
  const Api& api = rt_.api;
  TensorType type;
  {
    const auto info = create<TensorInfoHandle, GetTensorTypeAndShape>(api, facts_.name, static_cast<const OrtValue*>(value.get()));
    type = tensor_type(api, info.get(), facts_.name);
  }
  void* data = nullptr;
  succeed(api, api.call<GetTensorMutableData>(value.get(), &data), facts_.name);
  return Tensor::borrow(
      data, std::move(type.shape), dtype_from(type.element_type, "an output of " + facts_.name), device,
      std::shared_ptr<void>(value.release(), [api](void* held) { api.call<ReleaseValue>(static_cast<OrtValue*>(held)); }));
}

void OnnxSession::check_run(OrtStatus* status) const {
  if (const Failure failure = take_failure(rt_.api, status))
    throw Error(run_error(failure), concat(facts_.name, ": the run failed: ONNX Runtime says: ", failure.message));
}

// ONNX Runtime's threads do not exist in a forked child, where a run would wait for them for ever.
void OnnxSession::check_process() const {
  check(threads_ == 1 || platform::process_id() == process_, ErrorCode::unsupported, facts_.name,
        " was loaded before this process was forked; load it in the child, or with intra_op_threads = 1");
}

std::vector<Tensor> OnnxSession::run(const std::vector<Tensor>& inputs, const std::vector<std::size_t>& wanted) const {
  check_process();
  std::vector<ValueHandle> values;
  std::vector<const OrtValue*> input_values;
  for (const Tensor& tensor : inputs) {
    values.push_back(value_over(tensor));
    input_values.push_back(values.back().get());
  }
  std::vector<const char*> output_names;
  for (const std::size_t port : wanted) output_names.push_back(facts_.outputs[port].name.c_str());
  std::vector<OrtValue*> results(wanted.size(), nullptr);
  OrtStatus* status = rt_.api.call<Run>(get(), nullptr, input_names_.data(), input_values.data(), input_values.size(), output_names.data(),
                                        output_names.size(), results.data());
  std::vector<ValueHandle> owned;
  for (OrtValue* result : results) owned.emplace_back(result, Deleter<OrtValue, ReleaseValue>{rt_.api});
  check_run(status);
  std::vector<Tensor> out;
  for (ValueHandle& value : owned) out.push_back(tensor_of(std::move(value), {}));
  return out;
}

class OnnxBinding final : public BindingImpl {
 public:
  explicit OnnxBinding(std::shared_ptr<const OnnxSession> session)
      : session_(std::move(session)), binding_(create<IoBindingHandle, CreateIoBinding>(api(), facts().name, session_->get())),
        inputs_(facts().inputs.size()), outputs_(facts().outputs.size()) {}

  const SessionFacts& facts() const override { return session_->facts(); }

  void bind_input(std::size_t port, const Tensor& tensor) override {
    give_input(port, tensor);
    inputs_[port] = tensor;
  }

  void bind_output(std::size_t port, const Tensor& tensor) override {
    const ValueHandle value = session_->value_over(tensor);
    succeed(api(), api().call<BindOutput>(binding_.get(), output_name(port), value.get()), facts().name);
    place(port) = {true, false, tensor, {}};
  }

  void bind_output_device(std::size_t port, Device device) override {
    give_output_device(port, device);
    place(port) = {true, true, {}, device};
  }

  void run(Stream stream) override;
  Tensor output(std::size_t port) const override { return outputs_[port].tensor; }

 private:
  struct Output {
    bool bound = false, made_by_run = false;
    Tensor tensor;
    Device device;
  };

  const Api& api() const { return session_->rt().api; }
  const char* output_name(std::size_t port) const { return facts().outputs[port].name.c_str(); }

  Output& place(std::size_t port) {
    if (!outputs_[port].bound) order_.push_back(port);
    return outputs_[port];
  }
  void give_input(std::size_t port, const Tensor& tensor) {
    const ValueHandle value = session_->value_over(tensor);
    succeed(api(), api().call<BindInput>(binding_.get(), facts().inputs[port].name.c_str(), value.get()), facts().name);
  }
  void give_output_device(std::size_t port, Device device) {
    succeed(api(), api().call<BindOutputToDevice>(binding_.get(), output_name(port), session_->memory(device)), facts().name);
  }
  void take_outputs();

  std::shared_ptr<const OnnxSession> session_;
  IoBindingHandle binding_;
  std::vector<Tensor> inputs_;
  std::vector<Output> outputs_;
  std::vector<std::size_t> order_;  // of the bound outputs in ONNX Runtime
};

void OnnxBinding::run(Stream stream) {
  session_->check_process();
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    check_argument(inputs_[i].defined(), "input '", facts().inputs[i].name, "' of ", facts().name, " is not bound");
  check_argument(!order_.empty(), "no output of ", facts().name, " is bound");
  if (stream.device.is_cuda() && (stream.handle == nullptr || stream.handle != session_->stream())) synchronize(stream);

  bool made = false;
  for (std::size_t port = 0; port < outputs_.size(); ++port) {
    Output& out = outputs_[port];
    if (!out.made_by_run) continue;
    made = true;
    out.tensor = {};
    give_output_device(port, out.device);  // otherwise the run would write over the tensor it made before
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i].device() != facts().device) give_input(i, inputs_[i]);  // ONNX Runtime copies to the GPU when it is bound
  session_->check_run(api().call<SynchronizeBoundInputs>(binding_.get()));
  session_->check_run(api().call<RunWithBinding>(session_->get(), nullptr, binding_.get()));
  session_->check_run(api().call<SynchronizeBoundOutputs>(binding_.get()));
  if (made) take_outputs();
}

void OnnxBinding::take_outputs() {
  OrtValue** values = nullptr;
  std::size_t count = 0;
  succeed(api(), api().call<GetBoundOutputValues>(binding_.get(), session_->rt().allocator, &values, &count), facts().name);
  std::vector<ValueHandle> owned;
  for (std::size_t i = 0; i < count; ++i) owned.emplace_back(values[i], Deleter<OrtValue, ReleaseValue>{api()});
  succeed(api(), api().call<AllocatorFree>(session_->rt().allocator, values), facts().name);
  check(count == order_.size(), ErrorCode::internal, facts().name, ": ", order_.size(), " outputs are bound, ", count, " came back");
  for (std::size_t i = 0; i < count; ++i) {
    Output& out = outputs_[order_[i]];
    if (out.made_by_run) out.tensor = session_->tensor_of(std::move(owned[i]), out.device);
  }
}

std::unique_ptr<BindingImpl> OnnxSession::binding() const {
  return std::make_unique<OnnxBinding>(std::static_pointer_cast<const OnnxSession>(shared_from_this()));
}

}  // namespace

std::shared_ptr<SessionImpl> load_onnxruntime_session(const ModelSource& source, const SessionOptions& options) {
  ModelSource contiguous{source.bytes.contiguous(), source.path};
  return std::make_shared<OnnxSession>(ort::runtime(), contiguous, options);
}

}  // namespace forge_rt::backends
