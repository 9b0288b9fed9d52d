#pragma once
// What a rank counts, for people and tests to read: nothing depends on it.

#include "core/base/spread_counter.hpp"

namespace manta::runtime {

using Counter = base::SpreadCounter;

/// Order and meaning as in manta::StatsSnapshot; `kFields` fields travel in a StatsReply.
struct Counters {
  Counter tasks_submitted, tasks_executed, tasks_failed, tasks_cancelled, tasks_retried;
  Counter tasks_scheduled_by_rank0, actor_calls, actors_created, puts;
  Counter bytes_copied_put, bytes_copied_get, bytes_fetched_messages, bytes_fetched_rma;
  Counter bytes_spilled, bytes_restored;
  Counter scheduler_messages;    // that rank 0's ledger, placer and matchmaker received
  Counter actor_tasks_executed;  // calls and creations that ran here

  static void Add(Counter& counter, std::uint64_t n = 1) { counter.Add(n); }
};

}  // namespace manta::runtime
