#pragma once
// The one-CPU tasks of a rank that may start: the children of its own running tasks, and the rest in order of
// submission.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/node/spin_lock.hpp"
#include "core/task/task_record.hpp"

namespace manta::scheduling {

using task::TaskPtr;
using task::TaskRecord;

/// An executor takes its own children newest first (they use the least memory and finish what waits for them), then the
/// rank's tasks oldest first, then other executors' children oldest first. Other ranks are given the oldest that are
/// not pinned. Records may have moved on since they were queued (claimed by a waiting parent, cancelled): whoever takes
/// one must Claim it. A record that is queued again before its old place has come up keeps the old place. Any thread.
///
/// The rank's tasks are linked through their records, and all steps take the same few instructions however long the
/// queue is. Children lie in a ring an executor, since they are taken from both ends.
class ReadyQueue {
 public:
  explicit ReadyQueue(std::size_t executors) : children_(executors) {}
  ~ReadyQueue() {
    while (TaskRecord* record = shared_.TakeFront()) Drop(record);
    while (TaskRecord* record = pinned_.TakeFront()) Drop(record);
    for (Children& one : children_)
      while (TaskRecord* record = one.TakeFront()) Drop(record);
  }
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  void Push(TaskPtr task) {
    std::lock_guard lock(lock_);
    if (task->queue_next != nullptr) return;
    CountUp(*task);
    PushShared(task.Release());
  }
  void PushChild(std::size_t executor, TaskPtr task) {
    std::lock_guard lock(lock_);
    if (task->queue_next != nullptr) return;
    task->queue_next = End();
    CountUp(*task);
    children_[executor].Push(task.Release());
    ++all_children_;
  }
  /// Empty where there is none. The task is claimed.
  TaskPtr Pop(std::size_t executor) {
    while (!empty()) {
      TaskPtr task = TakeNext(executor);  // let go of without the lock: it may be the last hold
      if (!task || task->Claim()) return task;
    }
    return {};
  }
  /// Up to `count` tasks that may run on other ranks, oldest first, claimed; no more than half of the queue (but one),
  /// for who asks can't know how long they are. Pinned ones stay.
  std::vector<TaskPtr> TakeForOthers(std::size_t count) {
    std::vector<TaskPtr> taken;
    {
      std::lock_guard lock(lock_);
      count = std::min(count, (size_.load(std::memory_order_relaxed) + 1) / 2);
      while (taken.size() < count && !shared_.empty()) taken.push_back(Taken(TakeOldestShared()));
      for (Children& one : children_) {
        if (all_children_ == 0) break;
        while (taken.size() < count && !one.empty()) {
          TaskRecord* record = one.TakeFront();
          --all_children_;
          if (record->is_pinned()) {
            PushShared(record);  // not looked over twice
          } else {
            taken.push_back(Taken(record));
          }
        }
      }
    }
    std::erase_if(taken, [](const TaskPtr& task) { return !task->Claim(); });
    return taken;
  }
  /// Counts records that have moved on too.
  std::size_t size() const { return size_.load(std::memory_order_acquire); }
  bool empty() const { return size() == 0; }
  /// Whether there are tasks that other ranks may run.
  bool AnyMovable() const { return movable() != 0; }
  std::size_t movable() const { return movable_.load(std::memory_order_acquire); }

 private:
  /// What the last record of a list points to, so that null means "in no queue". Never followed.
  static TaskRecord* End() { return reinterpret_cast<TaskRecord*>(alignof(TaskRecord)); }

  /// First in, first out, linked through the records.
  struct List {
    TaskRecord* first = nullptr;
    TaskRecord* last = nullptr;
    bool empty() const { return first == nullptr; }
    void Push(TaskRecord* record) {
      record->queue_next = End();
      (first == nullptr ? first : last->queue_next) = record;
      last = record;
    }
    TaskRecord* TakeFront() {
      TaskRecord* record = first;
      if (record != nullptr) first = record->queue_next == End() ? nullptr : record->queue_next;
      return record;
    }
  };

  /// The children of one executor: a ring that doubles when it is full.
  class Children {
   public:
    bool empty() const { return size_ == 0; }
    void Push(TaskRecord* record) {
      if (size_ == ring_.size()) Grow();
      ring_[(first_ + size_++) & (ring_.size() - 1)] = record;
    }
    TaskRecord* TakeBack() { return size_ == 0 ? nullptr : ring_[(first_ + --size_) & (ring_.size() - 1)]; }
    TaskRecord* TakeFront() {
      if (size_ == 0) return nullptr;
      TaskRecord* record = ring_[first_];
      first_ = (first_ + 1) & (ring_.size() - 1);
      --size_;
      return record;
    }

   private:
    void Grow() {
      std::vector<TaskRecord*> larger(std::max<std::size_t>(64, 2 * ring_.size()));
      for (std::size_t i = 0; i < size_; ++i) larger[i] = ring_[(first_ + i) & (ring_.size() - 1)];
      ring_.swap(larger);
      first_ = 0;
    }
    std::vector<TaskRecord*> ring_;  // a power of two of places
    std::size_t first_ = 0;
    std::size_t size_ = 0;
  };

  /// A stretch of the order of submission: first `pinned` tasks that are pinned, then `shared` that are not. So the two
  /// lists are taken from in the order in which they were filled, at no cost for each task.
  struct Stretch {
    std::size_t pinned = 0;
    std::size_t shared = 0;
  };

  static void Drop(TaskRecord* record) {
    record->queue_next = nullptr;
    TaskPtr::Adopt(record);
  }
  void CountUp(const TaskRecord& record) {
    size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    if (!record.is_pinned()) movable_.store(movable_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  /// Out of the queue: it may be pushed again.
  TaskPtr Taken(TaskRecord* record) {
    record->queue_next = nullptr;
    size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    if (!record->is_pinned()) movable_.store(movable_.load(std::memory_order_relaxed) - 1, std::memory_order_release);
    return TaskPtr::Adopt(record);
  }
  void PushShared(TaskRecord* record) {
    if (record->is_pinned()) {
      if (order_.back().shared != 0) order_.emplace_back();
      ++order_.back().pinned;
      pinned_.Push(record);
    } else {
      ++order_.back().shared;
      shared_.Push(record);
    }
  }
  /// The oldest of both lists; null when they are empty.
  TaskRecord* TakeOldest() {
    if (order_.front().pinned == 0 && order_.front().shared == 0) {
      if (order_.size() == 1) return nullptr;
      order_.pop_front();
    }
    if (order_.front().pinned != 0) {
      --order_.front().pinned;
      return pinned_.TakeFront();
    }
    --order_.front().shared;
    return shared_.TakeFront();
  }
  /// The oldest that is not pinned. Pinned ones before it become one stretch with those after it.
  TaskRecord* TakeOldestShared() {
    while (order_.front().shared == 0) {
      const std::size_t passed = order_.front().pinned;
      order_.pop_front();
      order_.front().pinned += passed;
    }
    --order_.front().shared;
    return shared_.TakeFront();
  }
  TaskPtr TakeNext(std::size_t executor) {
    std::lock_guard lock(lock_);
    TaskRecord* record = children_[executor].TakeBack();
    if (record == nullptr) {
      if ((record = TakeOldest()) != nullptr) return Taken(record);
      if (all_children_ == 0) return {};
      for (Children& others : children_)
        if ((record = others.TakeFront()) != nullptr) break;
    }
    MANTA_ASSERT(record != nullptr);
    --all_children_;
    return Taken(record);
  }

  node::SpinLock lock_;
  List shared_;                       // guarded by lock_
  List pinned_;                       // to this rank; guarded by lock_
  std::deque<Stretch> order_{1};      // of both lists, never empty; guarded by lock_
  std::vector<Children> children_;    // by executor; guarded by lock_
  std::size_t all_children_ = 0;      // in children_; guarded by lock_
  std::atomic<std::size_t> movable_{0};  // those of size_ that are not pinned; as size_
  std::atomic<std::size_t> size_{0};  // written under lock_ (release), read by who looks for work (acquire)
};

}  // namespace manta::scheduling
