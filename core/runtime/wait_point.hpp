#pragma once
// One wait of one flow of control: a task on a fiber parks, any other thread sleeps (and polls for messages meanwhile).

#include <atomic>
#include <cstdint>
#include <mutex>

#include "core/worker/fiber.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

/// What a thread does around a wait: gives its task's CPU back, and takes it again. One a thread that runs tasks.
class WaitHooks {
 public:
  virtual void BeforeWait() = 0;
  virtual void AfterWait() = 0;
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

  /// Ends the wait, once. Any thread, before or during it. This object may be gone when it returns.
  void Signal();
  /// Returns whether it was signaled before `deadline_ns` (negative: none). May be called again after a false.
  bool Wait(std::int64_t deadline_ns);
  bool signaled() const { return signaled_.load(std::memory_order_acquire); }

 private:
  worker::Progress& progress_;
  worker::FiberThread* const fibers_;  // null: the thread itself waits
  worker::Sleeper& sleeper_;
  // The wait that a Signal must end; guarded by mutex_ for Signal and Wait may meet.
  std::mutex mutex_;
  worker::FiberWait* parked_ = nullptr;
  std::atomic<bool> signaled_{false};  // set under mutex_ (release); read without it (acquire)
};

}  // namespace manta::runtime
