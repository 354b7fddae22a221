// upfirdn2d, SIMD: the scalar path's bytes.
//
// An output row is a sum of input rows by the filter's rows, then a filter along it. The sum lies in a buffer with zeros on both sides,
// so that the second step has no borders; with a factor of 2 the step works on even and odd values apart.
#include "../core/scratch.h"
#include "forge_rt/core/thread_pool.h"
#include "simd_rows.h"
#include "upfirdn2d_table.h"

namespace forge_rt::upfirdn {
namespace {

using namespace FORGE_RT_SIMD_NAMESPACE;

struct Buffers {
  float* row;    // sample s at row[lead + s], zeros around
  float* even;   // row[0], row[2], …
  float* odd;
  int lead, length;
};

int most(int a, int b) { return a > b ? a : b; }

Buffers take_buffers(Scratch& scratch, const Axis& a) {
  const int last = ((a.out - 1) * a.down - a.pad + a.taps - 1) / a.up;
  Buffers b{};
  b.lead = most(0, (a.pad + a.up - 1) / a.up);
  b.length = (b.lead + most(a.in, last + 1) + 4 * kLanes) / (2 * kLanes) * 2 * kLanes;
  b.row = scratch.take<float>(static_cast<std::size_t>(b.length) + kLanes);
  for (int i = 0; i < b.length + kLanes; ++i) b.row[i] = 0.f;
  if (a.up == 1 && a.down == 2) {
    b.even = scratch.take<float>(static_cast<std::size_t>(b.length / 2) + kLanes);
    b.odd = scratch.take<float>(static_cast<std::size_t>(b.length / 2) + kLanes);
    for (int i = 0; i < b.length / 2 + kLanes; ++i) b.even[i] = b.odd[i] = 0.f;
  }
  return b;
}

// Sum of the input rows that meet output row y.
void sum_rows(const UpfirdnArgs& a, const float* plane, int y, float* out) {
  const float* rows[kMostTaps];
  float weights[kMostTaps];
  int count = 0;
  const Meeting first = first_meeting(a.ay, y);
  for (int t = first.tap, row = first.sample; t < a.ay.taps; t += a.ay.up, ++row) {
    if (row < 0 || row >= a.ay.in) continue;
    rows[count] = plane + static_cast<std::int64_t>(row) * a.ax.in;
    weights[count++] = a.filter[t];
  }
  for (int x = 0; x < a.ax.in; x += kLanes) {
    const int n = a.ax.in - x;
    Float sum = zero_float();
    for (int i = 0; i < count; ++i) sum = add(sum, mul(set(weights[i]), load_up_to(rows[i] + x, n)));
    store_up_to(out + x, n, sum);
  }
}

void copy_row(const float* from, int count, float* to) {
  for (int x = 0; x < count; x += kLanes) store_up_to(to + x, count - x, load_up_to(from + x, count - x));
}

// out[o] (+)= filter along the buffer. A sum goes on from `out` when `more`, else from 0.
void filter_row(const Axis& a, const float* taps, const Buffers& b, bool more, float* out) {
  const auto start = [&](int o) { return more ? load_up_to(out + o, a.out - o) : zero_float(); };
  if (a.up == 1 && a.down == 1) {
    const float* p = b.row + b.lead - a.pad;
    for (int o = 0; o < a.out; o += kLanes) {
      Float sum = start(o);
      for (int t = 0; t < a.taps; ++t) sum = add(sum, mul(set(taps[t]), load(p + o + t)));
      store_up_to(out + o, a.out - o, sum);
    }
    return;
  }
  if (a.up == 1 && a.down == 2) {
    for (int i = 0; i < b.length; i += 2 * kLanes) {
      Float even, odd;
      split(load(b.row + i), load(b.row + i + kLanes), even, odd);
      store(b.even + i / 2, even);
      store(b.odd + i / 2, odd);
    }
    const int from = b.lead - a.pad;
    for (int o = 0; o < a.out; o += kLanes) {
      Float sum = start(o);
      for (int t = 0; t < a.taps; ++t) {
        const float* half = ((from + t) & 1) != 0 ? b.odd : b.even;
        sum = add(sum, mul(set(taps[t]), load(half + o + (from + t) / 2)));
      }
      store_up_to(out + o, a.out - o, sum);
    }
    return;
  }
  if (a.up == 2 && a.down == 1) {
    const Meeting even = first_meeting(a, 0), odd = first_meeting(a, 1);
    for (int o = 0; o < a.out; o += 2 * kLanes) {
      Float low = zero_float(), high = zero_float(), sums[2] = {zero_float(), zero_float()};
      if (more) {
        low = start(o);
        if (o + kLanes < a.out) high = start(o + kLanes);
        split(low, high, sums[0], sums[1]);
      }
      for (int phase = 0; phase < 2; ++phase) {
        const Meeting m = phase == 0 ? even : odd;
        const float* p = b.row + b.lead + m.sample + o / 2;
        for (int t = m.tap; t < a.taps; t += 2, ++p) sums[phase] = add(sums[phase], mul(set(taps[t]), load(p)));
      }
      interleave(sums[0], sums[1], low, high);
      store_up_to(out + o, a.out - o, low);
      if (o + kLanes < a.out) store_up_to(out + o + kLanes, a.out - o - kLanes, high);
    }
    return;
  }
  for (int o = 0; o < a.out; ++o) {
    const Meeting m = first_meeting(a, o);
    float sum = more ? out[o] : 0.f;
    const float* p = b.row + b.lead + m.sample;
    for (int t = m.tap; t < a.taps; t += a.up, ++p) sum += taps[t] * *p;
    out[o] = sum;
  }
}

void filter_image_row(const UpfirdnArgs& a, const float* plane, int y, const Buffers& b, float* out) {
  if (a.separable) {
    sum_rows(a, plane, y, b.row + b.lead);
    filter_row(a.ax, a.filter + a.ay.taps, b, false, out);
    return;
  }
  bool more = false;
  const Meeting first = first_meeting(a.ay, y);
  for (int t = first.tap, row = first.sample; t < a.ay.taps; t += a.ay.up, ++row) {
    if (row < 0 || row >= a.ay.in) continue;
    copy_row(plane + static_cast<std::int64_t>(row) * a.ax.in, a.ax.in, b.row + b.lead);
    filter_row(a.ax, a.filter + t * a.ax.taps, b, more, out);
    more = true;
  }
  if (!more)
    for (int x = 0; x < a.ax.out; ++x) out[x] = 0.f;
}

void upfirdn_simd(const UpfirdnArgs& a, Stream) {
  const std::int64_t grain = 16384 / a.ax.out + 1;
  parallel_for_ranges(a.planes * a.ay.out, grain, [&](std::int64_t begin, std::int64_t end) {
    Scratch scratch;
    const Buffers buffers = take_buffers(scratch, a.ax);
    for (std::int64_t row = begin; row < end; ++row) {
      const float* plane = a.x + row / a.ay.out * a.ay.in * a.ax.in;
      filter_image_row(a, plane, static_cast<int>(row % a.ay.out), buffers, a.out + row * a.ax.out);
    }
  });
}

#if defined(__AVX512F__)
const Register<UpfirdnFn> registered(upfirdn_table().avx512, upfirdn_simd);
#else
const Register<UpfirdnFn> registered(upfirdn_table().avx2, upfirdn_simd);
#endif

}  // namespace
}  // namespace forge_rt::upfirdn
