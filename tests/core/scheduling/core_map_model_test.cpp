// CoreMap against a model that anyone can check: random leases on random machines.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/core/scheduling/core_nodes.hpp"

namespace manta::scheduling {
namespace {

struct Out {
  Amount cpus;
  std::vector<std::int32_t> cores;
};

/// What is leased of each core, and what that says of the next lease.
class Model {
 public:
  Model(const NodeSpec& node, std::map<int, int> ceded) : node_(node), ceded_(std::move(ceded)) {}

  void Add(const Out& lease, int sign) {
    std::int64_t left = lease.cpus.units();
    for (const std::int32_t core : lease.cores) {
      const std::int64_t part = std::min(left, Amount::kUnitsPerOne);
      leased_[core] += sign * part;
      left -= part;
    }
    EXPECT_EQ(left, 0);
  }
  std::int64_t LeasedOf(int core) const { return leased_.contains(core) ? leased_.at(core) : 0; }
  int CoresInUse(Rank rank) const {
    return static_cast<int>(std::count_if(node_.cores.begin(), node_.cores.end(), [&](const CoreSpec& core) {
      return core.rank == rank && LeasedOf(core.index) > 0;
    }));
  }
  int Ceded(Rank rank) const { return ceded_.at(rank.value); }

  /// How many cores of a group could be leased whole now.
  int FreeOf(const std::function<bool(const CoreSpec&)>& in_group) const {
    int sum = 0;
    for (const Rank rank : node_.ranks) {
      int free = 0;
      for (const CoreSpec& core : node_.cores)
        free += core.rank == rank && in_group(core) && LeasedOf(core.index) == 0;
      sum += std::min(free, std::max(0, Ceded(rank) - CoresInUse(rank)));
    }
    return sum;
  }
  bool ACoreHasRoomFor(Amount rest) const {
    return std::any_of(node_.cores.begin(), node_.cores.end(), [&](const CoreSpec& core) {
      const std::int64_t leased = LeasedOf(core.index);
      return leased > 0 && leased + rest.units() <= Amount::kUnitsPerOne;
    });
  }
  bool CouldGive(Amount cpus) const {
    const auto whole = static_cast<int>(WholePart(cpus).value());
    const Amount rest = cpus - WholePart(cpus);
    const int free = FreeOf([](const CoreSpec&) { return true; });
    if (rest.IsZero()) return free >= whole;
    return free >= whole + 1 || (free >= whole && ACoreHasRoomFor(rest));
  }

 private:
  const NodeSpec& node_;
  std::map<int, int> ceded_;
  std::map<int, std::int64_t> leased_;
};

using Kind = int CoreSpec::*;
constexpr std::array<Kind, 5> kKinds{&CoreSpec::physical, &CoreSpec::l2, &CoreSpec::l3, &CoreSpec::numa,
                                     &CoreSpec::package};

/// Whole CPUs without devices lie in the smallest kind of group that had enough, in one that had least to spare; of
/// equal ones, in that whose larger groups had least.
void ExpectBestGroup(const NodeSpec& node, const Model& before, const Out& lease) {
  const auto count = static_cast<int>(lease.cores.size());
  const auto free_beside = [&](const CoreSpec& core, Kind kind) {
    return before.FreeOf([&](const CoreSpec& other) { return other.*kind == core.*kind; });
  };
  for (std::size_t at = 0; at < kKinds.size(); ++at) {
    const Kind kind = kKinds[at];
    std::set<std::vector<int>> could;
    std::vector<int> did;
    std::set<int> groups;
    for (const CoreSpec& core : node.cores) {
      if (core.*kind < 0 || free_beside(core, kind) < count) continue;
      std::vector<int> free;
      for (std::size_t above = at; above < kKinds.size(); ++above)
        if (core.*kKinds[above] >= 0) free.push_back(free_beside(core, kKinds[above]));
      could.insert(free);
    }
    if (could.empty()) continue;
    for (const CoreSpec& core : node.cores) {
      if (std::find(lease.cores.begin(), lease.cores.end(), core.index) == lease.cores.end()) continue;
      groups.insert(core.*kind);
      did.clear();
      for (std::size_t above = at; above < kKinds.size(); ++above)
        if (core.*kKinds[above] >= 0) did.push_back(free_beside(core, kKinds[above]));
    }
    ASSERT_EQ(groups.size(), 1u) << "not in one group";
    EXPECT_EQ(did, *could.begin()) << "a group with less to spare was there";
    return;
  }
}

void RunOne(unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
  const std::vector<std::string> machines{
      "pack:2 [numa] l3:2 l2:2 core:2 pu:1", "pack:2 [numa] l3:3 core:3 pu:2", "pack:1 [numa] core:5 pu:1",
      "pack:2 [numa] group:2 [numa] l3:2 core:2 pu:2", "core:3 pu:1"};
  auto machine = topology::DetectTopology({.synthetic = machines[static_cast<std::size_t>(below(5))]});
  if (below(3) == 0) machine = topology::ThreadsAsCores(machine);
  // One rank where the best group is checked: ranks of their own have preferences of their own.
  const int ranks = 1 + below(2) * below(3);
  const NodeSpec node = MakeNodeOf(machine, ranks);
  std::map<int, int> ceded;
  for (const Rank rank : node.ranks) ceded[rank.value] = below(2) == 0 ? 1000 : below(5);
  const auto ceded_by = [&](Rank rank) { return Amount::Whole(ceded.at(rank.value)); };
  CoreMap map(node), twin(node);
  Model model(node, ceded);
  std::vector<Out> out;

  for (int step = 0; step < 60; ++step) {
    if (!out.empty() && below(5) < 2) {
      const auto gone = out.begin() + below(static_cast<int>(out.size()));
      map.PutBack(gone->cpus, gone->cores);
      twin.PutBack(gone->cpus, gone->cores);
      model.Add(*gone, -1);
      out.erase(gone);
      continue;
    }
    const int tenths = below(2) == 0 ? 10 * (1 + below(6)) : 1 + below(35);
    const Rank rank = node.ranks[static_cast<std::size_t>(below(ranks))];
    Out lease{Amount::FromDouble(tenths / 10.0), {}};
    lease.cores = map.Take(lease.cpus, rank, {}, ceded_by);
    ASSERT_EQ(lease.cores, twin.Take(lease.cpus, rank, {}, ceded_by)) << "not the same again";
    ASSERT_EQ(!lease.cores.empty(), model.CouldGive(lease.cpus)) << lease.cpus << " CPUs, step " << step;
    if (lease.cores.empty()) continue;
    ASSERT_EQ(std::set(lease.cores.begin(), lease.cores.end()).size(), lease.cores.size());
    ASSERT_EQ(static_cast<std::int64_t>(lease.cores.size()), lease.cpus.RoundedUp());
    const std::int64_t rest = (lease.cpus - WholePart(lease.cpus)).units();
    const bool shares = lease.cpus < Amount::Whole(1) && model.ACoreHasRoomFor(lease.cpus);
    EXPECT_TRUE(!shares || model.LeasedOf(lease.cores[0]) > 0) << "a core was begun though another had room";
    if (ranks == 1 && rest == 0) ExpectBestGroup(node, model, lease);
    model.Add(lease, 1);
    for (const CoreSpec& core : node.cores) ASSERT_LE(model.LeasedOf(core.index), Amount::kUnitsPerOne);
    for (const Rank one : node.ranks) ASSERT_LE(model.CoresInUse(one), model.Ceded(one));
    out.push_back(lease);
  }

  // Nothing is left behind: with all put back it gives what a new one gives.
  for (const Out& lease : out) map.PutBack(lease.cpus, lease.cores);
  CoreMap fresh(node);
  for (const double cpus : {0.1, 2.0, 0.9, 1.5, 1.0})
    EXPECT_EQ(map.Take(Amount::FromDouble(cpus), Rank(0), {}, AllCeded),
              fresh.Take(Amount::FromDouble(cpus), Rank(0), {}, AllCeded));
}

TEST(CoreMapModel, AgreesOverRandomLeases) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RunOne(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace manta::scheduling
