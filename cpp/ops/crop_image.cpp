// crop_image: check inputs, dispatch.
#include "forge_rt/ops/crop_image.h"

#include <cmath>

#include "crop_image_table.h"
#include "frame_limits.h"

namespace forge_rt {
namespace crop {

OpTable<CropFn>& crop_image_table() {
  static OpTable<CropFn> table{"crop_image"};
  return table;
}

}  // namespace crop

void CropOptions::validate() const {
  for (int i = 0; i < 3; ++i)
    check_argument(std::isfinite(mean[i]) && std::isfinite(scale[i]), "mean and scale must be finite, got ", mean[i], " and ", scale[i]);
  check_argument(border == CropBorder::constant || border == CropBorder::replicate, "border must be 0 (constant) or 1 (replicate), got ",
                 static_cast<int>(border));
}

void crop_image(const ImageView& frame, std::span<const Affine> to_frame, const CropOptions& options, Tensor& out, Stream stream) {
  frame.validate();
  options.validate();
  const auto batch = static_cast<std::int64_t>(to_frame.size());
  expect(out, "out", "[B, 3, S_y, S_x]", DType::f32, {batch, 3, kAny, kAny});
  check_argument(out.device() == frame.device, "out must be where the frame is, ", frame.device.str(), ", got ", out.device().str());
  check_argument(out.size(2) <= kLargestSide && out.size(3) <= kLargestSide, "sides of a crop must be at most ", kLargestSide,
                 " pixels, got ", out.size(2), " x ", out.size(3));
  for (std::size_t i = 0; i < to_frame.size(); ++i) check_matrix(to_frame[i], "to_frame[", i, "]");
  if (out.count() == 0) return;

  crop::CropArgs args{};
  args.data = frame.data;
  args.uv = frame.uv;
  args.stride = frame.row_bytes();
  args.uv_stride = frame.uv_row_bytes();
  args.width = frame.width;
  args.height = frame.height;
  args.format = frame.format;
  args.replicate = options.border == CropBorder::replicate;
  args.bgr = options.bgr;
  args.fill = options.fill;
  // From video range to full range: BT.601 and BT.709.
  args.red_v = frame.bt709 ? 1.79274107f : 1.59602678f;
  args.green_u = frame.bt709 ? 0.21324861f : 0.39176229f;
  args.green_v = frame.bt709 ? 0.53290933f : 0.81296765f;
  args.blue_u = frame.bt709 ? 2.11240179f : 2.01723214f;
  for (int c = 0; c < 3; ++c) {
    args.mean[c] = options.mean[c];
    args.scale[c] = options.scale[c];
  }
  args.to_frame = to_frame.data();
  args.batch = batch;
  args.out_width = static_cast<int>(out.size(3));
  args.out_height = static_cast<int>(out.size(2));
  args.out = out.mutable_data<float>();
  crop::crop_image_table().select(frame.device)(args, stream);
}

}  // namespace forge_rt
