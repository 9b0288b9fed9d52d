#pragma once
// How a rank that sleeps is woken by a message, without a system call when it does not sleep.
//
//   sender:   write the message;  RingBell(block_of_destination);
//
//   sleeper:  const std::uint32_t seen = Arm(my_block);
//             if (transport.MayHaveIncoming()) Disarm(my_block, Duty::kPolled);   // look again, after Arm
//             else SleepArmed(my_block, seen, timeout_ns);
//             poll;
//
// No ring is lost (Dekker's argument). The sender writes the message, then fences, then reads `duty`; the sleeper writes
// `duty`, then fences, then reads the ring. Fences are totally ordered: if the sender's is first, the sleeper's look
// sees the message; if the sleeper's is first, the sender sees kArmed and rings. A ring changes `doorbell`, and the
// kernel puts nobody to sleep whose `seen` is old. tests/models/sleep_wake_model_test.cpp walks through all
// interleavings, and finds the lost wake-up when a fence or the second look is left out.
//
// Where the rank has said so (ArmHeavily) the sleeper makes a heavy fence, and senders a light one (fences.hpp): a sleep
// comes after thousands of looks, and a message must not wait for a fence.
//
// Threads of a rank may share the word: a ring wakes all. One that wakes says kPolled for all, so it must poll until it
// arms again, or see to it that another looks.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/node/fences.hpp"
#include "core/node/rank_block.hpp"

namespace manta::node {

/// Sleeps while `word` is `expected`, until woken, a signal comes, or `timeout_ns` have passed (negative: no limit).
/// The word may be shared by processes. Returns false when the time ran out. May wake for no reason.
bool FutexWait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t timeout_ns);
/// Wakes up to `max_sleepers`. Returns how many there were.
int FutexWake(std::atomic<std::uint32_t>& word, int max_sleepers);

/// Exchanges and wakes; the rare part of RingBell. Returns whether it made the system call.
bool RingArmedBell(RankBlock& block);

/// After a message was written for the rank of `block`: wakes it if it sleeps. Any thread of any rank. Costs the read of
/// a line that is seldom written, and a fence where the rank does not make the heavy one itself. Returns whether it made
/// a system call.
inline bool RingBell(RankBlock& block) {
  // After the message, before `duty`: the sender's half of Dekker. Relaxed: `arms_heavily` is set before the rank's first
  // sleep and stays; who reads an old one fences once too often.
  if (block.arms_heavily.load(std::memory_order_relaxed) != 0 &&
      detail::registered_for_heavy_fences.load(std::memory_order_relaxed)) {
    LightFence();
  } else {
    FullFence();
  }
  // Relaxed: nothing is read on the strength of this value, it only decides about the call.
  if (block.duty.load(std::memory_order_relaxed) != Duty::kArmed) return false;
  return RingArmedBell(block);
}

/// From now on Arm makes the heavy fence, for senders that need none then. Before the rank's first sleep. Without effect
/// where the kernel can't, or where `ranks` on the node are so many that each sleep would interrupt too many of them.
void ArmHeavily(RankBlock& block, std::size_t ranks);

/// Says that this thread is about to sleep. The caller must look for messages once more, then SleepArmed with what this
/// returned, or Disarm.
inline std::uint32_t Arm(RankBlock& block) {
  // Before `duty`: a ring that answers to this Arm must differ from what was seen. Acquire keeps the store below it.
  const std::uint32_t seen = block.doorbell.load(std::memory_order_acquire);
  block.duty.store(Duty::kArmed, std::memory_order_relaxed);
  // After `duty`, before the caller's look at the rings: the sleeper's half.
  if (block.arms_heavily.load(std::memory_order_relaxed) != 0) {
    HeavyFence();
  } else {
    FullFence();
  }
  return seen;
}

/// Says who looks for messages from now on: with kPolled, the caller. Relaxed: a sender that still sees kArmed rings for
/// nothing.
inline void Disarm(RankBlock& block, Duty duty) { block.duty.store(duty, std::memory_order_relaxed); }

/// Sleeps until rung or `timeout_ns` have passed, and says kPolled again: the caller polls next. Returns false when the
/// time ran out. Always give a limit where the sender may die between its write and its ring.
bool SleepArmed(RankBlock& block, std::uint32_t seen, std::int64_t timeout_ns);

}  // namespace manta::node
