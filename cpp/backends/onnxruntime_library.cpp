// Finds, loads and checks ONNX Runtime's library.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "backends/onnxruntime_api.h"
#include "core/platform.h"

namespace forge_rt::backends::ort {
namespace {

constexpr const char* kVariable = "FORGE_RT_ORT_LIBRARY";
constexpr const char* kHowToGet = "pip install \"forge-rt[cpu]\" brings it, or set FORGE_RT_ORT_LIBRARY to the file of an installed one";
#if defined(_WIN32)
constexpr std::array kLoaderNames = {"onnxruntime.dll"};
#elif defined(__APPLE__)
constexpr std::array kLoaderNames = {"libonnxruntime.dylib"};
#else
constexpr std::array kLoaderNames = {"libonnxruntime.so.1", "libonnxruntime.so"};
#endif

// f(x [n, 3], k []) = double(x * k), opset 13, as an ONNX file: counts, shapes and types of inputs and outputs all differ.
constexpr char kScaling[] =
    "\010\010B\002\020\015:h\012\016\012\001x\012\001k\022\001m\042\003Mul\012\027\012\001m\022\001y\042\004Cast*\011"
    "\012\002to\030\013\240\001\002\022\004testZ\024\012\001x\022\017\012\015\010\001\022\011\012\003\022\001n\012\002"
    "\010\003Z\013\012\001k\022\006\012\004\010\001\022\000b\024\012\001y\022\017\012\015\010\013\022\011\012\003\022"
    "\001n\012\002\010\003";

struct Loaded {
  Api api;
  RuntimeInfo info;
};

/// Loads `path` and takes its table. An empty table: `reason` says why.
Loaded load(const std::string& path, std::string& reason) {
  Loaded out;
  void* library = platform::load_library(path, reason);
  if (library == nullptr) {
    reason = "the library does not load: " + reason;
    return out;
  }
  void* symbol = platform::find_symbol(library, "OrtGetApiBase");
  if (symbol == nullptr) {
    reason = "it has no OrtGetApiBase: not ONNX Runtime";
    return out;
  }
  const ApiBase* base = reinterpret_cast<const ApiBase* (*)()>(symbol)();
  const char* version = base != nullptr && base->get_version != nullptr ? base->get_version() : nullptr;
  if (version == nullptr) {
    reason = "it does not tell its version";
    return out;
  }
  out.info.version = version;
  // Asked first, because get_api of an old library complains on the console.
  int major = 0, minor = 0;
  const bool known = std::sscanf(version, "%d.%d", &major, &minor) == 2;
  if (known && (major < 1 || (major == 1 && minor < static_cast<int>(kApiVersion)))) {
    reason = concat("it is version ", version, ", too old: 1.", kApiVersion, " or newer is needed");
    return out;
  }
  const void* const* table = base->get_api(kApiVersion);
  if (table == nullptr) {
    reason = concat("version ", version, " does not offer API version ", kApiVersion);
    return out;
  }
  out.info.path = platform::library_of(symbol);
  if (out.info.path.empty()) out.info.path = path;
  out.api.table = table;
  return out;
}

void expect_known(bool good, const RuntimeInfo& info, const char* what) {
  check(good, ErrorCode::unsupported, info.path, " (ONNX Runtime ", info.version, ") failed the self-check: ", what,
        "; its function table is not the one this forge_rt knows. Install another version of onnxruntime");
}

/// What can be asked without an environment. Throws internal when an answer makes no sense.
void ask(Loaded& loaded) {
  const Api& api = loaded.api;
  const auto expect_that = [&](bool good, const char* what) { expect_known(good, loaded.info, what); };
  const char* build = api.call<GetBuildInfo>();
  expect_that(build != nullptr && std::strncmp(build, "ORT Build Info", 14) == 0, "no build information");
  loaded.info.build = build;
  {
    const StatusHandle status(api.call<CreateStatus>(kNotImplemented, "forge_rt"), {api});
    expect_that(status != nullptr && api.call<GetErrorCode>(status.get()) == kNotImplemented &&
                    std::string(api.call<GetErrorMessage>(status.get())) == "forge_rt",
                "an error came back changed");
  }
  char** names = nullptr;
  int count = 0;
  succeed(api, api.call<GetAvailableProviders>(&names, &count), loaded.info.path);
  for (int i = 0; i < count; ++i) loaded.info.providers.emplace_back(names[i]);
  succeed(api, api.call<ReleaseAvailableProviders>(names, count), loaded.info.path);
  const auto& providers = loaded.info.providers;
  expect_that(std::find(providers.begin(), providers.end(), "CPUExecutionProvider") != providers.end(), "no CPU provider");
}

/// Scales a tensor with and without a binding, and looks at every answer: each function of the CPU path is called here once.
void self_check(const Runtime& runtime) {
  const Api& api = runtime.api;
  const std::string context = "the self-check of " + runtime.info.path + " (ONNX Runtime " + runtime.info.version + ") failed";
  const auto expect_that = [&](bool good, const char* what) { expect_known(good, runtime.info, what); };
  const auto good = [&](OrtStatus* status) { succeed(api, status, context, ErrorCode::unsupported); };
  float x[6] = {1, 2, 3, 4, 5, 6}, factor = 2;
  double y[6] = {};
  const Shape shape = {2, 3};
  const auto is_scaled = [&](const void* data) {
    const auto* values = static_cast<const double*>(data);
    return values[0] == 2 && values[1] == 4 && values[2] == 6 && values[3] == 8 && values[4] == 10 && values[5] == 12;
  };
  const auto has_type = [&](const OrtTensorInfo* info, DType dtype, const Shape& expected) {
    const TensorType type = tensor_type(api, info, context);
    return type.element_type == element_type(dtype) && type.shape == expected;
  };

  // tensors over our memory
  const auto memory = create<MemoryInfoHandle, CreateMemoryInfo>(api, context, "Cpu", kDeviceAllocator, 0, kDefaultMemory);
  const auto tensor_over = [&](void* data, DType dtype, const Shape& of) {
    std::size_t bytes = dtype_size(dtype);
    for (const std::int64_t n : of) bytes *= static_cast<std::size_t>(n);
    return create<ValueHandle, CreateTensorWithData>(api, context, static_cast<const OrtMemoryInfo*>(memory.get()), data, bytes, of.data(),
                                                     of.size(), element_type(dtype));
  };
  const ValueHandle x_value = tensor_over(x, DType::f32, shape), k_value = tensor_over(&factor, DType::f32, {}),
                    y_value = tensor_over(y, DType::f64, shape);
  const auto data_of = [&](OrtValue* value) {
    void* data = nullptr;
    good(api.call<GetTensorMutableData>(value, &data));
    return data;
  };
  {
    const auto info = create<TensorInfoHandle, GetTensorTypeAndShape>(api, context, static_cast<const OrtValue*>(x_value.get()));
    std::size_t count = 0;
    good(api.call<GetElementCount>(info.get(), &count));
    expect_that(has_type(info.get(), DType::f32, shape) && count == 6 && data_of(x_value.get()) == x, "a tensor came back changed");
  }

  // a session
  const auto options = create<SessionOptionsHandle, CreateSessionOptions>(api, context);
  const Failure no_such_level = take_failure(api, api.call<SetOptimizationLevel>(options.get(), 12345));
  const Failure no_such_mode = take_failure(api, api.call<SetExecutionMode>(options.get(), 12345));
  expect_that(no_such_level.code == kInvalidArgument && no_such_mode.code == kInvalidArgument, "a setting that does not exist was taken");
  good(api.call<SetExecutionMode>(options.get(), kSequential));
  good(api.call<SetOptimizationLevel>(options.get(), kAllOptimizations));
  good(api.call<SetIntraOpThreads>(options.get(), 1));
  good(api.call<SetInterOpThreads>(options.get(), 1));
  good(api.call<AddSessionConfigEntry>(options.get(), "session.intra_op.allow_spinning", "0"));
  {
    OrtSession* none = nullptr;
    const Failure failure = take_failure(api, api.call<CreateSessionFromArray>(runtime.env, "no model", 8, options.get(), &none));
    expect_that(failure.code == kInvalidProtobuf && none == nullptr, "bytes that are no model were taken as one");
    const std::filesystem::path nowhere = "forge_rt/no such file.onnx";
    const Failure missing = take_failure(api, api.call<CreateSession>(runtime.env, nowhere.c_str(), options.get(), &none));
    expect_that(missing.code == kNoSuchFile && missing.message.find("no such file") != std::string::npos && none == nullptr,
                "a missing file was not reported as missing");
  }
  const auto session =
      create<SessionHandle, CreateSessionFromArray>(api, context, static_cast<const OrtEnv*>(runtime.env), kScaling, sizeof(kScaling) - 1,
                                                    static_cast<const OrtSessionOptions*>(options.get()));
  std::size_t inputs = 0, outputs = 0;
  good(api.call<GetInputCount>(session.get(), &inputs));
  good(api.call<GetOutputCount>(session.get(), &outputs));
  expect_that(inputs == 2 && outputs == 1, "wrong count of inputs or outputs");
  char *input_name = nullptr, *output_name = nullptr;
  good(api.call<GetInputName>(session.get(), 0, runtime.allocator, &input_name));
  good(api.call<GetOutputName>(session.get(), 0, runtime.allocator, &output_name));
  expect_that(std::string(input_name) == "x" && std::string(output_name) == "y", "wrong names");
  good(api.call<AllocatorFree>(runtime.allocator, input_name));
  good(api.call<AllocatorFree>(runtime.allocator, output_name));
  const auto check_port = [&](const TypeInfoHandle& info, DType dtype) {
    const OrtTensorInfo* tensor = nullptr;
    good(api.call<CastTypeInfoToTensorInfo>(info.get(), &tensor));
    expect_that(tensor != nullptr && has_type(tensor, dtype, {-1, 3}), "wrong type of an input or output");
  };
  check_port(create<TypeInfoHandle, GetInputTypeInfo>(api, context, session.get(), std::size_t{0}), DType::f32);
  check_port(create<TypeInfoHandle, GetOutputTypeInfo>(api, context, session.get(), std::size_t{0}), DType::f64);

  // a run
  const char *input_names[] = {"x", "k"}, *output_names[] = {"y"};
  const OrtValue* input_values[] = {x_value.get(), k_value.get()};
  OrtValue* result = nullptr;
  good(api.call<Run>(session.get(), nullptr, input_names, input_values, 2, output_names, 1, &result));
  const ValueHandle held(result, {api});
  expect_that(is_scaled(data_of(result)), "a network gave a wrong result");

  // a bound run
  const auto binding = create<IoBindingHandle, CreateIoBinding>(api, context, session.get());
  good(api.call<BindInput>(binding.get(), "x", x_value.get()));
  good(api.call<BindInput>(binding.get(), "k", k_value.get()));
  good(api.call<BindOutputToDevice>(binding.get(), "y", runtime.cpu));
  good(api.call<BindOutput>(binding.get(), "y", y_value.get()));
  good(api.call<SynchronizeBoundInputs>(binding.get()));
  good(api.call<RunWithBinding>(session.get(), nullptr, binding.get()));
  good(api.call<SynchronizeBoundOutputs>(binding.get()));
  OrtValue** bound = nullptr;
  std::size_t bound_count = 0;
  good(api.call<GetBoundOutputValues>(binding.get(), runtime.allocator, &bound, &bound_count));
  expect_that(bound_count == 1, "wrong count of bound outputs");
  const ValueHandle again(bound[0], {api});
  good(api.call<AllocatorFree>(runtime.allocator, bound));
  expect_that(is_scaled(y) && data_of(again.get()) == y, "a bound network gave a wrong result");
}

std::mutex& mutex() {
  static auto* one = new std::mutex;  // never destroyed: sessions of static objects outlive this file's
  return *one;
}
std::string& package_library() {
  static auto* path = new std::string;
  return *path;
}

std::unique_ptr<Runtime> open_runtime() {
  std::string tried;
  const auto attempt = [&](const std::string& path, const char* found_by) -> std::unique_ptr<Runtime> {
    std::string reason;
    Loaded loaded = load(path, reason);
    if (loaded.api.table == nullptr) {
      tried += concat(tried.empty() ? "" : "; ", path, " (", found_by, "): ", reason);
      return nullptr;
    }
    ask(loaded);
    auto runtime = std::make_unique<Runtime>(Runtime{loaded.api, loaded.info});
    runtime->info.found_by = found_by;
    const Api& api = runtime->api;
    succeed(api, api.call<CreateEnv>(kLogFatal, "forge_rt", &runtime->env), path);
    succeed(api, api.call<GetDefaultAllocator>(&runtime->allocator), path);
    succeed(api, api.call<CreateCpuMemoryInfo>(kDeviceAllocator, kDefaultMemory, &runtime->cpu), path);
    try {
      self_check(*runtime);
    } catch (const Error& error) {  // also a call that failed where none should
      throw Error(ErrorCode::unsupported, error.what());
    }
    return runtime;
  };
  if (const std::string told = platform::environment(kVariable); !told.empty()) {
    if (auto runtime = attempt(told, kVariable)) return runtime;
  } else {
    if (!package_library().empty())
      if (auto runtime = attempt(package_library(), "package")) return runtime;
    for (const char* name : kLoaderNames)
      if (auto runtime = attempt(name, "loader")) return runtime;
  }
  throw Error(ErrorCode::unsupported,
              concat("networks need ONNX Runtime, and no usable library of it was found; ", kHowToGet, ". Tried: ", tried));
}

}  // namespace

const Runtime& runtime() {
  static const Runtime* one = nullptr;
  const std::lock_guard<std::mutex> lock(mutex());
  if (one == nullptr) one = open_runtime().release();
  return *one;
}

Failure take_failure(const Api& api, OrtStatus* status) {
  if (status == nullptr) return {};
  const StatusHandle held(status, {api});
  const char* said = api.call<GetErrorMessage>(status);
  std::string message = said != nullptr && *said != '\0' ? said : "(no message)";
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
  return {std::max(1, api.call<GetErrorCode>(status)), message};
}

void succeed(const Api& api, OrtStatus* status, const std::string& context, ErrorCode error) {
  if (status == nullptr) return;
  throw Error(error, concat(context, ": ONNX Runtime says: ", take_failure(api, status).message));
}

TensorType tensor_type(const Api& api, const OrtTensorInfo* info, const std::string& context) {
  TensorType out;
  std::size_t rank = 0;
  succeed(api, api.call<GetElementType>(info, &out.element_type), context);
  succeed(api, api.call<GetDimensionsCount>(info, &rank), context);
  check(rank <= 64, ErrorCode::internal, context, ": a tensor of ", rank, " axes");
  out.shape.resize(rank);
  succeed(api, api.call<GetDimensions>(info, out.shape.data(), rank), context);
  return out;
}

namespace {
struct ElementType {
  DType dtype;
  int number;
};
constexpr ElementType kElementTypes[] = {
    {DType::f32, 1},     {DType::u8, 2},   {DType::i8, 3},   {DType::u16, 4},  {DType::i16, 5},  {DType::i32, 6},   {DType::i64, 7},
    {DType::boolean, 9}, {DType::f16, 10}, {DType::f64, 11}, {DType::u32, 12}, {DType::u64, 13}, {DType::bf16, 16},
};
}  // namespace

int element_type(DType dtype) {
  for (const ElementType& row : kElementTypes)
    if (row.dtype == dtype) return row.number;
  throw Error(ErrorCode::internal, "unknown dtype");
}

DType dtype_from(int element_type, const std::string& what) {
  for (const ElementType& row : kElementTypes)
    if (row.number == element_type) return row.dtype;
  throw Error(ErrorCode::unsupported, concat(what, " holds ", element_type == 8 ? "text" : concat("ONNX element type ", element_type),
                                             ", which forge_rt has no dtype for; export the graph with numbers"));
}

}  // namespace forge_rt::backends::ort

namespace forge_rt {

RuntimeInfo runtime_info() { return backends::ort::runtime().info; }

void set_runtime_library(const std::string& path) {
  const std::lock_guard<std::mutex> lock(backends::ort::mutex());
  backends::ort::package_library() = path;
}

RuntimeInfo inspect_runtime_library(const std::string& path) {
  std::string reason;
  backends::ort::Loaded loaded = backends::ort::load(path, reason);
  check(loaded.api.table != nullptr, ErrorCode::unsupported, path, ": ", reason);
  backends::ort::ask(loaded);
  return loaded.info;
}

}  // namespace forge_rt
