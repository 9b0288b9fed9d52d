#pragma once
// What is asked of the simulation; each prints its rows.

#include <vector>

#include "bench/support/harness.hpp"

namespace scheduler_sim {

/// decisions_per_s_N and p99_us_N for jobs of N ranks, a multiple of 8; bytes_per_rank, bytes_per_pending.
void MeasureRates(bench::Report& report, const std::vector<int>& ranks, bool quick);
/// pg_decisions_per_s.
void MeasureGroups(bench::Report& report, bool quick);
/// gpu_use_ratio: the lowest of three mixes, and each.
void MeasureGpuUse(bench::Report& report, bool quick);

}  // namespace scheduler_sim
