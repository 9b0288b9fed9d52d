#pragma once
// The cores of a node as leases see them, from its topology and from what its ranks work on.

#include <map>
#include <string_view>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/scheduling/node_spec.hpp"
#include "core/topology/rank_cores.hpp"
#include "core/topology/topology.hpp"

namespace manta::scheduling {

/// NodeSpec::cores of a node whose ranks have `slots`: the cores of each rank that shares none and has no more CPUs than
/// cores. (Where there are more CPUs, some have no core; then the kernel deals better.)
std::vector<CoreSpec> LeasableCores(const topology::Topology& topology, const topology::NodeCores& node,
                                    const std::map<Rank, Amount>& slots);

/// DeviceSpec::near of the device of that PCI bus id: those of `cores` that are near it.
std::vector<int> NearCores(const topology::Topology& topology, const std::vector<CoreSpec>& cores,
                           std::string_view pci_bus_id);

}  // namespace manta::scheduling
