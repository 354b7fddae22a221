#include "forge_rt/core/tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "half.h"

namespace forge_rt {
namespace {

// Of a shape that count_of() accepted.
Shape contiguous_strides(const Shape& shape) {
  Shape strides(shape.size());
  std::int64_t step = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = step;
    step *= std::max<std::int64_t>(shape[axis], 1);
  }
  return strides;
}

std::int64_t count_of(const Shape& shape) {
  std::int64_t count = 1, extent = 1;  // extent: with empty axes taken as 1, as strides do
  for (const std::int64_t n : shape) {
    check_argument(n >= 0, "a tensor axis cannot be negative: ", shape_str(shape));
    check_argument(n == 0 || extent <= std::numeric_limits<std::int64_t>::max() / 16 / n, "tensor is too large: ", shape_str(shape));
    extent *= std::max<std::int64_t>(n, 1);
    count *= n;
  }
  return count;
}

template <class T>
T read_as(DType dtype, const void* data, std::int64_t i) {
  switch (dtype) {
    case DType::u8: return static_cast<T>(static_cast<const std::uint8_t*>(data)[i]);
    case DType::boolean: return static_cast<T>(static_cast<const std::uint8_t*>(data)[i] != 0);
    case DType::i8: return static_cast<T>(static_cast<const std::int8_t*>(data)[i]);
    case DType::u16: return static_cast<T>(static_cast<const std::uint16_t*>(data)[i]);
    case DType::i16: return static_cast<T>(static_cast<const std::int16_t*>(data)[i]);
    case DType::u32: return static_cast<T>(static_cast<const std::uint32_t*>(data)[i]);
    case DType::i32: return static_cast<T>(static_cast<const std::int32_t*>(data)[i]);
    case DType::u64: return static_cast<T>(static_cast<const std::uint64_t*>(data)[i]);
    case DType::i64: return static_cast<T>(static_cast<const std::int64_t*>(data)[i]);
    case DType::f16: return static_cast<T>(half_to_float(static_cast<const std::uint16_t*>(data)[i]));
    case DType::bf16: return static_cast<T>(bfloat16_to_float(static_cast<const std::uint16_t*>(data)[i]));
    case DType::f32: return static_cast<T>(static_cast<const float*>(data)[i]);
    case DType::f64: return static_cast<T>(static_cast<const double*>(data)[i]);
  }
  throw Error(ErrorCode::internal, "unknown dtype");
}

template <class T>
Tensor convert(const Tensor& source) {
  if (source.dtype() == dtype_of<T>()) return source.contiguous();
  check_argument(source.device().is_cpu(), "dtype conversion works on CPU tensors, got ", source.str());
  const Tensor dense = source.contiguous();
  Tensor out = Tensor::empty(source.shape(), dtype_of<T>());
  T* values = out.template mutable_data<T>();
  for (std::int64_t i = 0; i < dense.count(); ++i) values[i] = read_as<T>(dense.dtype(), dense.raw(), i);
  return out;
}

}  // namespace

std::size_t dtype_size(DType dtype) {
  switch (dtype) {
    case DType::u8:
    case DType::i8:
    case DType::boolean: return 1;
    case DType::u16:
    case DType::i16:
    case DType::f16:
    case DType::bf16: return 2;
    case DType::u32:
    case DType::i32:
    case DType::f32: return 4;
    case DType::u64:
    case DType::i64:
    case DType::f64: return 8;
  }
  return 0;
}

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::u8: return "uint8";
    case DType::i8: return "int8";
    case DType::u16: return "uint16";
    case DType::i16: return "int16";
    case DType::u32: return "uint32";
    case DType::i32: return "int32";
    case DType::u64: return "uint64";
    case DType::i64: return "int64";
    case DType::f16: return "float16";
    case DType::bf16: return "bfloat16";
    case DType::f32: return "float32";
    case DType::f64: return "float64";
    case DType::boolean: return "bool";
  }
  return "unknown";
}

std::string shape_str(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return text + "]";
}

Tensor Tensor::empty(Shape shape, DType dtype, Device device, const char* purpose) {
  Tensor out;
  out.storage_ = Storage::allocate(device, static_cast<std::size_t>(count_of(shape)) * dtype_size(dtype), purpose);
  out.strides_ = contiguous_strides(shape);
  out.data_ = out.storage_->data();
  out.shape_ = std::move(shape);
  out.dtype_ = dtype;
  return out;
}

Tensor Tensor::zeros(Shape shape, DType dtype, Device device, const char* purpose) {
  Tensor out = empty(std::move(shape), dtype, device, purpose);
  if (out.bytes() == 0) return out;
  if (device.is_cpu()) {
    std::memset(out.data_, 0, out.bytes());
  } else {
    cuda_device_api().fill_zero(device.index, out.data_, out.bytes(), nullptr);
    synchronize({device, nullptr});
  }
  return out;
}

Tensor Tensor::borrow(void* data, Shape shape, DType dtype, Device device, std::shared_ptr<void> keep_alive, bool read_only) {
  count_of(shape);  // refuses what strides cannot hold
  Shape strides = contiguous_strides(shape);
  return borrow_strided(data, std::move(shape), std::move(strides), dtype, device, std::move(keep_alive), read_only);
}

Tensor Tensor::borrow_strided(void* data, Shape shape, Shape strides, DType dtype, Device device, std::shared_ptr<void> keep_alive,
                              bool read_only) {
  check_argument(shape.size() == strides.size(), "shape and strides differ in rank");
  Tensor out;
  out.storage_ = Storage::borrow(device, data, static_cast<std::size_t>(count_of(shape)) * dtype_size(dtype), std::move(keep_alive));
  out.data_ = data;
  out.shape_ = std::move(shape);
  out.strides_ = std::move(strides);
  out.dtype_ = dtype;
  out.read_only_ = read_only;
  return out;
}

std::int64_t Tensor::count() const {
  std::int64_t count = 1;
  for (const std::int64_t n : shape_) count *= n;
  return count;
}

bool Tensor::is_contiguous() const {
  if (count() == 0) return true;  // NumPy gives empty arrays arbitrary strides
  std::int64_t step = 1;
  for (std::size_t axis = shape_.size(); axis-- > 0;) {
    if (shape_[axis] != 1 && strides_[axis] != step) return false;
    step *= shape_[axis];
  }
  return true;
}

void Tensor::throw_dtype(DType asked) const {
  throw Error(ErrorCode::invalid_argument, concat("tensor holds ", dtype_name(dtype_), ", asked for ", dtype_name(asked)));
}

void* Tensor::mutable_raw() {
  check_argument(!read_only_, "tensor is a read-only view of somebody else's memory; clone() it to write");
  return data_;
}

Tensor Tensor::reshape(Shape shape) const {
  check_argument(is_contiguous(), "reshape needs a contiguous tensor");
  check_argument(count_of(shape) == count(), "cannot reshape ", shape_str(shape_), " to ", shape_str(shape));
  Tensor out = *this;
  out.strides_ = contiguous_strides(shape);
  out.shape_ = std::move(shape);
  return out;
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  check_argument(rank() >= 1 && begin >= 0 && begin <= end && end <= shape_[0], "slice [", begin, ", ", end, ") of ", shape_str(shape_));
  Tensor out = *this;
  out.data_ = static_cast<char*>(data_) + begin * strides_[0] * static_cast<std::int64_t>(dtype_size(dtype_));
  out.shape_[0] = end - begin;
  return out;
}

Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  check_argument(device().is_cpu(), "a strided tensor on ", device().str(), " must be made contiguous by its owner");
  Tensor out = empty(shape_, dtype_, {}, "contiguous copy");
  const std::size_t item = dtype_size(dtype_);
  const int last = rank() - 1;
  std::vector<std::int64_t> position(rank(), 0);
  char* target = static_cast<char*>(out.data_);
  for (;;) {
    const char* row = static_cast<const char*>(data_);
    for (int axis = 0; axis < last; ++axis) row += position[axis] * strides_[axis] * static_cast<std::int64_t>(item);
    for (std::int64_t i = 0; i < shape_[last]; ++i, target += item)
      std::memcpy(target, row + i * strides_[last] * static_cast<std::int64_t>(item), item);
    int axis = last - 1;
    while (axis >= 0 && ++position[axis] == shape_[axis]) position[axis--] = 0;
    if (axis < 0) return out;
  }
}

Tensor Tensor::to(Device device, Stream stream) const {
  const Tensor dense = contiguous();
  Tensor out = empty(shape_, dtype_, device, "copy");
  copy_bytes(out.data_, device, dense.data_, dense.device(), dense.bytes(), stream);
  return out;
}

Tensor Tensor::to_f32() const { return convert<float>(*this); }
Tensor Tensor::to_i32() const { return convert<std::int32_t>(*this); }

std::string Tensor::str() const {
  return defined() ? concat(dtype_name(dtype_), " ", shape_str(shape_), " on ", device().str()) : "undefined tensor";
}

void expect(const Tensor& tensor, const char* name, const char* axes, DType dtype, std::initializer_list<std::int64_t> shape) {
  bool fits = tensor.defined() && tensor.dtype() == dtype && tensor.rank() == static_cast<int>(shape.size());
  if (fits) {
    int axis = 0;
    for (const std::int64_t n : shape) {
      fits &= n == kAny || n == tensor.size(axis);
      ++axis;
    }
  }
  if (!fits)  // the text costs allocations, and ops are called for each frame of a video
    throw Error(ErrorCode::invalid_argument,
                concat(name, " must be ", axes, " ", dtype_name(dtype), ", got ",
                       tensor.defined() ? concat(shape_str(tensor.shape()), " ", dtype_name(tensor.dtype())) : "nothing"));
  check_argument(tensor.is_contiguous(), name, " must be contiguous; pass a contiguous copy");
}

}  // namespace forge_rt
