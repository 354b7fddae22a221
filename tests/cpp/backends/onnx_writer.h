// Writes small ONNX files (https://onnx.ai/onnx/repo-docs/IR.html): the few messages of its protocol-buffer schema that tests need.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "forge_rt/core/tensor.h"

namespace forge_rt::testing::onnx {

inline std::string varint(std::uint64_t n) {
  std::string out;
  for (; n > 127; n >>= 7) out += static_cast<char>(n | 128);
  return out + static_cast<char>(n);
}
inline std::string number(int field, std::uint64_t value) { return varint(static_cast<std::uint64_t>(field) << 3) + varint(value); }
inline std::string bytes(int field, const std::string& value) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(value.size()) + value;
}

/// The numbers of TensorProto.DataType.
enum ElementType { kFloat = 1, kUint8 = 2, kInt64 = 7, kString = 8, kHalf = 10 };

/// ValueInfoProto; -1 is the free axis "n".
inline std::string value_info(const std::string& name, int type, const std::vector<int>& shape) {
  std::string axes;
  for (const int n : shape) axes += bytes(1, n < 0 ? bytes(2, "n") : number(1, static_cast<std::uint64_t>(n)));
  return bytes(1, name) + bytes(2, bytes(1, number(1, static_cast<std::uint64_t>(type)) + bytes(2, axes)));
}
inline std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs) {
  std::string out;
  for (const std::string& name : inputs) out += bytes(1, name);
  for (const std::string& name : outputs) out += bytes(2, name);
  return out + bytes(4, op);
}
template <class T>
std::string constant_of(int type, const std::string& name, const std::vector<int>& shape, const std::vector<T>& values) {
  std::string out;
  for (const int n : shape) out += number(1, static_cast<std::uint64_t>(n));
  const std::string raw(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return out + number(2, static_cast<std::uint64_t>(type)) + bytes(8, name) + bytes(9, raw);
}
inline std::string constant(const std::string& name, const std::vector<int>& shape, const std::vector<float>& values) {
  return constant_of(kFloat, name, shape, values);
}
inline std::string integers(const std::string& name, const std::vector<std::int64_t>& values) {  // one axis
  return constant_of(kInt64, name, {static_cast<int>(values.size())}, values);
}

struct Graph {
  std::vector<std::string> nodes, constants, inputs, outputs;
};
/// The file, opset 13, as Session::load takes it.
inline Tensor model(const Graph& graph) {
  std::string g;
  for (const std::string& n : graph.nodes) g += bytes(1, n);
  g += bytes(2, "test");
  for (const std::string& c : graph.constants) g += bytes(5, c);
  for (const std::string& i : graph.inputs) g += bytes(11, i);
  for (const std::string& o : graph.outputs) g += bytes(12, o);
  const std::string file = number(1, 8) + bytes(8, number(2, 13)) + bytes(7, g);
  return Tensor::from(std::vector<std::uint8_t>(file.begin(), file.end()), {static_cast<std::int64_t>(file.size())});
}

/// y [n, 2] = x [n, 3] · weight + bias
inline Tensor affine() {
  return model({{node("MatMul", {"x", "weight"}, {"product"}), node("Add", {"product", "bias"}, {"y"})},
                {constant("weight", {3, 2}, {1, 2, 3, 4, 5, 6}), constant("bias", {2}, {10, 20})},
                {value_info("x", kFloat, {-1, 3})},
                {value_info("y", kFloat, {-1, 2})}});
}

}  // namespace forge_rt::testing::onnx
