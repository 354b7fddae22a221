#include "models/faces/paint.h"

#include <cmath>

namespace forge_rt::faces {

void Painter::paint(const FaceMaps& maps, ImageSize crop, const AnalyzeOptions& options, Face& face, Faces& out) {
  const bool parsing = maps.logits != nullptr, depth = options.depth_map && maps.depth != nullptr;
  const bool mask = options.mask && parsing, confidence = options.confidence && parsing;
  face.area.assign(mask ? maps.classes : 0, 0);
  if (face.rect.empty() || (!mask && !confidence && !depth)) return;

  const PixelRect rect = face.rect;
  const std::int64_t width = rect.width();
  const std::size_t count = static_cast<std::size_t>(width) * rect.height();
  const Device device = parsing ? maps.logits->device() : maps.depth->device();
  const Stream stream{device, nullptr};
  std::uint8_t* labels = nullptr;
  if (parsing) {
    labels = labels_.clear(count, device);
    std::uint8_t* sure = confidence ? confidence_.clear(count, device) : nullptr;
    const UnwarpOptions unwarp{.nearest = options.nearest, .masked = maps.ignored};
    unwarp_labels(*maps.logits, face.to_crop, crop.width, crop.height, rect, labels, width, sure, width, unwarp, stream);
  }
  if (depth) {
    float* metres = depth_.clear(count, device);
    unwarp_map(*maps.depth, face.to_crop, crop.width, crop.height, rect, labels, width, metres, width, stream);
  }

  const std::uint8_t* label = parsing ? labels_.host(count) : nullptr;
  const std::uint8_t* sure = confidence ? confidence_.host(count) : nullptr;
  const float* metres = depth ? depth_.host(count) : nullptr;
  for (int y = rect.top; y < rect.bottom; ++y) {
    const std::size_t to = static_cast<std::size_t>(y) * out.width + rect.left, from = static_cast<std::size_t>(y - rect.top) * width;
    if (mask)
      for (std::int64_t x = 0; x < width; ++x) {
        const std::uint8_t id = label[from + x];
        if (id == 0 || id >= maps.classes) continue;
        out.mask[to + x] = id;
        ++face.area[id];
      }
    if (confidence)  // where two faces show nothing, the first stays
      for (std::int64_t x = 0; x < width; ++x)
        if (label[from + x] != 0 || out.confidence[to + x] == 0) out.confidence[to + x] = sure[from + x];
    if (depth)  // without labels: zeros are pixels outside the crop
      for (std::int64_t x = 0; x < width; ++x)
        if (parsing ? label[from + x] != 0 : metres[from + x] != 0) out.depth[to + x] = maps.depth_scale * metres[from + x];
  }
}

float Painter::confidence(const FaceMaps& maps, ImageSize crop, const Affine& to_frame, int frame_width, int frame_height) {
  constexpr int kSide = 64;
  constexpr std::size_t kCount = std::size_t{kSide} * kSide;
  const Device device = maps.logits->device();
  const Affine grid{static_cast<float>(crop.width) / kSide, 0, 0, 0, static_cast<float>(crop.height) / kSide, 0};
  std::uint8_t* labels = labels_.clear(kCount, device);
  std::uint8_t* sure = confidence_.clear(kCount, device);
  unwarp_labels(*maps.logits, grid, crop.width, crop.height, {0, 0, kSide, kSide}, labels, kSide, sure, kSide, {.masked = maps.ignored},
                {device, nullptr});
  const std::uint8_t* label = labels_.host(kCount);
  const std::uint8_t* value = confidence_.host(kCount);
  const Affine place = to_frame.after(grid);
  std::int64_t sum = 0, pixels = 0;
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      if (label[y * kSide + x] == 0) continue;
      float u = 0, v = 0;
      place.map(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f, u, v);
      if (!(u >= 0 && v >= 0 && u < static_cast<float>(frame_width) && v < static_cast<float>(frame_height))) continue;
      sum += value[y * kSide + x];
      ++pixels;
    }
  return pixels > 0 ? static_cast<float>(sum) / (255.f * static_cast<float>(pixels)) : 0.f;
}

}  // namespace forge_rt::faces
