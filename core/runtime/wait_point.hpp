#pragma once
// One wait of one flow of control: a task on a fiber parks, any other thread sleeps (and polls for messages meanwhile).

#include <atomic>
#include <cstdint>
#include <optional>

#include "core/worker/fiber.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

/// What a thread does around a wait that takes long: gives its task's CPU back, and takes it again. One a thread that
/// runs tasks.
class WaitHooks {
 public:
  /// Returns what AfterWait of the same flow is to be given.
  virtual bool BeforeWait() = 0;
  virtual void AfterWait(bool before) = 0;
  /// The calling thread's; null where waiting costs nobody anything.
  static WaitHooks*& OfThisThread();

 protected:
  ~WaitHooks() = default;
};

class WaitPoint {
 public:
  explicit WaitPoint(worker::Progress& progress);
  WaitPoint(const WaitPoint&) = delete;
  WaitPoint& operator=(const WaitPoint&) = delete;

  /// Ends the wait. Any thread, before or during it; more than once does no harm while this object is there. It may be
  /// gone when the first of them returns.
  void Signal();
  /// Returns whether it was signaled before `deadline_ns` (negative: none). Once.
  bool Wait(std::int64_t deadline_ns);
  bool signaled() const { return parking_ ? parking_->signaled() : signaled_.load(std::memory_order_acquire); }

 private:
  bool Park(std::int64_t deadline_ns);
  bool Sleep(std::int64_t deadline_ns);

  worker::Progress& progress_;
  worker::FiberThread* const fibers_;  // null: the thread itself waits
  // Of these two the first is used on a fiber and the second on a plain thread. One store or exchange is the signaler's
  // last touch of either, and its release is what the waiter acquires.
  std::optional<worker::FiberWait> parking_;
  std::atomic<bool> signaled_{false};
  worker::Sleeper* const sleeper_;  // of a plain thread; sleepers are never freed
};

}  // namespace manta::runtime
