#pragma once
// Keeps the memory of tasks that have not begun within a bound that the user sets (queue-bytes): who submits above it
// waits until enough of them have begun or ended.
//
// Two sums are kept. `unstarted` are one-CPU tasks in this rank's queues, or waiting to be sent: they begin without the
// submitter's help, since a submitter that waits has given its CPU back. `unended` are tasks of other shapes and actor
// calls, which count until they have ended. The driver and other plain threads wait while both together are above the
// bound; a task waits for `unstarted` only, for what else there is may itself wait for that task.
//
// Who waits is woken when an eighth of the bound is free, so that each wake is worth its price. Where the tasks are
// long that takes long, and then who submits much has filled it again before the next in the row has looked. So every
// 10 ms in which there is any room the first in the row goes on, whatever others do meanwhile.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>

#include "core/base/clock.hpp"
#include "core/runtime/wait_note.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

class BackPressure {
 public:
  BackPressure(worker::Progress& progress, std::uint64_t bound) : progress_(progress), bound_(bound) {}

  bool on() const { return bound_ != 0; }
  void AddUnstarted(std::size_t bytes) { unstarted_.fetch_add(bytes, std::memory_order_relaxed); }
  void AddUnended(std::size_t bytes) { unended_.fetch_add(bytes, std::memory_order_relaxed); }
  void SubtractUnstarted(std::size_t bytes) { Subtract(unstarted_, bytes); }
  void SubtractUnended(std::size_t bytes) { Subtract(unended_, bytes); }

  /// May park. Not under the token.
  void WaitForRoom(bool in_task) {
    while (IsFull(in_task)) {
      Waiting waiting{WaitPoint(progress_), in_task, false};
      {
        std::lock_guard lock(mutex_);
        waiting_.push_back(&waiting);
        any_waiting_.store(true, std::memory_order_seq_cst);  // before the look; Subtract does the reverse
      }
      if (!IsFull(in_task)) Wake();
      const WaitNote note("room for tasks (queue-bytes)");
      waiting.point.Wait(-1);
      if (waiting.goes_on) return;
    }
  }
  /// The session ends: nobody waits any more.
  void Open() {
    bound_.store(UINT64_MAX, std::memory_order_seq_cst);
    Wake();
  }

 private:
  struct Waiting {
    WaitPoint point;
    bool in_task;
    bool goes_on;  // before the signal: its turn has come
  };
  bool IsFull(bool in_task) const {
    const std::uint64_t unstarted = unstarted_.load(std::memory_order_seq_cst);
    const std::uint64_t counted = in_task ? unstarted : unstarted + unended_.load(std::memory_order_seq_cst);
    return counted >= bound_.load(std::memory_order_seq_cst);
  }
  void Subtract(std::atomic<std::uint64_t>& sum, std::size_t bytes) {
    sum.fetch_sub(bytes, std::memory_order_seq_cst);
    if (!any_waiting_.load(std::memory_order_seq_cst)) return;
    const std::uint64_t bound = bound_.load(std::memory_order_relaxed);
    if (unstarted_.load(std::memory_order_seq_cst) + unended_.load(std::memory_order_seq_cst) < bound - bound / 8 ||
        unstarted_.load(std::memory_order_seq_cst) == 0)
      Wake();
    else
      WakeFirst();
  }
  void Wake() {
    std::deque<Waiting*> waiting;
    std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
    any_waiting_.store(false, std::memory_order_seq_cst);
    woke_at_ns_.store(base::NowNanoseconds(), std::memory_order_relaxed);
    for (Waiting* one : waiting) one->point.Signal();
  }
  void WakeFirst() {
    const std::int64_t now = base::NowNanoseconds();
    if (now - woke_at_ns_.load(std::memory_order_relaxed) < kPatienceNs) return;
    std::lock_guard lock(mutex_);
    const auto first = std::ranges::find_if(waiting_, [this](const Waiting* one) { return !IsFull(one->in_task); });
    if (first == waiting_.end()) return;
    Waiting* const one = *first;
    waiting_.erase(first);
    if (waiting_.empty()) any_waiting_.store(false, std::memory_order_seq_cst);
    woke_at_ns_.store(now, std::memory_order_relaxed);
    one->goes_on = true;
    one->point.Signal();
  }

  static constexpr std::int64_t kPatienceNs = 10'000'000;

  worker::Progress& progress_;
  std::atomic<std::uint64_t> bound_;           // seq_cst with the sums: Open is a kind of room
  std::atomic<std::uint64_t> unstarted_{0};
  std::atomic<std::uint64_t> unended_{0};
  std::atomic<bool> any_waiting_{false};       // written under mutex_
  std::atomic<std::int64_t> woke_at_ns_{0};    // written under mutex_; relaxed: a hint
  std::mutex mutex_;
  std::deque<Waiting*> waiting_;               // guarded by mutex_
};

}  // namespace manta::runtime
