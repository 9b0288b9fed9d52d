#pragma once
// Executors: the threads of a rank that run one-CPU tasks, and what holds no CPU while they have none. What else runs user
// code: lanes (lane_pool.hpp) and leased threads (leased_pool.hpp).

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/node/slot_table.hpp"
#include "core/runtime/lane_pool.hpp"
#include "core/runtime/wait_point.hpp"
#include "core/scheduling/ready_queue.hpp"
#include "core/task/record_list.hpp"
#include "core/topology/cpu_set.hpp"
#include "core/worker/fiber.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

/// What the threads ask of the runtime above them.
class ThreadWork {
 public:
  /// Runs a claimed one-CPU task on executor `executor`.
  virtual void RunOnExecutor(const task::TaskPtr& task, int executor) = 0;
  /// An executor has found nothing to do, and there is a CPU for it.
  virtual void ExecutorIsIdle() = 0;
  /// A CPU was given back to the rank's slots.
  virtual void SlotWasReturned() = 0;
  /// The calling flow is about to wait, maybe inside a task.
  virtual void RunningTaskWaits() = 0;
  /// It goes on.
  virtual void RunningTaskGoesOn() = 0;
  /// Whether the ledger waits for CPUs of this rank: an executor then gives its own back between tasks. Cheap.
  virtual bool SlotsAreOwed() const = 0;

 protected:
  ~ThreadWork() = default;
};

/// Executors: each takes a slot (a CPU of this rank), and runs tasks from the queue on a fiber for as long as there are
/// some. One that has nothing to do, and on which no flow waits, runs lane jobs, without a slot; if such a job runs or
/// waits long while tasks wait for which there is a slot, Tick starts a spare executor. Spares run no lane jobs, so
/// there is always one for each slot.
class ExecutorPool {
 public:
  struct Options {
    int executors = 1;
    std::uint32_t my_index = 0;          // of the rank on its node
    std::vector<topology::CpuSet> cpus;  // where each is bound; empty: not bound
  };
  ExecutorPool(Options options, worker::Progress& progress, node::SlotTable& slots, scheduling::ReadyQueue& queue,
               ThreadWork& work);
  ~ExecutorPool();
  /// Executors with spares, as many as the ready queue must know of.
  static std::size_t WithSpares(int executors) { return 2 * static_cast<std::size_t>(executors); }
  void SetLanes(LanePool& lanes) { lanes_ = &lanes; }
  void Start();
  /// Ends the threads when their parked tasks are done.
  void Stop();
  /// Gives `task` to the calling thread if that is an executor that polls with nothing to do, or tells of the end of
  /// the task that it ran, or polls and is the only one that may run it: it runs the task when that is over, past the
  /// queue. Else the task is left to the caller, to push it.
  bool HandOver(task::TaskPtr& task);
  /// The same for a lane job, where no other is queued.
  bool HandOver(LaneJob* job);
  /// The task that the calling executor ran has ended, and its end is told from here on: a task that waited for it is
  /// best run here, where its argument is. The outermost on its stack.
  void TaskEnds();
  /// What the calling executor was to run next goes to the queue: something that may take long comes first.
  void ShareNext();
  /// A task was pushed, or a slot given back: an idle executor looks again. False when there is none, or no slot.
  bool WakeOne();
  bool AnyIdle() const;
  int size() const { return options_.executors; }
  worker::StackPool& stacks() { return stacks_; }
  std::uint64_t parks() const { return parks_.load(std::memory_order_relaxed); }
  /// From the service thread. Returns whether ticks must go on.
  bool Tick();

  // ---- for the lanes ----
  /// Whether the calling thread is an executor that polls, and runs lane jobs when the poll is over.
  bool ThisOnePolls() const;
  /// Has an idle executor look at the lane jobs, if there is one. `awake`: only one that does not sleep.
  bool WakeForLaneJob(bool awake);

  class Executor;

 private:
  static constexpr std::int64_t kPatienceNs = 200'000;  // and a tick
  /// Whether there is one executor only. A second comes when that one is in a lane job, and so has shared what it had.
  bool IsAlone() const { return started_.load(std::memory_order_relaxed) == 1; }
  bool HasSlot() const { return slots_.FreeOf(options_.my_index) >= Amount::Whole(1); }
  void StartNext();  // with start_mutex_ held
  enum Takes : std::uint8_t { kTasks = 1, kLaneJobs = 2 };
  /// Wakes one that is idle and takes `what`.
  bool WakeIdle(Takes what, bool awake);

  Options options_;
  worker::Progress& progress_;
  node::SlotTable& slots_;
  scheduling::ReadyQueue& queue_;
  ThreadWork& work_;
  LanePool* lanes_ = nullptr;  // set before Start
  worker::StackPool stacks_;
  std::mutex start_mutex_;
  std::vector<std::unique_ptr<Executor>>
      executors_;                        // with room for spares; a place is written before its thread starts
  std::atomic<std::size_t> started_{0};  // written under start_mutex_; relaxed: read without it as a hint
  // A bit an executor that looks for work: set by itself (seq_cst) before it looks for the last time, cleared by who
  // wakes it or by itself. A pusher pushes, fences and reads it: one of the two sees the other.
  std::vector<std::atomic<std::uint64_t>> idle_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> parks_{0};
  std::int64_t stuck_since_ns_ = -1;  // service thread's own: since when a task waits for an executor in a lane job
};

}  // namespace manta::runtime
