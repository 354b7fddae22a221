// decode_faces: threshold, decode, greedy non-maximum suppression. A few thousand cells at most: plain loops.
#include "forge_rt/ops/decode_faces.h"

#include <algorithm>
#include <cmath>

#include "../core/scratch.h"

namespace forge_rt {
namespace {

constexpr std::int64_t kMostCandidates = 4096;  // per image, best first: bounds the time of a damaged or untrained detector

struct Candidate {
  float score;
  std::int32_t cell;
};

bool better(const Candidate& a, const Candidate& b) { return a.score != b.score ? a.score > b.score : a.cell < b.cell; }

struct Maps {
  const float *box, *points;  // of one image
  std::int64_t cells, width;
  float stride;
};

// False when a value is not finite.
bool decode_cell(const Maps& m, std::int64_t cell, Detection& out) {
  const float x = (static_cast<float>(cell % m.width) + 0.5f) * m.stride, y = (static_cast<float>(cell / m.width) + 0.5f) * m.stride;
  float side[4], mean = 0;
  for (int i = 0; i < 4; ++i) {
    const float value = m.box[i * m.cells + cell];
    side[i] = m.stride * std::exp(value);
    mean += value / 4;
  }
  out.box = {x - side[0], y - side[1], x + side[2], y + side[3]};
  bool finite = std::isfinite(out.box.left) && std::isfinite(out.box.top) && std::isfinite(out.box.right) && std::isfinite(out.box.bottom);
  const float unit = m.stride * std::exp(mean);
  for (int i = 0; i < 5; ++i) {
    out.points[i] = {x + unit * m.points[(2 * i) * m.cells + cell], y + unit * m.points[(2 * i + 1) * m.cells + cell]};
    finite = finite && std::isfinite(out.points[i][0]) && std::isfinite(out.points[i][1]);
  }
  return finite;
}

}  // namespace

void DecodeOptions::validate() const {
  check_argument(stride >= 1 && stride <= 1024, "stride must be 1..1024 pixels, got ", stride);
  check_argument(score_threshold >= 0 && score_threshold <= 1, "score_threshold must be 0..1, got ", score_threshold);
  check_argument(iou_threshold >= 0 && iou_threshold <= 1, "iou_threshold must be 0..1, got ", iou_threshold);
  check_argument(max_faces >= 0, "max_faces must not be negative, got ", max_faces);
}

float box_iou(const Box& a, const Box& b) {
  // In double: areas of finite float boxes stay finite.
  const auto span = [](float low, float high) { return std::max(0.0, static_cast<double>(high) - low); };
  const double both =
      span(std::max(a.left, b.left), std::min(a.right, b.right)) * span(std::max(a.top, b.top), std::min(a.bottom, b.bottom));
  const double all = span(a.left, a.right) * span(a.top, a.bottom) + span(b.left, b.right) * span(b.top, b.bottom) - both;
  return all > 0 ? static_cast<float>(both / all) : 0.f;
}

void decode_faces(const Tensor& score, const Tensor& box, const Tensor& points, const DecodeOptions& options, std::vector<Detection>& out) {
  options.validate();
  expect(score, "score", "[B, 1, h, w]", DType::f32, {kAny, 1, kAny, kAny});
  const std::int64_t batch = score.size(0), height = score.size(2), width = score.size(3), cells = height * width;
  expect(box, "box", "[B, 4, h, w]", DType::f32, {batch, 4, height, width});
  expect(points, "points", "[B, 10, h, w]", DType::f32, {batch, 10, height, width});
  for (const Tensor* t : {&score, &box, &points})
    check(t->device().is_cpu(), ErrorCode::unsupported, "decode_faces works on the CPU, got a tensor on ", t->device().str(),
          "; copy the detector's outputs there");
  check_argument(cells <= 0x7FFFFFFF, "a detector's map must have fewer than 2^31 cells, got ", cells);

  out.clear();
  if (cells == 0) return;
  Scratch scratch;
  Candidate* candidates = scratch.take<Candidate>(static_cast<std::size_t>(cells));
  for (std::int64_t image = 0; image < batch; ++image) {
    const float* logits = score.data<float>() + image * cells;
    std::int64_t count = 0;
    for (std::int64_t cell = 0; cell < cells; ++cell) {
      const float probability = 1.f / (1.f + std::exp(-logits[cell]));
      if (probability >= options.score_threshold) candidates[count++] = {probability, static_cast<std::int32_t>(cell)};  // NaN is not
    }
    const std::int64_t kept = std::min(count, kMostCandidates);
    std::partial_sort(candidates, candidates + kept, candidates + count, better);

    const Maps maps{box.data<float>() + image * 4 * cells, points.data<float>() + image * 10 * cells, cells, width,
                    static_cast<float>(options.stride)};
    const std::size_t first = out.size();
    for (std::int64_t i = 0; i < kept && out.size() - first < static_cast<std::size_t>(options.max_faces); ++i) {
      Detection face;
      face.score = candidates[i].score;
      face.image = static_cast<int>(image);
      if (!decode_cell(maps, candidates[i].cell, face)) continue;
      const bool overlaps = std::any_of(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(), [&](const Detection& better_face) {
        return box_iou(better_face.box, face.box) > options.iou_threshold;
      });
      if (!overlaps) out.push_back(face);
    }
  }
}

}  // namespace forge_rt
