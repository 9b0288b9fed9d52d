#pragma once
// Lets Cancel end the wait of a running task.

#include <manta/error.hpp>

#include <optional>

#include "core/runtime/run_context.hpp"
#include "core/runtime/task_waits.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

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
