#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

__attribute__((noinline)) WaitHooks*& WaitHooks::OfThisThread() {
  thread_local WaitHooks* hooks = nullptr;
  return hooks;
}

WaitPoint::WaitPoint(worker::Progress& progress)
    : progress_(progress), fibers_(worker::FiberThread::CurrentToPark()), sleeper_(worker::Sleeper::OfThisThread()) {}

void WaitPoint::Signal() {
  worker::Sleeper& sleeper = sleeper_;
  worker::Progress& progress = progress_;
  const bool plain_thread = fibers_ == nullptr;
  {
    std::lock_guard lock(mutex_);
    signaled_.store(true, std::memory_order_release);
    if (parked_ != nullptr) parked_->Signal();
    parked_ = nullptr;
    // The waiter takes mutex_ once more before it leaves, so this object lives until the lock is given back.
  }
  if (plain_thread && sleeper.Wake()) progress.CountWakeup();
}

bool WaitPoint::Wait(std::int64_t deadline_ns) {
  if (!signaled()) {
    WaitHooks* hooks = WaitHooks::OfThisThread();
    if (hooks != nullptr) hooks->BeforeWait();
    if (fibers_ == nullptr) {
      progress_.Wait(
          sleeper_, [this] { return signaled(); }, deadline_ns);
    } else {
      worker::FiberWait wait(*fibers_);
      bool park = false;
      {
        std::lock_guard lock(mutex_);
        park = !signaled();
        if (park) parked_ = &wait;
      }
      if (park) fibers_->Park(wait, deadline_ns);
      std::lock_guard lock(mutex_);
      parked_ = nullptr;
    }
    if (hooks != nullptr) WaitHooks::OfThisThread()->AfterWait();
  }
  // Whoever signals still holds the lock when we see the flag.
  std::lock_guard lock(mutex_);
  return signaled_.load(std::memory_order_relaxed);
}

}  // namespace manta::runtime
