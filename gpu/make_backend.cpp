#include "gpu/make_backend.hpp"

#include <utility>

#include "core/base/check.hpp"
#include "gpu/cuda/cuda_backend.hpp"
#include "gpu/cuda/detect.hpp"
#include "gpu/fake/fake_backend.hpp"
#include "gpu/no_gpu.hpp"

namespace manta::gpu {
namespace {

std::unique_ptr<DeviceBackend> MakeCudaOrNone(const DeviceBackendOptions& options) {
  CudaDetection found = DetectCuda();
  if (!found.devices.empty()) return std::make_unique<CudaBackend>(std::move(found), options.rank);
  MANTA_EXPECT(options.kind != DeviceBackendKind::kCuda,
               "CUDA devices were asked for, but there is none: " << found.status << "; use auto to go on without");
  return std::make_unique<NoGpuBackend>(std::move(found.status));
}

}  // namespace

std::unique_ptr<DeviceBackend> MakeDeviceBackend(const DeviceBackendOptions& options) {
  switch (options.kind) {
    case DeviceBackendKind::kNone: return std::make_unique<NoGpuBackend>("GPUs are switched off");
    case DeviceBackendKind::kFake:
      return std::make_unique<FakeBackend>(
          FakeOptions{options.fake_devices, options.fake_memory_bytes, options.fake_seed});
    case DeviceBackendKind::kAuto:
    case DeviceBackendKind::kCuda: break;
  }
  return MakeCudaOrNone(options);
}

}  // namespace manta::gpu
