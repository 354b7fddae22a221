/* The C ABI from C99. Argument or FORGE_RT_ASSETS: the folder that holds forgehead.forge; without it the head tests are skipped. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void test_library(void) {
  frt_cuda_info cuda = FRT_CUDA_INFO_INIT;
  int32_t threads = frt_get_threads();
  CHECK(strcmp(frt_version(), FORGE_RT_VERSION_STRING) == 0);
  CHECK(frt_abi_version() == FRT_ABI_VERSION);
  CHECK(strcmp(frt_status_name(FRT_OK), "ok") == 0);
  CHECK(strcmp(frt_status_name(FRT_INVALID_ARGUMENT), "invalid_argument") == 0);
  CHECK(strcmp(frt_status_name(FRT_NOT_FOUND), "not_found") == 0);
  CHECK(strcmp(frt_status_name(FRT_CORRUPT_FILE), "corrupt_file") == 0);
  CHECK(strcmp(frt_status_name(FRT_UNSUPPORTED), "unsupported") == 0);
  CHECK(strcmp(frt_status_name(FRT_DEVICE_UNAVAILABLE), "device_unavailable") == 0);
  CHECK(strcmp(frt_status_name(FRT_OUT_OF_MEMORY), "out_of_memory") == 0);
  CHECK(strcmp(frt_status_name(FRT_IO), "io") == 0);
  CHECK(strcmp(frt_status_name(FRT_CANCELLED), "cancelled") == 0);
  CHECK(strcmp(frt_status_name(FRT_INTERNAL), "internal") == 0);
  CHECK(strcmp(frt_status_name(1234), "unknown") == 0);
  CHECK(strcmp(frt_last_error(), "") == 0);
  CHECK(frt_isa_name()[0] != '\0');

  CHECK(threads >= 1 && threads <= 256);
  CHECK(frt_set_threads(3) == FRT_OK && frt_get_threads() == 3);
  CHECK(frt_set_threads(0) == FRT_INVALID_ARGUMENT && mentions("1..256"));
  CHECK(frt_get_threads() == 3);
  CHECK(frt_set_threads(threads) == FRT_OK);
  CHECK(mentions("1..256")); /* success leaves the sentence alone */

  CHECK(frt_cuda_query(&cuda) == FRT_OK);
  CHECK(cuda.device_count >= 0 && (cuda.device_count > 0) == (cuda.reason[0] == '\0'));
  CHECK(frt_cuda_query(NULL) == FRT_INVALID_ARGUMENT && mentions("FRT_CUDA_INFO_INIT"));
  cuda.struct_size = 0;
  CHECK(frt_cuda_query(&cuda) == FRT_INVALID_ARGUMENT && mentions("struct_size is 0"));
}

enum { kSize = 8, kPixels = kSize * kSize };

static void test_rasterize(void) {
  /* a triangle over the whole image at depth 2, seen from the front, and the same one nearer for the second image */
  static const float positions[2 * 3 * 4] = {-8, -8, 2, 2, 8, -8, 2, 2, 0, 8, 2, 2, -4, -4, 1, 1, 4, -4, 1, 1, 0, 4, 1, 1};
  static const int32_t indices[3] = {0, 1, 2};
  static const int32_t wrong_indices[3] = {0, 1, 3};
  static const uint8_t classes[1] = {17};
  int32_t face[2 * kPixels + 1];
  float depth[2 * kPixels + 1], weights[2 * kPixels * 3 + 1];
  uint8_t labels[2 * kPixels + 1];
  frt_raster_mesh mesh = FRT_RASTER_MESH_INIT;
  frt_raster_options options = FRT_RASTER_OPTIONS_INIT;
  frt_raster_output output = FRT_RASTER_OUTPUT_INIT;
  int i, covered = 0, consistent = 1;

  mesh.batch = 2;
  mesh.vertices = 3;
  mesh.triangles = 1;
  mesh.positions = positions;
  mesh.indices = indices;
  mesh.face_labels = classes;
  options.height = options.width = kSize;
  output.face = face;
  output.depth = depth;
  output.barycentrics = weights;
  output.labels = labels;
  face[2 * kPixels] = 77;
  depth[2 * kPixels] = 77.f;
  weights[2 * kPixels * 3] = 77.f;
  labels[2 * kPixels] = 77;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_OK);
  for (i = 0; i < 2 * kPixels; ++i) {
    const float* w = weights + 3 * i;
    if (face[i] == 0) {
      ++covered;
      consistent =
          consistent && labels[i] == 17 && fabsf(depth[i] - (i < kPixels ? 2.f : 1.f)) < 1e-5f && fabsf(w[0] + w[1] + w[2] - 1.f) < 1e-5f;
    } else {
      consistent = consistent && face[i] == -1 && labels[i] == 0 && depth[i] == 0.f && w[0] == 0.f;
    }
  }
  CHECK(covered == 2 * kPixels);
  CHECK(consistent);
  CHECK(face[2 * kPixels] == 77 && depth[2 * kPixels] == 77.f && weights[2 * kPixels * 3] == 77.f &&
        labels[2 * kPixels] == 77); /* nothing behind the end */

  output.face = NULL; /* every output may be left out */
  output.depth = NULL;
  output.barycentrics = NULL;
  memset(labels, 0, sizeof(labels));
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_OK && labels[kPixels / 2] == 17);
  output.labels = NULL;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_OK);
  output.face = face;

  mesh.indices = wrong_indices;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("vertex 3"));
  mesh.indices = NULL;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("mesh.indices"));
  mesh.triangles = 0; /* no triangles, no indices: empty images */
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_OK && face[0] == -1 && face[2 * kPixels - 1] == -1);
  mesh.triangles = -1;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT);
  mesh.triangles = 1;
  mesh.indices = indices;
  mesh.positions = NULL;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("mesh.positions"));
  mesh.positions = positions;
  mesh.face_labels = NULL;
  output.labels = labels;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("face_labels"));
  output.labels = NULL;

  options.width = 0;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("image size"));
  options.width = 1 << 20;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT);
  options.width = kSize;
  options.near_plane = 0.f;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("near"));
  options.near_plane = 0.01f;
  options.coverage = 7;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("coverage"));
  options.coverage = FRT_COVERAGE_STRICT;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_OK);
  options.cull = 7;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT && mentions("cull"));
  options.cull = FRT_CULL_NONE;
  options.perspective = 2;
  CHECK(frt_rasterize(&mesh, &options, &output) == FRT_INVALID_ARGUMENT);
  CHECK(frt_rasterize(NULL, &options, &output) == FRT_INVALID_ARGUMENT && mentions("mesh is NULL"));
  CHECK(frt_rasterize(&mesh, NULL, &output) == FRT_INVALID_ARGUMENT && mentions("options is NULL"));
  CHECK(frt_rasterize(&mesh, &options, NULL) == FRT_INVALID_ARGUMENT && mentions("output is NULL"));
}

/* A program built against a later header: its struct is longer. */
static void test_struct_growth(void) {
  struct {
    frt_raster_options options;
    int32_t later[2];
  } grown = {FRT_RASTER_OPTIONS_INIT, {0, 0}};
  frt_raster_mesh mesh = FRT_RASTER_MESH_INIT;
  frt_raster_output output = FRT_RASTER_OUTPUT_INIT;
  static const float positions[4] = {0, 0, 1, 1};
  mesh.vertices = 1;
  mesh.positions = positions;
  grown.options.struct_size = (uint32_t)sizeof(grown);
  CHECK(frt_rasterize(&mesh, &grown.options, &output) == FRT_OK);
  grown.later[1] = 1;
  CHECK(frt_rasterize(&mesh, &grown.options, &output) == FRT_UNSUPPORTED && mentions("update the library"));
  grown.options.struct_size = 0xCDCDCDCDu; /* not initialised */
  CHECK(frt_rasterize(&mesh, &grown.options, &output) == FRT_INVALID_ARGUMENT && mentions("FRT_RASTER_OPTIONS_INIT"));
  grown.options.struct_size = 8;
  CHECK(frt_rasterize(&mesh, &grown.options, &output) == FRT_INVALID_ARGUMENT);
}

static void test_head_errors(void) {
  frt_head* head = (frt_head*)1;
  frt_forgehead* forgehead = (frt_forgehead*)1;
  frt_head_info info = FRT_HEAD_INFO_INIT;
  frt_head_parameters parameters = FRT_HEAD_PARAMETERS_INIT;
  int32_t count = 0;
  CHECK(frt_head_load("no/such/folder.forge", &head) == FRT_NOT_FOUND && head == NULL && mentions("no/such/folder.forge"));
  CHECK(frt_head_load(NULL, &head) == FRT_INVALID_ARGUMENT && mentions("folder"));
  CHECK(frt_head_load("x", NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_head_get_info(NULL, &info) == FRT_INVALID_ARGUMENT && mentions("head is NULL"));
  CHECK(frt_head_evaluate(NULL, &parameters, NULL, NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_head_copy_triangles(NULL, &count, 1) == FRT_INVALID_ARGUMENT);
  frt_head_free(NULL);
  CHECK(frt_forgehead_load("no/such/folder.forge", &forgehead) == FRT_NOT_FOUND && forgehead == NULL);
  CHECK(frt_forgehead_load(NULL, &forgehead) == FRT_INVALID_ARGUMENT);
  CHECK(frt_forgehead_sample_image(NULL, 0, 0, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_forgehead_label_count(NULL, &count) == FRT_INVALID_ARGUMENT);
  frt_forgehead_free(NULL);
}

static void test_head(const char* folder) {
  frt_head* head = NULL;
  frt_head_info info = FRT_HEAD_INFO_INIT;
  frt_head_parameters parameters = FRT_HEAD_PARAMETERS_INIT;
  float *vertices, *alone, *landmarks, *shape, *translation;
  int32_t* triangles;
  size_t i, n, floats;
  int good = 1;

  CHECK(frt_head_load(folder, &head) == FRT_OK);
  if (head == NULL) return;
  CHECK(frt_head_get_info(head, &info) == FRT_OK);
  CHECK(info.struct_size == sizeof(info));
  CHECK(info.vertices > 3000 && info.triangles > 6000 && info.joints == 5 && info.landmarks == 68 && info.n_shape > 0 &&
        info.n_expression > 0);

  n = (size_t)info.triangles * 3;
  triangles = malloc(n * sizeof(*triangles));
  CHECK(frt_head_copy_triangles(head, triangles, n) == FRT_OK);
  for (i = 0; i < n; ++i) good = good && triangles[i] >= 0 && triangles[i] < info.vertices;
  CHECK(good);
  CHECK(frt_head_copy_triangles(head, triangles, n - 1) == FRT_INVALID_ARGUMENT && mentions("room for"));
  CHECK(frt_head_copy_triangles(head, NULL, n) == FRT_INVALID_ARGUMENT);

  floats = (size_t)info.vertices * 3;
  vertices = malloc(2 * floats * sizeof(float));
  alone = malloc(floats * sizeof(float));
  landmarks = malloc(2 * 68 * 3 * sizeof(float));
  shape = calloc(2 * (size_t)info.n_shape, sizeof(float));
  translation = calloc(6, sizeof(float));
  CHECK(frt_head_evaluate(head, &parameters, alone, NULL) == FRT_OK); /* the neutral head */
  for (i = 0, good = 1; i < floats; ++i) good = good && fabsf(alone[i]) < 1.f;
  CHECK(good); /* metres */

  parameters.batch = 2;
  parameters.n_shape = info.n_shape;
  parameters.shape = shape;
  parameters.translation = translation;
  shape[info.n_shape] = 1.f;
  translation[5] = 0.5f;
  CHECK(frt_head_evaluate(head, &parameters, vertices, landmarks) == FRT_OK);
  CHECK(memcmp(vertices, alone, floats * sizeof(float)) == 0); /* head 0 is the neutral one, to the byte */
  CHECK(memcmp(vertices + floats, alone, floats * sizeof(float)) != 0);
  for (i = 0, good = 1; i < 68; ++i) good = good && fabsf(landmarks[3 * (68 + i) + 2] - landmarks[3 * i + 2] - 0.5f) < 0.05f;
  CHECK(good);
  CHECK(landmarks[3 * 36] < 0.f && landmarks[3 * 45] > 0.f); /* iBUG 36: right eye's outer corner, on the left of the image */

  parameters.batch = 0;
  CHECK(frt_head_evaluate(head, &parameters, vertices, NULL) == FRT_INVALID_ARGUMENT && mentions("batch"));
  parameters.batch = 2;
  parameters.n_shape = info.n_shape + 1;
  CHECK(frt_head_evaluate(head, &parameters, vertices, NULL) == FRT_INVALID_ARGUMENT && mentions("n_shape"));
  CHECK(frt_head_evaluate(head, NULL, vertices, NULL) == FRT_INVALID_ARGUMENT);

  frt_head_free(head);
  free(triangles);
  free(vertices);
  free(alone);
  free(landmarks);
  free(shape);
  free(translation);
}

static void test_forgehead(const char* folder) {
  enum { kHeight = 96, kWidth = 80, kArea = kHeight * kWidth };
  frt_forgehead* head = NULL;
  frt_orbit orbit = FRT_ORBIT_INIT;
  frt_render_options options = FRT_RENDER_OPTIONS_INIT;
  frt_face_image image = FRT_FACE_IMAGE_INIT;
  frt_label_info label = FRT_LABEL_INFO_INIT;
  uint8_t *rgb = malloc(kArea * 3), *again = malloc(kArea * 3), *labels = malloc(kArea), visibility[68];
  float *depth = malloc(kArea * sizeof(float)), landmarks[68 * 2], landmarks_head[68 * 3];
  int32_t count = 0, i, known = 0, with_depth = 0, visible = 0;

  CHECK(frt_forgehead_load(folder, &head) == FRT_OK);
  if (head == NULL) return;
  CHECK(frt_forgehead_label_count(head, &count) == FRT_OK && count >= 10);
  for (i = 0; i < count; ++i) {
    CHECK(frt_forgehead_get_label(head, i, &label) == FRT_OK);
    CHECK(label.id == i && label.name[0] != '\0' && label.color[3] == 255 && label.mirror >= 0 && label.mirror < count);
  }
  CHECK(frt_forgehead_get_label(head, count, &label) == FRT_INVALID_ARGUMENT && mentions("row"));

  options.height = kHeight;
  options.width = kWidth;
  orbit.yaw_deg = 15;
  orbit.fov_deg = 20;
  image.rgb = rgb;
  image.labels = labels;
  image.depth_m = depth;
  image.landmarks_px = landmarks;
  image.visibility = visibility;
  image.landmarks_head_m = landmarks_head;
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_OK);
  for (i = 0; i < kArea; ++i) {
    known += labels[i] < count;
    with_depth += depth[i] > 0.5f && depth[i] < 2.f;
  }
  CHECK(known == kArea);
  CHECK(with_depth > kArea / 10);
  for (i = 0; i < 68; ++i)
    visible += visibility[i] == 2 && landmarks[2 * i] > 0.f && landmarks[2 * i] < kWidth && landmarks[2 * i + 1] > 0.f &&
               landmarks[2 * i + 1] < kHeight;
  CHECK(visible > 20);
  CHECK(fabsf(landmarks_head[3 * 30 + 1]) < 0.3f);

  image.rgb = again; /* the same sample again, alone and with other threads: the same bytes */
  image.labels = NULL;
  image.depth_m = NULL;
  image.landmarks_px = NULL;
  image.visibility = NULL;
  image.landmarks_head_m = NULL;
  i = frt_get_threads();
  CHECK(frt_set_threads(3) == FRT_OK);
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_OK);
  CHECK(memcmp(rgb, again, kArea * 3) == 0);
  CHECK(frt_forgehead_sample_image(head, 7, 4, &orbit, &options, &image) == FRT_OK);
  CHECK(memcmp(rgb, again, kArea * 3) != 0);
  CHECK(frt_set_threads(i) == FRT_OK);

  orbit.reserved = 1;
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_UNSUPPORTED);
  orbit.reserved = 0;
  options.reserved = -1;
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_UNSUPPORTED);
  options.reserved = 0;
  orbit.fov_deg = 180;
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_INVALID_ARGUMENT);
  orbit.fov_deg = 20;
  options.supersample = 9;
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_INVALID_ARGUMENT);
  options.supersample = 1;
  options.height = 0;
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, &image) == FRT_INVALID_ARGUMENT);
  options.height = kHeight;
  CHECK(frt_forgehead_sample_image(head, 7, (uint64_t)1 << 48, &orbit, &options, &image) == FRT_INVALID_ARGUMENT);
  CHECK(frt_forgehead_sample_image(head, 7, 3, &orbit, &options, NULL) == FRT_INVALID_ARGUMENT);
  frt_forgehead_free(head);
  free(rgb);
  free(again);
  free(labels);
  free(depth);
}

int main(int argc, char** argv) {
  const char* assets = argc > 1 ? argv[1] : getenv("FORGE_RT_ASSETS");
  test_library();
  test_rasterize();
  test_struct_growth();
  test_head_errors();
  if (assets != NULL && assets[0] != '\0') {
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s/forgehead.forge", assets);
    test_head(folder);
    test_forgehead(folder);
  } else {
    printf("head tests skipped: give the folder that holds forgehead.forge as argument or in FORGE_RT_ASSETS\n");
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
