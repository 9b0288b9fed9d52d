#pragma once
// What a rank keeps of each other rank that it sends tasks to: how many of them may still be sent (credits), the tasks
// that wait for that, and which task classes it was told of.
//
// A one-CPU task that is bound to another rank takes a credit when it is sent. The credit comes back when the task is
// done, or when it begins to wait there: so at most `credits` unstarted tasks of ours lie at the other rank, and the
// rest here, in records that are in memory anyway; a task that waits for one of these can't keep it from coming. Other
// tasks need none: replies and control messages never wait, tasks that another rank asked for are few, and calls and
// 0-CPU tasks must not wait behind CPU tasks.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/node/spin_lock.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

class TaskLinks {
 public:
  TaskLinks(int ranks, std::uint32_t credits) : credits_(credits) {
    for (int i = 0; i < ranks; ++i) links_.push_back(std::make_unique<Link>());
  }
  ~TaskLinks() {
    for (auto& link : links_)
      while (link->first != nullptr) Pop(*link);
  }

  /// Whether a task may be sent to `to` now; else it is taken and kept, queued, until credits come back.
  bool TakeCreditOrKeep(Rank to, task::TaskPtr& task) {
    Link& link = LinkTo(to);
    std::lock_guard lock(link.mutex);
    if (link.in_flight < credits_ && link.first == nullptr) {
      ++link.in_flight;
      return true;
    }
    task->phase.store(task::Phase::kQueued, std::memory_order_release);  // so that a cancel ends it
    task::TaskRecord* last = task.Release();
    last->queue_next = nullptr;
    (link.first == nullptr ? link.first : link.last->queue_next) = last;
    link.last = last;
    return false;
  }
  /// `count` credits have come back. Fills `tasks` from its begin with the next that may be sent, claimed, with their
  /// credits taken. Returns how many; where they fill it there may be more: call again with 0.
  std::size_t GiveCredits(Rank to, std::uint32_t count, std::span<task::TaskPtr> tasks) {
    Link& link = LinkTo(to);
    std::size_t given = 0;
    std::lock_guard lock(link.mutex);
    link.in_flight -= count;
    while (given < tasks.size() && link.first != nullptr && link.in_flight < credits_) {
      tasks[given] = Pop(link);
      if (!tasks[given]->Claim()) continue;  // cancelled meanwhile
      ++link.in_flight;
      ++given;
    }
    return given;
  }

  /// Whether `to` was told of a class; who gets false tells it, then calls SetTold. Two may tell it at once.
  bool IsTold(Rank to, std::uint32_t task_class) const {
    // Acquire: the notice went out before the flag was set, on the same channel as the task that follows.
    const auto* words = LinkTo(to).told[task_class >> kToldBits].load(std::memory_order_acquire);
    return words != nullptr &&
           ((*words)[(task_class & kToldMask) >> 6].load(std::memory_order_acquire) >> (task_class & 63) & 1) != 0;
  }
  void SetTold(Rank to, std::uint32_t task_class) {
    Link& link = LinkTo(to);
    std::lock_guard lock(link.mutex);
    auto& chunk = link.told[task_class >> kToldBits];
    if (chunk.load(std::memory_order_relaxed) == nullptr) {
      link.chunks.push_back(std::make_unique<ToldWords>());
      chunk.store(link.chunks.back().get(), std::memory_order_release);
    }
    (*chunk.load(std::memory_order_relaxed))[(task_class & kToldMask) >> 6].fetch_or(
        std::uint64_t{1} << (task_class & 63), std::memory_order_release);
  }

 private:
  static constexpr unsigned kToldBits = 12;
  static constexpr std::uint32_t kToldMask = (1u << kToldBits) - 1;
  using ToldWords = std::array<std::atomic<std::uint64_t>, (1u << kToldBits) / 64>;

  struct alignas(64) Link {
    node::SpinLock mutex;
    std::uint32_t in_flight = 0;                              // guarded by mutex
    task::TaskRecord* first = nullptr;                        // held; guarded by mutex
    task::TaskRecord* last = nullptr;                         // guarded by mutex
    std::vector<std::unique_ptr<ToldWords>> chunks;           // guarded by mutex
    std::array<std::atomic<ToldWords*>, 256> told{};          // by class; written under mutex
  };
  Link& LinkTo(Rank to) const { return *links_[static_cast<std::size_t>(to.value)]; }
  static task::TaskPtr Pop(Link& link) {
    task::TaskPtr task = task::TaskPtr::Adopt(link.first);
    link.first = std::exchange(task->queue_next, nullptr);
    return task;
  }

  const std::uint32_t credits_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace manta::runtime
