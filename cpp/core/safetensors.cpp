#include "forge_rt/core/safetensors.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "json.h"
#include "platform.h"

namespace forge_rt {
namespace {

constexpr std::uint64_t kMaxHeader = 100u << 20;  // as the reference reader

DType dtype_from_name(const std::string& name, const std::string& where) {
  static const std::map<std::string, DType> names = {
      {"U8", DType::u8},   {"I8", DType::i8},   {"U16", DType::u16},     {"I16", DType::i16}, {"U32", DType::u32},
      {"I32", DType::i32}, {"U64", DType::u64}, {"I64", DType::i64},     {"F16", DType::f16}, {"BF16", DType::bf16},
      {"F32", DType::f32}, {"F64", DType::f64}, {"BOOL", DType::boolean}};
  const auto found = names.find(name);
  check(found != names.end(), ErrorCode::corrupt_file, where, " has dtype '", name, "', which forge_rt does not read");
  return found->second;
}

}  // namespace

Tensor read_file(const std::string& path) {
  std::error_code code;
  const std::filesystem::path native = platform::native_path(path);
  const bool is_file = std::filesystem::is_regular_file(native, code);
  check(is_file, ErrorCode::not_found, "no file ", path);
  const std::uintmax_t size = std::filesystem::file_size(native, code);
  check(!code, ErrorCode::io, "cannot read the size of ", path, ": ", code.message());
  Tensor out = Tensor::empty({static_cast<std::int64_t>(size)}, DType::u8, {}, "model files");
  std::ifstream file(native, std::ios::binary);
  check(file.is_open(), ErrorCode::io, "cannot open ", path, "; check its permissions");
  file.read(static_cast<char*>(out.mutable_raw()), static_cast<std::streamsize>(size));
  check(static_cast<std::uintmax_t>(file.gcount()) == size, ErrorCode::io, "reading ", path, " stopped after ", file.gcount(), " of ", size,
        " bytes");
  return out;
}

std::map<std::string, Tensor> parse_safetensors(const Tensor& bytes, const std::string& source) {
  expect(bytes, "bytes", "[n]", DType::u8, {kAny});
  const auto corrupt = [&](bool good, const auto&... what) {
    check(good, ErrorCode::corrupt_file, source, " is not a valid safetensors file: ", what...);
  };
  const auto size = static_cast<std::uint64_t>(bytes.count());
  const auto* data = bytes.data<std::uint8_t>();
  corrupt(size >= 8, "it has only ", size, " bytes");
  std::uint64_t header = 0;
  for (int i = 7; i >= 0; --i) header = header << 8 | data[i];
  corrupt(header <= kMaxHeader && header <= size - 8, "its header claims ", header, " bytes, the file has ", size, "; it may be truncated");
  const Json json = parse_json(std::string(reinterpret_cast<const char*>(data) + 8, header), source);
  corrupt(json.is_object(), "its header is not a JSON object");

  const std::uint64_t room = size - 8 - header;
  std::map<std::string, Tensor> out;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") continue;
    corrupt(entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() && entry.contains("shape") &&
                entry["shape"].is_array() && entry.contains("data_offsets") && entry["data_offsets"].is_array() &&
                entry["data_offsets"].size() == 2,
            "entry '", name, "' lacks dtype, shape or data_offsets");
    const DType dtype = dtype_from_name(entry["dtype"].get<std::string>(), source + ": '" + name + "'");
    Shape shape;
    std::uint64_t count = 1, extent = 1;  // extent: with empty axes taken as 1
    for (const Json& n : entry["shape"]) {
      corrupt(n.is_number_unsigned(), "entry '", name, "' has a bad shape");
      const auto length = n.get<std::uint64_t>();
      corrupt(length < (std::uint64_t{1} << 40) && (length == 0 || extent < (std::uint64_t{1} << 48) / length), "entry '", name,
              "' is too large");
      count *= length;
      extent *= std::max<std::uint64_t>(length, 1);
      shape.push_back(static_cast<std::int64_t>(length));
    }
    corrupt(entry["data_offsets"][0].is_number_unsigned() && entry["data_offsets"][1].is_number_unsigned(), "entry '", name,
            "' has bad offsets");
    const auto begin = entry["data_offsets"][0].get<std::uint64_t>(), end = entry["data_offsets"][1].get<std::uint64_t>();
    corrupt(begin <= end && end <= room, "entry '", name, "' lies outside the file (", begin, "..", end, " of ", room,
            "); it may be truncated");
    corrupt(end - begin == count * dtype_size(dtype), "entry '", name, "' has ", end - begin, " bytes, its shape needs ",
            count * dtype_size(dtype));
    ranges.emplace_back(begin, end);
    void* start = const_cast<std::uint8_t*>(data) + 8 + header + begin;
    const Tensor view = Tensor::borrow(start, shape, dtype, {}, std::make_shared<Tensor>(bytes), true);
    if (reinterpret_cast<std::uintptr_t>(start) % dtype_size(dtype) == 0) {
      out.emplace(name, view);
    } else {
      Tensor copy = Tensor::empty(shape, dtype, {}, "model files");
      if (view.bytes() > 0) std::memcpy(copy.mutable_raw(), start, view.bytes());
      out.emplace(name, std::move(copy));
    }
  }
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t covered = 0;
  for (const auto& [begin, end] : ranges) {
    corrupt(begin == covered, "its tensors overlap or leave a gap at byte ", covered);
    covered = end;
  }
  corrupt(covered == room, "its tensors end at byte ", covered, " of ", room);
  return out;
}

}  // namespace forge_rt
