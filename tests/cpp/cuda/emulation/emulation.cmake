# Adds the CUDA kernels to a CPU-only build, run by the CPU (cuda_runtime_api.h in this folder says why). From the repository root:
#   cmake -S . -B build/emulation -DFORGE_CUDA=OFF -DFORGE_BUILD_PYTHON=ON -DFORGE_BUILD_TESTS=OFF \
#         -DCMAKE_PROJECT_forge_rt_INCLUDE=$PWD/tests/cpp/cuda/emulation/emulation.cmake
#   cmake --build build/emulation && python -S tests/cpp/cuda/emulation/run_tests.py build/emulation
set(FORGE_EMULATION ${CMAKE_CURRENT_LIST_DIR})

function(forge_add_emulation)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  set(folder ${CMAKE_BINARY_DIR}/emulation)
  set(generated)
  set(kernels)
  foreach(source ${FORGE_CUDA_SOURCES})
    get_filename_component(name ${source} NAME_WE)
    list(APPEND kernels ${CMAKE_SOURCE_DIR}/${source})
    list(APPEND generated ${folder}/${name}.cu.cpp)
  endforeach()
  add_custom_command(OUTPUT ${generated} COMMAND ${Python3_EXECUTABLE} ${FORGE_EMULATION}/translate.py ${folder} ${kernels}
    DEPENDS ${kernels} ${FORGE_EMULATION}/translate.py)
  target_sources(forge_rt PRIVATE ${generated} ${FORGE_EMULATION}/fake_runtime.cpp)
  set_source_files_properties(${generated} PROPERTIES COMPILE_OPTIONS "-Wno-unknown-pragmas;-Wno-sign-compare")
  target_include_directories(forge_rt PRIVATE ${FORGE_EMULATION})
endfunction()
cmake_language(DEFER CALL forge_add_emulation)
