#include "forge_rt/ops/png.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "core/checksum.h"
#include "core/scratch.h"
#include "ops/deflate.h"
#include "ops/png_filter.h"

namespace forge_rt {
namespace {

using Byte = std::uint8_t;

constexpr Byte kSignature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t kChunkHead = 8, kChunkTail = 4;  // length and type; CRC
constexpr Byte kZlibHeader[] = {0x78, 0x01};
// Filtered bytes of one IDAT chunk and deflate block: fits the second-level cache, and a code for each block follows the picture.
constexpr std::size_t kBlockBytes = 128 << 10;
// Rows that are looked at before the filters are chosen.
constexpr std::size_t kSampledRows = 16;
// Below one change in so many bytes, runs make up the file rather than literals.
constexpr std::size_t kFlatBytesPerChange = 8;

constexpr Byte kGrey = 0, kRgb = 2, kRgba = 6;  // colour types

struct Layout {
  std::size_t height, width, channels, sample_bytes;
  std::size_t pixel_bytes() const { return channels * sample_bytes; }
  std::size_t row_bytes() const { return width * pixel_bytes(); }
};

Layout check_image(const Tensor& image) {
  const auto limit = std::numeric_limits<std::int32_t>::max();
  const int rank = image.rank();
  const std::int64_t channels = rank == 3 ? image.size(2) : 1;
  const bool good = image.defined() && (rank == 2 || rank == 3) && (channels == 1 || channels == 3 || channels == 4) &&
                    (image.dtype() == DType::u8 || image.dtype() == DType::u16) && image.device().is_cpu() && image.size(0) >= 1 &&
                    image.size(1) >= 1 && image.size(0) <= limit && image.size(1) <= limit;
  check_argument(good, "image must be [H, W] or [H, W, C] uint8 or uint16 on the CPU with C 1, 3 or 4 and H, W 1 to 2^31 - 1, got ",
                 image.defined() ? image.str() : "no tensor");
  // deflate_block() counts in 32 bits; a row of this size is no picture.
  const auto row_bytes = static_cast<std::uint64_t>(image.size(1) * channels) * dtype_size(image.dtype());
  check_argument(row_bytes < std::uint64_t{1} << 30, "image must have rows below 1 GiB, got ", image.str());
  return {static_cast<std::size_t>(image.size(0)), static_cast<std::size_t>(image.size(1)), static_cast<std::size_t>(channels),
          dtype_size(image.dtype())};
}

void put_u32(Byte* p, std::uint32_t value) {
  for (int k = 0; k < 4; ++k) p[k] = static_cast<Byte>(value >> (24 - 8 * k));
}

/// Appends the chunk whose data lie at chunk + kChunkHead, with room for head and tail around them.
void append_chunk(std::vector<Byte>& file, Byte* chunk, const char* type, std::size_t bytes) {
  put_u32(chunk, static_cast<std::uint32_t>(bytes));
  std::memcpy(chunk + 4, type, 4);
  put_u32(chunk + kChunkHead + bytes, crc32(chunk + 4, 4 + bytes));
  file.insert(file.end(), chunk, chunk + kChunkHead + bytes + kChunkTail);
}

void append_header(std::vector<Byte>& file, const Layout& layout) {
  Byte chunk[kChunkHead + 13 + kChunkTail];
  Byte* data = chunk + kChunkHead;
  put_u32(data, static_cast<std::uint32_t>(layout.width));
  put_u32(data + 4, static_cast<std::uint32_t>(layout.height));
  data[8] = static_cast<Byte>(8 * layout.sample_bytes);
  data[9] = layout.channels == 1 ? kGrey : layout.channels == 3 ? kRgb : kRgba;
  data[10] = data[11] = data[12] = 0;  // deflate, the five filters, not interlaced
  append_chunk(file, chunk, "IHDR", 13);
}

/// The rows of the picture in PNG's byte order. Going down, each row is converted once.
class Rows {
 public:
  Rows(const Tensor& image, const Layout& layout, Scratch& scratch)
      : data_(static_cast<const Byte*>(image.raw())), layout_(layout), zeros_(scratch.take<Byte>(layout.row_bytes())) {
    std::memset(zeros_, 0, layout.row_bytes());
    if (layout.sample_bytes == 2)
      for (Byte*& row : swapped_) row = scratch.take<Byte>(layout.row_bytes());
  }

  PngRow at(std::size_t y) {
    const Byte* above = y == 0 ? zeros_ : row(y - 1);
    return {row(y), above, layout_.row_bytes(), layout_.pixel_bytes()};
  }
  bool is_zero(const PngRow& row) const { return std::memcmp(row.here, zeros_, row.bytes) == 0; }

 private:
  const Byte* row(std::size_t y) {
    const Byte* samples = data_ + y * layout_.row_bytes();
    if (layout_.sample_bytes == 1 || std::endian::native == std::endian::big) return samples;
    Byte* swapped = swapped_[y & 1];
    if (held_[y & 1] != y) swap_bytes(samples, swapped);
    held_[y & 1] = y;
    return swapped;
  }
  void swap_bytes(const Byte* samples, Byte* swapped) const {
    for (std::size_t i = 0; i < layout_.row_bytes(); i += 2) {
      std::uint16_t value;
      std::memcpy(&value, samples + i, 2);
      value = static_cast<std::uint16_t>(value << 8 | value >> 8);
      std::memcpy(swapped + i, &value, 2);
    }
  }

  const Byte* data_;
  Layout layout_;
  Byte* zeros_;
  Byte* swapped_[2] = {};
  std::size_t held_[2] = {~std::size_t{0}, ~std::size_t{0}};  // which rows swapped_ holds
};

/// How the rows of a picture are filtered: all by `main`, or each by the one of `main` and `other` that leaves fewer changes.
struct FilterPlan {
  PngFilter main;
  bool flat;
  PngFilter other;
};

/// Judges all filters on some of the rows. `buffer` takes one filtered row.
FilterPlan plan_filters(const PngLoops& loops, Rows& rows, std::size_t height, Byte* buffer) {
  constexpr PngFilter kAll[] = {PngFilter::none, PngFilter::sub, PngFilter::up, PngFilter::paeth};
  constexpr int kNone = 0, kSub = 1;
  std::size_t changes[4] = {}, magnitudes[4] = {}, bytes = 0;
  const std::size_t sampled = std::min(height, kSampledRows);
  for (std::size_t k = 0; k < sampled; ++k) {
    const PngRow row = rows.at((2 * k + 1) * height / (2 * sampled));
    if (rows.is_zero(row)) {
      bytes += row.bytes;
      continue;
    }
    for (int f = 0; f < 4; ++f) {
      loops.filter_row(kAll[f], row, buffer);
      changes[f] += loops.count_changes(buffer + 1, row.bytes);
      magnitudes[f] += loops.sum_magnitude_bits(buffer + 1, row.bytes);
    }
    bytes += row.bytes;
  }
  if (*std::min_element(changes, changes + 4) * kFlatBytesPerChange < bytes)
    return {changes[kNone] <= changes[kSub] ? PngFilter::none : PngFilter::sub, true, PngFilter::up};
  return {kAll[std::min_element(magnitudes, magnitudes + 4) - magnitudes], false, PngFilter::none};
}

/// Filters one row into `out`, whose predecessor (if `joined`) is the last byte of the row before. `other` takes one filtered row.
void filter_planned(const PngLoops& loops, const FilterPlan& plan, const Rows& rows, const PngRow& row, bool joined, Byte* out,
                    Byte* other) {
  // Unfiltered, rows of zeros are one long run: their filter bytes are zeros too.
  if (rows.is_zero(row)) return loops.filter_row(PngFilter::none, row, out);
  loops.filter_row(plan.main, row, out);
  if (!plan.flat) return;
  const auto changes = [&](const Byte* filtered) {
    return loops.count_changes(filtered, row.bytes + 1) + (joined && filtered[0] != out[-1] ? 1 : 0);
  };
  loops.filter_row(plan.other, row, other);
  if (changes(other) < changes(out)) std::memcpy(out, other, row.bytes + 1);
}

}  // namespace

std::vector<std::uint8_t> encode_png(const Tensor& image) {
  const Layout layout = check_image(image);
  const Tensor pixels = image.contiguous();
  const std::size_t filtered_row = layout.row_bytes() + 1;
  const std::size_t block_rows = std::min(std::max<std::size_t>(kBlockBytes / filtered_row, 1), layout.height);

  Scratch scratch;
  Rows rows(pixels, layout, scratch);
  Byte* filtered = scratch.take<Byte>(block_rows * filtered_row + kDeflateSlack);
  Byte* spare_row = scratch.take<Byte>(filtered_row);
  Byte* chunk = scratch.take<Byte>(kChunkHead + deflate_bound(block_rows * filtered_row) + sizeof(kZlibHeader) + kChunkTail + kChunkTail);

  std::vector<Byte> file;
  file.reserve(layout.height * filtered_row / 4 + 1024);
  file.insert(file.end(), std::begin(kSignature), std::end(kSignature));
  append_header(file, layout);

  const PngLoops& loops = png_loops();
  const FilterPlan plan = plan_filters(loops, rows, layout.height, spare_row);
  BitWriter bits{chunk + kChunkHead};
  for (const Byte byte : kZlibHeader) *bits.next++ = byte;
  std::uint32_t adler = 1;
  for (std::size_t y = 0; y < layout.height; y += block_rows) {
    const std::size_t count = std::min(block_rows, layout.height - y);
    for (std::size_t k = 0; k < count; ++k)
      filter_planned(loops, plan, rows, rows.at(y + k), k > 0, filtered + k * filtered_row, spare_row);

    const bool last = y + count == layout.height;
    adler = adler32(filtered, count * filtered_row, adler);
    deflate_block(bits, filtered, count * filtered_row, last);
    if (last) {
      bits.align();
      put_u32(bits.next, adler);
      bits.next += 4;
    }
    append_chunk(file, chunk, "IDAT", static_cast<std::size_t>(bits.next - chunk) - kChunkHead);
    bits.next = chunk + kChunkHead;  // the bits of an unfinished byte stay in the writer
  }
  append_chunk(file, chunk, "IEND", 0);
  return file;
}

}  // namespace forge_rt
