#include "core/scheduling/policies/bundles.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

namespace manta::scheduling {
namespace {

/// What is left on a node after some of the bundles.
struct Remainder {
  NodeResources left;
  std::int64_t cpus = 0;
};

class Planner {
 public:
  Planner(const ClusterView& view, std::span<const Bundle> bundles, Reach reach)
      : view_(view), bundles_(bundles), reach_(reach), places_(bundles.size()) {
    order_.resize(bundles.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    // Large ones first: small ones fit into what those leave.
    std::stable_sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      const Demand &x = bundles[a].demand, &y = bundles[b].demand;
      return std::pair(x.gpus, x.cpus) > std::pair(y.gpus, y.cpus);
    });
  }

  bool OnOneNode() {
    const Demand sum = Sum();
    const int guess = sum.gpus != 0 ? view_.index.FewestWhole(sum, reach_) : view_.index.First(sum, reach_, kAny);
    if (guess >= 0 && AllOn(guess)) return true;
    // The sum may not be a request that one would make: shares that lie on several devices, say.
    for (std::size_t node = 0; node < view_.nodes.size(); ++node)
      if (CpusOf(static_cast<int>(node)) >= sum.cpus && AllOn(static_cast<int>(node))) return true;
    return false;
  }

  bool OnFewNodes() {
    std::vector<bool> done(bundles_.size());
    std::vector<int> used;
    for (const std::size_t first : order_) {
      if (done[first]) continue;
      const int node = Next(bundles_[first].demand, used);
      if (node < 0) return false;
      used.push_back(node);
      for (const std::size_t other : order_)
        if (!done[other]) done[other] = Put(other, node);
      if (!done[first]) return false;
    }
    return true;
  }

  bool OnManyNodes(bool strict) {
    std::vector<int> used;
    for (const std::size_t bundle : order_) {
      int node = Next(bundles_[bundle].demand, used);
      if (node >= 0) {
        used.push_back(node);
        if (!Put(bundle, node)) return false;
        continue;
      }
      if (strict) return false;
      node = LeastFilled(bundle, used);
      if (node < 0 || !Put(bundle, node)) return false;
    }
    return true;
  }

  std::vector<BundlePlace> TakePlaces() { return std::move(places_); }

 private:
  static constexpr int kAny = std::numeric_limits<int>::max();

  Demand Sum() const {
    Demand sum;
    for (const Bundle& bundle : bundles_) {
      sum.cpus += bundle.demand.cpus;
      sum.gpus += bundle.demand.gpus;
      sum.memory_bytes += bundle.demand.memory_bytes;
    }
    return sum;
  }
  std::int64_t CpusOf(int node) const { return view_.nodes[static_cast<std::size_t>(node)].LeftCpus(reach_); }

  /// A node that is not in `used` and that the demand fits on as it is; -1 if none.
  int Next(const Demand& demand, const std::vector<int>& used) const {
    const auto is_used = [&](int node) { return std::find(used.begin(), used.end(), node) != used.end(); };
    if (demand.gpus != 0) {
      const int best = demand.IsShare() ? view_.index.BestShare(demand, reach_) : view_.index.FewestWhole(demand, reach_);
      if (best < 0 || !is_used(best)) return best;
    }
    return view_.index.First(demand, reach_, kAny, used);
  }

  Remainder& At(int node) {
    const auto [found, is_new] = remainders_.try_emplace(node);
    if (is_new) found->second = {view_.nodes[static_cast<std::size_t>(node)].left(), CpusOf(node)};
    return found->second;
  }
  bool Put(std::size_t bundle, int node) {
    Remainder& at = At(node);
    const Demand& demand = bundles_[bundle].demand;
    if (demand.cpus != 0 && at.cpus < demand.cpus) return false;
    std::optional<Fit> fit = at.left.Find(demand, Rank());
    if (!fit) return false;
    at.cpus -= demand.cpus;
    at.left.Take(demand, fit->devices);
    places_[bundle] = {node, std::move(*fit)};
    return true;
  }
  bool AllOn(int node) {
    remainders_.erase(node);
    return std::all_of(order_.begin(), order_.end(), [&](std::size_t bundle) { return Put(bundle, node); });
  }
  /// Of the nodes with bundles already that another fits on, the one with fewest.
  int LeastFilled(std::size_t bundle, const std::vector<int>& used) {
    int best = -1;
    std::ptrdiff_t fewest = 0;
    const Demand& demand = bundles_[bundle].demand;
    for (const int node : used) {
      const Remainder& at = At(node);
      if ((demand.cpus != 0 && at.cpus < demand.cpus) || !at.left.Fits(demand, Rank())) continue;
      const auto here = std::count_if(places_.begin(), places_.end(), [&](const auto& one) { return one.node == node; });
      if (best >= 0 && here >= fewest) continue;
      best = node;
      fewest = here;
    }
    return best;
  }

  const ClusterView& view_;
  std::span<const Bundle> bundles_;
  Reach reach_;
  std::vector<std::size_t> order_;
  std::vector<BundlePlace> places_;
  std::map<int, Remainder> remainders_;
};

}  // namespace

std::optional<std::vector<BundlePlace>> PlaceBundles(const ClusterView& view, std::span<const Bundle> bundles,
                                                     wire::GroupStrategy strategy, Reach reach) {
  using wire::GroupStrategy;
  if (strategy == GroupStrategy::kPack || strategy == GroupStrategy::kStrictPack) {
    Planner one(view, bundles, reach);
    if (one.OnOneNode()) return one.TakePlaces();
    if (strategy == GroupStrategy::kStrictPack) return std::nullopt;
  }
  Planner planner(view, bundles, reach);
  const bool done = strategy == GroupStrategy::kPack ? planner.OnFewNodes()
                                                     : planner.OnManyNodes(strategy == GroupStrategy::kStrictSpread);
  if (!done) return std::nullopt;
  return planner.TakePlaces();
}

}  // namespace manta::scheduling
