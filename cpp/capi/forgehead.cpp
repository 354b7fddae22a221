// frt_forgehead: annotated images of the bundled head.
#include <cstddef>

#include "capi.h"
#include "forge_rt/models/forge_head.h"

struct frt_forgehead {
  std::shared_ptr<const forge_rt::ForgeHead> head;
};

using namespace forge_rt;
using namespace forge_rt::capi;

frt_status frt_forgehead_load(const char* folder, frt_forgehead** head) {
  return guarded([&] {
    check_pointer(head, "head");
    *head = nullptr;
    check_pointer(folder, "folder");
    *head = new frt_forgehead{ForgeHead::load(folder)};
  });
}

void frt_forgehead_free(frt_forgehead* head) { delete head; }

frt_status frt_forgehead_sample_image(const frt_forgehead* head, uint64_t seed, uint64_t index, const frt_orbit* orbit,
                                      const frt_render_options* options, const frt_face_image* image) {
  return guarded([&] {
    check_pointer(head, "head");
    const frt_orbit given = orbit != nullptr ? read_struct(orbit, "orbit", "FRT_ORBIT_INIT") : init_of(orbit);
    const frt_render_options o = options != nullptr
                                     ? read_struct(options, "options", "FRT_RENDER_OPTIONS_INIT", offsetof(frt_render_options, wild))
                                     : init_of(options);
    const frt_face_image out = read_struct(image, "image", "FRT_FACE_IMAGE_INIT");
    check_reserved(given.reserved, "orbit.reserved");
    check_reserved(o.reserved, "options.reserved");
    check_argument(o.height >= 1 && o.height <= 8192 && o.width >= 1 && o.width <= 8192,
                   "options.height and options.width must be 1..8192, got ", o.height, " and ", o.width);
    check_argument(o.wild >= 0.f && o.wild <= 1.f, "options.wild must be 0..1, got ", o.wild);
    Orbit where;
    where.yaw_deg = given.yaw_deg;
    where.pitch_deg = given.pitch_deg;
    where.roll_deg = given.roll_deg;
    where.fov_deg = given.fov_deg;
    where.radius_m = given.radius_m;
    RenderOptions render;
    render.size = {o.height, o.width};
    render.supersample = o.supersample;
    const FaceImages images = head->head->render({head->head->sample(seed, index, o.wild)}, {orbit_camera(where, render.size)}, render);
    copy_out(images.rgb, out.rgb);
    copy_out(images.segmentation, out.labels);
    copy_out(images.depth_m, out.depth_m);
    copy_out(images.landmarks_px, out.landmarks_px);
    copy_out(images.visibility, out.visibility);
    copy_out(images.landmarks_head_m, out.landmarks_head_m);
  });
}

frt_status frt_forgehead_label_count(const frt_forgehead* head, int32_t* count) {
  return guarded([&] {
    check_pointer(head, "head");
    check_pointer(count, "count");
    *count = static_cast<std::int32_t>(head->head->labels().size());
  });
}

frt_status frt_forgehead_get_label(const frt_forgehead* head, int32_t row, frt_label_info* info) {
  return guarded([&] {
    check_pointer(head, "head");
    give_label(head->head->labels(), row, info);
  });
}

void forge_rt::capi::give_label(const std::vector<LabelInfo>& labels, int32_t row, frt_label_info* info) {
  check_argument(row >= 0 && row < static_cast<std::int32_t>(labels.size()), "row must be 0..", static_cast<int>(labels.size()) - 1,
                 ", got ", row);
  const LabelInfo& label = labels[static_cast<std::size_t>(row)];
  write_struct(info, frt_label_info{0, label.id, label.name.c_str(), {label.color[0], label.color[1], label.color[2], 255}, label.mirror},
               "info", "FRT_LABEL_INFO_INIT");
}
