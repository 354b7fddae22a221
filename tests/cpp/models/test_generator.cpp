// Generator on the tiny bundle of tests/data. What it computes is compared in tests/python/test_generator.py; here: the C++ surface.
#include "forge_rt/models/generator.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>

#include "backends/onnxruntime_here.h"
#include "check.h"
#include "forge_rt/core/thread_pool.h"

using namespace forge_rt;
using forge_rt::testing::no_onnxruntime;

namespace {

std::shared_ptr<const Generator> load(const GeneratorOptions& options = {}) { return Generator::load(TINY_BUNDLE, options); }

Tensor numbers(Shape shape, std::uint64_t index) {
  Tensor out = Tensor::empty(std::move(shape), DType::f32);
  Random random(7, index, "test");
  for (std::int64_t i = 0; i < out.count(); ++i) out.mutable_data<float>()[i] = static_cast<float>(random.normal());
  return out;
}

/// A cloud of a head's size with a mouth in the middle of the view.
struct Mesh {
  Mesh(std::int64_t count, int points) : vertices(numbers({count, points, 3}, 1)), landmarks(Tensor::zeros({count, 68, 3}, DType::f32)) {
    for (std::int64_t i = 0; i < vertices.count(); ++i) vertices.mutable_data<float>()[i] *= 0.05f;
    for (std::int64_t i = 0; i < count * 68; ++i) {
      const float turn = static_cast<float>(i % 68) * 0.5236f;
      landmarks.mutable_data<float>()[3 * i] = 0.03f * std::cos(turn);
      landmarks.mutable_data<float>()[3 * i + 1] = 0.02f * std::sin(turn);
    }
  }
  Tensor vertices, landmarks;
};

Tensor frontal(const Generator& generator, std::int64_t count) {
  Tensor out = Tensor::empty({count, 25}, DType::f32);
  for (std::int64_t i = 0; i < out.count(); ++i) out.mutable_data<float>()[i] = generator.info().frontal[static_cast<std::size_t>(i % 25)];
  return out;
}

bool equal(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0; }

}  // namespace

TEST(levels) {
  if (no_onnxruntime()) return;
  const auto generator = load();
  const GeneratorInfo& info = generator->info();
  CHECK(info.family == "next3d" && info.z_dim == 8 && info.vertices == 176 && info.image_size == 128);
  CHECK(generator->device().is_cpu() && generator->precision() == "fp32" && generator->hash().size() == 64);
  const Mesh mesh(5, info.vertices);
  const GeneratorIdentity identity = generator->identity(numbers({5, 8}, 0));
  const GeneratorHead head = generator->expression(identity, mesh.vertices, mesh.landmarks);
  const GeneratorView view = generator->view(head, frontal(*generator, 5), {.features = true});
  CHECK(identity.size() == 5 && head.size() == 5 && identity.ws.read_only() && head.planes.read_only());
  CHECK((head.planes.shape() == Shape{5, 3, 32, 32, 8}) && (view.image.shape() == Shape{5, 3, 128, 128}));
  CHECK((to_rgb8(view.image).shape() == Shape{5, 128, 128, 3}) && (view.features.shape() == Shape{5, 8, 16, 16}));

  // each sample alone
  for (std::int64_t i = 0; i < 5; ++i) {
    const GeneratorIdentity alone = generator->identity(numbers({5, 8}, 0).slice(i, i + 1));
    const GeneratorHead posed = generator->expression(alone, mesh.vertices.slice(i, i + 1), mesh.landmarks.slice(i, i + 1));
    CHECK(equal(posed.planes, head.planes.slice(i, i + 1)));
    CHECK(equal(generator->view(posed, frontal(*generator, 1)).image, view.image.slice(i, i + 1)));
  }
  // a head outlives its identity and its generator's other levels; several views share it
  const GeneratorView shared = generator->view(head, frontal(*generator, 2), {.rows = Tensor::from(std::vector<std::int32_t>{3, 3}, {2})});
  CHECK(equal(shared.image.slice(0, 1), view.image.slice(3, 4)) && equal(shared.image.slice(1, 2), view.image.slice(3, 4)));
}

TEST(density) {
  if (no_onnxruntime()) return;
  const auto generator = load();
  const Mesh mesh(3, generator->info().vertices);
  const GeneratorHead head = generator->expression(generator->identity(numbers({3, 8}, 0)), mesh.vertices, mesh.landmarks);
  const Tensor points = numbers({3, 50, 3}, 2);
  const DensitySamples all = generator->density(head, points, {.colour = true});
  CHECK((all.density.shape() == Shape{3, 50}) && (all.colour.shape() == Shape{3, 50, 8}));
  CHECK(!generator->density(head, points).colour.defined());
  for (const std::vector<std::int32_t>& rows : {std::vector<std::int32_t>{2, 2, 2}, {1, 2, 0}, {0, 1, 2}}) {
    const DensitySamples some = generator->density(head, points, {.rows = Tensor::from(rows, {3}), .colour = true});
    for (std::int64_t m = 0; m < 3; ++m) {
      const Tensor row = Tensor::from(std::vector<std::int32_t>{rows[static_cast<std::size_t>(m)]}, {1});
      const DensitySamples alone = generator->density(head, points.slice(m, m + 1), {.rows = row, .colour = true});
      CHECK(equal(some.density.slice(m, m + 1), alone.density) && equal(some.colour.slice(m, m + 1), alone.colour));
    }
  }
  CHECK((generator->density(head, Tensor::empty({3, 0, 3}, DType::f32)).density.shape() == Shape{3, 0}));
  CHECK_THROWS(generator->density({}, points), invalid_argument);
  CHECK_THROWS(generator->density(head, {}), invalid_argument);
  CHECK_THROWS(generator->density(head, points.slice(0, 2)), invalid_argument);
  CHECK_THROWS(generator->density(head, points, {.rows = Tensor::from(std::vector<std::int32_t>{0, 1, 3}, {3})}), invalid_argument);
}

TEST(threads_share_a_generator) {
  if (no_onnxruntime()) return;
  const auto generator = load();
  const Mesh mesh(2, generator->info().vertices);
  const auto image = [&] {
    const GeneratorHead head = generator->expression(generator->identity(numbers({2, 8}, 0)), mesh.vertices, mesh.landmarks);
    return generator->view(head, frontal(*generator, 2)).image;
  };
  const Tensor wanted = image();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i) wrong += !equal(image(), wanted);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST(wrong_arguments) {
  if (no_onnxruntime()) return;
  CHECK_THROWS(load({.device = "gpu"}), invalid_argument);
  CHECK_THROWS(load({.precision = "int4"}), unsupported);
  CHECK_THROWS(load({.threads = 1000}), invalid_argument);
  CHECK_THROWS(Generator::load("no such bundle"), not_found);
  const auto generator = load();
  const Mesh mesh(2, generator->info().vertices);
  CHECK_THROWS(generator->identity({}), invalid_argument);
  CHECK_THROWS(generator->identity(numbers({2, 9}, 0)), invalid_argument);
  const GeneratorIdentity identity = generator->identity(numbers({2, 8}, 0));
  CHECK_THROWS(generator->expression({}, mesh.vertices, mesh.landmarks), invalid_argument);
  CHECK_THROWS(generator->expression(identity, {}, {}), invalid_argument);
  CHECK_THROWS(generator->expression(identity, mesh.vertices, {}), invalid_argument);
  const GeneratorHead head = generator->expression(identity, mesh.vertices, mesh.landmarks);
  CHECK_THROWS(generator->view({}, frontal(*generator, 1)), invalid_argument);
  CHECK_THROWS(generator->view(head, {}), invalid_argument);
  CHECK_THROWS(generator->view(head, frontal(*generator, 2), {.coarse = 1000}), invalid_argument);
  CHECK_THROWS(generator->view(head, frontal(*generator, 2), {.coarse = -1}), invalid_argument);
  CHECK_THROWS(generator->view(head, frontal(*generator, 2), {.fine = -2}), invalid_argument);
  CHECK_THROWS(generator->identity(numbers({2, 8}, 0), {}, 1e300), invalid_argument);
  CHECK_THROWS(to_rgb8({}), invalid_argument);
}

// Levels are plain structs: whoever fills one by hand gets an error, not a crash.
TEST(levels_made_by_hand) {
  if (no_onnxruntime()) return;
  const auto generator = load();
  const Mesh mesh(1, generator->info().vertices), none(0, generator->info().vertices);
  const GeneratorIdentity identity = generator->identity(numbers({1, 8}, 0));
  const GeneratorHead head = generator->expression(identity, mesh.vertices, mesh.landmarks);
  const Tensor camera = frontal(*generator, 1);

  GeneratorIdentity named, moved = identity, narrow = identity, bare = identity;
  named.model = generator->hash();
  CHECK_THROWS(generator->expression(named, mesh.vertices, mesh.landmarks), invalid_argument);
  CHECK_THROWS(generator->expression(named, none.vertices, none.landmarks), invalid_argument);
  const GeneratorIdentity taken = std::move(moved);
  CHECK_THROWS(generator->expression(moved, mesh.vertices, mesh.landmarks), invalid_argument);
  CHECK(taken.size() == 1);
  narrow.texture = numbers({1, 4, 4, 8}, 1);
  CHECK_THROWS(generator->expression(narrow, mesh.vertices, mesh.landmarks), invalid_argument);
  bare.static_planes = {};
  CHECK_THROWS(generator->expression(bare, mesh.vertices, mesh.landmarks), invalid_argument);

  GeneratorHead two = head, unstyled = head;
  two.planes = Tensor::zeros({2, 3, 32, 32, 8}, DType::f32);
  CHECK_THROWS(generator->view(two, frontal(*generator, 2)), invalid_argument);
  unstyled.style = {};
  CHECK_THROWS(generator->view(unstyled, camera), invalid_argument);
}
