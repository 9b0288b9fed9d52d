#pragma once
// What the nodes of the job have, and whether a request could ever be granted.
//
//   NodeSpec node{.id = NodeId(0), .ranks = {Rank(0)}, .slots = {{Rank(0), Amount::Whole(8)}},
//                 .gpus = {{0, Rank(0)}, {1, Rank(0)}}};
//   WhyInfeasible({node}, three_gpus, std::nullopt);
//   // "asked for 3 GPUs and 1 CPU; the largest node has 2 GPUs and 8 CPUs"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/wire/messages.hpp"

namespace manta::scheduling {

struct DeviceSpec {
  int index = 0;               // on the node
  Rank home;                   // the rank that runs its tasks
  std::vector<int> near = {};  // cores near it, by index; empty: not known, or all alike
};

/// A core that leases may be bound to. Cores with the same number of a kind share that; -1: not known.
struct CoreSpec {
  int index = -1;  // on the node; neighbours share caches
  Rank rank;       // the one rank that works on it
  int physical = -1, l2 = -1, l3 = -1, numa = -1, package = -1;
};

struct NodeSpec {
  NodeId id;
  std::vector<Rank> ranks;
  std::map<Rank, Amount> slots;    // the CPUs that each rank's slot table begins with
  std::vector<CoreSpec> cores;     // in rising order; none of a rank that shares its cores or has more CPUs than cores
  std::vector<DeviceSpec> gpus;
  std::uint64_t memory_bytes = 0;  // for requests that name memory
  std::map<std::string, Amount> custom;
  std::map<std::string, std::string> labels;
};

/// The whole CPUs of `amount`.
constexpr Amount WholePart(Amount amount) { return Amount::Whole(amount.units() / Amount::kUnitsPerOne); }
/// How many devices a request of at least one takes: whole ones.
constexpr int WholeDevices(Amount gpus) { return static_cast<int>(gpus.RoundedUp()); }

/// Why no node could grant `shape` were the job idle, in one line: what was asked for and what the largest node (or the
/// given rank's) has. Nothing when one could. Only whole CPUs of a rank count, for no others can be gathered.
std::optional<std::string> WhyInfeasible(const std::vector<NodeSpec>& nodes, const wire::Shape& shape,
                                         std::optional<Rank> rank);

/// "2 GPUs, 1 CPU and 3 of "license"", without what is 0; "nothing" if all is.
std::string Describe(const wire::Shape& shape);

}  // namespace manta::scheduling
