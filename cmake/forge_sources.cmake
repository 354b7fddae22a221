# The library's sources, by layer. Explicit: a file that is not listed is not built.
set(FORGE_SOURCES
  cpp/core/device.cpp
  cpp/core/error.cpp
  cpp/core/isa.cpp
  cpp/core/memory.cpp
  cpp/core/random.cpp
  cpp/core/scratch.cpp
  cpp/core/tensor.cpp
  cpp/core/thread_pool.cpp
  cpp/ops/head_lbs.cpp
  cpp/ops/head_lbs_cpu.cpp
  cpp/ops/rasterize.cpp
  cpp/ops/registry.cpp
  cpp/ops/rasterize_cpu.cpp
)
if(WIN32)
  list(APPEND FORGE_SOURCES cpp/core/platform_windows.cpp)
else()
  list(APPEND FORGE_SOURCES cpp/core/platform_posix.cpp)
endif()

# Compiled once per instruction set.
set(FORGE_SIMD_SOURCES
  cpp/ops/head_lbs_simd.cpp
  cpp/ops/rasterize_simd.cpp
)

# One op per file.
set(FORGE_CUDA_SOURCES
)
