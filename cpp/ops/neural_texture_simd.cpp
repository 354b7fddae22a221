// neural_texture, SIMD: the scalar path's bytes.
//
// Pixels go in blocks of a vector. A texture with channels last is read along the channels, and the block is transposed when the result
// wants channels first; one with channels first is gathered along the pixels. Where a block is all background, one texel serves it.
#include "../core/scratch.h"
#include "forge_rt/core/thread_pool.h"
#include "neural_texture_table.h"
#include "simd_rows.h"

namespace forge_rt::neural {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

constexpr int kSquare = 8;  // pixels and channels that are transposed together

// What a block needs; `tile` is [pixel][channel], a row per pixel.
struct Work {
  Taps taps[kLanes];
  std::int32_t texel[4][kLanes];
  float weight[4][kLanes];
  float* tile;
  float* background;  // [channels]
  std::int64_t pitch;
};

// out[c] = weighted texels of one pixel.
void read_pixel(const TextureArgs& a, const float* texture, const Taps& taps, float* out) {
  const float* texel[4];
  float weight[4];
  int count = 0;
  for (int k = 0; k < 4; ++k) {
    if (taps.texel[k] < 0) continue;
    texel[count] = texture + taps.texel[k] * a.channels;
    weight[count++] = taps.weight[k];
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

void gather_channels(const TextureArgs& a, Work& work, const float* texture, std::int64_t b, std::int64_t p, int n) {
  for (int i = 0; i < kLanes; ++i) {
    for (int k = 0; k < 4; ++k) {
      work.texel[k][i] = i < n ? work.taps[i].texel[k] : -1;
      work.weight[k][i] = i < n ? work.taps[i].weight[k] : 0.f;
    }
  }
  for (std::int64_t c = 0; c < a.channels; ++c) {
    const float* plane = texture + c * a.height * a.width;
    Float sum = zero_float();
    for (int k = 0; k < 4; ++k) {
      const Int texel = load(work.texel[k]);
      const Mask inside = greater(texel, set(-1));
      sum = add(sum, select(inside, mul(load(work.weight[k]), gather(plane, texel, inside)), zero_float()));
    }
    if (!a.features_last) {
      put(a, a.features + feature_index(a, b, p, c), n, sum);
      continue;
    }
    alignas(64) float values[kLanes];
    store(values, sum);
    for (int i = 0; i < n; ++i) work.tile[i * work.pitch + c] = values[i];
  }
  if (a.features_last) write_tile(a, work, b, p, n);
}

// Pixels [p, p + n) of image b, n <= kLanes.
void sample_block(const TextureArgs& a, Work& work, std::int64_t b, std::int64_t p, int n) {
  bool empty = true;
  for (int i = 0; i < n; ++i) {
    const std::int64_t pixel = b * a.pixels + p + i;
    const Coordinates at = coordinates_of(a, pixel);
    empty &= a.face[pixel] < 0;
    if (a.alpha != nullptr) a.alpha[pixel] = alpha_of(a, pixel, at);
    work.taps[i] = find_taps(at.u, at.v, a.height, a.width);
  }
  if (empty) return write_background(a, b, p, n, work.background);
  const float* texture = a.texture + b * a.texture_stride;
  if (!a.texture_last) return gather_channels(a, work, texture, b, p, n);
  for (int i = 0; i < n; ++i) read_pixel(a, texture, work.taps[i], work.tile + i * work.pitch);
  write_tile(a, work, b, p, n);
}

void texture_simd(const TextureArgs& a, Stream) {
  const std::int64_t blocks = (a.pixels + kLanes - 1) / kLanes;
  parallel_for_ranges(a.batch * blocks, 64, [&](std::int64_t begin, std::int64_t end) {
    Scratch scratch;
    Work& work = *scratch.take<Work>(1);
    work.pitch = (a.channels + kLanes - 1) / kLanes * kLanes;
    work.tile = scratch.take<float>(static_cast<std::size_t>(kLanes * work.pitch));
    work.background = scratch.take<float>(static_cast<std::size_t>(work.pitch));
    for (std::int64_t i = 0; i < kLanes * work.pitch; ++i) work.tile[i] = 0.f;
    const Taps centre = find_taps(0.f, 0.f, a.height, a.width);
    std::int64_t image = -1;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / blocks, p = i % blocks * kLanes;
      if (b != image) {
        image = b;
        for (std::int64_t c = 0; c < a.channels; ++c) work.background[c] = texture_value(a, b, centre, c);
      }
      sample_block(a, work, b, p, static_cast<int>(a.pixels - p < kLanes ? a.pixels - p : kLanes));
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
