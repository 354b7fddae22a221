# Compilers, launchers, sanitizers and install folders.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

include(GNUInstallDirs)
if(SKBUILD)  # inside a wheel everything lives under the package
  set(CMAKE_INSTALL_LIBDIR forge_rt/lib)
  set(CMAKE_INSTALL_INCLUDEDIR forge_rt/include)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

# Flags of code that is ours. No FMA contraction: results must not depend on what the compiler fuses (docs/design/core.md).
function(forge_own_code target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANG_AND_ID:CXX,GNU,Clang>:-Wall -Wextra -Wpedantic -ffp-contract=off $<$<BOOL:${FORGE_WERROR}>:-Werror>>
    $<$<COMPILE_LANGUAGE:CUDA>:--fmad=false -Xcompiler=-Wall,-Wextra>)
  if(MINGW)
    # Programs bring none of the compiler's libraries along: ours are inside. Only the import libraries of the system stay shared.
    target_link_options(${target} PRIVATE -static)
  endif()
  if(FORGE_SANITIZE)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${FORGE_SANITIZE} -fno-omit-frame-pointer -g>)
    target_link_options(${target} PRIVATE -fsanitize=${FORGE_SANITIZE})
  endif()
endfunction()

# Compiles each source once per instruction set (FORGE_RT_SIMD_NAMESPACE = avx2, avx512) into `target`.
# Run-time dispatch picks one (cpp/ops/dispatch.h); other processors get the scalar twins.
function(forge_add_simd target)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" OR NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
    return()
  endif()
  target_compile_definitions(${target} PRIVATE FORGE_RT_X86_SIMD)
  set(flags_avx2 -mavx2 -mfma -mf16c)
  set(flags_avx512 -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512)
  foreach(isa avx2 avx512)
    add_library(${target}_${isa} OBJECT ${ARGN})
    target_include_directories(${target}_${isa} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/cpp/include ${CMAKE_CURRENT_SOURCE_DIR}/cpp)
    target_compile_features(${target}_${isa} PRIVATE cxx_std_20)
    target_compile_definitions(${target}_${isa} PRIVATE FORGE_RT_SIMD_NAMESPACE=${isa} FORGE_RT_BUILDING)
    target_compile_options(${target}_${isa} PRIVATE ${flags_${isa}})
    if(MINGW)  # its stack is aligned to 16 bytes, GCC assumes 32 and 64 for vectors (bug 54412): no aligned moves (docs/design/build.md)
      target_compile_options(${target}_${isa} PRIVATE -Wa,-muse-unaligned-vector-move)
    endif()
    forge_own_code(${target}_${isa})
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${isa}>)
  endforeach()
endfunction()
