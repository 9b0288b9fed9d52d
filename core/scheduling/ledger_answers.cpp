// What is free, and why something waits.
#include <algorithm>

#include "core/scheduling/ledger.hpp"

namespace manta::scheduling {

std::map<std::string, double> Ledger::Available() const {
  Amount cpus, gpus;
  std::int64_t memory_bytes = 0;
  std::map<std::string, double> available;
  bool has_devices = false;
  for (std::size_t number = 0; number < names_.size(); ++number) {
    const auto has = [&](const NodeState& node) { return node.spec().custom.contains(names_.NameOf(static_cast<int>(number))); };
    if (std::any_of(nodes_.begin(), nodes_.end(), has)) available[names_.NameOf(static_cast<int>(number))] = 0;
  }
  for (const NodeState& node : nodes_) {
    // What claims take is not in use yet.
    NodeResources free = node.left();
    for (const Claim& claim : node.claims()) free.PutBack(*claim.demand, claim.devices);
    cpus += node.cpus.free() + node.cpus.AllSlots();
    gpus += Amount::FromUnits(free.FreeGpus());
    has_devices |= !free.devices().empty();
    memory_bytes += free.free_memory_bytes();
    for (auto& [name, amount] : available)
      if (node.spec().custom.contains(name))
        amount += Amount::FromUnits(free.FreeCustom(const_cast<ResourceNames&>(names_).NumberOf(name))).value();
  }
  available["CPU"] = std::max(0.0, cpus.value());
  if (has_devices) available["GPU"] = gpus.value();
  available["memory"] = static_cast<double>(memory_bytes);
  return available;
}

std::string Ledger::WhyWaits(const Line& line) const {
  const ClassChoice& choice = line.of->choices[0];
  if (const auto why = WhyInfeasible(specs_, choice.shape, choice.target.rank)) return "for what no node has: " + *why;
  const auto fits = [&](const Demand& part) {
    if (!choice.restricted)
      return std::any_of(nodes_.begin(), nodes_.end(),
                         [&](const NodeState& node) { return node.left().Fits(part, choice.home()); });
    return std::any_of(choice.candidates.begin(), choice.candidates.end(), [&](int node) {
      return nodes_[static_cast<std::size_t>(node)].left().Fits(part, choice.home());
    });
  };
  Demand gpus, memory;
  gpus.gpus = choice.demand.gpus;
  memory.memory_bytes = choice.demand.memory_bytes;
  if (!fits(gpus)) return "for GPUs";
  if (!fits(memory)) return "for memory";
  for (const auto& one : choice.demand.custom) {
    Demand custom;
    custom.custom = {one};
    if (!fits(custom)) return "for \"" + names_.NameOf(one.first) + "\"";
  }
  if (fits(choice.demand)) return choice.demand.cpus == 0 ? "for the next decision" : "for CPUs";
  return "for a node that has all of it free at once";
}

std::vector<std::string> Ledger::WhyWaiting() const {
  // Those in line, and those that are bound to nodes.
  std::map<const Line*, std::size_t> counts;
  std::map<const Line*, int> gathering;
  for (const auto& [key, line] : waiting_.order()) counts[line] += line->size;
  for (const NodeState& node : nodes_)
    for (const Claim& claim : node.claims())
      if (claim.request != nullptr) {
        ++counts[claim.request->line];
        if (!claim.in_debt) gathering.try_emplace(claim.request->line, static_cast<int>(&node - nodes_.data()));
      }
  std::vector<std::string> lines;
  for (const auto& owned : lines_) {
    const auto found = counts.find(owned.get());
    if (found == counts.end()) continue;
    const Line& line = *owned;
    const std::size_t count = found->second;
    std::string why;
    if (const auto at = gathering.find(&line); at != gathering.end()) {
      const NodeState& node = nodes_[static_cast<std::size_t>(at->second)];
      wire::Shape cpus;
      cpus.cpus = std::max<std::int64_t>(0, node.cpus.free().units());
      why = "for CPUs of node " + std::to_string(node.spec().id.value) + " (gathered: " + Describe(cpus) + ")";
    } else {
      why = WhyWaits(line);
    }
    const auto& rank = line.of->choices[0].target.rank;
    lines.push_back(std::to_string(count) + (count == 1 ? " request for " : " requests for ") +
                    Describe(line.of->choices[0].shape) + (rank ? " on rank " + std::to_string(rank->value) : "") +
                    (count == 1 ? " waits " : " wait ") + why);
  }
  return lines;
}

}  // namespace manta::scheduling
