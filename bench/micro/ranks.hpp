#pragma once
// What rows need to know of the other ranks, and to do there, by tasks pinned to them.

#include <manta/manta.hpp>

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

namespace micro {

/// What `ask` (a plain function) says on `rank`. It runs beside the rank's CPU tasks, so also while they are held.
template <class Ask, class... A>
auto OnRank(int rank, Ask* ask, A... arguments) {
  return manta::Get(manta::Task(ask).SetCpus(0).SetRank(rank).Remote(arguments...));
}

/// Waits until `ask` says `enough` on `rank`, for two seconds at most.
void AwaitCount(int rank, int (*ask)(), int enough);

std::vector<int> AllRanks();
/// How many one-CPU tasks run on a rank at once.
int ExecutorsOf(int rank);
pid_t PidOf(int rank);
/// Whether all ranks run on this machine, so that /proc tells about them.
bool OneMachine();
/// CPU time that a process of this machine has used, with all of its threads.
double CpuSeconds(pid_t pid);
/// Bytes of memory that all ranks hold together: the sum of their proportional set sizes (Pss of
/// /proc/self/smaps_rollup), which counts a page of the shared segments once.
double Footprint();

/// How many tasks ran on each rank since it was made. What asks other ranks by tasks in between counts too. A rank may
/// count a task a moment after its result has arrived.
class Executed {
 public:
  Executed();
  /// Waits, for a moment at most, until there are `expected` of them.
  std::vector<std::uint64_t> ByRank(std::uint64_t expected) const;
  /// Whether `expected` tasks ran on `rank` and none elsewhere.
  bool AllOn(int rank, std::uint64_t expected) const;

 private:
  std::vector<std::uint64_t> before_;
};

/// Holds all executors of some ranks, each in a task that sleeps without a call into Manta, until Open.
class Gate {
 public:
  /// Returns once all of them are held.
  explicit Gate(const std::vector<int>& ranks);
  ~Gate() { Open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// From any thread; does nothing the second time.
  void Open();
  /// After Open: waits for the held tasks and returns when the first of them woke (Now() of this machine).
  double FirstWake();
  std::size_t held() const { return held_.size(); }

 private:
  std::vector<int> ranks_;
  int generation_;
  std::vector<manta::ObjectRef<double>> held_;
  std::atomic<bool> open_{false};  // any thread; taken by exchange, so that one of them opens
};

}  // namespace micro
