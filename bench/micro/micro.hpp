#pragma once
// What the groups of rows share: what was asked for on the command line, and where figures and faults go. A group is a
// function that measures one idea and adds its rows to the report; main.cpp has the table of them.

#include <cstddef>
#include <string>
#include <vector>

#include "bench/support/harness.hpp"

namespace micro {

constexpr double kBlock = 0.004;  // s, of one rival's turn

/// How much is measured; `Quick()` is the least that goes through every line.
struct Settings {
  int pairs = 200;                       // of blocks of a few milliseconds
  int long_pairs = 9;                    // of blocks of `bulk` tasks
  std::size_t bulk = 1'000'000;          // tasks of an async block
  std::size_t bulk_arguments = 300'000;  // the same, where each has arguments
  int repeats = 7;                       // of blocks that have no rival
  std::size_t chain = 100'000;
  int fib = 25;
  std::size_t waited = 100'000;
  std::size_t objects = 100'000;
  std::size_t queued = 10'000'000;
  std::size_t actors = 100'000;
  std::size_t most_pending = 1'000'000;
  double idle_after = 2, idle_for = 2;  // s
  double busy = 5;                      // s
  double crowded = 1.5;                 // s of calls
  double hog_block = 0.1;               // s
  int large_blocks = 5;

  static Settings Quick() {
    Settings quick;
    quick.pairs = 5;
    quick.long_pairs = 2;
    quick.bulk = quick.bulk_arguments = 20'000;
    quick.repeats = 2;
    quick.chain = 2'000;
    quick.fib = 15;
    quick.waited = quick.objects = 5'000;
    quick.queued = 50'000;
    quick.actors = 200;
    quick.most_pending = 10'000;
    quick.idle_after = quick.idle_for = 0.2;
    quick.busy = 0.5;
    quick.crowded = 0.05;
    quick.hog_block = 0.02;
    quick.large_blocks = 2;
    return quick;
  }
};

struct Micro {
  Settings settings;
  bench::Report report;
  double memory_at_start = 0;  // bytes over all ranks, before any row

  /// Adds a fault unless `good`.
  void Check(bool good, const std::string& what) {
    if (!good) report.Wrong(what);
  }
};

// tasks.cpp
void TaskRows(Micro& micro);
void TaskArgumentRows(Micro& micro);
void ChainRows(Micro& micro);
void NestedRows(Micro& micro);
void CpuRows(Micro& micro);
void CentralRows(Micro& micro);
// actors.cpp
void ActorRows(Micro& micro);
void ActorArgumentRows(Micro& micro);
// waits.cpp
void WaitEachRows(Micro& micro);
void WaitCallRows(Micro& micro);
// objects.cpp
void SmallObjectRows(Micro& micro);
void LargeObjectRows(Micro& micro);
void BusyOwnerRows(Micro& micro);
// memory.cpp
void QueuedRows(Micro& micro);
void PendingRows(Micro& micro);
void ManyActorRows(Micro& micro);
// idle.cpp
void IdleRows(Micro& micro);
void CrowdedIdleRows(Micro& micro);
void CrowdedBusyRows(Micro& micro);
// hog.cpp
void HogRows(Micro& micro);

}  // namespace micro
