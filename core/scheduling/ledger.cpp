#include "core/scheduling/ledger.hpp"

#include <algorithm>
#include <functional>
#include <queue>

#include "core/base/check.hpp"

namespace manta::scheduling {
namespace {

Amount CpusOf(const wire::Shape& shape) { return Amount::FromUnits(shape.cpus); }

}  // namespace

Ledger::Ledger(std::vector<NodeSpec> nodes) : specs_(std::move(nodes)) {
  for (const NodeSpec& spec : specs_) {
    for (const Rank rank : spec.ranks) node_of_[rank] = static_cast<int>(nodes_.size());
    nodes_.emplace_back(spec);
  }
}

void Ledger::Request(Rank requester, std::uint64_t request, const wire::Shape& shape, std::optional<Rank> rank) {
  if (gone_.contains(requester)) return;
  ShapeKey key(shape.cpus, shape.gpus, shape.memory_bytes, shape.custom, rank ? rank->value : kAnyRank);
  Queue& queue = queues_[std::move(key)];
  if (queue.waiting.empty()) {
    queue.shape = shape;
    queue.rank = rank;
  }
  const bool is_new = requests_.try_emplace({requester, request}, &queue, next_arrival_).second;
  MANTA_ASSERT(is_new);
  queue.waiting.emplace(next_arrival_++, Waiting{requester, request});
  changed_ = true;
}

void Ledger::Withdraw(Rank requester, std::uint64_t request) {
  const auto found = requests_.find({requester, request});
  if (found == requests_.end()) return;
  const auto [queue, arrival] = found->second;
  queue->waiting.erase(arrival);
  requests_.erase(found);
  if (queue->waiting.empty()) std::erase_if(queues_, [queue = queue](const auto& one) { return &one.second == queue; });
  changed_ = true;
}

void Ledger::TakeBack(std::unordered_map<std::uint64_t, Held>::iterator held) {
  const Held& lease = held->second;
  Node& node = nodes_[lease.node];
  if (!lease.suspended) node.cpus.PutBack(CpusOf(lease.shape));
  node.cores.PutBack(CpusOf(lease.shape), lease.cores);
  node.others.PutBack(lease.shape, lease.devices);
  --leases_of_[lease.rank];
  held_.erase(held);
  changed_ = true;
}

void Ledger::Return(std::uint64_t lease) {
  if (const auto held = held_.find(lease); held != held_.end()) TakeBack(held);
}

void Ledger::Suspend(std::uint64_t lease) {
  const auto held = held_.find(lease);
  if (held == held_.end() || held->second.suspended) return;
  held->second.suspended = true;
  nodes_[held->second.node].cpus.PutBack(CpusOf(held->second.shape));
  changed_ = true;
}

void Ledger::Resume(std::uint64_t lease) {
  const auto held = held_.find(lease);
  if (held == held_.end() || !held->second.suspended) return;
  held->second.suspended = false;
  nodes_[held->second.node].cpus.Take(CpusOf(held->second.shape));
  changed_ = true;
}

void Ledger::Ceded(Rank rank, Amount whole_cpus) {
  const auto node = node_of_.find(rank);
  MANTA_ASSERT(node != node_of_.end());
  nodes_[node->second].cpus.Ceded(rank, whole_cpus);
  changed_ = true;
}

void Ledger::Forget(Rank requester) {
  gone_.insert(requester);
  std::vector<std::uint64_t> requests;
  for (auto one = requests_.lower_bound({requester, 0}); one != requests_.end() && one->first.first == requester; ++one)
    requests.push_back(one->first.second);
  for (const std::uint64_t request : requests) Withdraw(requester, request);
  std::vector<std::uint64_t> leases;
  for (const auto& [id, lease] : held_)
    if (lease.requester == requester) leases.push_back(id);
  for (const std::uint64_t lease : leases) Return(lease);
}

/// The range of nodes that may grant it.
std::pair<int, int> Ledger::NodesFor(const Queue& queue) const {
  if (!queue.rank) return {0, static_cast<int>(nodes_.size())};
  const auto found = node_of_.find(*queue.rank);
  return found == node_of_.end() ? std::pair(0, 0) : std::pair(found->second, found->second + 1);
}

Rank Ledger::LeastLeased(const Node& node) const {
  Rank least;
  int fewest = 0;
  for (const Rank rank : node.ranks) {
    const auto found = leases_of_.find(rank);
    const int leases = found == leases_of_.end() ? 0 : found->second;
    if (least.valid() && (leases > fewest || (leases == fewest && rank > least))) continue;
    least = rank;
    fewest = leases;
  }
  return least;
}

std::optional<Ledger::Place> Ledger::FindPlace(const Queue& queue) const {
  const Amount cpus = CpusOf(queue.shape);
  std::optional<Place> best;
  std::tuple<bool, std::int64_t, int, std::int64_t, int> best_cost;
  const auto [first, last] = NodesFor(queue);
  for (int i = first; i < last; ++i) {
    const Node& node = nodes_[i];
    const Amount left = node.cpus.free() - node.reserved - cpus;
    if (!cpus.IsZero() && left < Amount()) continue;
    std::optional<Fit> fit = node.others.Find(queue.shape, queue.rank);
    if (!fit) continue;
    const Rank rank = fit->home.valid() ? fit->home : queue.rank ? *queue.rank : LeastLeased(node);
    const auto leases = leases_of_.find(rank);
    const std::tuple cost(fit->many_homes, fit->left, fit->whole_devices, cpus.IsZero() ? 0 : left.units(),
                          leases == leases_of_.end() ? 0 : leases->second);
    if (best && cost >= best_cost) continue;
    best = Place{i, rank, std::move(*fit)};
    best_cost = cost;
  }
  return best;
}

Grant Ledger::MakeGrant(const Queue& queue, const Waiting& waiting, Place place) {
  Node& node = nodes_[place.node];
  node.cpus.Take(CpusOf(queue.shape));
  node.others.Take(queue.shape, place.fit.devices);
  if (node.planned) node.planned->Take(queue.shape, place.fit.devices);
  ++leases_of_[place.rank];

  Grant grant{waiting.requester, waiting.request, {}};
  grant.lease.id = next_lease_++;
  grant.lease.rank = place.rank;
  grant.lease.cpus = queue.shape.cpus;
  grant.lease.devices = place.fit.devices;
  grant.lease.cores = node.cores.Take(CpusOf(queue.shape), place.rank, place.fit.devices,
                                      [&node](Rank rank) { return node.cpus.CededBy(rank); });
  held_.emplace(grant.lease.id, Held{queue.shape, waiting.requester, place.rank, place.node,
                                     std::move(place.fit.devices), grant.lease.cores});
  return grant;
}

/// Chooses where it waits, and reserves its CPUs there. False: nowhere, or where that would change nothing.
bool Ledger::WaitForCpus(const Queue& queue, Waiting& waiting) {
  const Amount cpus = CpusOf(queue.shape);
  struct Choice {
    int node;
    Fit fit;
    Amount uncovered;  // what can't come soon
    Amount spare;      // what could come beyond
  };
  const auto better = [](const Choice& a, const Choice& b) {
    const auto cost = [](const Choice& c) {
      return std::tuple(c.uncovered, c.fit.many_homes, c.fit.left, c.fit.whole_devices, Amount() - c.spare);
    };
    return cost(a) < cost(b);
  };
  std::optional<Choice> best, present;
  const auto [first, last] = NodesFor(queue);
  for (int i = first; i < last; ++i) {
    const Node& node = nodes_[i];
    if (node.cpus.total() < cpus) continue;
    // With all that ranks could cede reserved already, one more changes nothing; but the first must close the pool.
    const bool closed = node.reserved > node.cpus.free();
    if (closed && node.reserved >= node.cpus.free() + node.cpus.in_slots()) continue;
    std::optional<Fit> fit = node.plan().Find(queue.shape, queue.rank);
    if (!fit) continue;
    const Amount spare = node.cpus.free() + node.cpus.Prompt() - node.reserved - cpus;
    Choice choice{i, std::move(*fit), std::max(Amount(), Amount() - spare), spare};
    if (i == waiting.node) present = choice;
    if (!best || better(choice, *best)) best = std::move(choice);
  }
  if (!best) return false;
  if (present) {
    const bool moves = !present->uncovered.IsZero() && best->uncovered.IsZero() &&
                       waiting.moves < static_cast<int>(nodes_.size());
    if (moves) ++waiting.moves;
    else best = std::move(present);
  }
  Node& node = nodes_[best->node];
  waiting.node = best->node;
  node.reserved += cpus;
  if (!node.planned) node.planned = node.others;
  node.planned->Take(queue.shape, best->fit.devices);
  return true;
}

Ledger::Actions Ledger::Decide() {
  Actions actions;
  if (!changed_) return actions;
  changed_ = false;
  for (Node& node : nodes_) {
    node.reserved = Amount();
    node.planned.reset();
  }

  struct Turn {
    std::map<std::uint64_t, Waiting>::iterator next;
    std::map<ShapeKey, Queue>::iterator queue;
    int planned;
    bool operator>(const Turn& other) const { return next->first > other.next->first; }
  };
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns;
  for (auto queue = queues_.begin(); queue != queues_.end(); ++queue)
    turns.push({queue->second.waiting.begin(), queue, 0});

  while (!turns.empty()) {
    auto [next, at, planned] = turns.top();
    turns.pop();
    Queue& queue = at->second;
    // What did not fit the first of a queue fits none behind it: within a Decide nothing becomes free.
    std::optional<Place> place;
    if (planned == 0) place = FindPlace(queue);
    if (place) {
      actions.grants.push_back(MakeGrant(queue, next->second, std::move(*place)));
      requests_.erase({next->second.requester, next->second.request});
      next = queue.waiting.erase(next);
    } else {
      if (queue.shape.cpus == 0 || planned == kLookahead || !WaitForCpus(queue, next->second)) continue;
      ++planned;
      ++next;
    }
    if (next != queue.waiting.end()) turns.push({next, at, planned});
    else if (queue.waiting.empty()) queues_.erase(at);
  }

  for (Node& node : nodes_) node.cpus.Balance(node.reserved, actions.cedes, actions.gives);
  return actions;
}

std::map<std::string, double> Ledger::Available() const {
  Amount cpus, gpus;
  std::int64_t memory_bytes = 0;
  std::map<std::string, Amount> custom;
  bool has_devices = false;
  for (const Node& node : nodes_) {
    cpus += node.cpus.free() + node.cpus.AllSlots();
    gpus += node.others.FreeGpus();
    has_devices |= node.others.HasDevices();
    memory_bytes += node.others.free_memory_bytes();
    for (const auto& [name, amount] : node.others.free_custom()) custom[name] += amount;
  }
  std::map<std::string, double> available;
  for (const auto& [name, amount] : custom) available[name] = amount.value();
  available["CPU"] = std::max(0.0, cpus.value());
  if (has_devices) available["GPU"] = gpus.value();
  available["memory"] = static_cast<double>(memory_bytes);
  return available;
}

std::string Ledger::WhyWaits(const Queue& queue) const {
  if (const auto why = WhyInfeasible(specs_, queue.shape, queue.rank)) return "for what no node has: " + *why;
  const auto [first, last] = NodesFor(queue);
  // What of the shape fits nowhere by itself.
  const auto fits = [&, first = first, last = last](const wire::Shape& part) {
    return std::any_of(nodes_.begin() + first, nodes_.begin() + last,
                       [&](const Node& node) { return node.others.Find(part, queue.rank).has_value(); });
  };
  if (fits(queue.shape)) {
    if (queue.shape.cpus == 0) return "for the next decision";
    const int at = queue.waiting.begin()->second.node;
    if (at < 0) return "for CPUs";
    const Node& node = nodes_[at];
    wire::Shape cpus;
    cpus.cpus = std::max<std::int64_t>(0, node.cpus.free().units());
    return "for CPUs of node " + std::to_string(node.id.value) + " (gathered: " + Describe(cpus) + ")";
  }
  wire::Shape gpus, memory;
  gpus.gpus = queue.shape.gpus;
  memory.memory_bytes = queue.shape.memory_bytes;
  if (!fits(gpus)) return "for GPUs";
  if (!fits(memory)) return "for memory";
  for (const auto& one : queue.shape.custom) {
    wire::Shape custom;
    custom.custom = {one};
    if (!fits(custom)) return "for \"" + one.first + "\"";
  }
  return "for a node that has all of it free at once";
}

std::optional<wire::Shape> Ledger::HeldBy(std::uint64_t lease) const {
  const auto held = held_.find(lease);
  return held == held_.end() ? std::nullopt : std::optional(held->second.shape);
}

std::vector<std::string> Ledger::WhyWaiting() const {
  std::vector<std::string> lines;
  for (const auto& [key, queue] : queues_) {
    const std::size_t count = queue.waiting.size();
    lines.push_back(std::to_string(count) + (count == 1 ? " request for " : " requests for ") + Describe(queue.shape) +
                    (queue.rank ? " on rank " + std::to_string(queue.rank->value) : "") +
                    (count == 1 ? " waits " : " wait ") + WhyWaits(queue));
  }
  return lines;
}

}  // namespace manta::scheduling
