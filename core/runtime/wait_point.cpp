#include "core/runtime/wait_point.hpp"

#include <algorithm>

#include "core/base/clock.hpp"
#include "core/runtime/drop_scope.hpp"

namespace manta::runtime {
namespace {

/// A thread that gives something back while it waits does so after this time: most answers come sooner.
constexpr std::int64_t kPatienceNs = 50'000;

}  // namespace

__attribute__((noinline)) WaitHooks*& WaitHooks::OfThisThread() {
  thread_local WaitHooks* hooks = nullptr;
  return hooks;
}

WaitPoint::WaitPoint(worker::Progress& progress)
    : progress_(progress),
      fibers_(worker::FiberThread::CurrentToPark()),
      sleeper_(fibers_ == nullptr ? &worker::Sleeper::OfThisThread() : nullptr) {
  if (fibers_ != nullptr) parking_.emplace(*fibers_);
}

void WaitPoint::Signal() {
  if (parking_) {
    parking_->Signal();
    return;
  }
  // Read before the store, which lets the waiter go.
  worker::Sleeper* sleeper = sleeper_;
  worker::Progress& progress = progress_;
  signaled_.store(true, std::memory_order_release);
  // A thread that signals itself, by a message that it polls in its own wait, is awake.
  if (sleeper != &worker::Sleeper::OfThisThread() && sleeper->Wake()) progress.CountWakeup();
}

bool WaitPoint::Wait(std::int64_t deadline_ns) {
  if (signaled()) return true;
  const DropScope::Pause pause;
  return parking_ ? Park(deadline_ns) : Sleep(deadline_ns);
}

bool WaitPoint::Park(std::int64_t deadline_ns) {
  WaitHooks* hooks = WaitHooks::OfThisThread();  // of the thread, which the flow stays on
  const bool before = hooks != nullptr && hooks->BeforeWait();
  const bool signaled = fibers_->Park(*parking_, deadline_ns);
  if (hooks != nullptr) hooks->AfterWait(before);
  return signaled;
}

bool WaitPoint::Sleep(std::int64_t deadline_ns) {
  progress_.BeforeWait();
  const auto done = [this] { return signaled(); };
  WaitHooks* hooks = WaitHooks::OfThisThread();
  if (hooks == nullptr) return progress_.Wait(*sleeper_, done, deadline_ns);
  const std::int64_t patience = base::NowNanoseconds() + kPatienceNs;
  if (progress_.Wait(*sleeper_, done, deadline_ns < 0 ? patience : std::min(deadline_ns, patience))) return true;
  if (deadline_ns >= 0 && deadline_ns <= patience) return false;
  const bool before = hooks->BeforeWait();
  const bool signaled = progress_.Wait(*sleeper_, done, deadline_ns);
  hooks->AfterWait(before);
  return signaled;
}

}  // namespace manta::runtime
