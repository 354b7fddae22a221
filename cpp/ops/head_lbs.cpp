// head_lbs: prepare, check inputs, pose the joints, dispatch the heavy half.
#include "forge_rt/ops/head_lbs.h"

#include <algorithm>
#include <cmath>

#include "head_lbs_table.h"
#include "head_math.h"

namespace forge_rt {
namespace head {

OpTable<LbsFn>& lbs_table() {
  static OpTable<LbsFn> table{"head_lbs"};
  return table;
}

}  // namespace head

namespace {

void expect_finite(const Tensor& tensor, const char* name) {
  const float* values = tensor.data<float>();
  for (std::int64_t i = 0; i < tensor.count(); ++i)
    check_argument(std::isfinite(values[i]), name, " holds ", values[i], " at flat index ", i, "; the file is damaged or not a head model");
}

constexpr int kGroup = HeadBasis::kGroup;

// Copies column c of an interleaved [V, 3, columns] array into lane layout [groups][3][16] with `stride` floats between groups.
void pack_column(const float* source, std::int64_t vertices, std::int64_t columns, std::int64_t c, float* target, std::int64_t stride) {
  for (std::int64_t v = 0; v < vertices; ++v)
    for (int axis = 0; axis < 3; ++axis) target[v / kGroup * stride + axis * kGroup + v % kGroup] = source[(v * 3 + axis) * columns + c];
}

// Column of 3x4 affine maps: out = a · b with the implied last row (0, 0, 0, 1).
void compose(const float a[12], const float b[12], float out[12]) {
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j) {
      out[4 * i + j] = a[4 * i] * b[j] + a[4 * i + 1] * b[4 + j] + a[4 * i + 2] * b[8 + j];
      if (j == 3) out[4 * i + j] += a[4 * i + 3];
    }
}

}  // namespace

HeadBasis HeadBasis::to(Device device) const {
  HeadBasis out = *this;
  out.panels = panels.to(device);
  out.template_soa = template_soa.to(device);
  out.weights_soa = weights_soa.to(device);
  return out;
}

HeadBasis prepare_head(const HeadArrays& arrays) {
  expect(arrays.v_template, "v_template", "[V, 3]", DType::f32, {kAny, 3});
  const std::int64_t vertices = arrays.v_template.size(0);
  expect(arrays.shapedirs, "shapedirs", "[V, 3, K]", DType::f32, {vertices, 3, kAny});
  expect(arrays.joint_regressor, "joint_regressor", "[J, V]", DType::f32, {kAny, vertices});
  const std::int64_t joints = arrays.joint_regressor.size(0), components = arrays.shapedirs.size(2);
  expect(arrays.weights, "weights", "[V, J]", DType::f32, {vertices, joints});
  check_argument(vertices >= 1 && joints >= 1 && joints <= 64, "a head needs vertices and 1..64 joints, got ", vertices, " and ", joints);
  const bool has_pose = arrays.posedirs.defined() && arrays.posedirs.count() > 0;
  if (has_pose) expect(arrays.posedirs, "posedirs", "[V, 3, 9 (J - 1)]", DType::f32, {vertices, 3, 9 * (joints - 1)});
  check_argument(static_cast<std::int64_t>(arrays.parents.size()) == joints, "parents must name ", joints, " joints, got ",
                 arrays.parents.size());
  for (std::int64_t j = 0; j < joints; ++j)
    check_argument(j == 0 ? arrays.parents[j] == -1 : arrays.parents[j] >= 0 && arrays.parents[j] < j, "parents[", j, "] is ",
                   arrays.parents[j], "; the root comes first with parent -1 and each parent comes before its children");
  expect_finite(arrays.v_template, "v_template");
  expect_finite(arrays.shapedirs, "shapedirs");
  expect_finite(arrays.weights, "weights");
  expect_finite(arrays.joint_regressor, "joint_regressor");
  if (has_pose) expect_finite(arrays.posedirs, "posedirs");

  HeadBasis basis;
  basis.vertices = vertices;
  basis.components = components;
  basis.pose_features = has_pose ? 9 * (joints - 1) : 0;
  basis.joints = joints;
  basis.groups = (vertices + kGroup - 1) / kGroup;
  basis.parents = arrays.parents;
  const std::int64_t rows = components + basis.pose_features, row = 3 * kGroup;
  basis.panels = Tensor::zeros({basis.groups, rows, 3, kGroup}, DType::f32, {}, "head basis");
  basis.template_soa = Tensor::zeros({basis.groups, 3, kGroup}, DType::f32, {}, "head basis");
  basis.weights_soa = Tensor::zeros({basis.groups, joints, kGroup}, DType::f32, {}, "head basis");
  float* panels = basis.panels.mutable_data<float>();
  for (std::int64_t c = 0; c < components; ++c)
    pack_column(arrays.shapedirs.data<float>(), vertices, components, c, panels + c * row, rows * row);
  for (std::int64_t c = 0; c < basis.pose_features; ++c)
    pack_column(arrays.posedirs.data<float>(), vertices, basis.pose_features, c, panels + (components + c) * row, rows * row);
  pack_column(arrays.v_template.data<float>(), vertices, 1, 0, basis.template_soa.mutable_data<float>(), row);
  float* weights = basis.weights_soa.mutable_data<float>();
  for (std::int64_t v = 0; v < vertices; ++v)
    for (std::int64_t j = 0; j < joints; ++j)
      weights[(v / kGroup * joints + j) * kGroup + v % kGroup] = arrays.weights.data<float>()[v * joints + j];

  // Joints depend linearly on betas: fold the regressor into the basis once, in double.
  basis.joint_template = Tensor::zeros({joints, 3}, DType::f32, {}, "head basis");
  basis.joint_basis = Tensor::zeros({components, joints, 3}, DType::f32, {}, "head basis");
  std::vector<double> sum(static_cast<std::size_t>(3 * (components + 1)));
  for (std::int64_t j = 0; j < joints; ++j) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::int64_t v = 0; v < vertices; ++v) {
      const double r = arrays.joint_regressor.data<float>()[j * vertices + v];
      if (r == 0.0) continue;
      for (int axis = 0; axis < 3; ++axis) {
        sum[axis] += r * arrays.v_template.data<float>()[3 * v + axis];
        const float* dirs = arrays.shapedirs.data<float>() + (3 * v + axis) * components;
        for (std::int64_t c = 0; c < components; ++c) sum[3 * (c + 1) + axis] += r * dirs[c];
      }
    }
    for (int axis = 0; axis < 3; ++axis) {
      basis.joint_template.mutable_data<float>()[3 * j + axis] = static_cast<float>(sum[axis]);
      for (std::int64_t c = 0; c < components; ++c)
        basis.joint_basis.mutable_data<float>()[(c * joints + j) * 3 + axis] = static_cast<float>(sum[3 * (c + 1) + axis]);
    }
  }
  return basis;
}

HeadPosed head_lbs(const HeadBasis& basis, const Tensor& betas, const Tensor& pose, const Tensor& translation, Stream stream) {
  expect(betas, "betas", "[B, k]", DType::f32, {kAny, kAny});
  const std::int64_t batch = betas.size(0), given = betas.size(1), joints = basis.joints;
  check_argument(given <= basis.components, "betas has ", given, " components, this head has ", basis.components);
  if (pose.defined()) expect(pose, "pose", "[B, J, 3]", DType::f32, {batch, joints, 3});
  if (translation.defined()) expect(translation, "translation", "[B, 3]", DType::f32, {batch, 3});
  for (const Tensor* t : {&betas, &pose, &translation})
    check_argument(!t->defined() || t->device().is_cpu(), "head parameters must be on the CPU, got ", t->str());

  HeadPosed out;
  out.vertices = Tensor::empty({batch, basis.vertices, 3}, DType::f32, basis.device(), "head vertices");
  out.joints = Tensor::empty({batch, joints, 3}, DType::f32, {}, "head joints");
  out.rotations = Tensor::empty({batch, joints, 3, 3}, DType::f32, {}, "head joints");
  out.transforms = Tensor::empty({batch, joints, 3, 4}, DType::f32, {}, "head joints");
  if (batch == 0) return out;

  const std::int64_t rows = basis.components + basis.pose_features;
  const std::int64_t stride = (batch + 15) / 16 * 16;
  Tensor coefficients = Tensor::zeros({rows, stride}, DType::f32, {}, "head coefficients");
  Tensor placed = Tensor::empty({batch, joints, 3, 4}, DType::f32, {}, "head joints");  // transforms with the translation
  float* coefficient = coefficients.mutable_data<float>();
  const float* beta_rows = betas.data<float>();
  const float* joint_columns = basis.joint_basis.data<float>();
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t c = 0; c < given; ++c) coefficient[c * stride + b] = beta_rows[b * given + c];

  std::vector<float> rest(static_cast<std::size_t>(3 * joints)), chain(static_cast<std::size_t>(12 * joints));
  for (std::int64_t b = 0; b < batch; ++b) {
    std::copy_n(basis.joint_template.data<float>(), 3 * joints, rest.begin());
    for (std::int64_t c = 0; c < given; ++c) {
      const float beta = beta_rows[b * given + c];
      if (beta == 0.f) continue;
      const float* column = joint_columns + c * joints * 3;
      for (std::int64_t i = 0; i < 3 * joints; ++i) rest[i] += beta * column[i];
    }
    float* rotation = out.rotations.mutable_data<float>() + b * joints * 9;
    for (std::int64_t j = 0; j < joints; ++j) {
      const float zero[3] = {0.f, 0.f, 0.f};
      head::rodrigues(pose.defined() ? pose.data<float>() + (b * joints + j) * 3 : zero, rotation + 9 * j);
      if (j > 0 && basis.pose_features > 0)
        for (int i = 0; i < 9; ++i)
          coefficient[(basis.components + 9 * (j - 1) + i) * stride + b] = rotation[9 * j + i] - (i % 4 == 0 ? 1.f : 0.f);
      const int parent = basis.parents[j];
      float local[12];
      for (int i = 0; i < 3; ++i) {
        for (int k = 0; k < 3; ++k) local[4 * i + k] = rotation[9 * j + 3 * i + k];
        local[4 * i + 3] = rest[3 * j + i] - (parent >= 0 ? rest[3 * parent + i] : 0.f);
      }
      float* global = chain.data() + 12 * j;
      if (parent >= 0) compose(chain.data() + 12 * parent, local, global);
      else std::copy_n(local, 12, global);
      float* transform = out.transforms.mutable_data<float>() + (b * joints + j) * 12;
      float* with_translation = placed.mutable_data<float>() + (b * joints + j) * 12;
      for (int i = 0; i < 3; ++i) {
        const float t = translation.defined() ? translation.data<float>()[3 * b + i] : 0.f;
        for (int k = 0; k < 3; ++k) transform[4 * i + k] = with_translation[4 * i + k] = global[4 * i + k];
        transform[4 * i + 3] =
            global[4 * i + 3] - (global[4 * i] * rest[3 * j] + global[4 * i + 1] * rest[3 * j + 1] + global[4 * i + 2] * rest[3 * j + 2]);
        with_translation[4 * i + 3] = transform[4 * i + 3] + t;
        out.joints.mutable_data<float>()[(b * joints + j) * 3 + i] = global[4 * i + 3] + t;
      }
    }
  }

  std::vector<std::int32_t> active;
  for (std::int64_t c = 0; c < rows; ++c)
    if (std::any_of(coefficient + c * stride, coefficient + c * stride + batch, [](float v) { return v != 0.f; }))
      active.push_back(static_cast<std::int32_t>(c));

  const Tensor active_rows = Tensor::from(active, {static_cast<std::int64_t>(active.size())});
  const bool on_gpu = basis.device().is_cuda();
  const Tensor device_coefficients = on_gpu ? coefficients.to(basis.device(), stream) : coefficients;
  const Tensor device_active = on_gpu ? active_rows.to(basis.device(), stream) : active_rows;
  const Tensor device_transforms = on_gpu ? placed.to(basis.device(), stream) : placed;
  const head::LbsArgs args{basis.panels.data<float>(),
                           basis.template_soa.data<float>(),
                           basis.weights_soa.data<float>(),
                           device_coefficients.data<float>(),
                           device_active.data<std::int32_t>(),
                           device_transforms.data<float>(),
                           out.vertices.mutable_data<float>(),
                           batch,
                           stride,
                           basis.vertices,
                           basis.groups,
                           rows,
                           static_cast<std::int64_t>(active.size()),
                           joints};
  head::lbs_table().select(basis.device())(args, stream);
  return out;
}

Tensor points_on_mesh(const Tensor& vertices, const Tensor& triangles, const Tensor& face, const Tensor& barycentrics) {
  expect(vertices, "vertices", "[B, V, 3]", DType::f32, {kAny, kAny, 3});
  expect(triangles, "triangles", "[F, 3]", DType::i32, {kAny, 3});
  expect(face, "face", "[B or 1, L]", DType::i32, {kAny, kAny});
  const std::int64_t batch = vertices.size(0), count = face.size(1), faces = triangles.size(0);
  check_argument(face.size(0) == batch || face.size(0) == 1, "face must have ", batch, " rows or 1, got ", face.size(0));
  expect(barycentrics, "barycentrics", "[B or 1, L, 3]", DType::f32, {face.size(0), count, 3});
  Tensor out = Tensor::empty({batch, count, 3}, DType::f32, {}, "landmarks");
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t row = face.size(0) == 1 ? 0 : b;
    const float* v = vertices.data<float>() + b * vertices.size(1) * 3;
    for (std::int64_t l = 0; l < count; ++l) {
      const std::int32_t f = face.data<std::int32_t>()[row * count + l];
      check_argument(f >= 0 && f < faces, "point ", l, " names triangle ", f, ", the mesh has ", faces);
      const float* w = barycentrics.data<float>() + (row * count + l) * 3;
      for (int axis = 0; axis < 3; ++axis) {
        float sum = 0.f;
        for (int k = 0; k < 3; ++k) {
          const std::int32_t id = triangles.data<std::int32_t>()[3 * f + k];
          check_argument(id >= 0 && id < vertices.size(1), "triangle ", f, " names vertex ", id, ", the mesh has ", vertices.size(1));
          sum += w[k] * v[3 * std::int64_t{id} + axis];
        }
        out.mutable_data<float>()[(b * count + l) * 3 + axis] = sum;
      }
    }
  }
  return out;
}

std::vector<int> contour_rows(const Tensor& rotations, const std::vector<int>& chain, int sign) {
  expect(rotations, "rotations", "[B, J, 3, 3]", DType::f32, {kAny, kAny, 3, 3});
  check_argument(sign == 1 || sign == -1, "contour sign must be +1 (DECA) or -1 (FLAME_PyTorch), got ", sign);
  std::vector<int> rows;
  for (std::int64_t b = 0; b < rotations.size(0); ++b) {
    float m[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    for (const int joint : chain) {
      check_argument(joint >= 0 && joint < rotations.size(1), "contour chain names joint ", joint);
      float next[9];
      head::multiply3(rotations.data<float>() + (b * rotations.size(1) + joint) * 9, m, next);
      std::copy_n(next, 9, m);
    }
    const float yaw = std::atan2(-m[6], std::sqrt(m[0] * m[0] + m[3] * m[3]));
    const float degrees = static_cast<float>(sign) * yaw * 180.f / 3.14159265358979f;
    const int a = static_cast<int>(std::nearbyint(std::min(degrees, 39.f)));
    rows.push_back(a >= 0 ? a : a >= -39 ? 39 - a : 78);
  }
  return rows;
}

}  // namespace forge_rt
