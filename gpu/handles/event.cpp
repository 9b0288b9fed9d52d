#include "gpu/handles/event.hpp"

#include <exception>
#include <utility>

#include "core/base/log.hpp"

namespace manta::gpu {

Event::Event(Event&& other) noexcept : backend_(other.backend_), handle_(std::exchange(other.handle_, {})) {}

Event& Event::operator=(Event&& other) noexcept {
  std::swap(backend_, other.backend_);
  std::swap(handle_, other.handle_);
  return *this;
}

Event::~Event() {
  try {
    Close();
  } catch (const std::exception& error) {
    MANTA_LOG(kWarning, "gpu", "ending an event: " << error.what());
  }
}

void Event::Close() {
  if (handle_.valid()) backend_->DestroyEvent(std::exchange(handle_, {}));
}

}  // namespace manta::gpu
