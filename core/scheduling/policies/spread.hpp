#pragma once
// SPREAD, as in Ray: best effort, over as many nodes as there are.

#include "core/scheduling/policies/policy.hpp"

namespace manta::scheduling {

/// The node that runs fewest leases, the first of equals. -1 where it fits nowhere.
int ChooseSpread(const ClusterView& view, const Ask& ask);

}  // namespace manta::scheduling
