#pragma once
// Earliest finish: which of several ways to run a task ends first, by what is known of their durations (StarPU's dmda:
// Augonnet et al. 2011). A way that is free now is passed over where a busy, faster one ends it sooner all the same.

#include <cstddef>
#include <span>

namespace manta::scheduling {

struct WayToRun {
  bool free_now = false;
  int running = 0;         // tasks of this kind that run this way now
  unsigned runs = 0;       // that ended this way, ever
  double mean_ns = 0;      // their mean duration
  double soonest_ns = 0;   // until the first of those that run is expected to end
  double transfer_ns = 0;  // to bring the arguments there
};

/// The index of the way that the next of `waiting` equal tasks is to be started now, or -1: it should wait for a faster
/// one. One that was tried less than twice is tried when it is free. A way that is neither free nor in use is not
/// waited for.
int ChooseEarliestFinish(std::span<const WayToRun> ways, std::size_t waiting);

}  // namespace manta::scheduling
