#pragma once
// What the runtime asks of the GPUs of a process: which there are, and streams, events, memory and copies on them.
// Implementations: CUDA's driver loaded at run time, a fake on threads for tests, and one that has no device.
//
//   if (backend.devices().empty()) Say("gpus: 0 (" + backend.status() + ")");
//   StreamHandle stream = backend.CreateStream(0);
//   backend.CopyToDevice(memory, host, size_bytes, stream);   // returns before the copy is done
//   backend.SynchronizeStream(stream);                        // now `host` may be changed
//
// For all calls: any thread, several at once, whatever device is current on the thread; the current device is left as
// it was (MakeCurrent excepted). Handles are plain values that own nothing: gpu/handles and gpu/memory have owners.
// A device number outside devices(), or an empty handle, is a UsageError. What the driver refuses is a CudaError. An
// error of asynchronous work (a bad address in a kernel) comes out of a later call on that device, SynchronizeStream at
// the latest, and then of every later call: the device is of no more use to this process (CUDA calls it sticky).
// The first call that needs a device makes this process's primary context on it, which costs 0.1-1 s and some hundred
// MB of device memory; devices(), status() and name() never do. Not after fork() in the child.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace manta {

/// What is known of a device before anybody has used it.
struct DeviceInfo {
  int ordinal = -1;                // number in this process, as CUDA_VISIBLE_DEVICES lets it be seen: differs by rank
  std::string uuid;                // "GPU-" or (a MIG instance) "MIG-" and 8-4-4-4-12 hex digits: same in every process
  std::string name;                // "NVIDIA H200"
  std::string pci_bus_id;          // "0000:3b:00.0": where it sits, to find the cores near it
  std::uint64_t memory_bytes = 0;  // all of it, in use or not
  int multiprocessors = 0;
  bool mig = false;  // a MIG instance: no peer access and no IPC between instances
  bool mps = false;  // an MPS daemon lets the kernels of several processes run at once
};

/// A queue of work of one device, done in order. `native` is a CUstream (which is a cudaStream_t) with CUDA.
struct StreamHandle {
  void* native = nullptr;
  int device = -1;

  bool valid() const { return native != nullptr; }
  bool operator==(const StreamHandle&) const = default;
};

/// A mark in a stream that other streams and the host can wait for. `native` is a CUevent with CUDA.
struct EventHandle {
  void* native = nullptr;
  int device = -1;

  bool valid() const { return native != nullptr; }
  bool operator==(const EventHandle&) const = default;
};

/// An address in device memory. The host must not read or write through it.
struct DevicePointer {
  std::uint64_t address = 0;

  bool valid() const { return address != 0; }
  auto operator<=>(const DevicePointer&) const = default;
  friend DevicePointer operator+(DevicePointer pointer, std::uint64_t bytes) { return {pointer.address + bytes}; }
};

struct DeviceMemoryInfo {
  std::uint64_t free_bytes = 0;  // for this process and all others of the device together
  std::uint64_t total_bytes = 0;
};

class DeviceBackend {
 public:
  virtual ~DeviceBackend() = default;

  /// "cuda", "fake", "none".
  virtual std::string_view name() const = 0;
  /// The devices that this process sees, in order of their ordinals, which are the numbers used below. Fixed.
  virtual const std::vector<DeviceInfo>& devices() const = 0;
  /// One line for people: "1 device, CUDA 13.0, driver 580.65.06", or why there is none: "no CUDA driver
  /// (libcuda.so.1 not found)". Fixed.
  virtual std::string_view status() const = 0;

  /// Makes `device` current for the calling thread, so that user code may use the CUDA runtime API without choosing
  /// one. Lasts until the thread's next MakeCurrent or cudaSetDevice. Blocks for the first context of the device.
  virtual void MakeCurrent(int device) = 0;

  /// A snapshot: others may allocate at any time.
  virtual DeviceMemoryInfo GetMemoryInfo(int device) = 0;
  /// At least `size_bytes` (> 0, else UsageError) of device memory, aligned to 256, with undefined contents, until
  /// Free. May block for work of the device: pool it, never call it per task. Throws OutOfMemoryError (bytes asked
  /// and free).
  virtual DevicePointer Allocate(int device, std::size_t size_bytes) = 0;
  /// Gives back what Allocate gave (its start). All work on it must be done: synchronize first. An empty pointer:
  /// nothing.
  virtual void Free(int device, DevicePointer pointer) = 0;
  /// Page-locked host memory that all devices copy from and to at full speed without blocking the caller, aligned to
  /// 64, until FreeHost. Slow (milliseconds a 100 MB). Throws OutOfMemoryError. `device` says whose context does it.
  virtual void* AllocateHost(int device, std::size_t size_bytes) = 0;
  virtual void FreeHost(int device, void* memory) = 0;

  /// A new stream that does not wait for other streams, CUDA's default stream included.
  virtual StreamHandle CreateStream(int device) = 0;
  /// Ends the stream. Work that it still holds is done first, perhaps after this returns.
  virtual void DestroyStream(StreamHandle stream) = 0;
  /// Blocks until all work given to the stream so far is done. Throws CudaError if any of it failed.
  virtual void SynchronizeStream(StreamHandle stream) = 0;
  /// Whether all work given to the stream so far is done. Never blocks. Throws CudaError if any of it failed.
  virtual bool QueryStream(StreamHandle stream) = 0;

  /// A new event, without timing. Until it is recorded it counts as having happened.
  virtual EventHandle CreateEvent(int device) = 0;
  /// Ends the event. Waits that were queued for it still happen.
  virtual void DestroyEvent(EventHandle event) = 0;
  /// The event stands for all work given to `stream` so far; an older record is forgotten. Both of one device. Never
  /// blocks.
  virtual void RecordEvent(EventHandle event, StreamHandle stream) = 0;
  /// Whether the work that the last record stands for is done. Never blocks. Throws CudaError if it failed.
  virtual bool QueryEvent(EventHandle event) = 0;
  /// Later work of `stream` waits for the last record as it is now. The two may be of different devices. Never blocks.
  virtual void WaitEvent(StreamHandle stream, EventHandle event) = 0;

  /// Copies in the order of the stream. Host and device memory must stay, and the source must not change nor the
  /// destination be read, until the stream has passed the copy. Returns at once for page-locked host memory; for
  /// other host memory it may block for the copy. 0 bytes: nothing. Throws CudaError for addresses that no Allocate
  /// gave.
  virtual void CopyToDevice(DevicePointer destination, const void* source, std::size_t size_bytes,
                            StreamHandle stream) = 0;
  virtual void CopyToHost(void* destination, DevicePointer source, std::size_t size_bytes, StreamHandle stream) = 0;
  /// Within the stream's device; the ranges must not overlap.
  virtual void CopyOnDevice(DevicePointer destination, DevicePointer source, std::size_t size_bytes,
                            StreamHandle stream) = 0;

  /// Runs `function(argument)` on a thread of the backend in the order of the stream; later work of the stream waits
  /// for it. It must be short, must not throw, and must not call CUDA or this backend: it sets a flag or rings a
  /// doorbell.
  virtual void CallOnStream(StreamHandle stream, void (*function)(void*), void* argument) = 0;
};

}  // namespace manta
