// Placement groups: created, placed all at once, used, removed.
#include <algorithm>

#include "core/base/check.hpp"
#include "core/scheduling/ledger.hpp"
#include "core/scheduling/policies/bundles.hpp"

namespace manta::scheduling {

Group* Ledger::FindGroup(std::uint64_t id) {
  const auto found = groups_.find(id);
  return found == groups_.end() ? nullptr : found->second.get();
}

void Ledger::CreateGroup(Rank creator, std::uint64_t id, const std::string& name,
                         const std::vector<wire::Shape>& bundles, wire::GroupStrategy strategy) {
  if (gone_.contains(creator)) return;
  const auto [made, is_new] = groups_.try_emplace(id);
  MANTA_ASSERT(is_new && !bundles.empty());
  made->second = std::make_unique<Group>();
  Group& group = *made->second;
  group.id = id;
  group.creator = creator;
  group.name = name;
  group.strategy = strategy;
  group.since_ns = now_ns_;
  group.missing = static_cast<int>(bundles.size());
  group.bundles.resize(bundles.size());
  for (std::size_t i = 0; i < bundles.size(); ++i) {
    group.bundles[i].shape = bundles[i];
    group.bundles[i].demand = Demand(bundles[i], names_);
  }
  unplaced_groups_.push_back(&group);
  group_is_new_ = true;
}

void Ledger::PlaceGroups() {
  if (!group_is_new_ && freed_.empty()) return;
  group_is_new_ = false;
  std::erase_if(unplaced_groups_, [this](Group* group) { return PlaceGroup(*group); });
}

/// All bundles or none; CPUs that ranks have are gathered then.
bool Ledger::PlaceGroup(Group& group) {
  FreshenIndex();
  auto places = PlaceBundles(view(), group.bundles, group.strategy, Reach::kSoon);
  if (!places) places = PlaceBundles(view(), group.bundles, group.strategy, Reach::kLater);
  if (!places) return false;
  group.placed = true;
  for (std::size_t i = 0; i < group.bundles.size(); ++i) {
    Bundle& bundle = group.bundles[i];
    BundlePlace& place = (*places)[i];
    bundle.node = place.node;
    NodeState& node = nodes_[static_cast<std::size_t>(place.node)];
    Changed(place.node);
    if (node.CpusInHand(bundle.demand)) {
      node.Take(bundle.demand, place.fit.devices);
      BundleInHand(group, static_cast<int>(i), std::move(place.fit.devices));
      continue;
    }
    Claim claim;
    claim.group = &group;
    claim.bundle = static_cast<int>(i);
    claim.demand = &bundle.demand;
    claim.devices = std::move(place.fit.devices);
    bundle.claim = node.AddClaim(std::move(claim));
  }
  return true;
}

void Ledger::BundleInHand(Group& group, int at, std::vector<wire::DeviceShare> devices) {
  Bundle& bundle = group.bundles[static_cast<std::size_t>(at)];
  bundle.in_hand = true;
  bundle.left = NodeResources(bundle.demand, devices, nodes_[static_cast<std::size_t>(bundle.node)].total());
  bundle.left_cpus = bundle.demand.cpus;
  bundle.devices = std::move(devices);
  --group.missing;
  if (group.missing != 0) return;
  actions_.ready_groups.emplace_back(group.creator, group.id);
  OpenLinesOf(group);
}

void Ledger::OpenLinesOf(Group& group) {
  for (Line* const line : group.lines)
    if (!line->empty()) opened_.push_back(line);
}

std::optional<Ledger::Spot> Ledger::FindInGroup(const RequestClass& of, int choice) const {
  const ClassChoice& one = of.choices[static_cast<std::size_t>(choice)];
  const auto found = groups_.find(one.target.group);
  if (found == groups_.end() || !found->second->ready()) return std::nullopt;
  const Group& group = *found->second;
  for (int i = 0; i < static_cast<int>(group.bundles.size()); ++i) {
    if (one.target.bundle >= 0 && one.target.bundle != i) continue;
    const Bundle& bundle = group.bundles[static_cast<std::size_t>(i)];
    if (!bundle.Fits(one.demand, one.home())) continue;
    std::optional<Fit> fit = bundle.left.Find(one.demand, one.home());
    return Spot{choice, bundle.node, i, std::move(*fit)};
  }
  return std::nullopt;
}

/// What a lease within a group held, back to its bundle, or to the node where the group is gone.
void Ledger::PutBackInGroup(const Held& held, bool with_cpus) {
  const Demand& demand = held.choice_of().demand;
  if (Group* const group = FindGroup(held.group)) {
    Bundle& bundle = group->bundles[static_cast<std::size_t>(held.bundle)];
    if (with_cpus) bundle.left_cpus += demand.cpus;
    bundle.left.PutBack(demand, held.devices);
    OpenLinesOf(*group);
    return;
  }
  NodeState& node = nodes_[static_cast<std::size_t>(held.node)];
  if (with_cpus) node.PutBack(demand, held.devices);
  else node.PutBackOthers(demand, held.devices);
}

void Ledger::RemoveGroup(std::uint64_t id) {
  const auto found = groups_.find(id);
  if (found == groups_.end()) return;
  const std::unique_ptr<Group> group = std::move(found->second);
  groups_.erase(found);
  std::erase(unplaced_groups_, group.get());
  for (Bundle& bundle : group->bundles) {
    if (bundle.node < 0) continue;
    NodeState& node = nodes_[static_cast<std::size_t>(bundle.node)];
    if (!bundle.in_hand) {
      node.RemoveClaim(bundle.claim);
    } else {
      // What tasks within still hold comes back when they return it.
      Demand left = bundle.demand;
      left.cpus = bundle.left_cpus;
      left.memory_bytes = bundle.left.free_memory_bytes();
      for (auto& [number, units] : left.custom) units = bundle.left.FreeCustom(number);
      std::vector<wire::DeviceShare> devices;
      for (const NodeResources::Device& device : bundle.left.devices()) devices.push_back({device.index, device.free});
      node.PutBack(left, devices);
    }
    Freed(bundle.node);
  }
  for (Line* const line : group->lines)
    while (!line->empty()) {
      PendingRequest& request = *waiting_.First(*line);
      actions_.removals.push_back({request.requester, request.id, 0});
      waiting_.Forget(request);
    }
  for (std::size_t place = 0; place < held_.size(); ++place) {
    const Held& held = held_[place];
    if (held.out && held.group == id)
      actions_.removals.push_back({held.requester, held.request, (std::uint64_t{held.generation} << 32) | place});
  }
}

}  // namespace manta::scheduling
