// The loops of png_filter.h, compiled for the baseline and again for each instruction set. Integers only: all give the same bytes.
// They keep to bytes, without branches, so that compilers turn each into vectors of bytes; and to this file's own helpers, because
// an inline function of a shared header compiled for one instruction set could replace its baseline twin at link time.
#pragma once

#include <cstring>

#include "png_filter.h"

#if defined(_MSC_VER)
#define FORGE_RT_RESTRICT __restrict
#else
#define FORGE_RT_RESTRICT __restrict__
#endif

namespace forge_rt {
namespace {

using Byte = std::uint8_t;

template <class T>
constexpr T low(T a, T b) {
  return b < a ? b : a;
}
template <class T>
constexpr T high(T a, T b) {
  return a < b ? b : a;
}

void subtract(const Byte* FORGE_RT_RESTRICT x, const Byte* FORGE_RT_RESTRICT prediction, std::size_t bytes, Byte* FORGE_RT_RESTRICT out) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<Byte>(x[i] - prediction[i]);
}

constexpr Byte mask(bool condition) { return condition ? 0xFF : 0; }
constexpr Byte select(Byte mask, Byte yes, Byte no) { return static_cast<Byte>((yes & mask) | (no & ~mask)); }

/// Paeth's predictor without leaving bytes; a: left, b: above, c: above left. With p = a + b - c, |p - a| = |b - c| and
/// |p - b| = |a - c|. |p - c| is their sum where b - c and a - c have one sign, and then c is never the nearest; else their difference.
void subtract_paeth(const Byte* FORGE_RT_RESTRICT x, const Byte* FORGE_RT_RESTRICT left, const Byte* FORGE_RT_RESTRICT above,
                    const Byte* FORGE_RT_RESTRICT above_left, std::size_t bytes, Byte* FORGE_RT_RESTRICT out) {
  for (std::size_t i = 0; i < bytes; ++i) {
    const Byte a = left[i], b = above[i], c = above_left[i];
    const Byte a_low = low(a, c), a_high = high(a, c), b_low = low(b, c), b_high = high(b, c);
    const Byte to_a = static_cast<Byte>(b_high - b_low), to_b = static_cast<Byte>(a_high - a_low);
    const Byte nearer = low(to_a, to_b), farther = high(to_a, to_b);
    const Byte one_sign = static_cast<Byte>(~(mask(a_low == c) ^ mask(b_low == c)));
    const Byte to_c = static_cast<Byte>((farther - nearer) | one_sign);
    const Byte b_or_c = select(mask(to_b <= to_c), b, c);
    const Byte prediction = select(mask(to_a == low(nearer, to_c)), a, b_or_c);
    out[i] = static_cast<Byte>(x[i] - prediction);
  }
}

constexpr std::size_t kLanes = 64;

/// Sum of value(p) over the bytes at p, added up in lanes of one byte as long as they cannot overflow.
template <std::size_t kMaxValue, class Value>
std::size_t sum(const Byte* p, std::size_t bytes, Value value) {
  std::size_t total = 0;
  while (bytes >= kLanes) {
    const std::size_t rows = low(bytes / kLanes, 255 / kMaxValue);
    Byte lanes[kLanes] = {};
    for (std::size_t row = 0; row < rows; ++row, p += kLanes)
      for (std::size_t k = 0; k < kLanes; ++k) lanes[k] = static_cast<Byte>(lanes[k] + value(p + k));
    std::uint16_t part = 0;  // 64 lanes of at most 255
    for (const Byte lane : lanes) part = static_cast<std::uint16_t>(part + lane);
    total += part;
    bytes -= rows * kLanes;
  }
  for (; bytes > 0; --bytes, ++p) total += value(p);
  return total;
}

void filter_row(PngFilter filter, const PngRow& row, Byte* out) {
  *out++ = static_cast<Byte>(filter);
  // The first pixel has no left neighbours; with zeros there, Paeth's predictor is the byte above.
  const std::size_t first = low(row.pixel_bytes, row.bytes), rest = row.bytes - first;
  switch (filter) {
    case PngFilter::none: std::memcpy(out, row.here, row.bytes); break;
    case PngFilter::sub:
      std::memcpy(out, row.here, first);
      subtract(row.here + first, row.here, rest, out + first);
      break;
    case PngFilter::up: subtract(row.here, row.above, row.bytes, out); break;
    case PngFilter::paeth:
      subtract(row.here, row.above, first, out);
      subtract_paeth(row.here + first, row.here, row.above + first, row.above, rest, out + first);
      break;
  }
}

std::size_t count_changes(const Byte* data, std::size_t bytes) {
  if (bytes < 2) return 0;
  return sum<1>(data + 1, bytes - 1, [](const Byte* p) { return static_cast<Byte>(p[0] != p[-1]); });
}

std::size_t sum_magnitude_bits(const Byte* data, std::size_t bytes) {
  return sum<8>(data, bytes, [](const Byte* p) {
    const Byte size = low(*p, static_cast<Byte>(-*p));
    return static_cast<Byte>((size > 0) + (size > 1) + (size > 3) + (size > 7) + (size > 15) + (size > 31) + (size > 63) + (size > 127));
  });
}

constexpr PngLoops kLoops{filter_row, count_changes, sum_magnitude_bits};

}  // namespace
}  // namespace forge_rt
