#pragma once
// Nodes of made-up machines for tests of CoreMap.

#include <map>
#include <string>
#include <vector>

#include "core/scheduling/core_map.hpp"
#include "core/scheduling/node_cores.hpp"
#include "core/topology/rank_cores.hpp"
#include "core/topology/topology.hpp"

namespace manta::scheduling {

/// `machine` with `num_ranks` ranks that divide it. Device i of `gpu_cpus` is near those CPUs ("": nobody knows).
inline NodeSpec MakeNodeOf(topology::Topology machine, int num_ranks, const std::vector<std::string>& gpu_cpus = {}) {
  topology::NodeLaunch launch;
  launch.allowed = machine.cpus;
  for (int rank = 0; rank < num_ranks; ++rank) launch.ranks.push_back({rank, machine.cpus});
  const topology::NodeCores cores = topology::DecideRankCores(machine, launch);
  NodeSpec node;
  node.id = NodeId(0);
  for (const topology::RankCores& rank : cores.ranks) {
    node.ranks.emplace_back(rank.rank);
    node.slots[Rank(rank.rank)] = Amount::Whole(rank.num_cpus);
  }
  node.cores = LeasableCores(machine, cores, node.slots);
  for (std::size_t i = 0; i < gpu_cpus.size(); ++i) {
    const std::string bus_id = "0000:0" + std::to_string(i) + ":00.0";
    const auto near = topology::CpuSet::FromString(gpu_cpus[i]).value();
    if (!near.empty()) machine.gpus.push_back({.pci_bus_id = bus_id, .name = "", .numa = -1, .cpus = near});
    const Rank home = node.ranks[i % node.ranks.size()];
    node.gpus.push_back({static_cast<int>(i), home, NearCores(machine, node.cores, bus_id)});
  }
  return node;
}
inline NodeSpec MakeNodeOf(const std::string& synthetic, int num_ranks, const std::vector<std::string>& gpu_cpus = {}) {
  return MakeNodeOf(topology::DetectTopology({.synthetic = synthetic}), num_ranks, gpu_cpus);
}

/// As if every rank had ceded all its CPUs.
inline Amount AllCeded(Rank) { return Amount::Whole(1'000'000); }

}  // namespace manta::scheduling
