#pragma once
// Where a thread of this process sleeps until another thread of it has something for it.

#include <atomic>
#include <cstdint>

#include "core/node/rank_block.hpp"

namespace manta::worker {

/// One a thread. Wake may come from any thread, before, during or after a sleep; it is never lost: it changes `word_`,
/// and a sleep begins only while `word_` is what its owner saw before it last looked for work (the kernel compares
/// again).
class Sleeper {
 public:
  /// The calling thread's. It is never freed, only used again by a later thread, so that a late Wake is harmless.
  static Sleeper& OfThisThread();

  /// To be called before looking for work; Sleep takes what it returned. Acquire: what a waker did before is then seen.
  std::uint32_t Look() const { return word_.load(std::memory_order_acquire); }
  bool WokenSince(std::uint32_t seen) const { return Look() != seen; }

  /// Sleeps until woken or the time is up (negative: no limit).
  void Sleep(std::uint32_t seen, std::int64_t timeout_ns);
  /// Sleeps on the rank's doorbell instead, which messages ring. `bell_seen` is from node::Arm. Leaves `duty` as it is:
  /// only the holder of the progress token may say who looks for messages.
  void SleepAtDoor(std::uint32_t seen, node::RankBlock& block, std::uint32_t bell_seen, std::int64_t timeout_ns);

  /// Whether a Wake would need a system call. A hint.
  bool asleep() const { return place_.load(std::memory_order_relaxed) != kAwake; }
  /// Ends the sleep, or keeps the next one from beginning. Returns whether it made a system call.
  bool Wake();

 private:
  enum Place : std::uint32_t { kAwake, kOwnBed, kDoor };
  // seq_cst on both words (Dekker): the sleeper writes place_ then reads word_, the waker writes word_ then reads
  // place_; so either the sleeper sees the new word or the waker sees where to wake it.
  std::atomic<std::uint32_t> word_{0};
  std::atomic<std::uint32_t> place_{kAwake};
  std::atomic<node::RankBlock*> block_{nullptr};  // written before place_ says kDoor
};

}  // namespace manta::worker
