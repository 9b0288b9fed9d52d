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
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "core/base/prefetch.hpp"
#include "core/base/slab.hpp"
#include "core/node/spin_lock.hpp"
#include "core/task/task_record.hpp"

namespace manta::runtime {

/// A queue of records, each with a hold. It keeps their addresses beside each other and not a list through the records, so
/// that those which come next are fetched ahead: of a million tasks that wait none is in a cache any more.
class WaitingTasks {
 public:
  WaitingTasks() = default;
  ~WaitingTasks() {
    while (!empty()) Pop();
    if (first_ != nullptr) Free(first_);
  }
  WaitingTasks(const WaitingTasks&) = delete;
  WaitingTasks& operator=(const WaitingTasks&) = delete;

  bool empty() const { return first_ == last_ && begin_ == end_; }
  void Push(task::TaskPtr task) {
    if (first_ == nullptr || end_ == kBlockTasks) Append();
    last_->tasks[end_++] = task.Release();
  }
  /// Not empty.
  task::TaskPtr Pop() {
    if (begin_ == kBlockTasks) {
      Free(std::exchange(first_, first_->next));
      begin_ = 0;
    }
    if (const std::size_t ahead = begin_ + kAhead; ahead < (first_ == last_ ? end_ : kBlockTasks))
      base::PrefetchToWrite(first_->tasks[ahead]);
    else if (first_ != last_ && ahead - kBlockTasks < (first_->next == last_ ? end_ : kBlockTasks))
      base::PrefetchToWrite(first_->next->tasks[ahead - kBlockTasks]);
    return task::TaskPtr::Adopt(first_->tasks[begin_++]);
  }

 private:
  static constexpr std::size_t kBlockTasks = 63;
  static constexpr std::size_t kAhead = 8;
  struct Block {
    task::TaskRecord* tasks[kBlockTasks];
    Block* next;
  };
  static void Free(Block* block) { base::SlabFree(block, sizeof(Block)); }
  void Append() {
    auto* block = new (base::SlabAllocate(sizeof(Block))) Block;
    block->next = nullptr;
    (first_ == nullptr ? first_ : last_->next) = block;
    last_ = block;
    end_ = 0;
  }

  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t begin_ = 0;  // of the first block
  std::size_t end_ = 0;    // of the last
};

class TaskLinks {
 public:
  TaskLinks(int ranks, std::uint32_t credits) : credits_(credits) {
    for (int i = 0; i < ranks; ++i) links_.push_back(std::make_unique<Link>());
  }

  /// Whether a task may be sent to `to` now; else it is taken and kept, queued, until credits come back.
  bool TakeCreditOrKeep(Rank to, task::TaskPtr& task) {
    Link& link = LinkTo(to);
    std::lock_guard lock(link.mutex);
    if (link.in_flight < credits_ && link.waiting.empty()) {
      ++link.in_flight;
      return true;
    }
    task->phase.store(task::Phase::kQueued, std::memory_order_release);  // so that a cancel ends it
    link.waiting.Push(std::move(task));
    return false;
  }
  /// The same, but what can't be sent stays the caller's.
  bool TakeCredit(Rank to) {
    Link& link = LinkTo(to);
    std::lock_guard lock(link.mutex);
    if (link.in_flight >= credits_ || !link.waiting.empty()) return false;
    ++link.in_flight;
    return true;
  }
  /// `count` credits have come back. Whether tasks wait for them: then GiveCredits.
  bool TakeBackCredits(Rank to, std::uint32_t count) {
    Link& link = LinkTo(to);
    std::lock_guard lock(link.mutex);
    link.in_flight -= count;
    return !link.waiting.empty();
  }
  /// Fills `tasks` from its begin with the next that may be sent, claimed, with their credits taken. Returns how many;
  /// where they fill it there may be more.
  std::size_t GiveCredits(Rank to, std::span<task::TaskPtr> tasks) {
    Link& link = LinkTo(to);
    std::size_t given = 0;
    std::lock_guard lock(link.mutex);
    while (given < tasks.size() && !link.waiting.empty() && link.in_flight < credits_) {
      tasks[given] = link.waiting.Pop();
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
    WaitingTasks waiting;                                     // guarded by mutex
    std::vector<std::unique_ptr<ToldWords>> chunks;           // guarded by mutex
    std::array<std::atomic<ToldWords*>, 256> told{};          // by class; written under mutex
  };
  Link& LinkTo(Rank to) const { return *links_[static_cast<std::size_t>(to.value)]; }

  const std::uint32_t credits_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace manta::runtime
