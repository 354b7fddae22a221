#include "registry.h"

#include "assemble_planes_table.h"
#include "bias_act_table.h"
#include "crop_image_table.h"
#include "fill_enclosed_table.h"
#include "head_lbs_table.h"
#include "interpolate_table.h"
#include "label_projection_table.h"
#include "neural_texture_table.h"
#include "neural_views_table.h"
#include "rasterize_table.h"
#include "resize_antialias_table.h"
#include "sample_texture_table.h"
#include "unwarp_labels_table.h"
#include "upfirdn2d_table.h"
#include "volume_render_table.h"

namespace forge_rt {
namespace {

template <class Fn>
OpPath describe(const OpTable<Fn>& table, Device device) {
  if (device.is_cuda() && table.cuda == nullptr) return {table.name, "missing"};
  return {table.name, table.path(device)};
}

}  // namespace

std::vector<OpPath> op_paths(Device device) {
  return {describe(random_uniform_table(), device),
          describe(head::lbs_table(), device),
          describe(raster::rasterize_table(), device),
          describe(interpolation::interpolate_table(), device),
          describe(interpolation::vertex_normals_table(), device),
          describe(texture::sample_texture_table(), device),
          describe(labels::project_labels_table(), device),
          describe(labels::label_coverage_table(), device),
          describe(labels::point_visibility_table(), device),
          describe(crop::crop_image_table(), device),
          describe(unwarp::unwarp_labels_table(), device),
          describe(unwarp::unwarp_map_table(), device),
          describe(upfirdn::upfirdn_table(), device),
          describe(activation::bias_act_table(), device),
          describe(resize::resize_table(), device),
          describe(views::view_table(), device),
          describe(neural::texture_table(), device),
          describe(fill::fill_table(), device),
          describe(planes::assemble_table(), device),
          describe(volume::volume_render_table(), device),
          describe(volume::sample_density_table(), device),
          describe(volume::planes_from_nchw_table(), device)};
}

}  // namespace forge_rt
