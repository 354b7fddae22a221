#include "forge_rt/models/head.h"

#include <algorithm>
#include <cstring>

namespace forge_rt {
namespace {

void expect_faces(const Tensor& face, const char* name, std::int64_t triangles) {
  for (std::int64_t i = 0; i < face.count(); ++i) {
    const std::int32_t f = face.data<std::int32_t>()[i];
    check_argument(f >= 0 && f < triangles, name, " names triangle ", f, ", the mesh has ", triangles);
  }
}

}  // namespace

Head::Head(const HeadArrays& arrays, Tensor triangles, int n_shape, int n_expression, LandmarkArrays landmarks, Device device)
    : basis_(prepare_head(arrays)), topology_(prepare_topology(triangles, basis_.vertices)), landmarks_(std::move(landmarks)),
      n_shape_(n_shape), n_expression_(n_expression) {
  check_argument(n_shape >= 0 && n_expression >= 0 && n_shape + n_expression == basis_.components, "n_shape ", n_shape, " + n_expression ",
                 n_expression, " must be the ", basis_.components, " components of shapedirs");
  const std::int64_t faces = triangles.size(0);
  check_argument(landmarks_.contour_sign == 1 || landmarks_.contour_sign == -1,
                 "contour sign must be -1 (FLAME_PyTorch) or +1 (DECA), got ", landmarks_.contour_sign);
  // Ours: what is checked below must not change afterwards.
  for (Tensor* t : {&landmarks_.static_face, &landmarks_.static_barycentrics, &landmarks_.dynamic_face, &landmarks_.dynamic_barycentrics})
    if (t->defined()) *t = t->clone();
  if (landmarks_.static_face.defined()) {
    expect(landmarks_.static_face, "static landmark faces", "[L]", DType::i32, {kAny});
    expect(landmarks_.static_barycentrics, "static landmark barycentrics", "[L, 3]", DType::f32, {landmarks_.static_face.size(0), 3});
    expect_faces(landmarks_.static_face, "static landmarks", faces);
  }
  if (landmarks_.dynamic_face.defined()) {
    check_argument(landmarks_.static_face.defined(), "dynamic landmarks need static ones");
    expect(landmarks_.dynamic_face, "dynamic landmark faces", "[79, C]", DType::i32, {79, kAny});
    expect(landmarks_.dynamic_barycentrics, "dynamic landmark barycentrics", "[79, C, 3]", DType::f32,
           {79, landmarks_.dynamic_face.size(1), 3});
    expect_faces(landmarks_.dynamic_face, "dynamic landmarks", faces);
    for (const int joint : landmarks_.contour_chain)
      check_argument(joint >= 0 && joint < basis_.joints, "contour chain names joint ", joint, ", the head has ", basis_.joints);
  }
  if (device.is_cuda()) basis_ = basis_.to(device);
}

HeadMesh Head::evaluate(const HeadParameters& parameters, Stream stream) const {
  std::int64_t batch = -1;
  for (const Tensor* t : {&parameters.shape, &parameters.expression, &parameters.pose, &parameters.translation}) {
    if (!t->defined()) continue;
    check_argument(t->rank() >= 1, "head parameters need a batch axis");
    check_argument(batch < 0 || t->size(0) == batch, "head parameters have different batch sizes: ", batch, " and ", t->size(0));
    batch = t->size(0);
  }
  if (batch < 0) batch = 1;
  Tensor betas = Tensor::zeros({batch, basis_.components}, DType::f32, {}, "head parameters");
  const auto place = [&](const Tensor& values, const char* name, int limit, int offset) {
    if (!values.defined()) return;
    expect(values, name, "[B, n]", DType::f32, {batch, kAny});
    check_argument(values.size(1) <= limit, name, " has ", values.size(1), " components, this head has ", limit);
    for (std::int64_t b = 0; b < batch; ++b)
      std::copy_n(values.data<float>() + b * values.size(1), values.size(1), betas.mutable_data<float>() + b * basis_.components + offset);
  };
  place(parameters.shape, "shape", n_shape_, 0);
  place(parameters.expression, "expression", n_expression_, n_shape_);

  HeadPosed posed = head_lbs(basis_, betas, parameters.pose, parameters.translation, stream);
  HeadMesh mesh{posed.vertices, {}, posed.joints, posed.rotations};
  if (!landmarks_.static_face.defined()) return mesh;

  const std::int64_t fixed = landmarks_.static_face.size(0);
  const std::int64_t contour = landmarks_.dynamic_face.defined() ? landmarks_.dynamic_face.size(1) : 0, count = contour + fixed;
  Tensor face = Tensor::empty({batch, count}, DType::i32, {}, "landmarks"),
         weights = Tensor::empty({batch, count, 3}, DType::f32, {}, "landmarks");
  const std::vector<int> rows =
      contour > 0 ? contour_rows(posed.rotations, landmarks_.contour_chain, landmarks_.contour_sign) : std::vector<int>();
  for (std::int64_t b = 0; b < batch; ++b) {
    std::int32_t* f = face.mutable_data<std::int32_t>() + b * count;
    float* w = weights.mutable_data<float>() + b * count * 3;
    if (contour > 0) {
      std::copy_n(landmarks_.dynamic_face.data<std::int32_t>() + rows[b] * contour, contour, f);
      std::copy_n(landmarks_.dynamic_barycentrics.data<float>() + rows[b] * contour * 3, contour * 3, w);
    }
    std::copy_n(landmarks_.static_face.data<std::int32_t>(), fixed, f + contour);
    std::copy_n(landmarks_.static_barycentrics.data<float>(), fixed * 3, w + contour * 3);
  }
  const Tensor host = posed.vertices.device().is_cpu() ? posed.vertices : posed.vertices.to({}, stream);
  mesh.landmarks = points_on_mesh(host, topology_.triangles, face, weights);
  return mesh;
}

}  // namespace forge_rt
