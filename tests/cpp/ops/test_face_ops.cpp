// crop_image, unwarp_labels, unwarp_map: strides, ends of memory, empty and tiny sizes, on every CPU path. Values are checked from Python.
#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "check.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/thread_pool.h"
#include "forge_rt/ops/crop_image.h"
#include "forge_rt/ops/decode_faces.h"
#include "forge_rt/ops/unwarp_labels.h"

using namespace forge_rt;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

template <class Body>
void on_every_path(const Body& body) {
  const Isa before = active_isa();
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (isa > best_isa()) break;
    set_isa(isa);
    body();
  }
  set_isa(before);
}

std::uint8_t pattern(std::size_t i) { return static_cast<std::uint8_t>((i * 2654435761u) >> 13); }

// Exactly the bytes that a frame of this geometry has, so that a sanitizer sees a read beyond the last pixel.
struct Frame {
  std::unique_ptr<std::uint8_t[]> bytes, chroma;
  ImageView view;

  Frame(PixelFormat format, int width, int height, int extra) {
    const std::int64_t row = width * bytes_per_pixel(format), stride = row + extra;
    const std::size_t size = static_cast<std::size_t>(stride * (height - 1) + row);
    bytes.reset(new std::uint8_t[size]);
    std::fill_n(bytes.get(), size, std::uint8_t{0xEE});
    for (int y = 0; y < height; ++y)
      for (std::int64_t i = 0; i < row; ++i)
        bytes[static_cast<std::size_t>(y * stride + i)] = pattern(static_cast<std::size_t>(y * row + i));
    view.data = bytes.get();
    view.width = width;
    view.height = height;
    view.stride = stride;
    view.format = format;
    if (format != PixelFormat::nv12) return;
    const std::size_t chroma_size = static_cast<std::size_t>(stride * (height / 2 - 1) + row);
    chroma.reset(new std::uint8_t[chroma_size]);
    for (int y = 0; y < height / 2; ++y)
      for (std::int64_t i = 0; i < row; ++i)
        chroma[static_cast<std::size_t>(y * stride + i)] = pattern(static_cast<std::size_t>(7919 + y * row + i));
    view.uv = chroma.get();
    view.uv_stride = stride;
  }
};

std::vector<float> crop(const ImageView& frame, const std::vector<Affine>& to_frame, int size, CropOptions options = {}) {
  Tensor out = Tensor::empty({static_cast<std::int64_t>(to_frame.size()), 3, size, size}, DType::f32);
  crop_image(frame, to_frame, options, out);
  return {out.data<float>(), out.data<float>() + out.count()};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

const std::vector<Affine> kMaps = {{1, 0, 0, 0, 1, 0},          {0.9f, -0.4f, 3, 0.4f, 0.9f, -2}, {-1, 0, 25, 0, -1, 18},
                                   {3.1f, 0, -20, 0, 2.9f, -5}, {0.05f, 0, 24, 0, 0.05f, 17},     {1, 0, 1e8f, 0, 1, -1e8f}};

}  // namespace

TEST(crop_every_format_stride_and_path) {
  for (const PixelFormat format :
       {PixelFormat::rgb, PixelFormat::bgr, PixelFormat::rgba, PixelFormat::bgra, PixelFormat::gray, PixelFormat::nv12})
    for (const auto& [width, height] : {std::pair{26, 18}, {2, 2}, {4, 6}, {64, 4}}) {
      const Frame tight(format, width, height, 0), loose(format, width, height, 13);
      for (const CropBorder border : {CropBorder::constant, CropBorder::replicate}) {
        CropOptions options;
        options.border = border;
        options.fill = 9;
        set_isa(Isa::baseline);
        const std::vector<float> oracle = crop(tight.view, kMaps, 27, options);
        on_every_path([&] {
          CHECK(same_bits(crop(tight.view, kMaps, 27, options), oracle));
          CHECK(same_bits(crop(loose.view, kMaps, 27, options), oracle));
        });
        set_isa(best_isa());
      }
    }
}

TEST(crop_identity_is_the_frame) {
  const Frame frame(PixelFormat::rgb, 33, 33, 5);
  on_every_path([&] {
    const std::vector<float> out = crop(frame.view, {Affine{}}, 33);
    for (int y = 0; y < 33; ++y)
      for (int x = 0; x < 33; ++x)
        for (int c = 0; c < 3; ++c)
          CHECK(out[static_cast<std::size_t>((c * 33 + y) * 33 + x)] == frame.view.data[y * frame.view.stride + 3 * x + c]);
  });
}

TEST(crop_one_pixel) {
  const Frame frame(PixelFormat::bgra, 1, 1, 0);
  CropOptions options;
  options.border = CropBorder::replicate;
  on_every_path([&] {
    const std::vector<float> out = crop(frame.view, {Affine{0.1f, 0, -4, 0, 7, 3}}, 9, options);
    CHECK(std::all_of(out.begin(), out.begin() + 81, [&](float v) { return v == frame.view.data[2]; }));
    CHECK(crop(frame.view, {}, 5).empty());
  });
}

TEST(crop_rejects) {
  const Frame frame(PixelFormat::rgb, 8, 8, 0);
  for (const float bad : {kNan, kInfinity, -kInfinity, 1e12f}) {
    CHECK_THROWS(crop(frame.view, {Affine{bad, 0, 0, 0, 1, 0}}, 4), invalid_argument);
    CHECK_THROWS(crop(frame.view, {Affine{1, 0, 0, 0, 1, bad}}, 4), invalid_argument);
  }
  const auto with = [&](auto change) {
    ImageView view = frame.view;
    change(view);
    return view;
  };
  CHECK_THROWS(with([](ImageView& v) { v.data = nullptr; }).validate(), invalid_argument);
  CHECK_THROWS(with([](ImageView& v) { v.width = 0; }).validate(), invalid_argument);
  CHECK_THROWS(with([](ImageView& v) { v.height = 40000; }).validate(), invalid_argument);
  CHECK_THROWS(with([](ImageView& v) { v.stride = 23; }).validate(), invalid_argument);
  CHECK_THROWS(with([](ImageView& v) { v.stride = -24; }).validate(), invalid_argument);
  CHECK_THROWS(with([](ImageView& v) { v.format = static_cast<PixelFormat>(77); }).validate(), invalid_argument);
  CHECK_THROWS(with([](ImageView& v) { v.format = PixelFormat::nv12; }).validate(), invalid_argument);
  Tensor out = Tensor::empty({1, 3, 4, 4}, DType::u8);
  CHECK_THROWS(crop_image(frame.view, kMaps, {}, out), invalid_argument);
}

TEST(image_view_of_tensors) {
  const Tensor rgb = Tensor::zeros({5, 7, 3}, DType::u8), gray = Tensor::zeros({5, 7}, DType::u8);
  CHECK(ImageView::of(rgb).width == 7 && ImageView::of(rgb).row_bytes() == 21);
  CHECK(ImageView::of(gray, PixelFormat::gray).height == 5);
  CHECK_THROWS(ImageView::of(gray), invalid_argument);
  CHECK_THROWS(ImageView::of(rgb, PixelFormat::rgba), invalid_argument);
  CHECK_THROWS(ImageView::of(rgb, PixelFormat::nv12), invalid_argument);
  CHECK_THROWS(ImageView::of(Tensor::zeros({5, 7, 3}, DType::f32)), invalid_argument);
  CHECK_THROWS(ImageView::of(Tensor()), invalid_argument);
  CHECK_THROWS(ImageView::of(Tensor::zeros({0, 7, 3}, DType::u8)), invalid_argument);
}

TEST(affine_algebra) {
  const Affine m{0.9f, -0.4f, 3, 0.4f, 0.9f, -2}, identity = m.after(m.inverse());
  CHECK_NEAR(identity.a, 1, 1e-6);
  CHECK_NEAR(identity.b, 0, 1e-6);
  CHECK_NEAR(identity.c, 0, 1e-5);
  CHECK_NEAR(identity.f, 0, 1e-5);
  float x, y, x2, y2;
  kMaps[3].after(m).map(5, 7, x, y);
  m.map(5, 7, x2, y2);
  kMaps[3].map(x2, y2, x2, y2);
  CHECK_NEAR(x, x2, 1e-4);
  CHECK_NEAR(y, y2, 1e-4);
  CHECK_THROWS((Affine{0, 0, 1, 0, 0, 1}.inverse()), invalid_argument);
  CHECK_THROWS((Affine{1, 2, 0, 2, 4, 0}.inverse()), invalid_argument);
  CHECK_THROWS((Affine{1, 0, kNan, 0, 1, 0}.inverse()), invalid_argument);
  CHECK_THROWS((Affine{kInfinity, 0, 0, 0, 1, 0}.inverse()), invalid_argument);
  CHECK_NEAR((Affine{1e-4f, 0, 0, 0, 1e-4f, 0}.inverse().a), 1e4, 1);
}

TEST(unwarp_writes_only_the_rect) {
  const int channels = 5, side = 19;
  std::vector<float> values(static_cast<std::size_t>(channels * side * side));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = pattern(i);
  const Tensor logits = Tensor::from(values, {channels, side, side});
  const Tensor map = logits.slice(0, 1).reshape({side, side});
  const Affine to_crop{0.4f, 0.1f, 0, -0.1f, 0.4f, 2};
  const PixelRect rect{3, 2, 40, 29};
  const int stride = 61;
  std::vector<std::uint8_t> first_labels;
  std::vector<float> first_map;
  on_every_path([&] {
    // Exactly the bytes from the first pixel of the rect to its last.
    const std::size_t size = static_cast<std::size_t>(stride * (rect.height() - 1) + rect.width());
    std::vector<std::uint8_t> labels(size, 0xAA), confidence(size, 0xAA);
    UnwarpOptions options;
    options.background = 200;
    unwarp_labels(logits, to_crop, side, side, rect, labels.data(), stride, confidence.data(), stride, options);
    std::vector<float> out(size, -5.f);
    unwarp_map(map, to_crop, side, side, rect, nullptr, 0, out.data(), stride);
    for (std::size_t i = 0; i < size; ++i)
      if (static_cast<int>(i) % stride >= rect.width()) CHECK(labels[i] == 0xAA && confidence[i] == 0xAA && out[i] == -5.f);
    CHECK(std::count_if(labels.begin(), labels.end(), [](int v) { return v < channels; }) > 500);
    if (first_labels.empty()) {
      first_labels = labels;
      first_map = out;
    }
    CHECK(labels == first_labels);
    CHECK(same_bits(out, first_map));
  });
}

TEST(unwarp_rejects) {
  const Tensor logits = Tensor::zeros({3, 4, 4}, DType::f32);
  std::vector<std::uint8_t> labels(64);
  const auto run = [&](const Tensor& l, Affine m, int crop_side, PixelRect rect, int stride, UnwarpOptions options = {}) {
    unwarp_labels(l, m, crop_side, crop_side, rect, labels.data(), stride, nullptr, 0, options);
  };
  run(logits, {}, 4, {0, 0, 8, 8}, 8);
  run(logits, {}, 4, {5, 5, 5, 9}, 0);  // empty: nothing to do
  CHECK_THROWS(run(logits, {kNan, 0, 0, 0, 1, 0}, 4, {0, 0, 8, 8}, 8), invalid_argument);
  CHECK_THROWS(run(logits, {1e12f, 0, 0, 0, 1, 0}, 4, {0, 0, 8, 8}, 8), invalid_argument);
  CHECK_THROWS(run(logits, {}, 0, {0, 0, 8, 8}, 8), invalid_argument);
  CHECK_THROWS(run(logits, {}, 4, {0, 0, 8, 8}, 7), invalid_argument);
  CHECK_THROWS(run(logits, {}, 4, {-1, 0, 7, 8}, 8), invalid_argument);
  CHECK_THROWS(run(Tensor::zeros({0, 4, 4}, DType::f32), {}, 4, {0, 0, 8, 8}, 8), invalid_argument);
  CHECK_THROWS(run(Tensor::zeros({2, 0, 4}, DType::f32), {}, 4, {0, 0, 8, 8}, 8), invalid_argument);
  UnwarpOptions nothing_left;
  nothing_left.masked = ~std::uint64_t{0};
  CHECK_THROWS(run(logits, {}, 4, {0, 0, 8, 8}, 8, nothing_left), invalid_argument);
  CHECK_THROWS(crop_footprint({kNan, 0, 0, 0, 1, 0}, 4, 4, 8, 8), invalid_argument);
  CHECK(crop_footprint({1, 0, 1e9f, 0, 1, 0}, 4, 4, 8, 8).empty());
  CHECK((crop_footprint({1, 0, -1e8f, 0, 1e9f, -1e8f}, 4, 4, 8, 8).width() == 0));
}

TEST(decode_keeps_its_memory) {
  const Tensor score = Tensor::zeros({1, 1, 6, 6}, DType::f32), box = Tensor::zeros({1, 4, 6, 6}, DType::f32),
               points = Tensor::zeros({1, 10, 6, 6}, DType::f32);
  std::vector<Detection> found;
  decode_faces(score, box, points, {}, found);
  CHECK(found.size() == 36);  // neighbours overlap by a third
  const Detection* const memory = found.data();
  decode_faces(score, box, points, {}, found);
  CHECK(found.data() == memory);
  CHECK_NEAR(found[0].box.left, -4, 1e-6);
  CHECK_NEAR(found[0].points[2][0], 4, 1e-6);
}
