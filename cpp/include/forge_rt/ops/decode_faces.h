// Boxes from a detector's dense outputs: threshold, decode, greedy non-maximum suppression.
#pragma once

#include <array>
#include <vector>

#include "forge_rt/ops/image_view.h"

namespace forge_rt {

struct Detection {
  Box box;
  float score = 0;                                ///< 0..1
  std::array<std::array<float, 2>, 5> points{};   ///< right eye, left eye, nose tip, right and left mouth corner (the subject's), pixels
  int image = 0;                                  ///< row of the batch
};

struct DecodeOptions {
  int stride = 8;                ///< input pixels per cell
  float score_threshold = 0.5f;
  float iou_threshold = 0.4f;    ///< a box that overlaps a better one more is dropped
  int max_faces = 64;            ///< per image, best first
  void validate() const;
};

/// Single-scale detector head. Cell (i, j) has its centre at ((j + ½) stride, (i + ½) stride) =: (x, y) of the network's input.
///   score   [B, 1, h, w] float32 logits; sigmoid is the score
///   box     [B, 4, h, w] float32: left, top, right, bottom distance from the centre; distance = stride · exp(value)
///   points  [B, 10, h, w] float32: x, y of five points; position = centre + stride · exp(mean of the four box values) · value
/// Boxes and points in input pixels, sorted by score within each image, ties by cell. NaN scores are dropped, and so are cells whose box
/// or points are not finite. At most the best 4096 cells of an image are decoded. `out` is cleared and keeps its capacity. CPU tensors.
FORGE_RT_API void decode_faces(const Tensor& score, const Tensor& box, const Tensor& points, const DecodeOptions& options,
                               std::vector<Detection>& out);

FORGE_RT_API float box_iou(const Box& a, const Box& b);

}  // namespace forge_rt
