#pragma once
// Owner of a stream. Views of it: handle() for the backend, view() for kernels and libraries.

#include "core/ports/device_backend.hpp"
#include <manta/gpu/stream_view.hpp>

namespace manta::gpu {

/// Move-only; ends its stream when it goes (what the stream still holds is done first). The backend must outlive it.
/// The object itself is for one thread at a time.
class Stream {
 public:
  /// Throws what DeviceBackend::CreateStream throws.
  Stream(DeviceBackend& backend, int device) : backend_(&backend), handle_(backend.CreateStream(device)) {}
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  StreamHandle handle() const { return handle_; }
  StreamView view() const { return StreamView(static_cast<CUstream_st*>(handle_.native)); }
  int device() const { return handle_.device; }
  /// As DeviceBackend's SynchronizeStream and QueryStream.
  void Synchronize() { backend_->SynchronizeStream(handle_); }
  bool Query() { return backend_->QueryStream(handle_); }
  /// Ends the stream now, and throws what its destructor would only log. After it the object is empty.
  void Close();

 private:
  DeviceBackend* backend_;
  StreamHandle handle_;  // empty once moved from or closed
};

}  // namespace manta::gpu
