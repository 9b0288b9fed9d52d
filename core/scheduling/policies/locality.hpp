#pragma once
// Near the data: a task goes where most bytes of its arguments lie, if it fits there.

#include "core/scheduling/policies/policy.hpp"

namespace manta::scheduling {

/// Of the nodes in `ask.near` that fit, and that may grant it, the one with most bytes. -1 where there is none.
/// Few bytes are no reason: a task that could run elsewhere by another policy would be kept from it.
int ChooseByLocality(const ClusterView& view, const Ask& ask);

}  // namespace manta::scheduling
