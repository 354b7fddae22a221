// Compiled with -msha -msse4.1 (cmake/forge_sources.cmake): plain data only, nothing inline from shared headers.
#if defined(FORGE_RT_X86_SIMD)

#include <immintrin.h>

#include "sha256_blocks.h"

namespace forge_rt::sha256 {

// The instructions keep the eight words as (A B E F) and (C D G H), highest lane first; variables are named lowest lane first
// where that matters. sha256rnds2 does two rounds.
void compress_shani(std::uint32_t* state, const std::uint8_t* data, std::size_t blocks) {
  const __m128i big_endian = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
  auto* words = reinterpret_cast<__m128i*>(state);
  const __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(words), 0xB1);
  const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(words + 1), 0x1B);
  __m128i abef = _mm_alignr_epi8(badc, hgfe, 8);
  __m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xF0);

  for (; blocks > 0; --blocks, data += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];  // the last 16 words of the message schedule
    for (int i = 0; i < 4; ++i) w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data) + i), big_endian);

    for (int i = 0; i < 16; ++i) {
      const __m128i w_k = _mm_add_epi32(w[i % 4], _mm_loadu_si128(reinterpret_cast<const __m128i*>(kRound) + i));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, w_k);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(w_k, 0x0E));
      if (i < 12) {  // w[t] = w[t - 16] + s0(w[t - 15]) + w[t - 7] + s1(w[t - 2])
        const __m128i minus_7 = _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4);
        w[i % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(w[i % 4], w[(i + 1) % 4]), minus_7), w[(i + 3) % 4]);
      }
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }

  const __m128i abef_up = _mm_shuffle_epi32(abef, 0x1B), ghcd = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(words, _mm_blend_epi16(abef_up, ghcd, 0xF0));
  _mm_storeu_si128(words + 1, _mm_alignr_epi8(ghcd, abef_up, 8));
}

}  // namespace forge_rt::sha256

#endif
