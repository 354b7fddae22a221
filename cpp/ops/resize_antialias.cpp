// resize_antialias, crop_resize, resize_paste: check inputs, dispatch; with their scalar oracle.
#include "forge_rt/ops/resize_antialias.h"

#include "forge_rt/core/thread_pool.h"
#include "frame_limits.h"
#include "resize_antialias_table.h"
#include "resize_antialias_taps.h"

namespace forge_rt {
namespace resize {

OpTable<ResizeFn>& resize_table() {
  static OpTable<ResizeFn> table{"resize_antialias"};
  return table;
}

namespace {

void resize_scalar(const ResizeArgs& a, Stream) {
  Scratch scratch;
  const SampleTaps* taps = make_taps(scratch, a);
  const std::int64_t in_plane = static_cast<std::int64_t>(a.in_height) * a.in_width,
                     out_plane = static_cast<std::int64_t>(a.out_height) * a.out_width;
  parallel_for_ranges(a.batch * a.channels * a.out_height, 512 / a.out_width + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t plane = i / a.out_height;
      const SampleTaps& t = taps[a.boxes != nullptr ? plane / a.channels : 0];
      const Box &from = t.regions.from, &to = t.regions.to;
      const int y = static_cast<int>(i % a.out_height);  // rows of the box first; a paste leaves the others alone
      if (y >= height_of(to)) continue;
      const float* in = a.in + plane * in_plane + static_cast<std::int64_t>(from.row0) * a.in_width + from.column0;
      float* out = a.out + plane * out_plane + static_cast<std::int64_t>(to.row0 + y) * a.out_width + to.column0;
      for (int x = 0; x < width_of(to); ++x) out[x] = resize_value(in, a.in_width, t.rows, t.columns, y, x);
    }
  });
}

const Register<ResizeFn> registered(resize_table().scalar, resize_scalar);

void check_images(const Tensor& x, const char* name) {
  expect(x, name, "[B, C, H, W]", DType::f32, {kAny, kAny, kAny, kAny});
  check_argument(x.size(2) >= 1 && x.size(2) <= kLargestSide && x.size(3) >= 1 && x.size(3) <= kLargestSide, "sides of ", name,
                 " must be 1..", kLargestSide, " pixels, got ", shape_str(x.shape()));
}

void check_size(ImageSize size) {
  check_argument(size.height >= 1 && size.height <= kLargestSide && size.width >= 1 && size.width <= kLargestSide, "size must be 1..",
                 kLargestSide, " pixels each way, got ", size.height, " x ", size.width);
}

// `image`: where the boxes lie.
void check_boxes(const Tensor& boxes, const Tensor& image, BoxRule rule) {
  expect(boxes, "boxes", "[B, 4]", DType::i64, {image.size(0), 4});
  check_argument(boxes.device().is_cpu() || boxes.device() == image.device(), "boxes must be on the CPU or on ", image.device().str(),
                 ", got ", boxes.device().str());
  if (rule == BoxRule::clamp) return;
  check_argument(boxes.device().is_cpu(), "boxes on a GPU are not read back for checks: ask for BoxRule::clamp, or pass them on the CPU");
  const std::int64_t *box = boxes.data<std::int64_t>(), height = image.size(2), width = image.size(3);
  for (std::int64_t b = 0; b < boxes.size(0); ++b, box += 4)
    check_argument(box[0] >= 0 && box[1] <= height && box[0] < box[1] && box[2] >= 0 && box[3] <= width && box[2] < box[3], "box ", b,
                   " must be a part of rows 0..", height, " and columns 0..", width, ", got rows ", box[0], "..", box[1], " and columns ",
                   box[2], "..", box[3], "; or ask for boxes to be clamped");
}

ResizeArgs make_args(const Tensor& in, Tensor& out, const Tensor& boxes, bool paste) {
  return {in.data<float>(),
          out.mutable_data<float>(),
          in.size(0),
          in.size(1),
          static_cast<int>(in.size(2)),
          static_cast<int>(in.size(3)),
          static_cast<int>(out.size(2)),
          static_cast<int>(out.size(3)),
          boxes.defined() ? boxes.data<std::int64_t>() : nullptr,
          boxes.device().is_cpu(),
          paste};
}

Tensor resize_to(const Tensor& x, const Tensor& boxes, ImageSize size, Stream stream) {
  Tensor out = Tensor::empty({x.size(0), x.size(1), size.height, size.width}, DType::f32, x.device(), "resized images");
  if (out.count() > 0) resize_table().select(x.device())(make_args(x, out, boxes, false), stream);
  return out;
}

}  // namespace
}  // namespace resize

Tensor resize_antialias(const Tensor& x, ImageSize size, Stream stream) {
  resize::check_images(x, "x");
  resize::check_size(size);
  return resize::resize_to(x, {}, size, stream);
}

Tensor crop_resize(const Tensor& x, const Tensor& boxes, ImageSize size, BoxRule rule, Stream stream) {
  resize::check_images(x, "x");
  resize::check_size(size);
  resize::check_boxes(boxes, x, rule);
  return resize::resize_to(x, boxes, size, stream);
}

Tensor resize_paste(const Tensor& patch, const Tensor& boxes, const Tensor& image, BoxRule rule, Stream stream) {
  resize::check_images(image, "image");
  Tensor out = image.to(image.device(), stream);
  resize_paste_into(out, patch, boxes, rule, stream);
  return out;
}

void resize_paste_into(Tensor& image, const Tensor& patch, const Tensor& boxes, BoxRule rule, Stream stream) {
  resize::check_images(image, "image");
  resize::check_images(patch, "patch");
  check_argument(patch.size(0) == image.size(0) && patch.size(1) == image.size(1), "patch must have the image's ", image.size(0),
                 " samples and ", image.size(1), " channels, got ", shape_str(patch.shape()));
  check_argument(patch.device() == image.device(), "patch is on ", patch.device().str(), ", image on ", image.device().str());
  resize::check_boxes(boxes, image, rule);
  if (image.count() == 0) return;
  resize::resize_table().select(image.device())(resize::make_args(patch, image, boxes, true), stream);
}

}  // namespace forge_rt
