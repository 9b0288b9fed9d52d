#pragma once
// Lets Cancel end the wait of a running task.

#include <manta/error.hpp>

#include <optional>

#include <cstdint>

#include "core/base/clock.hpp"
#include "core/runtime/run_context.hpp"
#include "core/runtime/task_waits.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

/// When a timeout (negative: none) that begins now is over.
inline std::int64_t DeadlineOf(std::int64_t timeout_ns) {
  if (timeout_ns < 0) return -1;
  const std::int64_t now = base::NowNanoseconds();
  return timeout_ns > INT64_MAX - now ? -1 : now + timeout_ns;
}

/// While it lives, Cancel of the task that runs here signals `point`. Does nothing outside of tasks.
class Cancellable {
 public:
  explicit Cancellable(WaitPoint& point) {
    RunContext* run = RunContext::Current();
    if (run == nullptr) return;
    task_ = run->task;
    wait_.emplace(*task_, point);
    // Cancelled before it could be woken: it must not begin to wait.
    if (IsCancelled()) point.Signal();
  }
  Cancellable(const Cancellable&) = delete;
  Cancellable& operator=(const Cancellable&) = delete;

  bool IsCancelled() const { return task_ != nullptr && task_->cancelled.load(std::memory_order_acquire); }

 private:
  task::TaskRecord* task_ = nullptr;
  std::optional<TaskWait> wait_;
};

}  // namespace manta::runtime
