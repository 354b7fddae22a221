// A typed, shaped view of device memory. Cheap to copy: copies share storage.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "forge_rt/core/device.h"
#include "forge_rt/core/error.h"
#include "forge_rt/core/memory.h"
#include "forge_rt/export.h"

namespace forge_rt {

enum class DType : std::uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64, boolean };

FORGE_RT_API std::size_t dtype_size(DType dtype);
FORGE_RT_API const char* dtype_name(DType dtype);  ///< NumPy's name: "uint8", "float32", …

template <class T>
constexpr DType dtype_of();
template <> constexpr DType dtype_of<std::uint8_t>() { return DType::u8; }
template <> constexpr DType dtype_of<std::int8_t>() { return DType::i8; }
template <> constexpr DType dtype_of<std::uint16_t>() { return DType::u16; }
template <> constexpr DType dtype_of<std::int16_t>() { return DType::i16; }
template <> constexpr DType dtype_of<std::uint32_t>() { return DType::u32; }
template <> constexpr DType dtype_of<std::int32_t>() { return DType::i32; }
template <> constexpr DType dtype_of<std::uint64_t>() { return DType::u64; }
template <> constexpr DType dtype_of<std::int64_t>() { return DType::i64; }
template <> constexpr DType dtype_of<float>() { return DType::f32; }
template <> constexpr DType dtype_of<double>() { return DType::f64; }
template <> constexpr DType dtype_of<bool>() { return DType::boolean; }

using Shape = std::vector<std::int64_t>;
FORGE_RT_API std::string shape_str(std::span<const std::int64_t> shape);  ///< "[2, 512, 512]"

class FORGE_RT_API Tensor {
 public:
  Tensor() = default;  ///< "no tensor": defined() is false

  /// New contiguous memory, uninitialised. `purpose` names it in memory_report().
  static Tensor empty(Shape shape, DType dtype, Device device = {}, const char* purpose = "tensor");
  static Tensor zeros(Shape shape, DType dtype, Device device = {}, const char* purpose = "tensor");
  /// Contiguous view of memory owned elsewhere; `keep_alive` is held as long as the view lives.
  static Tensor borrow(void* data, Shape shape, DType dtype, Device device = {}, std::shared_ptr<void> keep_alive = nullptr,
                       bool read_only = false);
  /// Strided view (strides in elements), same rules.
  static Tensor borrow_strided(void* data, Shape shape, Shape strides, DType dtype, Device device, std::shared_ptr<void> keep_alive,
                               bool read_only);
  /// Copies host values into a new CPU tensor.
  template <class T>
  static Tensor from(const std::vector<T>& values, Shape shape);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }  ///< in elements
  std::int64_t size(int axis) const { return shape_.at(axis < 0 ? shape_.size() + axis : axis); }
  int rank() const { return static_cast<int>(shape_.size()); }
  std::int64_t count() const;                         ///< number of elements
  std::size_t bytes() const { return static_cast<std::size_t>(count()) * dtype_size(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device{}; }
  bool read_only() const { return read_only_; }
  bool is_contiguous() const;

  const void* raw() const { return data_; }
  void* mutable_raw();                                ///< throws invalid_argument on a read-only view
  /// Typed pointer; throws when T is not the dtype.
  template <class T>
  const T* data() const {
    if (dtype_of<T>() != dtype_) throw_dtype(dtype_of<T>());
    return static_cast<const T*>(data_);
  }
  template <class T>
  T* mutable_data() {
    if (dtype_of<T>() != dtype_) throw_dtype(dtype_of<T>());
    return static_cast<T*>(mutable_raw());
  }

  /// Same memory, other shape (equal element count, contiguous only).
  Tensor reshape(Shape shape) const;
  /// Rows [begin, end) of axis 0, sharing memory.
  Tensor slice(std::int64_t begin, std::int64_t end) const;
  /// This tensor if contiguous, else a contiguous copy (CPU only for strided sources).
  Tensor contiguous() const;
  /// A copy on `device`, finished on return unless both sides are on the GPU. Always copies.
  Tensor to(Device device, Stream stream = {}) const;
  Tensor clone() const { return to(device()); }
  /// Element-wise conversion to f32 / i32 (CPU, contiguous result; this tensor itself when it already is).
  Tensor to_f32() const;
  Tensor to_i32() const;

  std::string str() const;                            ///< "float32 [2, 3] on cpu"

 private:
  [[noreturn]] void throw_dtype(DType asked) const;

  std::shared_ptr<Storage> storage_;
  void* data_ = nullptr;
  Shape shape_, strides_;
  DType dtype_ = DType::f32;
  bool read_only_ = false;
};

template <class T>
Tensor Tensor::from(const std::vector<T>& values, Shape shape) {
  Tensor out = empty(std::move(shape), dtype_of<T>());
  check_argument(out.count() == static_cast<std::int64_t>(values.size()), "shape ", shape_str(out.shape()), " needs ", out.count(),
                 " values, got ", values.size());
  std::copy(values.begin(), values.end(), out.mutable_data<T>());
  return out;
}

/// Wildcard axis for `expect`.
inline constexpr std::int64_t kAny = -1;

/// Checks dtype, rank, fixed axes and contiguity of an op's input. The error reads
/// `planes must be [B, 3, 32, H, W] float32, got [1, 96, 256, 256] float16`.
FORGE_RT_API void expect(const Tensor& tensor, const char* name, const char* axes, DType dtype, std::initializer_list<std::int64_t> shape);

struct ImageSize {
  int height = 512;
  int width = 512;
  bool operator==(const ImageSize&) const = default;
};

}  // namespace forge_rt
