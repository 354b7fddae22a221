// Arguments, shared arithmetic and dispatch slots of `fill_enclosed`.
#pragma once

#include "dispatch.h"
#include "forge_rt/core/host_device.h"

namespace forge_rt::fill {

// Problem: a flood walks pixel by pixel, and its path is not known before.
// Idea:    a bit per pixel. Along a row, a word of pixels is flooded by an addition's carry, in each direction; from row to row, by an and.
//          Only rows that changed are looked at again.
using Word = std::uint32_t;
constexpr int kWordBits = 32;

struct FillArgs {
  const float* alpha;  // [batch, height, width]
  float* out;  // [batch, height, width], may be alpha
  std::int64_t batch;
  int height, width;
  bool binarise;
};

using FillFn = void (*)(const FillArgs&, Stream);
OpTable<FillFn>& fill_table();

FORGE_HD int words_of(int width) { return (width + kWordBits - 1) / kWordBits; }

// Does the flood pass value v when it started on `seed`? In float32, as published.
FORGE_HD bool passes(float v, float seed) {
  const float scaled = 255.f * v, low = 255.f * seed;
  return scaled >= low && scaled <= low + 254.f;
}

FORGE_HD Word passing_word(const float* row, int width, int word, float seed) {
  Word bits = 0;
  const int first = word * kWordBits, count = width - first < kWordBits ? width - first : kWordBits;
  for (int i = 0; i < count; ++i) bits |= static_cast<Word>(passes(row[first + i], seed)) << i;
  return bits;
}

FORGE_HD Word reverse_bits(Word v) {
  v = (v >> 1 & 0x55555555u) | (v & 0x55555555u) << 1;
  v = (v >> 2 & 0x33333333u) | (v & 0x33333333u) << 2;
  v = (v >> 4 & 0x0F0F0F0Fu) | (v & 0x0F0F0F0Fu) << 4;
  v = (v >> 8 & 0x00FF00FFu) | (v & 0x00FF00FFu) << 8;
  return v >> 16 | v << 16;
}

// Seeds and every passing bit above them in their run: the sum's carry clears a run from its lowest seed on.
FORGE_HD Word flood_up(Word passing, Word seeds) { return seeds | (passing & ~(passing + seeds)); }

// Floods row `reached` within `passing`, both of `words`; true when a bit was added.
FORGE_HD bool flood_row(const Word* passing, Word* reached, int words) {
  bool changed = false;
  Word carry = 0;
  for (int w = 0; w < words; ++w) {
    const Word flooded = flood_up(passing[w], reached[w] | (carry & passing[w]));
    changed |= flooded != reached[w];
    reached[w] = flooded;
    carry = flooded >> (kWordBits - 1);
  }
  carry = 0;
  for (int w = words - 1; w >= 0; --w) {
    const Word mirrored = reverse_bits(passing[w]);
    const Word flooded = reverse_bits(flood_up(mirrored, reverse_bits(reached[w]) | (carry & mirrored)));
    changed |= flooded != reached[w];
    reached[w] = flooded;
    carry = flooded & 1u;
  }
  return changed;
}

FORGE_HD float filled_value(const FillArgs& a, float v, bool reached) {
  if (!reached) return 1.f;
  return a.binarise ? (v != 0.f ? 1.f : 0.f) : v;
}

}  // namespace forge_rt::fill
