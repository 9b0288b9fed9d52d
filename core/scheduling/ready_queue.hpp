#pragma once
// The one-CPU tasks of a rank that may start: the children of its own running tasks, and the rest in order of
// submission.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

#include "core/task/task_record.hpp"

namespace manta::scheduling {

using task::TaskPtr;

/// An executor takes its own children newest first (they use the least memory and finish what waits for them), then the
/// rank's tasks oldest first, then other executors' children oldest first. Other ranks are given the oldest. Records
/// may have moved on since they were queued (claimed by a waiting parent, cancelled): whoever takes one must Claim it.
/// Any thread.
class ReadyQueue {
 public:
  explicit ReadyQueue(std::size_t executors) : children_(executors) {}

  void Push(TaskPtr task) {
    std::lock_guard lock(mutex_);
    shared_.push_back(std::move(task));
    size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  void PushChild(std::size_t executor, TaskPtr task) {
    std::lock_guard lock(mutex_);
    children_[executor].push_back(std::move(task));
    size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  /// Empty where there is none. The task is claimed.
  TaskPtr Pop(std::size_t executor) {
    if (empty()) return {};
    std::lock_guard lock(mutex_);
    while (TaskPtr task = TakeBack(children_[executor]))
      if (task->Claim()) return task;
    while (TaskPtr task = TakeFront(shared_))
      if (task->Claim()) return task;
    for (auto& others : children_)
      while (TaskPtr task = TakeFront(others))
        if (task->Claim()) return task;
    return {};
  }
  /// Up to `count` tasks that may run on other ranks, oldest first, claimed; no more than half of the queue (but one),
  /// for who asks can't know how long they are. Pinned ones stay.
  std::vector<TaskPtr> TakeForOthers(std::size_t count) {
    std::vector<TaskPtr> taken;
    std::lock_guard lock(mutex_);
    count = std::min(count, (size_.load(std::memory_order_relaxed) + 1) / 2);
    TakeFrom(shared_, count, taken);
    for (auto& others : children_) TakeFrom(others, count, taken);
    return taken;
  }
  /// Counts records that have moved on too.
  std::size_t size() const { return size_.load(std::memory_order_acquire); }
  bool empty() const { return size() == 0; }

 private:
  using List = std::deque<TaskPtr>;
  void CountDown() { size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_release); }
  TaskPtr TakeBack(List& list) {
    if (list.empty()) return {};
    TaskPtr task = std::move(list.back());
    list.pop_back();
    CountDown();
    return task;
  }
  TaskPtr TakeFront(List& list) {
    if (list.empty()) return {};
    TaskPtr task = std::move(list.front());
    list.pop_front();
    CountDown();
    return task;
  }
  void TakeFrom(List& list, std::size_t count, std::vector<TaskPtr>& taken) {
    // Pinned tasks are looked over, not moved: a bounded look keeps the lock short.
    constexpr std::size_t kLook = 256;
    std::size_t looked = 0;
    for (auto it = list.begin(); it != list.end() && taken.size() < count && looked < kLook; ++looked) {
      if ((*it)->is_pinned()) {
        ++it;
        continue;
      }
      TaskPtr task = std::move(*it);
      it = list.erase(it);
      CountDown();
      if (task->Claim()) taken.push_back(std::move(task));
    }
  }

  std::mutex mutex_;
  List shared_;                       // guarded by mutex_
  std::vector<List> children_;        // by executor; guarded by mutex_
  std::atomic<std::size_t> size_{0};  // written under mutex_ (release), read by who looks for work (acquire)
};

}  // namespace manta::scheduling
