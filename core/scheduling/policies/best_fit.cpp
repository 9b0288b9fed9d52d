#include "core/scheduling/policies/best_fit.hpp"

#include <tuple>

namespace manta::scheduling {

int ChooseBestFit(const ClusterView& view, const Ask& ask) {
  if (ask.listed)
    return CheapestListed(view, ask, [&](int node) {
      const NodeState& state = view.nodes[static_cast<std::size_t>(node)];
      const auto fit = state.left().Find(ask.choice.demand, ask.choice.home());
      return std::tuple(fit->many_homes, fit->left, fit->whole_devices, state.LeftCpus(ask.reach), state.leases());
    });
  return ask.choice.demand.IsShare() ? view.index.BestShare(ask.choice.demand, ask.reach)
                                     : view.index.FewestWhole(ask.choice.demand, ask.reach);
}

}  // namespace manta::scheduling
