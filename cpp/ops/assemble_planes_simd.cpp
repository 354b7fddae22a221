// assemble_planes, SIMD: the scalar path's bytes.
//
// A tile of pixels is blended channel by channel into a buffer that stays in the cache, and leaves it transposed, 8 x 8 values at a time.
#include "../core/scratch.h"
#include "assemble_planes_table.h"
#include "forge_rt/core/thread_pool.h"
#include "simd_rows.h"

namespace forge_rt::planes {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kTile = 64;  // pixels
constexpr int kBlock = 8;  // pixels and channels that are transposed together

// tile[c][kTile] of pixels [p, p + n).
void blend_tile(const AssembleArgs& a, std::int64_t b, int plane, std::int64_t p, int n, float* tile) {
  const float* fixed = a.statics + b * a.static_stride + plane * a.channels * a.pixels + p;
  const float* dynamic = a.dynamic[plane] != nullptr ? a.dynamic[plane] + b * a.channels * a.pixels + p : nullptr;
  const float* alpha = dynamic != nullptr ? a.alpha[plane] + b * a.pixels + p : nullptr;
  for (std::int64_t c = 0; c < a.channels; ++c, fixed += a.pixels, tile += kTile) {
    for (int i = 0; i < n; i += kLanes) {
      Float value = load_up_to(fixed + i, n - i);
      if (dynamic != nullptr) {
        const Float weight = load_up_to(alpha + i, n - i);
        value = add(mul(load_up_to(dynamic + i, n - i), weight), mul(value, sub(set(1.f), weight)));
      }
      store(tile + i, value);
    }
    if (dynamic != nullptr) dynamic += a.pixels;
  }
}

void store_block(float* out, __m256 v) { _mm256_storeu_ps(out, v); }
void store_block(std::uint16_t* out, __m256 v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
void store_one(float* out, float v) { *out = v; }
void store_one(std::uint16_t* out, float v) { *out = to_half(v); }

// out[pixel][channel] = tile[channel][pixel].
template <class T>
void write_tile(const float* tile, std::int64_t channels, int n, T* out) {
  const std::int64_t whole = channels / kBlock * kBlock;
  for (int i = 0; i < n; i += kBlock) {
    const int count = n - i < kBlock ? n - i : kBlock;
    for (std::int64_t c = 0; c < whole; c += kBlock) {
      __m256 r[kBlock];
      for (int k = 0; k < kBlock; ++k) r[k] = _mm256_loadu_ps(tile + (c + k) * kTile + i);
      transpose(r);
      for (int k = 0; k < count; ++k) store_block(out + (i + k) * channels + c, r[k]);
    }
    for (std::int64_t c = whole; c < channels; ++c)
      for (int k = 0; k < count; ++k) store_one(out + (i + k) * channels + c, tile[c * kTile + i + k]);
  }
}

void assemble_simd(const AssembleArgs& a, Stream) {
  const std::int64_t tiles = (a.pixels + kTile - 1) / kTile;
  parallel_for_ranges(a.batch * a.count * tiles, 512 / a.channels + 1, [&](std::int64_t begin, std::int64_t end) {
    Scratch scratch;
    float* tile = scratch.take<float>(static_cast<std::size_t>(a.channels) * kTile);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t p = i % tiles * kTile, b = i / tiles / a.count;
      const int plane = static_cast<int>(i / tiles % a.count), n = static_cast<int>(a.pixels - p < kTile ? a.pixels - p : kTile);
      blend_tile(a, b, plane, p, n, tile);
      const std::int64_t first = ((b * kPlanes + plane) * a.pixels + p) * a.channels;
      if (a.half) write_tile(tile, a.channels, n, static_cast<std::uint16_t*>(a.out) + first);
      else write_tile(tile, a.channels, n, static_cast<float*>(a.out) + first);
    }
  });
}

#if defined(__AVX512F__)
const Register<AssembleFn> registered(assemble_table().avx512, assemble_simd);
#else
const Register<AssembleFn> registered(assemble_table().avx2, assemble_simd);
#endif

}  // namespace
}  // namespace forge_rt::planes
