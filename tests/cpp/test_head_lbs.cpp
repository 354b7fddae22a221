// head_lbs: against the equations in double, scalar against SIMD, batches against single heads.
#include <array>
#include <cstring>
#include <limits>

#include "check.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/philox.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/models/head.h"

using namespace forge_rt;

namespace {

// Positions are below 0.5 m, where float32 has steps of 3e-8. SIMD paths use FMA and another order of summation over at most
// components + 9 (J - 1) = 56 terms: 1e-5 m leaves room for the worst order; typical differences are below 1e-7 m.
constexpr double kPathTolerance_m = 1e-5;

constexpr int kVertices = 533, kComponents = 20, kJoints = 5;  // 533: not a multiple of the 16 of a block

std::vector<Isa> isa_paths() {
  std::vector<Isa> out{Isa::baseline};
  for (const Isa isa : {Isa::avx2, Isa::avx512})
    if (isa <= best_isa()) out.push_back(isa);
  return out;
}

struct Settings {
  Isa isa = active_isa();
  int threads = num_threads();
  ~Settings() {
    set_isa(isa);
    set_num_threads(threads);
  }
};

Tensor random_tensor(const char* purpose, Shape shape, float scale) {
  Random random(1, 0, purpose);
  Tensor out = Tensor::empty(std::move(shape), DType::f32);
  for (std::int64_t i = 0; i < out.count(); ++i) out.mutable_data<float>()[i] = scale * static_cast<float>(random.uniform(-1, 1));
  return out;
}

HeadArrays random_head() {
  HeadArrays head;
  head.v_template = random_tensor("template", {kVertices, 3}, 0.15f);
  head.shapedirs = random_tensor("shapedirs", {kVertices, 3, kComponents}, 0.01f);
  head.posedirs = random_tensor("posedirs", {kVertices, 3, 9 * (kJoints - 1)}, 0.005f);
  head.joint_regressor = random_tensor("regressor", {kJoints, kVertices}, 1.f / kVertices);
  head.weights = random_tensor("weights", {kVertices, kJoints}, 1.f);
  for (int v = 0; v < kVertices; ++v) {  // skinning weights: positive, sum 1
    float* row = head.weights.mutable_data<float>() + v * kJoints;
    float sum = 0;
    for (int j = 0; j < kJoints; ++j) sum += row[j] = std::abs(row[j]);
    for (int j = 0; j < kJoints; ++j) row[j] /= sum;
  }
  head.parents = {-1, 0, 1, 1, 1};
  return head;
}

// The equations of the header, one vertex at a time, in double. `pose` one head [J, 3].
std::vector<double> equations(const HeadArrays& head, const float* betas, const float* pose, const float* translation) {
  std::vector<double> shaped(3 * kVertices);
  for (int i = 0; i < 3 * kVertices; ++i) {
    shaped[i] = head.v_template.data<float>()[i];
    for (int c = 0; c < kComponents; ++c) shaped[i] += double{head.shapedirs.data<float>()[i * kComponents + c]} * betas[c];
  }
  using Affine = std::array<double, 12>;
  std::array<std::array<double, 3>, kJoints> rest{};
  std::array<Affine, kJoints> world{};
  std::array<std::array<double, 9>, kJoints> rotation{};
  for (int j = 0; j < kJoints; ++j) {
    for (int v = 0; v < kVertices; ++v)
      for (int a = 0; a < 3; ++a) rest[j][a] += double{head.joint_regressor.data<float>()[j * kVertices + v]} * shaped[3 * v + a];
    const double x = pose[3 * j], y = pose[3 * j + 1], z = pose[3 * j + 2], angle = std::sqrt(x * x + y * y + z * z);
    const double s = angle > 0 ? std::sin(angle) / angle : 1, c = angle > 0 ? (1 - std::cos(angle)) / (angle * angle) : 0;
    const double cross[9] = {0, -z, y, z, 0, -x, -y, x, 0};
    for (int i = 0; i < 3; ++i)
      for (int k = 0; k < 3; ++k) {
        double square = 0;
        for (int m = 0; m < 3; ++m) square += cross[3 * i + m] * cross[3 * m + k];
        rotation[j][3 * i + k] = (i == k) + s * cross[3 * i + k] + c * square;
      }
    const int parent = head.parents[j];
    Affine local;
    for (int i = 0; i < 3; ++i) {
      for (int k = 0; k < 3; ++k) local[4 * i + k] = rotation[j][3 * i + k];
      local[4 * i + 3] = rest[j][i] - (parent >= 0 ? rest[parent][i] : 0);
    }
    for (int i = 0; i < 3; ++i)
      for (int k = 0; k < 4; ++k) {
        if (parent < 0) world[j][4 * i + k] = local[4 * i + k];
        else {
          world[j][4 * i + k] = k == 3 ? world[parent][4 * i + 3] : 0;
          for (int m = 0; m < 3; ++m) world[j][4 * i + k] += world[parent][4 * i + m] * local[4 * m + k];
        }
      }
  }
  std::vector<double> out(3 * kVertices);
  for (int v = 0; v < kVertices; ++v) {
    double p[3];
    for (int a = 0; a < 3; ++a) {
      p[a] = shaped[3 * v + a];
      for (int f = 0; f < 9 * (kJoints - 1); ++f)
        p[a] += double{head.posedirs.data<float>()[(3 * v + a) * 9 * (kJoints - 1) + f]} * (rotation[1 + f / 9][f % 9] - (f % 9 % 4 == 0));
    }
    for (int a = 0; a < 3; ++a) {
      double sum = translation[a];
      for (int j = 0; j < kJoints; ++j) {
        double moved = world[j][4 * a + 3];
        for (int m = 0; m < 3; ++m) moved += world[j][4 * a + m] * (p[m] - rest[j][m]);
        sum += double{head.weights.data<float>()[v * kJoints + j]} * moved;
      }
      out[3 * v + a] = sum;
    }
  }
  return out;
}

struct Inputs {
  Tensor betas, pose, translation;
};
Inputs random_inputs(std::int64_t batch) {
  return {random_tensor("betas", {batch, kComponents}, 2.f), random_tensor("pose", {batch, kJoints, 3}, 0.7f),
          random_tensor("translation", {batch, 3}, 0.1f)};
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double worst = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) worst = std::max(worst, std::abs(double{a.data<float>()[i]} - b.data<float>()[i]));
  return worst;
}

}  // namespace

TEST(every_path_follows_the_equations) {
  const Settings restore;
  const HeadArrays head = random_head();
  const HeadBasis basis = prepare_head(head);
  const Inputs in = random_inputs(3);
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    const HeadPosed posed = head_lbs(basis, in.betas, in.pose, in.translation);
    for (int b = 0; b < 3; ++b) {
      const std::vector<double> expected = equations(head, in.betas.data<float>() + b * kComponents,
                                                     in.pose.data<float>() + b * kJoints * 3, in.translation.data<float>() + 3 * b);
      double worst = 0;
      for (int i = 0; i < 3 * kVertices; ++i)
        worst = std::max(worst, std::abs(expected[i] - posed.vertices.data<float>()[b * 3 * kVertices + i]));
      CHECK_NEAR(worst, 0, kPathTolerance_m);
    }
  }
}

TEST(simd_is_near_the_scalar_oracle) {
  const Settings restore;
  const HeadBasis basis = prepare_head(random_head());
  for (const int batch : {1, 2, 5, 16, 17, 33}) {
    const Inputs in = random_inputs(batch);
    set_isa(Isa::baseline);
    const HeadPosed oracle = head_lbs(basis, in.betas, in.pose, in.translation);
    for (const Isa isa : isa_paths()) {
      set_isa(isa);
      CHECK_NEAR(largest_difference(oracle.vertices, head_lbs(basis, in.betas, in.pose, in.translation).vertices), 0, kPathTolerance_m);
    }
  }
}

TEST(a_batch_of_8_equals_8_batches_of_1) {
  const Settings restore;
  const HeadBasis basis = prepare_head(random_head());
  for (const Isa isa : isa_paths()) {
    set_isa(isa);
    for (const int batch : {8, 19}) {
      Inputs in = random_inputs(batch);
      std::fill_n(in.betas.mutable_data<float>(), kComponents,
                  0.f);  // a neutral head among others: zero columns must not be skipped differently
      std::fill_n(in.pose.mutable_data<float>(), 3 * kJoints, 0.f);
      const HeadPosed together = head_lbs(basis, in.betas, in.pose, in.translation);
      for (int b = 0; b < batch; ++b) {
        const HeadPosed alone = head_lbs(basis, in.betas.slice(b, b + 1), in.pose.slice(b, b + 1), in.translation.slice(b, b + 1));
        CHECK(std::memcmp(alone.vertices.raw(), together.vertices.slice(b, b + 1).raw(), alone.vertices.bytes()) == 0);
        CHECK(std::memcmp(alone.joints.raw(), together.joints.slice(b, b + 1).raw(), alone.joints.bytes()) == 0);
      }
      set_num_threads(1);
      const HeadPosed serial = head_lbs(basis, in.betas, in.pose, in.translation);
      set_num_threads(5);
      const HeadPosed threaded = head_lbs(basis, in.betas, in.pose, in.translation);
      CHECK(std::memcmp(serial.vertices.raw(), threaded.vertices.raw(), serial.vertices.bytes()) == 0);
    }
  }
}

TEST(rest_pose_translation_and_missing_inputs) {
  const HeadArrays head = random_head();
  const HeadBasis basis = prepare_head(head);
  const Tensor none = Tensor::zeros({1, 0}, DType::f32);
  CHECK_NEAR(largest_difference(head_lbs(basis, none).vertices, head.v_template), 0, 1e-6);
  const Tensor shift = Tensor::from(std::vector<float>{1.f, -2.f, 3.f}, {1, 3});
  const HeadPosed moved = head_lbs(basis, none, {}, shift);
  for (int i = 0; i < 3 * kVertices; ++i)
    CHECK_NEAR(moved.vertices.data<float>()[i], head.v_template.data<float>()[i] + shift.data<float>()[i % 3], 1e-6);
  const Tensor few = Tensor::from(std::vector<float>{0.5f}, {1, 1});
  Tensor all = Tensor::zeros({1, kComponents}, DType::f32);
  all.mutable_data<float>()[0] = 0.5f;
  CHECK(std::memcmp(head_lbs(basis, few).vertices.raw(), head_lbs(basis, all).vertices.raw(), 12 * kVertices) == 0);
  CHECK((head_lbs(basis, Tensor::zeros({0, 3}, DType::f32)).vertices.shape() == Shape{0, kVertices, 3}));
}

TEST(tiny_rotations_are_smooth) {  // Rodrigues near zero must not divide by it
  const HeadBasis basis = prepare_head(random_head());
  const Tensor betas = Tensor::zeros({1, 1}, DType::f32);
  for (const float angle : {1e-30f, 1e-12f, 1e-8f, 1e-5f}) {
    Tensor pose = Tensor::zeros({1, kJoints, 3}, DType::f32);
    pose.mutable_data<float>()[4] = angle;
    const HeadPosed posed = head_lbs(basis, betas, pose);
    CHECK_NEAR(largest_difference(posed.vertices, head_lbs(basis, betas).vertices), 0, 1e-5);
    CHECK_NEAR(posed.rotations.data<float>()[9], 1, 1e-6);
  }
}

TEST(wrong_models_are_refused) {
  const auto with = [](auto change) {
    HeadArrays head = random_head();
    change(head);
    return head;
  };
  CHECK_THROWS(prepare_head({}), invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.v_template.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN(); })),
               invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.shapedirs.mutable_data<float>()[5] = std::numeric_limits<float>::infinity(); })),
               invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.shapedirs = Tensor::zeros({kVertices - 1, 3, 4}, DType::f32); })), invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.posedirs = Tensor::zeros({kVertices, 3, 9}, DType::f32); })), invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.weights = Tensor::zeros({kVertices, 4}, DType::f32); })), invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.parents = {-1, 0, 1}; })), invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.parents = {0, 0, 1, 1, 1}; })), invalid_argument);
  CHECK_THROWS(prepare_head(with([](HeadArrays& h) { h.parents = {-1, 2, 1, 1, 1}; })), invalid_argument);
  const HeadBasis no_pose = prepare_head(with([](HeadArrays& h) { h.posedirs = {}; }));
  CHECK(no_pose.pose_features == 0);
}

TEST(wrong_parameters_are_refused) {
  const HeadBasis basis = prepare_head(random_head());
  CHECK_THROWS(head_lbs(basis, Tensor::zeros({1, kComponents + 1}, DType::f32)), invalid_argument);
  CHECK_THROWS(head_lbs(basis, Tensor::zeros({1, 3}, DType::f64)), invalid_argument);
  CHECK_THROWS(head_lbs(basis, Tensor::zeros({2, 3}, DType::f32), Tensor::zeros({1, kJoints, 3}, DType::f32)), invalid_argument);
  CHECK_THROWS(head_lbs(basis, Tensor::zeros({1, 3}, DType::f32), {}, Tensor::zeros({1, 4}, DType::f32)), invalid_argument);
}

// ---- landmarks ----

TEST(points_on_mesh_are_weighted_corners) {
  const Tensor vertices =
      Tensor::from(std::vector<float>{0, 0, 0, 1, 0, 0, 0, 2, 0, /* second mesh */ 0, 0, 1, 1, 0, 1, 0, 2, 1}, {2, 3, 3});
  const Tensor triangles = Tensor::from(std::vector<std::int32_t>{0, 1, 2}, {1, 3});
  const Tensor face = Tensor::zeros({1, 2}, DType::i32);
  const Tensor weights = Tensor::from(std::vector<float>{0, 1, 0, 0.5f, 0.25f, 0.25f}, {1, 2, 3});
  const Tensor points = points_on_mesh(vertices, triangles, face, weights);
  const float expected[12] = {1, 0, 0, 0.25f, 0.5f, 0, 1, 0, 1, 0.25f, 0.5f, 1};
  for (int i = 0; i < 12; ++i) CHECK_NEAR(points.data<float>()[i], expected[i], 1e-7);
  CHECK_THROWS(points_on_mesh(vertices, triangles, Tensor::from(std::vector<std::int32_t>{0, 1}, {1, 2}), weights), invalid_argument);
  CHECK_THROWS(points_on_mesh(vertices, Tensor::from(std::vector<std::int32_t>{0, 1, 3}, {1, 3}), face, weights), invalid_argument);
}

TEST(contour_rows_follow_the_yaw) {
  const auto row = [](double yaw_deg, int sign) {
    const double a = yaw_deg * 3.14159265358979 / 180;
    const auto c = static_cast<float>(std::cos(a)), s = static_cast<float>(std::sin(a));
    const Tensor rotations = Tensor::from(std::vector<float>{c, 0, s, 0, 1, 0, -s, 0, c, 1, 0, 0, 0, 1, 0, 0, 0, 1}, {1, 2, 3, 3});
    return contour_rows(rotations, {1, 0}, sign)[0];
  };
  CHECK(row(0, 1) == 0 && row(10, 1) == 10 && row(39, 1) == 39 && row(60, 1) == 39);
  CHECK(row(-10, 1) == 49 && row(-39, 1) == 78 && row(-60, 1) == 78);
  CHECK(row(10, -1) == 49 && row(-10, -1) == 10);
  CHECK_THROWS(row(0, 2), invalid_argument);
}

TEST(head_checks_its_landmarks) {
  const auto make = [](LandmarkArrays landmarks, int n_shape = 15) {
    return Head(random_head(), Tensor::from(std::vector<std::int32_t>{0, 1, 2}, {1, 3}), n_shape, kComponents - n_shape,
                std::move(landmarks));
  };
  LandmarkArrays good;
  good.static_face = Tensor::zeros({51}, DType::i32);
  good.static_barycentrics = Tensor::zeros({51, 3}, DType::f32);
  CHECK((make(good).evaluate({}).landmarks.shape() == Shape{1, 51, 3}));
  CHECK(!make({}).evaluate({}).landmarks.defined());
  LandmarkArrays wrong = good;
  wrong.static_face = Tensor::from(std::vector<std::int32_t>(51, 7), {51});
  CHECK_THROWS(make(wrong), invalid_argument);
  CHECK_THROWS(make(good, 25), invalid_argument);
  HeadParameters parameters;
  parameters.shape = Tensor::zeros({2, 3}, DType::f32);
  parameters.expression = Tensor::zeros({3, 3}, DType::f32);
  CHECK_THROWS(make(good).evaluate(parameters), invalid_argument);
}
