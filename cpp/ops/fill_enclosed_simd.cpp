// fill_enclosed, SIMD: the scalar path's bytes, a word of pixels at a time (fill_enclosed_table.h).
#include "../core/scratch.h"
#include "fill_enclosed_table.h"
#include "forge_rt/core/thread_pool.h"
#include "simd_rows.h"

namespace forge_rt::fill {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

// Bits of an image, and which rows have changed since they were last compared with the row below and above.
struct Image {
  Word *passing, *reached;
  std::uint8_t *news_below, *news_above;
  int height, words;
};

Word passing_vector(const float* p, int n, Float low, Float high) {
  const Float scaled = mul(set(255.f), load_up_to(p, n));
  const Word bits_of_lanes = bits(both(greater_equal(scaled, low), greater_equal(high, scaled)));
  return n >= kLanes ? bits_of_lanes : bits_of_lanes & ((Word{1} << n) - 1u);
}

void find_passing(const FillArgs& a, const float* alpha, const Image& image) {
  const float seed = 255.f * alpha[0];
  const Float low = set(seed), high = set(seed + 254.f);
  for (int y = 0; y < a.height; ++y) {
    const float* row = alpha + static_cast<std::int64_t>(y) * a.width;
    for (int w = 0; w < image.words; ++w) {
      Word word = 0;
      for (int i = 0; i < kWordBits && w * kWordBits + i < a.width; i += kLanes)
        word |= passing_vector(row + w * kWordBits + i, a.width - w * kWordBits - i, low, high) << i;
      image.passing[y * image.words + w] = word;
    }
  }
}

// Takes over what the neighbour `from` has reached; true when row `to` changed.
bool spread(const Image& image, int from, int to) {
  const Word *source = image.reached + from * image.words, *passing = image.passing + to * image.words;
  Word* reached = image.reached + to * image.words;
  Word news = 0;
  for (int w = 0; w < image.words; ++w) {
    const Word seeds = source[w] & passing[w] & ~reached[w];
    reached[w] |= seeds;
    news |= seeds;
  }
  if (news == 0) return false;
  flood_row(passing, reached, image.words);
  image.news_below[to] = image.news_above[to] = 1;
  return true;
}

void flood(const Image& image) {
  image.passing[0] |= 1u;  // the seed is reached whatever it is
  image.reached[0] = 1u;
  flood_row(image.passing, image.reached, image.words);
  image.news_below[0] = 1;
  for (bool again = true; again;) {
    again = false;
    for (int y = 0; y + 1 < image.height; ++y) {
      if (image.news_below[y] == 0) continue;
      image.news_below[y] = 0;
      again |= spread(image, y, y + 1);
    }
    for (int y = image.height - 1; y > 0; --y) {
      if (image.news_above[y] == 0) continue;
      image.news_above[y] = 0;
      again |= spread(image, y, y - 1);
    }
  }
}

// Lanes of the bits of `word` from `first` on.
Mask lanes_of(Word word, int first) {
#if defined(__AVX512F__)
  return static_cast<Mask>(word >> first);
#else
  const Int bit = _mm256_sllv_epi32(set(1), lane_index());
  return _mm256_cmpeq_epi32(_mm256_and_si256(set(static_cast<std::int32_t>(word >> first)), bit), bit);
#endif
}

void write_values(const FillArgs& a, const float* alpha, const Image& image, float* out) {
  const Float one = set(1.f), zero = zero_float();
  for (int y = 0; y < a.height; ++y) {
    const std::int64_t row = static_cast<std::int64_t>(y) * a.width;
    for (int x = 0; x < a.width; x += kLanes) {
      Float value = load_up_to(alpha + row + x, a.width - x);
      if (a.binarise) {  // one where value != 0, NaN included
        const Mask is_zero = both(greater_equal(value, zero), greater_equal(zero, value));
        value = select(is_zero, zero, one);
      }
      const Mask reached = lanes_of(image.reached[y * image.words + x / kWordBits], x % kWordBits);
      store_up_to(out + row + x, a.width - x, select(reached, value, one));
    }
  }
}

void fill_simd(const FillArgs& a, Stream) {
  const std::int64_t pixels = static_cast<std::int64_t>(a.height) * a.width;
  parallel_for(a.batch, [&](std::int64_t b) {
    Scratch scratch;
    const int words = words_of(a.width);
    const std::size_t count = static_cast<std::size_t>(words) * static_cast<std::size_t>(a.height);
    const auto rows = static_cast<std::size_t>(a.height);
    const Image image{scratch.take<Word>(count),
                      scratch.take<Word>(count),
                      scratch.take<std::uint8_t>(rows),
                      scratch.take<std::uint8_t>(rows),
                      a.height,
                      words};
    for (std::size_t i = 0; i < count; ++i) image.reached[i] = 0;
    for (std::size_t y = 0; y < rows; ++y) image.news_below[y] = image.news_above[y] = 0;
    find_passing(a, a.alpha + b * pixels, image);
    flood(image);
    write_values(a, a.alpha + b * pixels, image, a.out + b * pixels);
  });
}

#if defined(__AVX512F__)
const Register<FillFn> registered(fill_table().avx512, fill_simd);
#else
const Register<FillFn> registered(fill_table().avx2, fill_simd);
#endif

}  // namespace
}  // namespace forge_rt::fill
