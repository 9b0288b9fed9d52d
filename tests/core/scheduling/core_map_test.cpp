#include "core/scheduling/core_map.hpp"

#include <gtest/gtest.h>

#include "tests/core/scheduling/core_nodes.hpp"

namespace manta::scheduling {
namespace {

using Cores = std::vector<std::int32_t>;
using Devices = std::vector<wire::DeviceShare>;

// Two packages, each with two NUMA nodes of two L3 caches over four cores.
constexpr const char* kLarge = "pack:2 [numa] group:2 [numa] l3:2 core:4 pu:1";
constexpr const char* kTwoL3 = "pack:1 [numa] l3:2 core:4 pu:1";

/// A map whose ranks have ceded all, and short ways to call it.
class Map {
 public:
  explicit Map(const NodeSpec& node, CoreMap::CededBy ceded = AllCeded) : map_(node), ceded_(std::move(ceded)) {}
  Cores Take(double cpus, const Devices& devices = {}, int rank = 0) {
    return map_.Take(Amount::FromDouble(cpus), Rank(rank), devices, ceded_);
  }
  void PutBack(double cpus, const Cores& cores) { map_.PutBack(Amount::FromDouble(cpus), cores); }

 private:
  CoreMap map_;
  CoreMap::CededBy ceded_;
};
const Devices kFirst{{0, Amount::kUnitsPerOne}}, kSecond{{1, Amount::kUnitsPerOne}};
const Devices kBoth{{0, Amount::kUnitsPerOne}, {1, Amount::kUnitsPerOne}};

TEST(CoreMap, GivesWholeCpusCoresOfOneCacheElseOneNumaNodeElseOnePackage) {
  EXPECT_EQ(Map(MakeNodeOf("pack:2 [numa] l3:2 core:4 pu:1", 1)).Take(4), (Cores{0, 1, 2, 3}));
  EXPECT_EQ(Map(MakeNodeOf("pack:2 [numa] l3:2 core:4 pu:1", 1)).Take(6), (Cores{0, 1, 2, 3, 4, 5}));
  Map map(MakeNodeOf("pack:2 [numa] l3:2 core:4 pu:1", 1));
  map.Take(1);
  EXPECT_EQ(map.Take(4), (Cores{4, 5, 6, 7}));     // the cache of which nobody has any
  EXPECT_EQ(map.Take(5), (Cores{8, 9, 10, 11, 12}));  // three are left of the first package
  EXPECT_EQ(map.Take(6), (Cores{1, 2, 3, 13, 14, 15}));
}

TEST(CoreMap, PrefersTheGroupThatHasLeastToSpare) {
  Map map(MakeNodeOf(kTwoL3, 1));
  const Cores two = map.Take(2);
  EXPECT_EQ(two, (Cores{0, 1}));
  EXPECT_EQ(map.Take(1), (Cores{2}));  // not of the cache that is still whole
  EXPECT_EQ(map.Take(4), (Cores{4, 5, 6, 7}));
  map.PutBack(2, two);
  EXPECT_EQ(map.Take(3), (Cores{0, 1, 3}));
}

TEST(CoreMap, LooksAtLargerGroupsWhereSmallOnesAreAlike) {
  Map map(MakeNodeOf("pack:2 [numa] l3:2 core:2 pu:1", 1));
  EXPECT_EQ(map.Take(2), (Cores{0, 1}));
  EXPECT_EQ(map.Take(2), (Cores{2, 3}));  // the other package stays whole
  EXPECT_EQ(map.Take(4), (Cores{4, 5, 6, 7}));
}

TEST(CoreMap, TakesALargeAmountAsWholeGroupsFirst) {
  Map map(MakeNodeOf("pack:1 [numa] l3:3 core:4 pu:1", 1));
  map.Take(1);
  EXPECT_EQ(map.Take(6), (Cores{1, 2, 4, 5, 6, 7}));  // all of the second, the rest where least is to spare
  EXPECT_EQ(map.Take(4), (Cores{8, 9, 10, 11}));
}

TEST(CoreMap, PutsRestsOntoOneCore) {
  Map map(MakeNodeOf(kTwoL3, 1));
  EXPECT_EQ(map.Take(0.5), (Cores{0}));
  EXPECT_EQ(map.Take(0.5), (Cores{0}));
  EXPECT_EQ(map.Take(0.5), (Cores{1}));
  EXPECT_EQ(map.Take(1), (Cores{2}));
  EXPECT_EQ(map.Take(0.25), (Cores{1}));
  EXPECT_EQ(map.Take(0.3), (Cores{3}));  // 0.25 of core 1 is left
  EXPECT_EQ(map.Take(0.25), (Cores{1}));
}

TEST(CoreMap, GivesTwoAndAHalfCpusThreeCoresOfWhichTheLastIsShared) {
  Map map(MakeNodeOf(kTwoL3, 1));
  EXPECT_EQ(map.Take(2.5), (Cores{0, 1, 2}));
  EXPECT_EQ(map.Take(0.5), (Cores{2}));
  EXPECT_EQ(map.Take(1.5), (Cores{4, 5}));  // one core is left of the first cache
  EXPECT_EQ(map.Take(1.5), (Cores{6, 5}));
}

TEST(CoreMap, TakesCoresNearTheDevicesFirst) {
  const NodeSpec node = MakeNodeOf("pack:2 [numa] l3:2 core:4 pu:1", 1, {"12-15", "0-7"});
  EXPECT_EQ(Map(node).Take(2, kFirst), (Cores{12, 13}));
  EXPECT_EQ(Map(node).Take(0.5, kFirst), (Cores{12}));
  EXPECT_EQ(Map(node).Take(2, kSecond), (Cores{0, 1}));
  EXPECT_EQ(Map(node).Take(8, kBoth), (Cores{0, 1, 2, 3, 4, 5, 6, 7}));
  Map map(node);
  map.Take(3, kFirst);
  EXPECT_EQ(map.Take(2, kFirst), (Cores{8, 9}));  // one is left near it, but two of one cache are better than that
  EXPECT_EQ(map.Take(1, kFirst), (Cores{15}));
  EXPECT_EQ(map.Take(1, kFirst), (Cores{10}));  // then beside those in use
}

TEST(CoreMap, TakesCoresNearDevicesLastForLeasesWithout) {
  Map map(MakeNodeOf("pack:2 [numa] l3:2 core:4 pu:1", 1, {"0-7"}));
  EXPECT_EQ(map.Take(0.5), (Cores{8}));
  EXPECT_EQ(map.Take(3), (Cores{9, 10, 11}));
  EXPECT_EQ(map.Take(4), (Cores{12, 13, 14, 15}));
  EXPECT_EQ(map.Take(0.75), (Cores{0}));
  EXPECT_EQ(map.Take(1, kFirst), (Cores{1}));
}

TEST(CoreMap, KnowsNothingOfDevicesWhosePlaceIsUnknown) {
  const NodeSpec node = MakeNodeOf(kTwoL3, 1, {""});
  EXPECT_TRUE(node.gpus[0].near.empty());
  EXPECT_EQ(Map(node).Take(2, kFirst), (Cores{0, 1}));
  EXPECT_EQ(Map(node).Take(2), (Cores{0, 1}));
}

TEST(CoreMap, PacksThreadsOfACore) {
  const auto machine = topology::ThreadsAsCores(topology::DetectTopology({.synthetic = "[numa] l3:1 core:4 pu:2"}));
  Map map(MakeNodeOf(machine, 1));
  EXPECT_EQ(map.Take(1), (Cores{0}));
  EXPECT_EQ(map.Take(2), (Cores{2, 3}));
  EXPECT_EQ(map.Take(1), (Cores{1}));
  EXPECT_EQ(map.Take(3), (Cores{4, 5, 6}));
}

TEST(CoreMap, UsesOnlyTheCoresOfRanksThatHaveCededThem) {
  std::map<int, int> ceded{{1, 2}};
  Map map(MakeNodeOf(kTwoL3, 2), [&](Rank rank) { return Amount::Whole(ceded[rank.value]); });
  EXPECT_EQ(map.Take(3), Cores{});
  EXPECT_EQ(map.Take(0.5), (Cores{4}));
  EXPECT_EQ(map.Take(1), (Cores{5}));
  EXPECT_EQ(map.Take(1), Cores{});
  EXPECT_EQ(map.Take(0.5), (Cores{4}));
  ceded[0] = 1;
  EXPECT_EQ(map.Take(1), (Cores{0}));
  ceded = {{0, 4}, {1, 4}};
  EXPECT_EQ(map.Take(5), (Cores{1, 2, 3, 6, 7}));
}

TEST(CoreMap, KeepsLeasesWithDevicesNearThemAlsoOnCoresThatWereNotCeded) {
  std::map<int, int> ceded{{1, 2}};
  Map map(MakeNodeOf(kTwoL3, 2, {"0-3", "4-7"}), [&](Rank rank) { return Amount::Whole(ceded[rank.value]); });
  EXPECT_EQ(map.Take(0.5, kSecond, 1), (Cores{4}));
  EXPECT_EQ(map.Take(0.5, kFirst), (Cores{0}));
  EXPECT_EQ(map.Take(1, kFirst), (Cores{1}));
  EXPECT_EQ(map.Take(1), (Cores{5}));
  EXPECT_EQ(map.Take(1), Cores{});
  EXPECT_EQ(map.Take(3, kFirst), Cores{});  // not three near it, and not three that were ceded
}

TEST(CoreMap, PrefersTheCoresOfTheLeasesOwnRank) {
  const NodeSpec node = MakeNodeOf(kTwoL3, 2);
  EXPECT_EQ(Map(node).Take(2, {}, 1), (Cores{4, 5}));
  EXPECT_EQ(Map(node).Take(0.5, {}, 1), (Cores{4}));
  EXPECT_EQ(Map(MakeNodeOf("pack:1 [numa] l3:1 core:8 pu:1", 2)).Take(5, {}, 1), (Cores{0, 4, 5, 6, 7}));
}

TEST(CoreMap, BindsNothingToCoresThatAreNotThere) {
  EXPECT_EQ(Map(MakeNodeOf("core:2 pu:1", 1)).Take(3), Cores{});
  EXPECT_EQ(Map(MakeNodeOf("core:2 pu:1", 1)).Take(0), Cores{});
  EXPECT_EQ(Map(MakeNodeOf("core:2 pu:1", 3)).Take(1), Cores{});  // three ranks share two cores
}

TEST(LeasableCores, LeaveOutRanksWithMoreCpusThanCores) {
  const auto machine = topology::DetectTopology({.synthetic = "core:4 pu:1"});
  topology::NodeLaunch launch;
  launch.allowed = machine.cpus;
  launch.ranks = {{0, machine.cpus}, {1, machine.cpus}};
  const topology::NodeCores node = topology::DecideRankCores(machine, launch);
  const std::map<Rank, Amount> fewer{{Rank(0), Amount::FromDouble(0.5)}, {Rank(1), Amount::Whole(2)}};
  const std::map<Rank, Amount> more{{Rank(0), Amount::FromDouble(2.5)}, {Rank(1), Amount::Whole(1)}};

  EXPECT_EQ(LeasableCores(machine, node, fewer).size(), 4u);
  const auto of_second = LeasableCores(machine, node, more);
  ASSERT_EQ(of_second.size(), 2u);
  EXPECT_EQ(of_second[0].index, 2);
  EXPECT_EQ(of_second[0].rank, Rank(1));
}

TEST(LeasableCores, KeepTheirGroups) {
  const NodeSpec node = MakeNodeOf(kLarge, 2);
  ASSERT_EQ(node.cores.size(), 32u);
  EXPECT_EQ(node.cores[21].rank, Rank(1));
  EXPECT_EQ(node.cores[21].package, 1);
  EXPECT_EQ(node.cores[21].l3, 5);
  EXPECT_EQ(node.cores[21].physical, 21);
}

}  // namespace
}  // namespace manta::scheduling
