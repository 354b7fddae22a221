// unwarp_labels, unwarp_map, scalar: the oracle and the fallback.
#include "../core/scratch.h"
#include "forge_rt/core/thread_pool.h"
#include "unwarp_labels_table.h"

namespace forge_rt::unwarp {
namespace {

void unwarp_labels_scalar(const UnwarpArgs& a, Stream) {
  Scratch scratch;
  std::uint8_t* classes = scratch.take<std::uint8_t>(static_cast<std::size_t>(a.grid.width) * a.grid.height);
  parallel_for_ranges(a.grid.height, 8, [&](std::int64_t begin, std::int64_t end) {
    for (int y = static_cast<int>(begin); y < end; ++y)
      for (int x = 0; x < a.grid.width; ++x)
        classes[static_cast<std::int64_t>(y) * a.grid.width + x] = static_cast<std::uint8_t>(point_class(a, x, y));
  });
  parallel_for_ranges(a.rect.height(), 8, [&](std::int64_t begin, std::int64_t end) {
    for (int row = a.rect.top + static_cast<int>(begin); row < a.rect.top + end; ++row)
      for (int column = a.rect.left; column < a.rect.right; ++column) unwarp_pixel(a, classes, column, row);
  });
}

void unwarp_map_scalar(const UnwarpMapArgs& a, Stream) {
  parallel_for_ranges(a.rect.height(), 16, [&](std::int64_t begin, std::int64_t end) {
    for (int row = a.rect.top + static_cast<int>(begin); row < a.rect.top + end; ++row)
      for (int column = a.rect.left; column < a.rect.right; ++column) unwarp_map_pixel(a, column, row);
  });
}

const Register<UnwarpLabelsFn> registered_labels(unwarp_labels_table().scalar, unwarp_labels_scalar);
const Register<UnwarpMapFn> registered_map(unwarp_map_table().scalar, unwarp_map_scalar);

}  // namespace
}  // namespace forge_rt::unwarp
