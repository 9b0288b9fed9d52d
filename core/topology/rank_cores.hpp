#pragma once
// Which cores of its node each rank works on, and with how many executors. A pure decision: all ranks of a node that
// are given the same facts come to the same answer.

#include <string>
#include <vector>

#include "core/topology/binding.hpp"
#include "core/topology/cpu_set.hpp"
#include "core/topology/topology.hpp"

namespace manta::topology {

struct RankBinding {
  int rank = -1;  // in the job, for messages
  CpuSet cpus;    // CurrentBinding of that rank
};

/// What is known of one node. Where a machine is split into fake nodes, give each its part of the machine
/// (DivideCores) both as `allowed` and as the binding of each of its ranks.
struct NodeLaunch {
  std::vector<RankBinding> ranks;  // of this node, in rising order
  CpuSet allowed;                  // AllowedCpus
  LaunchFacts facts;               // binding_asked: true if any rank of the job found it so
  int executors = 0;               // the setting; 0: one a core
};

struct RankCores {
  int rank = -1;
  CpuSet cpus;             // where its executors may run
  std::vector<int> cores;  // the same as indexes of cores
  bool shared = false;     // other ranks of the node work on some of these cores
  int num_cpus = 1;        // its part of the node's CPUs: its cores, or 1 when it shares
  int executors = 1;
};

struct NodeCores {
  std::vector<RankCores> ranks;  // in the order of NodeLaunch::ranks
  int num_cpus = 0;              // sum of the ranks': max(cores, ranks), more only if bindings are uneven
  int cores_used = 0;
  int cores_present = 0;              // of the whole machine
  std::vector<std::string> warnings;  // one line each, without the node's name
};

/// 1. A rank without a binding, and a sole rank of the node whose binding nobody asked for (Open MPI binds a job of one
///    or two ranks to a core each), may use all that the job may; any other rank may use its binding.
/// 2. Ranks that may use the same cores divide them, in runs of neighbours. Smaller sets choose first, so a bound rank
///    keeps its cores and an unbound one gets what is left.
/// 3. If fewer cores are left than ranks to divide them, those ranks share them, with one CPU each: on two cores, three
///    unbound ranks have three CPUs. If none are left they share the whole set.
/// Sharing, and using fewer cores than the job holds, are said; the latter with the launcher's option that cures it.
/// With a Slurm that does not confine its jobs, rule 1 stops at the number of CPUs it granted.
/// `topology` is the whole machine; launch.ranks is not empty.
NodeCores DecideRankCores(const Topology& topology, const NodeLaunch& launch);

}  // namespace manta::topology
