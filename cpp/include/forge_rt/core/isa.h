// Which CPU instruction set the SIMD kernels use.
#pragma once

#include <string>

#include "forge_rt/export.h"

namespace forge_rt {

/// `baseline` is the scalar oracle; `avx2` needs AVX2 + FMA + F16C; `avx512` needs AVX-512 F, BW, DQ and VL.
enum class Isa : int { baseline = 0, avx2 = 1, avx512 = 2 };

FORGE_RT_API const char* isa_name(Isa isa);
/// Best path that both this build and this processor have.
FORGE_RT_API Isa best_isa();
/// The path in use: FORGE_RT_ISA=baseline|avx2|avx512 when set and possible, else best_isa().
FORGE_RT_API Isa active_isa();
/// Changes the path for the whole process (tests, benchmarks). Throws unsupported when it cannot run here.
FORGE_RT_API void set_isa(Isa isa);
/// Throws invalid_argument for a name it does not know.
FORGE_RT_API Isa parse_isa(const std::string& name);
/// One sentence that says which path is used and why.
FORGE_RT_API std::string isa_reason();

}  // namespace forge_rt
