#include "core/scheduling/policies/locality.hpp"

#include <algorithm>

namespace manta::scheduling {
namespace {
constexpr std::uint64_t kWorthIt = 64 << 10;  // bytes; less is moved in the time of a message or two
}

int ChooseByLocality(const ClusterView& view, const Ask& ask) {
  if (ask.near == nullptr) return -1;
  int best = -1;
  std::uint64_t most = kWorthIt - 1;
  for (const wire::NodeBytes& one : *ask.near) {
    if (one.bytes <= most) continue;
    for (std::size_t node = 0; node < view.nodes.size(); ++node) {
      if (view.nodes[node].spec().id != one.node) continue;
      const int at = static_cast<int>(node);
      if (ask.listed && !std::binary_search(ask.nodes.begin(), ask.nodes.end(), at)) break;
      if (!ask.FitsOn(view, at)) break;
      best = at;
      most = one.bytes;
      break;
    }
  }
  return best;
}

}  // namespace manta::scheduling
