/* Draws one annotated face from C.
 *
 *   draw_face FORGEHEAD_FOLDER [SEED] [INDEX] [OUTPUT_PREFIX]
 *
 * Writes PREFIX.ppm (the image) and PREFIX_labels.pgm (class ids, spread over the grey levels), and prints the classes with their share. */
#include <forge_rt/forge_rt.h>
#include <stdio.h>
#include <stdlib.h>

enum { kSize = 256, kPixels = kSize * kSize };

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, frt_last_error());
  return 1;
}

static int write_image(const char* prefix, const char* suffix, const char* magic, int maximum, const uint8_t* data, size_t bytes) {
  char path[1024];
  FILE* file;
  size_t written;
  snprintf(path, sizeof(path), "%s%s", prefix, suffix);
  file = fopen(path, "wb");
  if (file == NULL) return 0;
  fprintf(file, "%s\n%d %d\n%d\n", magic, kSize, kSize, maximum);
  written = fwrite(data, 1, bytes, file);
  printf("wrote %s\n", path);
  return fclose(file) == 0 && written == bytes;
}

int main(int argc, char** argv) {
  static uint8_t rgb[kPixels * 3], labels[kPixels];
  static float depth_m[kPixels];
  long pixels_of[256] = {0};
  const char* prefix = argc > 4 ? argv[4] : "face";
  frt_forgehead* head = NULL;
  frt_orbit orbit = FRT_ORBIT_INIT;
  frt_render_options options = FRT_RENDER_OPTIONS_INIT;
  frt_face_image image = FRT_FACE_IMAGE_INIT;
  int32_t count = 0, row, i;

  if (argc < 2) {
    fprintf(stderr, "usage: %s FORGEHEAD_FOLDER [SEED] [INDEX] [OUTPUT_PREFIX]\n", argv[0]);
    return 2;
  }
  printf("forge_rt %s, %s\n", frt_version(), frt_isa_name());
  if (frt_forgehead_load(argv[1], &head) != FRT_OK) return fail("cannot load the head");

  orbit.yaw_deg = 20;
  options.height = options.width = kSize;
  image.rgb = rgb;
  image.labels = labels;
  image.depth_m = depth_m;
  if (frt_forgehead_sample_image(head, argc > 2 ? strtoull(argv[2], NULL, 10) : 7, argc > 3 ? strtoull(argv[3], NULL, 10) : 0, &orbit,
                                 &options, &image) != FRT_OK) {
    frt_forgehead_free(head);
    return fail("cannot draw the face");
  }

  for (i = 0; i < kPixels; ++i) ++pixels_of[labels[i]];
  frt_forgehead_label_count(head, &count);
  for (row = 0; row < count; ++row) {
    frt_label_info label = FRT_LABEL_INFO_INIT;
    if (frt_forgehead_get_label(head, row, &label) != FRT_OK) return fail("cannot read the label table");
    if (pixels_of[label.id] > 0) printf("%2d %-12s %5.1f %%\n", label.id, label.name, 100.0 * (double)pixels_of[label.id] / kPixels);
  }
  printf("the face is %.2f m from the camera\n", depth_m[kPixels / 2 + kSize / 2]);
  frt_forgehead_free(head);

  return write_image(prefix, ".ppm", "P6", 255, rgb, sizeof(rgb)) &&
                 write_image(prefix, "_labels.pgm", "P5", count > 1 ? count - 1 : 1, labels, sizeof(labels))
             ? 0
             : 1;
}
