#pragma once
// What NVIDIA's management library (NVML) adds to the driver: the driver's own version, and whether a device is cut
// into MIG instances. Everything works without it.

#include <string>

#include "gpu/cuda/library.hpp"

namespace manta::gpu {

class Nvml {
 public:
  /// Opens `file_name` ("libnvidia-ml.so.1") and starts NVML if it is there. Never throws; makes no CUDA context.
  explicit Nvml(const std::string& file_name);
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  bool available() const { return started_; }
  /// "580.65.06", or empty.
  std::string DriverVersion() const;
  /// Whether MIG mode is on now for the device at that bus id. False when NVML or the device does not know MIG.
  bool MigEnabled(const std::string& pci_bus_id) const;

 private:
  using Device = void*;

  Library library_;
  bool started_ = false;
  int (*shutdown_)() = nullptr;
  int (*driver_version_)(char*, unsigned) = nullptr;
  int (*by_bus_id_)(const char*, Device*) = nullptr;
  int (*mig_mode_)(Device, unsigned* current, unsigned* pending) = nullptr;
};

}  // namespace manta::gpu
