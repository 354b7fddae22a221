/* FaceAnalyzer through the C ABI, from C99, on the networks of fake.forge (make_fake_bundle.py). Argument: its folder.
 * Cases with networks run where FORGE_RT_ORT_LIBRARY names ONNX Runtime's library. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* 320: the detector sees the picture at its own size. */
enum { kWidth = 320, kHeight = 240, kBytes = kWidth * kHeight * 4, kBlob = 40, kLeft = 140, kTop = 100 };

/* Dark, with bright squares of 40 pixels: faces, for this bundle. `bytes` per pixel, 3 or 4. */
static void draw(uint8_t* pixels, int bytes, int left, int top) {
  int x, y;
  for (y = 0; y < kHeight; ++y)
    for (x = 0; x < kWidth; ++x)
      memset(pixels + (y * kWidth + x) * bytes, x >= left && x < left + kBlob && y >= top && y < top + kBlob ? 250 : 5, (size_t)bytes);
}

static frt_image_view view_of(const uint8_t* pixels, int32_t format) {
  frt_image_view image = FRT_IMAGE_VIEW_INIT;
  image.format = format;
  image.width = kWidth;
  image.height = kHeight;
  image.data = pixels;
  return image;
}

static void test_without_networks(void) {
  frt_analyzer* analyzer = (frt_analyzer*)1;
  frt_tracker* tracker = (frt_tracker*)1;
  frt_faces* faces = NULL;
  frt_face face = FRT_FACE_INIT;
  frt_analyzer_info info = FRT_ANALYZER_INFO_INIT;
  frt_analyzer_options options = FRT_ANALYZER_OPTIONS_INIT;
  frt_label_info label = FRT_LABEL_INFO_INIT;
  frt_stage_times times = FRT_STAGE_TIMES_INIT;
  frt_image_view image = FRT_IMAGE_VIEW_INIT;
  const uint8_t* bytes = (const uint8_t*)1;
  const float* depth = NULL;
  int32_t count = 7;

  CHECK(frt_faces_new(NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_faces_new(&faces) == FRT_OK && faces != NULL);
  CHECK(frt_faces_count(faces, &count) == FRT_OK && count == 0);
  CHECK(frt_faces_get(faces, 0, &face) == FRT_INVALID_ARGUMENT && mentions("0 faces"));
  CHECK(frt_faces_mask(faces, &bytes, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT && bytes == NULL && mentions("options.mask"));
  CHECK(frt_faces_confidence(faces, &bytes, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT && mentions("options.confidence"));
  CHECK(frt_faces_depth(faces, &depth, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT && mentions("options.depth_map"));
  CHECK(frt_faces_times(faces, &times) == FRT_OK && times.total == 0 && times.struct_size == sizeof(times));
  CHECK(frt_faces_times(faces, NULL) == FRT_INVALID_ARGUMENT && mentions("FRT_STAGE_TIMES_INIT"));
  CHECK(frt_faces_count(NULL, &count) == FRT_INVALID_ARGUMENT && frt_faces_count(faces, NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_faces_mask(NULL, &bytes, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_faces_mask(faces, NULL, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_analyzer_analyze(NULL, &image, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("analyzer is NULL"));
  CHECK(frt_analyzer_analyze_boxes(NULL, &image, NULL, 0, NULL, faces) == FRT_INVALID_ARGUMENT);
  frt_faces_free(faces);

  CHECK(frt_analyzer_load("no/such.forge", NULL, &analyzer) == FRT_NOT_FOUND && analyzer == NULL && mentions("no/such.forge"));
  CHECK(frt_analyzer_load(NULL, NULL, &analyzer) == FRT_INVALID_ARGUMENT && mentions("bundle"));
  CHECK(frt_analyzer_load("x", NULL, NULL) == FRT_INVALID_ARGUMENT);
  options.parsing = 2;
  CHECK(frt_analyzer_load("no/such.forge", &options, &analyzer) == FRT_INVALID_ARGUMENT && mentions("options.parsing"));
  options.struct_size = 0;
  CHECK(frt_analyzer_load("no/such.forge", &options, &analyzer) == FRT_INVALID_ARGUMENT && mentions("FRT_ANALYZER_OPTIONS_INIT"));
  CHECK(frt_analyzer_get_info(NULL, &info) == FRT_INVALID_ARGUMENT && frt_analyzer_get_label(NULL, 0, &label) == FRT_INVALID_ARGUMENT);
  CHECK(frt_tracker_new(NULL, NULL, &tracker) == FRT_INVALID_ARGUMENT && tracker == NULL);
  CHECK(frt_tracker_update(NULL, &image, 0, NULL) == FRT_INVALID_ARGUMENT && frt_tracker_reset(NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_runtime_query(NULL) == FRT_INVALID_ARGUMENT && mentions("FRT_RUNTIME_INFO_INIT"));
  CHECK(frt_set_runtime_library(NULL) == FRT_OK);
  frt_analyzer_free(NULL);
  frt_tracker_free(NULL);
  frt_faces_free(NULL);
}

static void test_info(const frt_analyzer* analyzer) {
  frt_analyzer_info info = FRT_ANALYZER_INFO_INIT;
  frt_label_info label = FRT_LABEL_INFO_INIT;
  frt_runtime_info runtime = FRT_RUNTIME_INFO_INIT;
  CHECK(frt_runtime_query(&runtime) == FRT_OK && strcmp(runtime.found_by, "FORGE_RT_ORT_LIBRARY") == 0 && runtime.version[0] == '1');
  CHECK(frt_analyzer_get_info(analyzer, &info) == FRT_OK);
  CHECK(info.labels == 3 && info.landmarks == 68 && info.crop_height == 32 && info.crop_width == 32 && info.has_detector == 1);
  CHECK(strcmp(info.side, "subject") == 0 && strcmp(info.depth_unit, "m") == 0 && strlen(info.hash) == 64);
  CHECK(strcmp(info.precision, "fp32") == 0 && strcmp(info.provider, "cpu") == 0 && info.provider_reason[0] != '\0');
  CHECK(frt_analyzer_get_label(analyzer, 1, &label) == FRT_OK && label.id == 1 && strcmp(label.name, "skin") == 0);
  CHECK(label.color[0] == 204 && label.color[3] == 255 && label.mirror == 1);
  CHECK(frt_analyzer_get_label(analyzer, 3, &label) == FRT_INVALID_ARGUMENT && mentions("0..2"));
}

static void test_analyze(const frt_analyzer* analyzer) {
  static uint8_t rgba[kBytes], wide[kHeight * (kWidth * 4 + 12)], first[kWidth * kHeight];
  frt_image_view image = view_of(rgba, FRT_PIXELS_RGBA);
  frt_analyze_options options = FRT_ANALYZE_OPTIONS_INIT;
  frt_face face = FRT_FACE_INIT;
  frt_stage_times times = FRT_STAGE_TIMES_INIT;
  frt_faces* faces = NULL;
  const uint8_t *mask = NULL, *confidence = NULL;
  const float* depth = NULL;
  const float box[4] = {kLeft, kTop, kLeft + kBlob, kTop + kBlob}, nowhere[4] = {900, 900, 940, 940},
              vast[4] = {-1e12f, -1e12f, 1e12f, 1e12f};
  int32_t count = 0, width = 0, height = 0, i, skin = 0;
  int64_t stride = 0;
  const int inside = (kTop + 20) * kWidth + kLeft + 20;

  draw(rgba, 4, kLeft, kTop);
  options.confidence = options.depth_map = 1;
  CHECK(frt_faces_new(&faces) == FRT_OK);
  CHECK(frt_analyzer_analyze(analyzer, &image, &options, faces) == FRT_OK);
  CHECK(frt_faces_count(faces, &count) == FRT_OK && count == 1);
  CHECK(frt_faces_get(faces, 0, &face) == FRT_OK);
  for (i = 0; i < 4; ++i) CHECK(fabsf(face.box[i] - box[i]) < 8);
  CHECK(face.score > 0.5f && face.score <= 1.f && face.confidence > 0.5f && face.track == -1);
  CHECK(face.points[0] < face.points[2] && face.points[1] < face.points[9]); /* right eye left of the left eye, mouth below */
  CHECK(face.landmark_count == 68 && face.area_count == 3 && face.landmarks != NULL && face.visibility != NULL && face.area != NULL);
  if (face.landmark_count == 68) CHECK(face.visibility[0] > 0.8f && face.landmarks[0] > kLeft && face.landmarks[0] < kLeft + kBlob);
  CHECK(face.rect[0] < kLeft && face.rect[2] > kLeft + kBlob && face.rect[2] <= kWidth);
  CHECK(frt_faces_mask(faces, &mask, &width, &height, &stride) == FRT_OK && width == kWidth && height == kHeight && stride == kWidth);
  CHECK(frt_faces_confidence(faces, &confidence, NULL, NULL, NULL) == FRT_OK);
  CHECK(frt_faces_depth(faces, &depth, NULL, NULL, &stride) == FRT_OK && stride == kWidth * 4);
  if (mask != NULL && depth != NULL && confidence != NULL && face.area != NULL) {
    CHECK(mask[0] == 0 && depth[0] == 0 && confidence[0] == 0);
    CHECK(mask[inside] == 1 && depth[inside] > 0.5f && confidence[inside] > 200);
    for (i = 0; i < kWidth * kHeight; ++i) skin += mask[i] == 1;
    CHECK(skin == (int32_t)face.area[1] && abs(skin - kBlob * kBlob) < 400);
    memcpy(first, mask, sizeof(first));
  }
  CHECK(frt_faces_times(faces, &times) == FRT_OK && times.total > 0 && times.network > 0 && times.total < 60000);

  for (i = 0; i < kHeight; ++i) memcpy(wide + i * (kWidth * 4 + 12), rgba + i * kWidth * 4, kWidth * 4);
  image.data = wide; /* rows with gaps */
  image.stride = kWidth * 4 + 12;
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_OK);
  CHECK(frt_faces_mask(faces, &mask, NULL, NULL, NULL) == FRT_OK && memcmp(mask, first, sizeof(first)) == 0);
  CHECK(frt_faces_depth(faces, &depth, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT); /* not asked for, this time */

  CHECK(frt_analyzer_analyze_boxes(analyzer, &image, box, 1, NULL, faces) == FRT_OK);
  CHECK(frt_faces_get(faces, 0, &face) == FRT_OK && face.score == 1.f && face.box[0] == kLeft && face.box[3] == kTop + kBlob);
  CHECK(frt_faces_get(faces, 1, &face) == FRT_INVALID_ARGUMENT && frt_faces_get(faces, -1, &face) == FRT_INVALID_ARGUMENT);
  CHECK(frt_analyzer_analyze_boxes(analyzer, &image, NULL, 0, NULL, faces) == FRT_OK && frt_faces_count(faces, &count) == FRT_OK);
  CHECK(count == 0 && frt_faces_mask(faces, &mask, NULL, NULL, NULL) == FRT_OK && mask[inside] == 0);
  CHECK(frt_analyzer_analyze_boxes(analyzer, &image, NULL, 1, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("boxes"));
  CHECK(frt_analyzer_analyze_boxes(analyzer, &image, box, -1, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("count"));
  CHECK(frt_analyzer_analyze_boxes(analyzer, &image, nowhere, 1, NULL, faces) == FRT_INVALID_ARGUMENT);

  memset(rgba, 5, sizeof(rgba)); /* nobody there */
  image = view_of(rgba, FRT_PIXELS_BGRA);
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_OK && frt_faces_count(faces, &count) == FRT_OK && count == 0);

  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, NULL) == FRT_INVALID_ARGUMENT && mentions("faces is NULL"));
  CHECK(frt_analyzer_analyze(analyzer, NULL, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("FRT_IMAGE_VIEW_INIT"));
  image.stride = kWidth;
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("stride"));
  CHECK(frt_faces_mask(faces, &mask, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT); /* a failure leaves no old result */
  image = view_of(NULL, FRT_PIXELS_RGB);
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_INVALID_ARGUMENT);
  image = view_of(rgba, 6);
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("FRT_PIXELS_"));
  image = view_of(rgba, FRT_PIXELS_NV12);
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_INVALID_ARGUMENT); /* no uv */
  image.uv = rgba + kWidth * kHeight;
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_OK);
  image.width = 0;
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_INVALID_ARGUMENT);
  image = view_of(rgba, FRT_PIXELS_GRAY);
  image.bt709 = 3;
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("bt709"));
  image.bt709 = 0;
  image.reserved = 1;
  CHECK(frt_analyzer_analyze(analyzer, &image, NULL, faces) == FRT_UNSUPPORTED && mentions("image.reserved"));
  image.reserved = 0;
  CHECK(frt_analyzer_analyze_boxes(analyzer, &image, vast, 1, NULL, faces) == FRT_INVALID_ARGUMENT && mentions("box 0") &&
        mentions("million"));
  options.max_faces = -1;
  CHECK(frt_analyzer_analyze(analyzer, &image, &options, faces) == FRT_INVALID_ARGUMENT && mentions("max_faces"));
  frt_faces_free(faces);
}

/* A program built against a later header: its struct is longer. */
static void test_struct_growth(const frt_analyzer* analyzer, frt_faces* faces) {
  static uint8_t rgb[kWidth * kHeight * 3];
  struct {
    frt_analyze_options options;
    int32_t later;
  } grown = {FRT_ANALYZE_OPTIONS_INIT, 0};
  struct {
    frt_face face;
    int64_t later;
  } face = {FRT_FACE_INIT, 77};
  frt_image_view image = view_of(rgb, FRT_PIXELS_RGB);
  draw(rgb, 3, kLeft, kTop);
  grown.options.struct_size = (uint32_t)sizeof(grown);
  CHECK(frt_analyzer_analyze(analyzer, &image, &grown.options, faces) == FRT_OK);
  face.face.struct_size = (uint32_t)sizeof(face);
  CHECK(frt_faces_get(faces, 0, &face.face) == FRT_OK && face.later == 77 && face.face.struct_size == sizeof(face));
  grown.later = 1;
  CHECK(frt_analyzer_analyze(analyzer, &image, &grown.options, faces) == FRT_UNSUPPORTED && mentions("update the library"));
  face.face.struct_size = 8;
  CHECK(frt_faces_get(faces, 0, &face.face) == FRT_INVALID_ARGUMENT);
}

static void test_tracker(frt_analyzer** analyzer, frt_faces* faces) {
  static uint8_t rgb[kWidth * kHeight * 3];
  frt_image_view image = view_of(rgb, FRT_PIXELS_RGB);
  frt_tracker_options options = FRT_TRACKER_OPTIONS_INIT;
  frt_analyze_options analyze = FRT_ANALYZE_OPTIONS_INIT;
  frt_tracker* tracker = NULL;
  frt_face face = FRT_FACE_INIT;
  const uint8_t* mask;
  int32_t count = 0, frame, track = -1;
  options.smooth_mask = 2;
  CHECK(frt_tracker_new(*analyzer, &options, &tracker) == FRT_INVALID_ARGUMENT && tracker == NULL && mentions("smooth_mask"));
  options.smooth_mask = 0;
  analyze.mask = 0;
  options.analyze = &analyze;
  CHECK(frt_tracker_new(*analyzer, &options, NULL) == FRT_INVALID_ARGUMENT);
  CHECK(frt_tracker_new(*analyzer, &options, &tracker) == FRT_OK);
  frt_analyzer_free(*analyzer); /* the tracker holds what it needs */
  *analyzer = NULL;
  for (frame = 0; frame < 5; ++frame) {
    draw(rgb, 3, kLeft + frame, kTop);
    CHECK(frt_tracker_update(tracker, &image, frame / 30., faces) == FRT_OK);
    CHECK(frt_faces_count(faces, &count) == FRT_OK && count == 1 && frt_faces_get(faces, 0, &face) == FRT_OK);
    if (frame == 0) track = face.track;
    CHECK(face.track >= 0 && face.track == track);
  }
  CHECK(frt_faces_mask(faces, &mask, NULL, NULL, NULL) == FRT_INVALID_ARGUMENT); /* analyze.mask = 0 */
  CHECK(frt_tracker_update(tracker, &image, 0, faces) == FRT_INVALID_ARGUMENT);  /* not later than the last one */
  CHECK(frt_tracker_reset(tracker) == FRT_OK && frt_tracker_update(tracker, &image, 0, faces) == FRT_OK);
  CHECK(frt_tracker_update(tracker, &image, 1, NULL) == FRT_INVALID_ARGUMENT);
  frt_tracker_free(tracker);
}

struct worker {
  const frt_analyzer* analyzer;
  uint8_t mask[kWidth * kHeight];
  int good;
};

static void* work(void* given) {
  struct worker* worker = given;
  uint8_t* rgb = malloc(kWidth * kHeight * 3);
  frt_image_view image = view_of(rgb, FRT_PIXELS_RGB);
  frt_faces* faces = NULL;
  const uint8_t* mask;
  int i;
  draw(rgb, 3, kLeft, kTop);
  worker->good = frt_faces_new(&faces) == FRT_OK;
  for (i = 0; i < 20 && worker->good; ++i) {
    worker->good =
        frt_analyzer_analyze(worker->analyzer, &image, NULL, faces) == FRT_OK && frt_faces_mask(faces, &mask, NULL, NULL, NULL) == FRT_OK;
    if (!worker->good) break;
    if (i > 0 && memcmp(worker->mask, mask, sizeof(worker->mask)) != 0) worker->good = 0;
    memcpy(worker->mask, mask, sizeof(worker->mask));
  }
  frt_faces_free(faces);
  free(rgb);
  return NULL;
}

static void test_two_threads(const frt_analyzer* analyzer) {
  static struct worker workers[2];
  pthread_t threads[2];
  int i;
  for (i = 0; i < 2; ++i) {
    workers[i].analyzer = analyzer;
    CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
  }
  for (i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  CHECK(workers[0].good && workers[1].good && memcmp(workers[0].mask, workers[1].mask, sizeof(workers[0].mask)) == 0);
}

int main(int argc, char** argv) {
  const char* runtime = getenv("FORGE_RT_ORT_LIBRARY");
  frt_analyzer* analyzer = NULL;
  frt_faces* faces = NULL;
  int skipped = 0;
  test_without_networks();
  if (argc > 1 && runtime != NULL && runtime[0] != '\0') {
    CHECK(frt_analyzer_load(argv[1], NULL, &analyzer) == FRT_OK && frt_faces_new(&faces) == FRT_OK);
    if (analyzer != NULL) {
      test_info(analyzer);
      test_analyze(analyzer);
      test_struct_growth(analyzer, faces);
      test_two_threads(analyzer);
      test_tracker(&analyzer, faces);
    }
    frt_faces_free(faces);
    frt_analyzer_free(analyzer);
  } else {
    skipped = 1;
    printf("networks skipped: give fake.forge as argument and ONNX Runtime's library in FORGE_RT_ORT_LIBRARY\n");
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 ? 1 : skipped ? 77 : 0; /* 77: ctest says "skipped" */
}
