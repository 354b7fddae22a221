/* The C header alone, as strict C99: every initialiser and one call. */
#include <forge_rt/forge_rt.h>
#include <string.h>

int main(void) {
  frt_cuda_info cuda = FRT_CUDA_INFO_INIT;
  frt_head_info head = FRT_HEAD_INFO_INIT;
  frt_head_parameters parameters = FRT_HEAD_PARAMETERS_INIT;
  frt_raster_options raster = FRT_RASTER_OPTIONS_INIT;
  frt_raster_mesh mesh = FRT_RASTER_MESH_INIT;
  frt_raster_output output = FRT_RASTER_OUTPUT_INIT;
  frt_orbit orbit = FRT_ORBIT_INIT;
  frt_render_options render = FRT_RENDER_OPTIONS_INIT;
  frt_face_image image = FRT_FACE_IMAGE_INIT;
  frt_label_info label = FRT_LABEL_INFO_INIT;
  frt_runtime_info runtime = FRT_RUNTIME_INFO_INIT;
  frt_image_view view = FRT_IMAGE_VIEW_INIT;
  frt_analyzer_options load = FRT_ANALYZER_OPTIONS_INIT;
  frt_analyzer_info analyzer = FRT_ANALYZER_INFO_INIT;
  frt_analyze_options analyze = FRT_ANALYZE_OPTIONS_INIT;
  frt_face face = FRT_FACE_INIT;
  frt_stage_times times = FRT_STAGE_TIMES_INIT;
  frt_tracker_options track = FRT_TRACKER_OPTIONS_INIT;
  if (head.struct_size != sizeof head || parameters.struct_size != sizeof parameters || raster.struct_size != sizeof raster ||
      mesh.struct_size != sizeof mesh || output.struct_size != sizeof output || orbit.struct_size != sizeof orbit ||
      render.struct_size != sizeof render || image.struct_size != sizeof image || label.struct_size != sizeof label ||
      runtime.struct_size != sizeof runtime || view.struct_size != sizeof view || load.struct_size != sizeof load ||
      analyzer.struct_size != sizeof analyzer || analyze.struct_size != sizeof analyze || face.struct_size != sizeof face ||
      times.struct_size != sizeof times || track.struct_size != sizeof track)
    return 1;
  if (frt_cuda_query(&cuda) != FRT_OK) return 2;
  return strcmp(frt_version(), FORGE_RT_VERSION_STRING) != 0;
}
