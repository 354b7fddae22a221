// The one version of forge_rt: CMake, the Python package and the C ABI all read this file.
#pragma once
#define FORGE_RT_VERSION_STRING "0.1.0"
#define FORGE_RT_VERSION_MAJOR 0
#define FORGE_RT_VERSION_MINOR 1
#define FORGE_RT_VERSION_PATCH 0
