#include <cmath>
#include <numbers>

#include "../ops/dispatch.h"
#include "forge_rt/core/philox.h"

namespace forge_rt {

Random::Random(std::uint64_t seed, std::uint64_t index, std::string_view purpose, std::uint32_t attempt)
    : key_{seed, index, purpose_id(purpose), attempt} {
  check_argument(index < (std::uint64_t{1} << 48), "sample index must be < 2^48, got ", index);
  check_argument(attempt < (1u << 16), "attempt must be < 65536, got ", attempt);
}

std::uint32_t Random::next_u32() {
  if (position_ % 4 == 0) block_ = philox_block(key_, static_cast<std::uint32_t>(position_ / 4));
  return block_.x[position_++ % 4];
}

double Random::uniform() {
  const std::uint64_t high = next_u32() >> 5;  // 27 bits
  const std::uint64_t low = next_u32() >> 6;   // 26 bits
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint32_t Random::below(std::uint32_t n) {
  check_argument(n > 0, "below(n) needs n > 0");
  const std::uint32_t limit = static_cast<std::uint32_t>(-n) % n;  // values under it would be favoured
  for (;;) {
    const std::uint64_t product = std::uint64_t{next_u32()} * n;
    if (static_cast<std::uint32_t>(product) >= limit) return static_cast<std::uint32_t>(product >> 32);
  }
}

OpTable<RandomUniformFn>& random_uniform_table() {
  static OpTable<RandomUniformFn> table{"random_uniform"};
  return table;
}

namespace {
void random_uniform_scalar(const RandomUniformArgs& args, Stream) {
  for (std::int64_t i = 0; i < args.count; i += 4) {
    const PhiloxBlock block = philox_block(args.key, static_cast<std::uint32_t>(i / 4));
    for (std::int64_t k = 0; k < 4 && i + k < args.count; ++k) args.out[i + k] = uniform_from_bits(block.x[k]);
  }
}
const Register<RandomUniformFn> registered(random_uniform_table().scalar, random_uniform_scalar);
}  // namespace

Tensor random_uniform(const Shape& shape, const RandomKey& key, Device device, Stream stream) {
  check_argument(key.index < (std::uint64_t{1} << 48), "sample index must be < 2^48, got ", key.index);
  check_argument(key.attempt < (1u << 16), "attempt must be < 65536, got ", key.attempt);
  Tensor out = Tensor::empty(shape, DType::f32, device, "random");
  check_argument(out.count() <= (std::int64_t{1} << 34), "one key has 2^34 draws, asked for ", out.count());
  if (out.count() > 0) random_uniform_table().select(device)({key, out.mutable_data<float>(), out.count()}, stream);
  return out;
}

}  // namespace forge_rt
