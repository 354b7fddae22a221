// neural_texture, SIMD: the scalar path's bytes.
//
// A texture with channels last is read along the channels, a vector of pixels at a time, and transposed when the result wants channels
// first. One with channels first is gathered along the pixels, channel by channel over a longer block: its planes lie a power of two
// apart and would drive each other from the cache. Where a vector is all background, one texel serves it.
#include "../core/scratch.h"
#include "forge_rt/core/thread_pool.h"
#include "neural_texture_table.h"
#include "simd_rows.h"

namespace forge_rt::neural {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kSquare = 8;  // pixels and channels that are transposed together

constexpr int kBlock = 256;  // pixels

// What a block needs; `tile` is [pixel][channel], a row for each of a vector of pixels.
struct Work {
  std::int32_t texel[4][kBlock];
  float weight[4][kBlock];
  bool empty[kBlock / kLanes];  // vectors of background
  Taps centre;
  float* tile;
  float* background;  // [channels]
  std::int64_t pitch;
};

// out[c] = weighted texels of pixel `i` of the block.
void read_pixel(const TextureArgs& a, const float* texture, const Work& work, int i, float* out) {
  const float* texel[4];
  float weight[4];
  int count = 0;
  for (int k = 0; k < 4; ++k) {
    if (work.texel[k][i] < 0) continue;
    texel[count] = texture + work.texel[k][i] * a.channels;
    weight[count++] = work.weight[k][i];
  }
  for (std::int64_t c = 0; c < a.channels; c += kLanes) {
    const int n = static_cast<int>(a.channels - c < kLanes ? a.channels - c : kLanes);
    Float sum = zero_float();
    for (int k = 0; k < count; ++k) sum = add(sum, mul(set(weight[k]), load_up_to(texel[k] + c, n)));
    store_up_to(out + c, n, sum);
  }
}

void put(const TextureArgs& a, float* out, int n, Float value) { store_up_to(out, n, a.add ? add(load_up_to(out, n), value) : value); }

// `n` pixels from p on, all background.
void write_background(const TextureArgs& a, std::int64_t b, std::int64_t p, int n, const float* background) {
  if (!a.features_last) {
    for (std::int64_t c = 0; c < a.channels; ++c) put(a, a.features + feature_index(a, b, p, c), n, set(background[c]));
    return;
  }
  for (int i = 0; i < n; ++i) {
    float* out = a.features + feature_index(a, b, p + i, 0);
    for (std::int64_t c = 0; c < a.channels; c += kLanes) {
      const int m = static_cast<int>(a.channels - c < kLanes ? a.channels - c : kLanes);
      put(a, out + c, m, load_up_to(background + c, m));
    }
  }
}

// tile → features.
void write_tile(const TextureArgs& a, const Work& work, std::int64_t b, std::int64_t p, int n) {
  if (a.features_last) {
    for (int i = 0; i < n; ++i) {
      float* out = a.features + feature_index(a, b, p + i, 0);
      for (std::int64_t c = 0; c < a.channels; c += kLanes) {
        const int m = static_cast<int>(a.channels - c < kLanes ? a.channels - c : kLanes);
        put(a, out + c, m, load_up_to(work.tile + i * work.pitch + c, m));
      }
    }
    return;
  }
  for (int i = 0; i < n; i += kSquare) {
    for (std::int64_t c = 0; c < a.channels; c += kSquare) {
      __m256 r[kSquare];
      for (int k = 0; k < kSquare; ++k) r[k] = _mm256_loadu_ps(work.tile + (i + k) * work.pitch + c);
      transpose(r);
      for (int k = 0; k < kSquare && c + k < a.channels; ++k) {
        float* out = a.features + feature_index(a, b, p + i, c + k);
        if (n - i >= kSquare) {
          _mm256_storeu_ps(out, a.add ? _mm256_add_ps(_mm256_loadu_ps(out), r[k]) : r[k]);
          continue;
        }
        alignas(32) float values[kSquare];
        _mm256_store_ps(values, r[k]);
        for (int j = 0; j < n - i; ++j) out[j] = a.add ? out[j] + values[j] : values[j];
      }
    }
  }
}

// One channel of a vector of pixels, the block's from i on.
Float gather_channel(const float* plane, const Work& work, int i) {
  Float sum = zero_float();
  for (int k = 0; k < 4; ++k) {
    const Int texel = load(work.texel[k] + i);
    const Mask inside = greater(texel, set(-1));
    sum = add(sum, select(inside, mul(load(work.weight[k] + i), gather(plane, texel, inside)), zero_float()));
  }
  return sum;
}

// From a texture with channels first.
void gather_block(const TextureArgs& a, Work& work, const float* texture, std::int64_t b, std::int64_t p, int n) {
  const std::int64_t plane = static_cast<std::int64_t>(a.height) * a.width;
  if (!a.features_last) {
    for (std::int64_t c = 0; c < a.channels; ++c)
      for (int i = 0; i < n; i += kLanes) {
        const Float value = work.empty[i / kLanes] ? set(work.background[c]) : gather_channel(texture + c * plane, work, i);
        put(a, a.features + feature_index(a, b, p + i, c), n - i, value);
      }
    return;
  }
  for (int i = 0; i < n; i += kLanes) {
    for (std::int64_t c = 0; c < a.channels; ++c) {
      alignas(64) float values[kLanes];
      store(values, gather_channel(texture + c * plane, work, i));
      for (int k = 0; k < kLanes; ++k) work.tile[k * work.pitch + c] = values[k];
    }
    write_tile(a, work, b, p + i, n - i < kLanes ? n - i : kLanes);
  }
}

// From a texture with channels last.
void read_block(const TextureArgs& a, Work& work, const float* texture, std::int64_t b, std::int64_t p, int n) {
  for (int i = 0; i < n; i += kLanes) {
    const int count = n - i < kLanes ? n - i : kLanes;
    if (work.empty[i / kLanes]) {
      write_background(a, b, p + i, count, work.background);
      continue;
    }
    for (int k = 0; k < count; ++k) read_pixel(a, texture, work, i + k, work.tile + k * work.pitch);
    write_tile(a, work, b, p + i, count);
  }
}

// Pixels [p, p + n) of image b, n <= kBlock.
void sample_block(const TextureArgs& a, Work& work, std::int64_t b, std::int64_t p, int n) {
  for (bool& empty : work.empty) empty = true;
  for (int i = 0; i < n; ++i) {
    const std::int64_t pixel = b * a.pixels + p + i;
    Taps taps = work.centre;
    float alpha = 0.f;
    if (a.face[pixel] >= 0) {
      const Coordinates at = coordinates_of(a, pixel);
      work.empty[i / kLanes] = false;
      taps = find_taps(at.u, at.v, a.height, a.width);
      alpha = a.alpha != nullptr ? alpha_of(a, pixel, at) : 0.f;
    }
    if (a.alpha != nullptr) a.alpha[pixel] = alpha;
    for (int k = 0; k < 4; ++k) {
      work.texel[k][i] = taps.texel[k];
      work.weight[k][i] = taps.weight[k];
    }
  }
  for (int i = n; i < kBlock; ++i)
    for (int k = 0; k < 4; ++k) work.texel[k][i] = -1;
  const float* texture = a.texture + b * a.texture_stride;
  if (a.texture_last) read_block(a, work, texture, b, p, n);
  else gather_block(a, work, texture, b, p, n);
}

void texture_simd(const TextureArgs& a, Stream) {
  const std::int64_t blocks = (a.pixels + kBlock - 1) / kBlock;
  parallel_for_ranges(a.batch * blocks, 4, [&](std::int64_t begin, std::int64_t end) {
    Scratch scratch;
    Work& work = *scratch.take<Work>(1);
    work.pitch = (a.channels + kLanes - 1) / kLanes * kLanes;
    work.tile = scratch.take<float>(static_cast<std::size_t>(kLanes * work.pitch));
    work.background = scratch.take<float>(static_cast<std::size_t>(work.pitch));
    for (std::int64_t i = 0; i < kLanes * work.pitch; ++i) work.tile[i] = 0.f;
    work.centre = find_taps(0.f, 0.f, a.height, a.width);
    std::int64_t image = -1;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / blocks, p = i % blocks * kBlock;
      if (b != image) {
        image = b;
        for (std::int64_t c = 0; c < a.channels; ++c) work.background[c] = texture_value(a, b, work.centre, c);
      }
      sample_block(a, work, b, p, static_cast<int>(a.pixels - p < kBlock ? a.pixels - p : kBlock));
    }
  });
}

#if defined(__AVX512F__)
const Register<TextureFn> registered(texture_table().avx512, texture_simd);
#else
const Register<TextureFn> registered(texture_table().avx2, texture_simd);
#endif

}  // namespace
}  // namespace forge_rt::neural
