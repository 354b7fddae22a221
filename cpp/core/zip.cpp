#include "zip.h"

#include <algorithm>
#include <cstdint>

#include "checksum.h"
#include "forge_rt/core/error.h"

namespace forge_rt {
namespace {

// APPNOTE.TXT 4.3: records begin with a signature, numbers are little-endian.
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kMaxComment = 65535;

std::uint32_t u16(const std::uint8_t* p) { return p[0] | std::uint32_t{p[1]} << 8; }
std::uint32_t u32(const std::uint8_t* p) { return u16(p) | u16(p + 2) << 16; }

bool safe_name(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.find('\\') != std::string::npos || name.find('\0') != std::string::npos) return false;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    if (part == ".." || part == "." || (part.empty() && end != name.size())) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

bool looks_like_zip(const Tensor& bytes) {
  return bytes.count() >= 4 && (u32(bytes.data<std::uint8_t>()) == kLocal || u32(bytes.data<std::uint8_t>()) == kEnd);
}

std::map<std::string, Tensor> read_zip(const Tensor& bytes, const std::string& source) {
  const auto corrupt = [&](bool good, const auto&... what) {
    check(good, ErrorCode::corrupt_file, source, " is not a valid zip archive: ", what...);
  };
  const auto unsupported = [&](bool good, const auto&... what) {
    check(good, ErrorCode::unsupported, source, " is ", what..., "; pack it again without compression (zip -0 -r)");
  };
  const std::uint8_t* data = bytes.data<std::uint8_t>();
  const auto size = static_cast<std::size_t>(bytes.count());
  corrupt(size >= kEndBytes, "it has only ", size, " bytes");

  // The end record lies before a comment of unknown length.
  std::size_t end = size - kEndBytes;
  const std::size_t least = end > kMaxComment ? end - kMaxComment : 0;
  while (end > least && !(u32(data + end) == kEnd && end + kEndBytes + u16(data + end + 20) == size)) --end;
  corrupt(u32(data + end) == kEnd && end + kEndBytes + u16(data + end + 20) == size, "it has no end record; it may be truncated");
  unsupported(u16(data + end + 4) == 0 && u16(data + end + 6) == 0, "split over several files");
  const std::size_t entries = u16(data + end + 10);
  const std::size_t length = u32(data + end + 12), start = u32(data + end + 16);
  unsupported(entries != 0xFFFF && length != 0xFFFFFFFF && start != 0xFFFFFFFF, "a zip64 archive");
  corrupt(start <= end && length <= end - start, "its directory lies outside of it");

  std::map<std::string, Tensor> out;
  std::size_t at = start;
  for (std::size_t i = 0; i < entries; ++i) {
    corrupt(start + length - at >= kCentralBytes && u32(data + at) == kCentral, "entry ", i, " of its directory is damaged");
    const std::uint8_t* entry = data + at;
    const std::size_t name_bytes = u16(entry + 28), extra = u16(entry + 30), comment = u16(entry + 32);
    corrupt(start + length - at - kCentralBytes >= name_bytes + extra + comment, "entry ", i, " of its directory is damaged");
    const std::string name(reinterpret_cast<const char*>(entry) + kCentralBytes, name_bytes);
    corrupt(safe_name(name), "it names a file outside of it: ", name);
    unsupported((u16(entry + 8) & 1) == 0, "encrypted");
    unsupported(u16(entry + 10) == 0, "compressed (", name, ")");
    const std::size_t bytes_here = u32(entry + 20), local = u32(entry + 42);
    unsupported(bytes_here != 0xFFFFFFFF && local != 0xFFFFFFFF, "a zip64 archive");
    corrupt(u32(entry + 24) == bytes_here, "the sizes of ", name, " differ");
    corrupt(local <= start && start - local >= kLocalBytes && u32(data + local) == kLocal, "the header of ", name, " is damaged");
    const std::size_t begin = local + kLocalBytes + u16(data + local + 26) + u16(data + local + 28);
    corrupt(begin <= start && bytes_here <= start - begin, name, " lies outside of it");
    corrupt(crc32(data + begin, bytes_here) == u32(entry + 16), "the checksum of ", name, " is wrong; it was edited or damaged");
    at += kCentralBytes + name_bytes + extra + comment;
    if (name.back() == '/') continue;
    const auto first = static_cast<std::int64_t>(begin), last = static_cast<std::int64_t>(begin + bytes_here);
    corrupt(out.emplace(name, bytes.slice(first, last)).second, "it holds ", name, " twice");
  }
  return out;
}

}  // namespace forge_rt
