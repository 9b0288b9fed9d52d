#pragma once
// A DeviceBackend whose devices are threads and host memory: for tests, and for running GPU programs without a GPU.
// It is stricter than CUDA, so that what passes here is not passing by luck:
//   - each stream is a thread that waits a random while (from a fixed seed) before each piece of work;
//   - host memory that a copy is going to fill holds kFakeUnsynchronizedByte until the stream has passed the copy;
//   - fresh and freed device memory hold kFakeFreshByte and kFakeFreedByte; use after free, double free, and freeing
//     what queued copies still use are refused;
//   - calls and queued work fail on request.
// A device address is the host address of its bytes, so that a test's "kernel" (a CallOnStream function) can work on
// them.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ports/device_backend.hpp"
#include "gpu/fake/fake_memory.hpp"
#include "gpu/fake/fake_stream.hpp"

namespace manta::gpu {

struct FakeOptions {
  int devices = 2;
  std::uint64_t memory_bytes = 64ull << 20;  // of each device; taken from the host as it is allocated
  std::uint64_t seed = 1;
  int max_delay_us = 200;  // before each piece of work; 0: none
};

/// The calls that can be made to fail. kCopy stands for the three copies.
enum class FakeCall { kMakeCurrent, kAllocate, kAllocateHost, kCreateStream, kCreateEvent, kCopy };

class FakeBackend : public DeviceBackend {
 public:
  /// Throws UsageError for less than one device.
  explicit FakeBackend(const FakeOptions& options = {});
  /// Finishes what streams still hold.
  ~FakeBackend() override;

  /// The next `count` calls of that kind throw CudaError and do nothing.
  void FailNext(FakeCall call, int count = 1);
  /// The next copy or call that is queued on `stream` from now on fails when its turn comes. As with CUDA, the device
  /// is then of no more use: this and every later call on it throws CudaError, also for streams made before.
  void FailNextWork(StreamHandle stream);
  /// The device that MakeCurrent of this backend chose on this thread, or -1.
  int CurrentDevice() const;
  /// Whether a call has needed the device, so that CUDA would hold a context on it.
  bool HasContext(int device) const;

  std::string_view name() const override { return "fake"; }
  const std::vector<DeviceInfo>& devices() const override { return infos_; }
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
  struct Device;
  struct StreamState;
  using HostRange = std::pair<const std::byte*, std::size_t>;

  Device& Use(int device);  // checks the number and that the device still works, and counts as first use
  std::shared_ptr<StreamState> FindStream(StreamHandle stream);
  void ThrowIfAsked(FakeCall call);
  void PushWork(StreamState& stream, std::function<void()> work, std::function<void()> after);
  void BeginHostUse(HostRange range, bool poison);
  void EndHostUse(HostRange range);

  const FakeOptions options_;
  const std::string status_;
  std::vector<DeviceInfo> infos_;                 // fixed after construction, as is the next
  std::vector<std::unique_ptr<Device>> devices_;  // their insides have their own locks
  mutable std::mutex mutex_;                      // guards all below; never held while work runs
  std::uintptr_t next_handle_ = 1;                // never reused, so that a stale handle is known
  std::map<void*, std::shared_ptr<StreamState>> streams_;
  std::map<void*, std::shared_ptr<FakeMark>> events_;  // null: never recorded
  std::map<void*, std::size_t> host_memory_;           // AllocateHost's
  std::vector<HostRange> host_uses_;                   // of queued copies
  std::map<FakeCall, int> failures_;
};

}  // namespace manta::gpu
