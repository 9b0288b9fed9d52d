#include "gpu/no_gpu.hpp"

#include <manta/error.hpp>

namespace manta::gpu {

void NoGpuBackend::Refuse(const char* call) const {
  throw UsageError(std::string(call) + " needs a device, and this process has none: " + status_);
}

}  // namespace manta::gpu
