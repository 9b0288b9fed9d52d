#pragma once
// Which policy decides for a request.

#include "core/scheduling/policies/policy.hpp"

namespace manta::scheduling {

/// The node for `ask` by its strategy: first among those that it prefers by label, near its arguments, then by the
/// strategy it names, else by the default. `among`: where not empty, only these positions, rising. -1: it fits nowhere.
int ChooseNode(const ClusterView& view, Ask ask, std::span<const int> among);

}  // namespace manta::scheduling
