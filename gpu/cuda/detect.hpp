#pragma once
// Which CUDA devices this process sees, found without making a context on any.

#include <memory>
#include <string>
#include <vector>

#include "core/ports/device_backend.hpp"
#include "gpu/cuda/driver_api.hpp"

namespace manta::gpu {

/// Where the libraries are looked for; tests name others.
struct CudaLibraries {
  std::string driver = "libcuda.so.1";
  std::string nvml = "libnvidia-ml.so.1";
};

struct CudaDetection {
  std::unique_ptr<DriverApi> api;  // null when there is nothing to use: then no devices
  std::vector<DeviceInfo> devices;
  std::string status;  // one line, as DeviceBackend::status says
};

/// Opens the driver, starts it (cuInit) and asks for its devices. Takes 10 ms to a second where there is a driver.
/// Never throws for what the machine lacks: `status` says it.
CudaDetection DetectCuda(const CudaLibraries& libraries = {});

/// "GPU-01020304-0506-0708-090a-0b0c0d0e0f10", as nvidia-smi writes it; `prefix` is "GPU-" or "MIG-".
std::string FormatUuid(const DriverUuid& uuid, const std::string& prefix);

}  // namespace manta::gpu
