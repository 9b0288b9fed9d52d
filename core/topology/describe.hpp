#pragma once
// A topology in words, for manta-info.

#include <string>
#include <vector>

#include "core/topology/topology.hpp"

namespace manta::topology {

/// "core 3", "cores 0-3,8".
std::string CoresText(const std::vector<int>& core_indexes);

/// One line for each package, NUMA node and shared cache, inner ones indented by two more blanks, with the cores in it
/// and their CPUs; then one for each GPU. Levels that are not known, and caches of a core's own, are left out.
std::vector<std::string> Describe(const Topology& topology);

}  // namespace manta::topology
