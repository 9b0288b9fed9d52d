#pragma once
// The one place that chooses a DeviceBackend.

#include <cstdint>
#include <memory>

#include "core/ports/device_backend.hpp"

namespace manta::gpu {

enum class DeviceBackendKind {
  kAuto,  // CUDA's devices where the machine has any, else none; the status says why
  kCuda,  // as kAuto, but a UsageError where there is none
  kFake,  // devices that run on threads: for tests, and to try a program without a GPU
  kNone,  // none, whatever the machine has; opens no driver
};

struct DeviceBackendOptions {
  DeviceBackendKind kind = DeviceBackendKind::kAuto;
  int fake_devices = 2;                            // only for kFake
  std::uint64_t fake_memory_bytes = 64ull << 20;   // of each fake device
  std::uint64_t fake_seed = 1;                     // of the fake streams' delays
  int rank = -1;                                   // for error texts; negative: left out
};

/// Never null. May start the CUDA driver (10 ms to a second), but makes no context. Throws UsageError for kCuda
/// without a device, and for less than one fake device.
std::unique_ptr<DeviceBackend> MakeDeviceBackend(const DeviceBackendOptions& options = {});

}  // namespace manta::gpu
