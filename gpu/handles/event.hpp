#pragma once
// Owner of an event: a mark in a stream that other streams and the host can wait for.

#include "core/ports/device_backend.hpp"

namespace manta::gpu {

/// Move-only; ends its event when it goes (waits that were queued for it still happen). The backend must outlive it.
/// The object itself is for one thread at a time.
class Event {
 public:
  /// Throws what DeviceBackend::CreateEvent throws.
  Event(DeviceBackend& backend, int device) : backend_(&backend), handle_(backend.CreateEvent(device)) {}
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  ~Event();

  EventHandle handle() const { return handle_; }
  /// As DeviceBackend's RecordEvent, QueryEvent and WaitEvent.
  void Record(StreamHandle stream) { backend_->RecordEvent(handle_, stream); }
  bool Query() { return backend_->QueryEvent(handle_); }
  void HoldBack(StreamHandle stream) { backend_->WaitEvent(stream, handle_); }
  /// Ends the event now, and throws what its destructor would only log. After it the object is empty.
  void Close();

 private:
  DeviceBackend* backend_;
  EventHandle handle_;  // empty once moved from or closed
};

}  // namespace manta::gpu
