#pragma once
// The default for requests without GPUs, as Ray's (its hybrid policy): pack until nodes are half used, then spread.

#include "core/scheduling/policies/policy.hpp"

namespace manta::scheduling {

/// The requester's own node while less than half of it is used, else the first of which less than half is used, else
/// the one that is used least; nodes without GPUs come first. -1 where it fits nowhere.
int ChooseHybrid(const ClusterView& view, const Ask& ask);

}  // namespace manta::scheduling
