#pragma once
// Work that holds no CPU: 0-CPU tasks and calls of actors that hold none. It is run by executors that have nothing else
// to do, since they are awake when it comes, and by lanes, threads of its own. It never waits behind CPU tasks, nor
// long behind other work of its kind.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/node/spin_lock.hpp"
#include "core/worker/fiber.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

class ExecutorPool;

/// One piece of work, linked by its owner's memory: a task, an actor's turn. May be pushed again once it runs.
struct LaneJob {
  LaneJob* next = nullptr;  // LanePool's while it is queued
  void (*run)(LaneJob*) = nullptr;
};

/// Who finds CPU tasks as well as lane jobs calls a lane for these. Where all that could take them are inside long
/// ones, Tick adds a lane.
class LanePool {
 public:
  LanePool(worker::Progress& progress, ExecutorPool& executors);
  ~LanePool();
  /// Any thread. An executor that is polling runs the job itself when the poll is over: that costs no wake-up. A driver
  /// that pushes a row of them wakes somebody with every 32nd, when it waits, or a tick does: each wake-up is two
  /// switches of a core that it may need itself.
  void Push(LaneJob* job);
  /// The same for what has no record of its own: allocates one.
  void Push(std::function<void()> work);
  /// Ends the lanes when all jobs and parked flows are done.
  void Stop();
  /// Has somebody look at the jobs that wait, if there are any.
  void WakeForJobs() {
    if (!empty()) WakeSomeone();
  }
  /// From the service thread. Returns whether jobs wait, so that ticks must go on.
  bool Tick();

  // ---- for the threads that run jobs ----
  bool empty() const { return waiting_.load(std::memory_order_acquire) == 0; }
  /// Null where there is none.
  LaneJob* Take();
  /// Queues a job and wakes nobody. Returns how many wait.
  std::size_t Put(LaneJob* job);
  /// Has a lane look at the jobs that wait, unless one was called already.
  void CallLane();

 private:
  class Lane;
  static constexpr std::int64_t kPatienceNs = 200'000;  // and a tick
  static constexpr std::size_t kMaxLanes = 256;
  static constexpr std::size_t kRow = 32;
  void WakeSomeone();
  /// Whether there was an idle one.
  bool WakeLane();
  /// False where there are enough. `first_only`: none if there is one.
  bool AddLane(bool first_only);

  worker::Progress& progress_;
  ExecutorPool& executors_;
  node::SpinLock lock_;
  LaneJob* first_ = nullptr;             // guarded by lock_
  LaneJob* last_ = nullptr;              // guarded by lock_; of no meaning while first_ is null
  std::uint64_t taken_ = 0;              // jobs; guarded by lock_
  std::vector<Lane*> idle_;              // guarded by lock_
  bool stop_ = false;                    // guarded by lock_
  std::atomic<std::size_t> waiting_{0};  // jobs in the list; written under lock_ (release), read without it (acquire)
  std::atomic<bool> called_{false};      // a lane was called and has not come yet; relaxed, see CallLane

  std::mutex lanes_mutex_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // guarded by lanes_mutex_

  // What Tick saw: the service thread's own.
  std::uint64_t seen_taken_ = 0;
  std::int64_t seen_since_ns_ = -1;  // negative: no job waited
};

}  // namespace manta::runtime
