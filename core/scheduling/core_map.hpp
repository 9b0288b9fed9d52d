#pragma once
// Which cores of one node are leased, and which of them the next lease gets. (How many CPUs are free is in cpu_pool.hpp.)
//
//   CoreMap cores(node);
//   const auto ceded = [&](Rank rank) { return pool.CededBy(rank); };
//   lease.cores = cores.Take(Amount::FromDouble(2.5), lease.rank, lease.devices, ceded);   // three cores, or none
//   cores.PutBack(Amount::FromDouble(2.5), lease.cores);
//
// Whole CPUs get cores of their own. The rest of an amount gets a share of a core, with other such rests if it fits.
//
// Algorithm. Cores near the lease's devices come first; for a lease without devices, cores near no device. Where these
// are not enough, all are looked at. Among them the cores are taken
// 1. in the smallest group that has enough: threads of a core, a shared L2, a shared L3, a NUMA node, a package, the node;
// 2. of those, in the one with most cores near the devices, then with most of the lease's own rank;
// 3. then in the one that has least to spare, so that large groups stay whole; then the first.
// A group that must be taken from in parts is: its largest part whole, and the rest by the same rules.
//
// A rank goes on running tasks on the cores whose CPUs it has not ceded, so no more of its cores are leased than it has
// ceded CPUs; but for leases with devices, for which cores near these count more. Where no cores are left (CPUs are in
// pieces, or a lease whose task waits keeps its cores) the lease gets none: its thread is not bound.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/scheduling/node_spec.hpp"
#include "core/wire/messages.hpp"

namespace manta::scheduling {

/// One thread at a time. Deterministic: the same calls give the same cores.
class CoreMap {
 public:
  /// How many CPUs a rank of the node has ceded, those of leases included.
  using CededBy = std::function<Amount(Rank)>;

  explicit CoreMap(const NodeSpec& node);

  /// The cores of a lease of `cpus` at `rank`, by index: those it has for itself in rising order, then the one that it
  /// has a share of. Empty: not bound, and nothing is taken.
  std::vector<std::int32_t> Take(Amount cpus, Rank rank, const std::vector<wire::DeviceShare>& devices,
                                 const CededBy& ceded);
  /// What Take gave for `cpus`, as it was.
  void PutBack(Amount cpus, const std::vector<std::int32_t>& cores);

 private:
  using Place = std::size_t;  // in cores_

  struct Level {
    std::vector<std::size_t> group_of;  // by core
    std::vector<std::size_t> cell_of;   // by core: the cores of a group that are one rank's
    std::vector<std::size_t> group, rank;  // by cell
    std::vector<Place> first;              // by group
  };
  struct Core {
    int index = -1;
    std::size_t rank = 0;  // in ranks_
    bool near_a_device = false;
    Amount leased = {};
  };
  struct RankCores {
    Rank rank;
    std::int64_t leased = 0;  // cores of which anything is leased
  };
  class Search;

  void AddLevel(const std::vector<int>& numbers);
  void Add(const std::vector<std::int32_t>& cores, Amount cpus, int sign);

  std::vector<Core> cores_;  // by index
  std::vector<RankCores> ranks_;
  std::vector<Level> levels_;              // from small groups to large ones; no two of the same groups
  std::size_t l3_ = 0;                     // the level of cores that share an L3
  std::map<int, std::vector<char>> near_;  // by device that has some: which cores are near it
};

}  // namespace manta::scheduling
