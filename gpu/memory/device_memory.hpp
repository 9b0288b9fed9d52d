#pragma once
// Owner of one piece of device memory, straight from the driver. Not a pool: an allocation costs from 10 us to
// milliseconds and may wait for the device.

#include <cstddef>

#include "core/ports/device_backend.hpp"

namespace manta::gpu {

/// Move-only; gives its memory back when it goes: the work on it must be done by then. The backend must outlive it.
class DeviceMemory {
 public:
  /// Throws what DeviceBackend::Allocate throws.
  DeviceMemory(DeviceBackend& backend, int device, std::size_t size_bytes)
      : backend_(&backend), device_(device), size_bytes_(size_bytes), pointer_(backend.Allocate(device, size_bytes)) {}
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;
  ~DeviceMemory();

  DevicePointer pointer() const { return pointer_; }
  std::size_t size_bytes() const { return size_bytes_; }
  int device() const { return device_; }
  /// Gives the memory back now, and throws what the destructor would only log. After it the object is empty.
  void Close();

 private:
  DeviceBackend* backend_;
  int device_;
  std::size_t size_bytes_;
  DevicePointer pointer_;  // empty once moved from or closed
};

}  // namespace manta::gpu
