// unwarp_labels, unwarp_map, crop_footprint: check inputs, dispatch.
#include "forge_rt/ops/unwarp_labels.h"

#include <algorithm>
#include <cmath>

#include "frame_limits.h"
#include "unwarp_labels_table.h"

namespace forge_rt {
namespace unwarp {

OpTable<UnwarpLabelsFn>& unwarp_labels_table() {
  static OpTable<UnwarpLabelsFn> table{"unwarp_labels"};
  return table;
}

OpTable<UnwarpMapFn>& unwarp_map_table() {
  static OpTable<UnwarpMapFn> table{"unwarp_map"};
  return table;
}

namespace {

void check_crop(int width, int height) {
  check_argument(width >= 1 && width <= kLargestSide && height >= 1 && height <= kLargestSide, "sides of a crop must be 1..", kLargestSide,
                 " pixels, got ", width, " x ", height);
}

void check_rect(const PixelRect& r) {
  check_argument(r.left >= 0 && r.top >= 0 && r.right <= kLargestSide && r.bottom <= kLargestSide, "rect must lie within 0..", kLargestSide,
                 ", got columns ", r.left, "..", r.right, " and rows ", r.top, "..", r.bottom);
}

Grid make_grid(const Affine& to_crop, int crop_width, int crop_height, std::int64_t width, std::int64_t height) {
  check_matrix(to_crop, "to_crop");
  check_crop(crop_width, crop_height);
  check_argument(width >= 1 && width <= kLargestSide && height >= 1 && height <= kLargestSide, "sides of a map must be 1..", kLargestSide,
                 ", got ", width, " x ", height);
  return {to_crop,
          static_cast<float>(crop_width),
          static_cast<float>(crop_height),
          static_cast<float>(width) / static_cast<float>(crop_width),
          static_cast<float>(height) / static_cast<float>(crop_height),
          static_cast<int>(width),
          static_cast<int>(height)};
}

}  // namespace
}  // namespace unwarp

PixelRect crop_footprint(const Affine& to_frame, int crop_width, int crop_height, int frame_width, int frame_height) {
  check_matrix(to_frame, "to_frame");
  unwarp::check_crop(crop_width, crop_height);
  // The extreme corners along each axis, one pixel wider against rounding; clamped before they become integers.
  const auto range = [](double from_x, double from_y, double offset, double width, double height, int limit, int& begin, int& end) {
    const double low = offset + std::min(from_x * width, 0.0) + std::min(from_y * height, 0.0);
    const double high = offset + std::max(from_x * width, 0.0) + std::max(from_y * height, 0.0);
    begin = static_cast<int>(std::clamp(std::floor(low) - 1, 0.0, static_cast<double>(limit)));
    end = static_cast<int>(std::clamp(std::ceil(high) + 1, 0.0, static_cast<double>(limit)));
  };
  check_argument(frame_width >= 0 && frame_height >= 0, "sides of a frame must not be negative, got ", frame_width, " x ", frame_height);
  PixelRect rect;
  range(to_frame.a, to_frame.b, to_frame.c, crop_width, crop_height, frame_width, rect.left, rect.right);
  range(to_frame.d, to_frame.e, to_frame.f, crop_width, crop_height, frame_height, rect.top, rect.bottom);
  return rect;
}

void unwarp_labels(const Tensor& logits, const Affine& to_crop, int crop_width, int crop_height, PixelRect rect, std::uint8_t* labels,
                   std::int64_t label_stride, std::uint8_t* confidence, std::int64_t confidence_stride, const UnwarpOptions& options,
                   Stream stream) {
  expect(logits, "logits", "[C, h, w]", DType::f32, {kAny, kAny, kAny});
  const std::int64_t channels = logits.size(0);
  check_argument(channels >= 1 && channels <= unwarp::kMostClasses, "logits must have 1..", unwarp::kMostClasses, " classes, got ",
                 channels);
  const std::uint64_t all = channels >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << channels) - 1;
  check_argument(channels > 64 || (options.masked & all) != all, "at least one of ", channels, " classes must not be masked");
  unwarp::UnwarpArgs args{};
  args.grid = unwarp::make_grid(to_crop, crop_width, crop_height, logits.size(2), logits.size(1));
  if (rect.empty() || (labels == nullptr && confidence == nullptr)) return;
  unwarp::check_rect(rect);
  check_argument(labels == nullptr || label_stride >= rect.width(), "label_stride must be at least ", rect.width(), " bytes, got ",
                 label_stride);
  check_argument(confidence == nullptr || confidence_stride >= rect.width(), "confidence_stride must be at least ", rect.width(),
                 " bytes, got ", confidence_stride);
  args.rect = rect;
  args.logits = logits.data<float>();
  args.channels = static_cast<int>(channels);
  args.masked = options.masked;
  args.nearest = options.nearest;
  args.background = options.background;
  args.labels = labels;
  args.label_stride = label_stride;
  args.confidence = confidence;
  args.confidence_stride = confidence_stride;
  unwarp::unwarp_labels_table().select(logits.device())(args, stream);
}

void unwarp_map(const Tensor& map, const Affine& to_crop, int crop_width, int crop_height, PixelRect rect, const std::uint8_t* mask,
                std::int64_t mask_stride, float* out, std::int64_t stride, Stream stream) {
  expect(map, "map", "[h, w]", DType::f32, {kAny, kAny});
  unwarp::UnwarpMapArgs args{};
  args.grid = unwarp::make_grid(to_crop, crop_width, crop_height, map.size(1), map.size(0));
  if (rect.empty()) return;
  unwarp::check_rect(rect);
  check_argument(out != nullptr, "unwarp_map needs memory to write to, got a null pointer");
  check_argument(mask == nullptr || mask_stride >= rect.width(), "mask_stride must be at least ", rect.width(), " bytes, got ",
                 mask_stride);
  check_argument(stride >= rect.width(), "stride must be at least ", rect.width(), " elements, got ", stride);
  args.rect = rect;
  args.map = map.data<float>();
  args.mask = mask;
  args.mask_stride = mask_stride;
  args.out = out;
  args.stride = stride;
  unwarp::unwarp_map_table().select(map.device())(args, stream);
}

}  // namespace forge_rt
