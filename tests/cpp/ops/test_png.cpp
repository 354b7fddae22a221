// Checksums and the deflate core against known values, and the files that encode_png makes. Decoding by other people's readers:
// tests/python/test_png.py.
#include "forge_rt/ops/png.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "check.h"
#include "core/checksum.h"
#include "ops/deflate.h"
#include "ops/png_filter.h"

using namespace forge_rt;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::uint32_t slow_crc32(const Bytes& data) {
  std::uint32_t crc = ~0u;
  for (const std::uint8_t byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

std::uint32_t slow_adler32(const Bytes& data) {
  std::uint32_t a = 1, b = 0;
  for (const std::uint8_t byte : data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

/// Bytes below `limit`, each repeated 1 to `repeat` times.
Bytes noise(std::size_t size, std::uint32_t limit, std::uint32_t repeat, std::uint32_t seed) {
  Bytes data;
  while (data.size() < size) {
    seed = seed * 1664525u + 1013904223u;
    data.insert(data.end(), 1 + (seed >> 8) % repeat, static_cast<std::uint8_t>((seed >> 16) % limit));
  }
  data.resize(size);
  return data;
}

/// A plain inflate, bit by bit, that also insists on complete codes.
class Inflate {
 public:
  explicit Inflate(const Bytes& data) : data_(data) {}

  Bytes run() {
    bool last = false;
    while (!last) {
      last = bits(1) == 1;
      const std::uint32_t kind = bits(2);
      check(kind == 0 || kind == 2, ErrorCode::corrupt_file, "block kind ", kind);
      kind == 0 ? stored() : dynamic();
    }
    return out_;
  }
  std::size_t used() const { return (position_ + 7) / 8; }

 private:
  struct Code {
    std::vector<int> lengths, codes;
    explicit Code(std::vector<int> l) : lengths(std::move(l)), codes(lengths.size()) {
      int code = 0, claimed = 0, used = 0;
      for (int length = 1; length <= 15; ++length, code <<= 1)
        for (std::size_t s = 0; s < lengths.size(); ++s)
          if (lengths[s] == length) codes[s] = code++, claimed += 1 << (15 - length), ++used;
      check(claimed == 1 << 15 || used == 1, ErrorCode::corrupt_file, "incomplete or oversubscribed code");
    }
  };

  std::uint32_t bits(int count) {
    std::uint32_t value = 0;
    for (int k = 0; k < count; ++k, ++position_) {
      check(position_ / 8 < data_.size(), ErrorCode::corrupt_file, "past the end");
      value |= static_cast<std::uint32_t>(data_[position_ / 8] >> (position_ % 8) & 1) << k;
    }
    return value;
  }
  int symbol(const Code& code) {
    for (int value = 0, length = 1; length <= 15; ++length) {
      value = value << 1 | static_cast<int>(bits(1));
      for (std::size_t s = 0; s < code.lengths.size(); ++s)
        if (code.lengths[s] == length && code.codes[s] == value) return static_cast<int>(s);
    }
    throw Error(ErrorCode::corrupt_file, "no such code");
  }
  void stored() {
    position_ = (position_ + 7) / 8 * 8;
    const std::uint32_t size = bits(16);
    check((bits(16) ^ 0xFFFF) == size, ErrorCode::corrupt_file, "stored size");
    for (std::uint32_t k = 0; k < size; ++k) out_.push_back(static_cast<std::uint8_t>(bits(8)));
  }
  void dynamic() {
    const std::uint32_t literals = bits(5) + 257, distances = bits(5) + 1, sent = bits(4) + 4;
    constexpr int kOrder[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    std::vector<int> code_lengths(19, 0), lengths;
    for (std::uint32_t k = 0; k < sent; ++k) code_lengths[kOrder[k]] = static_cast<int>(bits(3));
    const Code code(code_lengths);
    while (lengths.size() < literals + distances) {
      const int s = symbol(code);
      if (s < 16) lengths.push_back(s);
      else if (s == 16) lengths.insert(lengths.end(), 3 + bits(2), lengths.back());
      else lengths.insert(lengths.end(), s == 17 ? 3 + bits(3) : 11 + bits(7), 0);
    }
    check(lengths.size() == literals + distances, ErrorCode::corrupt_file, "lengths");
    const Code literal({lengths.begin(), lengths.begin() + literals}), distance({lengths.begin() + literals, lengths.end()});
    for (int s = symbol(literal); s != 256; s = symbol(literal)) {
      if (s < 256) {
        out_.push_back(static_cast<std::uint8_t>(s));
        continue;
      }
      const int extra = s < 265 || s == 285 ? 0 : (s - 261) / 4;
      const int base = s < 265 ? s - 254 : s == 285 ? 258 : ((4 + (s - 265) % 4) << extra) + 3;
      const std::uint32_t length = static_cast<std::uint32_t>(base) + bits(extra);
      const auto back = static_cast<std::size_t>(symbol(distance)) + 1;
      check(back <= out_.size() && back <= 4, ErrorCode::corrupt_file, "distance");
      for (std::uint32_t k = 0; k < length; ++k) out_.push_back(out_[out_.size() - back]);
    }
  }

  const Bytes& data_;
  std::size_t position_ = 0;
  Bytes out_;
};

Bytes deflate(Bytes data, std::size_t block) {
  const std::size_t size = data.size();
  data.insert(data.end(), kDeflateSlack, 99);
  Bytes coded;
  Bytes buffer(deflate_bound(block) + 16);
  BitWriter writer{buffer.data()};
  std::size_t at = 0;
  do {
    const std::size_t take = std::min(block, size - at);
    deflate_block(writer, data.data() + at, take, at + take == size);
    at += take;
    if (at == size) writer.align();
    coded.insert(coded.end(), buffer.data(), writer.next);
    writer.next = buffer.data();
  } while (at < size);
  return coded;
}

void check_round_trip(const Bytes& data, std::size_t block) {
  const Bytes coded = deflate(data, block);
  Inflate inflate(coded);
  CHECK(inflate.run() == data);
  CHECK(inflate.used() == coded.size());
  CHECK(coded.size() <= data.size() + 5 * (block / 65535 + 1) * (data.size() / block + 1));
}

}  // namespace

TEST(checksums_of_known_texts) {
  CHECK(crc32("123456789", 9) == 0xCBF43926u);
  CHECK(crc32("IEND", 4) == 0xAE426082u);
  CHECK(crc32("", 0) == 0);
  CHECK(adler32("Wikipedia", 9) == 0x11E60398u);
  CHECK(adler32("", 0) == 1);
}

TEST(checksums_of_any_size_and_in_pieces) {
  for (const std::size_t size : {1, 7, 15, 16, 17, 31, 33, 255, 5551, 5552, 5553, 5600, 100003}) {
    const Bytes data = noise(size, 256, 2, static_cast<std::uint32_t>(size));
    CHECK(crc32(data.data(), size) == slow_crc32(data));
    CHECK(adler32(data.data(), size) == slow_adler32(data));
    const std::size_t half = size / 2;
    CHECK(crc32(data.data() + half, size - half, crc32(data.data(), half)) == slow_crc32(data));
    CHECK(adler32(data.data() + half, size - half, adler32(data.data(), half)) == slow_adler32(data));
  }
  const Bytes bright(300000, 255);
  CHECK(adler32(bright.data(), bright.size()) == slow_adler32(bright));
}

TEST(huffman_lengths_of_small_alphabets) {
  std::uint8_t lengths[4];
  const std::uint32_t none[4] = {}, one[4] = {0, 0, 5, 0}, two[4] = {7, 0, 0, 1}, four[4] = {1, 2, 4, 8};
  huffman_lengths(none, 4, 15, lengths);
  CHECK(lengths[0] == 0 && lengths[1] == 0 && lengths[2] == 0 && lengths[3] == 0);
  huffman_lengths(one, 4, 15, lengths);
  CHECK(lengths[2] == 1 && lengths[0] == 0);
  huffman_lengths(two, 4, 15, lengths);
  CHECK(lengths[0] == 1 && lengths[3] == 1);
  huffman_lengths(four, 4, 15, lengths);
  CHECK(lengths[0] == 3 && lengths[1] == 3 && lengths[2] == 2 && lengths[3] == 1);
  std::uint16_t codes[4];
  huffman_codes(lengths, 4, codes);  // canonical 110, 111, 10, 0; first bit lowest
  CHECK(codes[0] == 0b011 && codes[1] == 0b111 && codes[2] == 0b01 && codes[3] == 0);
}

TEST(huffman_lengths_keep_the_limit) {
  // Fibonacci counts make the deepest tree there is.
  std::uint32_t counts[40] = {1, 1};
  for (int s = 2; s < 40; ++s) counts[s] = counts[s - 1] + counts[s - 2];
  for (const int limit : {6, 7, 14, 15}) {
    std::uint8_t lengths[40];
    huffman_lengths(counts, 40, limit, lengths);
    std::uint64_t claimed = 0;
    for (int s = 0; s < 40; ++s) {
      CHECK(lengths[s] >= 1 && lengths[s] <= limit);
      if (s > 0) CHECK(lengths[s] <= lengths[s - 1]);
      claimed += std::uint64_t{1} << (limit - lengths[s]);
    }
    CHECK(claimed == std::uint64_t{1} << limit);  // complete
  }
  // As many symbols as the limit has codes.
  std::uint32_t many[128];
  for (int s = 0; s < 128; ++s) many[s] = static_cast<std::uint32_t>(1 + s * s * s);
  std::uint8_t lengths[128];
  huffman_lengths(many, 128, 7, lengths);
  for (const std::uint8_t length : lengths) CHECK(length == 7);
}

TEST(deflate_of_nothing_and_little) {
  check_round_trip({}, 100);
  for (std::size_t size = 1; size < 200; ++size) {
    check_round_trip(Bytes(size, 7), 1000);
    check_round_trip(noise(size, 3, 6, static_cast<std::uint32_t>(size)), 1000);
  }
}

TEST(deflate_of_runs_of_every_length) {
  for (std::size_t lead = 0; lead < 70; lead += 3) {
    Bytes data = noise(lead, 256, 1, 5);
    for (const std::size_t run : {1,   2,   3,   4,   5,   10,  11,  12,  60,  61,  62,  63,  64,  65,  66, 127,
                                  128, 129, 257, 258, 259, 260, 261, 262, 515, 516, 517, 518, 519, 520, 775}) {
      data.insert(data.end(), run, static_cast<std::uint8_t>(run));
      data.push_back(static_cast<std::uint8_t>(run + 1));
    }
    check_round_trip(data, data.size());
    check_round_trip(data, 64);
    check_round_trip(data, 1000);
  }
}

TEST(deflate_of_noise_is_stored) {
  const Bytes data = noise(200000, 256, 1, 1);
  check_round_trip(data, 65535);
  check_round_trip(data, 65536);
  check_round_trip(data, 200000);
  CHECK(deflate(data, 200000).size() <= data.size() + 4 * 5);
}

TEST(deflate_of_mixtures) {
  std::uint32_t seed = 0;
  for (const std::uint32_t limit : {2, 5, 40, 256})
    for (const std::uint32_t repeat : {1, 2, 4, 20, 400})
      for (const std::size_t block : {1000, 4096, 50000}) ++seed, check_round_trip(noise(20000 + 7 * seed, limit, repeat, seed), block);
}

TEST(deflate_of_counts_beyond_the_limit) {
  Bytes data;
  std::uint32_t count = 1, before = 1;
  for (int s = 0; s < 24; ++s) {
    data.insert(data.end(), count, static_cast<std::uint8_t>(s));
    before = std::exchange(count, count + before);
  }
  // Without runs, so that the counts reach the code as they are: a stride that visits every place once.
  Bytes spread(data.size());
  for (std::size_t k = 0, at = 0; k < data.size(); ++k, at = (at + 7919) % data.size()) spread[at] = data[k];
  check_round_trip(spread, spread.size());
}

TEST(paeth_follows_its_definition) {
  const Bytes values = {0, 1, 2, 127, 128, 129, 200, 254, 255};
  for (const int a : values)
    for (const int b : values)
      for (const int c : values) {
        const int p = a + b - c, pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
        const int prediction = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
        Bytes here(41, static_cast<std::uint8_t>(a)), above(41, static_cast<std::uint8_t>(b)), out(42);
        above[0] = static_cast<std::uint8_t>(c);
        here[1] = 77;  // left: here[0] = a, above: b, above left: c
        png_loops().filter_row(PngFilter::paeth, {here.data(), above.data(), 2, 1}, out.data());
        CHECK(out[2] == static_cast<std::uint8_t>(77 - prediction));
        // The same within a vector.
        const Bytes x(41, 77);
        Bytes mixed(82, static_cast<std::uint8_t>(a)), up(82, static_cast<std::uint8_t>(c));
        for (int k = 41; k < 82; ++k) mixed[k] = 77, up[k] = static_cast<std::uint8_t>(b);
        Bytes wide(83);
        png_loops().filter_row(PngFilter::paeth, {mixed.data(), up.data(), 82, 41}, wide.data());
        for (int k = 42; k < 83; ++k) CHECK(wide[k] == static_cast<std::uint8_t>(77 - prediction));
      }
}

TEST(measures_of_rows) {
  Bytes data(1000, 3);
  CHECK(png_loops().count_changes(data.data(), 1000) == 0);
  CHECK(png_loops().sum_magnitude_bits(data.data(), 1000) == 2000);
  data.assign(40000, 0x80);
  CHECK(png_loops().sum_magnitude_bits(data.data(), data.size()) == 320000);
  for (std::size_t k = 0; k < data.size(); ++k) data[k] = static_cast<std::uint8_t>(k & 1);
  CHECK(png_loops().count_changes(data.data(), data.size()) == 39999);
  CHECK(png_loops().count_changes(data.data(), 1) == 0 && png_loops().count_changes(data.data(), 0) == 0);
}

TEST(file_of_one_pixel) {
  const Bytes file = encode_png(Tensor::from<std::uint8_t>({42}, {1, 1}));
  const Bytes head = {0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0};
  CHECK(file.size() > head.size() && std::equal(head.begin(), head.end(), file.begin()));
  const Bytes tail = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
  CHECK(std::equal(tail.begin(), tail.end(), file.end() - 12));
}

TEST(wrong_images) {
  CHECK_THROWS(encode_png(Tensor{}), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({4}, DType::u8)), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({0, 4}, DType::u8)), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({4, 0}, DType::u8)), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({4, 4, 2}, DType::u8)), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({1, 4, 4, 3}, DType::u8)), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({4, 4}, DType::f32)), invalid_argument);
  CHECK_THROWS(encode_png(Tensor::zeros({4, 4}, DType::i16)), invalid_argument);
}
