#pragma once
// What a policy is given, and what it says. Policies are pure: they read the state and name a node.

#include <span>
#include <vector>

#include "core/scheduling/node_index.hpp"
#include "core/scheduling/node_state.hpp"
#include "core/scheduling/request_class.hpp"

namespace manta::scheduling {

struct ClusterView {
  std::span<const NodeState> nodes;
  const NodeIndex& index;
};

struct Ask {
  const ClassChoice& choice;
  Reach reach = Reach::kSoon;
  int own_node = -1;                                 // position of the requester's node
  const std::vector<wire::NodeBytes>* near = nullptr;  // where its arguments lie
  bool listed = false;                               // only these:
  std::span<const int> nodes = {};                   // positions, rising

  bool FitsOn(const ClusterView& view, int node) const {
    return view.nodes[static_cast<std::size_t>(node)].Fits(choice.demand, choice.home(), reach);
  }
};

/// The listed node that fits at the least `cost(position)`, the first of equals; -1 where none does.
template <class Cost>
int CheapestListed(const ClusterView& view, const Ask& ask, Cost cost) {
  int best = -1;
  decltype(cost(0)) least{};
  for (const int node : ask.nodes) {
    if (!ask.FitsOn(view, node)) continue;
    const auto now = cost(node);
    if (best >= 0 && !(now < least)) continue;
    best = node;
    least = now;
  }
  return best;
}

}  // namespace manta::scheduling
