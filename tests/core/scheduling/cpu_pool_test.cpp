#include "core/scheduling/cpu_pool.hpp"

#include <gtest/gtest.h>

#include "core/scheduling/node_spec.hpp"

namespace manta::scheduling {
namespace {

constexpr Amount kOne = Amount::Whole(1);

std::map<Rank, Amount> Slots(std::initializer_list<double> slots) {
  std::map<Rank, Amount> result;
  for (const double one : slots) result[Rank(static_cast<int>(result.size()))] = Amount::FromDouble(one);
  return result;
}

struct Balanced {
  std::vector<Cede> cedes;
  std::vector<Give> gives;
};

Balanced Balance(CpuPool& pool, double reserved) {
  Balanced result;
  pool.Balance(Amount::FromDouble(reserved), result.cedes, result.gives);
  return result;
}

TEST(CpuPool, AsksForWholeCpusWhereMostAre) {
  CpuPool pool(Slots({1, 4, 2}));

  const Balanced first = Balance(pool, 0.5);

  ASSERT_EQ(first.cedes.size(), 1u);
  EXPECT_EQ(first.cedes[0].rank, Rank(1));
  EXPECT_EQ(first.cedes[0].cpus, kOne);
}

TEST(CpuPool, CountsWhatItAskedForAndNeverAsksTwice) {
  CpuPool pool(Slots({2, 2}));

  EXPECT_EQ(Balance(pool, 2).cedes.size(), 2u);
  EXPECT_TRUE(Balance(pool, 2).cedes.empty());
  const Balanced more = Balance(pool, 3);
  const Balanced beyond = Balance(pool, 9);

  ASSERT_EQ(more.cedes.size(), 1u);
  EXPECT_EQ(more.cedes[0].cpus, kOne);
  ASSERT_EQ(beyond.cedes.size(), 1u);
  EXPECT_EQ(beyond.cedes[0].cpus, kOne);
}

TEST(CpuPool, AsksOthersWhenARankIsBusy) {
  CpuPool pool(Slots({1, 1, 1}));
  EXPECT_EQ(Balance(pool, 1).cedes.at(0).rank, Rank(0));

  pool.Ceded(Rank(0), Amount());
  EXPECT_EQ(pool.Prompt(), Amount::Whole(2));
  EXPECT_EQ(Balance(pool, 1).cedes.at(0).rank, Rank(1));
  pool.Ceded(Rank(1), Amount());
  EXPECT_EQ(Balance(pool, 1).cedes.at(0).rank, Rank(2));
  pool.Ceded(Rank(2), Amount());

  EXPECT_TRUE(Balance(pool, 1).cedes.empty());
  EXPECT_EQ(pool.Prompt(), Amount());
}

TEST(CpuPool, AsksABusyRankForTheRestWhenAllIsNeeded) {
  CpuPool pool(Slots({3}));
  Balance(pool, 1);
  pool.Ceded(Rank(0), Amount());

  const Balanced rest = Balance(pool, 3);

  ASSERT_EQ(rest.cedes.size(), 1u);
  EXPECT_EQ(rest.cedes[0].cpus, Amount::Whole(2));
}

TEST(CpuPool, TakesARankForPromptAgainOnceItCededAll) {
  CpuPool pool(Slots({3}));
  Balance(pool, 2);
  pool.Ceded(Rank(0), kOne);
  EXPECT_EQ(pool.Prompt(), Amount());

  pool.Ceded(Rank(0), kOne);

  EXPECT_EQ(pool.Prompt(), kOne);
  EXPECT_EQ(pool.free(), Amount::Whole(2));
  EXPECT_EQ(pool.in_slots(), kOne);
}

TEST(CpuPool, GivesWholeCpusBackToThoseWhoMissThem) {
  CpuPool pool(Slots({2, 2}));
  Balance(pool, 3);
  pool.Ceded(Rank(0), Amount::Whole(2));
  pool.Ceded(Rank(1), kOne);
  pool.Take(Amount::FromDouble(0.5));

  const Balanced result = Balance(pool, 0);

  ASSERT_EQ(result.gives.size(), 1u);
  EXPECT_EQ(result.gives[0].rank, Rank(0));
  EXPECT_EQ(result.gives[0].cpus, Amount::Whole(2));
  EXPECT_EQ(pool.free(), Amount::FromDouble(0.5));
}

TEST(CpuPool, GivesFirstToRanksThatOweNothing) {
  CpuPool pool(Slots({2, 1}));
  Balance(pool, 3);
  pool.Ceded(Rank(0), kOne);
  pool.Ceded(Rank(1), kOne);

  const Balanced result = Balance(pool, 1);

  ASSERT_EQ(result.gives.size(), 1u);
  EXPECT_EQ(result.gives[0].rank, Rank(1));
}

TEST(CpuPool, AsksForWhatItIsBelowZero) {
  CpuPool pool(Slots({1, 1}));

  pool.Take(kOne);
  const Balanced debt = Balance(pool, 0);

  EXPECT_EQ(pool.free(), Amount() - kOne);
  ASSERT_EQ(debt.cedes.size(), 1u);
  pool.Ceded(Rank(0), kOne);
  EXPECT_EQ(pool.free(), Amount());
  pool.PutBack(kOne);
  EXPECT_EQ(Balance(pool, 0).gives.at(0).rank, Rank(0));
}

TEST(CpuPool, LeavesPartsOfCpusWithTheirRank) {
  CpuPool pool(Slots({1.5, 0.75}));

  const Balanced result = Balance(pool, 5);

  ASSERT_EQ(result.cedes.size(), 1u);
  EXPECT_EQ(result.cedes[0].cpus, kOne);
  EXPECT_EQ(pool.total(), kOne);
  EXPECT_EQ(pool.AllSlots(), Amount::FromDouble(2.25));
}

TEST(CpuPool, GathersABillionDeclaredCpusInFewSteps) {
  CpuPool pool(Slots({5e8, 5e8}));

  const Balanced asked = Balance(pool, 1e9);
  for (const Cede& cede : asked.cedes) pool.Ceded(cede.rank, cede.cpus);
  const Balanced back = Balance(pool, 0);

  EXPECT_EQ(asked.cedes.size(), 2u);
  EXPECT_EQ(back.gives.size(), 2u);
  EXPECT_EQ(pool.in_slots(), pool.total());
}

TEST(CpuPoolDeathTest, RefusesMoreThanItAskedFor) {
  CpuPool pool(Slots({2}));
  Balance(pool, 1);

  EXPECT_DEATH(pool.Ceded(Rank(0), Amount::Whole(2)), "asked");
}

}  // namespace
}  // namespace manta::scheduling
