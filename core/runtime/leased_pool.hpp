#pragma once
// The threads that run what rank 0 granted other amounts than one CPU: tasks and actors with leases.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace manta::runtime {

/// Leased threads: each runs one job at a time and then waits for another; made as they are needed.
class LeasedPool {
 public:
  using Job = std::function<void()>;
  ~LeasedPool();
  void Run(Job job);
  void Stop();

 private:
  void ThreadMain();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;              // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
  std::size_t idle_ = 0;              // guarded by mutex_
  bool stop_ = false;                 // guarded by mutex_
};

}  // namespace manta::runtime
