#include "core/scheduling/node_cores.hpp"

#include <algorithm>
#include <cstdint>

namespace manta::scheduling {

std::vector<CoreSpec> LeasableCores(const topology::Topology& topology, const topology::NodeCores& node,
                                    const std::map<Rank, Amount>& slots) {
  std::vector<CoreSpec> cores;
  for (const topology::RankCores& rank : node.ranks) {
    const auto cpus = slots.find(Rank(rank.rank));
    if (rank.shared || cpus == slots.end()) continue;
    if (cpus->second.RoundedUp() > static_cast<std::int64_t>(rank.cores.size())) continue;
    for (const topology::Core& core : topology.cores) {
      if (!std::binary_search(rank.cores.begin(), rank.cores.end(), core.index)) continue;
      cores.push_back({core.index, Rank(rank.rank), core.physical, core.l2, core.l3, core.numa, core.package});
    }
  }
  std::sort(cores.begin(), cores.end(), [](const CoreSpec& a, const CoreSpec& b) { return a.index < b.index; });
  return cores;
}

std::vector<int> NearCores(const topology::Topology& topology, const std::vector<CoreSpec>& cores,
                           std::string_view pci_bus_id) {
  std::vector<int> near;
  const topology::GpuNear* const gpu = topology::FindGpu(topology, pci_bus_id);
  if (gpu == nullptr) return near;
  const std::vector<int> within = topology::CoresWithin(topology, gpu->cpus);
  for (const CoreSpec& core : cores)
    if (std::binary_search(within.begin(), within.end(), core.index)) near.push_back(core.index);
  return near;
}

}  // namespace manta::scheduling
