/* Faces of a picture, from C.
 *
 *   parse_image BUNDLE PICTURE.ppm MASK.pgm [ONNXRUNTIME_LIBRARY]
 *
 * Reads a binary PPM or PGM (`convert photo.jpg photo.ppm`), writes the class id of each pixel as a PGM, and prints the faces. */
#include <ctype.h>
#include <forge_rt/forge_rt.h>
#include <stdio.h>
#include <stdlib.h>

enum { kMaxSide = 32768 };

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, frt_last_error());
  return 0;
}

/* The next number of a PNM header; -1 when there is none. */
static int read_number(FILE* file) {
  int c = getc(file), value = 0;
  while (isspace(c) || c == '#') {
    if (c == '#')
      while (c != '\n' && c != EOF) c = getc(file);
    c = getc(file);
  }
  if (!isdigit(c)) return -1;
  for (; isdigit(c) && value <= 65536; c = getc(file)) value = 10 * value + (c - '0');
  return value; /* and the one white space behind it is read */
}

/* Pixels to be freed, described by `image`; NULL when it is no 8-bit binary PPM or PGM. */
static uint8_t* read_pnm(const char* path, frt_image_view* image) {
  uint8_t* pixels = NULL;
  FILE* file = fopen(path, "rb");
  if (file == NULL) return NULL;
  if (getc(file) == 'P') {
    const int magic = getc(file), channels = magic == '6' ? 3 : 1;
    const int width = read_number(file), height = read_number(file), largest = read_number(file);
    if ((magic == '5' || magic == '6') && width > 0 && width <= kMaxSide && height > 0 && height <= kMaxSide && largest == 255) {
      const size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
      pixels = malloc(bytes);
      if (pixels != NULL && fread(pixels, 1, bytes, file) != bytes) {
        free(pixels);
        pixels = NULL;
      }
      image->format = channels == 3 ? FRT_PIXELS_RGB : FRT_PIXELS_GRAY;
      image->width = width;
      image->height = height;
      image->data = pixels;
    }
  }
  fclose(file);
  return pixels;
}

static int write_mask(const char* path, const frt_faces* faces) {
  const uint8_t* mask;
  int32_t width, height, y;
  int64_t stride;
  FILE* file;
  int good;
  if (frt_faces_mask(faces, &mask, &width, &height, &stride) != FRT_OK) return fail("no mask");
  file = fopen(path, "wb");
  if (file == NULL) {
    fprintf(stderr, "cannot write %s\n", path);
    return 0;
  }
  good = fprintf(file, "P5\n%d %d\n255\n", (int)width, (int)height) > 0;
  for (y = 0; y < height; ++y) good = good && fwrite(mask + y * stride, 1, (size_t)width, file) == (size_t)width;
  good = fclose(file) == 0 && good; /* what is written late may fail late */
  if (!good) fprintf(stderr, "cannot write all of %s\n", path);
  return good;
}

static int print_faces(const frt_analyzer* analyzer, const frt_faces* faces) {
  int32_t count = 0, i, row;
  if (frt_faces_count(faces, &count) != FRT_OK) return fail("no result");
  for (i = 0; i < count; ++i) {
    frt_face face = FRT_FACE_INIT;
    if (frt_faces_get(faces, i, &face) != FRT_OK) return fail("no face");
    printf("face %d: %.0f,%.0f to %.0f,%.0f, score %.2f, confidence %.2f, %d landmarks\n", (int)i, face.box[0], face.box[1], face.box[2],
           face.box[3], face.score, face.confidence, (int)face.landmark_count);
    for (row = 0; row < face.area_count; ++row) {
      frt_label_info label = FRT_LABEL_INFO_INIT;
      if (face.area[row] == 0) continue;
      if (frt_analyzer_get_label(analyzer, row, &label) != FRT_OK) return fail("cannot read the label table");
      printf("  %3d %-14s %9lld pixels\n", (int)label.id, label.name, (long long)face.area[row]);
    }
  }
  return 1;
}

int main(int argc, char** argv) {
  frt_analyzer* analyzer = NULL;
  frt_analyzer_info info = FRT_ANALYZER_INFO_INIT;
  frt_faces* faces = NULL;
  frt_image_view image = FRT_IMAGE_VIEW_INIT;
  uint8_t* pixels;
  int good = 0;

  if (argc < 4) {
    fprintf(stderr, "usage: %s BUNDLE PICTURE.ppm MASK.pgm [ONNXRUNTIME_LIBRARY]\n", argv[0]);
    return 2;
  }
  if (argc > 4 && frt_set_runtime_library(argv[4]) != FRT_OK) {
    fail("cannot take this ONNX Runtime");
    return 1;
  }
  pixels = read_pnm(argv[2], &image);
  if (pixels == NULL) {
    fprintf(stderr, "%s is no 8-bit binary PPM or PGM file\n", argv[2]);
    return 1;
  }
  if (frt_analyzer_load(argv[1], NULL, &analyzer) != FRT_OK || frt_analyzer_get_info(analyzer, &info) != FRT_OK) {
    fail("cannot load the bundle");
  } else if (frt_faces_new(&faces) != FRT_OK || frt_analyzer_analyze(analyzer, &image, NULL, faces) != FRT_OK) {
    fail("cannot analyze the picture");
  } else {
    printf("forge_rt %s, %s on %s\n", frt_version(), info.precision, info.provider_reason);
    good = print_faces(analyzer, faces) && write_mask(argv[3], faces);
  }
  frt_faces_free(faces);
  frt_analyzer_free(analyzer);
  free(pixels);
  return good ? 0 : 1;
}
