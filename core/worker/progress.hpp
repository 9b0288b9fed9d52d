#pragma once
// Who looks for messages, and how a thread with nothing to do waits.
//
// One thread at a time polls the transports: the holder of the progress token, a try-lock. Whoever waits tries to take
// it: the thread in Get, an idle executor. Nobody blocks on it: who does not get it sleeps on its own word and is woken
// by what it waits for. When all threads of the rank compute, nobody polls; then the service thread looks every 250 µs,
// and sleeps at the door (on the rank's doorbell) as soon as it finds the rank at rest.
//
// What other ranks must do so that we see their message is one word, `duty`, in the node segment (node/rank_block.hpp):
//
//        take the token                 leave with work to do            service thread: 250 µs without a poll
//   any ----------------> kPolled ------------------------------> kBusy -----------------------------> kArmed
//                            |  nothing comes: sleep at the door                                         ^
//                            +-----------------------------------------------------------------------------+
//
// kArmed means that a message must ring. Every thread that leaves kPolled for kBusy sees to it that the service thread
// is on watch; that is a store in the common case and a wake-up when it slept.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <vector>

#include "core/base/clock.hpp"
#include "core/node/doorbell.hpp"
#include "core/node/rank_block.hpp"
#include "core/ports/transport.hpp"
#include "core/worker/sleeper.hpp"

namespace manta::worker {

/// How long an idle thread spins, yields and then sleeps. One a waiting thread.
class Backoff {
 public:
  enum class Step { kAgain, kSleep };
  Backoff(std::span<node::RankBlock> blocks, node::RankBlock& mine, int node_cores)
      : blocks_(blocks), mine_(mine), cores_(node_cores) {}
  ~Backoff() { StopSpinning(); }
  /// Something was found: begin anew.
  void Reset() { steps_ = 0; }
  /// A sleep has brought nothing: no second spinning.
  void SleepOn() { steps_ = kSpins + kYields; }
  /// Spins or yields a little, or says that it is time to sleep; then it no longer counts as spinning.
  Step Next();
  void StopSpinning();

 private:
  static constexpr int kSpins = 2000;  // about 50 µs: as long as a futex takes to wake an idle core
  static constexpr int kYields = 20;
  static constexpr std::int64_t kSlowYieldNs = 300'000;  // a peer took our core for a slice

  std::span<node::RankBlock> blocks_;
  node::RankBlock& mine_;
  int cores_;
  int steps_ = 0;
  bool counted_ = false;
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
  };
  Progress(Options options, std::vector<Transport*> transports, MessageHandler& handler);
  ~Progress();

  /// Starts and stops the service thread.
  void Start();
  void Stop();
  /// Keeps the token for good: nobody polls from now on, whatever threads are left. After Stop.
  void Close() {
    while (!TryTakeToken()) std::this_thread::yield();
  }

  /// Polls once if no other thread does. Returns the number of messages delivered.
  std::size_t TryPoll();
  /// Polls when messages may have come or some have not left. For executors between tasks: cheap when there is nothing.
  void PollIfDue();
  /// Whether the calling thread holds the token (and so may not run user code).
  bool HeldByThisThread() const { return holder_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

  /// Waits on the calling thread until `done()`, or until `deadline_ns` (negative: none). Polls meanwhile if nobody
  /// else does. `done` must become true only by acts that also wake `me`, or by messages that this thread handles.
  /// Returns done() at the end.
  template <class Done>
  bool Wait(Sleeper& me, Done done, std::int64_t deadline_ns);

  /// Tells the service thread that this thread stops looking for messages and computes. Called by Wait; also by threads
  /// that begin a task without having waited.
  void EnsureWatch() {
    // Relaxed: who ends its turn fences before. For others a stale `true` costs a tick, since the watch ends late.
    if (!watching_.load(std::memory_order_relaxed)) WakeService();
  }
  std::uint64_t wakeups() const { return wakeups_.load(std::memory_order_relaxed); }
  void CountWakeup() { wakeups_.fetch_add(1, std::memory_order_relaxed); }
  node::RankBlock& block() { return block_; }

 private:
  static constexpr std::int64_t kTickNs = 250'000;
  static constexpr int kQuietTicks = 40;  // 10 ms without work until the watch ends
  static constexpr std::int64_t kHousekeepingNs = 1'000'000;

  bool TryTakeToken();
  void ReleaseToken();
  std::size_t PollHeld();
  std::int64_t MaxSleep() const;
  /// Sleeps at the door, or where it is taken in the own bed. The token is given up meanwhile. Returns whether it is
  /// held again.
  bool SleepHeld(Sleeper& me, std::uint32_t seen, std::int64_t deadline_ns);
  void ServiceLoop();
  void WakeService();

  Options options_;
  node::RankBlock& block_;
  std::vector<Transport*> transports_;
  MessageHandler& handler_;

  std::atomic<bool> token_{false};         // acquire on taking, release on giving: the holders' handler state
  std::atomic<std::thread::id> holder_{};  // relaxed: only ever compared with the reader's own id
  std::atomic<bool> door_taken_{false};    // at most one thread sleeps on the doorbell
  std::atomic<std::uint64_t> polls_{0};    // relaxed counter: the service thread sees whether anybody polls
  std::atomic<std::uint64_t> wakeups_{0};
  std::int64_t next_housekeeping_ns_ = 0;  // token's holder only

  std::thread service_;
  std::atomic<Sleeper*> service_sleeper_{nullptr};
  std::atomic<bool> watching_{false};
  std::atomic<bool> stop_{false};
};

template <class Done>
bool Progress::Wait(Sleeper& me, Done done, std::int64_t deadline_ns) {
  Backoff backoff(options_.blocks, block_, options_.node_cores);
  int misses = 0;
  for (;;) {
    const std::uint32_t seen = me.Look();
    if (done()) return true;
    if (deadline_ns >= 0 && base::NowNanoseconds() >= deadline_ns) return done();
    if (!TryTakeToken()) {
      if (++misses < 64) {  // most hold it for one poll only
        base::CpuRelax();
        continue;
      }
      backoff.StopSpinning();
      // Somebody polls for us. The limit covers its leaving without a successor: the service thread takes over within a
      // tick, but a message that has to be sent by MPI should not wait for that.
      std::int64_t limit = 10'000'000;
      if (deadline_ns >= 0) limit = std::min(limit, std::max<std::int64_t>(0, deadline_ns - base::NowNanoseconds()));
      me.Sleep(seen, limit);
      continue;
    }
    node::Disarm(block_, node::Duty::kPolled);
    bool held = true;
    int polls = 0;
    while (held) {
      const std::uint32_t look = me.Look();
      const std::size_t delivered = PollHeld();
      if (done()) break;
      if (deadline_ns >= 0 && (++polls & 63) == 0 && base::NowNanoseconds() >= deadline_ns) break;
      if (delivered != 0) {
        backoff.Reset();
        continue;
      }
      if (backoff.Next() == Backoff::Step::kSleep) {
        backoff.StopSpinning();
        held = SleepHeld(me, look, deadline_ns);
        backoff.SleepOn();
        if (deadline_ns >= 0 && base::NowNanoseconds() >= deadline_ns) break;
      }
    }
    if (held) {
      backoff.StopSpinning();
      node::Disarm(block_, node::Duty::kBusy);
      ReleaseToken();
      node::FullFence();  // `duty` before `watching_`; the service thread does the reverse when it ends its watch
    }
    // Also where another thread has the token: it may have counted on us at the door.
    EnsureWatch();
  }
}

}  // namespace manta::worker
