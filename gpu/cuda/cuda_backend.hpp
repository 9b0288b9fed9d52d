#pragma once
// DeviceBackend over CUDA's driver API. It shares each device's primary context with the CUDA runtime API, so that
// users' kernels and cuBLAS in the same process see the same streams and memory (CUDA Driver API, "Interactions
// between the CUDA driver and runtime").

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/ports/device_backend.hpp"
#include "gpu/cuda/detect.hpp"

namespace manta::gpu {

class CudaBackend : public DeviceBackend {
 public:
  /// Takes what DetectCuda found; at least one device. `rank` is for error texts, negative if there is none.
  CudaBackend(CudaDetection detection, int rank);
  /// Lets go of the contexts that were made. All streams, events and memory must have been given back.
  ~CudaBackend() override;

  std::string_view name() const override { return "cuda"; }
  const std::vector<DeviceInfo>& devices() const override { return devices_; }
  std::string_view status() const override { return status_; }

  void MakeCurrent(int device) override;
  DeviceMemoryInfo GetMemoryInfo(int device) override;
  DevicePointer Allocate(int device, std::size_t size_bytes) override;
  void Free(int device, DevicePointer pointer) override;
  void* AllocateHost(int device, std::size_t size_bytes) override;
  void FreeHost(int device, void* memory) override;

  StreamHandle CreateStream(int device) override;
  void DestroyStream(StreamHandle stream) override;
  void SynchronizeStream(StreamHandle stream) override;
  bool QueryStream(StreamHandle stream) override;

  EventHandle CreateEvent(int device) override;
  void DestroyEvent(EventHandle event) override;
  void RecordEvent(EventHandle event, StreamHandle stream) override;
  bool QueryEvent(EventHandle event) override;
  void WaitEvent(StreamHandle stream, EventHandle event) override;

  void CopyToDevice(DevicePointer destination, const void* source, std::size_t size_bytes,
                    StreamHandle stream) override;
  void CopyToHost(void* destination, DevicePointer source, std::size_t size_bytes, StreamHandle stream) override;
  void CopyOnDevice(DevicePointer destination, DevicePointer source, std::size_t size_bytes,
                    StreamHandle stream) override;
  void CallOnStream(StreamHandle stream, void (*function)(void*), void* argument) override;

 private:
  class ContextScope;
  DriverContext PrimaryContext(int device);
  [[noreturn]] void ThrowOutOfMemory(const char* where, std::size_t asked_bytes, std::size_t free_bytes) const;

  const std::unique_ptr<DriverApi> api_;
  const std::vector<DeviceInfo> devices_;
  const std::string status_;
  const int rank_;
  std::mutex retain_mutex_;  // one thread at a time makes contexts
  // One a device, null until its first use. Written once under retain_mutex_ (release), read by any thread (acquire),
  // so that who sees the pointer sees the context that the driver has made.
  const std::unique_ptr<std::atomic<DriverContext>[]> contexts_;
};

}  // namespace manta::gpu
