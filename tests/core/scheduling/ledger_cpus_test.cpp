#include <gtest/gtest.h>

#include <vector>

#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {
namespace {

TEST(LedgerCpus, AreAskedForGrantedAndGivenBack) {
  LedgerDriver job({MakeNode(0, 0, 2, 2)});
  job.Request(MakeShape(3));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].lease.cpus, 30'000);
  EXPECT_EQ(job.AllFree(), Amount::Whole(1));
  job.ledger.Return(grants[0].lease.id);
  EXPECT_TRUE(job.Settle().empty());
  EXPECT_EQ(job.FreeOf(Rank(0)), Amount::Whole(2));
  EXPECT_EQ(job.FreeOf(Rank(1)), Amount::Whole(2));
}

TEST(LedgerCpus, TwoHalvesShareOneCpu) {
  LedgerDriver job({MakeNode(0, 0, 1, 4)});
  job.Request(MakeShape(0.5));
  job.Request(MakeShape(0.5));

  EXPECT_EQ(job.Settle().size(), 2u);

  EXPECT_EQ(job.asked, Amount::Whole(1));
  EXPECT_EQ(job.AllFree(), Amount::Whole(3));
}

TEST(LedgerCpus, AreAskedForAtOnceForAllThatWait) {
  LedgerDriver job({MakeNode(0, 0, 1, 8, 8)});
  for (int i = 0; i < 20; ++i) job.Request(MakeShape(1, 0.25));

  const Ledger::Actions first = job.ledger.Decide();

  ASSERT_EQ(first.cedes.size(), 1u);
  EXPECT_EQ(first.cedes[0].cpus, Amount::Whole(8));
}

TEST(LedgerCpus, AreNotAskedForBeyondTheDevicesThatAreFree) {
  LedgerDriver job({MakeNode(0, 0, 1, 8, 1)});
  for (int i = 0; i < 20; ++i) job.Request(MakeShape(1, 0.5));

  const Ledger::Actions first = job.ledger.Decide();

  ASSERT_EQ(first.cedes.size(), 1u);
  EXPECT_EQ(first.cedes[0].cpus, Amount::Whole(2));
}

TEST(LedgerCpus, AnIdleRankIsFoundWhenOthersAreBusy) {
  LedgerDriver job({MakeNode(0, 0, 4, 1)});
  for (const int rank : {0, 1, 2}) job.Start(Rank(rank), 1);

  job.Request(MakeShape(0.5));

  EXPECT_EQ(job.Settle().size(), 1u);
  EXPECT_EQ(job.FreeOf(Rank(3)), Amount());
}

TEST(LedgerCpus, AnIdleNodeIsFoundWhenOthersAreBusy) {
  LedgerDriver job({MakeNode(0, 0, 2, 1), MakeNode(1, 2, 2, 1), MakeNode(2, 4, 2, 1)});
  for (const int rank : {0, 1, 2}) job.Start(Rank(rank), 1);

  job.Request(MakeShape(2));
  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].lease.rank, Rank(4));
  EXPECT_EQ(job.FreeOf(Rank(3)), Amount::Whole(1));
}

TEST(LedgerCpus, BusyRanksCedeWhenTheirTasksEndAndGetWhatIsTooMuchBack) {
  LedgerDriver job({MakeNode(0, 0, 3, 1)});
  for (const int rank : {0, 1, 2}) job.Start(Rank(rank), 1);
  job.Request(MakeShape(0.5));
  EXPECT_TRUE(job.Settle().empty());
  EXPECT_EQ(job.ledger.WhyWaiting(),
            (std::vector<std::string>{"1 request for 0.5 CPU waits for CPUs of node 0 (gathered: nothing)"}));

  job.Finish(Rank(1), 1);
  EXPECT_EQ(job.Settle().size(), 1u);
  job.Finish(Rank(0), 1);
  job.Finish(Rank(2), 1);
  EXPECT_TRUE(job.Settle().empty());

  EXPECT_EQ(job.AllFree(), Amount::Whole(2));
  EXPECT_EQ(job.given, Amount::Whole(2));
}

TEST(LedgerCpus, AnEightCpuRequestIsNotStarvedByAStreamOfHalves) {
  LedgerDriver job({MakeNode(0, 0, 4, 2)});
  std::vector<Grant> halves;
  for (int i = 0; i < 16; ++i) job.Request(MakeShape(0.5));
  halves = job.Settle();
  ASSERT_EQ(halves.size(), 16u);

  const std::uint64_t large = job.Request(MakeShape(8));
  bool granted = false;
  for (int i = 0; i < 16; ++i) {
    EXPECT_FALSE(granted);
    job.Request(MakeShape(0.5));
    job.ledger.Return(halves[i].lease.id);
    for (const Grant& grant : job.Settle()) granted |= grant.request == large;
  }

  EXPECT_TRUE(granted);
}

TEST(LedgerCpus, AnEightCpuRequestIsNotStarvedOnTwoNodesWithTasksOfTheirOwn) {
  LedgerDriver job({MakeNode(0, 0, 8, 1), MakeNode(1, 8, 8, 1)});
  for (int rank = 0; rank < 16; ++rank) job.Start(Rank(rank), 1);
  const std::uint64_t large = job.Request(MakeShape(8));
  bool granted = false;
  std::vector<bool> runs(16, true);

  // Each rank's task ends in turn, and another starts wherever a CPU was not ceded.
  for (int step = 0; step < 64 && !granted; ++step) {
    const int ends = (step * 5) % 16;
    job.Request(MakeShape(0.5));
    if (runs[ends]) job.Finish(Rank(ends), 1);
    runs[ends] = false;
    for (const Grant& grant : job.Settle()) granted |= grant.request == large;
    for (int rank = 0; rank < 16; ++rank) {
      if (job.FreeOf(Rank(rank)) < Amount::Whole(1)) continue;
      job.Start(Rank(rank), 1);
      runs[rank] = true;
    }
  }

  EXPECT_TRUE(granted);
}

TEST(LedgerCpus, RequestsOfOtherNodesPassOneThatWaits) {
  LedgerDriver job({MakeNode(0, 0, 1, 8), MakeNode(1, 1, 1, 2)});
  job.Start(Rank(0), 1);
  job.Request(MakeShape(8));

  job.Request(MakeShape(0.5));
  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].lease.rank, Rank(1));
}

TEST(LedgerCpus, AWithdrawnRequestLeavesNothingBehind) {
  LedgerDriver job({MakeNode(0, 0, 2, 2)});
  job.Start(Rank(0), 1);
  const std::uint64_t request = job.Request(MakeShape(4));
  EXPECT_TRUE(job.Settle().empty());
  EXPECT_EQ(job.AllFree(), Amount());

  job.ledger.Withdraw(Rank(0), request);
  job.ledger.Withdraw(Rank(0), request);
  EXPECT_TRUE(job.Settle().empty());
  job.Finish(Rank(0), 1);
  EXPECT_TRUE(job.Settle().empty());

  EXPECT_EQ(job.AllFree(), Amount::Whole(4));
  EXPECT_TRUE(job.ledger.WhyWaiting().empty());
}

TEST(LedgerCpus, OfAWaitingTaskServeOthersUntilItGoesOn) {
  LedgerDriver job({MakeNode(0, 0, 1, 2, 1)});
  job.Request(MakeShape(2, 1));
  const Grant first = job.Settle().at(0);
  job.Request(MakeShape(2));
  job.Request(MakeShape(0, 0.5));
  EXPECT_TRUE(job.Settle().empty());

  job.ledger.Suspend(first.lease.id);
  job.ledger.Suspend(first.lease.id);
  const std::vector<Grant> second = job.Settle();

  ASSERT_EQ(second.size(), 1u) << "the GPU stays with the one that waits";
  job.ledger.Resume(first.lease.id);
  job.ledger.Resume(first.lease.id);
  job.Request(MakeShape(0.5));
  EXPECT_TRUE(job.Settle().empty());
  EXPECT_EQ(job.ledger.Available().at("CPU"), 0.0) << "and not below";
  job.ledger.Return(second[0].lease.id);
  EXPECT_EQ(job.Settle().size(), 0u) << "the pool was below zero";
  job.ledger.Return(first.lease.id);
  EXPECT_EQ(job.Settle().size(), 2u);
}

TEST(LedgerCpus, OfAWaitingTaskAreNotReturnedTwice) {
  LedgerDriver job({MakeNode(0, 0, 1, 2, 1)});
  job.Request(MakeShape(2, 1));
  const Grant grant = job.Settle().at(0);
  job.ledger.Suspend(grant.lease.id);
  EXPECT_TRUE(job.Settle().empty());

  job.ledger.Return(grant.lease.id);
  job.ledger.Resume(grant.lease.id);  // late
  EXPECT_TRUE(job.Settle().empty());

  EXPECT_EQ(job.FreeOf(Rank(0)), Amount::Whole(2));
  EXPECT_EQ(job.ledger.Available().at("CPU"), 2.0);
  EXPECT_EQ(job.ledger.Available().at("GPU"), 1.0);
}

}  // namespace
}  // namespace manta::scheduling
