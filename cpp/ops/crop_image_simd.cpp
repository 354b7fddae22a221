// crop_image, SIMD: a vector of neighbouring crop pixels at a time, the taps gathered from the frame. The same operations in the same
// order as crop_pixel, so the same bytes. Samples whose four taps are pixels of the frame are gathered; a vector beyond the frame is
// the fill; the rest, along the frame's border, goes through the scalar sample.
#include "../core/simd.h"
#include "crop_image_table.h"
#include "forge_rt/core/thread_pool.h"

namespace forge_rt::crop {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

struct Colour {
  Float r, g, b;
};

#if defined(__AVX512F__)
template <int kByte>
Float byte_of(Int v) {
  return to_float(_mm512_and_si512(_mm512_srli_epi32(v, 8 * kByte), _mm512_set1_epi32(0xFF)));
}
Int gather_at(const std::uint8_t* base, Int offset) { return _mm512_i32gather_epi32(offset, base, 1); }
Int half(Int v) { return _mm512_srai_epi32(v, 1); }
Mask is_odd(Int v) { return _mm512_test_epi32_mask(v, _mm512_set1_epi32(1)); }
#else
template <int kByte>
Float byte_of(Int v) {
  return to_float(_mm256_and_si256(_mm256_srli_epi32(v, 8 * kByte), _mm256_set1_epi32(0xFF)));
}
Int gather_at(const std::uint8_t* base, Int offset) { return _mm256_i32gather_epi32(reinterpret_cast<const int*>(base), offset, 1); }
Int half(Int v) { return _mm256_srai_epi32(v, 1); }
Mask is_odd(Int v) { return negative(_mm256_slli_epi32(v, 31)); }
#endif

Float mix(Float from, Float to, Float t) { return add(from, mul(t, sub(to, from))); }

// from_yuv.
Colour convert(const CropArgs& a, Float luma, Float u, Float v) {
  const Float grey = mul(set(1.16438356f), sub(luma, set(16.f))), cb = sub(u, set(128.f)), cr = sub(v, set(128.f));
  const auto limit = [](Float c) { return min(max(c, set(0.f)), set(255.f)); };
  return {limit(add(grey, mul(set(a.red_v), cr))), limit(sub(sub(grey, mul(set(a.green_u), cb)), mul(set(a.green_v), cr))),
          limit(add(grey, mul(set(a.blue_u), cb)))};
}

// The two taps of a row: bytes of column x and of its right neighbour. Never reads past them, or past column x + 3 of one-byte formats.
template <PixelFormat kFormat>
void fetch_pair(const CropArgs& a, Int x, Int y, Colour& left, Colour& right) {
  const Int row = mul(y, set(static_cast<std::int32_t>(a.stride)));
  if constexpr (kFormat == PixelFormat::rgb || kFormat == PixelFormat::bgr) {
    const Int offset = add(row, add(x, add(x, x)));
    const Int low = gather_at(a.data, offset), high = gather_at(a.data + 2, offset);
    left = {byte_of<0>(low), byte_of<1>(low), byte_of<0>(high)};
    right = {byte_of<3>(low), byte_of<2>(high), byte_of<3>(high)};
  } else if constexpr (kFormat == PixelFormat::rgba || kFormat == PixelFormat::bgra) {
    const Int twice = add(x, x), offset = add(row, add(twice, twice));
    const Int low = gather_at(a.data, offset), high = gather_at(a.data + 4, offset);
    left = {byte_of<0>(low), byte_of<1>(low), byte_of<2>(low)};
    right = {byte_of<0>(high), byte_of<1>(high), byte_of<2>(high)};
  } else if constexpr (kFormat == PixelFormat::gray) {
    const Int pair = gather_at(a.data, add(row, x));
    left.r = left.g = left.b = byte_of<0>(pair);
    right.r = right.g = right.b = byte_of<1>(pair);
  } else {
    const Int pair = gather_at(a.data, add(row, x));
    const Int column = half(x),
              chroma = gather_at(a.uv, add(mul(half(y), set(static_cast<std::int32_t>(a.uv_stride))), add(column, column)));
    const Float u = byte_of<0>(chroma), v = byte_of<1>(chroma);
    const Mask crosses = is_odd(x);  // the right neighbour lies over the next pair of chroma bytes
    left = convert(a, byte_of<0>(pair), u, v);
    right = convert(a, byte_of<1>(pair), select(crosses, byte_of<2>(chroma), u), select(crosses, byte_of<3>(chroma), v));
  }
  if constexpr (kFormat == PixelFormat::bgr || kFormat == PixelFormat::bgra) {
    left = {left.b, left.g, left.r};
    right = {right.b, right.g, right.r};
  }
}

template <PixelFormat kFormat>
Colour gathered(const CropArgs& a, Float x, Float y) {
  const Int x0 = truncate(x), y0 = truncate(y);
  const Float tx = sub(x, to_float(x0)), ty = sub(y, to_float(y0));
  Colour p00, p01, p10, p11;
  fetch_pair<kFormat>(a, x0, y0, p00, p01);
  fetch_pair<kFormat>(a, x0, add(y0, set(1)), p10, p11);
  if constexpr (kFormat == PixelFormat::gray) {
    const Float v = mix(mix(p00.r, p01.r, tx), mix(p10.r, p11.r, tx), ty);
    return {v, v, v};
  }
  return {mix(mix(p00.r, p01.r, tx), mix(p10.r, p11.r, tx), ty), mix(mix(p00.g, p01.g, tx), mix(p10.g, p11.g, tx), ty),
          mix(mix(p00.b, p01.b, tx), mix(p10.b, p11.b, tx), ty)};
}

Colour one_by_one(const CropArgs& a, Float x, Float y) {
  alignas(64) float at_x[kLanes], at_y[kLanes], r[kLanes], g[kLanes], b[kLanes];
  store(at_x, x);
  store(at_y, y);
  for (int i = 0; i < kLanes; ++i) {
    const Rgb s = sample(a, at_x[i], at_y[i]);
    r[i] = s.r;
    g[i] = s.g;
    b[i] = s.b;
  }
  return {load(r), load(g), load(b)};
}

template <PixelFormat kFormat>
void crop_row(const CropArgs& a, std::int64_t image, int y) {
  constexpr bool kWide = kFormat == PixelFormat::gray || kFormat == PixelFormat::nv12;  // a gather reads four pixels
  const Affine& m = a.to_frame[image];
  const int n = samples_per_axis(m);
  const std::int64_t plane = static_cast<std::int64_t>(a.out_height) * a.out_width;
  float* row = a.out + image * 3 * plane + static_cast<std::int64_t>(y) * a.out_width;
  const Float last_x = set(static_cast<float>(a.width - (kWide ? 3 : 1))), last_y = set(static_cast<float>(a.height - 1));
  const Float width = set(static_cast<float>(a.width)), height = set(static_cast<float>(a.height));
  const Float zero = zero_float(), minus_one = set(-1.f), half_pixel = set(0.5f), count = set(static_cast<float>(n * n));

  for (int x = 0; x < a.out_width; x += kLanes) {
    const Float columns = to_float(add(set(x), lane_index()));
    Colour sum = {zero, zero, zero};
    for (int j = 0; j < n; ++j) {
      const float down = sample_place(y, j, n);
      const Float row_x = set(m.b * down + m.c), row_y = set(m.e * down + m.f);
      for (int i = 0; i < n; ++i) {
        const Float across = add(columns, set((static_cast<float>(i) + 0.5f) / static_cast<float>(n)));
        const Float u = sub(add(mul(set(m.a), across), row_x), half_pixel), v = sub(add(mul(set(m.d), across), row_y), half_pixel);
        const Mask inside = both(both(greater_equal(u, zero), less(u, last_x)), both(greater_equal(v, zero), less(v, last_y)));
        Colour s;
        if (bits(inside) == kAllLanes) s = gathered<kFormat>(a, u, v);
        else if (!a.replicate && !any(both(both(greater(u, minus_one), less(u, width)), both(greater(v, minus_one), less(v, height)))))
          s = {set(a.fill), set(a.fill), set(a.fill)};
        else s = one_by_one(a, u, v);
        sum = {add(sum.r, s.r), add(sum.g, s.g), add(sum.b, s.b)};
      }
    }
    if (a.bgr) sum = {sum.b, sum.g, sum.r};
    const Float channel[3] = {sum.r, sum.g, sum.b};
    const int lanes = a.out_width - x < kLanes ? a.out_width - x : kLanes;
    for (int c = 0; c < 3; ++c) {
      const Float value = n == 1 ? channel[c] : div(channel[c], count);
      const Float out = mul(sub(value, set(a.mean[c])), set(a.scale[c]));
      if (lanes == kLanes) store(row + c * plane + x, out);
      else {
        alignas(64) float rest[kLanes];
        store(rest, out);
        for (int i = 0; i < lanes; ++i) row[c * plane + x + i] = rest[i];
      }
    }
  }
}

using RowFn = void (*)(const CropArgs&, std::int64_t, int);

RowFn row_function(PixelFormat format) {
  switch (format) {
    case PixelFormat::rgb: return crop_row<PixelFormat::rgb>;
    case PixelFormat::bgr: return crop_row<PixelFormat::bgr>;
    case PixelFormat::rgba: return crop_row<PixelFormat::rgba>;
    case PixelFormat::bgra: return crop_row<PixelFormat::bgra>;
    case PixelFormat::gray: return crop_row<PixelFormat::gray>;
    case PixelFormat::nv12: break;
  }
  return crop_row<PixelFormat::nv12>;
}

void crop_simd(const CropArgs& a, Stream stream) {
  // Gathers take 32-bit offsets.
  constexpr std::int64_t kFar = 0x7FFFFFFF;
  if (a.stride > kFar / a.height || (a.format == PixelFormat::nv12 && a.uv_stride > kFar / a.height)) {
    crop_image_table().scalar(a, stream);
    return;
  }
  const RowFn crop_one = row_function(a.format);
  parallel_for_ranges(a.batch * a.out_height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) crop_one(a, i / a.out_height, static_cast<int>(i % a.out_height));
  });
}

const Register<CropFn> registered(crop_image_table().FORGE_RT_SIMD_NAMESPACE, crop_simd);

}  // namespace
}  // namespace forge_rt::crop
