#pragma once
// What a rank counts. Relaxed atomics: each number is for reading by people and tests, nothing depends on it.

#include <atomic>
#include <cstdint>

namespace manta::runtime {

using Counter = std::atomic<std::uint64_t>;

/// Order and meaning as in manta::StatsSnapshot; `kFields` fields travel in a StatsReply.
struct Counters {
  Counter tasks_submitted{0}, tasks_executed{0}, tasks_failed{0}, tasks_cancelled{0}, tasks_retried{0};
  Counter tasks_scheduled_by_rank0{0}, actor_calls{0}, actors_created{0}, puts{0};
  Counter bytes_copied_put{0}, bytes_copied_get{0}, bytes_fetched_messages{0}, bytes_fetched_rma{0};
  Counter scheduler_messages{0};    // that rank 0's ledger and matchmaker received
  Counter actor_tasks_executed{0};  // calls and creations that ran here

  static void Add(Counter& counter, std::uint64_t n = 1) { counter.fetch_add(n, std::memory_order_relaxed); }
};

}  // namespace manta::runtime
