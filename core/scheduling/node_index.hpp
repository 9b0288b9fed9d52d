#pragma once
// Finds nodes of many by what is left on them, without looking at each. Positions are places in the ledger's list of
// nodes, which stands in the order of preference: nodes without GPUs first, so that what needs none stays away from
// those that have some.
//
// A tree over the positions keeps, for each eight of the level below, the most that any of them has left of each
// resource; a search descends only where something may fit, so it looks at few nodes unless most of those that have
// one resource lack another. Devices of which a part is free are kept by that amount, and nodes by their number of
// whole devices, so that the best fit for a share, or for whole devices, is found at once.

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/scheduling/node_state.hpp"

namespace manta::scheduling {

/// One thread at a time. Sees a node as it was at the last Update of it.
class NodeIndex {
 public:
  /// `nodes` outlives it; all are looked at.
  explicit NodeIndex(std::span<const NodeState> nodes);

  void Update(int node);

  /// Whether a node may have room, by the sums that the index keeps; where this says no there is none.
  bool MayFit(int node, const Demand& demand, Reach reach) const {
    return levels_[0][static_cast<std::size_t>(node)].MayFit(demand, reach);
  }
  // Each returns a position, or -1. `home`: where valid, devices must be at home there.
  /// The first that fits and of which less than `used_below` (in 1/1,000) is used, and that is not one of `but`.
  int First(const Demand& demand, Reach reach, int used_below, std::span<const int> but = {}) const;
  /// Of those that fit the one that is used least, the first of equals.
  int LeastUsed(const Demand& demand, Reach reach) const;
  /// Of those that fit the one that runs fewest leases, the first of equals.
  int FewestLeases(const Demand& demand, Reach reach) const;
  /// Where a share leaves least on its device; on a whole one where fewest whole ones are.
  int BestShare(const Demand& demand, Reach reach) const;
  /// Where fewest whole devices are free that are enough.
  int FewestWhole(const Demand& demand, Reach reach) const;
  /// Calls `visit(position)` for nodes with most whole devices left first, until it returns false.
  template <class Visit>
  void VisitByWhole(Visit visit) const {
    for (auto count = static_cast<int>(whole_.size()) - 1; count >= 0; --count)
      for (int node = whole_[static_cast<std::size_t>(count)]; node >= 0;
           node = places_[static_cast<std::size_t>(node)].next)
        if (!visit(node)) return;
  }

 private:
  static constexpr int kFan = 8;
  static constexpr int kTries = 64;  // of one bucket, before the tree is asked
  struct Summary {
    std::int64_t soon_cpus = std::numeric_limits<std::int64_t>::min();
    std::int64_t later_cpus = std::numeric_limits<std::int64_t>::min();
    std::int64_t memory_bytes = std::numeric_limits<std::int64_t>::min();
    std::int32_t whole_devices = -1, share = -1;
    std::int32_t used = std::numeric_limits<std::int32_t>::max(), leases = used;

    bool operator==(const Summary&) const = default;
    void Join(const Summary& other);
    bool MayFit(const Demand& demand, Reach reach) const {
      if (demand.cpus != 0 && (reach == Reach::kSoon ? soon_cpus : later_cpus) < demand.cpus) return false;
      if (demand.memory_bytes != 0 && memory_bytes < demand.memory_bytes) return false;
      if (demand.gpus == 0) return true;
      return demand.IsShare() ? share >= demand.gpus : whole_devices >= demand.WholeDevices();
    }
  };
  /// A link of the list of nodes with the same number of whole devices.
  struct Place {
    int next = -1, previous = -1;
    int count = -1;
  };
  /// A link of the list of devices with the same part free.
  struct DevicePlace {
    int next = -1, previous = -1;
    std::int32_t free = 0;  // 0: in no list
  };

  Summary Look(int node) const;
  void PlaceWhole(int node, int count);
  void PlaceDevices(int node);
  void LinkShare(int device, std::int32_t free);
  /// The next amount from `from` up of which there is a device; 10,000 if none.
  std::int32_t NextShare(std::int32_t from) const;
  template <class Leaf>
  int Descend(std::size_t level, std::size_t at, const Leaf& leaf) const;
  int Least(const Demand& demand, Reach reach, std::int32_t Summary::*key) const;

  static constexpr int kUnits = static_cast<int>(Amount::kUnitsPerOne);

  std::span<const NodeState> nodes_;
  std::vector<std::vector<Summary>> levels_;  // nodes first, one summary last
  std::vector<int> whole_;                    // by count: the first node
  std::vector<Place> places_;                 // by node
  std::vector<int> first_device_;             // by node: the number of its first device among all
  std::vector<int> node_of_device_;
  std::vector<DevicePlace> devices_;
  std::array<int, kUnits> shares_;                            // by what is free: the first device, or -1
  std::array<std::uint64_t, (kUnits + 63) / 64> has_share_{};  // a bit for each list that is not empty
};

}  // namespace manta::scheduling
