#pragma once
// The threads that run what rank 0 granted other amounts than one CPU: tasks and actors with leases.
//
//   LeasedPool pool({core_cpus, node_cpus});
//   pool.Run(lease, [] { ... });   // on a thread that is bound to the lease's cores, with OpenMP as wide as its CPUs
//
// The threads of OpenMP's regions belong to the thread that begins the regions: it makes them when it first needs them,
// and they are then where it was bound. So a thread serves leases of the same cores only, and is never bound anew.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/topology/cpu_set.hpp"
#include "core/wire/messages.hpp"

namespace manta::runtime {

/// Leased threads: each runs one job at a time and then waits for another; made as they are needed. Any thread may call
/// it.
class LeasedPool {
 public:
  using Job = std::function<void()>;
  struct Options {
    std::vector<topology::CpuSet> core_cpus = {};  // by index of a core; empty: nothing is bound
    topology::CpuSet node_cpus = {};               // where leases without cores run; empty: where a thread happens to be
    std::size_t most_idle = 16;                    // threads that wait; of more the one that waits longest ends
    std::chrono::milliseconds idle_life = std::chrono::seconds(10);  // how long one waits before it ends
  };
  LeasedPool() = default;
  explicit LeasedPool(Options options) : options_(std::move(options)) {}
  ~LeasedPool();
  /// Returns at once. `lease` is read before `job` begins, and not afterwards. Where a thread can't be bound to the
  /// lease's cores it runs on whatever it may use, and the first time a warning says so.
  void Run(const wire::Lease& lease, Job job);
  /// Ends the threads when their jobs are done, and waits for that.
  void Stop();
  /// Threads that there are, at work or not.
  std::size_t size() const;

 private:
  struct Thread {
    std::vector<std::int32_t> cores;
    std::condition_variable changed;
    Job job;  // guarded by mutex_, as all below
    int width = 1;
    bool ends = false;
    std::thread thread;
  };
  using Threads = std::list<Thread>;

  void ThreadMain(Threads::iterator me);
  void Bind(const std::vector<std::int32_t>& cores) const;

  const Options options_{};
  mutable std::mutex mutex_;
  std::condition_variable none_left_;
  Threads threads_;                       // guarded by mutex_
  std::list<Threads::iterator> idle_;     // guarded by mutex_; who waits longest comes first
  std::vector<std::thread> ended_;        // guarded by mutex_; to be joined
  bool stop_ = false;                     // guarded by mutex_
};

}  // namespace manta::runtime
