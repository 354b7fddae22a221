// The part of ONNX Runtime's C API that we call, without its header: https://onnxruntime.ai/docs/api/c
//
// The library exports one symbol, OrtGetApiBase. It leads to a table of functions whose order is its ABI: new versions only append.
// Each function is declared here by its place in the table and its signature. A wrong place or signature cannot be seen by the
// compiler, so the first load runs a self-check by meaning (onnxruntime_library.cpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "forge_rt/backends/backend.h"

namespace forge_rt::backends::ort {

constexpr std::uint32_t kApiVersion = 18;  // the oldest we take (1.18); every place below exists since 15

// Opaque on both sides.
struct OrtEnv;
struct OrtStatus;
struct OrtMemoryInfo;
struct OrtAllocator;
struct OrtValue;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtTypeInfo;
struct OrtTensorInfo;
struct OrtIoBinding;
struct OrtCudaOptions;

struct ApiBase {
  const void* const* (*get_api)(std::uint32_t version);  // null when the library is older
  const char* (*get_version)();
};

template <int kPlace, class Signature>
struct Function;
template <int kPlace, class Result, class... Arguments>
struct Function<kPlace, Result(Arguments...)> {
  static Result call(const void* const* table, Arguments... arguments) {
    return reinterpret_cast<Result (*)(Arguments...)>(const_cast<void*>(table[kPlace]))(arguments...);
  }
};

using PathChar = std::filesystem::path::value_type;  // wide on Windows

// An OrtStatus* is null on success and must be released otherwise.
using CreateStatus = Function<0, OrtStatus*(int code, const char* message)>;
using GetErrorCode = Function<1, int(const OrtStatus*)>;
using GetErrorMessage = Function<2, const char*(const OrtStatus*)>;
using CreateEnv = Function<3, OrtStatus*(int log_level, const char* log_id, OrtEnv** out)>;
using CreateSession = Function<7, OrtStatus*(const OrtEnv*, const PathChar* path, const OrtSessionOptions*, OrtSession** out)>;
using CreateSessionFromArray =
    Function<8, OrtStatus*(const OrtEnv*, const void* model, std::size_t bytes, const OrtSessionOptions*, OrtSession** out)>;
using Run = Function<9, OrtStatus*(OrtSession*, const OrtRunOptions*, const char* const* input_names, const OrtValue* const* inputs,
                                   std::size_t input_count, const char* const* output_names, std::size_t output_count, OrtValue** outputs)>;
using CreateSessionOptions = Function<10, OrtStatus*(OrtSessionOptions** out)>;
using SetExecutionMode = Function<13, OrtStatus*(OrtSessionOptions*, int mode)>;
using SetOptimizationLevel = Function<23, OrtStatus*(OrtSessionOptions*, int level)>;
using SetIntraOpThreads = Function<24, OrtStatus*(OrtSessionOptions*, int threads)>;
using SetInterOpThreads = Function<25, OrtStatus*(OrtSessionOptions*, int threads)>;
using GetInputCount = Function<30, OrtStatus*(const OrtSession*, std::size_t* out)>;
using GetOutputCount = Function<31, OrtStatus*(const OrtSession*, std::size_t* out)>;
using GetInputTypeInfo = Function<33, OrtStatus*(const OrtSession*, std::size_t index, OrtTypeInfo** out)>;
using GetOutputTypeInfo = Function<34, OrtStatus*(const OrtSession*, std::size_t index, OrtTypeInfo** out)>;
using GetInputName = Function<36, OrtStatus*(const OrtSession*, std::size_t index, OrtAllocator*, char** out)>;
using GetOutputName = Function<37, OrtStatus*(const OrtSession*, std::size_t index, OrtAllocator*, char** out)>;
using CreateTensorWithData = Function<49, OrtStatus*(const OrtMemoryInfo*, void* data, std::size_t bytes, const std::int64_t* shape,
                                                     std::size_t rank, int element_type, OrtValue** out)>;
using GetTensorMutableData = Function<51, OrtStatus*(OrtValue*, void** out)>;
using CastTypeInfoToTensorInfo = Function<55, OrtStatus*(const OrtTypeInfo*, const OrtTensorInfo** out)>;  // borrowed; null: not a tensor
using GetElementType = Function<60, OrtStatus*(const OrtTensorInfo*, int* out)>;
using GetDimensionsCount = Function<61, OrtStatus*(const OrtTensorInfo*, std::size_t* out)>;
using GetDimensions = Function<62, OrtStatus*(const OrtTensorInfo*, std::int64_t* out, std::size_t count)>;
using GetElementCount = Function<64, OrtStatus*(const OrtTensorInfo*, std::size_t* out)>;
using GetTensorTypeAndShape = Function<65, OrtStatus*(const OrtValue*, OrtTensorInfo** out)>;
using CreateMemoryInfo = Function<68, OrtStatus*(const char* name, int allocator_type, int device, int memory_type, OrtMemoryInfo** out)>;
using CreateCpuMemoryInfo = Function<69, OrtStatus*(int allocator_type, int memory_type, OrtMemoryInfo** out)>;
using AllocatorFree = Function<76, OrtStatus*(OrtAllocator*, void*)>;
using GetDefaultAllocator = Function<78, OrtStatus*(OrtAllocator** out)>;
using ReleaseStatus = Function<93, void(OrtStatus*)>;
using ReleaseMemoryInfo = Function<94, void(OrtMemoryInfo*)>;
using ReleaseSession = Function<95, void(OrtSession*)>;
using ReleaseValue = Function<96, void(OrtValue*)>;
using ReleaseTypeInfo = Function<98, void(OrtTypeInfo*)>;
using ReleaseTensorInfo = Function<99, void(OrtTensorInfo*)>;
using ReleaseSessionOptions = Function<100, void(OrtSessionOptions*)>;
using GetAvailableProviders = Function<125, OrtStatus*(char*** names, int* count)>;
using ReleaseAvailableProviders = Function<126, OrtStatus*(char** names, int count)>;
using AddSessionConfigEntry = Function<130, OrtStatus*(OrtSessionOptions*, const char* key, const char* value)>;
using RunWithBinding = Function<133, OrtStatus*(OrtSession*, const OrtRunOptions*, const OrtIoBinding*)>;
using CreateIoBinding = Function<134, OrtStatus*(OrtSession*, OrtIoBinding** out)>;
using ReleaseIoBinding = Function<135, void(OrtIoBinding*)>;
using BindInput = Function<136, OrtStatus*(OrtIoBinding*, const char* name, const OrtValue*)>;
using BindOutput = Function<137, OrtStatus*(OrtIoBinding*, const char* name, const OrtValue*)>;
using BindOutputToDevice = Function<138, OrtStatus*(OrtIoBinding*, const char* name, const OrtMemoryInfo*)>;
using GetBoundOutputValues = Function<140, OrtStatus*(const OrtIoBinding*, OrtAllocator*, OrtValue*** out, std::size_t* count)>;
using SynchronizeBoundInputs = Function<202, OrtStatus*(OrtIoBinding*)>;
using SynchronizeBoundOutputs = Function<203, OrtStatus*(OrtIoBinding*)>;
using AppendCudaProvider = Function<204, OrtStatus*(OrtSessionOptions*, const OrtCudaOptions*)>;
using CreateCudaOptions = Function<205, OrtStatus*(OrtCudaOptions** out)>;
using UpdateCudaOptions = Function<206, OrtStatus*(OrtCudaOptions*, const char* const* keys, const char* const* values, std::size_t count)>;
using ReleaseCudaOptions = Function<208, void(OrtCudaOptions*)>;
using GetBuildInfo = Function<254, const char*()>;

// Numbers of its enumerations.
enum StatusCode {
  kFail = 1,
  kInvalidArgument = 2,
  kNoSuchFile = 3,
  kNoModel = 4,
  kRuntimeException = 6,
  kInvalidProtobuf = 7,
  kNotImplemented = 9,
  kInvalidGraph = 10
};
constexpr int kLogFatal = 4;  // errors reach the caller as our exceptions, not the console
constexpr int kSequential = 0;
constexpr int kAllOptimizations = 99;
constexpr int kDeviceAllocator = 0;
constexpr int kDefaultMemory = 0;

/// Its number of our dtype, and back; the second throws unsupported, naming `what`, for what a Tensor cannot hold.
int element_type(DType dtype);
DType dtype_from(int element_type, const std::string& what);

/// The table of one loaded library.
struct Api {
  const void* const* table = nullptr;

  template <class F, class... Arguments>
  auto call(Arguments... arguments) const {
    return F::call(table, arguments...);
  }
};

template <class T, class Release>
struct Deleter {
  Api api;
  void operator()(T* object) const { api.call<Release>(object); }
};
template <class T, class Release>
using Handle = std::unique_ptr<T, Deleter<T, Release>>;

using StatusHandle = Handle<OrtStatus, ReleaseStatus>;
using MemoryInfoHandle = Handle<OrtMemoryInfo, ReleaseMemoryInfo>;
using SessionHandle = Handle<OrtSession, ReleaseSession>;
using SessionOptionsHandle = Handle<OrtSessionOptions, ReleaseSessionOptions>;
using ValueHandle = Handle<OrtValue, ReleaseValue>;
using TypeInfoHandle = Handle<OrtTypeInfo, ReleaseTypeInfo>;
using TensorInfoHandle = Handle<OrtTensorInfo, ReleaseTensorInfo>;
using IoBindingHandle = Handle<OrtIoBinding, ReleaseIoBinding>;
using CudaOptionsHandle = Handle<OrtCudaOptions, ReleaseCudaOptions>;

/// A failed call: its code and its sentence.
struct Failure {
  int code = 0;
  std::string message;
  explicit operator bool() const { return code != 0; }
};
Failure take_failure(const Api& api, OrtStatus* status);

/// Throws `error` with "context: ONNX Runtime says: …" when the status is a failure.
void succeed(const Api& api, OrtStatus* status, const std::string& context, ErrorCode error = ErrorCode::internal);

/// Creates an object: create<SessionHandle, CreateIoBinding>(api, context, session).
template <class H, class Create, class... Arguments>
H create(const Api& api, const std::string& context, Arguments... arguments) {
  typename H::pointer object = nullptr;
  succeed(api, api.call<Create>(arguments..., &object), context);
  return H(object, {api});
}

/// Shape and element type of a tensor, or of a port (then -1 for free axes).
struct TensorType {
  int element_type = 0;
  Shape shape;
};
TensorType tensor_type(const Api& api, const OrtTensorInfo* info, const std::string& context);

/// The library of this process: found, checked, with its environment. Never unloaded.
struct Runtime {
  Api api;
  RuntimeInfo info;
  OrtEnv* env = nullptr;
  OrtAllocator* allocator = nullptr;
  OrtMemoryInfo* cpu = nullptr;
};
/// Throws unsupported when there is none; tried again at the next call. Thread-safe.
const Runtime& runtime();

}  // namespace forge_rt::backends::ort
