#pragma once
// Where the bundles of a placement group go: all of them, or none.

#include <optional>
#include <span>
#include <vector>

#include "core/scheduling/groups.hpp"
#include "core/scheduling/policies/policy.hpp"

namespace manta::scheduling {

struct BundlePlace {
  int node = -1;
  Fit fit;
};

/// A place for each bundle, by the strategy; nothing where they do not all fit. CPUs as `reach` says.
std::optional<std::vector<BundlePlace>> PlaceBundles(const ClusterView& view, std::span<const Bundle> bundles,
                                                     wire::GroupStrategy strategy, Reach reach);

}  // namespace manta::scheduling
