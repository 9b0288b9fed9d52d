#pragma once
// The waits of running tasks, so that Cancel can end them. Kept beside the records, for few tasks wait.

#include <array>
#include <cstdint>
#include <mutex>

#include "core/node/spin_lock.hpp"
#include "core/runtime/wait_point.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

/// A wait of one task; lives on the stack of the waiting flow.
class TaskWait {
 public:
  TaskWait(task::TaskRecord& task, WaitPoint& point) : task_(task), point_(point) {
    Shard& shard = ShardOf(task);
    std::lock_guard lock(shard.mutex);
    next_ = shard.first;
    if (next_ != nullptr) next_->previous_ = this;
    shard.first = this;
  }
  ~TaskWait() {
    Shard& shard = ShardOf(task_);
    std::lock_guard lock(shard.mutex);
    (previous_ != nullptr ? previous_->next_ : shard.first) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
  }
  TaskWait(const TaskWait&) = delete;
  TaskWait& operator=(const TaskWait&) = delete;

  /// Ends the waits of `task`, if it waits. Any thread.
  static void Wake(const task::TaskRecord& task) {
    Shard& shard = ShardOf(task);
    std::lock_guard lock(shard.mutex);  // under it: the waiter takes it before its WaitPoint goes
    for (TaskWait* wait = shard.first; wait != nullptr; wait = wait->next_)
      if (&wait->task_ == &task) wait->point_.Signal();
  }

 private:
  struct alignas(64) Shard {
    node::SpinLock mutex;
    TaskWait* first = nullptr;  // guarded by mutex
  };
  static Shard& ShardOf(const task::TaskRecord& task) {
    static std::array<Shard, 256> shards;
    return shards[reinterpret_cast<std::uintptr_t>(&task) * 0x9e3779b97f4a7c15ull >> 56];
  }
  task::TaskRecord& task_;
  WaitPoint& point_;
  TaskWait* next_ = nullptr;      // guarded by the shard's mutex
  TaskWait* previous_ = nullptr;  // guarded by the shard's mutex
};

}  // namespace manta::runtime
