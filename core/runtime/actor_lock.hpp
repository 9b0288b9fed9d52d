#pragma once
// The lock of an actor on its host: one bit of the word by which the actor is found, so that who has found it has it
// locked as well.

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "core/base/clock.hpp"

namespace manta::runtime {

/// Works with std::lock_guard. Actors whose ids have the same slot share it; two are never held at once.
class ActorLock {
 public:
  /// Bit 0: locked. The others: a pointer, which belongs to who has the lock. Written by any thread of the process:
  /// taken by CAS (acquire), which pairs with the release of who gives it back.
  using Word = std::atomic<std::uintptr_t>;
  static constexpr std::uintptr_t kLocked = 1;

  explicit ActorLock(Word& word) : word_(word) {}
  void lock() { Lock(word_); }
  void unlock() { Unlock(word_); }

  static void Lock(Word& word) {
    for (int spins = 0;;) {
      std::uintptr_t seen = word.load(std::memory_order_relaxed);
      if ((seen & kLocked) == 0 && word.compare_exchange_weak(seen, seen | kLocked, std::memory_order_acquire)) return;
      // As node::SpinLock: a holder without a core gets one.
      if (++spins < kSpinsBeforeYield)
        base::CpuRelax();
      else
        sched_yield();
    }
  }
  /// Relaxed load: only the lock's holder writes the word meanwhile.
  static void Unlock(Word& word) {
    word.store(word.load(std::memory_order_relaxed) & ~kLocked, std::memory_order_release);
  }

 private:
  static constexpr int kSpinsBeforeYield = 50;
  Word& word_;
};

}  // namespace manta::runtime
