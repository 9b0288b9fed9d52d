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

Backoff::Step Backoff::NextSlow() {
  if (core_.held()) {
    if (steps_ > kSpins) {
      core_.Drop();
      return Step::kSleep;
    }
    // Others may have begun to compute since: leave them the core.
    const node::NodeLoad load = node::SumLoad(blocks_);
    if (load.running + load.spinning > cores_) {
      core_.Drop();
      return Step::kSleep;
    }
    base::CpuRelax();
    return Step::kAgain;
  }
  if (steps_ == 1) {
    const node::NodeLoad load = node::SumLoad(blocks_);
    if (load.running + load.spinning < cores_) {
      core_.Take();
      return Step::kAgain;
    }
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

Progress::Progress(Options options, std::vector<Transport*> transports, MessageHandler& handler)
    : options_(std::move(options)),
      block_(options_.blocks[options_.my_index]),
      transports_(std::move(transports)),
      handler_(handler),
      spinner_(block_.spinning) {
  // Ranks that share cores sleep with every wait; a heavy fence then takes as long as the wake-up, and interrupts those
  // that compute.
  const std::size_t ranks = options_.blocks.size();
  if (ranks <= static_cast<std::size_t>(options_.node_cores)) node::ArmHeavily(block_, ranks);
}

Progress::~Progress() { Stop(); }

void Progress::Start() {
  stop_.store(false);
  watching_.store(true);  // it begins on watch, so that a fresh block, which says kPolled, is right
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

void Progress::Close() {
  while (!TryTakeToken(Token::kBrief)) std::this_thread::yield();
  spinner_.Drop();
}

void Progress::LookAtClock() {
  clock_due_ = false;
  const std::int64_t now = base::NowNanoseconds();
  if (now < next_housekeeping_ns_) return;
  next_housekeeping_ns_ = now + kHousekeepingNs;
  if (options_.housekeeping) options_.housekeeping();
}

std::size_t Progress::TryPoll() {
  if (!TryTakeToken(Token::kBrief)) return 0;
  const std::size_t delivered = PollHeld();
  ReleaseToken();
  return delivered;
}

std::int64_t Progress::MaxSleep() const {
  std::int64_t limit = 1'000'000'000;
  for (const Transport* transport : transports_) limit = std::min(limit, transport->MaxSleepNanoseconds());
  return limit;
}

bool Progress::TakeDoor(Role role, Sleeper& me) {
  Sleeper* there = door_.load(std::memory_order_acquire);
  // The service thread sleeps there beside a waiter that comes later: both are woken, and it then leaves the looking to
  // the waiter.
  if (role == Role::kService) return there == nullptr;
  if (there != nullptr && (role == Role::kExecutor || !executor_at_door_)) return false;
  executor_at_door_ = role == Role::kExecutor;
  there = door_.exchange(&me, std::memory_order_acq_rel);
  if (there != nullptr && there->Wake()) CountWakeup();
  return true;
}

bool Progress::SleepHeld(Role role, Sleeper& me, std::uint32_t seen, std::int64_t deadline_ns, bool* demoted) {
  std::int64_t limit = MaxSleep();
  if (deadline_ns >= 0) limit = std::min(limit, std::max<std::int64_t>(0, deadline_ns - base::NowNanoseconds()));
  clock_due_ = true;
  const bool door = TakeDoor(role, me);
  const auto leave_door = [&] {
    Sleeper* expected = &me;
    return role == Role::kService || !door ||
           door_.compare_exchange_strong(expected, nullptr, std::memory_order_acq_rel);
  };
  const std::uint32_t bell = node::Arm(block_);
  // After Arm: what came before it is seen here, what comes later rings.
  bool ring_comes = false;
  for (const Transport* transport : transports_)
    ring_comes = ring_comes || (transport->RingsSleepers() && transport->MayHaveIncoming());
  if (ring_comes || me.WokenSince(seen)) {
    node::Disarm(block_, node::Duty::kPolled);
    leave_door();  // with the token, so nobody can have taken it
    return true;
  }
  if (role == Role::kService) service_at_door_.store(true, std::memory_order_relaxed);
  ReleaseToken();
  if (door) {
    me.SleepAtDoor(seen, block_, bell, limit);
    if (role == Role::kService) service_at_door_.store(false, std::memory_order_relaxed);
    if (!leave_door()) {
      *demoted = true;
      return false;
    }
  } else {
    // Another thread sleeps at the door and is woken by messages, and by the clock where those can't ring; we are woken
    // by what we wait for.
    me.Sleep(seen, deadline_ns >= 0 ? std::max<std::int64_t>(0, deadline_ns - base::NowNanoseconds()) : kLongSleepNs);
  }
  if (role == Role::kService) {
    // A waiter that was woken with us looks; so does one that has called us since it leaves: it has disarmed. Taking
    // the token would only be in its way.
    const bool called = me.WokenSince(seen) && block_.duty.load(std::memory_order_relaxed) == node::Duty::kPolled;
    if (called || door_.load(std::memory_order_acquire) != nullptr) return false;
  }
  // Most hold it for one poll only, maybe one that began too early to see what woke us.
  for (int i = 0; !TryTakeToken(role == Role::kService ? Token::kBrief : Token::kWaiter); ++i) {
    if (i == 64) return false;
    base::CpuRelax();
  }
  SayPolled();
  return true;
}

void Progress::PollInPassing() {
  bool due = false;
  for (const Transport* transport : transports_) due = due || transport->MayHaveIncoming() || !transport->Flushed();
  const bool armed = block_.duty.load(std::memory_order_relaxed) == node::Duty::kArmed;
  if ((!due && !armed) || !TryTakeToken(Token::kBrief)) return;
  if (due) PollHeld();
  if (block_.duty.load(std::memory_order_relaxed) == node::Duty::kArmed) {
    // Who sleeps at the door is no longer rung. An executor may go on to sleep there, for its limit at most; the service
    // thread must not, since it is the one that looks when we do not come back.
    node::Disarm(block_, node::Duty::kBusy);
    Sleeper* service = service_sleeper_.load(std::memory_order_acquire);
    if (service != nullptr && service_at_door_.load(std::memory_order_relaxed) && service->Wake()) CountWakeup();
  }
  ReleaseToken();
  node::FullFence();  // as at the end of Wait
  EnsureWatch();
}

void Progress::WakeService() {
  Sleeper* service = service_sleeper_.load(std::memory_order_acquire);
  if (service == nullptr || watching_.exchange(true, std::memory_order_acq_rel)) return;
  if (service->Wake()) CountWakeup();
}

/// The service thread, with the token, when all threads compute: looks, sleeps at the door, and when it is rung does so
/// again at once, until a waiter looks or has called it to watch.
void Progress::SitAtDoor(Sleeper& me) {
  for (bool held = true; held;) {
    const std::uint32_t seen = me.Look();
    if (stop_.load(std::memory_order_acquire)) break;
    spinner_.Drop();  // of a thread that spun and now computes or is gone
    while (PollHeld() != 0) {
    }
    // Armed from here on. A thread that takes the token, and so disarms, wakes us when it leaves.
    watching_.store(false, std::memory_order_relaxed);
    node::FullFence();  // who brings work that has to be watched puts it down, fences, and reads watching_
    const bool must_tick = options_.on_tick && options_.on_tick();
    if (must_tick) watching_.store(true, std::memory_order_relaxed);
    held = SleepHeld(Role::kService, me, seen, base::NowNanoseconds() + (must_tick ? kTickNs : kLongSleepNs), nullptr);
    watching_.store(true, std::memory_order_release);
    if (!held) return;
  }
  ReleaseToken();
}

void Progress::ServiceLoop() {
  Sleeper& me = Sleeper::OfThisThread();
  service_sleeper_.store(&me, std::memory_order_release);
  std::uint64_t last_polls = 0;
  int quiet = 0;
  bool settle = false;  // we came from the door: others poll or may do so soon, so look for a tick before arming
  for (;;) {
    const std::uint32_t seen = me.Look();  // before stop_: a Wake in between then ends the sleep
    if (stop_.load(std::memory_order_acquire)) break;
    const bool must_tick = options_.on_tick && options_.on_tick();
    const std::uint64_t polls = polls_.load(std::memory_order_relaxed);
    const Token token = token_.load(std::memory_order_relaxed);
    const bool neglected = polls == last_polls && !settle;
    settle = false;
    last_polls = polls;
    if (token == Token::kWaiter) {
      // A thread looks. It tells us when it leaves, if we are no longer on watch by then.
      if (must_tick || ++quiet < kQuietTicks) {
        me.Sleep(seen, kTickNs);
        continue;
      }
      quiet = 0;
      watching_.store(false, std::memory_order_relaxed);
      node::FullFence();  // see Wait: it gives the token back, fences, reads watching_
      // A thread that left just before the store counted on us.
      const bool work_came = options_.on_tick && options_.on_tick();
      if (!work_came && token_.load(std::memory_order_relaxed) == Token::kWaiter) me.Sleep(seen, 100'000'000);
      watching_.store(true, std::memory_order_relaxed);
      continue;
    }
    quiet = 0;
    if (!neglected || !TryTakeToken(Token::kBrief)) {
      me.Sleep(seen, kTickNs);
      continue;
    }
    // Nobody has polled for a whole tick.
    SitAtDoor(me);
    settle = true;
    last_polls = polls_.load(std::memory_order_relaxed);
  }
  // Whoever wakes us after this finds a sleeper that nobody sleeps on, which is harmless.
}

}  // namespace manta::worker
