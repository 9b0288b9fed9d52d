#include "core/scheduling/core_map.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "core/base/check.hpp"

namespace manta::scheduling {
namespace {

constexpr Amount kOne = Amount::Whole(1);

Amount RestOf(Amount cpus) { return cpus - WholePart(cpus); }
std::int64_t CountOf(Amount cpus) { return cpus.units() / Amount::kUnitsPerOne; }

}  // namespace

CoreMap::CoreMap(const NodeSpec& node) {
  std::map<Rank, std::size_t> rank_at;
  constexpr std::array kKinds{&CoreSpec::physical, &CoreSpec::l2, &CoreSpec::l3, &CoreSpec::numa, &CoreSpec::package};
  for (const CoreSpec& spec : node.cores) {
    MANTA_ASSERT(cores_.empty() || cores_.back().index < spec.index);
    const auto [rank, is_new] = rank_at.try_emplace(spec.rank, ranks_.size());
    if (is_new) ranks_.push_back({spec.rank});
    cores_.push_back({.index = spec.index, .rank = rank->second});
  }
  for (const auto kind : kKinds) {
    std::vector<int> numbers;
    for (const CoreSpec& spec : node.cores) numbers.push_back(spec.*kind);
    AddLevel(numbers);
    if (kind == &CoreSpec::l3) l3_ = levels_.size() - 1;
  }
  AddLevel(std::vector<int>(cores_.size(), 0));
  for (const DeviceSpec& device : node.gpus) {
    std::vector<char> near(cores_.size());
    bool any = false;
    for (Place core = 0; core < cores_.size(); ++core) {
      near[core] = std::find(device.near.begin(), device.near.end(), cores_[core].index) != device.near.end();
      cores_[core].near_a_device |= near[core] != 0;
      any |= near[core] != 0;
    }
    if (any) near_.emplace(device.index, std::move(near));
  }
}

/// A core without a number is in the same group as one level below: alone on the lowest.
void CoreMap::AddLevel(const std::vector<int>& numbers) {
  Level made;
  std::map<int, std::size_t> group_at;
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> cell_at;
  for (Place core = 0; core < cores_.size(); ++core) {
    const std::size_t below = levels_.empty() ? core : levels_.back().group_of[core];
    const int number = numbers[core] >= 0 ? numbers[core] : -1 - static_cast<int>(below);
    const std::size_t group = group_at.try_emplace(number, made.first.size()).first->second;
    if (group == made.first.size()) made.first.push_back(core);
    const std::size_t cell = cell_at.try_emplace({group, cores_[core].rank}, made.group.size()).first->second;
    if (cell == made.group.size()) {
      made.group.push_back(group);
      made.rank.push_back(cores_[core].rank);
    }
    made.group_of.push_back(group);
    made.cell_of.push_back(cell);
  }
  if (levels_.empty() || levels_.back().group_of != made.group_of) levels_.push_back(std::move(made));
}

/// One Take: which cores it may have, and how many more of each rank.
class CoreMap::Search {
 public:
  Search(const CoreMap& map, Rank own, std::vector<char> preferred, const CededBy& ceded)
      : map_(map), own_(own), preferred_(std::move(preferred)), allowed_(map.cores_.size(), 1) {
    for (const RankCores& rank : map.ranks_)
      budget_.push_back(std::max<std::int64_t>(0, CountOf(ceded(rank.rank)) - rank.leased));
  }

  enum class Among { kPreferred, kPreferredCededOrNot, kAll };
  /// The cores of `cpus`, the shared one last; nothing if they aren't there.
  std::optional<std::vector<Place>> Find(Amount cpus, Among among) const {
    Search narrowed = *this;
    if (among != Among::kAll) narrowed.allowed_ = preferred_;
    if (among == Among::kPreferredCededOrNot)
      std::fill(narrowed.budget_.begin(), narrowed.budget_.end(), static_cast<std::int64_t>(allowed_.size()));
    return narrowed.Find(cpus);
  }

 private:
  /// What a group has: to be taken, and of that near the devices and of the lease's own rank.
  struct Count {
    std::int64_t cores = 0, preferred = 0, own = 0;
  };

  std::optional<std::vector<Place>> Find(Amount cpus) const {
    const std::int64_t whole = CountOf(WholePart(cpus));
    const Amount rest = RestOf(cpus);
    if (rest.IsZero()) return Pick(whole);
    if (whole == 0) {
      if (const auto shared = BestShared(rest, std::nullopt)) return std::vector{*shared};
      return Pick(1);
    }
    if (auto cores = Pick(whole + 1)) {
      const auto beside = BestShared(rest, map_.levels_[map_.l3_].group_of[cores->front()]);
      if (beside) cores->back() = *beside;
      return cores;
    }
    auto cores = Pick(whole);
    const auto shared = BestShared(rest, std::nullopt);
    if (!cores || !shared) return std::nullopt;
    cores->push_back(*shared);
    return cores;
  }

  /// The core in use by shares that is left with least when `rest` is taken of it.
  std::optional<Place> BestShared(Amount rest, std::optional<std::size_t> l3_group) const {
    std::optional<Place> best;
    const auto cost = [&](Place core) {
      const Core& one = map_.cores_[core];
      return std::tuple(Amount() - one.leased, preferred_[core] == 0, map_.ranks_[one.rank].rank != own_);
    };
    for (Place core = 0; core < map_.cores_.size(); ++core) {
      const Amount leased = map_.cores_[core].leased;
      if (allowed_[core] == 0 || leased.IsZero() || leased + rest > kOne) continue;
      if (l3_group && map_.levels_[map_.l3_].group_of[core] != *l3_group) continue;
      if (!best || cost(core) < cost(*best)) best = core;
    }
    return best;
  }

  bool IsFree(Place core) const { return allowed_[core] != 0 && map_.cores_[core].leased.IsZero(); }

  std::vector<Count> CountGroups(std::size_t at) const {
    const Level& level = map_.levels_[at];
    std::vector<Count> cells(level.group.size());
    for (Place core = 0; core < allowed_.size(); ++core) {
      if (!IsFree(core)) continue;
      Count& cell = cells[level.cell_of[core]];
      ++cell.cores;
      cell.preferred += preferred_[core] != 0;
    }
    std::vector<Count> groups(level.first.size());
    for (std::size_t cell = 0; cell < cells.size(); ++cell) {
      const std::int64_t budget = budget_[level.rank[cell]];
      const std::int64_t cores = std::min(cells[cell].cores, budget);
      Count& group = groups[level.group[cell]];
      group.cores += cores;
      group.preferred += std::min(cells[cell].preferred, budget);
      if (map_.ranks_[level.rank[cell]].rank == own_) group.own += cores;
    }
    return groups;
  }

  /// `count` cores of a group, all of it that is free or some.
  void TakeFrom(std::size_t level, std::size_t group, std::int64_t count, std::vector<Place>& taken) {
    for (int turn = 0; turn < 4; ++turn) {
      for (Place core = 0; core < allowed_.size() && count > 0; ++core) {
        const std::size_t rank = map_.cores_[core].rank;
        const int its_turn = 2 * (preferred_[core] == 0) + (map_.ranks_[rank].rank != own_);
        if (its_turn != turn || !IsFree(core) || budget_[rank] == 0) continue;
        if (map_.levels_[level].group_of[core] != group) continue;
        allowed_[core] = 0;
        --budget_[rank];
        --count;
        taken.push_back(core);
      }
    }
  }

  struct Group {
    std::size_t level, group;
  };
  std::optional<Group> SmallestThatHas(std::int64_t count) const {
    std::vector<std::vector<Count>> counts;
    for (std::size_t level = 0; level < map_.levels_.size(); ++level) counts.push_back(CountGroups(level));
    for (std::size_t level = 0; level < counts.size(); ++level) {
      std::optional<Group> best;
      // Of two groups with as much to spare, the one in a larger group with less to spare.
      const auto is_better = [&](std::size_t group) {
        const Count &has = counts[level][group], &other = counts[level][best->group];
        const auto wanted = [&](const Count& one) {
          return std::pair(std::min(count, one.preferred), std::min(count, one.own));
        };
        if (wanted(has) != wanted(other)) return wanted(has) > wanted(other);
        const Place first = map_.levels_[level].first[group], first_of_best = map_.levels_[level].first[best->group];
        for (std::size_t above = level; above < counts.size(); ++above) {
          const std::vector<std::size_t>& group_of = map_.levels_[above].group_of;
          const std::int64_t cores = counts[above][group_of[first]].cores;
          const std::int64_t cores_of_best = counts[above][group_of[first_of_best]].cores;
          if (cores != cores_of_best) return cores < cores_of_best;
        }
        return false;
      };
      for (std::size_t group = 0; group < counts[level].size(); ++group)
        if (counts[level][group].cores >= count && (!best || is_better(group))) best = Group{level, group};
      if (best) return best;
    }
    return std::nullopt;
  }

  std::optional<std::vector<Place>> Pick(std::int64_t count) const {
    std::vector<Place> taken;
    for (Search left = *this; count > 0;) {
      const auto group = left.SmallestThatHas(count);
      if (!group) return std::nullopt;  // at the first try, if ever: then it only narrows down
      for (Place core = 0; core < allowed_.size(); ++core)
        if (map_.levels_[group->level].group_of[core] != group->group) left.allowed_[core] = 0;
      // None of its parts has enough: the largest goes whole, unless all are alike.
      const std::size_t part_level = group->level == 0 ? 0 : group->level - 1;
      const std::vector<Count> parts = left.CountGroups(part_level);
      const auto size = [](const Count& part) { return std::tuple(part.cores, part.preferred, part.own); };
      const auto largest = std::max_element(parts.begin(), parts.end(),
                                            [&](const Count& a, const Count& b) { return size(a) < size(b); });
      if (group->level == 0 || largest->cores == 1) {
        left.TakeFrom(group->level, group->group, count, taken);
        break;
      }
      count -= largest->cores;
      left.TakeFrom(part_level, static_cast<std::size_t>(largest - parts.begin()), largest->cores, taken);
    }
    std::sort(taken.begin(), taken.end());
    return taken;
  }

  const CoreMap& map_;
  Rank own_;
  std::vector<char> preferred_, allowed_;
  std::vector<std::int64_t> budget_;
};

std::vector<std::int32_t> CoreMap::Take(Amount cpus, Rank rank, const std::vector<wire::DeviceShare>& devices,
                                        const CededBy& ceded) {
  MANTA_ASSERT(cpus >= Amount());
  if (cpus.IsZero() || cpus.RoundedUp() > static_cast<std::int64_t>(cores_.size())) return {};
  std::vector<char> preferred(cores_.size());
  for (const wire::DeviceShare& share : devices)
    if (const auto near = near_.find(share.device); near != near_.end())
      for (Place core = 0; core < cores_.size(); ++core) preferred[core] |= near->second[core];
  if (devices.empty())
    for (Place core = 0; core < cores_.size(); ++core) preferred[core] = !cores_[core].near_a_device;

  const Search search(*this, rank, std::move(preferred), ceded);
  auto found = search.Find(cpus, Search::Among::kPreferred);
  if (!found && !devices.empty()) found = search.Find(cpus, Search::Among::kPreferredCededOrNot);
  if (!found) found = search.Find(cpus, Search::Among::kAll);
  std::vector<std::int32_t> taken;
  if (!found) return taken;
  for (const Place core : *found) taken.push_back(cores_[core].index);
  Add(taken, cpus, 1);
  return taken;
}

void CoreMap::PutBack(Amount cpus, const std::vector<std::int32_t>& cores) { Add(cores, cpus, -1); }

void CoreMap::Add(const std::vector<std::int32_t>& cores, Amount cpus, int sign) {
  if (cores.empty()) return;
  MANTA_ASSERT(cpus.RoundedUp() == static_cast<std::int64_t>(cores.size()));
  for (std::size_t i = 0; i < cores.size(); ++i) {
    const auto core = std::lower_bound(cores_.begin(), cores_.end(), cores[i],
                                       [](const Core& one, std::int32_t index) { return one.index < index; });
    MANTA_ASSERT(core != cores_.end() && core->index == cores[i]);
    const bool is_rest = i + 1 == cores.size() && !cpus.IsWhole();
    const bool was_free = core->leased.IsZero();
    core->leased += Amount::FromUnits(sign * (is_rest ? RestOf(cpus) : kOne).units());
    MANTA_ASSERT(core->leased >= Amount() && core->leased <= kOne);
    ranks_[core->rank].leased += was_free - core->leased.IsZero();
  }
}

}  // namespace manta::scheduling
