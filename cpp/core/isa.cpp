#include "forge_rt/core/isa.h"

#include <atomic>
#include <cstdlib>

#include "forge_rt/core/error.h"

namespace forge_rt {
namespace {

struct Choice {
  Isa isa;
  std::string reason;
};

bool runs_here(Isa isa) {
#if defined(FORGE_RT_X86_SIMD)
  __builtin_cpu_init();
  switch (isa) {
    case Isa::baseline: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    case Isa::avx512:
      return runs_here(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#endif
  return isa == Isa::baseline;
}

Choice initial_choice() {
  const char* forced = std::getenv("FORGE_RT_ISA");
  if (forced == nullptr || *forced == '\0') return {best_isa(), concat("best path of this build on this processor")};
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (std::string(forced) != isa_name(isa)) continue;
    if (runs_here(isa)) return {isa, concat("FORGE_RT_ISA=", forced)};
    return {best_isa(), concat("FORGE_RT_ISA=", forced, " cannot run on this processor or build, best path used instead")};
  }
  return {best_isa(), concat("FORGE_RT_ISA=", forced, " is not baseline, avx2 or avx512, best path used instead")};
}

Choice& choice() {
  static Choice* current = new Choice(initial_choice());
  return *current;
}
std::atomic<int> overridden{-1};

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::baseline: return "baseline";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "unknown";
}

Isa parse_isa(const std::string& name) {
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (name == isa_name(isa)) return isa;
  throw Error(ErrorCode::invalid_argument, concat("ISA must be baseline, avx2 or avx512, got '", name, "'"));
}

Isa best_isa() {
  if (runs_here(Isa::avx512)) return Isa::avx512;
  return runs_here(Isa::avx2) ? Isa::avx2 : Isa::baseline;
}

Isa active_isa() {
  const int isa = overridden.load(std::memory_order_relaxed);
  return isa >= 0 ? static_cast<Isa>(isa) : choice().isa;
}

void set_isa(Isa isa) {
  check(runs_here(isa), ErrorCode::unsupported, "ISA path '", isa_name(isa), "' cannot run on this processor or build; best is '",
        isa_name(best_isa()), "'");
  overridden.store(static_cast<int>(isa));
}

std::string isa_reason() {
  if (overridden.load() >= 0) return concat(isa_name(active_isa()), ": set by set_isa()");
  return concat(isa_name(choice().isa), ": ", choice().reason);
}

}  // namespace forge_rt
