// One pool of threads for the whole process. No OpenMP: see docs/design/core.md.
#pragma once

#include <cstdint>
#include <functional>

#include "forge_rt/export.h"

namespace forge_rt {

/// Threads that work on one parallel_for, the caller included.
/// Default: FORGE_RT_THREADS, else min(usable cores, 8).
FORGE_RT_API int num_threads();
/// Applies to the whole process, from the next parallel_for on. Throws invalid_argument unless 1 <= n <= 256.
FORGE_RT_API void set_num_threads(int n);

/// Calls body(i) once for each i in [0, count) from up to num_threads() threads, the caller among them, and returns when
/// all are done. Order is unspecified, so bodies write disjoint memory: results never depend on the thread count.
/// The first exception of a body is rethrown here after the others stopped. A parallel_for inside a body runs serially.
/// Safe to call from many threads at once and in a forked child (the child starts its own threads).
FORGE_RT_API void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body);

/// The same over ranges: body(begin, end), at least `grain` long except the last.
FORGE_RT_API void parallel_for_ranges(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace forge_rt
