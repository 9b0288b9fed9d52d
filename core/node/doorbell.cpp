#include "core/node/doorbell.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "core/base/check.hpp"

namespace manta::node {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == 4, "a futex is 32 bits");

std::uint32_t* AddressOf(std::atomic<std::uint32_t>& word) { return reinterpret_cast<std::uint32_t*>(&word); }

}  // namespace

bool FutexWait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t timeout_ns) {
  timespec timeout{};
  if (timeout_ns >= 0) {
    timeout.tv_sec = timeout_ns / 1'000'000'000;
    timeout.tv_nsec = timeout_ns % 1'000'000'000;
  }
  // Not FUTEX_PRIVATE_FLAG: the ringer is another process with another mapping of the same page.
  const long result = syscall(SYS_futex, AddressOf(word), FUTEX_WAIT, expected, timeout_ns >= 0 ? &timeout : nullptr,
                              nullptr, 0);
  if (result == 0) return true;
  // EAGAIN: it was rung before we slept. EINTR: a signal; the caller looks and comes back.
  MANTA_ASSERT(errno == ETIMEDOUT || errno == EAGAIN || errno == EINTR);
  return errno != ETIMEDOUT;
}

int FutexWake(std::atomic<std::uint32_t>& word, int max_sleepers) {
  const long woken = syscall(SYS_futex, AddressOf(word), FUTEX_WAKE, max_sleepers, nullptr, nullptr, 0);
  MANTA_ASSERT(woken >= 0);
  return static_cast<int>(woken);
}

void ArmHeavily(RankBlock& block, std::size_t ranks) {
  constexpr std::size_t kMostRanks = 16;
  if (RegisterForHeavyFences() && ranks <= kMostRanks) block.arms_heavily.store(1, std::memory_order_relaxed);
}

bool RingArmedBell(RankBlock& block) {
  // Of several senders one makes the call. kBusy tells the others that somebody is going to look. Relaxed, as the load
  // in RingBell; the message itself is handed over by its own release.
  if (block.duty.exchange(Duty::kBusy, std::memory_order_relaxed) != Duty::kArmed) return false;
  // Changed before the wake: a sleeper that is not yet asleep then stays awake. Release pairs with Arm's acquire.
  block.doorbell.fetch_add(1, std::memory_order_release);
  FutexWake(block.doorbell, INT_MAX);
  return true;
}

bool SleepArmed(RankBlock& block, std::uint32_t seen, std::int64_t timeout_ns) {
  const bool rung = FutexWait(block.doorbell, seen, timeout_ns);
  Disarm(block, Duty::kPolled);
  return rung;
}

}  // namespace manta::node
