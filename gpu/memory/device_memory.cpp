#include "gpu/memory/device_memory.hpp"

#include <exception>
#include <utility>

#include "core/base/log.hpp"

namespace manta::gpu {

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept
    : backend_(other.backend_),
      device_(other.device_),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      pointer_(std::exchange(other.pointer_, {})) {}

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(backend_, other.backend_);
  std::swap(device_, other.device_);
  std::swap(size_bytes_, other.size_bytes_);
  std::swap(pointer_, other.pointer_);
  return *this;
}

DeviceMemory::~DeviceMemory() {
  try {
    Close();
  } catch (const std::exception& error) {
    MANTA_LOG(kWarning, "gpu", "giving device memory back: " << error.what());
  }
}

void DeviceMemory::Close() {
  size_bytes_ = 0;
  if (pointer_.valid()) backend_->Free(device_, std::exchange(pointer_, {}));
}

}  // namespace manta::gpu
