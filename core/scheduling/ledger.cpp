// Requests, leases and claims as they come and go. What is decided: ledger_decide.cpp.
#include "core/scheduling/ledger.hpp"

#include <algorithm>
#include <limits>

#include "core/base/check.hpp"
#include "core/scheduling/policies/labels.hpp"

namespace manta::scheduling {
namespace {

std::vector<NodeSpec> InOrder(std::vector<NodeSpec> nodes) {
  std::stable_partition(nodes.begin(), nodes.end(), [](const NodeSpec& node) { return node.gpus.empty(); });
  return nodes;
}

}  // namespace

Ledger::Ledger(std::vector<NodeSpec> nodes) : specs_(InOrder(std::move(nodes))) {
  nodes_.reserve(specs_.size());
  for (const NodeSpec& spec : specs_) {
    for (const Rank rank : spec.ranks) node_of_[rank] = static_cast<int>(nodes_.size());
    const NodeState& node = nodes_.emplace_back(spec, names_);
    all_cpus_ += node.total_cpus();
    all_gpus_ += node.total().FreeGpus();
  }
  index_ = std::make_unique<NodeIndex>(nodes_);
  leases_at_.resize(nodes_.size());
  marks_.resize(nodes_.size());
  max_debts_ = static_cast<int>(std::clamp<std::size_t>(nodes_.size() / 16, 1, 64));
}
Ledger::~Ledger() = default;

// ---- classes ----
ClassId Ledger::Define(const wire::RequestClass& content) {
  std::vector<std::byte> bytes;
  wire::Writer writer(bytes);
  const_cast<wire::RequestClass&>(content).Fields(writer);
  const auto [found, is_new] = class_ids_.try_emplace(
      std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), static_cast<ClassId>(classes_.size()));
  if (!is_new) return found->second;
  auto made = std::make_unique<RequestClass>();
  made->id = found->second;
  made->earliest_finish = content.earliest_finish != 0;
  made->priority = content.priority;
  for (const wire::Choice& one : content.choices) {
    ClassChoice& choice = made->choices.emplace_back();
    choice.shape = one.shape;
    choice.demand = Demand(one.shape, names_);
    choice.target = one.target;
    if (one.function != 0) choice.duration = durations_.IdOf(one.function, one.shape);
    Resolve(choice);
  }
  MANTA_ASSERT(!made->choices.empty());
  lines_.push_back(std::make_unique<Line>());
  lines_.back()->of = made.get();
  classes_.push_back(std::move(made));
  return found->second;
}

/// Which nodes may ever grant it.
void Ledger::Resolve(ClassChoice& choice) const {
  const wire::Target& target = choice.target;
  if (choice.InGroup()) return;
  const bool by_labels = !target.labels.empty();
  choice.restricted = target.rank || target.node.valid() || by_labels || !choice.demand.custom.empty();
  std::vector<int> could;
  const auto could_ever = [&](int node) {
    const NodeState& state = nodes_[static_cast<std::size_t>(node)];
    return state.total_cpus() >= choice.demand.cpus && state.total().Fits(choice.demand, choice.home());
  };
  for (int node = 0; node < static_cast<int>(nodes_.size()); ++node) {
    const NodeSpec& spec = nodes_[static_cast<std::size_t>(node)].spec();
    if (target.rank) {
      const auto at = node_of_.find(*target.rank);
      if (at == node_of_.end() || at->second != node) continue;
    }
    if (by_labels && !MeetsAll(spec.labels, target.labels)) continue;
    if (could_ever(node)) could.push_back(node);
  }
  if (target.node.valid()) {
    const auto is_it = [&](int node) { return nodes_[static_cast<std::size_t>(node)].spec().id == target.node; };
    const auto at = std::find_if(could.begin(), could.end(), is_it);
    if (at != could.end()) could = {*at};
    else if (target.soft == 0) could.clear();
  }
  if (!target.preferred.empty())
    for (const int node : could)
      if (MeetsAll(nodes_[static_cast<std::size_t>(node)].spec().labels, target.preferred))
        choice.preferred.push_back(node);
  if (choice.restricted) choice.candidates = std::move(could);
}

// ---- requests ----
void Ledger::Request(Rank requester, std::uint64_t request, const wire::Shape& shape, std::optional<Rank> rank) {
  wire::RequestClass content;
  content.choices.emplace_back();
  content.choices[0].shape = shape;
  content.choices[0].target.rank = rank;
  Request(requester, request, Define(content));
}

void Ledger::Request(Rank requester, std::uint64_t request, ClassId kind, std::vector<wire::NodeBytes> near) {
  if (gone_.contains(requester)) return;
  Line& line = *lines_.at(static_cast<std::size_t>(kind));
  if (line.of->InGroup()) {
    Group* const group = FindGroup(line.of->choices[0].target.group);
    if (group == nullptr) {
      actions_.removals.push_back({requester, request, 0});
      return;
    }
    if (std::find(group->lines.begin(), group->lines.end(), &line) == group->lines.end()) group->lines.push_back(&line);
  }
  const bool was_empty = line.empty();
  PendingRequest* const added = waiting_.Add(line, requester, request, now_ns_);
  added->ended_before = leases_ended_;
  if (const auto own = node_of_.find(requester); own != node_of_.end()) added->own_node = own->second;
  if (!near.empty()) added->near = std::make_unique<std::vector<wire::NodeBytes>>(std::move(near));
  if (was_empty) line.blocked = line.never = false;
  // What comes behind one that fits nowhere fits nowhere either, unless it is asked by another policy.
  if (!line.blocked && (was_empty || opened_.empty() || opened_.back() != &line)) opened_.push_back(&line);
}

/// What it took is not offered to others yet.
void Ledger::DropClaim(PendingRequest& request) {
  const auto claim = claims_.find(&request);
  MANTA_ASSERT(claim != claims_.end());
  if (claim->second->in_debt) {
    std::erase(debts_, &request);
    --request.line->claims;
    lowest_debt_ = std::numeric_limits<int>::max();
    for (const PendingRequest* const debt : debts_) lowest_debt_ = std::min(lowest_debt_, debt->line->of->priority);
  }
  nodes_[static_cast<std::size_t>(request.node)].RemoveClaim(claim->second);
  claims_.erase(claim);
  Changed(request.node);
}

void Ledger::Withdraw(Rank requester, std::uint64_t request) {
  PendingRequest* const found = waiting_.Find(requester, request);
  if (found == nullptr) return;
  if (found->node >= 0) {
    DropClaim(*found);
    Freed(found->node);
  }
  Line& line = *found->line;
  waiting_.Forget(*found);
  // Those behind it may be luckier by where their arguments lie; and who it kept waiting may go on.
  if (!line.empty()) opened_.push_back(&line);
}

// ---- leases ----
Ledger::Held* Ledger::Out(std::uint64_t lease) {
  const auto place = static_cast<std::uint32_t>(lease);
  if (place >= held_.size()) return nullptr;
  Held& held = held_[place];
  return held.out && held.generation == lease >> 32 ? &held : nullptr;
}

void Ledger::CountShare(Rank requester, const Demand& demand, int sign) {
  Demand& holds = holds_[requester];
  holds.cpus += sign * demand.cpus;
  holds.gpus += sign * demand.gpus;
  // In 64ths of the job: finer steps would only move lines to and fro.
  const auto share = [](std::int64_t part, std::int64_t all) {
    return all == 0 ? 0 : static_cast<int>((part * 64 + all / 2) / all);
  };
  waiting_.SetShare(requester, std::max(share(holds.cpus, all_cpus_), share(holds.gpus, all_gpus_)));
}

void Ledger::TakeBack(std::uint64_t lease) {
  Held& held = *Out(lease);
  ClassChoice& choice = held.of->choices[held.choice];
  NodeState& node = nodes_[static_cast<std::size_t>(held.node)];
  if (held.group != 0) PutBackInGroup(held, !held.suspended);
  else if (held.suspended) node.PutBackOthers(choice.demand, held.devices);
  else node.PutBack(choice.demand, held.devices);
  node.cores.PutBack(Amount::FromUnits(choice.demand.cpus), held.cores);
  node.CountLease(held.rank, -1);
  --choice.running;
  if (held.of->earliest_finish) choice.started_ns.erase(choice.started_ns.find(held.since_ns));
  CountShare(held.requester, choice.demand, -1);
  auto& here = leases_at_[static_cast<std::size_t>(held.node)];
  here[held.place_at_node] = here.back();
  held_[here.back()].place_at_node = held.place_at_node;
  here.pop_back();
  ++leases_ended_;
  held.out = false;
  held.devices.clear();
  free_held_.push_back(static_cast<std::uint32_t>(lease));
  Freed(held.node);
}

void Ledger::Return(std::uint64_t lease, std::int64_t ran_ns) {
  const Held* const held = Out(lease);
  if (held == nullptr) return;
  const DurationId duration = held->choice_of().duration;
  if (duration != 0 && ran_ns >= 0)
    durations_.Add(duration, static_cast<double>(ran_ns != 0 ? ran_ns : now_ns_ - held->since_ns));
  TakeBack(lease);
}

void Ledger::Suspend(std::uint64_t lease) {
  Held* const held = Out(lease);
  if (held == nullptr || held->suspended) return;
  held->suspended = true;
  Group* const group = held->group != 0 ? FindGroup(held->group) : nullptr;
  if (group != nullptr) {
    group->bundles[static_cast<std::size_t>(held->bundle)].left_cpus += held->choice_of().demand.cpus;
    OpenLinesOf(*group);
    return;
  }
  nodes_[static_cast<std::size_t>(held->node)].cpus.PutBack(Amount::FromUnits(held->choice_of().demand.cpus));
  Freed(held->node);
}

void Ledger::Resume(std::uint64_t lease) {
  Held* const held = Out(lease);
  if (held == nullptr || !held->suspended) return;
  held->suspended = false;
  Group* const group = held->group != 0 ? FindGroup(held->group) : nullptr;
  if (group != nullptr) {
    group->bundles[static_cast<std::size_t>(held->bundle)].left_cpus -= held->choice_of().demand.cpus;
    return;
  }
  nodes_[static_cast<std::size_t>(held->node)].cpus.Take(Amount::FromUnits(held->choice_of().demand.cpus));
  Changed(held->node);
}

void Ledger::Ceded(Rank rank, Amount whole_cpus) {
  const auto at = node_of_.find(rank);
  MANTA_ASSERT(at != node_of_.end());
  NodeState& node = nodes_[static_cast<std::size_t>(at->second)];
  const std::int64_t soon = node.LeftCpus(Reach::kSoon);
  node.cpus.Ceded(rank, whole_cpus);
  // What was there for others stays so: only a rank that turned out to be busy, or no longer is, changes something.
  if (node.LeftCpus(Reach::kSoon) > soon) Freed(at->second);
  else Changed(at->second);
  std::uint8_t& marks = marks_[static_cast<std::size_t>(at->second)];
  if ((marks & kBusy) == 0) {
    marks |= kBusy;
    turned_busy_.push_back(at->second);
  }
}

void Ledger::Forget(Rank requester) {
  gone_.insert(requester);
  for (const PendingRequest* const request : waiting_.Of(requester)) Withdraw(requester, request->id);
  for (std::size_t place = 0; place < held_.size(); ++place) {
    const Held& held = held_[place];
    if (held.out && held.requester == requester) TakeBack((std::uint64_t{held.generation} << 32) | place);
  }
  std::vector<std::uint64_t> groups;
  for (const auto& [id, group] : groups_)
    if (group->creator == requester) groups.push_back(id);
  for (const std::uint64_t id : groups) RemoveGroup(id);
}

// ---- what changed ----
void Ledger::Changed(int node) {
  std::uint8_t& marks = marks_[static_cast<std::size_t>(node)];
  if ((marks & kChanged) == 0) changed_.push_back(node);
  if ((marks & kStale) == 0) stale_.push_back(node);
  marks |= kChanged | kStale;
}

void Ledger::Freed(int node) {
  Changed(node);
  std::uint8_t& marks = marks_[static_cast<std::size_t>(node)];
  if ((marks & kFreed) == 0) freed_.push_back(node);
  marks |= kFreed;
}

void Ledger::FreshenIndex() {
  for (const int node : stale_) {
    marks_[static_cast<std::size_t>(node)] &= static_cast<std::uint8_t>(~kStale);
    index_->Update(node);
  }
  stale_.clear();
}

std::optional<wire::Shape> Ledger::HeldBy(std::uint64_t lease) const {
  const Held* const held = const_cast<Ledger*>(this)->Out(lease);
  return held == nullptr ? std::nullopt : std::optional(held->choice_of().shape);
}

}  // namespace manta::scheduling
