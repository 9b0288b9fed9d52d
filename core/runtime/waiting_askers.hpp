#pragma once
// WorkRequests of other ranks that found nothing here, kept for a moment: a driver that submits a row of short tasks has
// none left again and again, and rank 0 must not hear of each time. docs/protocol.md, "Work between ranks".

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/ids.hpp"

namespace manta::runtime {

/// For the holder of the progress token, where nothing else is said.
class WaitingAskers {
 public:
  static constexpr std::int64_t kPatienceNs = 10'000'000;
  struct Asker {
    Rank rank;
    std::uint32_t want = 0;
    std::int64_t since_ns = 0;
  };

  void Keep(Asker asker) {
    all_.push_back(asker);
    // Relaxed, as all reads: who misses them is made up for by the next tick of the service thread.
    oldest_ns_.store(std::min(oldest_ns_.load(std::memory_order_relaxed), asker.since_ns), std::memory_order_relaxed);
  }
  /// All of them, in the order in which they came. Who calls from now on is not too early.
  std::vector<Asker> Take() {
    called_.store(false, std::memory_order_relaxed);
    oldest_ns_.store(kNever, std::memory_order_relaxed);
    return std::exchange(all_, {});
  }

  /// Any thread.
  bool any() const { return oldest_ns_.load(std::memory_order_relaxed) != kNever; }
  /// Any thread: whether one has waited for long enough.
  bool AnyIsLate(std::int64_t now_ns) const {
    const std::int64_t oldest = oldest_ns_.load(std::memory_order_relaxed);
    return oldest != kNever && now_ns - oldest >= kPatienceNs;
  }
  /// Any thread: true for the first that calls the token's holder to them.
  bool Call() { return !called_.load(std::memory_order_relaxed) && !called_.exchange(true, std::memory_order_relaxed); }

 private:
  static constexpr std::int64_t kNever = INT64_MAX;
  std::vector<Asker> all_;
  std::atomic<std::int64_t> oldest_ns_{kNever};
  std::atomic<bool> called_{false};
};

}  // namespace manta::runtime
