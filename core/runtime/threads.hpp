#pragma once
// The threads of a rank that run user code: executors (one-CPU tasks), lanes (work that holds no CPU) and leased
// threads (tasks that rank 0 granted other amounts).

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/node/slot_table.hpp"
#include "core/runtime/wait_point.hpp"
#include "core/scheduling/ready_queue.hpp"
#include "core/topology/cpu_set.hpp"
#include "core/worker/fiber.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

/// What the threads ask of the runtime above them.
class ThreadWork {
 public:
  /// Runs a claimed one-CPU task on executor `executor`.
  virtual void RunOnExecutor(task::TaskPtr task, int executor) = 0;
  /// An executor has found nothing to do.
  virtual void ExecutorIsIdle() = 0;
  /// A CPU was given back to the rank's slots.
  virtual void SlotWasReturned() = 0;

 protected:
  ~ThreadWork() = default;
};

/// Executors: each takes a slot (a CPU of this rank) and a task from the queue, and runs it on a fiber.
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
  void Start();
  /// Ends the threads when their parked tasks are done.
  void Stop();
  /// A task was pushed, or a slot given back: an idle executor looks again. False when there is none.
  bool WakeOne();
  bool AnyIdle() const { return idle_.load(std::memory_order_relaxed) > 0; }
  int size() const { return options_.executors; }
  worker::StackPool& stacks() { return stacks_; }
  std::uint64_t parks() const { return parks_.load(std::memory_order_relaxed); }

  class Executor;

 private:
  std::uint32_t my_index() const { return options_.my_index; }
  Options options_;
  worker::Progress& progress_;
  node::SlotTable& slots_;
  scheduling::ReadyQueue& queue_;
  ThreadWork& work_;
  worker::StackPool stacks_;
  std::vector<std::unique_ptr<Executor>> executors_;
  std::atomic<int> idle_{0};  // executors that look for work; a hint
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> parks_{0};
};

/// Lanes: begins with one thread; Tick adds one while the oldest job waits behind running ones.
class LanePool {
 public:
  using Job = std::function<void()>;
  LanePool(worker::Progress& progress, worker::StackPool& stacks);
  ~LanePool();
  void Push(Job job);
  void Stop();
  /// From the service thread. Returns whether jobs wait, so that ticks must go on.
  bool Tick();

 private:
  class Lane;
  struct Waiting {
    Job job;
    std::int64_t since_ns;
  };
  static constexpr std::int64_t kPatienceNs = 400'000;
  static constexpr std::size_t kMaxLanes = 256;
  bool Take(Job& job);
  void AddLane();  // with mutex_ held

  worker::Progress& progress_;
  worker::StackPool& stacks_;
  std::mutex mutex_;
  std::deque<Waiting> jobs_;                  // guarded by mutex_
  std::vector<std::unique_ptr<Lane>> lanes_;  // guarded by mutex_
  std::vector<Lane*> idle_;                   // guarded by mutex_
  std::atomic<std::size_t> waiting_{0};       // jobs_.size(), written under mutex_
  bool stop_ = false;                         // guarded by mutex_
};

/// Leased threads: each runs one job at a time and then waits for another; made as they are needed.
class LeasedPool {
 public:
  using Job = std::function<void()>;
  explicit LeasedPool(worker::Progress& progress) : progress_(progress) {}
  ~LeasedPool();
  void Run(Job job);
  void Stop();

 private:
  void ThreadMain();
  worker::Progress& progress_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;              // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
  std::size_t idle_ = 0;              // guarded by mutex_
  bool stop_ = false;                 // guarded by mutex_
};

}  // namespace manta::runtime
