#include "dispatch.h"
#include "png_filter_loops.h"

namespace forge_rt {
namespace {

const Register<const PngLoops*> registered(png_filter_table().FORGE_RT_SIMD_NAMESPACE, &kLoops);

}  // namespace
}  // namespace forge_rt
