#include "ops/deflate.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "core/scratch.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define FORGE_RT_SSE2
#endif

namespace forge_rt {
namespace {

constexpr int kMaxSymbols = 288;
constexpr int kLiteralSymbols = 286, kEndOfBlock = 256, kFirstLength = 257;
constexpr int kMinRun = 3, kMaxRun = 258;
// RFC 1951 allows 15. With 14, four literals and the seven bits left over fit into 64.
constexpr int kLiteralBits = 14;
constexpr int kLiteralsPerFlush = 4;
// Distances 1 and 2, of one bit each: only 1 is used, but some readers reject an incomplete code.
constexpr int kDistanceCodes = 2;
constexpr unsigned kDistanceBits = 1;
constexpr int kCodeLengthSymbols = 19, kCodeLengthBits = 7;
constexpr std::uint8_t kCodeLengthOrder[kCodeLengthSymbols] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
constexpr std::size_t kStoredMax = 65535;

/// RFC 1951 §3.2.5: symbol, number and value of the extra bits of a match length.
struct LengthCode {
  std::uint16_t symbol;
  std::uint8_t extra_bits, extra;
};
constexpr std::array<LengthCode, kMaxRun + 1> length_codes() {
  std::array<LengthCode, kMaxRun + 1> codes{};
  int symbol = kFirstLength, length = kMinRun;
  for (; length < kMaxRun; ++symbol) {
    const int extra_bits = symbol < 265 ? 0 : (symbol - 261) / 4;
    for (int extra = 0; extra < 1 << extra_bits && length < kMaxRun; ++extra, ++length)
      codes[length] = {static_cast<std::uint16_t>(symbol), static_cast<std::uint8_t>(extra_bits), static_cast<std::uint8_t>(extra)};
  }
  codes[kMaxRun] = {285, 0, 0};
  return codes;
}
constexpr auto kLength = length_codes();

/// Literals, then a run of the last of them (0: none).
struct Segment {
  std::uint32_t literals, run;
};

/// Bit k: p[k] == p[k - 1], for 64 bytes.
std::uint64_t equal_to_previous(const std::uint8_t* p) {
#ifdef FORGE_RT_SSE2
  std::uint64_t mask = 0;
  for (int k = 0; k < 4; ++k) {
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * k));
    const __m128i before = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * k - 1));
    mask |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(here, before)))} << (16 * k);
  }
  return mask;
#else
  std::uint64_t mask = 0;
  for (int k = 0; k < 64; ++k) mask |= std::uint64_t{p[k] == p[k - 1]} << k;
  return mask;
#endif
}

/// Bit i of the result: data[i] == data[i - 1]; 0 for the first byte and, in the last word and the one behind it, past the end.
void mark_equal(const std::uint8_t* data, std::size_t bytes, std::uint64_t* equal) {
  const std::size_t words = (bytes + 63) / 64;
  const auto slow = [&](std::size_t word) {
    equal[word] = 0;
    for (std::size_t i = std::max<std::size_t>(64 * word, 1); i < std::min(64 * word + 64, bytes); ++i)
      equal[word] |= std::uint64_t{data[i] == data[i - 1]} << (i & 63);
  };
  slow(0);
  for (std::size_t w = 1; w < words; ++w) {
    if (64 * w + 64 <= bytes) equal[w] = equal_to_previous(data + 64 * w);
    else slow(w);
  }
  equal[words] = 0;
}

/// Splits the data at runs of kMinRun or more repeats. Returns the number of segments.
std::size_t find_runs(const std::uint64_t* equal, std::size_t bytes, Segment* segments) {
  const std::size_t words = (bytes + 63) / 64;
  Segment* segment = segments;
  std::size_t begin = 0;  // of the literals
  for (std::size_t w = 0; w < words; ++w) {
    const auto runs_of_word = [&] {
      const std::uint64_t here = equal[w], next = equal[w + 1];
      return here & (here >> 1 | next << 63) & (here >> 2 | next << 62);
    };
    std::uint64_t runs = runs_of_word();
    while (runs != 0) {
      const std::size_t start = 64 * w + std::countr_zero(runs);
      std::uint64_t ends = ~equal[w] & (~std::uint64_t{0} << (start & 63));
      if (ends == 0) {
        do ends = ~equal[++w];
        while (ends == 0);  // the word behind the last has zeros
        runs = runs_of_word();
      }
      const std::size_t end = 64 * w + std::countr_zero(ends);
      runs &= ~std::uint64_t{0} << (end & 63);
      *segment++ = {static_cast<std::uint32_t>(start - begin), static_cast<std::uint32_t>(end - start)};
      begin = end;
    }
  }
  if (begin < bytes) *segment++ = {static_cast<std::uint32_t>(bytes - begin), 0};
  return static_cast<std::size_t>(segment - segments);
}

/// The tokens of a run: matches of 258, then one shorter match or up to two literals.
template <class Match, class Literals>
void split_run(std::uint32_t run, Match match, Literals literals) {
  for (; run >= kMaxRun; run -= kMaxRun) match(kMaxRun);
  if (run >= kMinRun) match(run);
  else literals(run);
}

/// How often each literal or length occurs.
void count_symbols(const std::uint8_t* p, const Segment* segments, std::size_t count, std::uint32_t* symbols) {
  // Four tables: equal neighbours would wait for each other's increment.
  std::uint32_t table[4][256] = {};
  std::fill_n(symbols, kMaxSymbols, 0);
  for (const Segment* s = segments; s != segments + count; ++s) {
    const std::uint8_t* end = p + s->literals;
    for (; end - p >= 4; p += 4)
      for (int k = 0; k < 4; ++k) ++table[k][p[k]];
    // The last three without a branch that nobody can predict; bytes past the end count zero.
    const std::ptrdiff_t left = end - p;
    for (int k = 0; k < kLiteralsPerFlush - 1; ++k) table[k][p[k]] += k < left ? 1 : 0;
    p = end;
    if (s->run == 0) continue;
    split_run(s->run, [&](std::uint32_t length) { ++symbols[kLength[length].symbol]; }, [&](std::uint32_t n) { table[0][p[-1]] += n; });
    p += s->run;
  }
  for (int k = 0; k < 256; ++k) symbols[k] = table[0][k] + table[1][k] + table[2][k] + table[3][k];
  symbols[kEndOfBlock] = 1;
}

/// Turns runs into literals where that takes fewer bits, and corrects the counts. Returns the number of segments left.
std::size_t drop_costly_runs(const std::uint8_t* data, const std::uint8_t* lengths, Segment* segments, std::size_t count,
                             std::uint32_t* symbols) {
  std::size_t kept = 0;
  std::uint32_t pending = 0;  // literals in front, from runs that were dropped
  const std::uint8_t* p = data;
  for (std::size_t k = 0; k < count; ++k) {
    Segment s = segments[k];
    p += s.literals + s.run;
    s.literals += pending;
    pending = 0;
    const bool short_run = s.run > 0 && s.run < kMaxRun;
    if (short_run && s.run * lengths[p[-1]] <= lengths[kLength[s.run].symbol] + kLength[s.run].extra_bits + kDistanceBits) {
      pending = s.literals + s.run;
      symbols[p[-1]] += s.run;
      --symbols[kLength[s.run].symbol];
    } else {
      segments[kept++] = s;
    }
  }
  if (pending > 0) segments[kept++] = {pending, 0};
  return kept;
}

/// The description of the codes at the head of a block: RFC 1951 §3.2.7.
struct CodeHeader {
  std::uint8_t symbols[kMaxSymbols + 2], extras[kMaxSymbols + 2];  // code lengths, run-length coded
  int count = 0;
  std::uint8_t lengths[kCodeLengthSymbols];
  int literal_codes = 0, lengths_sent = 0;
  std::size_t bits = 0;
};

constexpr int extra_bits_of_code_length(int symbol) { return symbol < 16 ? 0 : symbol == 16 ? 2 : symbol == 17 ? 3 : 7; }

CodeHeader describe_codes(const std::uint8_t* literal_lengths) {
  CodeHeader header;
  header.literal_codes = kLiteralSymbols;
  while (literal_lengths[header.literal_codes - 1] == 0) --header.literal_codes;
  std::uint8_t all[kMaxSymbols + kDistanceCodes];
  std::copy_n(literal_lengths, header.literal_codes, all);
  std::fill_n(all + header.literal_codes, kDistanceCodes, std::uint8_t{1});
  const int total = header.literal_codes + kDistanceCodes;

  std::uint32_t counts[kCodeLengthSymbols] = {};
  const auto add = [&](int symbol, int extra) {
    header.symbols[header.count] = static_cast<std::uint8_t>(symbol);
    header.extras[header.count++] = static_cast<std::uint8_t>(extra);
    ++counts[symbol];
  };
  for (int i = 0; i < total;) {
    int run = 1;
    while (i + run < total && all[i + run] == all[i]) ++run;
    const std::uint8_t value = all[i];
    i += run;
    if (value == 0) {
      for (; run >= 11; run -= std::min(run, 138)) add(18, std::min(run, 138) - 11);
      if (run >= 3) {
        add(17, run - 3);
        run = 0;
      }
    } else {
      add(value, 0);
      for (--run; run >= 3; run -= std::min(run, 6)) add(16, std::min(run, 6) - 3);
    }
    for (; run > 0; --run) add(value, 0);
  }

  huffman_lengths(counts, kCodeLengthSymbols, kCodeLengthBits, header.lengths);
  header.lengths_sent = kCodeLengthSymbols;
  while (header.lengths_sent > 4 && header.lengths[kCodeLengthOrder[header.lengths_sent - 1]] == 0) --header.lengths_sent;
  header.bits = 5 + 5 + 4 + 3 * static_cast<std::size_t>(header.lengths_sent);
  for (int s = 0; s < kCodeLengthSymbols; ++s) header.bits += std::size_t{counts[s]} * (header.lengths[s] + extra_bits_of_code_length(s));
  return header;
}

void write_header(BitWriter& out, const CodeHeader& header) {
  out.put(static_cast<std::uint64_t>(header.literal_codes - 257), 5);
  out.put(kDistanceCodes - 1, 5);
  out.put(static_cast<std::uint64_t>(header.lengths_sent - 4), 4);
  out.flush();
  for (int k = 0; k < header.lengths_sent; ++k) {
    out.put(header.lengths[kCodeLengthOrder[k]], 3);
    out.flush();
  }
  std::uint16_t codes[kCodeLengthSymbols];
  huffman_codes(header.lengths, kCodeLengthSymbols, codes);
  for (int k = 0; k < header.count; ++k) {
    const int symbol = header.symbols[k];
    out.put(codes[symbol], header.lengths[symbol]);
    out.put(header.extras[k], static_cast<unsigned>(extra_bits_of_code_length(symbol)));
    out.flush();
  }
}

/// A code ready to be written: `bits` in the lower half, their number in the upper.
struct Word {
  std::uint32_t bits;
  std::uint32_t width;
};

void write_tokens(BitWriter& target, const std::uint8_t* p, const Segment* segments, std::size_t count, const std::uint8_t* lengths) {
  std::uint16_t codes[kMaxSymbols];
  huffman_codes(lengths, kLiteralSymbols, codes);
  Word literal[256], match[kMaxRun + 1];
  for (int k = 0; k < 256; ++k) literal[k] = {codes[k], lengths[k]};
  for (int k = kMinRun; k <= kMaxRun; ++k) {
    // The code, its extra bits, and the zero bit that is distance 1.
    const LengthCode c = kLength[k];
    const std::uint32_t width = lengths[c.symbol];
    match[k] = {codes[c.symbol] | std::uint32_t{c.extra} << width, width + c.extra_bits + kDistanceBits};
  }

  BitWriter out = target;  // a local copy stays in registers
  for (const Segment* s = segments; s != segments + count; ++s) {
    const std::uint8_t* end = p + s->literals;
    for (; end - p >= kLiteralsPerFlush; p += kLiteralsPerFlush) {
      const Word a = literal[p[0]], b = literal[p[1]], c = literal[p[2]], d = literal[p[3]];
      // Pairs first: only the last step waits for the bits before.
      const std::uint64_t ab = a.bits | std::uint64_t{b.bits} << a.width, cd = c.bits | std::uint64_t{d.bits} << c.width;
      const std::uint32_t ab_width = a.width + b.width;
      out.put(ab | cd << ab_width, ab_width + c.width + d.width);
      out.flush();
    }
    const std::ptrdiff_t left = end - p;
    for (int k = 0; k < kLiteralsPerFlush - 1; ++k) {
      const std::uint32_t wanted = k < left ? ~0u : 0u;
      out.put(literal[p[k]].bits & wanted, literal[p[k]].width & wanted);
    }
    out.flush();
    p = end;
    if (s->run == 0) continue;
    split_run(
        s->run,
        [&](std::uint32_t length) {
          out.put(match[length].bits, match[length].width);
          out.flush();
        },
        [&](std::uint32_t n) {
          for (std::uint32_t k = 0; k < n; ++k) out.put(literal[p[-1]].bits, literal[p[-1]].width);
          out.flush();
        });
    p += s->run;
  }
  out.put(codes[kEndOfBlock], lengths[kEndOfBlock]);
  out.flush();
  target = out;
}

void write_stored(BitWriter& out, const std::uint8_t* data, std::size_t bytes, bool last) {
  do {
    const std::size_t take = std::min(bytes, kStoredMax);
    out.put(last && take == bytes ? 1 : 0, 1);
    out.put(0, 2);
    out.align();
    out.put(take | (~take & 0xFFFF) << 16, 32);
    out.flush();
    std::memcpy(out.next, data, take);
    out.next += take;
    data += take;
    bytes -= take;
  } while (bytes > 0);
}

std::size_t tokens_bits(const std::uint32_t* counts, const std::uint8_t* lengths) {
  std::size_t bits = 0;
  for (int s = 0; s < kFirstLength; ++s) bits += std::size_t{counts[s]} * lengths[s];
  for (int s = kFirstLength; s < kLiteralSymbols; ++s) {
    const int extra_bits = s < 265 || s == 285 ? 0 : (s - 261) / 4;
    bits += std::size_t{counts[s]} * (lengths[s] + static_cast<unsigned>(extra_bits) + kDistanceBits);
  }
  return bits;
}

/// Sorts count << 16 | symbol, given in order of the symbols: byte by byte of the count, three times as fast as std::sort here.
void sort_leaves(std::uint64_t* leaves, int n) {
  std::uint64_t all = 0, buffer[kMaxSymbols];
  for (int k = 0; k < n; ++k) all |= leaves[k];
  std::uint64_t *from = leaves, *to = buffer;
  for (unsigned shift = 16; shift < 48 && all >> shift != 0; shift += 8) {
    int starts[257] = {};
    for (int k = 0; k < n; ++k) ++starts[(from[k] >> shift & 0xFF) + 1];
    for (int digit = 0; digit < 256; ++digit) starts[digit + 1] += starts[digit];
    for (int k = 0; k < n; ++k) to[starts[from[k] >> shift & 0xFF]++] = from[k];
    std::swap(from, to);
  }
  if (from != leaves) std::copy_n(from, n, leaves);
}

}  // namespace

void huffman_lengths(const std::uint32_t* counts, int symbols, int max_bits, std::uint8_t* lengths) {
  std::fill_n(lengths, symbols, std::uint8_t{0});
  std::uint64_t leaves[kMaxSymbols];  // count, then symbol: sorted rarest first, ties by symbol
  int n = 0;
  for (int s = 0; s < symbols; ++s)
    if (counts[s] > 0) leaves[n++] = std::uint64_t{counts[s]} << 16 | static_cast<std::uint64_t>(s);
  if (n == 0) return;
  if (n == 1) {
    lengths[leaves[0] & 0xFFFF] = 1;
    return;
  }
  sort_leaves(leaves, n);

  // Huffman's tree with two queues: leaves 0..n-1 and, in the order they are made, inner nodes n..2n-2.
  std::uint64_t weights[kMaxSymbols];
  int parents[2 * kMaxSymbols], depth[2 * kMaxSymbols];
  int leaf = 0, inner = 0;
  for (int made = 0; made < n - 1; ++made) {
    weights[made] = 0;
    for (int child = 0; child < 2; ++child) {
      const bool take_leaf = leaf < n && (inner == made || leaves[leaf] >> 16 <= weights[inner]);
      weights[made] += take_leaf ? leaves[leaf] >> 16 : weights[inner];
      parents[take_leaf ? leaf++ : n + inner++] = n + made;
    }
  }
  int of_length[kMaxSymbols] = {};
  depth[2 * n - 2] = 0;
  for (int node = 2 * n - 3; node >= 0; --node) depth[node] = depth[parents[node]] + 1;
  for (int k = 0; k < n; ++k) ++of_length[std::min(depth[k], max_bits)];

  // Codes cut to max_bits claim too much of the code space: each step lengthens one shorter code and pairs a cut one with it.
  std::uint64_t claimed = 0;
  for (int bits = 1; bits <= max_bits; ++bits) claimed += static_cast<std::uint64_t>(of_length[bits]) << (max_bits - bits);
  for (; claimed > std::uint64_t{1} << max_bits; --claimed) {
    int bits = max_bits - 1;
    while (of_length[bits] == 0) --bits;
    --of_length[bits];
    of_length[bits + 1] += 2;
    --of_length[max_bits];
  }
  for (int bits = max_bits, k = 0; bits > 0; --bits)
    for (int i = 0; i < of_length[bits]; ++i, ++k) lengths[leaves[k] & 0xFFFF] = static_cast<std::uint8_t>(bits);
}

void huffman_codes(const std::uint8_t* lengths, int symbols, std::uint16_t* codes) {
  int of_length[17] = {};
  for (int s = 0; s < symbols; ++s) ++of_length[lengths[s]];
  of_length[0] = 0;
  std::uint32_t next[17] = {};
  for (int bits = 1; bits < 17; ++bits) next[bits] = (next[bits - 1] + static_cast<std::uint32_t>(of_length[bits - 1])) << 1;
  for (int s = 0; s < symbols; ++s) {
    std::uint32_t code = next[lengths[s]]++, reversed = 0;
    for (int k = 0; k < lengths[s]; ++k, code >>= 1) reversed = reversed << 1 | (code & 1);
    codes[s] = static_cast<std::uint16_t>(reversed);
  }
}

void deflate_block(BitWriter& out, const std::uint8_t* data, std::size_t bytes, bool last) {
  Scratch scratch;
  auto* equal = scratch.take<std::uint64_t>((bytes + 63) / 64 + 1);
  auto* segments = scratch.take<Segment>(bytes / (kMinRun + 1) + 2);
  std::size_t count = 0;
  if (bytes > 0) {
    mark_equal(data, bytes, equal);
    count = find_runs(equal, bytes, segments);
  }

  std::uint32_t counts[kMaxSymbols];
  std::uint8_t lengths[kMaxSymbols];
  count_symbols(data, segments, count, counts);
  huffman_lengths(counts, kLiteralSymbols, kLiteralBits, lengths);
  const std::size_t kept = drop_costly_runs(data, lengths, segments, count, counts);
  if (kept != count) {
    count = kept;
    huffman_lengths(counts, kLiteralSymbols, kLiteralBits, lengths);
  }

  const CodeHeader header = describe_codes(lengths);
  const std::size_t coded_bits = 3 + header.bits + tokens_bits(counts, lengths);
  const std::size_t stored_bits = 8 * (bytes + (bytes / kStoredMax + 1) * 5);
  if (coded_bits >= stored_bits) {
    write_stored(out, data, bytes, last);
    return;
  }
  out.put(last ? 1 : 0, 1);
  out.put(2, 2);
  write_header(out, header);
  write_tokens(out, data, segments, count, lengths);
}

}  // namespace forge_rt
