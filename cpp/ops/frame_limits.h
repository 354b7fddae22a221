// What frames, crops and the maps between them may be at most.
#pragma once

#include <cmath>

#include "forge_rt/core/error.h"
#include "forge_rt/ops/image_view.h"

namespace forge_rt {

constexpr int kLargestSide = 32768;
constexpr float kLargestEntry = 1e9f;  // far beyond any frame, and small enough that no position of a sample overflows

/// `name`: what the sentence calls the matrix, in pieces.
template <class... Name>
void check_matrix(const Affine& m, const Name&... name) {
  for (const float v : {m.a, m.b, m.c, m.d, m.e, m.f})
    check_argument(std::fabs(v) <= kLargestEntry, name..., " must have finite entries of at most ", kLargestEntry, ", got [", m.a, ", ",
                   m.b, ", ", m.c, "; ", m.d, ", ", m.e, ", ", m.f, "]");
}

}  // namespace forge_rt
