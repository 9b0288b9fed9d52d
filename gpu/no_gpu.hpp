#pragma once
// The DeviceBackend of a process without a device: it lists none, frees nothing, and says so if asked for more.

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ports/device_backend.hpp"

namespace manta::gpu {

class NoGpuBackend : public DeviceBackend {
 public:
  /// `status` is why there is none; every refused call repeats it.
  explicit NoGpuBackend(std::string status) : status_(std::move(status)) {}

  std::string_view name() const override { return "none"; }
  const std::vector<DeviceInfo>& devices() const override { return devices_; }
  std::string_view status() const override { return status_; }

  void MakeCurrent(int) override { Refuse("MakeCurrent"); }
  DeviceMemoryInfo GetMemoryInfo(int) override { Refuse("GetMemoryInfo"); }
  DevicePointer Allocate(int, std::size_t) override { Refuse("Allocate"); }
  void Free(int, DevicePointer pointer) override { if (pointer.valid()) Refuse("Free"); }
  void* AllocateHost(int, std::size_t) override { Refuse("AllocateHost"); }
  void FreeHost(int, void* memory) override { if (memory != nullptr) Refuse("FreeHost"); }
  StreamHandle CreateStream(int) override { Refuse("CreateStream"); }
  void DestroyStream(StreamHandle) override { Refuse("DestroyStream"); }
  void SynchronizeStream(StreamHandle) override { Refuse("SynchronizeStream"); }
  bool QueryStream(StreamHandle) override { Refuse("QueryStream"); }
  EventHandle CreateEvent(int) override { Refuse("CreateEvent"); }
  void DestroyEvent(EventHandle) override { Refuse("DestroyEvent"); }
  void RecordEvent(EventHandle, StreamHandle) override { Refuse("RecordEvent"); }
  bool QueryEvent(EventHandle) override { Refuse("QueryEvent"); }
  void WaitEvent(StreamHandle, EventHandle) override { Refuse("WaitEvent"); }
  void CopyToDevice(DevicePointer, const void*, std::size_t, StreamHandle) override { Refuse("CopyToDevice"); }
  void CopyToHost(void*, DevicePointer, std::size_t, StreamHandle) override { Refuse("CopyToHost"); }
  void CopyOnDevice(DevicePointer, DevicePointer, std::size_t, StreamHandle) override { Refuse("CopyOnDevice"); }
  void CallOnStream(StreamHandle, void (*)(void*), void*) override { Refuse("CallOnStream"); }

 private:
  [[noreturn]] void Refuse(const char* call) const;

  const std::vector<DeviceInfo> devices_;
  const std::string status_;
};

}  // namespace manta::gpu
