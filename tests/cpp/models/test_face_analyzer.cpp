// FaceAnalyzer on a network that is known exactly: class 1 where red is above the middle, class 2 where green is. A detector of stride 1
// that fires where blue is: a face of 32 pixels around each blue pixel.
#include "forge_rt/models/face_analyzer.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <thread>

#include "backends/onnx_writer.h"
#include "backends/onnxruntime_here.h"
#include "check.h"
#include "forge_rt/core/memory.h"
#include "forge_rt/core/sha256.h"
#include "forge_rt/core/thread_pool.h"

#if !defined(_WIN32) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // sanitizers watch these operators themselves
#include <dlfcn.h>
#define FORGE_COUNT_ALLOCATIONS
#endif

using namespace forge_rt;
namespace onnx = forge_rt::testing::onnx;
using forge_rt::testing::no_onnxruntime;

// ---- allocations by all but ONNX Runtime, by who called operator new. The C++ library is counted too: it calls for containers of ours ----

namespace {
std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

[[maybe_unused]] void count_allocation([[maybe_unused]] const void* caller) {
#if defined(FORGE_COUNT_ALLOCATIONS)
  if (!counting.load(std::memory_order_relaxed)) return;
  Dl_info info{};
  if (dladdr(caller, &info) == 0 || info.dli_fname == nullptr) return;
  if (std::strstr(info.dli_fname, "onnxruntime") == nullptr) ++allocations;
#endif
}
}  // namespace

#if defined(FORGE_COUNT_ALLOCATIONS)
// Kept out of line: inlined into a caller, g++ takes malloc and delete for a mismatched pair.
__attribute__((noinline)) void* operator new(std::size_t size) {
  count_allocation(__builtin_return_address(0));
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace {

std::string bytes_of(const Tensor& file) { return {static_cast<const char*>(file.raw()), file.bytes()}; }

/// What of the bundle is unlike the plain one.
struct Kind {
  float eye = -0.4f;  // the detector's first point
  bool probabilities = false;  // they need not sum to 1
  bool landmarks = false;  // and visibility: the corners of the crop and its middle
  // Graphs that fail at other sizes than the one they are tried with at load: when they run, or when memory is bound to them.
  bool batch_of_two_only = false, one_size_only = false;
};

onnx::Graph faces_graph(const Kind& kind) {
  onnx::Graph graph;
  graph.nodes = {onnx::node("Conv", {"image", "weight"}, {kind.batch_of_two_only || kind.probabilities ? "any" : "logits"})};
  graph.constants = {onnx::constant("weight", {3, 3, 1, 1}, {0, 0, 0, 8, 0, 0, 0, 8, 0})};
  graph.inputs = {onnx::value_info("image", onnx::kFloat, {-1, 3, 32, 32})};
  graph.outputs = {onnx::value_info("logits", onnx::kFloat, {-1, 3, 32, 32})};
  if (kind.probabilities) graph.nodes.push_back(onnx::node("Sigmoid", {"any"}, {"logits"}));
  if (kind.batch_of_two_only) {
    graph.nodes.push_back(onnx::node("Reshape", {"any", "two"}, {"pair"}));
    graph.nodes.push_back(onnx::node("ReduceMean", {"pair"}, {"mean"}));
    graph.nodes.push_back(onnx::node("Add", {"any", "mean"}, {"logits"}));
    graph.constants.push_back(onnx::integers("two", {2, 3, 32, 32}));
  }
  if (kind.landmarks) {
    graph.nodes.push_back(onnx::node("Conv", {"image", "nothing", "corners"}, {"column"}));
    graph.nodes.push_back(onnx::node("Reshape", {"column", "rows"}, {"points"}));
    graph.constants.push_back(onnx::constant("nothing", {15, 3, 32, 32}, std::vector<float>(15 * 3 * 32 * 32)));
    graph.constants.push_back(onnx::constant("corners", {15}, {0, 0, 2, 1, 0, 2, 0, 1, 2, 1, 1, 2, 0.5f, 0.5f, 2}));
    graph.constants.push_back(onnx::integers("rows", {0, 5, 3}));
    graph.outputs.push_back(onnx::value_info("points", onnx::kFloat, {-1, 5, 3}));
  }
  return graph;
}

void remove_at_exit(const std::filesystem::path& folder) {
  struct Folders {
    std::vector<std::filesystem::path> all;
    ~Folders() {
      std::error_code ignored;
      for (const auto& path : all) std::filesystem::remove_all(path, ignored);
    }
  };
  static Folders folders;
  folders.all.push_back(folder);
}

std::string write_bundle(const Kind& kind = {}) {
  const float eye = kind.eye;
  const std::string faces = bytes_of(onnx::model(faces_graph(kind)));
  const float side = std::log(16.f);
  onnx::Graph graph;
  graph.nodes = {onnx::node("Conv", {"image", "sw"}, {"score"}),
                 onnx::node("Conv", {"image", "bw", "bb"}, {kind.one_size_only ? "any" : "box"}),
                 onnx::node("Conv", {"image", "pw", "pb"}, {"points"})};
  graph.constants = {onnx::constant("sw", {1, 3, 1, 1}, {0, 0, 10}), onnx::constant("bw", {4, 3, 1, 1}, std::vector<float>(12)),
                     onnx::constant("bb", {4}, {side, side, side, side}), onnx::constant("pw", {10, 3, 1, 1}, std::vector<float>(30)),
                     onnx::constant("pb", {10}, {eye, -0.4f, 0.4f, -0.4f, 0, 0, -0.3f, 0.5f, 0.3f, 0.5f})};
  if (kind.one_size_only) {
    graph.nodes.push_back(onnx::node("Reshape", {"any", "square"}, {"box"}));
    graph.constants.push_back(onnx::integers("square", {1, 4, 128, 128}));
  }
  graph.inputs = {onnx::value_info("image", onnx::kFloat, {1, 3, -1, -1})};
  graph.outputs = {onnx::value_info("score", onnx::kFloat, {1, 1, -1, -1}), onnx::value_info("box", onnx::kFloat, {1, 4, -1, -1}),
                   onnx::value_info("points", onnx::kFloat, {1, 10, -1, -1})};
  const std::string detect = bytes_of(onnx::model(graph));

  static std::atomic<int> number{0};
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / concat("forge_faces_", sha256_hex(faces.data(), faces.size()).substr(0, 8), "_", std::rand(),
                                                      "_", ++number, "_", reinterpret_cast<std::uintptr_t>(&number), ".forge");
  std::filesystem::create_directories(folder);
  remove_at_exit(folder);
  std::ofstream(folder / "faces.onnx", std::ios::binary) << faces;
  std::ofstream(folder / "detect.onnx", std::ios::binary) << detect;
  const char* const crop =
      eye == -0.4f ? R"("rule": "box", "margin": 0.0, "square": true)" : R"("rule": "five_points", "box": {"scale": 1.0})";
  const char* const points =
      kind.landmarks ? R"(, "landmarks": {"tensor": "points", "unit": "crop", "columns": ["x", "y", "visible"]})" : "";
  const std::string normal = R"("tensor": "image", "order": "RGB", "mean": [127.5, 127.5, 127.5], "scale": [0.0078, 0.0078, 0.0078])";
  std::ofstream(folder / "bundle.json", std::ios::binary) << R"({"format_version": 1, "family": "faces", "input": {)" << normal
                                                          << R"(, "size": [32, 32]},
 "crop": {)" << crop << R"(}, "variants": {"fp32": {"stages": [{"file": "faces.onnx"}]}},
 "outputs": {"parsing": {"tensor": "logits", "kind": ")" << (kind.probabilities ? "probabilities" : "logits")
                                                          << R"("})" << points << R"(},
 "labels": [{"id": 0, "name": "background", "color": [0, 0, 0]}, {"id": 1, "name": "skin", "color": [255, 0, 0]},
            {"id": 2, "name": "hair", "color": [0, 255, 0]}],
 "detector": {"input": {)" << normal << R"(}, "variants": {"fp32": {"file": "detect.onnx"}},
  "outputs": {"score": "score", "box": "box", "points": "points"}, "stride": 1, "size": 128, "multiple": 32, "threshold": 0.9, "iou": 0.3},
 "files": {"faces.onnx": {"sha256": ")" << sha256_hex(faces.data(), faces.size())
                                                          << R"("}, "detect.onnx": {"sha256": ")"
                                                          << sha256_hex(detect.data(), detect.size()) << R"("}}})";
  return folder.string();
}

std::shared_ptr<const FaceAnalyzer> load(AnalyzerOptions options = {}) {
  static const std::string folder = write_bundle();
  if (options.threads == 0) options.threads = 1;
  return FaceAnalyzer::load(folder, options);
}

/// 128 × 96: a red left half, a green right half, and a blue pixel in the middle of each face.
struct Picture {
  std::vector<std::uint8_t> pixels;
  explicit Picture(const std::vector<std::array<int, 2>>& faces) : pixels(128 * 96 * 3) {
    for (int y = 0; y < 96; ++y)
      for (int x = 0; x < 128; ++x) pixels[3 * (y * 128 + x) + (x < 64 ? 0 : 1)] = 255;
    for (const auto& f : faces) pixels[3 * (f[1] * 128 + f[0]) + 2] = 255;
  }
  ImageView view() const { return {.data = pixels.data(), .width = 128, .height = 96}; }
};

std::uint64_t tensor_allocations() {
  std::uint64_t sum = 0;
  for (const MemoryUse& use : memory_report()) sum += use.allocations;
  return sum;
}

}  // namespace

TEST(faces_are_found_and_painted) {
  if (no_onnxruntime()) return;
  const auto analyzer = load();
  const Picture picture({{30, 30}, {90, 60}});
  const Faces faces = analyzer->analyze(picture.view());
  CHECK(faces.faces.size() == 2 && faces.width == 128 && faces.height == 96);
  CHECK(faces.mask.size() == std::size_t{128 * 96});
  for (const Face& face : faces.faces) {
    CHECK_NEAR(face.box.width(), 32, 1e-3);
    CHECK(face.area.size() == 3 && face.area[1] + face.area[2] > 900);
    CHECK(face.confidence > 0.9f && face.confidence <= 1.f);
  }
  CHECK(faces.mask[30 * 128 + 35] == 1 && faces.mask[60 * 128 + 95] == 2 && faces.mask[90 * 128 + 5] == 0);
}

TEST(points_gone_astray_are_not_used) {
  if (no_onnxruntime()) return;
  const auto analyzer = FaceAnalyzer::load(write_bundle({.eye = -1e20f}), {.threads = 1});
  const Picture picture({{40, 40}});
  const Faces faces = analyzer->analyze(picture.view());
  CHECK(faces.faces.size() == 1 && faces.faces[0].points[0][0] == 0);
  CHECK(faces.mask[40 * 128 + 45] == 1);
}

TEST(many_frames_are_single_frames) {
  if (no_onnxruntime()) return;
  const auto analyzer = load({.batch = 3});
  const std::vector<Picture> pictures{Picture({{30, 30}, {90, 60}}), Picture({}), Picture({{40, 40}}),
                                      Picture({{20, 20}, {60, 60}, {100, 30}})};
  std::vector<ImageView> views;
  for (const Picture& p : pictures) views.push_back(p.view());
  std::vector<Faces> together(views.size());
  analyzer->analyze(views, AnalyzeOptions{}, together);
  for (std::size_t i = 0; i < views.size(); ++i) CHECK(together[i].mask == analyzer->analyze(views[i]).mask);
  std::vector<Faces> too_few(1);
  CHECK_THROWS(analyzer->analyze(views, AnalyzeOptions{}, too_few), invalid_argument);
}

/// Calls `work` until all buffers are known, then counts what it still allocates: with one thread and with three.
template <class Work>
void expect_no_allocations(const char* what, const Work& work) {
  const int before_test = num_threads();
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    for (int i = 0; i < 4; ++i) work();
    const std::uint64_t before = tensor_allocations();
    allocations = 0;
    counting = true;
    for (int i = 0; i < 5; ++i) work();
    counting = false;
    if (allocations != 0) std::fprintf(stderr, "%s: %d allocations with %d threads\n", what, allocations.load(), threads);
    CHECK(allocations == 0);
    CHECK(tensor_allocations() == before);
  }
  set_num_threads(before_test);
}

TEST(nothing_is_allocated_after_the_first_frames) {
  if (no_onnxruntime()) return;
  const auto analyzer = load();
  const auto tracker = FaceTracker::make(analyzer, {.detect_every = 2});
  const Picture two({{30, 30}, {90, 60}}), none({}), three({{20, 20}, {60, 60}, {100, 30}});
  const std::vector<Box> boxes{{10, 10, 40, 40}, {60, 20, 100, 70}};
  AnalyzeOptions options;
  options.confidence = true;
  Faces result, tracked;
  std::vector<Faces> several(2);
  const ImageView frames[] = {two.view(), three.view()};
  double time_s = 0;
  expect_no_allocations("parsing", [&] {
    for (const Picture* picture : {&two, &none, &three}) analyzer->analyze(picture->view(), options, result);
    analyzer->analyze(two.view(), std::span<const Box>(boxes), options, result);
    analyzer->analyze(frames, options, several);
    for (int i = 0; i < 4; ++i) tracker->update(two.view(), time_s += 0.04, tracked);
  });
}

TEST(nothing_is_allocated_with_all_outputs) {
  if (no_onnxruntime()) return;
  const auto analyzer = FaceAnalyzer::load(FAKE_BUNDLE, {.threads = 1});
  AnalyzeOptions options;
  options.confidence = options.depth_map = true;
  Faces result, tracked;
  const auto picture = [](int left) {  // 320 x 240, dark, with a bright square: a face of fake.forge
    std::vector<std::uint8_t> grey(320 * 240, 5);
    for (int y = 100; y < 140; ++y) std::memset(&grey[static_cast<std::size_t>(y) * 320 + left], 250, 40);
    return grey;
  };
  const std::vector<std::uint8_t> pixels[] = {picture(140), picture(150)};
  ImageView frame{.width = 320, .height = 240, .format = PixelFormat::gray};
  const auto tracker = FaceTracker::make(analyzer, {.smooth_mask = 0.5f, .analyze = options});
  double time_s = 0;
  expect_no_allocations("fake.forge", [&] {
    tracker->reset();
    for (int i = 0; i < 6; ++i) {
      frame.data = pixels[i % 2].data();
      analyzer->analyze(frame, options, result);
      CHECK(result.faces.size() == 1 && result.faces[0].landmarks.size() == 68 && result.faces[0].visibility.size() == 68);
      CHECK(result.depth.size() == result.mask.size());
      // Its landmarks lead astray: faces are lost, forgotten after a second, and found as new ones.
      tracker->update(frame, time_s += 0.1, tracked);
    }
  });
}

TEST(nothing_is_allocated_by_a_tracker_that_follows_landmarks) {
  if (no_onnxruntime()) return;
  const auto analyzer = FaceAnalyzer::load(write_bundle({.probabilities = true, .landmarks = true}), {.threads = 1});
  const auto tracker = FaceTracker::make(analyzer, {.detect_every = 3, .smooth_mask = 0.5f});
  const Picture two({{30, 30}, {90, 60}});
  Faces tracked;
  double time_s = 0;
  expect_no_allocations("tracker", [&] {
    for (int i = 0; i < 7; ++i) tracker->update(two.view(), time_s += 0.04, tracked);
    CHECK(tracked.faces.size() == 2 && tracked.faces[0].landmarks.size() == 5);
  });
}

TEST(a_face_is_held_while_another_one_is_lost) {
  if (no_onnxruntime()) return;
  const auto tracker = FaceTracker::make(FaceAnalyzer::load(write_bundle({.landmarks = true}), {.threads = 1}), {.detect_every = 5});
  const Picture both({{30, 30}, {90, 60}});
  Picture alone({});  // the second face has become black, and the detector does not see the first one any more
  for (int y = 0; y < 96; ++y) std::memset(&alone.pixels[3 * (static_cast<std::size_t>(y) * 128 + 64)], 0, 3 * 64);
  Faces out;
  tracker->update(both.view(), 0, out);
  CHECK(out.faces.size() == 2);
  const int first = out.faces.at(out.faces[0].box.left < 64 ? 0 : 1).track;
  int held = 0;
  for (int i = 1; i <= 30; ++i) {
    tracker->update(alone.view(), 0.02 * i, out);
    if (out.faces.size() == 1 && out.faces[0].track == first) held = i;
    CHECK(out.faces.size() <= 1);
  }
  CHECK(held == 14);  // the third detection that counts is in frame 15
}

TEST(graphs_that_fail_later_are_the_bundles_fault) {
  if (no_onnxruntime()) return;
  const Picture picture({{40, 40}});
  const std::string network = write_bundle({.batch_of_two_only = true}), detector = write_bundle({.one_size_only = true});
  for (const std::string& bundle : {network, detector}) {
    const auto analyzer = FaceAnalyzer::load(bundle, {.threads = 1});
    CHECK_THROWS(analyzer->analyze(picture.view()), corrupt_file);
    try {
      (void)analyzer->analyze(picture.view());
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(bundle) != std::string::npos);
    }
  }
}

TEST(tracker_takes_a_new_face_while_it_remembers_a_lost_one) {
  if (no_onnxruntime()) return;
  TrackerOptions options;
  options.analyze.max_faces = 1;
  const auto tracker = FaceTracker::make(load(), options);
  const Picture left({{30, 30}}), right({{100, 60}});
  Faces out;
  tracker->update(left.view(), 0, out);
  const int first = out.faces.at(0).track;
  tracker->update(right.view(), 0.04, out);
  CHECK(out.faces.size() == 1 && out.faces[0].track != first);
  tracker->update(left.view(), 0.08, out);
  CHECK(out.faces.size() == 1 && out.faces[0].track == first);
}

TEST(threads_share_an_analyzer) {
  if (no_onnxruntime()) return;
  const auto analyzer = load();
  const std::vector<Picture> pictures{Picture({{30, 30}, {90, 60}}), Picture({{40, 40}}), Picture({{20, 20}, {60, 60}, {100, 30}})};
  std::vector<std::vector<std::uint8_t>> wanted;
  for (const Picture& p : pictures) wanted.push_back(analyzer->analyze(p.view()).mask);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const auto tracker = FaceTracker::make(analyzer);
      Faces out;
      for (int i = 0; i < 12; ++i) {
        const std::size_t k = static_cast<std::size_t>(i + t) % pictures.size();
        analyzer->analyze(pictures[k].view(), AnalyzeOptions{}, out);
        wrong += out.mask != wanted[k];
        tracker->update(pictures[k].view(), i, out);
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST(wrong_options_and_boxes) {
  if (no_onnxruntime()) return;
  CHECK_THROWS(load({.batch = 0}), invalid_argument);
  CHECK_THROWS(load({.precision = "int4"}), unsupported);
  const auto analyzer = load();
  const Picture picture({});
  Faces out;
  const float nan = std::nanf("");
  for (const Box& box : {Box{0, 0, nan, 4}, Box{5, 5, 5, 9}, Box{-9, -9, -1, -1}, Box{200, 0, 210, 10}, Box{-1e12f, -1e12f, 1e12f, 1e12f}})
    CHECK_THROWS(analyzer->analyze(picture.view(), std::span(&box, 1), {}, out), invalid_argument);
  const Box fine_and_vast[] = {{10, 10, 40, 40}, {-1e12f, -1e12f, 1e12f, 1e12f}};
  try {
    analyzer->analyze(picture.view(), std::span<const Box>(fine_and_vast), {}, out);
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find("box 1, ") == 0);
  }
  CHECK_THROWS(FaceTracker::make(nullptr), invalid_argument);
  CHECK_THROWS(FaceTracker::make(analyzer, {.smooth_mask = 1}), invalid_argument);
}
