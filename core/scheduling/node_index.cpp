#include "core/scheduling/node_index.hpp"

#include <algorithm>
#include <bit>

namespace manta::scheduling {

void NodeIndex::Summary::Join(const Summary& other) {
  soon_cpus = std::max(soon_cpus, other.soon_cpus);
  later_cpus = std::max(later_cpus, other.later_cpus);
  memory_bytes = std::max(memory_bytes, other.memory_bytes);
  whole_devices = std::max(whole_devices, other.whole_devices);
  share = std::max(share, other.share);
  used = std::min(used, other.used);
  leases = std::min(leases, other.leases);
}

NodeIndex::NodeIndex(std::span<const NodeState> nodes) : nodes_(nodes), places_(nodes.size()) {
  shares_.fill(-1);
  std::size_t most_devices = 0;
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    const std::size_t devices = nodes[node].left().devices().size();
    first_device_.push_back(static_cast<int>(node_of_device_.size()));
    node_of_device_.insert(node_of_device_.end(), devices, static_cast<int>(node));
    most_devices = std::max(most_devices, devices);
  }
  devices_.resize(node_of_device_.size());
  whole_.assign(most_devices + 1, -1);
  std::size_t size = nodes.size();
  levels_.emplace_back(size);
  while (size > 1) {
    size = (size + kFan - 1) / kFan;
    levels_.emplace_back(size);
  }
  // Backwards: lists are filled at their front, and the first node is to come first.
  for (std::size_t node = nodes.size(); node-- > 0;) Update(static_cast<int>(node));
}

NodeIndex::Summary NodeIndex::Look(int node) const {
  const NodeState& state = nodes_[static_cast<std::size_t>(node)];
  Summary summary;
  summary.soon_cpus = state.LeftCpus(Reach::kSoon);
  summary.later_cpus = state.LeftCpus(Reach::kLater);
  summary.memory_bytes = state.left().free_memory_bytes();
  summary.whole_devices = state.left().WholeDevices();
  summary.share = static_cast<std::int32_t>(state.left().LargestShare());
  summary.used = state.Used();
  summary.leases = state.leases();
  return summary;
}

void NodeIndex::Update(int node) {
  const Summary now = Look(node);
  auto at = static_cast<std::size_t>(node);
  PlaceWhole(node, now.whole_devices);
  PlaceDevices(node);
  if (levels_[0][at] == now) return;
  levels_[0][at] = now;
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    const std::size_t first = at / kFan * kFan;
    const std::size_t end = std::min(first + kFan, levels_[level - 1].size());
    Summary joined;
    for (std::size_t i = first; i < end; ++i) joined.Join(levels_[level - 1][i]);
    at /= kFan;
    if (levels_[level][at] == joined) return;
    levels_[level][at] = joined;
  }
}

void NodeIndex::PlaceWhole(int node, int count) {
  Place& place = places_[static_cast<std::size_t>(node)];
  if (place.count == count) return;
  if (place.count >= 0) {
    if (place.next >= 0) places_[static_cast<std::size_t>(place.next)].previous = place.previous;
    (place.previous >= 0 ? places_[static_cast<std::size_t>(place.previous)].next
                         : whole_[static_cast<std::size_t>(place.count)]) = place.next;
  }
  int& first = whole_[static_cast<std::size_t>(count)];
  place = {first, -1, count};
  if (first >= 0) places_[static_cast<std::size_t>(first)].previous = node;
  first = node;
}

void NodeIndex::PlaceDevices(int node) {
  int device = first_device_[static_cast<std::size_t>(node)];
  for (const NodeResources::Device& one : nodes_[static_cast<std::size_t>(node)].left().devices())
    LinkShare(device++, one.free > 0 && one.free < kUnits ? static_cast<std::int32_t>(one.free) : 0);
}

void NodeIndex::LinkShare(int device, std::int32_t free) {
  DevicePlace& place = devices_[static_cast<std::size_t>(device)];
  if (place.free == free) return;
  if (place.free != 0) {
    const auto from = static_cast<std::size_t>(place.free);
    if (place.next >= 0) devices_[static_cast<std::size_t>(place.next)].previous = place.previous;
    (place.previous >= 0 ? devices_[static_cast<std::size_t>(place.previous)].next : shares_[from]) = place.next;
    if (shares_[from] < 0) has_share_[from / 64] &= ~(std::uint64_t{1} << (from % 64));
  }
  place = {-1, -1, free};
  if (free == 0) return;
  const auto to = static_cast<std::size_t>(free);
  place.next = shares_[to];
  if (place.next >= 0) devices_[static_cast<std::size_t>(place.next)].previous = device;
  shares_[to] = device;
  has_share_[to / 64] |= std::uint64_t{1} << (to % 64);
}

std::int32_t NodeIndex::NextShare(std::int32_t from) const {
  if (from >= kUnits) return kUnits;
  auto word = static_cast<std::size_t>(from) / 64;
  std::uint64_t bits = has_share_[word] & (~std::uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word == has_share_.size()) return kUnits;
    bits = has_share_[word];
  }
  return static_cast<std::int32_t>(word * 64) + std::countr_zero(bits);
}

/// `leaf` tells whether a summary may hold what is looked for; at level 0, whether the node does.
template <class Leaf>
int NodeIndex::Descend(std::size_t level, std::size_t at, const Leaf& leaf) const {
  if (!leaf(level, at)) return -1;
  if (level == 0) return static_cast<int>(at);
  const std::size_t first = at * kFan;
  const std::size_t end = std::min(first + kFan, levels_[level - 1].size());
  for (std::size_t child = first; child < end; ++child)
    if (const int found = Descend(level - 1, child, leaf); found >= 0) return found;
  return -1;
}

int NodeIndex::First(const Demand& demand, Reach reach, int used_below, std::span<const int> but) const {
  if (nodes_.empty()) return -1;
  return Descend(levels_.size() - 1, 0, [&](std::size_t level, std::size_t at) {
    const Summary& summary = levels_[level][at];
    if (summary.used >= used_below || !summary.MayFit(demand, reach)) return false;
    if (level != 0) return true;
    return std::find(but.begin(), but.end(), static_cast<int>(at)) == but.end() &&
           nodes_[at].Fits(demand, Rank(), reach);
  });
}

int NodeIndex::Least(const Demand& demand, Reach reach, std::int32_t Summary::*key) const {
  // Depth first, the least child first, for which it seldom turns back.
  struct Search {
    const NodeIndex& index;
    const Demand& demand;
    Reach reach;
    std::int32_t Summary::*key;
    int best = -1;
    std::int32_t least = std::numeric_limits<std::int32_t>::max();

    void Visit(std::size_t level, std::size_t at) {
      const Summary& summary = index.levels_[level][at];
      if (summary.*key >= least || !summary.MayFit(demand, reach)) return;
      if (level == 0) {
        if (!index.nodes_[at].Fits(demand, Rank(), reach)) return;
        best = static_cast<int>(at);
        least = summary.*key;
        return;
      }
      const std::size_t first = at * kFan;
      const std::size_t count = std::min<std::size_t>(kFan, index.levels_[level - 1].size() - first);
      std::array<std::size_t, kFan> order;
      for (std::size_t i = 0; i < count; ++i) order[i] = first + i;
      std::stable_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                       [&](std::size_t a, std::size_t b) {
                         return index.levels_[level - 1][a].*key < index.levels_[level - 1][b].*key;
                       });
      for (std::size_t i = 0; i < count; ++i) Visit(level - 1, order[i]);
    }
  };
  if (nodes_.empty()) return -1;
  Search search{*this, demand, reach, key};
  search.Visit(levels_.size() - 1, 0);
  return search.best;
}

int NodeIndex::LeastUsed(const Demand& demand, Reach reach) const { return Least(demand, reach, &Summary::used); }
int NodeIndex::FewestLeases(const Demand& demand, Reach reach) const { return Least(demand, reach, &Summary::leases); }

int NodeIndex::BestShare(const Demand& demand, Reach reach) const {
  int tries = kTries;
  for (auto free = NextShare(static_cast<std::int32_t>(demand.gpus)); free < kUnits; free = NextShare(free + 1))
    for (int device = shares_[static_cast<std::size_t>(free)]; device >= 0;
         device = devices_[static_cast<std::size_t>(device)].next) {
      const int node = node_of_device_[static_cast<std::size_t>(device)];
      if (nodes_[static_cast<std::size_t>(node)].Fits(demand, Rank(), reach)) return node;
      if (--tries == 0) return First(demand, reach, std::numeric_limits<int>::max());
    }
  return FewestWhole(demand, reach);
}

int NodeIndex::FewestWhole(const Demand& demand, Reach reach) const {
  int tries = kTries;
  for (auto count = static_cast<std::size_t>(std::max(1, demand.WholeDevices())); count < whole_.size(); ++count)
    for (int node = whole_[count]; node >= 0; node = places_[static_cast<std::size_t>(node)].next) {
      if (nodes_[static_cast<std::size_t>(node)].Fits(demand, Rank(), reach)) return node;
      if (--tries == 0) return First(demand, reach, std::numeric_limits<int>::max());
    }
  return -1;
}

}  // namespace manta::scheduling
