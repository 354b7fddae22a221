#include "forge_rt/core/device.h"

#include <cstring>

#include "forge_rt/core/error.h"

namespace forge_rt {

DeviceApi& cuda_device_api() {
  static DeviceApi api;
  return api;
}

std::string Device::str() const { return is_cpu() ? "cpu" : concat("cuda:", index); }

CudaStatus cuda_status() {
  if (cuda_device_api().status != nullptr) return cuda_device_api().status();
  CudaStatus status;
  status.reason = "this build of forge_rt has no CUDA code (built without nvcc or with FORGE_CUDA=OFF)";
  return status;
}

std::string cuda_device_name(int index) {
  const CudaStatus status = cuda_status();
  check(index >= 0 && index < status.device_count, ErrorCode::device_unavailable, "no CUDA device ", index, ": ",
        status.device_count == 0 ? status.reason : concat("there are ", status.device_count));
  return cuda_device_api().device_name(index);
}

Device Device::parse(const std::string& text) {
  if (text == "cpu") return {};
  int index = 0;
  const bool is_cuda = text == "cuda" || text.rfind("cuda:", 0) == 0;
  if (text.size() > 4 && is_cuda) {
    const std::string digits = text.substr(5);
    const bool number = !digits.empty() && digits.size() <= 4 && digits.find_first_not_of("0123456789") == std::string::npos;
    check_argument(number, "device must be 'cpu', 'cuda' or 'cuda:N', got '", text, "'");
    index = std::stoi(digits);
  }
  check_argument(is_cuda, "device must be 'cpu', 'cuda' or 'cuda:N', got '", text, "'");
  const CudaStatus status = cuda_status();
  check(index < status.device_count, ErrorCode::device_unavailable, "device '", text,
        "' is not usable: ", status.device_count == 0 ? status.reason : concat("there are ", status.device_count, " CUDA devices"),
        "; use device 'cpu' or run `forge-rt doctor`");
  return {DeviceType::cuda, index};
}

void copy_bytes(void* destination, Device destination_device, const void* source, Device source_device, std::size_t bytes, Stream stream) {
  if (bytes == 0) return;
  if (destination_device.is_cpu() && source_device.is_cpu()) {
    std::memcpy(destination, source, bytes);
    return;
  }
  check(cuda_device_api().copy != nullptr, ErrorCode::device_unavailable, cuda_status().reason);
  cuda_device_api().copy(destination, destination_device, source, source_device, bytes, stream.handle);
  if (destination_device.is_cpu() || source_device.is_cpu())
    cuda_device_api().synchronize((destination_device.is_cuda() ? destination_device : source_device).index, stream.handle);
}

void synchronize(Stream stream) {
  if (stream.device.is_cuda() && cuda_device_api().synchronize != nullptr)
    cuda_device_api().synchronize(stream.device.index, stream.handle);
}

}  // namespace forge_rt
