#pragma once
// What manta-info prints.

#include <string>
#include <vector>

#include "core/runtime/job_info.hpp"
#include "core/topology/topology.hpp"
#include "mpi/launch/facts.hpp"

namespace manta::launch {

/// Everything of a job that is known before it runs anything. Lines end with a newline each.
/// `job`: as DecideJob filled it from `facts` and `machines`.
std::string InfoText(const std::vector<RankFacts>& facts, const std::vector<topology::Topology>& machines,
                     const runtime::JobInfo& job);

/// The same for `ranks` ranks without binding on a machine that may be none of this job's, whose GPUs all of them see.
std::string InfoOfMachine(const topology::Topology& machine, int ranks, const Settings& settings);

}  // namespace manta::launch
