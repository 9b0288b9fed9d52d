#pragma once
// What a rank keeps of places under scheduler=central (docs/protocol.md, "Places"): its own tasks that ask rank 0 for
// one, and how many of the places here have been given back.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/node/spin_lock.hpp"
#include "core/task/record_list.hpp"
#include "core/wire/place_messages.hpp"

namespace manta::runtime {

/// Tasks of this rank that have no place yet, by the rank that they are bound to, in the order in which they asked.
/// Linked through their records; those that were cancelled stay until their turn comes. Any thread.
///
/// A rank has one PlaceRequest out at a time; what asks meanwhile goes with the next, as one number.
class PlacelessTasks {
 public:
  explicit PlacelessTasks(int ranks) : lists_(static_cast<std::size_t>(ranks) + 1) {}
  ~PlacelessTasks() {
    for (task::RecordList& list : lists_)
      while (!list.empty()) task::TaskPtr::Adopt(list.Pop());
  }
  PlacelessTasks(const PlacelessTasks&) = delete;
  PlacelessTasks& operator=(const PlacelessTasks&) = delete;

  /// Returns the request that is to be sent now, if there is one. `again`: it had a place before.
  std::optional<wire::PlaceRequest> Add(task::TaskPtr task, bool again) {
    const Rank bound = task->pinned();
    task->phase.store(task::Phase::kPlaceless, std::memory_order_release);  // a cancel ends it from here on
    std::lock_guard lock(lock_);
    ListOf(bound).Push(task.Release());
    if (unsaid_.runs.empty() || unsaid_.runs.back().bound != bound) unsaid_.runs.push_back({bound, 0});
    ++unsaid_.runs.back().count;
    unsaid_.again += again;
    if (asked_) return std::nullopt;
    asked_ = true;
    return std::exchange(unsaid_, {});
  }
  /// Rank 0 has the last request: the next one, if there is one.
  std::optional<wire::PlaceRequest> Heard() {
    std::lock_guard lock(lock_);
    asked_ = !unsaid_.runs.empty();
    if (!asked_) return std::nullopt;
    return std::exchange(unsaid_, {});
  }
  /// The next one that was not cancelled, claimed; empty where there is none.
  task::TaskPtr Take(Rank bound) {
    for (;;) {
      task::TaskPtr task;
      {
        std::lock_guard lock(lock_);
        task::RecordList& list = ListOf(bound);
        if (list.empty()) return {};
        task = task::TaskPtr::Adopt(list.Pop());
      }
      if (task->Claim(task::Phase::kPlaceless)) return task;
    }
  }

 private:
  task::RecordList& ListOf(Rank bound) { return lists_[bound.valid() ? static_cast<std::size_t>(bound.value) + 1 : 0]; }

  node::SpinLock lock_;
  std::vector<task::RecordList> lists_;  // guarded by lock_
  wire::PlaceRequest unsaid_;  // guarded by lock_
  bool asked_ = false;         // guarded by lock_
};

/// How many places here were given back by tasks that ended or wait, less those taken again after a wait, by owner,
/// since rank 0 was last told. Any thread.
class EndedPlaces {
 public:
  explicit EndedPlaces(int ranks) : ended_(static_cast<std::size_t>(ranks)) {}

  /// Returns whether rank 0 is to be told.
  bool Add(Rank owner) {
    ended_[static_cast<std::size_t>(owner.value)].fetch_add(1, std::memory_order_relaxed);
    // Release: who takes the sum finds the owners' counts.
    return sum_.fetch_add(1, std::memory_order_release) + 1 >= tell_at_.load(std::memory_order_relaxed);
  }
  void TakenAgain(Rank owner) {
    ended_[static_cast<std::size_t>(owner.value)].fetch_sub(1, std::memory_order_relaxed);
    sum_.fetch_add(1, std::memory_order_release);
    taken_again_.store(true, std::memory_order_release);
  }
  bool any() const { return sum_.load(std::memory_order_relaxed) != 0; }
  bool any_taken_again() const { return taken_again_.load(std::memory_order_acquire); }
  /// All of them. Two threads may share them out between them.
  std::vector<std::pair<Rank, std::int32_t>> Take() {
    std::vector<std::pair<Rank, std::int32_t>> of;
    taken_again_.store(false, std::memory_order_relaxed);
    // Release: who adds to the sum after this sets the flag after that store.
    if (sum_.exchange(0, std::memory_order_acq_rel) == 0) return of;
    for (std::size_t i = 0; i < ended_.size(); ++i)
      if (ended_[i].load(std::memory_order_relaxed) != 0)
        if (const std::int32_t count = ended_[i].exchange(0, std::memory_order_relaxed); count != 0)
          of.emplace_back(Rank(static_cast<std::int32_t>(i)), count);
    return of;
  }
  /// With so large a window it is enough to tell rank 0 of a quarter of it at a time.
  void SetWindow(std::uint32_t window) { tell_at_.store(window < 8 ? 1 : window / 4, std::memory_order_relaxed); }

 private:
  std::vector<std::atomic<std::int32_t>> ended_;  // relaxed, handed over by sum_
  std::atomic<std::uint32_t> sum_{0};             // of changes of either kind
  std::atomic<bool> taken_again_{false};          // release after the sum, acquire: the next tick tells
  std::atomic<std::uint32_t> tell_at_{1};         // relaxed: a hint
};

}  // namespace manta::runtime
