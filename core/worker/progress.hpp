#pragma once
// Who looks for messages, and how a thread with nothing to do waits.
//
// One thread at a time polls the transports: the holder of the progress token, a try-lock. Whoever waits tries to take
// it: the thread in Get, an idle executor. Nobody blocks on it: who does not get it sleeps on its own word and is woken
// by what it waits for. When all threads of the rank compute, nobody polls; then the service thread looks every 250 µs,
// and sleeps at the door (on the rank's doorbell) as soon as it finds that nobody has polled for one such tick.
//
// What other ranks must do so that we see their message is one word, `duty`, in the node segment (node/rank_block.hpp).
// Senders read it with each message, so it is written only when a thread goes to the door or comes from it:
//
//              nothing comes: a waiting thread sleeps at the door; or the
//              service thread, when nobody has polled for 250 µs
//      kPolled ------------------------------------------------------> kArmed
//         ^                                                              |  a message rings
//         |  a thread takes the token                                    v
//         +------------------------------------------------------------ kBusy
//
// kArmed means that a message must ring. While it is not armed, a waiting thread has the token or the service thread is
// on watch: every thread that leaves its wait gives the token back and then sees to that; which is a look at a word in
// the common case, and a wake-up when it slept.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/base/event_ring.hpp"
#include "core/node/doorbell.hpp"
#include "core/node/rank_block.hpp"
#include "core/ports/transport.hpp"
#include "core/worker/sleeper.hpp"

namespace manta::worker {

/// That a thread has a core, counted in a word that the node's ranks read. Kept while it goes from computing to
/// spinning and back: what counts is that the core is not free, and others would see each change as a missed cache
/// line.
class CoreClaim {
 public:
  explicit CoreClaim(std::atomic<std::int32_t>& count) : count_(count) {}
  ~CoreClaim() { Drop(); }
  CoreClaim(const CoreClaim&) = delete;
  CoreClaim& operator=(const CoreClaim&) = delete;
  void Take() {
    if (!held_) count_.fetch_add(1, std::memory_order_relaxed);
    held_ = true;
  }
  void Drop() {
    if (held_) count_.fetch_sub(1, std::memory_order_relaxed);
    held_ = false;
  }
  bool held() const { return held_; }

 private:
  std::atomic<std::int32_t>& count_;  // relaxed: a hint
  bool held_ = false;
};

/// How long an idle thread spins, yields and then sleeps. One a wait.
class Backoff {
 public:
  enum class Step { kAgain, kSleep };
  Backoff(std::span<node::RankBlock> blocks, CoreClaim& core, int node_cores)
      : blocks_(blocks), core_(core), cores_(node_cores) {}
  /// Something was found: begin anew.
  void Reset() { steps_ = 0; }
  /// The wait ends without what it was for.
  void GiveUp() { core_.Drop(); }
  /// A sleep has brought nothing: no second spinning.
  void SleepOn() { steps_ = kSpins + kYields; }
  /// Spins or yields a little, or says that it is time to sleep; then it has no core any more.
  Step Next() {
    ++steps_;
    if (core_.held() && steps_ <= kSpins && steps_ != kFirstLook && steps_ % kLookAgain != 0) {
      if (steps_ > kHotSpins) base::CpuRelax();
      return Step::kAgain;
    }
    return NextSlow();
  }

 private:
  static constexpr int kSpins = 2000;    // about 50 µs: as long as a futex takes to wake an idle core
  static constexpr int kHotSpins = 64;   // without a pause, which costs as much as half a message
  static constexpr int kFirstLook = 32;  // about 1 µs: an answer of another rank that spins has come by then
  static constexpr int kLookAgain = 256;
  static constexpr int kYields = 20;
  static constexpr std::int64_t kSlowYieldNs = 300'000;  // a peer took our core for a slice
  Step NextSlow();

  std::span<node::RankBlock> blocks_;
  CoreClaim& core_;
  int cores_;
  int steps_ = 0;
};

class Progress {
 public:
  struct Options {
    std::span<node::RankBlock> blocks;  // of the node's ranks
    std::uint32_t my_index = 0;
    int node_cores = 1;
    /// Called by the token's holder now and then (at most every millisecond): timers, retries of what had to wait.
    std::function<void()> housekeeping;
    /// Called by the service thread on each tick while it watches. Returns whether it must go on at every tick.
    std::function<bool()> on_tick;
    /// What LeaveForWait left: wakes who was not woken then. Any thread.
    std::function<void()> before_wait = {};
  };
  Progress(Options options, std::vector<Transport*> transports, MessageHandler& handler);
  ~Progress();

  /// Starts and stops the service thread.
  void Start();
  void Stop();
  /// Keeps the token for good: nobody polls from now on, whatever threads are left. After Stop.
  void Close();

  /// Polls once if no other thread does. Returns the number of messages delivered.
  std::size_t TryPoll();
  /// Polls when messages may have come or some have not left. For executors between tasks: cheap when there is nothing.
  void PollIfDue() {
    for (const Transport* transport : transports_)
      if (transport->MayHaveIncoming() || !transport->Flushed()) {
        TryPoll();
        return;
      }
  }
  /// The same for a thread that goes on with work of its own and will poll again soon, such as one that submits a row of
  /// tasks: messages need not ring an executor that sleeps at the door meanwhile. The service thread looks when it
  /// does not come back within a tick.
  void PollInPassing();
  /// Whether the calling thread holds the token (and so may not run user code).
  bool HeldByThisThread() const { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  /// Waits on the calling thread until `done()`, or until `deadline_ns` (negative: none). Polls meanwhile if nobody
  /// else does. `done` must become true only by acts that also wake `me`, or by messages that this thread handles.
  /// `core`: the thread's own claim, if it has one; it is dropped only to sleep. Returns done() at the end.
  template <class Done>
  bool Wait(Sleeper& me, Done done, std::int64_t deadline_ns, CoreClaim* core = nullptr);

  /// Polls for about a microsecond until `done()`, if nobody else polls and the waiting threads have a core: an answer of a
  /// rank that spins has come by then, and its waiter need not be registered. Returns done() at the end.
  template <class Done>
  bool SpinBriefly(Done done) {
    if (!TryTakeToken(Token::kBrief)) return done();
    if (!spinner_.held()) {
      ReleaseToken();
      return done();
    }
    SayPolled();
    bool ended = done();
    for (int polls = 0; polls < kBriefPolls && !ended; ++polls) {
      PollHeld();
      ended = done();
    }
    LeaveToken();
    return ended;
  }

  /// Sees to it that the service thread is on watch: it calls on_tick, and looks for messages when nobody else does.
  void EnsureWatch() {
    // Relaxed: who ends its turn fences before. For others a stale `true` costs a tick, since the watch ends late.
    if (!watching_.load(std::memory_order_relaxed)) WakeService();
  }
  std::uint64_t wakeups() const { return wakeups_.load(std::memory_order_relaxed); }
  void CountWakeup() { wakeups_.fetch_add(1, std::memory_order_relaxed); }
  node::RankBlock& block() { return block_; }

  /// A wake-up is left for the next wait of a plain thread, which is soon or never: a tick makes up for it.
  void LeaveForWait() {
    if (!left_.load(std::memory_order_relaxed)) left_.store(true, std::memory_order_relaxed);
  }
  /// By a plain thread that is about to wait.
  void BeforeWait() {
    if (left_.load(std::memory_order_relaxed) && left_.exchange(false, std::memory_order_relaxed) &&
        options_.before_wait)
      options_.before_wait();
  }

 private:
  static constexpr std::int64_t kTickNs = 250'000;
  static constexpr int kQuietTicks = 40;  // 10 ms without work until the watch ends
  static constexpr std::int64_t kHousekeepingNs = 1'000'000;
  static constexpr std::uint64_t kPollsBetweenClocks = 32;
  static constexpr int kBriefPolls = 64;

  /// Who has the token. A waiter calls EnsureWatch after it gave it back, so that the service thread may rest
  /// meanwhile.
  enum class Token : std::uint8_t { kFree, kBrief, kWaiter };

  bool TryTakeToken(Token as) {
    // Read first: a failed exchange would take the line from the holder.
    Token expected = Token::kFree;
    if (token_.load(std::memory_order_relaxed) != Token::kFree ||
        !token_.compare_exchange_strong(expected, as, std::memory_order_acquire, std::memory_order_relaxed))
      return false;
    holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    return true;
  }
  void ReleaseToken() {
    holder_.store({}, std::memory_order_relaxed);
    token_.store(Token::kFree, std::memory_order_release);
  }
  /// The end of a turn after SayPolled.
  void LeaveToken() {
    ReleaseToken();
    node::FullFence();  // `token_` before `watching_`; the service thread does the reverse when it ends its watch
    EnsureWatch();
  }
  /// To be called with the token: senders need not ring. The line is left alone where it says so already.
  void SayPolled() {
    if (block_.duty.load(std::memory_order_relaxed) != node::Duty::kPolled) node::Disarm(block_, node::Duty::kPolled);
  }
  std::size_t PollHeld() {
    std::size_t delivered = 0;
    for (Transport* transport : transports_) delivered += transport->Poll(handler_, 64);
    if (delivered != 0) {
      handler_.OnPolled();
      base::Record(base::EventKind::kPolled, delivered);
    }
    const std::uint64_t polls = polls_.load(std::memory_order_relaxed) + 1;
    polls_.store(polls, std::memory_order_relaxed);
    if (polls % kPollsBetweenClocks == 0 || clock_due_) LookAtClock();
    return delivered;
  }
  void LookAtClock();
  std::int64_t MaxSleep() const;
  enum class Role { kWaiter, kExecutor, kService };
  /// Sleeps at the door, or where it is taken in the own bed. The token is given up meanwhile. Returns whether it is
  /// held again. A thread in Get sends an executor away from the door: what comes is most likely for it, and it need
  /// not be woken by another then. The executor is told so by `demoted`.
  bool SleepHeld(Role role, Sleeper& me, std::uint32_t seen, std::int64_t deadline_ns, bool* demoted);
  bool TakeDoor(Role role, Sleeper& me);
  void ServiceLoop();
  void SitAtDoor(Sleeper& me);
  void WakeService();

  Options options_;
  node::RankBlock& block_;
  std::vector<Transport*> transports_;
  MessageHandler& handler_;

  // acquire on taking, release on giving: the holders' handler state
  std::atomic<Token> token_{Token::kFree};
  std::atomic<std::thread::id> holder_{};  // relaxed: only ever compared with the reader's own id
  // The waiter that sleeps on the doorbell, at most one. Taken under the token; given up by itself (acq_rel).
  std::atomic<Sleeper*> door_{nullptr};
  bool executor_at_door_ = false;        // whether that is one; token's holder only
  std::atomic<std::uint64_t> polls_{0};  // relaxed counter: the service thread sees whether anybody polls
  std::atomic<std::uint64_t> wakeups_{0};
  std::int64_t next_housekeeping_ns_ = 0;  // token's holder only
  bool clock_due_ = false;                 // after a sleep; token's holder only
  // The core of waiting threads that have no claim of their own: of those the token's holder alone spins. It stays when
  // the thread goes on to compute, until another holder sleeps. Token's holder only.
  CoreClaim spinner_;

  std::thread service_;
  std::atomic<Sleeper*> service_sleeper_{nullptr};
  std::atomic<bool> watching_{false};
  // Set by the service thread with the token, before it sleeps at the door; relaxed, for the token orders it. Cleared
  // when it wakes: who reads a stale "true" wakes it once too often.
  std::atomic<bool> service_at_door_{false};
  std::atomic<bool> stop_{false};
  // Relaxed: who left something sees its own store when it waits; others may look for it in vain.
  std::atomic<bool> left_{false};
};

template <class Done>
bool Progress::Wait(Sleeper& me, Done done, std::int64_t deadline_ns, CoreClaim* core) {
  Backoff backoff(options_.blocks, core != nullptr ? *core : spinner_, options_.node_cores);
  const Role role = core != nullptr ? Role::kExecutor : Role::kWaiter;
  int misses = 0;
  bool demoted = false;  // a thread in Get took our place at the door: leave the looking to it
  for (;;) {
    const std::uint32_t seen = me.Look();
    if (done()) return true;
    if (deadline_ns >= 0 && base::NowNanoseconds() >= deadline_ns) return done();
    if (demoted || !TryTakeToken(Token::kWaiter)) {
      if (!demoted && ++misses < 64) {  // most hold it for one poll only
        base::CpuRelax();
        continue;
      }
      if (!demoted && token_.load(std::memory_order_relaxed) != Token::kWaiter) {
        std::this_thread::yield();  // a brief holder that has lost its core, or is just gone: it won't poll for us
        continue;
      }
      if (core != nullptr) core->Drop();
      // Somebody polls for us. The limit covers its leaving without a successor: the service thread takes over within a
      // tick, but a message that has to be sent by MPI should not wait for that.
      std::int64_t limit = demoted ? 100'000'000 : 10'000'000;
      if (deadline_ns >= 0) limit = std::min(limit, std::max<std::int64_t>(0, deadline_ns - base::NowNanoseconds()));
      me.Sleep(seen, limit);
      demoted = demoted && door_.load(std::memory_order_relaxed) != nullptr;
      continue;
    }
    SayPolled();
    bool held = true;
    int polls = 0;
    while (held) {
      const std::uint32_t look = me.Look();
      const std::size_t delivered = PollHeld();
      if (done()) break;
      if (deadline_ns >= 0 && (++polls & 63) == 0 && base::NowNanoseconds() >= deadline_ns) {
        backoff.GiveUp();
        break;
      }
      if (delivered != 0) {
        backoff.Reset();
        continue;
      }
      if (backoff.Next() == Backoff::Step::kSleep) {
        held = SleepHeld(role, me, look, deadline_ns, &demoted);
        backoff.SleepOn();
        if (deadline_ns >= 0 && base::NowNanoseconds() >= deadline_ns) break;
      }
    }
    if (held)
      LeaveToken();
    else
      EnsureWatch();  // another thread has the token: it may have counted on us at the door
  }
}

}  // namespace manta::worker
