// What is granted next, and where.
#include <algorithm>
#include <span>

#include "core/base/check.hpp"
#include "core/scheduling/ledger.hpp"
#include "core/scheduling/policies/choose.hpp"
#include "core/scheduling/policies/earliest_finish.hpp"

namespace manta::scheduling {
namespace {

constexpr std::size_t kFewLines = 8;  // lines opened that are looked at one by one

}  // namespace

Ledger::Actions Ledger::Decide() {
  for (std::size_t i = 0; i < changed_.size(); ++i) GrantClaims(changed_[i]);
  for (const int node : turned_busy_) {
    marks_[static_cast<std::size_t>(node)] &= static_cast<std::uint8_t>(~kBusy);
    MoveGathering(node);
  }
  turned_busy_.clear();
  if (!freed_.empty() && !debts_.empty()) MoveDebts();
  if (!unplaced_groups_.empty()) PlaceGroups();
  if (!freed_.empty() || !opened_.empty()) Offer();
  opened_.clear();
  for (const int node : freed_) marks_[static_cast<std::size_t>(node)] &= static_cast<std::uint8_t>(~kFreed);
  freed_.clear();
  for (const int node : changed_) {
    NodeState& state = nodes_[static_cast<std::size_t>(node)];
    marks_[static_cast<std::size_t>(node)] &= static_cast<std::uint8_t>(~kChanged);
    state.cpus.Balance(Amount::FromUnits(state.claimed_cpus()), actions_.cedes, actions_.gives);
  }
  changed_.clear();
  return std::exchange(actions_, {});
}

// ---- claims ----
void Ledger::GrantClaims(int node) {
  NodeState& state = nodes_[static_cast<std::size_t>(node)];
  for (auto claim = state.NextInHand(); claim != state.claims().end(); claim = state.NextInHand()) {
    if (claim->group != nullptr) {
      Claim taken = state.RemoveClaim(claim);
      state.Take(*taken.demand, taken.devices);
      Changed(node);
      BundleInHand(*taken.group, taken.bundle, std::move(taken.devices));
      continue;
    }
    PendingRequest& request = *claim->request;
    Spot spot{request.choice, node, -1, {}};
    spot.fit.devices = claim->devices;
    spot.fit.home = claim->home;
    DropClaim(request);
    GrantTo(request, std::move(spot));
  }
}

void Ledger::Bind(PendingRequest& request, Spot spot, bool in_debt) {
  request.node = spot.node;
  request.choice = static_cast<std::uint16_t>(spot.choice);
  Claim claim;
  claim.request = &request;
  claim.demand = &request.line->of->choices[static_cast<std::size_t>(spot.choice)].demand;
  claim.devices = std::move(spot.fit.devices);
  claim.home = spot.fit.home;
  claim.in_debt = in_debt;
  claims_[&request] = nodes_[static_cast<std::size_t>(spot.node)].AddClaim(std::move(claim));
  if (in_debt) {
    debts_.push_back(&request);
    ++request.line->claims;
    lowest_debt_ = std::min(lowest_debt_, request.line->of->priority);
  }
  Changed(spot.node);
}

/// To a node with room for it, from one to which it is bound.
bool Ledger::MoveTo(PendingRequest& request, const Spot& spot) {
  const int from = request.node;
  DropClaim(request);
  Freed(from);
  const auto& demand = request.line->of->choices[static_cast<std::size_t>(spot.choice)].demand;
  if (nodes_[static_cast<std::size_t>(spot.node)].CpusInHand(demand)) {
    GrantTo(request, spot);
    return true;
  }
  Bind(request, spot, false);
  return false;
}

/// Claims for CPUs of ranks that turned out to be busy go where CPUs are.
void Ledger::MoveGathering(int node) {
  NodeState& state = nodes_[static_cast<std::size_t>(node)];
  if (state.LeftCpus(Reach::kSoon) >= 0) return;
  std::vector<PendingRequest*> here;
  for (const Claim& claim : state.claims())
    if (claim.request != nullptr && !claim.in_debt && claim.demand->cpus != 0) here.push_back(claim.request);
  for (auto one = here.rbegin(); one != here.rend() && state.LeftCpus(Reach::kSoon) < 0; ++one) {
    PendingRequest& request = **one;
    if (request.moves >= nodes_.size()) continue;
    FreshenIndex();
    for (int choice = 0; choice < static_cast<int>(request.line->of->choices.size()); ++choice) {
      const auto spot = FindSpotOf(*request.line->of, choice, request, Reach::kSoon, false);
      if (!spot || spot->node == node) continue;
      ++request.moves;
      MoveTo(request, *spot);
      break;
    }
  }
}

// ---- lines ----
void Ledger::Offer() {
  FreshenIndex();
  std::sort(freed_.begin(), freed_.end());
  const auto serve = [this](Line& line) {
    const bool group = line.of->InGroup();
    const bool opened = std::find(opened_.begin(), opened_.end(), &line) != opened_.end();
    if (line.blocked && !opened && (group || freed_.empty())) return false;
    line.never = false;
    if (group || line.of->earliest_finish) line.blocked = false;
    if (line.blocked && !opened && !MayFitFreed(line)) return false;
    return PlaceFirst(line);
  };
  if (freed_.empty() && opened_.size() <= kFewLines) {
    std::vector<Line*>& open = still_open_;
    open.assign(opened_.begin(), opened_.end());
    for (;;) {
      std::erase_if(open, [](const Line* line) { return line->empty(); });
      const auto next = std::min_element(open.begin(), open.end(),
                                         [](const Line* a, const Line* b) { return a->key < b->key; });
      if (next == open.end()) return;
      if (!serve(**next)) open.erase(next);
    }
  }
  const auto& order = waiting_.order();
  for (auto next = order.begin(); next != order.end();) {
    const TurnKey key = next->first;
    serve(*next->second);
    next = order.upper_bound(key);  // a line that was served stands behind this now, or is empty
  }
}

/// Cheap: most lines that wait find nothing in what one lease leaves.
bool Ledger::MayFitFreed(const Line& line) const {
  if (freed_.size() > kFewFreed || lowest_debt_ < line.of->priority) return true;
  for (const ClassChoice& choice : line.of->choices)
    for (const int node : freed_)
      if (index_->MayFit(node, choice.demand, Reach::kLater)) return true;
  return false;
}

bool Ledger::PlaceFirst(Line& line) {
  PendingRequest& request = *waiting_.First(line);
  std::optional<Spot> spot = FindSpot(line, request);
  if (!spot && lowest_debt_ < line.of->priority && UnbindBelow(line.of->priority, false)) spot = FindSpot(line, request);
  if (spot && !line.of->InGroup() && BindEarlier(line)) spot = FindSpot(line, request);
  if (!spot) {
    line.blocked = true;
    return false;
  }
  const auto& demand = line.of->choices[static_cast<std::size_t>(spot->choice)].demand;
  if (spot->bundle >= 0 || nodes_[static_cast<std::size_t>(spot->node)].CpusInHand(demand))
    GrantTo(request, std::move(*spot));
  else
    Bind(*waiting_.TakeFirst(line), std::move(*spot), false);
  return true;
}

std::optional<Ledger::Spot> Ledger::FindSpot(const Line& line, const PendingRequest& request) {
  FreshenIndex();
  const RequestClass& of = *line.of;
  if (of.earliest_finish && of.choices.size() > 1) return FindFinish(line, request);
  for (const Reach reach : {Reach::kSoon, Reach::kLater})
    for (int choice = 0; choice < static_cast<int>(of.choices.size()); ++choice)
      if (auto spot = FindSpotOf(of, choice, request, reach, line.blocked)) return spot;
  return std::nullopt;
}

std::optional<Ledger::Spot> Ledger::FindSpotOf(const RequestClass& of, int choice, const PendingRequest& request,
                                               Reach reach, bool only_freed) {
  const ClassChoice& one = of.choices[static_cast<std::size_t>(choice)];
  if (one.demand.cpus == 0 && reach == Reach::kLater) return std::nullopt;  // tried before
  if (one.InGroup()) return FindInGroup(of, choice);
  if (one.restricted && one.candidates.empty()) return std::nullopt;
  std::span<const int> among;
  if (only_freed) {
    if (freed_.empty()) return std::nullopt;
    if (freed_.size() <= kFewFreed) among = freed_;
  }
  Ask ask{one, reach};
  ask.own_node = request.own_node;
  ask.near = request.near.get();
  const int node = ChooseNode(view(), ask, among);
  if (node < 0) return std::nullopt;
  std::optional<Fit> fit = nodes_[static_cast<std::size_t>(node)].left().Find(one.demand, one.home());
  MANTA_ASSERT(fit);
  return Spot{choice, node, -1, std::move(*fit)};
}

/// By the way that ends first; nothing where that is one that is busy.
std::optional<Ledger::Spot> Ledger::FindFinish(const Line& line, const PendingRequest& request) {
  const RequestClass& of = *line.of;
  std::vector<WayToRun> ways(of.choices.size());
  std::vector<std::optional<Spot>> spots(of.choices.size());
  double all_bytes = 0;
  if (request.near)
    for (const wire::NodeBytes& one : *request.near) all_bytes += static_cast<double>(one.bytes);
  bool any_free = false;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const ClassChoice& choice = of.choices[i];
    spots[i] = FindSpotOf(of, static_cast<int>(i), request, Reach::kSoon, false);
    const Duration& duration = durations_.Of(choice.duration);
    ways[i] = {spots[i].has_value(), choice.running, duration.runs, duration.mean_ns};
    any_free |= ways[i].free_now;
    if (!choice.started_ns.empty())
      ways[i].soonest_ns = std::max(0.0, static_cast<double>(*choice.started_ns.begin() - now_ns_) + duration.mean_ns);
    if (!spots[i]) continue;
    double bytes = all_bytes;
    if (request.near)
      for (const wire::NodeBytes& one : *request.near)
        if (one.node == nodes_[static_cast<std::size_t>(spots[i]->node)].spec().id)
          bytes -= static_cast<double>(one.bytes);
    ways[i].transfer_ns = bytes * transfer_ns_per_byte_;
  }
  const int way = ChooseEarliestFinish(ways, line.size);
  const_cast<Line&>(line).by_choice = way < 0 && any_free;
  return way < 0 ? std::nullopt : std::move(spots[static_cast<std::size_t>(way)]);
}

void Ledger::GrantTo(PendingRequest& request, Spot spot) {
  RequestClass& of = *request.line->of;
  ClassChoice& choice = of.choices[static_cast<std::size_t>(spot.choice)];
  NodeState& node = nodes_[static_cast<std::size_t>(spot.node)];
  const Rank rank = spot.fit.home.valid() ? spot.fit.home : choice.target.rank ? *choice.target.rank : node.LeastLeased();

  std::uint32_t place;
  if (free_held_.empty()) {
    place = static_cast<std::uint32_t>(held_.size());
    held_.emplace_back();
  } else {
    place = free_held_.back();
    free_held_.pop_back();
  }
  Held& held = held_[place];
  ++held.generation;
  held.out = true;
  held.suspended = false;
  held.choice = static_cast<std::uint16_t>(spot.choice);
  held.of = &of;
  held.requester = request.requester;
  held.rank = rank;
  held.request = request.id;
  held.node = spot.node;
  held.group = choice.target.group;
  held.bundle = spot.bundle;
  held.since_ns = now_ns_;
  held.devices = spot.fit.devices;
  auto& here = leases_at_[static_cast<std::size_t>(spot.node)];
  held.place_at_node = static_cast<std::uint32_t>(here.size());
  here.push_back(place);

  if (spot.bundle >= 0) {
    Bundle& bundle = groups_.at(held.group)->bundles[static_cast<std::size_t>(spot.bundle)];
    bundle.left_cpus -= choice.demand.cpus;
    bundle.left.Take(choice.demand, held.devices);
  } else {
    node.Take(choice.demand, held.devices);
  }
  held.cores = node.cores.Take(Amount::FromUnits(choice.demand.cpus), rank, held.devices,
                               [&node](Rank of) { return node.cpus.CededBy(of); });
  node.CountLease(rank, 1);
  ++choice.running;
  if (of.earliest_finish) choice.started_ns.insert(now_ns_);
  Changed(spot.node);

  Grant& grant = actions_.grants.emplace_back();
  grant.requester = request.requester;
  grant.request = request.id;
  grant.choice = spot.choice;
  grant.lease.id = (std::uint64_t{held.generation} << 32) | place;
  grant.lease.rank = rank;
  grant.lease.cpus = choice.demand.cpus;
  grant.lease.cores = held.cores;
  grant.lease.devices = std::move(spot.fit.devices);
  const Rank requester = request.requester;
  waiting_.Forget(request);
  CountShare(requester, choice.demand, 1);
}

}  // namespace manta::scheduling
