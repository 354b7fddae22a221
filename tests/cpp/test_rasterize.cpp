// rasterize: one body over every instruction set of this processor, against the scalar oracle, bit for bit.
#include <algorithm>
#include <cstring>
#include <limits>
#include <string>

#include "check.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/philox.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/ops/rasterize.h"

using namespace forge_rt;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

std::vector<Isa> isa_paths() {
  std::vector<Isa> out{Isa::baseline};
  for (const Isa isa : {Isa::avx2, Isa::avx512})
    if (isa <= best_isa()) out.push_back(isa);
  return out;
}

// Restores the process' settings at the end of a case.
struct Settings {
  Isa isa = active_isa();
  int threads = num_threads();
  ~Settings() {
    set_isa(isa);
    set_num_threads(threads);
  }
};

struct Scene {
  Tensor positions;
  RasterMesh mesh;
};

float between(Random& random, float low, float high) { return static_cast<float>(random.uniform(low, high)); }

// Vertices of all kinds: ordinary, far outside, behind the camera, at the near plane, not finite; triangles that repeat, collapse and overlap.
Scene random_scene(std::uint64_t seed, int batch, int vertices, int faces) {
  Random random(seed, 0, "test.scene");
  std::vector<float> positions;
  for (int i = 0; i < batch * vertices; ++i) {
    float w = between(random, 0.2f, 4.f), scale = 1.3f;
    const std::uint32_t kind = random.below(40);
    if (kind == 0) w = between(random, -3.f, 0.02f);
    if (kind == 1) w = 0.01f;
    if (kind == 2) scale = 40.f;
    if (kind == 3) scale = 1e7f;
    float x = between(random, -scale, scale) * w, y = between(random, -scale, scale) * w;
    const float z = between(random, 0.1f, 5.f);
    if (kind == 4) x = static_cast<float>(static_cast<int>(random.below(9))) / 4.f - 1.f, y = 0.f, w = 1.f;  // on pixel borders and centres
    if (kind == 5) (random.below(2) ? x : y) = random.below(2) ? kNan : kInfinity;
    positions.insert(positions.end(), {x, y, z, w});
  }
  std::vector<std::int32_t> triangles;
  std::vector<std::uint8_t> labels, parts;
  for (int f = 0; f < faces; ++f) {
    const auto vertex = [&] { return static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(vertices))); };
    std::int32_t id[3] = {vertex(), vertex(), vertex()};
    if (f > 0 && random.below(6) == 0) std::copy_n(triangles.end() - 3, 3, id);  // the same again: a tie everywhere
    if (f > 0 && random.below(6) == 0) std::rotate_copy(triangles.end() - 3, triangles.end() - 2, triangles.end(), id);
    if (random.below(15) == 0) id[1] = id[0];  // no area
    triangles.insert(triangles.end(), id, id + 3);
    labels.push_back(static_cast<std::uint8_t>(random.below(19)));
    parts.push_back(static_cast<std::uint8_t>(random.below(64)));
  }
  std::vector<std::uint64_t> visible;
  for (int b = 0; b < batch; ++b) visible.push_back((std::uint64_t{random.next_u32()} << 32) | random.next_u32());
  Scene scene;
  scene.positions = Tensor::from(positions, {batch, vertices, 4});
  scene.mesh.triangles = Tensor::from(triangles, {faces, 3});
  scene.mesh.face_labels = Tensor::from(labels, {faces});
  scene.mesh.face_part = Tensor::from(parts, {faces});
  scene.mesh.visible_parts = Tensor::from(visible, {batch});
  return scene;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.defined() == b.defined() && (!a.defined() || (a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0));
}
bool same_bytes(const RasterOutput& a, const RasterOutput& b) {
  return same_bytes(a.face, b.face) && same_bytes(a.depth, b.depth) && same_bytes(a.barycentrics, b.barycentrics) &&
         same_bytes(a.label, b.label);
}

RasterOutput one_triangle(const std::vector<float>& corners, RasterizeOptions options) {
  RasterMesh mesh;
  mesh.triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2}, {1, 3});
  return rasterize(Tensor::from(corners, {1, 3, 4}), mesh, options);
}

const std::vector<ImageSize> kSizes = {{1, 1}, {3, 5}, {1, 70}, {70, 1}, {33, 17}, {64, 64}, {130, 257}, {2, 8192}, {8192, 2}};

}  // namespace

TEST(all_paths_agree_to_the_bit) {
  const Settings restore;
  int drawn = 0, compared = 0;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (const ImageSize size : kSizes) {
      const bool thin = size.height > 1000 || size.width > 1000;
      Scene scene = random_scene(seed, 2, thin ? 40 : 90, thin ? 30 : 150);
      for (int mode = 0; mode < 16; ++mode) {
        RasterizeOptions options;
        options.size = size;
        options.coverage = mode & 1 ? Coverage::strict_float : Coverage::watertight;
        options.perspective = mode & 2;
        options.cull = mode & 4 ? Cull::back : Cull::none;
        RasterMesh mesh = scene.mesh;
        if (mode & 8) mesh.visible_parts = {};
        set_isa(Isa::baseline);
        const RasterOutput oracle = rasterize(scene.positions, mesh, options);
        for (std::int64_t i = 0; i < oracle.face.count(); ++i) drawn += oracle.face.data<std::int32_t>()[i] >= 0;
        for (const Isa isa : isa_paths()) {
          if (isa == Isa::baseline) continue;
          set_isa(isa);
          const RasterOutput fast = rasterize(scene.positions, mesh, options);
          ++compared;
          if (!same_bytes(oracle, fast))
            testing::report(__FILE__, __LINE__,
                            concat(isa_name(isa), " differs: seed ", seed, ", ", size.height, " x ", size.width, ", mode ", mode));
        }
      }
    }
  }
  CHECK(drawn > 100000);
  CHECK(compared == 4 * 9 * 16 * (static_cast<int>(isa_paths().size()) - 1));
}

TEST(large_and_small_triangles_agree) {
  const Settings restore;
  Random random(3, 0, "test.sizes");
  for (int round = 0; round < 300; ++round) {
    const float radius = std::exp2(between(random, -9.f, 5.f));  // from below a pixel to beyond the guard band
    const float cx = between(random, -1.2f, 1.2f), cy = between(random, -1.2f, 1.2f);
    std::vector<float> corners;
    for (int k = 0; k < 3; ++k)
      corners.insert(corners.end(),
                     {cx + between(random, -radius, radius), cy + between(random, -radius, radius), between(random, 0.f, 1.f), 1.f});
    RasterizeOptions options;
    options.size = {200, 311};
    options.cull = Cull::none;
    options.coverage = round % 2 ? Coverage::strict_float : Coverage::watertight;
    set_isa(Isa::baseline);
    const RasterOutput oracle = one_triangle(corners, options);
    for (const Isa isa : isa_paths()) {
      set_isa(isa);
      CHECK(same_bytes(oracle, one_triangle(corners, options)));
    }
  }
}

TEST(threads_and_batch_do_not_matter) {
  const Settings restore;
  const Scene scene = random_scene(11, 5, 120, 200);
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    for (const Coverage coverage : {Coverage::watertight, Coverage::strict_float}) {
      RasterizeOptions options;
      options.size = {75, 50};
      options.coverage = coverage;
      set_num_threads(1);
      const RasterOutput expected = rasterize(scene.positions, scene.mesh, options);
      for (const int threads : {2, 3, 8, 100}) {
        set_num_threads(threads);
        CHECK(same_bytes(expected, rasterize(scene.positions, scene.mesh, options)));
      }
      for (int b = 0; b < 5; ++b) {
        RasterMesh mesh = scene.mesh;
        mesh.visible_parts = mesh.visible_parts.slice(b, b + 1);
        const RasterOutput alone = rasterize(scene.positions.slice(b, b + 1), mesh, options);
        CHECK(same_bytes(alone.face, expected.face.slice(b, b + 1)));
        CHECK(same_bytes(alone.depth, expected.depth.slice(b, b + 1)));
        CHECK(same_bytes(alone.barycentrics, expected.barycentrics.slice(b, b + 1)));
        CHECK(same_bytes(alone.label, expected.label.slice(b, b + 1)));
      }
    }
  }
}

// ---- watertightness ----

namespace {

// A grid of jittered vertices over more than the image, diagonals at random: every pixel lies in exactly one triangle.
struct Grid {
  std::vector<float> positions;
  std::vector<std::int32_t> triangles;
};
Grid make_grid(std::uint64_t seed, int cells, float extent, bool perspective, bool snapped) {
  Random random(seed, 0, "test.grid");
  Grid grid;
  const float cell = 2.f * extent / static_cast<float>(cells);
  for (int j = 0; j <= cells; ++j) {
    for (int i = 0; i <= cells; ++i) {
      const bool border = i == 0 || j == 0 || i == cells || j == cells;
      const float jitter = border || snapped ? 0.f : 0.3f * cell;
      const float w = perspective ? between(random, 0.5f, 2.f) : 1.f;
      const float x = -extent + static_cast<float>(i) * cell + between(random, -jitter, jitter);
      const float y = -extent + static_cast<float>(j) * cell + between(random, -jitter, jitter);
      grid.positions.insert(grid.positions.end(), {x * w, y * w, 0.5f, w});
    }
  }
  for (int j = 0; j < cells; ++j) {
    for (int i = 0; i < cells; ++i) {
      const std::int32_t a = j * (cells + 1) + i, b = a + 1, c = a + cells + 1, d = c + 1;
      if (random.below(2)) grid.triangles.insert(grid.triangles.end(), {a, b, d, a, d, c});
      else grid.triangles.insert(grid.triangles.end(), {a, b, c, b, d, c});
    }
  }
  return grid;
}

// Draws each triangle alone and adds up who covers what.
std::vector<int> coverage_counts(const Grid& grid, const RasterizeOptions& options) {
  std::vector<int> counts(static_cast<std::size_t>(options.size.height) * options.size.width, 0);
  const Tensor positions = Tensor::from(grid.positions, {1, static_cast<std::int64_t>(grid.positions.size() / 4), 4});
  RasterOutput out;
  for (std::size_t f = 0; f < grid.triangles.size() / 3; ++f) {
    RasterMesh mesh;
    mesh.triangles = Tensor::from(std::vector<std::int32_t>(grid.triangles.begin() + 3 * f, grid.triangles.begin() + 3 * f + 3), {1, 3});
    rasterize_into(out, positions, mesh, options);
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += out.face.data<std::int32_t>()[i] == 0;
  }
  return counts;
}

}  // namespace

TEST(watertight_covers_each_pixel_once) {
  const Settings restore;
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      for (const ImageSize size : {ImageSize{64, 64}, ImageSize{37, 90}}) {
        RasterizeOptions options;
        options.size = size;
        options.cull = seed % 2 ? Cull::back : Cull::none;
        options.perspective = seed % 3 != 0;
        options.want_depth = options.want_barycentrics = false;
        // `snapped`: vertices and edges exactly on pixel centres, where the top-left rule decides
        const Grid grid = make_grid(seed, 9, 1.125f, options.perspective, seed >= 4);
        const std::vector<int> counts = coverage_counts(grid, options);
        CHECK(std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; }));
      }
    }
  }
}

TEST(watertight_on_pixel_centres) {
  for (const int cells : {4, 8, 16, 32}) {  // grid lines through pixel borders and, with an odd image, through centres
    for (const int size : {15, 16, 31, 64}) {
      RasterizeOptions options;
      options.size = {size, size};
      options.perspective = false;
      const std::vector<int> counts = coverage_counts(make_grid(1, cells, 1.f + 1.f / static_cast<float>(size), false, true), options);
      CHECK(std::all_of(counts.begin(), counts.end(), [](int n) { return n == 1; }));
    }
  }
}

TEST(watertight_through_the_near_plane_and_guard_band) {
  // A floor below the camera, from far in front to behind it: its triangles are cut by the near plane and the guard band.
  Random random(5, 0, "test.floor");
  Grid grid;
  constexpr int kCells = 10;
  for (int j = 0; j <= kCells; ++j)
    for (int i = 0; i <= kCells; ++i) {
      const float z = -20.f + 80.f * static_cast<float>(j) / kCells + between(random, -2.f, 2.f);
      grid.positions.insert(grid.positions.end(), {400.f * (static_cast<float>(i) / kCells - 0.5f), -1.f, z, z});
    }
  for (int j = 0; j < kCells; ++j)
    for (int i = 0; i < kCells; ++i) {
      const std::int32_t a = j * (kCells + 1) + i, b = a + 1, c = a + kCells + 1, d = c + 1;
      grid.triangles.insert(grid.triangles.end(), {a, b, d, a, d, c});
    }
  RasterizeOptions options;
  options.size = {64, 80};
  options.cull = Cull::none;
  options.near = 0.05f;
  const std::vector<int> counts = coverage_counts(grid, options);
  int holes = 0, doubles = 0;
  for (int row = 0; row < 64; ++row)
    for (int column = 0; column < 80; ++column) {
      const int n = counts[static_cast<std::size_t>(row * 80 + column)];
      doubles += n > 1;
      holes += row >= 36 && n == 0;  // below the horizon (row 32) the floor reaches the image's bottom
      if (row < 31) CHECK(n == 0);
    }
  CHECK(holes == 0);
  CHECK(doubles == 0);
}

// ---- known pictures ----

TEST(rows_start_at_the_top_and_x_grows_right) {
  RasterizeOptions options;
  options.size = {4, 6};
  options.perspective = false;
  options.cull = Cull::none;
  // upper right quarter: two legs along the axes
  const RasterOutput out = one_triangle({0, 0, 1, 1, 2, 0, 1, 1, 0, 2, 1, 1}, options);
  const std::int32_t* face = out.face.data<std::int32_t>();
  for (int row = 0; row < 4; ++row)
    for (int column = 0; column < 6; ++column) CHECK((face[row * 6 + column] == 0) == (row < 2 && column >= 3));
}

TEST(depth_and_barycentrics_of_one_triangle) {
  const Settings restore;
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    for (const Coverage coverage : {Coverage::watertight, Coverage::strict_float}) {
      RasterizeOptions options;
      options.size = {64, 64};
      options.coverage = coverage;
      // corners at depths 1, 2, 4 on the image's corners
      const RasterOutput out = one_triangle({-1, -1, 1, 1, 2, -2, 2, 2, -4, 4, 4, 4}, options);
      const float z[3] = {1, 2, 4}, x[3] = {-1, 2, -4}, y[3] = {-1, -2, 4};
      int covered = 0;
      for (int row = 0; row < 64; ++row)
        for (int column = 0; column < 64; ++column) {
          const int i = row * 64 + column;
          if (out.face.data<std::int32_t>()[i] < 0) {
            CHECK(out.depth.data<float>()[i] == 0.f && out.barycentrics.data<float>()[3 * i] == 0.f);
            continue;
          }
          ++covered;
          const float* b = out.barycentrics.data<float>() + 3 * i;
          CHECK_NEAR(b[0] + b[1] + b[2], 1.f, 1e-5);
          const float depth = out.depth.data<float>()[i];
          CHECK_NEAR(b[0] * z[0] + b[1] * z[1] + b[2] * z[2], depth, 1e-4 * depth);
          // the weighted corners project onto the pixel
          CHECK_NEAR((b[0] * x[0] + b[1] * x[1] + b[2] * x[2]) / depth, (column + 0.5) / 32 - 1, 1e-4);
          CHECK_NEAR((b[0] * y[0] + b[1] * y[1] + b[2] * y[2]) / depth, 1 - (row + 0.5) / 32, 1e-4);
        }
      CHECK(std::abs(covered - 2048) <= 64);  // half the image, the diagonal either way
    }
  }
}

TEST(nearest_wins_and_ties_go_to_the_lower_index) {
  const Settings restore;
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    RasterizeOptions options;
    options.size = {8, 40};
    options.perspective = false;
    options.cull = Cull::none;
    std::vector<float> corners;
    for (const float z : {0.5f, 0.25f, 0.25f, 0.75f}) corners.insert(corners.end(), {-3, -3, z, 1, 5, -3, z, 1, -3, 5, z, 1});
    RasterMesh mesh;
    mesh.triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {4, 3});
    const RasterOutput out = rasterize(Tensor::from(corners, {1, 12, 4}), mesh, options);
    CHECK(std::all_of(out.face.data<std::int32_t>(), out.face.data<std::int32_t>() + 320, [](std::int32_t f) { return f == 1; }));
    CHECK(std::all_of(out.depth.data<float>(), out.depth.data<float>() + 320, [](float z) { return z == 0.25f; }));
  }
}

TEST(culling_drops_clockwise_faces) {
  RasterizeOptions options;
  options.size = {8, 8};
  const std::vector<float> front = {-3, -3, 1, 1, 3, -3, 1, 1, 0, 3, 1, 1}, back = {-3, -3, 1, 1, 0, 3, 1, 1, 3, -3, 1, 1};
  const auto any = [&](const std::vector<float>& corners) { return one_triangle(corners, options).face.data<std::int32_t>()[36] == 0; };
  for (const Coverage coverage : {Coverage::watertight, Coverage::strict_float}) {
    options.coverage = coverage;
    options.cull = Cull::back;
    CHECK(any(front) && !any(back));
    options.cull = Cull::none;
    CHECK(any(front) && any(back));
  }
}

TEST(invalid_vertices_draw_nothing) {
  const Settings restore;
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    RasterizeOptions options;
    options.size = {16, 16};
    options.cull = Cull::none;
    for (const float bad : {kNan, kInfinity, -kInfinity})
      for (int where = 0; where < 12; ++where)
        for (const Coverage coverage : {Coverage::watertight, Coverage::strict_float}) {
          options.coverage = coverage;
          std::vector<float> corners = {-3, -3, 1, 1, 3, -3, 1, 1, 0, 3, 1, 1};
          corners[static_cast<std::size_t>(where)] = bad;
          const RasterOutput out = one_triangle(corners, options);
          CHECK(std::all_of(out.face.data<std::int32_t>(), out.face.data<std::int32_t>() + 256, [](std::int32_t f) { return f == -1; }));
        }
    const RasterOutput behind = one_triangle({-3, -3, 1, -1, 3, -3, 1, -1, 0, 3, 1, -1}, options);
    CHECK(behind.face.data<std::int32_t>()[100] == -1);
  }
}

TEST(visible_parts_select_triangles) {
  RasterMesh mesh;
  mesh.triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2, 0, 1, 2}, {2, 3});
  mesh.face_labels = Tensor::from(std::vector<std::uint8_t>{4, 9}, {2});
  mesh.face_part = Tensor::from(std::vector<std::uint8_t>{0, 63}, {2});
  mesh.visible_parts = Tensor::from(std::vector<std::uint64_t>{0, 1, std::uint64_t{1} << 63, ~std::uint64_t{0}}, {4});
  std::vector<float> corners;
  for (int b = 0; b < 4; ++b) corners.insert(corners.end(), {-3, -3, 1, 1, 3, -3, 1, 1, 0, 5, 1, 1});
  RasterizeOptions options;
  options.size = {4, 4};
  const RasterOutput out = rasterize(Tensor::from(corners, {4, 3, 4}), mesh, options);
  const std::int32_t faces[4] = {-1, 0, 1, 0};
  const std::uint8_t labels[4] = {0, 4, 9, 4};
  for (int b = 0; b < 4; ++b) {
    CHECK(out.face.data<std::int32_t>()[b * 16 + 9] == faces[b]);
    CHECK(out.label.data<std::uint8_t>()[b * 16 + 9] == labels[b]);
  }
}

// ---- contract ----

TEST(empty_inputs) {
  RasterizeOptions options;
  options.size = {5, 7};
  RasterMesh mesh;
  mesh.triangles = Tensor::empty({0, 3}, DType::i32);
  const RasterOutput none = rasterize(Tensor::zeros({2, 3, 4}, DType::f32), mesh, options);
  CHECK(std::all_of(none.face.data<std::int32_t>(), none.face.data<std::int32_t>() + 70, [](std::int32_t f) { return f == -1; }));
  CHECK((rasterize(Tensor::zeros({0, 3, 4}, DType::f32), mesh, options).face.shape() == Shape{0, 5, 7}));
  CHECK(rasterize(Tensor::zeros({1, 0, 4}, DType::f32), mesh, options).depth.data<float>()[3] == 0.f);
}

TEST(output_tensors_are_reused) {
  const Scene scene = random_scene(2, 2, 30, 40);
  RasterizeOptions options;
  options.size = {20, 30};
  RasterOutput out = rasterize(scene.positions, scene.mesh, options);
  const RasterOutput first{out.face.clone(), out.depth.clone(), out.barycentrics.clone(), out.label.clone()};
  const void* before = out.face.raw();
  rasterize_into(out, scene.positions, scene.mesh, options);
  CHECK(out.face.raw() == before && same_bytes(out, first));
  options.size = {20, 31};
  rasterize_into(out, scene.positions, scene.mesh, options);
  CHECK((out.face.shape() == Shape{2, 20, 31}));
  options.want_depth = options.want_barycentrics = false;
  rasterize_into(out, scene.positions, scene.mesh, options);
  CHECK(!out.depth.defined() && !out.barycentrics.defined());
}

TEST(wrong_inputs_are_refused) {
  const Tensor positions = Tensor::zeros({1, 3, 4}, DType::f32);
  RasterMesh mesh;
  mesh.triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2}, {1, 3});
  RasterizeOptions options;
  options.size = {4, 4};
  const auto with = [&](auto change) {
    RasterizeOptions o = options;
    change(o);
    return o;
  };
  for (const int bad : {0, -1, 8193}) {
    CHECK_THROWS(rasterize(positions, mesh, with([&](RasterizeOptions& o) { o.size.height = bad; })), invalid_argument);
    CHECK_THROWS(rasterize(positions, mesh, with([&](RasterizeOptions& o) { o.size.width = bad; })), invalid_argument);
  }
  for (const float bad : {0.f, -1.f, kNan, kInfinity})
    CHECK_THROWS(rasterize(positions, mesh, with([&](RasterizeOptions& o) { o.near = bad; })), invalid_argument);
  CHECK_THROWS(rasterize(Tensor::zeros({1, 3, 3}, DType::f32), mesh, options), invalid_argument);
  CHECK_THROWS(rasterize(Tensor::zeros({1, 3, 4}, DType::f64), mesh, options), invalid_argument);
  CHECK_THROWS(rasterize({}, mesh, options), invalid_argument);
  CHECK_THROWS(rasterize(positions, {}, options), invalid_argument);
  for (const std::int32_t bad : {-1, 3}) {
    RasterMesh wrong;
    wrong.triangles = Tensor::from(std::vector<std::int32_t>{0, bad, 2}, {1, 3});
    CHECK_THROWS(rasterize(positions, wrong, options), invalid_argument);
  }
  RasterMesh parts = mesh;
  parts.visible_parts = Tensor::zeros({1}, DType::u64);
  CHECK_THROWS(rasterize(positions, parts, options), invalid_argument);
  parts.face_part = Tensor::from(std::vector<std::uint8_t>{64}, {1});
  CHECK_THROWS(rasterize(positions, parts, options), invalid_argument);
  RasterMesh labels = mesh;
  labels.face_labels = Tensor::zeros({2}, DType::u8);
  CHECK_THROWS(rasterize(positions, labels, options), invalid_argument);
}
