// bias_act, SIMD: the scalar path's bytes.
#include "bias_act_table.h"
#include "forge_rt/core/thread_pool.h"
#include "simd_rows.h"

namespace forge_rt::activation {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

Float activate(const BiasActArgs& a, Float x, Float bias) {
  const Float v = add(x, bias);
  const Float y = mul(select(greater(v, zero_float()), v, mul(v, set(a.slope))), set(a.gain));
  if (a.clamp < 0.f) return y;
  const Float high = set(a.clamp), low = set(-a.clamp);
  return select(less(y, low), low, select(greater(y, high), high, y));  // NaN passes
}

void activate_row(const BiasActArgs& a, const float* x, float bias, std::int64_t count, float* out) {
  const Float b = set(bias);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(out + i, activate(a, load(x + i), b));
  if (i < count) {
    const int rest = static_cast<int>(count - i);
    store_first(out + i, rest, activate(a, load_first(x + i, rest), b));
  }
}

// One value per channel, as after a fully connected layer: the vector runs along the channels.
void activate_channels(const BiasActArgs& a, const float* x, float* out) {
  for (std::int64_t c = 0; c < a.channels; c += kLanes) {
    const int n = static_cast<int>(a.channels - c < kLanes ? a.channels - c : kLanes);
    const Float bias = a.bias != nullptr ? load_up_to(a.bias + c, n) : zero_float();
    store_up_to(out + c, n, activate(a, load_up_to(x + c, n), bias));
  }
}

void bias_act_simd(const BiasActArgs& a, Stream) {
  constexpr std::int64_t kGrain = 1 << 15;
  if (a.inner == 1) {
    parallel_for_ranges(a.rows / a.channels, kGrain / a.channels + 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) activate_channels(a, a.x + b * a.channels, a.out + b * a.channels);
    });
    return;
  }
  parallel_for_ranges(a.rows, kGrain / a.inner + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      activate_row(a, a.x + row * a.inner, a.bias != nullptr ? a.bias[row % a.channels] : 0.f, a.inner, a.out + row * a.inner);
  });
}

#if defined(__AVX512F__)
const Register<BiasActFn> registered(bias_act_table().avx512, bias_act_simd);
#else
const Register<BiasActFn> registered(bias_act_table().avx2, bias_act_simd);
#endif

}  // namespace
}  // namespace forge_rt::activation
