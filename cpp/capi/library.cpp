// Version, errors, CUDA, instruction set, threads.
#include <cstdio>
#include <new>
#include <string>

#include "capi.h"
#include "forge_rt/core/device.h"
#include "forge_rt/core/isa.h"
#include "forge_rt/core/thread_pool.h"

namespace forge_rt::capi {
namespace {

// A fixed array: an out-of-memory error must be able to say so.
thread_local char last_error[2048] = "";

void remember(const char* text) noexcept {
  std::size_t length = std::min(std::strlen(text), sizeof(last_error) - 1);
  while (length > 0 && text[length] != '\0' && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;  // no half characters
  std::memmove(last_error, text, length);
  last_error[length] = '\0';
}

}  // namespace

frt_status record_failure() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    remember(error.what());
    return static_cast<frt_status>(error.code());
  } catch (const std::bad_alloc&) {
    remember("no memory left for this call; use a smaller batch or image");
    return FRT_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    char text[sizeof(last_error)];
    std::snprintf(text, sizeof(text), "unexpected failure inside forge_rt: %s; please report it", error.what());
    remember(text);
    return FRT_INTERNAL;
  } catch (...) {
    remember("unknown failure inside forge_rt; please report it");
    return FRT_INTERNAL;
  }
}

}  // namespace forge_rt::capi

using namespace forge_rt;
using namespace forge_rt::capi;

const char* frt_status_name(frt_status status) { return error_code_name(static_cast<ErrorCode>(status)); }

const char* frt_last_error(void) { return last_error; }

int32_t frt_abi_version(void) { return FRT_ABI_VERSION; }

const char* frt_version(void) { return FORGE_RT_VERSION_STRING; }

frt_status frt_cuda_query(frt_cuda_info* info) {
  return guarded([&] {
    thread_local std::string reason;
    CudaStatus status = cuda_status();
    reason = std::move(status.reason);
    write_struct(info,
                 frt_cuda_info{0, status.built ? 1 : 0, status.device_count, status.driver_version, status.runtime_version, reason.c_str()},
                 "info", "FRT_CUDA_INFO_INIT");
  });
}

const char* frt_isa_name(void) { return isa_name(active_isa()); }

int32_t frt_get_threads(void) { return num_threads(); }

frt_status frt_set_threads(int32_t threads) {
  return guarded([&] { set_num_threads(threads); });
}
