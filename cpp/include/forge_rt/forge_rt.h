/* forge_rt: C ABI. C99, no other headers of the library needed.
 *
 * Errors       Every function that can fail returns a frt_status: FRT_OK, or a code whose numbers never change. frt_last_error() then gives
 *              one sentence about the last failure of this thread: what was expected, what came, what to try. Nothing here throws,
 *              exits or prints. Outputs are unspecified after a failure, except that a handle is set to NULL.
 * Threads      All functions may be called from any thread at any time. Handles are immutable once loaded, so several threads may use
 *              one at once; only frt_*_free must not run while another call uses the handle. Results and trackers change:
 *              frt_faces and frt_tracker are used by one thread at a time.
 * Memory       The caller owns all arrays that it passes in, inputs and outputs alike, and may free them when the call returns. A handle
 *              belongs to the caller until frt_*_free (NULL is fine there). Returned strings belong to the library; how long they live is
 *              said where they are returned.
 * Arrays       Dense, row-major, last axis fastest. Shapes are written [B, H, W]; row 0 of an image is the top row.
 * Units        Metres, degrees, pixels; the centre of the top-left pixel is (0.5, 0.5). Head frame: y up, z out of the face, x to the right
 *              of a frontal image (the subject's left). Camera frame: x right, y down, z forward.
 * Growth       Each struct begins with struct_size; set it by an FRT_..._INIT macro, or to sizeof the struct. Later versions of the library
 *              append members, and treat those that an older program does not have as their defaults.
 *
 *   frt_forgehead* head = NULL;
 *   if (frt_forgehead_load("forgehead.forge", &head) != FRT_OK) { puts(frt_last_error()); return 1; }
 *   frt_orbit orbit = FRT_ORBIT_INIT;
 *   frt_render_options options = FRT_RENDER_OPTIONS_INIT;            // 512 x 512
 *   frt_face_image image = FRT_FACE_IMAGE_INIT;
 *   image.rgb = malloc(512 * 512 * 3);
 *   frt_status status = frt_forgehead_sample_image(head, 7, 0, &orbit, &options, &image);
 *   frt_forgehead_free(head);
 */
#ifndef FORGE_RT_FORGE_RT_H_
#define FORGE_RT_FORGE_RT_H_

#include <stddef.h>
#include <stdint.h>

#include "forge_rt/export.h"
#include "forge_rt/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ---------------------------------------------------------------------------------------------------------------- */

typedef int32_t frt_status;
enum {
  FRT_OK = 0,
  FRT_INVALID_ARGUMENT = 1,   /* a value, shape or pointer that the call does not take */
  FRT_NOT_FOUND = 2,          /* a file, model or name that does not exist */
  FRT_CORRUPT_FILE = 3,       /* a file that is truncated, edited or not what it says it is */
  FRT_UNSUPPORTED = 4,        /* valid, but this build cannot do it */
  FRT_DEVICE_UNAVAILABLE = 5, /* no such device, no driver, or built without it */
  FRT_OUT_OF_MEMORY = 6,
  FRT_IO = 7,                 /* the operating system refused a read or write */
  FRT_CANCELLED = 8,
  FRT_INTERNAL = 9            /* a broken promise inside forge_rt: please report it */
};

/* "invalid_argument", ...; "unknown" for other numbers. Never NULL, lives for ever. */
FORGE_RT_API const char* frt_status_name(frt_status status);
/* One sentence about the last call of this thread that failed; "" when none did. Never NULL; valid until the next failure of this
 * thread. Calls that succeed leave it alone. */
FORGE_RT_API const char* frt_last_error(void);

/* ---- the library ----------------------------------------------------------------------------------------------------------- */

/* Grows by one when something that worked stops working; additions leave it alone. Compare with frt_abi_version() at start-up. */
#define FRT_ABI_VERSION 1
FORGE_RT_API int32_t frt_abi_version(void);
/* "0.1.0". Lives for ever. */
FORGE_RT_API const char* frt_version(void);

/* What the CUDA side looks like from here. */
typedef struct frt_cuda_info {
  uint32_t struct_size;
  int32_t built;           /* 1: the library contains CUDA code */
  int32_t device_count;    /* usable devices */
  int32_t driver_version;  /* as the driver says it, e.g. 13000; 0 without a driver */
  int32_t runtime_version; /* of the CUDA runtime in the library; 0 when not built */
  const char* reason;      /* why device_count is 0, "" when it is not; valid until this thread asks again */
} frt_cuda_info;
#define FRT_CUDA_INFO_INIT {(uint32_t)sizeof(frt_cuda_info), 0, 0, 0, 0, NULL}
FORGE_RT_API frt_status frt_cuda_query(frt_cuda_info* info);

/* Instruction set in use by the CPU kernels: "baseline", "avx2" or "avx512". Lives for ever. Force one with FORGE_RT_ISA. */
FORGE_RT_API const char* frt_isa_name(void);

/* Threads that work on one call, the caller included. Default: FORGE_RT_THREADS, else the usable cores, at most 8. */
FORGE_RT_API int32_t frt_get_threads(void);
/* For the whole process, 1..256. Results never depend on it. */
FORGE_RT_API frt_status frt_set_threads(int32_t threads);

/* ---- heads: parameters in, mesh out ----------------------------------------------------------------------------------------- */

/* A head model in FLAME's array format. */
typedef struct frt_head frt_head;

typedef struct frt_head_info {
  uint32_t struct_size;
  int32_t vertices;     /* V */
  int32_t triangles;    /* F */
  int32_t joints;       /* J; a FLAME head has 5: root, neck, jaw, left eye, right eye */
  int32_t landmarks;    /* L: 68 (iBUG order), fewer without a sliding contour, 0 without an embedding */
  int32_t n_shape;      /* shape components */
  int32_t n_expression; /* expression components */
} frt_head_info;
#define FRT_HEAD_INFO_INIT {(uint32_t)sizeof(frt_head_info), 0, 0, 0, 0, 0, 0}

/* Coefficients of B heads. A NULL array is all zero. */
typedef struct frt_head_parameters {
  uint32_t struct_size;
  int32_t batch;            /* B >= 1 */
  int32_t n_shape;          /* columns of `shape`, at most the head's; the rest is zero */
  int32_t n_expression;     /* columns of `expression`, alike */
  const float* shape;       /* [B, n_shape] */
  const float* expression;  /* [B, n_expression] */
  const float* pose;        /* [B, J, 3] axis-angle, radians */
  const float* translation; /* [B, 3] metres */
} frt_head_parameters;
#define FRT_HEAD_PARAMETERS_INIT {(uint32_t)sizeof(frt_head_parameters), 1, 0, 0, NULL, NULL, NULL, NULL}

/* Opens a bundle folder of family "head" and checks its hashes. Sets *head, to NULL on failure.
 * FRT_NOT_FOUND, FRT_CORRUPT_FILE, FRT_UNSUPPORTED (a bundle of another family or format). */
FORGE_RT_API frt_status frt_head_load(const char* folder, frt_head** head);
FORGE_RT_API void frt_head_free(frt_head* head);
FORGE_RT_API frt_status frt_head_get_info(const frt_head* head, frt_head_info* info);
/* Copies [F, 3] vertex ids, counter-clockwise seen from outside. `count` is the number of int32 in `triangles` and must be 3 F. */
FORGE_RT_API frt_status frt_head_copy_triangles(const frt_head* head, int32_t* triangles, size_t count);
/* Evaluates B heads on the CPU.
 *   vertices   [B, V, 3] metres, head frame; may be NULL
 *   landmarks  [B, L, 3] metres, head frame; may be NULL
 * A head of a batch has the same bytes as alone. */
FORGE_RT_API frt_status frt_head_evaluate(const frt_head* head, const frt_head_parameters* parameters, float* vertices, float* landmarks);

/* ---- rasterize: which triangle is seen at each pixel ------------------------------------------------------------------------ */

enum {
  FRT_COVERAGE_WATERTIGHT = 0, /* exact: 24.8 fixed point, top-left rule; each pixel of a closed surface belongs to one triangle */
  FRT_COVERAGE_STRICT = 1      /* float32 barycentrics all > 0, as PyTorch3D's hard rasterizer; the short side spans [-1, 1] */
};
enum {
  FRT_CULL_NONE = 0,
  FRT_CULL_BACK = 1 /* drops faces that are clockwise in the image */
};

/* B images of one mesh. */
typedef struct frt_raster_options {
  uint32_t struct_size;
  int32_t height, width;  /* 1..8192 */
  int32_t coverage;       /* FRT_COVERAGE_... */
  int32_t cull;           /* FRT_CULL_... */
  int32_t perspective;    /* 1: x / w and y / w span [-1, 1], w is the camera z and the depth. 0: w is ignored, depth is z */
  float near_plane;       /* perspective only: faces are clipped at w = near_plane, > 0, in the unit of the positions */
} frt_raster_options;
#define FRT_RASTER_OPTIONS_INIT {(uint32_t)sizeof(frt_raster_options), 512, 512, FRT_COVERAGE_WATERTIGHT, FRT_CULL_BACK, 1, 0.01f}

typedef struct frt_raster_mesh {
  uint32_t struct_size;
  int32_t batch;              /* B >= 0 */
  int32_t vertices;           /* V >= 0 */
  int32_t triangles;          /* F >= 0 */
  const float* positions;     /* [B, V, 4] clip space: x right, y up, z, w */
  const int32_t* indices;     /* [F, 3] vertex ids, 0 <= id < V */
  const uint8_t* face_labels; /* [F] class of each triangle; needed for frt_raster_output::labels, else NULL */
} frt_raster_mesh;
#define FRT_RASTER_MESH_INIT {(uint32_t)sizeof(frt_raster_mesh), 1, 0, 0, NULL, NULL, NULL}

/* Any member may be NULL: it is then not computed. */
typedef struct frt_raster_output {
  uint32_t struct_size;
  int32_t* face;       /* [B, H, W] triangle index, -1 where empty */
  float* depth;        /* [B, H, W] along the camera axis in the unit of the positions, 0 where empty */
  float* barycentrics; /* [B, H, W, 3] weights of the triangle's vertices, sum 1, 0 where empty */
  uint8_t* labels;     /* [B, H, W] face_labels[face], 0 where empty */
} frt_raster_output;
#define FRT_RASTER_OUTPUT_INIT {(uint32_t)sizeof(frt_raster_output), NULL, NULL, NULL, NULL}

/* On the CPU. The nearest surface wins, equal depth goes to the lower triangle index. Triangles with a NaN or infinite vertex are
 * not drawn. The same bytes for any thread count and instruction set. */
FORGE_RT_API frt_status frt_rasterize(const frt_raster_mesh* mesh, const frt_raster_options* options, const frt_raster_output* output);

/* ---- ForgeHead: annotated face images ---------------------------------------------------------------------------------------- */

/* The parametric head that comes with the engine, with exact ground truth. */
typedef struct frt_forgehead frt_forgehead;

/* Where the camera stands and looks. */
typedef struct frt_orbit {
  uint32_t struct_size;
  int32_t reserved; /* 0 */
  double yaw_deg;   /* > 0: the camera stands towards +x and sees the subject's left side */
  double pitch_deg; /* > 0: the camera stands above and looks down; -90..90 */
  double roll_deg;  /* > 0: the camera turns clockwise about its forward axis */
  double fov_deg;   /* true horizontal field of view, 0..180 exclusive */
  double radius_m;  /* from the head's origin to the camera */
} frt_orbit;
#define FRT_ORBIT_INIT {(uint32_t)sizeof(frt_orbit), 0, 0.0, 0.0, 0.0, 13.373836931985192, 1.08}

typedef struct frt_render_options {
  uint32_t struct_size;
  int32_t height, width; /* 1..8192 */
  int32_t supersample;   /* coverage samples per axis, 1..4 */
  float wild;            /* 0..1: probability of style "wild" rather than "studio" */
  int32_t reserved;      /* 0 */
} frt_render_options;
#define FRT_RENDER_OPTIONS_INIT {(uint32_t)sizeof(frt_render_options), 512, 512, 2, 0.0f, 0}

/* Any member may be NULL: it is then not copied out. */
typedef struct frt_face_image {
  uint32_t struct_size;
  uint8_t* rgb;             /* [H, W, 3] sRGB */
  uint8_t* labels;          /* [H, W] class ids: frt_forgehead_get_label */
  float* depth_m;           /* [H, W] camera z in metres, 0 = nothing there; objects in front of the face have depth and class 0 */
  float* landmarks_px;      /* [68, 2] x right, y down */
  uint8_t* visibility;      /* [68] 0 outside the frame, 1 hidden, 2 visible */
  float* landmarks_head_m;  /* [68, 3] head frame */
} frt_face_image;
#define FRT_FACE_IMAGE_INIT {(uint32_t)sizeof(frt_face_image), NULL, NULL, NULL, NULL, NULL, NULL}

typedef struct frt_label_info {
  uint32_t struct_size;
  int32_t id;
  const char* name; /* "left_brow", ...; valid as long as the handle. Left and right are the subject's */
  uint8_t color[4]; /* red, green, blue, 255 */
  int32_t mirror;   /* id after the image is flipped left to right */
} frt_label_info;
#define FRT_LABEL_INFO_INIT {(uint32_t)sizeof(frt_label_info), 0, NULL, {0, 0, 0, 0}, 0}

/* Opens a bundle folder of a ForgeHead and checks its hashes. Sets *head, to NULL on failure.
 * FRT_NOT_FOUND, FRT_CORRUPT_FILE, FRT_UNSUPPORTED. */
FORGE_RT_API frt_status frt_forgehead_load(const char* folder, frt_forgehead** head);
FORGE_RT_API void frt_forgehead_free(frt_forgehead* head);
/* Sample `index` of run `seed`, seen from `orbit`: face, expression, look and light are a pure function of the two numbers.
 * index < 2^48. `orbit` and `options` may be NULL: defaults. */
FORGE_RT_API frt_status frt_forgehead_sample_image(const frt_forgehead* head, uint64_t seed, uint64_t index, const frt_orbit* orbit,
                                                   const frt_render_options* options, const frt_face_image* image);
/* Rows of the label table: 0 <= row < count. */
FORGE_RT_API frt_status frt_forgehead_label_count(const frt_forgehead* head, int32_t* count);
FORGE_RT_API frt_status frt_forgehead_get_label(const frt_forgehead* head, int32_t row, frt_label_info* info);

/* ---- ONNX Runtime: what networks run on -------------------------------------------------------------------------------------- */

/* Says where its library lies ("plugins/onnxruntime.dll", UTF-8), before the first network is loaded; loads nothing. NULL or "": where the
 * system's loader looks. The environment variable FORGE_RT_ORT_LIBRARY goes before it. The first library that works stays for good. */
FORGE_RT_API frt_status frt_set_runtime_library(const char* path);

typedef struct frt_runtime_info {
  uint32_t struct_size;
  int32_t reserved;
  const char* path;     /* of the loaded file. All three are valid until this thread asks again */
  const char* found_by; /* "FORGE_RT_ORT_LIBRARY", "package" (frt_set_runtime_library) or "loader" */
  const char* version;  /* "1.31.1" */
} frt_runtime_info;
#define FRT_RUNTIME_INFO_INIT {(uint32_t)sizeof(frt_runtime_info), 0, NULL, NULL, NULL}
/* Loads the library if nothing has yet. FRT_UNSUPPORTED, with everything that was tried, when there is none that works. */
FORGE_RT_API frt_status frt_runtime_query(frt_runtime_info* info);

/* ---- FaceAnalyzer: image in; faces, class ids, landmarks and depth out -------------------------------------------------------- *
 *
 *   frt_analyzer* analyzer = NULL;
 *   frt_faces* faces = NULL;
 *   const uint8_t* mask;
 *   frt_image_view image = FRT_IMAGE_VIEW_INIT;
 *   image.data = pixels; image.width = 1280; image.height = 720; image.format = FRT_PIXELS_RGBA;
 *   frt_analyzer_load("faces-mini.forge", NULL, &analyzer);
 *   frt_faces_new(&faces);
 *   frt_analyzer_analyze(analyzer, &image, NULL, faces);             // again and again, with the same `faces`
 *   frt_faces_mask(faces, &mask, NULL, NULL, NULL);                  // [720, 1280]
 */

/* A network with its detector. */
typedef struct frt_analyzer frt_analyzer;
/* What was found in one image. Its buffers are kept from image to image: after the first few, nothing is allocated. */
typedef struct frt_faces frt_faces;
/* Faces of a video, followed from image to image. */
typedef struct frt_tracker frt_tracker;

enum {
  FRT_PIXELS_RGB = 0,
  FRT_PIXELS_BGR = 1,
  FRT_PIXELS_RGBA = 2, /* alpha is ignored */
  FRT_PIXELS_BGRA = 3,
  FRT_PIXELS_GRAY = 4,
  FRT_PIXELS_NV12 = 5  /* `data` is the Y plane, `uv` the interleaved plane of half resolution; video range; even sides */
};

/* 8-bit pixels of the caller, row 0 on top: images that are stored from the bottom up are to be flipped. */
typedef struct frt_image_view {
  uint32_t struct_size;
  int32_t format;        /* FRT_PIXELS_... */
  int32_t width, height; /* 1..32768 */
  int32_t bt709;         /* NV12: 1 = BT.709, 0 = BT.601 */
  int32_t reserved;      /* 0 */
  const uint8_t* data;
  int64_t stride;        /* bytes from one row to the next; 0 = rows without gaps */
  const uint8_t* uv;     /* NV12 only */
  int64_t uv_stride;     /* 0 = width */
} frt_image_view;
#define FRT_IMAGE_VIEW_INIT {(uint32_t)sizeof(frt_image_view), FRT_PIXELS_RGB, 0, 0, 0, 0, NULL, 0, NULL, 0}

typedef struct frt_analyzer_options {
  uint32_t struct_size;
  int32_t threads;       /* of one network run; 0 = frt_get_threads() */
  const char* device;    /* "cpu", "cuda:0"; NULL = "cpu" */
  const char* provider;  /* "cpu" and "cuda" are demands; NULL = "auto" */
  const char* precision; /* a variant of the bundle: "fp32", "int8", "fp16"; NULL = "auto" */
  const char* detector;  /* another bundle to detect with; NULL = the one inside */
  int32_t parsing;       /* 0: not computed, as are the next two; 1: where the bundle has it */
  int32_t landmarks;
  int32_t depth;
  int32_t batch;         /* faces that go through the network together, at most; 1..64 */
} frt_analyzer_options;
#define FRT_ANALYZER_OPTIONS_INIT {(uint32_t)sizeof(frt_analyzer_options), 0, NULL, NULL, NULL, NULL, 1, 1, 1, 8}

/* Strings are valid as long as the handle. */
typedef struct frt_analyzer_info {
  uint32_t struct_size;
  int32_t labels;              /* rows of the label table; 0 without parsing */
  int32_t landmarks;           /* 68; 0 without */
  int32_t crop_height, crop_width; /* of the network's input */
  int32_t has_detector;
  const char* side;            /* whose left "left" is: "subject" or "viewer" */
  const char* depth_unit;      /* "m, ..."; "" without depth */
  const char* hash;            /* of the bundle */
  const char* precision;       /* the variant in use */
  const char* provider;        /* really in use: "cpu" or "cuda" */
  const char* provider_reason; /* one sentence */
} frt_analyzer_info;
#define FRT_ANALYZER_INFO_INIT {(uint32_t)sizeof(frt_analyzer_info), 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL}

typedef struct frt_analyze_options {
  uint32_t struct_size;
  int32_t max_faces;      /* best first; 0 = all */
  float detect_threshold; /* 0..1; 0 = the bundle's */
  int32_t detect_size;    /* long side of the detector's input, a multiple of 32; 0 = the bundle's */
  float min_face;         /* pixels: smaller boxes are dropped */
  int32_t mask;           /* 1: frt_faces_mask */
  int32_t confidence;     /* 1: frt_faces_confidence */
  int32_t depth_map;      /* 1: frt_faces_depth */
  int32_t nearest;        /* 1: faster, ragged borders */
} frt_analyze_options;
#define FRT_ANALYZE_OPTIONS_INIT {(uint32_t)sizeof(frt_analyze_options), 16, 0.0f, 0, 0.0f, 1, 0, 0, 0}

/* `landmarks`, `visibility` and `area` are valid until the next call that fills or frees the frt_faces. */
typedef struct frt_face {
  uint32_t struct_size;
  int32_t track;           /* frt_tracker: the same number while it is the same face; else -1 */
  float box[4];            /* left, top, right, bottom in pixels; may reach beyond the image */
  float score;             /* of the detector, 0..1; 1 for boxes of the caller */
  float confidence;        /* 0..1, mean over the face's pixels; 0 without parsing */
  float points[10];        /* x, y of right eye, left eye, nose, right and left mouth corner (the subject's), pixels; 0 = unknown */
  float to_crop[6];        /* image pixels -> the network's crop: x' = t0 x + t1 y + t2, y' = t3 x + t4 y + t5 */
  int32_t rect[4];         /* left, top, right, bottom of the pixels that the crop covers; the last two are exclusive */
  int32_t landmark_count;  /* K */
  int32_t area_count;      /* C */
  const float* landmarks;  /* [K, 2] pixels, iBUG order for 68; NULL when not computed */
  const float* visibility; /* [K] 0..1; NULL when the network does not say */
  const int64_t* area;     /* [C] pixels of each class that this face painted; a larger face may lie over some. NULL without a mask */
} frt_face;
#define FRT_FACE_INIT {(uint32_t)sizeof(frt_face), -1, {0}, 0, 0, {0}, {0}, {0}, 0, 0, NULL, NULL, NULL}

/* Milliseconds of wall clock. */
typedef struct frt_stage_times {
  uint32_t struct_size;
  int32_t reserved;
  double detect_preprocess, detect_network, detect_decode, crop, network, unwarp, total;
} frt_stage_times;
#define FRT_STAGE_TIMES_INIT {(uint32_t)sizeof(frt_stage_times), 0, 0, 0, 0, 0, 0, 0, 0}

/* Opens a bundle of family "faces", a folder or an archive, and checks its hashes. `options` may be NULL: defaults. Sets *analyzer, to NULL
 * on failure. FRT_NOT_FOUND, FRT_CORRUPT_FILE, FRT_UNSUPPORTED (another family, no such variant, no ONNX Runtime),
 * FRT_DEVICE_UNAVAILABLE. */
FORGE_RT_API frt_status frt_analyzer_load(const char* bundle, const frt_analyzer_options* options, frt_analyzer** analyzer);
FORGE_RT_API void frt_analyzer_free(frt_analyzer* analyzer);
FORGE_RT_API frt_status frt_analyzer_get_info(const frt_analyzer* analyzer, frt_analyzer_info* info);
/* Rows of the label table: 0 <= row < frt_analyzer_info::labels. Left and right are those of frt_analyzer_info::side. */
FORGE_RT_API frt_status frt_analyzer_get_label(const frt_analyzer* analyzer, int32_t row, frt_label_info* info);

/* Sets *faces to an empty result, to NULL on failure. */
FORGE_RT_API frt_status frt_faces_new(frt_faces** faces);
FORGE_RT_API void frt_faces_free(frt_faces* faces);
/* Detects, then looks at each face; the old content of `faces` is replaced. No face is a success with 0 faces and a mask of zeros.
 * `options` may be NULL: defaults. After a failure `faces` is empty. FRT_UNSUPPORTED without a detector. */
FORGE_RT_API frt_status frt_analyzer_analyze(const frt_analyzer* analyzer, const frt_image_view* image, const frt_analyze_options* options,
                                             frt_faces* faces);
/* The same for face boxes of the caller (brows to chin, ear to ear), which must be finite, not empty, and touch the image.
 *   boxes  [count, 4] left, top, right, bottom in pixels */
FORGE_RT_API frt_status frt_analyzer_analyze_boxes(const frt_analyzer* analyzer, const frt_image_view* image, const float* boxes,
                                                   int32_t count, const frt_analyze_options* options, frt_faces* faces);

/* Faces are in the order of falling score, or of the caller's boxes. */
FORGE_RT_API frt_status frt_faces_count(const frt_faces* faces, int32_t* count);
FORGE_RT_API frt_status frt_faces_get(const frt_faces* faces, int32_t index, frt_face* face);
/* Maps of the whole image, as wide and high as it was. `stride` is the bytes from one row to the next. *data is valid until the next call
 * that fills or frees `faces`; width, height and stride may be NULL. FRT_INVALID_ARGUMENT when the map was not computed.
 *   mask        [height, width] class ids, 0 where no face has a class; larger faces lie over smaller ones
 *   confidence  [height, width] probability * 255, 0 outside all crops
 *   depth       [height, width] in frt_analyzer_info::depth_unit, 0 where the mask is 0 */
FORGE_RT_API frt_status frt_faces_mask(const frt_faces* faces, const uint8_t** data, int32_t* width, int32_t* height, int64_t* stride);
FORGE_RT_API frt_status frt_faces_confidence(const frt_faces* faces, const uint8_t** data, int32_t* width, int32_t* height,
                                             int64_t* stride);
FORGE_RT_API frt_status frt_faces_depth(const frt_faces* faces, const float** data, int32_t* width, int32_t* height, int64_t* stride);
FORGE_RT_API frt_status frt_faces_times(const frt_faces* faces, frt_stage_times* times);

typedef struct frt_tracker_options {
  uint32_t struct_size;
  int32_t detect_every; /* images between detections while every known face is held; 1 = each */
  float lost_below; /* a face whose confidence falls below it is looked for again */
  int32_t smooth_landmarks; /* 1: One-Euro filter, with the next three */
  float min_cutoff_hz; /* lower: calmer */
  float beta; /* higher: follows fast motion sooner */
  float derivative_cutoff_hz;
  float smooth_mask; /* 0..0.95: weight of the last image's logits */
  const frt_analyze_options* analyze; /* NULL: defaults. Not needed after the call */
} frt_tracker_options;
#define FRT_TRACKER_OPTIONS_INIT {(uint32_t)sizeof(frt_tracker_options), 15, 0.35f, 1, 1.2f, 6.0f, 1.0f, 0.0f, NULL}

/* Any number of trackers may share an analyzer, which may be freed before them. `options` may be NULL: defaults. */
FORGE_RT_API frt_status frt_tracker_new(const frt_analyzer* analyzer, const frt_tracker_options* options, frt_tracker** tracker);
FORGE_RT_API void frt_tracker_free(frt_tracker* tracker);
/* `time_s`: when the image was taken, in seconds, later than the one before. */
FORGE_RT_API frt_status frt_tracker_update(frt_tracker* tracker, const frt_image_view* image, double time_s, frt_faces* faces);
/* Forgets all faces: a cut, another camera. */
FORGE_RT_API frt_status frt_tracker_reset(frt_tracker* tracker);

#ifdef __cplusplus
}
#endif

#endif /* FORGE_RT_FORGE_RT_H_ */
