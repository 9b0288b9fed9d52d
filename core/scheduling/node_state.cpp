#include "core/scheduling/node_state.hpp"

#include <utility>

#include "core/base/check.hpp"

namespace manta::scheduling {

NodeState::NodeState(const NodeSpec& spec, ResourceNames& names)
    : cpus(spec.slots), cores(spec), spec_(&spec), total_(spec, names), left_(total_), leases_of_(spec.ranks.size()) {}

int NodeState::Used() const {
  const auto share = [](std::int64_t left, std::int64_t total) {
    return total <= 0 ? 0 : static_cast<int>((total - std::clamp<std::int64_t>(left, 0, total)) * 1000 / total);
  };
  return std::max(share(LeftCpus(Reach::kLater), total_cpus()),
                  share(left_.free_memory_bytes() / 1024, total_.free_memory_bytes() / 1024));
}

void NodeState::Take(const Demand& demand, const std::vector<wire::DeviceShare>& devices) {
  cpus.Take(Amount::FromUnits(demand.cpus));
  left_.Take(demand, devices);
}

void NodeState::PutBack(const Demand& demand, const std::vector<wire::DeviceShare>& devices) {
  cpus.PutBack(Amount::FromUnits(demand.cpus));
  left_.PutBack(demand, devices);
}

std::list<Claim>::iterator NodeState::AddClaim(Claim claim) {
  claimed_cpus_ += claim.demand->cpus;
  left_.Take(*claim.demand, claim.devices);
  return claims_.insert(claims_.end(), std::move(claim));
}

Claim NodeState::RemoveClaim(std::list<Claim>::iterator claim) {
  Claim removed = std::move(*claim);
  claims_.erase(claim);
  claimed_cpus_ -= removed.demand->cpus;
  left_.PutBack(*removed.demand, removed.devices);
  return removed;
}

std::list<Claim>::iterator NodeState::NextInHand() {
  if (claims_.empty()) return claims_.end();
  // What is in hand: with no claim taken out of it.
  std::int64_t free_cpus = cpus.free().units();
  bool any_debt = false;
  for (const Claim& claim : claims_) any_debt |= claim.in_debt;
  if (!any_debt) {  // then only CPUs can be missing
    for (auto claim = claims_.begin(); claim != claims_.end(); ++claim) {
      free_cpus -= claim->demand->cpus;
      if (free_cpus >= 0 || claim->demand->cpus == 0) return claim;
    }
    return claims_.end();
  }
  NodeResources in_hand = left_;
  for (const Claim& claim : claims_) in_hand.PutBack(*claim.demand, claim.devices);
  for (auto claim = claims_.begin(); claim != claims_.end(); ++claim) {
    free_cpus -= claim->demand->cpus;
    in_hand.Take(*claim->demand, claim->devices);
    if ((free_cpus >= 0 || claim->demand->cpus == 0) && in_hand.InHand(*claim->demand, claim->devices)) return claim;
  }
  return claims_.end();
}

Rank NodeState::LeastLeased() const {
  std::size_t least = 0;
  for (std::size_t i = 1; i < leases_of_.size(); ++i) {
    const bool lower = spec_->ranks[i] < spec_->ranks[least];
    if (leases_of_[i] < leases_of_[least] || (leases_of_[i] == leases_of_[least] && lower)) least = i;
  }
  return spec_->ranks[least];
}

void NodeState::CountLease(Rank rank, int change) {
  const auto at = std::find(spec_->ranks.begin(), spec_->ranks.end(), rank);
  MANTA_ASSERT(at != spec_->ranks.end());
  leases_of_[static_cast<std::size_t>(at - spec_->ranks.begin())] += change;
  leases_ += change;
}

}  // namespace manta::scheduling
