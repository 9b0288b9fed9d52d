#pragma once
// A FiberThread that runs functions from a queue, with a clock that the test sets.
//
//   FiberLoop loop(stacks);
//   loop.Add([&] { loop.Park(wait); });
//   loop.Run();   // on this thread, until the queue is empty and nothing is parked

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

#include "core/worker/fiber.hpp"
#include "core/worker/sleeper.hpp"

namespace manta::testing {

class FiberLoop : public worker::FiberThread {
 public:
  using FiberThread::FiberThread;

  /// Any thread.
  void Add(std::function<void()> task) {
    {
      std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    WakeUp();
  }
  void Run() {
    sleeper_.store(&worker::Sleeper::OfThisThread());
    RunLoop();
    sleeper_.store(nullptr);
  }
  /// From here on Run does not return for want of tasks; until Close. Any thread.
  void KeepOpen() { open_.store(true); }
  void Close() {
    open_.store(false);
    WakeUp();
  }
  bool Park(worker::FiberWait& wait, std::int64_t deadline_ns = -1) { return FiberThread::Park(wait, deadline_ns); }

  std::atomic<std::int64_t> now_ns{0};  // what the loop takes for the time
  std::atomic<int> idle_rounds{0};      // how often it found nothing to do

 private:
  void Loop() override {
    for (;;) {
      if (SwitchToReady()) continue;
      const std::uint32_t seen = sleeper_.load()->Look();
      if (RunOne()) continue;
      const std::int64_t next = FireTimers(now_ns.load());
      if (HasReady()) continue;
      if (parked() == 0 && !open_.load()) return;
      idle_rounds.fetch_add(1);
      // Who waits with a deadline is waiting for the test to move the clock: give it a chance, do not sleep for ever.
      sleeper_.load()->Sleep(seen, next >= 0 ? 1'000'000 : -1);
    }
  }
  void WakeUp() override {
    if (worker::Sleeper* sleeper = sleeper_.load()) sleeper->Wake();
  }
  bool RunOne() {
    std::function<void()> task;
    {
      std::lock_guard lock(mutex_);
      if (tasks_.empty()) return false;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    return true;
  }

  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  std::atomic<worker::Sleeper*> sleeper_{nullptr};
  std::atomic<bool> open_{false};
};

}  // namespace manta::testing
