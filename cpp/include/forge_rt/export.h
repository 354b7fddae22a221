// Symbol visibility of the shared library.
#pragma once
#if defined(_WIN32)
#if defined(FORGE_RT_BUILDING)
#define FORGE_RT_API __declspec(dllexport)
#else
#define FORGE_RT_API __declspec(dllimport)
#endif
#else
#define FORGE_RT_API __attribute__((visibility("default")))
#endif
