#pragma once
// Waits of threads that keep their CPU meanwhile (in an OpenMP region) under scheduler=central. A task that they wait
// for may be placed behind them, on the only thread of the rank that runs tasks: so they hear when it may begin, and
// run it in place.
//
//   InPlaceWait told(waits, objects, point);   // `waits`: null where the thread may park
//   point.Wait(-1);
//   if (told.is_told()) ...                    // try to run them, then wait again

#include <algorithm>
#include <atomic>
#include <mutex>
#include <span>
#include <vector>

#include "core/node/doorbell.hpp"
#include "core/object/object_state.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

class InPlaceWait;

/// Any thread. A waiter is in the list, and then looks how its tasks stand; who lets one begin says so in its record,
/// and then looks whether anybody waits. Each has a full fence between the two.
class InPlaceWaits {
 public:
  /// The task that makes `object` may begin. The caller has fenced. Only compares `object`.
  inline void Tell(const object::ObjectState* object);

 private:
  friend class InPlaceWait;
  std::mutex mutex_;
  std::vector<InPlaceWait*> waits_;  // guarded by mutex_
  std::atomic<int> count_{0};        // of them; written under mutex_, relaxed: the fences order it
};

/// On the stack of who waits.
class InPlaceWait {
 public:
  InPlaceWait(InPlaceWaits* all, std::span<object::ObjectState* const> objects, WaitPoint& point)
      : all_(all), objects_(objects), point_(point) {
    if (all_ == nullptr) return;
    std::lock_guard lock(all_->mutex_);
    all_->waits_.push_back(this);
    all_->count_.fetch_add(1, std::memory_order_relaxed);
    node::FullFence();
  }
  ~InPlaceWait() {
    if (all_ == nullptr) return;
    std::lock_guard lock(all_->mutex_);
    std::erase(all_->waits_, this);
    all_->count_.fetch_sub(1, std::memory_order_relaxed);
  }
  InPlaceWait(const InPlaceWait&) = delete;
  InPlaceWait& operator=(const InPlaceWait&) = delete;

  /// Ends the wait, so that its thread tries to run what it waits for.
  void Tell() {
    told_.store(true, std::memory_order_relaxed);
    point_.Signal();
  }
  bool on() const { return all_ != nullptr; }
  bool is_told() const { return told_.load(std::memory_order_relaxed); }

 private:
  friend class InPlaceWaits;
  InPlaceWaits* const all_;
  const std::span<object::ObjectState* const> objects_;
  WaitPoint& point_;
  std::atomic<bool> told_{false};  // relaxed: before the signal; one that is missed was not the end of the wait
};

inline void InPlaceWaits::Tell(const object::ObjectState* object) {
  if (count_.load(std::memory_order_relaxed) == 0) return;
  std::lock_guard lock(mutex_);
  for (InPlaceWait* wait : waits_)
    if (std::ranges::find(wait->objects_, object) != wait->objects_.end()) wait->Tell();
}

}  // namespace manta::runtime
