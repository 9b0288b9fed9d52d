#pragma once
// The default for requests with GPUs: where least is left over, so that whole devices and whole nodes stay whole.

#include "core/scheduling/policies/policy.hpp"

namespace manta::scheduling {

/// A share goes where it leaves least on its device, else to the node with fewest whole devices; whole devices come from
/// the node that has fewest of them. -1 where it fits nowhere.
int ChooseBestFit(const ClusterView& view, const Ask& ask);

}  // namespace manta::scheduling
