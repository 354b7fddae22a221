// Errors, tensors, memory, threads, random numbers, hashes, half floats, safetensors.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "check.h"
#include "core/half.h"
#include "forge_rt/core/device.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/memory.h"
#include "forge_rt/core/philox.h"
#include "forge_rt/core/safetensors.h"
#include "forge_rt/core/sha256.h"
#include "forge_rt/core/tensor.h"
#include "forge_rt/core/thread_pool.h"

using namespace forge_rt;

namespace {

std::string message_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

// ---- errors ----

TEST(error_codes_have_distinct_names) {
  std::set<std::string> names;
  for (int code = 0; code <= 9; ++code) names.insert(error_code_name(static_cast<ErrorCode>(code)));
  CHECK(names.size() == 10);
  CHECK(names.count("unknown") == 0);
  CHECK(std::string(error_code_name(static_cast<ErrorCode>(77))) == "unknown");
}

TEST(checks_throw_with_code_and_sentence) {
  check_argument(true, "never shown");
  CHECK_THROWS(check(false, ErrorCode::io, "disk ", 3), io);
  CHECK(message_of([] { check_argument(false, "x must be ", 1, ", got ", 2); }) == "x must be 1, got 2");
}

TEST(devices_parse_and_print) {
  CHECK(Device::parse("cpu").is_cpu());
  CHECK(Device{}.str() == "cpu");
  CHECK((Device{DeviceType::cuda, 3}.str() == "cuda:3"));
  for (const char* wrong : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0x", " cpu"})
    CHECK_THROWS(Device::parse(wrong), invalid_argument);
  if (cuda_status().device_count == 0) {
    CHECK_THROWS(Device::parse("cuda:0"), device_unavailable);
    CHECK(!cuda_status().reason.empty());
  }
}

TEST(isa_paths) {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) CHECK(parse_isa(isa_name(isa)) == isa);
  CHECK_THROWS(parse_isa("sse"), invalid_argument);
  const Isa before = active_isa();
  set_isa(Isa::baseline);
  CHECK(active_isa() == Isa::baseline);
  set_isa(best_isa());
  CHECK(active_isa() == best_isa());
  if (best_isa() != Isa::avx512) CHECK_THROWS(set_isa(Isa::avx512), unsupported);
  set_isa(before);
  CHECK(!isa_reason().empty());
}

// ---- tensors ----

TEST(tensor_shape_and_strides) {
  const Tensor t = Tensor::empty({2, 3, 4}, DType::f32);
  CHECK((t.shape() == Shape{2, 3, 4}));
  CHECK((t.strides() == Shape{12, 4, 1}));
  CHECK(t.count() == 24 && t.bytes() == 96 && t.rank() == 3 && t.size(-1) == 4);
  CHECK(t.is_contiguous());
  CHECK(t.str() == "float32 [2, 3, 4] on cpu");
  CHECK(reinterpret_cast<std::uintptr_t>(t.raw()) % 64 == 0);
  CHECK(!Tensor().defined());
  CHECK(Tensor().str() == "undefined tensor");
}

TEST(tensor_dtypes) {
  for (int i = 0; i <= static_cast<int>(DType::boolean); ++i) {
    const auto dtype = static_cast<DType>(i);
    CHECK(dtype_size(dtype) >= 1 && dtype_size(dtype) <= 8);
    CHECK(std::string(dtype_name(dtype)) != "unknown");
    CHECK(Tensor::zeros({3}, dtype).bytes() == 3 * dtype_size(dtype));
  }
  const Tensor t = Tensor::zeros({2}, DType::i32);
  CHECK_THROWS(t.data<float>(), invalid_argument);
}

TEST(tensor_awkward_shapes) {
  CHECK(Tensor::empty({}, DType::f32).count() == 1);  // a scalar
  const Tensor none = Tensor::zeros({0, 5}, DType::f32);
  CHECK(none.count() == 0 && none.is_contiguous() && none.defined());
  CHECK(none.slice(0, 0).count() == 0);
  CHECK(none.clone().count() == 0);
  CHECK_THROWS(Tensor::empty({2, -1}, DType::f32), invalid_argument);
  const std::int64_t huge = std::int64_t{1} << 40;
  CHECK_THROWS(Tensor::empty({huge, huge}, DType::u8), invalid_argument);
  CHECK_THROWS(Tensor::empty({0, huge, huge}, DType::u8), invalid_argument);  // its strides would not fit
  CHECK_THROWS(Tensor::borrow(nullptr, {huge, huge, 2}, DType::u8), invalid_argument);
  CHECK_THROWS(Tensor::empty({huge, 1 << 15}, DType::f64), out_of_memory);
}

TEST(tensor_from_values_slice_reshape) {
  const Tensor t = Tensor::from(std::vector<std::int32_t>{0, 1, 2, 3, 4, 5}, {3, 2});
  CHECK_THROWS(Tensor::from(std::vector<float>{1.f}, {2}), invalid_argument);
  const Tensor middle = t.slice(1, 3);
  CHECK((middle.shape() == Shape{2, 2}));
  CHECK(middle.data<std::int32_t>()[0] == 2);
  CHECK(middle.data<std::int32_t>() == t.data<std::int32_t>() + 2);  // shares memory
  const Tensor flat = t.reshape({6});
  CHECK(flat.raw() == t.raw() && flat.rank() == 1);
  CHECK_THROWS(t.reshape({4}), invalid_argument);
  for (const auto& [begin, end] : std::vector<std::pair<int, int>>{{-1, 1}, {2, 1}, {0, 4}})
    CHECK_THROWS(t.slice(begin, end), invalid_argument);
  CHECK_THROWS(Tensor::empty({}, DType::f32).slice(0, 0), invalid_argument);
}

TEST(tensor_strided_views) {
  std::vector<float> values(24);
  for (int i = 0; i < 24; ++i) values[i] = static_cast<float>(i);
  const Tensor transposed = Tensor::borrow_strided(values.data(), {4, 3}, {1, 4}, DType::f32, {}, nullptr, true);
  CHECK(!transposed.is_contiguous());
  CHECK_THROWS(transposed.reshape({12}), invalid_argument);
  const Tensor dense = transposed.contiguous();
  CHECK(dense.is_contiguous());
  bool equal = true;
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 3; ++j) equal = equal && dense.data<float>()[i * 3 + j] == values[j * 4 + i];
  CHECK(equal);
  const Tensor reversed = Tensor::borrow_strided(values.data() + 23, {24}, {-1}, DType::f32, {}, nullptr, true).contiguous();
  CHECK(reversed.data<float>()[0] == 23.f && reversed.data<float>()[23] == 0.f);
  const Tensor one_row = Tensor::borrow_strided(values.data(), {1, 5}, {99, 1}, DType::f32, {}, nullptr, true);
  CHECK(one_row.is_contiguous());  // the stride of an axis of length 1 does not matter
  const Tensor repeated = Tensor::borrow_strided(values.data() + 7, {2, 3}, {0, 0}, DType::f32, {}, nullptr, true).contiguous();
  CHECK(std::all_of(repeated.data<float>(), repeated.data<float>() + 6, [](float v) { return v == 7.f; }));
  CHECK_THROWS(Tensor::borrow_strided(values.data(), {2}, {1, 1}, DType::f32, {}, nullptr, true), invalid_argument);
}

TEST(tensor_read_only_and_lifetime) {
  auto owner = std::make_shared<std::vector<float>>(4, 1.f);
  const std::weak_ptr<std::vector<float>> watch = owner;
  Tensor view = Tensor::borrow(owner->data(), {4}, DType::f32, {}, owner, true);
  owner.reset();
  CHECK(!watch.expired());
  CHECK(view.read_only());
  CHECK_THROWS(view.mutable_raw(), invalid_argument);
  CHECK_THROWS(view.mutable_data<float>(), invalid_argument);
  Tensor rows = view.slice(0, 2);
  CHECK(rows.read_only());
  Tensor copy = view.clone();
  copy.mutable_data<float>()[0] = 5.f;
  CHECK(view.data<float>()[0] == 1.f);
  view = {};
  CHECK(!watch.expired());  // the slice holds on
  rows = {};
  CHECK(watch.expired());
}

TEST(tensor_conversions) {
  const Tensor halves = Tensor::from(std::vector<std::uint16_t>{0x3C00, 0xC000}, {2});
  const Tensor as_half = Tensor::borrow(const_cast<void*>(halves.raw()), {2}, DType::f16);
  const Tensor floats = as_half.to_f32();
  CHECK(floats.data<float>()[0] == 1.f && floats.data<float>()[1] == -2.f);
  CHECK(Tensor::from(std::vector<std::uint8_t>{7}, {1}).to_i32().data<std::int32_t>()[0] == 7);
  const Tensor same = Tensor::from(std::vector<float>{1.f}, {1});
  CHECK(same.to_f32().raw() == same.raw());
}

TEST(expect_says_what_came) {
  const Tensor planes = Tensor::empty({1, 96}, DType::u8);
  CHECK(message_of([&] { expect(planes, "planes", "[B, 32]", DType::f32, {kAny, 32}); }) ==
        "planes must be [B, 32] float32, got [1, 96] uint8");
  CHECK(message_of([&] { expect({}, "planes", "[B, 32]", DType::f32, {kAny, 32}); }) == "planes must be [B, 32] float32, got nothing");
  expect(planes, "planes", "[B, 96]", DType::u8, {kAny, 96});
}

// ---- memory ----

TEST(memory_report_names_purposes) {
  const auto row = [] {
    for (const MemoryUse& use : memory_report())
      if (use.purpose == "a test of memory") return use;
    return MemoryUse{};
  };
  {
    const Tensor a = Tensor::empty({1000}, DType::u8, {}, "a test of memory"), b = Tensor::empty({500}, DType::u8, {}, "a test of memory");
    const Tensor shared = a.slice(0, 10);
    CHECK(row().current_bytes == 1500 && row().peak_bytes == 1500 && row().allocations == 2);
  }
  CHECK(row().current_bytes == 0 && row().peak_bytes == 1500);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([] {
      for (int k = 0; k < 500; ++k) Tensor::empty({k + 1}, DType::u8, {}, "a test of memory");
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(row().current_bytes == 0 && row().allocations == 4002);
}

// ---- threads ----

TEST(parallel_for_visits_each_index_once) {
  const int before = num_threads();
  for (const int threads : {1, 2, 3, 8, 33}) {
    set_num_threads(threads);
    for (const int count : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, [&](std::int64_t i) { visits[static_cast<std::size_t>(i)] += 1; });
      CHECK(std::all_of(visits.begin(), visits.end(), [](const std::atomic<int>& n) { return n == 1; }));
    }
  }
  parallel_for(-3, [](std::int64_t) { throw std::runtime_error("must not run"); });
  set_num_threads(before);
}

TEST(parallel_for_ranges_cover) {
  for (const int grain : {0, 1, 3, 10, 1000}) {
    std::vector<std::atomic<int>> visits(100);
    std::atomic<int> calls{0};
    parallel_for_ranges(100, grain, [&](std::int64_t begin, std::int64_t end) {
      ++calls;
      for (std::int64_t i = begin; i < end; ++i) visits[static_cast<std::size_t>(i)] += 1;
    });
    CHECK(std::all_of(visits.begin(), visits.end(), [](const std::atomic<int>& n) { return n == 1; }));
    CHECK(calls == (100 + std::max(grain, 1) - 1) / std::max(grain, 1));
  }
}

TEST(parallel_for_rethrows_and_survives) {
  for (int repeat = 0; repeat < 200; ++repeat) {
    std::atomic<int> ran{0};
    CHECK_THROWS(parallel_for(1000,
                              [&](std::int64_t i) {
                                ++ran;
                                check_argument(i != 3, "index ", i);
                              }),
                 invalid_argument);
    CHECK(ran <= 1000);
  }
  CHECK_THROWS(parallel_for(50, [&](std::int64_t) { throw Error(ErrorCode::cancelled, "all fail"); }), cancelled);
  std::atomic<int> sum{0};
  parallel_for(100, [&](std::int64_t i) { sum += static_cast<int>(i); });
  CHECK(sum == 4950);
}

TEST(parallel_for_nests_serially) {
  std::atomic<int> sum{0};
  parallel_for(8, [&](std::int64_t) { parallel_for(8, [&](std::int64_t) { parallel_for(3, [&](std::int64_t) { ++sum; }); }); });
  CHECK(sum == 8 * 8 * 3);
  std::atomic<int> caught{0};
  parallel_for(8, [&](std::int64_t) {
    try {
      parallel_for(8, [&](std::int64_t i) { check_argument(i != 5, "inner"); });
    } catch (const Error&) {
      ++caught;
    }
  });
  CHECK(caught == 8);
}

TEST(parallel_for_from_many_callers) {
  std::vector<std::thread> callers;
  std::vector<std::int64_t> sums(12, 0);
  for (int c = 0; c < 12; ++c)
    callers.emplace_back([c, &sums] {
      for (int repeat = 0; repeat < 100; ++repeat) {
        std::atomic<std::int64_t> sum{0};
        parallel_for(64 + c, [&](std::int64_t i) { sum += i; });
        sums[static_cast<std::size_t>(c)] += sum;
      }
    });
  for (std::thread& caller : callers) caller.join();
  for (int c = 0; c < 12; ++c) CHECK(sums[static_cast<std::size_t>(c)] == 100LL * (64 + c) * (63 + c) / 2);
}

#if defined(__unix__)
TEST(parallel_for_in_a_forked_child) {
  parallel_for(8, [](std::int64_t) {});  // the parent has its threads
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> sum{0};
    parallel_for(100, [&](std::int64_t i) { sum += static_cast<int>(i); });
    _exit(sum == 4950 ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

TEST(thread_count_is_checked) {
  const int before = num_threads();
  for (const int wrong : {0, -1, 257}) CHECK_THROWS(set_num_threads(wrong), invalid_argument);
  CHECK(num_threads() == before);
}

// ---- random numbers ----

TEST(philox_known_answers) {  // Random123's kat_vectors
  const auto equal = [](PhiloxBlock a, PhiloxBlock b) { return std::memcmp(&a, &b, sizeof(a)) == 0; };
  CHECK(equal(philox4x32({{0, 0, 0, 0}}, 0, 0), {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
  const std::uint32_t ones = 0xffffffff;
  CHECK(equal(philox4x32({{ones, ones, ones, ones}}, ones, ones), {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
  CHECK(equal(philox4x32({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822, 0x299f31d0),
              {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));
}

TEST(random_is_a_function_of_its_key) {
  Random a(7, 3, "shape"), b(7, 3, "shape");
  bool equal = true;
  for (int i = 0; i < 100; ++i) equal = equal && a.next_u32() == b.next_u32();
  CHECK(equal);
  std::set<std::uint32_t> firsts;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 40})
    for (const std::uint64_t index : {0ull, 1ull, 1ull << 40})
      for (const char* purpose : {"shape", "camera"})
        for (const std::uint32_t attempt : {0u, 1u, 65535u}) firsts.insert(Random(seed, index, purpose, attempt).next_u32());
  CHECK(firsts.size() == 3 * 3 * 2 * 3);
  CHECK_THROWS(Random(0, std::uint64_t{1} << 48, "x"), invalid_argument);
  CHECK_THROWS(Random(0, 0, "x", 1u << 16), invalid_argument);
}

TEST(random_distributions) {
  Random random(1, 2, "test");
  double mean = 0, square = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    mean += x / n;
    square += x * x / n;
  }
  CHECK_NEAR(mean, 0.0, 0.02);  // five standard errors
  CHECK_NEAR(square, 1.0, 0.03);
  int counts[7] = {};
  for (int i = 0; i < n; ++i) {
    const std::uint32_t k = random.below(7);
    if (k < 7) ++counts[k];
    const double u = random.uniform();
    if (!(u >= 0 && u < 1)) CHECK(false);
  }
  for (const int count : counts) CHECK_NEAR(count / double{n}, 1.0 / 7, 0.006);
  CHECK_THROWS(random.below(0), invalid_argument);
  CHECK(uniform_from_bits(0) == 0.f && uniform_from_bits(0xFFFFFFFF) < 1.f);
}

TEST(random_uniform_is_the_draws_of_the_key) {
  const RandomKey key{9, 4, purpose_id("noise"), 0};
  const Tensor field = random_uniform({3, 7}, key);
  Random random(9, 4, "noise");
  bool equal = true;
  for (int i = 0; i < 21; ++i) equal = equal && field.data<float>()[i] == random.uniform_f32();
  CHECK(equal);
  CHECK(random_uniform({0}, key).count() == 0);
}

// ---- hashes ----

TEST(sha256_known_answers) {
  CHECK(sha256_hex("", 0) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc", 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // 56 bytes: the length no longer fits into the first block
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const auto of_letters = [](std::size_t n) { return sha256_hex(std::string(n, 'a').data(), n); };
  CHECK(of_letters(55) == "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  CHECK(of_letters(56) == "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  CHECK(of_letters(64) == "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  CHECK(of_letters(1000000) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(sha256_in_pieces) {
  const std::string text(1000, 'x');
  const std::string whole = sha256_hex(text.data(), text.size());
  for (const std::size_t piece : {1, 3, 55, 63, 64, 65, 128, 999}) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += piece) hash.update(text.data() + at, std::min(piece, text.size() - at));
    CHECK(hash.hex() == whole);
  }
}

TEST(sha256_paths_agree) {
  const Isa before = active_isa();
  Random random(3, 0, "sha256");
  std::string text(5000, '\0');
  for (char& c : text) c = static_cast<char>(random.next_u32());
  for (std::size_t n = 0; n <= 300; ++n) {
    set_isa(Isa::baseline);
    const std::string plain = sha256_hex(text.data() + n, n);
    set_isa(best_isa());
    CHECK(sha256_hex(text.data() + n, n) == plain);
  }
  set_isa(Isa::baseline);
  const std::string plain = sha256_hex(text.data(), text.size());
  for (int split = 0; split < 100; ++split) {
    Sha256 hash;
    for (std::size_t at = 0; at < text.size();) {
      set_isa(random.below(4) == 0 ? Isa::baseline : best_isa());  // also in the middle of a message
      const std::size_t piece = std::min<std::size_t>(random.below(split < 50 ? 200 : 2000), text.size() - at);
      hash.update(text.data() + at, piece);
      at += piece;
    }
    CHECK(hash.hex() == plain);
  }
  set_isa(before);
}

// ---- half floats ----

TEST(half_conversions) {
  CHECK(half_to_float(0x0000) == 0.f && !std::signbit(half_to_float(0x0000)));
  CHECK(half_to_float(0x8000) == 0.f && std::signbit(half_to_float(0x8000)));
  CHECK(half_to_float(0x3C00) == 1.f && half_to_float(0xC000) == -2.f && half_to_float(0x7BFF) == 65504.f);
  CHECK(half_to_float(0x0001) == 0x1p-24f && half_to_float(0x03FF) == 1023 * 0x1p-24f && half_to_float(0x0400) == 0x1p-14f);
  CHECK(half_to_float(0x7C00) == std::numeric_limits<float>::infinity() &&
        half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(half_to_float(0x7E00)) && std::isnan(half_to_float(0xFC01)));
  bool grows = true;  // all finite positive halves, in order
  for (std::uint16_t h = 0; h < 0x7BFF; ++h) grows = grows && half_to_float(h) < half_to_float(static_cast<std::uint16_t>(h + 1));
  CHECK(grows);
  CHECK(bfloat16_to_float(0x3F80) == 1.f && bfloat16_to_float(0xC000) == -2.f && std::isnan(bfloat16_to_float(0x7FC0)));
}

// ---- safetensors ----

namespace {

Tensor bytes_of(const std::string& text) {
  Tensor out = Tensor::empty({static_cast<std::int64_t>(text.size())}, DType::u8);
  if (!text.empty()) std::memcpy(out.mutable_raw(), text.data(), text.size());
  return out;
}

std::string file_of(const std::string& header, std::size_t data_bytes, std::uint64_t claimed = ~0ull) {
  const std::uint64_t length = claimed == ~0ull ? header.size() : claimed;
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> (8 * i));
  out += header;
  for (std::size_t i = 0; i < data_bytes; ++i) out += static_cast<char>(i * 37 + 1);
  return out;
}

std::map<std::string, Tensor> parse(const std::string& file) { return parse_safetensors(bytes_of(file), "test.safetensors"); }

const std::string kGood = file_of(
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"U8","shape":[3],"data_offsets":[16,19]},)"
    R"("c":{"dtype":"F16","shape":[],"data_offsets":[19,21]},"d":{"dtype":"I64","shape":[0,4],"data_offsets":[21,21]}})",
    21);

}  // namespace

TEST(safetensors_reads_a_good_file) {
  const auto tensors = parse(kGood);
  CHECK(tensors.size() == 4);
  const Tensor& a = tensors.at("a");
  CHECK((a.shape() == Shape{2, 2}) && a.dtype() == DType::f32 && reinterpret_cast<std::uintptr_t>(a.raw()) % 4 == 0);
  CHECK(std::memcmp(a.raw(), kGood.data() + kGood.size() - 21, 16) == 0);
  CHECK(std::memcmp(tensors.at("c").raw(), kGood.data() + kGood.size() - 2, 2) == 0);  // odd offset: an aligned copy
  CHECK(tensors.at("c").rank() == 0 && tensors.at("d").count() == 0);
  CHECK(parse(file_of("{}", 0)).empty());
}

TEST(safetensors_views_keep_the_file) {
  Tensor b;
  {
    const auto tensors = parse(kGood);
    b = tensors.at("b");
  }
  CHECK(b.read_only());
  CHECK(b.data<std::uint8_t>()[0] == static_cast<std::uint8_t>(16 * 37 + 1));
}

TEST(safetensors_refuses_corrupt_files) {
  const auto entry = [](const std::string& body, std::size_t bytes = 16) { return file_of("{\"a\":" + body + "}", bytes); };
  for (std::size_t n = 0; n < kGood.size(); ++n) CHECK_THROWS(parse(kGood.substr(0, n)), corrupt_file);  // truncated anywhere
  CHECK_THROWS(parse(kGood + "x"), corrupt_file);                                                        // trailing bytes
  for (const std::uint64_t claim : {1ull << 20, 1ull << 40, ~1ull, 1ull << 63}) CHECK_THROWS(parse(file_of("{}", 0, claim)), corrupt_file);
  for (const char* header : {"", "[]", "null", "{", "{\"a\":1}", "{\"a\":{}}", "\xff\xfe", "{\"a\":{\"dtype\":\"F32\"}}"})
    CHECK_THROWS(parse(file_of(header, 0)), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F128","shape":[4],"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":5,"shape":[4],"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":4,"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[-4],"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4.0],"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[5],"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[0,549755813888,549755813888],"data_offsets":[0,0]})", 0)), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4],"data_offsets":[16,0]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4],"data_offsets":[8,24]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4],"data_offsets":[-16,0]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4],"data_offsets":[0]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[4],"data_offsets":["0","16"]})")), corrupt_file);
  CHECK_THROWS(parse(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})")), corrupt_file);  // a gap at the end
  const std::string two = R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[)";
  CHECK_THROWS(parse(file_of(two + "4,12]}}", 12)), corrupt_file);  // overlap
  CHECK_THROWS(parse(file_of(two + "9,17]}}", 17)), corrupt_file);  // gap
  CHECK_THROWS(parse_safetensors(Tensor::empty({4}, DType::f32), "x"), invalid_argument);
}

TEST(safetensors_survives_mutations) {
  Random random(1, 0, "fuzz");
  const std::size_t header = kGood.size() - 21;
  int refused = 0, read = 0, other = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string file = kGood;
    const int edits = 1 + static_cast<int>(random.below(4));
    for (int e = 0; e < edits; ++e) {
      const std::size_t at = random.below(static_cast<std::uint32_t>(std::min(header + 4, file.size())));
      switch (random.below(5)) {
        case 0: file[at] = static_cast<char>(random.below(256)); break;
        case 1: file[at] = static_cast<char>(file[at] ^ (1 << random.below(8))); break;
        case 2: file.erase(at, 1 + random.below(6)); break;
        case 3: file.insert(at, 1, "{}[]\",:0-9.eE"[random.below(13)]); break;
        default: file.resize(at); break;
      }
      if (file.empty()) break;
    }
    try {
      for (const auto& [name, tensor] : parse(file)) {
        volatile std::uint8_t last =
            tensor.bytes() > 0 ? static_cast<const std::uint8_t*>(tensor.raw())[tensor.bytes() - 1] : std::uint8_t{0};
        (void)last;  // inside the file, or the sanitizer says so
      }
      ++read;
    } catch (const Error& error) {
      ++refused;
      if (error.code() != ErrorCode::corrupt_file) ++other;
    }
  }
  CHECK(refused > 4000);
  CHECK(read + refused == 6000);
  CHECK(other == 0);
}

TEST(read_file_errors) { CHECK_THROWS(read_file("/no/such/file"), not_found); }
