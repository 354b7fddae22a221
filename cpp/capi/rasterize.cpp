// frt_rasterize: the caller's arrays as tensors.
#include "forge_rt/ops/rasterize.h"

#include "capi.h"

using namespace forge_rt;
using namespace forge_rt::capi;

frt_status frt_rasterize(const frt_raster_mesh* mesh, const frt_raster_options* options, const frt_raster_output* output) {
  return guarded([&] {
    const frt_raster_mesh m = read_struct(mesh, "mesh", "FRT_RASTER_MESH_INIT");
    const frt_raster_options o = read_struct(options, "options", "FRT_RASTER_OPTIONS_INIT");
    const frt_raster_output out = read_struct(output, "output", "FRT_RASTER_OUTPUT_INIT");
    check_argument(m.batch >= 0 && m.vertices >= 0 && m.triangles >= 0, "mesh.batch, mesh.vertices and mesh.triangles must be >= 0, got ",
                   m.batch, ", ", m.vertices, " and ", m.triangles);
    check_argument(m.positions != nullptr || m.batch == 0 || m.vertices == 0, "mesh.positions is NULL; pass [batch, vertices, 4] floats");
    check_argument(m.indices != nullptr || m.triangles == 0, "mesh.indices is NULL; pass [triangles, 3] vertex ids");
    check_argument(out.labels == nullptr || m.face_labels != nullptr || m.triangles == 0,
                   "output.labels needs mesh.face_labels; pass the class of each triangle, or NULL for output.labels");
    check_argument(o.coverage == FRT_COVERAGE_WATERTIGHT || o.coverage == FRT_COVERAGE_STRICT,
                   "options.coverage must be FRT_COVERAGE_WATERTIGHT or FRT_COVERAGE_STRICT, got ", o.coverage);
    check_argument(o.cull == FRT_CULL_NONE || o.cull == FRT_CULL_BACK, "options.cull must be FRT_CULL_NONE or FRT_CULL_BACK, got ", o.cull);
    check_argument(o.perspective == 0 || o.perspective == 1, "options.perspective must be 0 or 1, got ", o.perspective);

    RasterizeOptions raster;
    raster.size = {o.height, o.width};
    raster.coverage = o.coverage == FRT_COVERAGE_STRICT ? Coverage::strict_float : Coverage::watertight;
    raster.cull = o.cull == FRT_CULL_BACK ? Cull::back : Cull::none;
    raster.perspective = o.perspective == 1;
    raster.near = o.near_plane;
    raster.want_depth = out.depth != nullptr;
    raster.want_barycentrics = out.barycentrics != nullptr;
    raster.validate();

    const std::uint8_t no_labels = 0;
    const std::int32_t no_indices = 0;
    const float no_positions = 0.f;
    RasterMesh in;
    in.triangles = input(m.indices != nullptr ? m.indices : &no_indices, {m.triangles, 3});
    if (out.labels != nullptr) in.face_labels = input(m.face_labels != nullptr ? m.face_labels : &no_labels, {m.triangles});
    RasterOutput result;
    result.face = capi::output(out.face, {m.batch, o.height, o.width});
    result.depth = capi::output(out.depth, {m.batch, o.height, o.width});
    result.barycentrics = capi::output(out.barycentrics, {m.batch, o.height, o.width, 3});
    result.label = capi::output(out.labels, {m.batch, o.height, o.width});
    rasterize_into(result, input(m.positions != nullptr ? m.positions : &no_positions, {m.batch, m.vertices, 4}), in, raster);
  });
}
