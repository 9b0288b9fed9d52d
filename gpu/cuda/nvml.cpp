#include "gpu/cuda/nvml.hpp"

namespace manta::gpu {
namespace {
constexpr int kNvmlSuccess = 0;
constexpr unsigned kNvmlMigEnabled = 1;
constexpr unsigned kVersionLength = 80;  // NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE
}  // namespace

Nvml::Nvml(const std::string& file_name) : library_(file_name) {
  const auto start = reinterpret_cast<int (*)()>(library_.Find("nvmlInit_v2"));
  if (start == nullptr || start() != kNvmlSuccess) return;
  started_ = true;
  shutdown_ = reinterpret_cast<decltype(shutdown_)>(library_.Find("nvmlShutdown"));
  driver_version_ = reinterpret_cast<decltype(driver_version_)>(library_.Find("nvmlSystemGetDriverVersion"));
  by_bus_id_ = reinterpret_cast<decltype(by_bus_id_)>(library_.Find("nvmlDeviceGetHandleByPciBusId_v2"));
  mig_mode_ = reinterpret_cast<decltype(mig_mode_)>(library_.Find("nvmlDeviceGetMigMode"));
}

Nvml::~Nvml() {
  if (started_ && shutdown_ != nullptr) shutdown_();
}

std::string Nvml::DriverVersion() const {
  char text[kVersionLength] = {};
  if (driver_version_ == nullptr || driver_version_(text, sizeof(text)) != kNvmlSuccess) return {};
  return text;
}

bool Nvml::MigEnabled(const std::string& pci_bus_id) const {
  Device device = nullptr;
  if (by_bus_id_ == nullptr || by_bus_id_(pci_bus_id.c_str(), &device) != kNvmlSuccess) return false;
  unsigned current = 0, pending = 0;
  // A device without MIG answers NVML_ERROR_NOT_SUPPORTED.
  return mig_mode_ != nullptr && mig_mode_(device, &current, &pending) == kNvmlSuccess && current == kNvmlMigEnabled;
}

}  // namespace manta::gpu
