#include "core/scheduling/policies/choose.hpp"

#include <algorithm>
#include <iterator>

#include "core/scheduling/policies/best_fit.hpp"
#include "core/scheduling/policies/hybrid.hpp"
#include "core/scheduling/policies/locality.hpp"
#include "core/scheduling/policies/spread.hpp"

namespace manta::scheduling {
namespace {

int ByStrategy(const ClusterView& view, const Ask& ask) {
  if (ask.listed && ask.nodes.size() <= 1)
    return !ask.nodes.empty() && ask.FitsOn(view, ask.nodes.front()) ? ask.nodes.front() : -1;
  if (const int near = ChooseByLocality(view, ask); near >= 0) return near;
  if (ask.choice.target.strategy == wire::Strategy::kSpread) return ChooseSpread(view, ask);
  return ask.choice.demand.gpus != 0 ? ChooseBestFit(view, ask) : ChooseHybrid(view, ask);
}

}  // namespace

int ChooseNode(const ClusterView& view, Ask ask, std::span<const int> among) {
  const ClassChoice& choice = ask.choice;
  const auto within = [&](const std::vector<int>& list, std::vector<int>& both) -> std::span<const int> {
    if (among.empty()) return list;
    std::set_intersection(list.begin(), list.end(), among.begin(), among.end(), std::back_inserter(both));
    return both;
  };
  ask.listed = choice.restricted || !among.empty();
  if (!choice.preferred.empty()) {
    std::vector<int> both;
    Ask first = ask;
    first.listed = true;
    first.nodes = within(choice.preferred, both);
    if (const int node = ByStrategy(view, first); node >= 0) return node;
  }
  std::vector<int> both;
  ask.nodes = choice.restricted ? within(choice.candidates, both) : among;
  return ByStrategy(view, ask);
}

}  // namespace manta::scheduling
