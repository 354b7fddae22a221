// frt_head: a bundle of family "head" as a Head.
#include <map>
#include <memory>
#include <string>

#include "capi.h"
#include "core/json.h"
#include "forge_rt/models/bundle.h"
#include "forge_rt/models/head.h"

struct frt_head {
  forge_rt::Head head;
};

namespace forge_rt::capi {
namespace {

constexpr const char* kHeadFile = "head.safetensors";

// Array names: FLAME's, as Head.load in Python reads them (export/readers/flame.py).
Head load_head(const std::string& folder) {
  const Bundle bundle = Bundle::open(folder);
  check(bundle.family() == "head", ErrorCode::unsupported, folder, " is a bundle of family '", bundle.family(), "', expected 'head'");
  const std::map<std::string, Tensor> tensors = bundle.tensors(kHeadFile);
  const auto optional = [&](const char* name) {
    const auto found = tensors.find(name);
    return found == tensors.end() ? Tensor() : found->second;
  };
  const auto required = [&](const char* name) {
    const Tensor tensor = optional(name);
    check(tensor.defined(), ErrorCode::corrupt_file, folder, "/", kHeadFile, " lacks '", name, "'; install the bundle again");
    return tensor;
  };
  const auto floats = [&](const char* name) { return required(name).to_f32(); };

  HeadArrays arrays;
  arrays.v_template = floats("v_template");
  arrays.shapedirs = floats("shapedirs");
  arrays.joint_regressor = floats("J_regressor");
  arrays.weights = floats("weights");
  if (const Tensor posedirs = optional("posedirs"); posedirs.defined() && posedirs.count() > 0) arrays.posedirs = posedirs.to_f32();
  const Tensor parents = required("parents").to_i32();
  arrays.parents.assign(parents.data<std::int32_t>(), parents.data<std::int32_t>() + parents.count());

  LandmarkArrays landmarks;
  if (optional("landmark_static_face").defined()) {
    landmarks.static_face = required("landmark_static_face").to_i32();
    landmarks.static_barycentrics = floats("landmark_static_bary");
  }
  if (optional("landmark_dynamic_face").defined()) {
    landmarks.dynamic_face = required("landmark_dynamic_face").to_i32();
    landmarks.dynamic_barycentrics = floats("landmark_dynamic_bary");
  }
  if (arrays.parents.size() < 2) landmarks.contour_chain = {0};

  const Json manifest = parse_json(bundle.manifest(), folder + "/bundle.json");
  const auto number = [&](const char* key, int otherwise) {
    if (!manifest.contains(key)) return otherwise;
    check(manifest[key].is_number_integer(), ErrorCode::corrupt_file, folder, "/bundle.json: ", key, " must be an integer");
    return manifest[key].get<int>();
  };
  const int components = arrays.shapedirs.rank() == 3 ? static_cast<int>(arrays.shapedirs.size(2)) : 0;
  const int n_shape = number("n_shape", components);
  landmarks.contour_sign = number("contour_sign", landmarks.contour_sign);
  return Head(arrays, required("faces").to_i32(), n_shape, components - n_shape, std::move(landmarks));
}

std::int64_t landmark_count(const Head& head) {
  const LandmarkArrays& landmarks = head.landmarks();
  if (!landmarks.static_face.defined()) return 0;
  return landmarks.static_face.size(0) + (landmarks.dynamic_face.defined() ? landmarks.dynamic_face.size(1) : 0);
}

}  // namespace
}  // namespace forge_rt::capi

using namespace forge_rt;
using namespace forge_rt::capi;

frt_status frt_head_load(const char* folder, frt_head** head) {
  return guarded([&] {
    check_pointer(head, "head");
    *head = nullptr;
    check_pointer(folder, "folder");
    *head = new frt_head{load_head(folder)};
  });
}

void frt_head_free(frt_head* head) { delete head; }

frt_status frt_head_get_info(const frt_head* head, frt_head_info* info) {
  return guarded([&] {
    check_pointer(head, "head");
    const Head& h = head->head;
    write_struct(info,
                 frt_head_info{0, h.vertices(), static_cast<std::int32_t>(h.triangles().size(0)), h.joints(),
                               static_cast<std::int32_t>(landmark_count(h)), h.n_shape(), h.n_expression()},
                 "info", "FRT_HEAD_INFO_INIT");
  });
}

frt_status frt_head_copy_triangles(const frt_head* head, int32_t* triangles, size_t count) {
  return guarded([&] {
    check_pointer(head, "head");
    check_pointer(triangles, "triangles");
    const auto needed = static_cast<std::size_t>(head->head.triangles().count());
    check_argument(count == needed, "triangles has room for ", count, " int32, this head needs ", needed,
                   " (3 per triangle; see frt_head_get_info)");
    copy_out(head->head.triangles(), triangles);
  });
}

frt_status frt_head_evaluate(const frt_head* head, const frt_head_parameters* parameters, float* vertices, float* landmarks) {
  return guarded([&] {
    check_pointer(head, "head");
    const frt_head_parameters p = read_struct(parameters, "parameters", "FRT_HEAD_PARAMETERS_INIT");
    const Head& h = head->head;
    check_argument(p.batch >= 1, "parameters.batch must be at least 1, got ", p.batch);
    check_argument(p.n_shape >= 0 && p.n_shape <= h.n_shape(), "parameters.n_shape must be 0..", h.n_shape(), ", got ", p.n_shape);
    check_argument(p.n_expression >= 0 && p.n_expression <= h.n_expression(), "parameters.n_expression must be 0..", h.n_expression(),
                   ", got ", p.n_expression);
    check_argument(landmarks == nullptr || landmark_count(h) > 0, "this head has no landmarks; pass NULL for them");
    HeadParameters in;
    in.shape = input(p.shape, {p.batch, p.n_shape});
    in.expression = input(p.expression, {p.batch, p.n_expression});
    in.pose = input(p.pose, {p.batch, h.joints(), 3});
    in.translation = input(p.translation, {p.batch, 3});
    if (!in.shape.defined()) in.shape = Tensor::zeros({p.batch, 0}, DType::f32);  // fixes the batch
    const HeadMesh mesh = h.evaluate(in);
    copy_out(mesh.vertices, vertices);
    copy_out(mesh.landmarks, landmarks);
  });
}
