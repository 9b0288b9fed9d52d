#include "gpu/handles/stream.hpp"

#include <exception>
#include <utility>

#include "core/base/log.hpp"

namespace manta::gpu {

Stream::Stream(Stream&& other) noexcept : backend_(other.backend_), handle_(std::exchange(other.handle_, {})) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  std::swap(backend_, other.backend_);
  std::swap(handle_, other.handle_);
  return *this;
}

Stream::~Stream() {
  try {
    Close();
  } catch (const std::exception& error) {
    MANTA_LOG(kWarning, "gpu", "ending a stream: " << error.what());
  }
}

void Stream::Close() {
  if (handle_.valid()) backend_->DestroyStream(std::exchange(handle_, {}));
}

}  // namespace manta::gpu
