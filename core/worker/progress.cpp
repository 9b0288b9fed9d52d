#include "core/worker/progress.hpp"

#include <sched.h>

#include <algorithm>
#include <limits>

#include "core/base/event_ring.hpp"

namespace manta::worker {
namespace {

// How many waits of this thread still may not yield: a yield gave a computing peer a whole slice.
thread_local int yield_ban = 0;
thread_local int next_ban = 4;

constexpr std::int64_t kLongSleepNs = 1'000'000'000;

}  // namespace

Backoff::Step Backoff::Next() {
  ++steps_;
  if (steps_ == 1) {
    const node::NodeLoad load = node::SumLoad(blocks_);
    if (load.running + load.spinning < cores_) {
      if (!counted_) mine_.spinning.fetch_add(1, std::memory_order_relaxed);
      counted_ = true;
    } else {
      StopSpinning();
    }
  }
  if (counted_) {
    if (steps_ > kSpins) {
      StopSpinning();
      return Step::kSleep;
    }
    base::CpuRelax();
    if (steps_ % 256 == 0) {
      // Others may have begun to compute since: leave them the core.
      const node::NodeLoad load = node::SumLoad(blocks_);
      if (load.running + load.spinning > cores_) {
        StopSpinning();
        return Step::kSleep;
      }
    }
    return Step::kAgain;
  }
  if (yield_ban > 0) {
    --yield_ban;
    return Step::kSleep;
  }
  if (steps_ > kYields) return Step::kSleep;
  const std::int64_t before = base::NowNanoseconds();
  ::sched_yield();
  if (base::NowNanoseconds() - before > kSlowYieldNs) {
    yield_ban = next_ban;
    next_ban = std::min(next_ban * 4, 4096);
  } else if (next_ban > 4) {
    --next_ban;
  }
  return Step::kAgain;
}

void Backoff::StopSpinning() {
  if (counted_) mine_.spinning.fetch_sub(1, std::memory_order_relaxed);
  counted_ = false;
}

Progress::Progress(Options options, std::vector<Transport*> transports, MessageHandler& handler)
    : options_(std::move(options)),
      block_(options_.blocks[options_.my_index]),
      transports_(std::move(transports)),
      handler_(handler) {}

Progress::~Progress() { Stop(); }

void Progress::Start() {
  stop_.store(false);
  node::Disarm(block_, node::Duty::kBusy);  // a fresh block says kPolled, and nobody polls yet
  service_ = std::thread([this] { ServiceLoop(); });
}

void Progress::Stop() {
  if (!service_.joinable()) return;
  stop_.store(true);
  while (service_sleeper_.load() == nullptr) std::this_thread::yield();
  service_sleeper_.load()->Wake();
  service_.join();
  service_sleeper_.store(nullptr);
}

bool Progress::TryTakeToken() {
  // Read first: a failed exchange would take the line from the holder.
  if (token_.load(std::memory_order_relaxed) || token_.exchange(true, std::memory_order_acquire)) return false;
  holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  return true;
}

void Progress::ReleaseToken() {
  holder_.store({}, std::memory_order_relaxed);
  token_.store(false, std::memory_order_release);
}

std::size_t Progress::PollHeld() {
  std::size_t delivered = 0;
  for (Transport* transport : transports_) delivered += transport->Poll(handler_, 64);
  if (delivered != 0) base::Record(base::EventKind::kPolled, delivered);
  const std::uint64_t polls = polls_.load(std::memory_order_relaxed) + 1;
  polls_.store(polls, std::memory_order_relaxed);
  if (polls % 64 == 0 || delivered == 0) {
    // The clock is read on every idle poll: that is no work lost.
    const std::int64_t now = base::NowNanoseconds();
    if (now >= next_housekeeping_ns_) {
      next_housekeeping_ns_ = now + kHousekeepingNs;
      if (options_.housekeeping) options_.housekeeping();
    }
  }
  return delivered;
}

std::size_t Progress::TryPoll() {
  if (!TryTakeToken()) return 0;
  const std::size_t delivered = PollHeld();
  ReleaseToken();
  return delivered;
}

void Progress::PollIfDue() {
  bool due = false;
  for (const Transport* transport : transports_) due = due || transport->MayHaveIncoming() || !transport->Flushed();
  if (due) TryPoll();
}

std::int64_t Progress::MaxSleep() const {
  std::int64_t limit = 1'000'000'000;
  for (const Transport* transport : transports_) limit = std::min(limit, transport->MaxSleepNanoseconds());
  return limit;
}

bool Progress::SleepHeld(Sleeper& me, std::uint32_t seen, std::int64_t deadline_ns) {
  std::int64_t limit = MaxSleep();
  if (deadline_ns >= 0) limit = std::min(limit, std::max<std::int64_t>(0, deadline_ns - base::NowNanoseconds()));
  const bool door = !door_taken_.exchange(true, std::memory_order_acq_rel);
  const std::uint32_t bell = node::Arm(block_);
  // After Arm: what came before it is seen here, what comes later rings.
  bool ring_comes = false;
  for (const Transport* transport : transports_)
    ring_comes = ring_comes || (transport->RingsSleepers() && transport->MayHaveIncoming());
  if (ring_comes || me.WokenSince(seen)) {
    node::Disarm(block_, node::Duty::kPolled);
    if (door) door_taken_.store(false, std::memory_order_release);
    return true;
  }
  ReleaseToken();
  if (door) {
    me.SleepAtDoor(seen, block_, bell, limit);
    door_taken_.store(false, std::memory_order_release);
  } else {
    // Another thread sleeps at the door and is woken by messages, and by the clock where those can't ring; we are woken
    // by what we wait for.
    me.Sleep(seen, deadline_ns >= 0 ? std::max<std::int64_t>(0, deadline_ns - base::NowNanoseconds()) : kLongSleepNs);
  }
  if (!TryTakeToken()) return false;
  node::Disarm(block_, node::Duty::kPolled);
  return true;
}

void Progress::WakeService() {
  Sleeper* service = service_sleeper_.load(std::memory_order_acquire);
  if (service == nullptr || watching_.exchange(true, std::memory_order_acq_rel)) return;
  if (service->Wake()) CountWakeup();
}

void Progress::ServiceLoop() {
  Sleeper& me = Sleeper::OfThisThread();
  service_sleeper_.store(&me, std::memory_order_release);
  std::uint64_t last_polls = 0;
  int quiet = 0;
  bool settle = false;  // we were called to watch: others may poll soon, so look for a tick before arming
  for (;;) {
    const std::uint32_t seen = me.Look();  // before stop_: a Wake in between then ends the sleep
    if (stop_.load(std::memory_order_acquire)) break;
    const bool must_tick = options_.on_tick && options_.on_tick();
    const std::uint64_t polls = polls_.load(std::memory_order_relaxed);
    const node::Duty duty = block_.duty.load(std::memory_order_relaxed);
    const bool neglected = duty != node::Duty::kPolled && polls == last_polls && !settle;
    settle = false;
    last_polls = polls;
    if (duty == node::Duty::kPolled) {
      // A thread looks. It tells us when it leaves, if we are no longer on watch by then.
      if (must_tick || ++quiet < kQuietTicks) {
        me.Sleep(seen, kTickNs);
        continue;
      }
      quiet = 0;
      watching_.store(false, std::memory_order_relaxed);
      node::FullFence();  // see Wait: it says kBusy, fences, reads watching_
      // A thread that left just before the store counted on us.
      if (block_.duty.load(std::memory_order_relaxed) == node::Duty::kPolled) me.Sleep(seen, 100'000'000);
      watching_.store(true, std::memory_order_relaxed);
      continue;
    }
    if (!neglected) {
      quiet = 0;
      me.Sleep(seen, kTickNs);
      continue;
    }
    // Nobody has polled for a whole tick: look ourselves, then let messages ring.
    if (!TryTakeToken()) {
      me.Sleep(seen, kTickNs);
      continue;
    }
    while (PollHeld() != 0) {
    }
    last_polls = polls_.load(std::memory_order_relaxed);
    // Armed from here on. Who watches over long calls is needed at ticks all the same.
    const std::int64_t limit = must_tick ? kTickNs : kLongSleepNs;
    watching_.store(must_tick, std::memory_order_release);
    const bool held = SleepHeld(me, seen, base::NowNanoseconds() + limit);
    settle = me.WokenSince(seen);
    watching_.store(true, std::memory_order_release);
    if (held) {
      while (PollHeld() != 0) {
      }
      last_polls = polls_.load(std::memory_order_relaxed);
      node::Disarm(block_, node::Duty::kBusy);
      ReleaseToken();
    }
  }
  // Whoever wakes us after this finds a sleeper that nobody sleeps on, which is harmless.
}

}  // namespace manta::worker
