#include "ops/png_filter.h"

#include "ops/dispatch.h"
#include "ops/png_filter_loops.h"

namespace forge_rt {

OpTable<const PngLoops*>& png_filter_table() {
  static OpTable<const PngLoops*> table{"encode_png", &kLoops};
  return table;
}

const PngLoops& png_loops() { return *png_filter_table().select({}); }

}  // namespace forge_rt
