#include "core/scheduling/policies/hybrid.hpp"

namespace manta::scheduling {
namespace {
constexpr int kHalf = 500;  // of 1,000, as NodeState::Used counts
}

int ChooseHybrid(const ClusterView& view, const Ask& ask) {
  const auto used = [&](int node) { return view.nodes[static_cast<std::size_t>(node)].Used(); };
  if (ask.listed)
    return CheapestListed(view, ask, [&](int node) {
      const int now = used(node);
      return now >= kHalf ? now : node == ask.own_node ? -1 : 0;
    });
  if (ask.own_node >= 0 && used(ask.own_node) < kHalf && ask.FitsOn(view, ask.own_node) &&
      (view.nodes[static_cast<std::size_t>(ask.own_node)].total().devices().empty() ||
       !view.nodes.front().total().devices().empty()))
    return ask.own_node;
  const int first = view.index.First(ask.choice.demand, ask.reach, kHalf);
  return first >= 0 ? first : view.index.LeastUsed(ask.choice.demand, ask.reach);
}

}  // namespace manta::scheduling
