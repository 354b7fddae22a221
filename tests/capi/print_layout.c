/* Sizes of the structs and offsets of their members, as a table that bindings of other languages are compared with:
 *   STRUCT MEMBER OFFSET    and    STRUCT sizeof SIZE */
#include <stddef.h>
#include <stdio.h>

#include "forge_rt/forge_rt.h"

#define MEMBER(type, member) printf("%s %s %u\n", #type, #member, (unsigned)offsetof(type, member))
#define SIZE(type) printf("%s sizeof %u\n", #type, (unsigned)sizeof(type))

int main(void) {
  SIZE(frt_image_view);
  MEMBER(frt_image_view, struct_size);
  MEMBER(frt_image_view, format);
  MEMBER(frt_image_view, width);
  MEMBER(frt_image_view, height);
  MEMBER(frt_image_view, bt709);
  MEMBER(frt_image_view, reserved);
  MEMBER(frt_image_view, data);
  MEMBER(frt_image_view, stride);
  MEMBER(frt_image_view, uv);
  MEMBER(frt_image_view, uv_stride);
  SIZE(frt_analyzer_options);
  MEMBER(frt_analyzer_options, struct_size);
  MEMBER(frt_analyzer_options, threads);
  MEMBER(frt_analyzer_options, device);
  MEMBER(frt_analyzer_options, provider);
  MEMBER(frt_analyzer_options, precision);
  MEMBER(frt_analyzer_options, detector);
  MEMBER(frt_analyzer_options, parsing);
  MEMBER(frt_analyzer_options, landmarks);
  MEMBER(frt_analyzer_options, depth);
  MEMBER(frt_analyzer_options, batch);
  SIZE(frt_analyzer_info);
  MEMBER(frt_analyzer_info, struct_size);
  MEMBER(frt_analyzer_info, labels);
  MEMBER(frt_analyzer_info, landmarks);
  MEMBER(frt_analyzer_info, crop_height);
  MEMBER(frt_analyzer_info, crop_width);
  MEMBER(frt_analyzer_info, has_detector);
  MEMBER(frt_analyzer_info, side);
  MEMBER(frt_analyzer_info, depth_unit);
  MEMBER(frt_analyzer_info, hash);
  MEMBER(frt_analyzer_info, precision);
  MEMBER(frt_analyzer_info, provider);
  MEMBER(frt_analyzer_info, provider_reason);
  SIZE(frt_analyze_options);
  MEMBER(frt_analyze_options, struct_size);
  MEMBER(frt_analyze_options, max_faces);
  MEMBER(frt_analyze_options, detect_threshold);
  MEMBER(frt_analyze_options, detect_size);
  MEMBER(frt_analyze_options, min_face);
  MEMBER(frt_analyze_options, mask);
  MEMBER(frt_analyze_options, confidence);
  MEMBER(frt_analyze_options, depth_map);
  MEMBER(frt_analyze_options, nearest);
  SIZE(frt_face);
  MEMBER(frt_face, struct_size);
  MEMBER(frt_face, track);
  MEMBER(frt_face, box);
  MEMBER(frt_face, score);
  MEMBER(frt_face, confidence);
  MEMBER(frt_face, points);
  MEMBER(frt_face, to_crop);
  MEMBER(frt_face, rect);
  MEMBER(frt_face, landmark_count);
  MEMBER(frt_face, area_count);
  MEMBER(frt_face, landmarks);
  MEMBER(frt_face, visibility);
  MEMBER(frt_face, area);
  SIZE(frt_stage_times);
  MEMBER(frt_stage_times, struct_size);
  MEMBER(frt_stage_times, reserved);
  MEMBER(frt_stage_times, detect_preprocess);
  MEMBER(frt_stage_times, detect_network);
  MEMBER(frt_stage_times, detect_decode);
  MEMBER(frt_stage_times, crop);
  MEMBER(frt_stage_times, network);
  MEMBER(frt_stage_times, unwarp);
  MEMBER(frt_stage_times, total);
  SIZE(frt_tracker_options);
  MEMBER(frt_tracker_options, struct_size);
  MEMBER(frt_tracker_options, detect_every);
  MEMBER(frt_tracker_options, lost_below);
  MEMBER(frt_tracker_options, smooth_landmarks);
  MEMBER(frt_tracker_options, min_cutoff_hz);
  MEMBER(frt_tracker_options, beta);
  MEMBER(frt_tracker_options, derivative_cutoff_hz);
  MEMBER(frt_tracker_options, smooth_mask);
  MEMBER(frt_tracker_options, analyze);
  SIZE(frt_label_info);
  MEMBER(frt_label_info, struct_size);
  MEMBER(frt_label_info, id);
  MEMBER(frt_label_info, name);
  MEMBER(frt_label_info, color);
  MEMBER(frt_label_info, mirror);
  return 0;
}
