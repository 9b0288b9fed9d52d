#include "core/scheduling/policies/spread.hpp"

namespace manta::scheduling {

int ChooseSpread(const ClusterView& view, const Ask& ask) {
  if (!ask.listed) return view.index.FewestLeases(ask.choice.demand, ask.reach);
  return CheapestListed(view, ask, [&](int node) { return view.nodes[static_cast<std::size_t>(node)].leases(); });
}

}  // namespace manta::scheduling
