// PNG's row filters (ISO 15948 §9) and two measures of how well a filtered row will compress.
#pragma once

#include <cstddef>
#include <cstdint>

namespace forge_rt {

/// The values are those of the filter byte. Average is left out: it never paid on label maps and depth.
enum class PngFilter : std::uint8_t { none = 0, sub = 1, up = 2, paeth = 4 };

/// One row of samples as it is in the file: big-endian, pixels side by side.
struct PngRow {
  const std::uint8_t *here, *above;  ///< `above` is a row of zeros for the first row
  std::size_t bytes;
  std::size_t pixel_bytes;
};

/// The loops over bytes; the set for this processor comes from png_loops().
struct PngLoops {
  /// Writes the filter byte and the filtered row: 1 + row.bytes bytes that overlap neither input.
  void (*filter_row)(PngFilter filter, const PngRow& row, std::uint8_t* out);

  /// How many bytes differ from the byte before them; the first is not counted. Ranks filters where runs do the work.
  std::size_t (*count_changes)(const std::uint8_t* data, std::size_t bytes);

  /// Sum of the bit lengths of |value|, the bytes read as signed. Ranks filters where small literals do the work.
  std::size_t (*sum_magnitude_bits)(const std::uint8_t* data, std::size_t bytes);
};

const PngLoops& png_loops();

template <class Fn>
struct OpTable;
OpTable<const PngLoops*>& png_filter_table();

}  // namespace forge_rt
