// What all functions of the C ABI share: no exception leaves, structs grow, pointers are checked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <exception>
#include <vector>

#include "forge_rt/core/error.h"
#include "forge_rt/core/tensor.h"
#include "forge_rt/forge_rt.h"

namespace forge_rt {
struct LabelInfo;
}

namespace forge_rt::capi {

/// Stores the sentence of the exception in flight for frt_last_error() and returns its code. Allocates nothing.
frt_status record_failure() noexcept;

/// Runs `body` and turns whatever it throws into a status.
template <class Body>
frt_status guarded(const Body& body) noexcept {
  try {
    body();
    return FRT_OK;
  } catch (...) {
    return record_failure();
  }
}

template <class T>
void check_pointer(const T* pointer, const char* name) {
  check_argument(pointer != nullptr, name, " is NULL; pass a valid pointer");
}

constexpr std::uint32_t kLargestStruct = 4096;  // no struct of ours grows past this: a larger size is memory nobody initialised

/// Checks the struct_size that the caller wrote. Version 1 of the ABI is the smallest there is: `first` bytes.
template <class T>
void check_struct(const T* given, const char* name, const char* init, std::uint32_t first) {
  check_argument(given != nullptr, name, " is NULL; pass a struct initialised with ", init);
  check_argument(given->struct_size >= first && given->struct_size <= kLargestStruct, name, ".struct_size is ", given->struct_size,
                 ", expected at least ", first, "; initialise the struct with ", init);
}

/// Defaults of each struct that is read.
inline frt_head_parameters init_of(const frt_head_parameters*) { return FRT_HEAD_PARAMETERS_INIT; }
inline frt_raster_options init_of(const frt_raster_options*) { return FRT_RASTER_OPTIONS_INIT; }
inline frt_raster_mesh init_of(const frt_raster_mesh*) { return FRT_RASTER_MESH_INIT; }
inline frt_raster_output init_of(const frt_raster_output*) { return FRT_RASTER_OUTPUT_INIT; }
inline frt_orbit init_of(const frt_orbit*) { return FRT_ORBIT_INIT; }
inline frt_render_options init_of(const frt_render_options*) { return FRT_RENDER_OPTIONS_INIT; }
inline frt_face_image init_of(const frt_face_image*) { return FRT_FACE_IMAGE_INIT; }
inline frt_image_view init_of(const frt_image_view*) { return FRT_IMAGE_VIEW_INIT; }
inline frt_analyzer_options init_of(const frt_analyzer_options*) { return FRT_ANALYZER_OPTIONS_INIT; }
inline frt_analyze_options init_of(const frt_analyze_options*) { return FRT_ANALYZE_OPTIONS_INIT; }
inline frt_tracker_options init_of(const frt_tracker_options*) { return FRT_TRACKER_OPTIONS_INIT; }

/// The caller's struct as this version knows it. Members that a newer program appended must be zero here: they cannot be honoured.
template <class T>
T read_struct(const T* given, const char* name, const char* init, std::uint32_t first = sizeof(T)) {
  check_struct(given, name, init, first);
  T known = init_of(given);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  std::memcpy(&known, bytes, std::min<std::size_t>(given->struct_size, sizeof(T)));
  for (std::size_t i = sizeof(T); i < given->struct_size; ++i)
    check(bytes[i] == 0, ErrorCode::unsupported, name, " uses a member that forge_rt ", FORGE_RT_VERSION_STRING,
          " does not have; update the library");
  return known;
}

/// `reserved` members may get a meaning: a program that sets one counts on it.
inline void check_reserved(std::int32_t value, const char* name) {
  check(value == 0, ErrorCode::unsupported, name, " is ", value, ", and forge_rt ", FORGE_RT_VERSION_STRING,
        " has no use for it; set it to 0 or update the library");
}

/// Fills the caller's struct as far as it reaches; struct_size stays.
template <class T>
void write_struct(T* target, T value, const char* name, const char* init, std::uint32_t first = sizeof(T)) {
  check_struct(target, name, init, first);
  value.struct_size = target->struct_size;
  std::memcpy(target, &value, std::min<std::size_t>(target->struct_size, sizeof(T)));
}

/// A read-only view of the caller's array; undefined for NULL.
template <class T>
Tensor input(const T* data, Shape shape) {
  if (data == nullptr) return {};
  return Tensor::borrow(const_cast<T*>(data), std::move(shape), dtype_of<T>(), {}, nullptr, true);
}

/// The caller's array to write into; undefined for NULL.
template <class T>
Tensor output(T* data, Shape shape) {
  if (data == nullptr) return {};
  return Tensor::borrow(data, std::move(shape), dtype_of<T>());
}

/// Copies a result out. NULL: not wanted.
template <class T>
void copy_out(const Tensor& source, T* target) {
  if (target != nullptr && source.defined()) std::copy_n(source.data<T>(), source.count(), target);
}

/// Row of a label table. In forgehead.cpp.
void give_label(const std::vector<LabelInfo>& labels, std::int32_t row, frt_label_info* info);

}  // namespace forge_rt::capi
