#include "forge_rt/backends/backend.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>
#include <utility>

#include "backends/onnx_writer.h"
#include "backends/onnxruntime_here.h"
#include "check.h"
#include "forge_rt/core/sha256.h"
#include "forge_rt/core/thread_pool.h"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace forge_rt;
namespace onnx = forge_rt::testing::onnx;
using forge_rt::testing::no_onnxruntime;

namespace {

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Tensor rows(int n) {
  std::vector<float> values;
  for (int i = 0; i < 3 * n; ++i) values.push_back(0.5f * static_cast<float>(i % 17) - 3);
  return Tensor::from(values, {n, 3});
}
bool is_affine_of(const Tensor& x, const Tensor& y) {
  if (y.shape() != Shape{x.size(0), 2} || y.dtype() != DType::f32) return false;
  const float* in = x.data<float>();
  const float* out = y.data<float>();
  for (std::int64_t i = 0; i < x.size(0); ++i, in += 3, out += 2)  // small halves: every sum is exact
    if (out[0] != in[0] + 3 * in[1] + 5 * in[2] + 10 || out[1] != 2 * in[0] + 4 * in[1] + 6 * in[2] + 20) return false;
  return true;
}
bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

EngineCacheKey example_key() {
  EngineCacheKey key;
  key.model_sha256 = sha256_hex("model", 5);
  key.provider = "tensorrt";
  key.gpu_name = "NVIDIA H200";
  key.compute_capability = "9.0";
  key.driver_version = "580.65";
  key.libraries = {{"tensorrt", "11.4"}, {"cudnn", "9.10"}};
  key.shapes = {{"image", {{1, 3, 256, 256}, {4, 3, 256, 256}, {32, 3, 256, 256}}}};
  key.flags = {{"precision", "fp16"}};
  return key;
}

}  // namespace

// ---- without the library ----

TEST(engine_key_depends_on_every_field) {
  const std::vector<std::function<void(EngineCacheKey&)>> changes = {
      [](EngineCacheKey&) {},
      [](EngineCacheKey& k) { k.model_sha256[0] = k.model_sha256[0] == '0' ? '1' : '0'; },
      [](EngineCacheKey& k) { k.provider = "cuda"; },
      [](EngineCacheKey& k) { k.gpu_name = "NVIDIA H100"; },
      [](EngineCacheKey& k) { k.compute_capability = "8.9"; },
      [](EngineCacheKey& k) { k.driver_version = "580.66"; },
      [](EngineCacheKey& k) { k.libraries["cudnn"] = "9.11"; },
      [](EngineCacheKey& k) { k.libraries["cublas"] = ""; },
      [](EngineCacheKey& k) { k.libraries.erase("cudnn"); },
      [](EngineCacheKey& k) { k.shapes["image"].min[0] = 2; },
      [](EngineCacheKey& k) { k.shapes["image"].opt[0] = 8; },
      [](EngineCacheKey& k) { k.shapes["image"].max[0] = 33; },
      [](EngineCacheKey& k) { k.shapes["mask"] = {}; },
      [](EngineCacheKey& k) { k.shapes.clear(); },
      [](EngineCacheKey& k) { k.flags["precision"] = "fp8"; },
      [](EngineCacheKey& k) { k.flags.clear(); },
      // text that moves from one field to the next
      [](EngineCacheKey& k) { k.gpu_name += k.compute_capability, k.compute_capability.clear(); },
      [](EngineCacheKey& k) { k.flags = {{"precisionf", "p16"}}; },
      [](EngineCacheKey& k) { std::swap(k.flags, k.libraries); },
  };
  std::set<std::string> keys;
  for (const auto& change : changes) {
    EngineCacheKey key = example_key();
    change(key);
    const std::string hash = engine_cache_key(key);
    CHECK(hash.size() == 64 && hash == engine_cache_key(key));
    keys.insert(hash);
  }
  CHECK(keys.size() == changes.size());
}

TEST(engine_key_is_the_same_in_every_release) {
  CHECK(engine_cache_key(example_key()) == "69bc7b8965afd6e7684e75ac3ecba8911aa331a6fcee20d6268d8d47d617d9e8");
}

TEST(engine_key_refuses_what_is_no_key) {
  EngineCacheKey key = example_key();
  key.model_sha256 = "ABC";
  CHECK_THROWS(engine_cache_key(key), invalid_argument);
  key = example_key();
  key.provider.clear();
  CHECK_THROWS(engine_cache_key(key), invalid_argument);
  key = example_key();
  key.shapes["image"].max[0] = 2;  // below opt
  CHECK_THROWS(engine_cache_key(key), invalid_argument);
  key = example_key();
  key.shapes["image"].min.pop_back();
  CHECK_THROWS(engine_cache_key(key), invalid_argument);
}

TEST(a_wrong_library_is_named) {
  CHECK_THROWS(inspect_runtime_library("/nowhere/libonnxruntime.so"), unsupported);
#if defined(__linux__)
  CHECK(contains(message_of([] { inspect_runtime_library("libc.so.6"); }), "not ONNX Runtime"));
  // In a process of its own: this one may keep a library that works.
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    setenv("FORGE_RT_ORT_LIBRARY", "/nowhere/libonnxruntime.so", 1);
    const std::string text = message_of([] { runtime_info(); });
    _exit(contains(text, "/nowhere/libonnxruntime.so (FORGE_RT_ORT_LIBRARY)") && contains(text, "forge-rt[cpu]") ? 0 : 1);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

TEST(options_are_checked_first) {
  const Tensor model = onnx::affine();
  CHECK_THROWS(Session::load(model, {.provider = "rocm"}), invalid_argument);
  CHECK_THROWS(Session::load(model, {.intra_op_threads = -1}), invalid_argument);
  CHECK_THROWS(Session::load(model, {.device = {DeviceType::cuda, 0}, .provider = "cpu"}), invalid_argument);
  CHECK_THROWS(Session::load(model, {.backend = BackendKind::tensorrt}), unsupported);
  CHECK_THROWS(Session::load("/nowhere/model.onnx"), not_found);
  CHECK_THROWS(Session::load(Tensor::empty({0}, DType::u8)), corrupt_file);
  CHECK_THROWS(Session::load(Tensor::zeros({4}, DType::f32)), invalid_argument);
  CHECK_THROWS(Session::load(Tensor()), invalid_argument);
}

// ---- with the library ----

TEST(runtime_tells_what_it_is) {
  if (no_onnxruntime()) return;
  const RuntimeInfo info = runtime_info();
  CHECK(std::filesystem::exists(info.path) && !info.version.empty() && contains(info.build, "ORT Build Info"));
  CHECK(std::find(info.providers.begin(), info.providers.end(), "CPUExecutionProvider") != info.providers.end());
  const RuntimeInfo asked = inspect_runtime_library(info.path);
  CHECK(asked.version == info.version && asked.providers == info.providers);
}

TEST(runs_any_batch) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine(), {.name = "affine"});
  CHECK(session.inputs().size() == 1 && session.inputs()[0].str() == "x: float32 [?, 3]");
  CHECK(session.outputs().size() == 1 && session.outputs()[0].str() == "y: float32 [?, 2]");
  CHECK(session.provider() == "cpu" && contains(session.provider_reason(), "cpu: the device is cpu"));
  CHECK(session.model_sha256() == sha256_hex(onnx::affine().raw(), onnx::affine().bytes()));
  for (const int n : {1, 2, 5, 64, 1000}) CHECK(is_affine_of(rows(n), session.run({{"x", rows(n)}})[0]));
  CHECK(session.run({{"x", rows(0)}})[0].shape() == (Shape{0, 2}));
  CHECK(contains(Session::load(onnx::affine(), {.provider = "cpu"}).provider_reason(), "asked for"));
}

TEST(strided_inputs_are_copied) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine());
  const Tensor x = rows(8);
  const Tensor every_second = Tensor::borrow_strided(const_cast<void*>(x.raw()), {4, 3}, {6, 1}, DType::f32, {}, nullptr, true);
  CHECK(is_affine_of(every_second.contiguous(), session.run({{"x", every_second}})[0]));
}

TEST(outputs_outlive_their_session) {
  if (no_onnxruntime()) return;
  Tensor y, bound;
  {
    const Session session = Session::load(onnx::affine());
    y = session.run({{"x", rows(7)}})[0];
    Binding binding = session.binding();
    binding.bind_input("x", rows(7));
    binding.bind_output_device("y", {});
    binding.run();
    bound = binding.output("y");
  }
  CHECK(is_affine_of(rows(7), y) && is_affine_of(rows(7), bound));
}

TEST(a_constant_output_belongs_to_the_caller) {
  if (no_onnxruntime()) return;
  const Session session =
      Session::load(onnx::model({{onnx::node("Identity", {"c"}, {"y"}), onnx::node("Identity", {"x"}, {"z"})},
                                 {onnx::constant("c", {2}, {1, 2})},
                                 {onnx::value_info("x", onnx::kFloat, {2})},
                                 {onnx::value_info("y", onnx::kFloat, {2}), onnx::value_info("z", onnx::kFloat, {2})}}));
  const Tensor x = Tensor::from<float>({3, 4}, {2});
  std::vector<Tensor> first = session.run({{"x", x}});
  CHECK(first[1].raw() != x.raw());
  first[0].mutable_data<float>()[0] = 99;
  CHECK(session.run({{"x", x}})[0].data<float>()[0] == 1);
}

TEST(other_dtypes) {
  if (no_onnxruntime()) return;
  const struct {
    int onnx;
    DType ours;
  } types[] = {{onnx::kFloat, DType::f32}, {onnx::kUint8, DType::u8}, {onnx::kInt64, DType::i64}, {onnx::kHalf, DType::f16}};
  for (const auto& type : types) {
    const Session session = Session::load(onnx::model({{onnx::node("Identity", {"x"}, {"y"})},
                                                       {},
                                                       {onnx::value_info("x", type.onnx, {-1, 2})},
                                                       {onnx::value_info("y", type.onnx, {-1, 2})}}));
    CHECK(session.inputs()[0].dtype == type.ours);
    Tensor x = Tensor::zeros({5, 2}, type.ours);
    auto* raw = static_cast<unsigned char*>(x.mutable_raw());
    for (std::size_t i = 0; i < x.bytes(); ++i) raw[i] = static_cast<unsigned char>(i * 7 % 60);
    CHECK(same_bytes(session.run({{"x", x}})[0], x));
  }
  CHECK_THROWS(Session::load(onnx::model({{onnx::node("Identity", {"x"}, {"y"})},
                                          {},
                                          {onnx::value_info("x", onnx::kString, {2})},
                                          {onnx::value_info("y", onnx::kString, {2})}})),
               unsupported);
}

TEST(only_wanted_outputs_in_their_order) {
  if (no_onnxruntime()) return;
  const Session session =
      Session::load(onnx::model({{onnx::node("Neg", {"x"}, {"minus"}), onnx::node("Abs", {"x"}, {"size"})},
                                 {},
                                 {onnx::value_info("x", onnx::kFloat, {2})},
                                 {onnx::value_info("minus", onnx::kFloat, {2}), onnx::value_info("size", onnx::kFloat, {2})}}));
  const NamedTensors inputs = {{"x", Tensor::from<float>({-3, 4}, {2})}};
  CHECK(session.run(inputs).size() == 2);
  const std::vector<Tensor> swapped = session.run(inputs, {"size", "minus"});
  CHECK(swapped[0].data<float>()[0] == 3 && swapped[1].data<float>()[1] == -4);
  CHECK(session.run(inputs, {"size"}).size() == 1);
  CHECK_THROWS(session.run(inputs, {"depth"}), invalid_argument);
  CHECK_THROWS(session.run(inputs, {"size", "size"}), invalid_argument);
}

TEST(wrong_inputs_are_named) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine(), {.name = "affine"});
  const auto text = [&](const NamedTensors& inputs) { return message_of([&] { session.run(inputs); }); };
  CHECK(contains(text({{"z", rows(1)}}), "affine has no input 'z'; it has: x"));
  CHECK(contains(text({}), "affine needs the input 'x'"));
  CHECK(contains(text({{"x", Tensor()}}), "is not a tensor"));
  CHECK(contains(text({{"x", Tensor::zeros({2, 4}, DType::f32)}}), "must be [?, 3] float32, got [2, 4] float32"));
  CHECK(contains(text({{"x", Tensor::zeros({3}, DType::f32)}}), "must be [?, 3] float32, got [3] float32"));
  CHECK(contains(text({{"x", Tensor::zeros({2, 3}, DType::f64)}}), "got [2, 3] float64"));
  CHECK_THROWS(session.run({{"x", Tensor::zeros({2, 4}, DType::f32)}}), invalid_argument);
}

TEST(damaged_models_are_refused) {
  if (no_onnxruntime()) return;
  const Tensor good = onnx::affine();
  CHECK_THROWS(Session::load(Tensor::from<std::uint8_t>({'n', 'o', ' ', 'm', 'o', 'd', 'e', 'l'}, {8})), corrupt_file);
  CHECK(contains(message_of([] { Session::load(Tensor::zeros({8}, DType::u8), {.name = "faces.onnx"}); }), "faces.onnx: ONNX Runtime"));
  // Cut anywhere, or one byte changed: an error or a graph, never a crash.
  int refused = 0;
  for (std::int64_t n = 1; n < good.count(); ++n) {
    try {
      (void)Session::load(good.slice(0, n));
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::corrupt_file || error.code() == ErrorCode::unsupported);
      ++refused;
    }
  }
  CHECK(refused > good.count() / 2);
  for (std::int64_t i = 0; i < good.count(); ++i) {
    Tensor bad = good.clone();
    bad.mutable_data<std::uint8_t>()[i] ^= 0x15;
    try {
      (void)Session::load(bad);
    } catch (const Error& error) {
      CHECK(error.code() != ErrorCode::internal);
    }
  }
  CHECK_THROWS(Session::load(onnx::model({{onnx::node("NoSuchOperator", {"x"}, {"y"})},
                                          {},
                                          {onnx::value_info("x", onnx::kFloat, {2})},
                                          {onnx::value_info("y", onnx::kFloat, {2})}})),
               corrupt_file);
}

TEST(a_graph_that_fails_while_it_runs) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::model({{onnx::node("Add", {"a", "b"}, {"y"})},
                                                     {},
                                                     {onnx::value_info("a", onnx::kFloat, {-1}), onnx::value_info("b", onnx::kFloat, {-1})},
                                                     {onnx::value_info("y", onnx::kFloat, {-1})}}));
  CHECK_THROWS(session.run({{"a", Tensor::zeros({2}, DType::f32)}, {"b", Tensor::zeros({3}, DType::f32)}}), invalid_argument);
  CHECK(session.run({{"a", Tensor::zeros({3}, DType::f32)}, {"b", Tensor::zeros({3}, DType::f32)}})[0].count() == 3);  // still works
}

TEST(bound_runs_reuse_their_memory) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine());
  Tensor x = rows(6).clone();
  const Tensor y = Tensor::zeros({6, 2}, DType::f32);
  Binding binding = session.binding();
  CHECK_THROWS(binding.run(), invalid_argument);  // nothing is bound
  binding.bind_input("x", x);
  CHECK_THROWS(binding.run(), invalid_argument);  // no output
  binding.bind_output("y", y);
  for (int i = 0; i < 50; ++i) {
    x.mutable_data<float>()[i % 18] = 0.25f * static_cast<float>(i);
    binding.run();
    CHECK(is_affine_of(x, y) && binding.output("y").raw() == y.raw());
  }
  // an output that each run makes: the one before stays as it was
  binding.bind_output_device("y", {});
  CHECK_THROWS(binding.output("y"), invalid_argument);
  binding.run();
  const Tensor before = binding.output("y"), copy = before.clone();
  binding.bind_input("x", rows(3));
  binding.run();
  CHECK(is_affine_of(rows(3), binding.output("y")) && same_bytes(before, copy));
}

TEST(bindings_are_checked) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine());
  Binding binding = session.binding();
  CHECK_THROWS(binding.bind_input("y", rows(1)), invalid_argument);
  CHECK_THROWS(binding.bind_input("x", Tensor::zeros({2, 2}, DType::f32)), invalid_argument);
  CHECK_THROWS(binding.bind_output("y", Tensor::zeros({2, 3}, DType::f32)), invalid_argument);
  CHECK_THROWS(binding.bind_output("y", Tensor::zeros({2, 2}, DType::f64)), invalid_argument);
  const Tensor y = Tensor::zeros({2, 2}, DType::f32);
  CHECK_THROWS(binding.bind_output("y", Tensor::borrow(const_cast<void*>(y.raw()), {2, 2}, DType::f32, {}, nullptr, true)),
               invalid_argument);
  CHECK_THROWS(binding.bind_output_device("y", {DeviceType::cuda, 0}), invalid_argument);
  // An output of the wrong batch: refused, and nothing is written outside it.
  binding.bind_input("x", rows(5));
  for (const int n : {2, 9}) {
    std::vector<float> guarded(64, -1);
    binding.bind_output("y", Tensor::borrow(guarded.data() + 16, {n, 2}, DType::f32));
    CHECK_THROWS(binding.run(), invalid_argument);
    for (std::size_t i = 0; i < guarded.size(); ++i)
      if (i < 16 || i >= 16 + 2 * static_cast<std::size_t>(n)) CHECK(guarded[i] == -1);
  }
}

TEST(many_threads_share_a_session) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine(), {.intra_op_threads = 2});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      Binding binding = session.binding();
      const Tensor x = rows(t + 1), y = Tensor::zeros({t + 1, 2}, DType::f32);
      binding.bind_input("x", x);
      binding.bind_output("y", y);
      for (int i = 0; i < 50; ++i) {
        wrong += !is_affine_of(rows(t + i), session.run({{"x", rows(t + i)}})[0]);
        binding.run();
        wrong += !is_affine_of(x, y);
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST(cuda_that_is_not_there) {
  if (no_onnxruntime() || cuda_status().device_count > 0) return;
  CHECK_THROWS(Session::load(onnx::affine(), {.provider = "cuda"}), device_unavailable);
  // "auto" may take the CPU, and says so
  const Session session = Session::load(onnx::affine(), {.device = {DeviceType::cuda, 0}});
  CHECK(session.provider() == "cpu" && contains(session.provider_reason(), "although the device is cuda:0"));
}

TEST(from_a_file_with_weights_beside_it) {
  if (no_onnxruntime()) return;
  const auto folder = std::filesystem::temp_directory_path() / "forge_rt_test_backend";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  // the weight [2] of y = x + weight lies in weights.bin
  const std::string weight = onnx::number(1, 2) + onnx::number(2, onnx::kFloat) + onnx::bytes(8, "weight") +
                             onnx::bytes(13, onnx::bytes(1, "location") + onnx::bytes(2, "weights.bin")) + onnx::number(14, 1);
  const Tensor model = onnx::model({{onnx::node("Add", {"x", "weight"}, {"y"})},
                                    {weight},
                                    {onnx::value_info("x", onnx::kFloat, {2})},
                                    {onnx::value_info("y", onnx::kFloat, {2})}});
  const std::string path = (folder / "model.onnx").string();
  std::ofstream(path, std::ios::binary).write(static_cast<const char*>(model.raw()), static_cast<std::streamsize>(model.bytes()));
  CHECK(contains(message_of([&] { Session::load(path); }), path));  // no weights yet
  const float values[2] = {5, 7};
  std::ofstream(folder / "weights.bin", std::ios::binary).write(reinterpret_cast<const char*>(values), sizeof(values));
  const Session session = Session::load(path);
  CHECK(session.name() == path);
  CHECK(session.run({{"x", Tensor::from<float>({1, 1}, {2})}})[0].data<float>()[1] == 8);
  std::filesystem::remove_all(folder);
}

#if defined(__linux__)
TEST(after_a_fork_the_child_is_told) {
  if (no_onnxruntime()) return;
  const Session session = Session::load(onnx::affine(), {.intra_op_threads = 2});
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) _exit(contains(message_of([&] { session.run({{"x", rows(2)}}); }), "forked") ? 0 : 1);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif
