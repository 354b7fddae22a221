# The library's sources, by layer. Explicit: a file that is not listed is not built.
set(FORGE_SOURCES
  cpp/backends/backend.cpp
  cpp/backends/onnxruntime.cpp
  cpp/backends/onnxruntime_library.cpp
  cpp/capi/analyzer.cpp
  cpp/capi/forgehead.cpp
  cpp/capi/head.cpp
  cpp/capi/library.cpp
  cpp/capi/rasterize.cpp
  cpp/core/checksum.cpp
  cpp/core/device.cpp
  cpp/core/error.cpp
  cpp/core/isa.cpp
  cpp/core/memory.cpp
  cpp/core/random.cpp
  cpp/core/safetensors.cpp
  cpp/core/scratch.cpp
  cpp/core/sha256.cpp
  cpp/core/sha256_shani.cpp
  cpp/core/tensor.cpp
  cpp/core/thread_pool.cpp
  cpp/core/zip.cpp
  cpp/models/bundle.cpp
  cpp/models/camera.cpp
  cpp/models/camera_sampler.cpp
  cpp/models/faces/contract.cpp
  cpp/models/faces/crop_rule.cpp
  cpp/models/faces/detector.cpp
  cpp/models/faces/face_analyzer.cpp
  cpp/models/faces/face_tracker.cpp
  cpp/models/faces/logits_memory.cpp
  cpp/models/faces/networks.cpp
  cpp/models/faces/paint.cpp
  cpp/models/forge_head/assembly.cpp
  cpp/models/forge_head/capture.cpp
  cpp/models/forge_head/jpeg_loss.cpp
  cpp/models/forge_head/load.cpp
  cpp/models/forge_head/look.cpp
  cpp/models/forge_head/parts.cpp
  cpp/models/forge_head/pixels.cpp
  cpp/models/forge_head/prior.cpp
  cpp/models/forge_head/prior_look.cpp
  cpp/models/forge_head/prior_scene.cpp
  cpp/models/forge_head/render.cpp
  cpp/models/forge_head/strands.cpp
  cpp/models/head.cpp
  cpp/ops/crop_image.cpp
  cpp/ops/crop_image_cpu.cpp
  cpp/ops/decode_faces.cpp
  cpp/ops/deflate.cpp
  cpp/ops/head_lbs.cpp
  cpp/ops/head_lbs_cpu.cpp
  cpp/ops/image_view.cpp
  cpp/ops/interpolate.cpp
  cpp/ops/label_projection.cpp
  cpp/ops/neural_views.cpp
  cpp/ops/png.cpp
  cpp/ops/png_filter.cpp
  cpp/ops/rasterize.cpp
  cpp/ops/registry.cpp
  cpp/ops/sample_texture.cpp
  cpp/ops/rasterize_cpu.cpp
  cpp/ops/unwarp_labels.cpp
  cpp/ops/unwarp_labels_cpu.cpp
  cpp/ops/volume_render.cpp
  cpp/ops/volume_render_cpu.cpp
  cpp/production/tar_writer.cpp
)
if(WIN32)
  list(APPEND FORGE_SOURCES cpp/core/platform_windows.cpp)
else()
  list(APPEND FORGE_SOURCES cpp/core/platform_posix.cpp)
endif()

# Compiled once per instruction set.
set(FORGE_SIMD_SOURCES
  cpp/models/forge_head/pixels_simd.cpp
  cpp/ops/crop_image_simd.cpp
  cpp/ops/head_lbs_simd.cpp
  cpp/ops/png_filter_simd.cpp
  cpp/ops/rasterize_simd.cpp
  cpp/ops/unwarp_labels_simd.cpp
  cpp/ops/volume_render_simd.cpp
)

# Called only after a look at the processor; empty where FORGE_RT_X86_SIMD is not defined.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  set_source_files_properties(cpp/core/sha256_shani.cpp PROPERTIES COMPILE_OPTIONS "-msha;-msse4.1")
endif()

# One op per file.
set(FORGE_CUDA_SOURCES
  cuda/models/forge_head_pixels.cu
  cuda/core/device.cu
  cuda/core/scratch.cu
  cuda/ops/crop_image.cu
  cuda/ops/head_lbs.cu
  cuda/ops/interpolate.cu
  cuda/ops/label_projection.cu
  cuda/ops/random_uniform.cu
  cuda/ops/rasterize.cu
  cuda/ops/sample_texture.cu
  cuda/ops/unwarp_labels.cu
  cuda/ops/volume_render.cu
)
