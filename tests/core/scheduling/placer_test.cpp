#include "core/scheduling/placer.hpp"

#include <gtest/gtest.h>

#include <ostream>

#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {

bool operator==(const Placement& a, const Placement& b) {
  return a.owner == b.owner && a.bound == b.bound && a.to == b.to && a.count == b.count;
}
std::ostream& operator<<(std::ostream& out, const Placement& one) {
  return out << one.count << " of " << one.owner << " for " << one.bound << " to " << one.to;
}

namespace {

using Placements = std::vector<Placement>;
constexpr Rank kAny;

/// Ranks with a CPU each, all on one node.
Placer MakePlacer(int ranks, double cpus = 1) { return Placer({MakeNode(0, 0, ranks, cpus)}); }

TEST(Placer, PlacesOneTaskForEachCpuAtFirst) {
  Placer placer = MakePlacer(2, 2);
  placer.Request(Rank(1), kAny, 10);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(1), kAny, Rank(0), 2}, {Rank(1), kAny, Rank(1), 2}}));
  EXPECT_EQ(placer.waiting(), 6u);
}

TEST(Placer, PlacesWhereTheFewestAreForTheirCpus) {
  Placer placer({MakeNode(0, 0, 1, 1), MakeNode(1, 1, 1, 2)});
  placer.Offer(Rank(0), 1, 8);
  placer.Offer(Rank(1), 2, 8);
  placer.Request(Rank(0), kAny, 6);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 1},
                                                    {Rank(0), kAny, Rank(1), 2},
                                                    {Rank(0), kAny, Rank(0), 1},
                                                    {Rank(0), kAny, Rank(1), 2}}));
}

TEST(Placer, PlacesTheNextWhenOneHasEnded) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(0), kAny, 3);
  placer.Decide();
  EXPECT_TRUE(placer.Decide().placements.empty());

  placer.Ended(Rank(1), Rank(0), 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(1), 1}}));
}

TEST(Placer, ServesOwnersInTheOrderInWhichTheyAsked) {
  Placer placer = MakePlacer(1);
  placer.Offer(Rank(0), 1, 4);
  placer.Request(Rank(0), kAny, 2);
  placer.Request(Rank(0), kAny, 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 3}}));
}

TEST(Placer, ServesTheOldestOfAllQueuesFirst) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(1), Rank(0), 1);
  placer.Request(Rank(0), kAny, 1);
  placer.Request(Rank(0), Rank(1), 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(1), Rank(0), Rank(0), 1}, {Rank(0), kAny, Rank(1), 1}}));
  placer.Ended(Rank(1), Rank(0), 1);
  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), Rank(1), Rank(1), 1}}));
}

TEST(Placer, LetsTasksPassOneThatIsBoundToAFullRank) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(0), Rank(1), 2);
  placer.Request(Rank(0), kAny, 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), Rank(1), Rank(1), 1}, {Rank(0), kAny, Rank(0), 1}}));
}

TEST(Placer, GivesARankWithoutCpusNothing) {
  Placer placer = MakePlacer(2);
  placer.Offer(Rank(1), 0, 0);
  placer.Request(Rank(0), Rank(1), 1);
  placer.Request(Rank(0), kAny, 2);
  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 1}}));

  placer.Offer(Rank(1), 1, 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), Rank(1), Rank(1), 1}}));
}

TEST(Placer, PlacesNothingWhereAWindowShrankBelowWhatIsThere) {
  Placer placer = MakePlacer(1);
  placer.Offer(Rank(0), 1, 8);
  placer.Request(Rank(0), kAny, 10);
  placer.Decide();
  placer.Offer(Rank(0), 1, 2);
  placer.Ended(Rank(0), Rank(0), 6);
  EXPECT_TRUE(placer.Decide().placements.empty());

  placer.Ended(Rank(0), Rank(0), 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 1}}));
}

/// Two ranks that take many tasks each; all four tasks are at rank 0, and rank 1 has nothing to do.
Placer MakeUneven() {
  Placer placer = MakePlacer(2);
  placer.Offer(Rank(0), 1, 8);
  placer.Offer(Rank(1), 1, 8);
  placer.Request(Rank(0), kAny, 8);
  placer.Decide();
  placer.Ended(Rank(1), Rank(0), 4);
  return placer;
}

TEST(Placer, AsksForTasksThatLieBehindOthersWhenARankIsIdle) {
  Placer placer = MakeUneven();

  EXPECT_EQ(placer.Decide().recalls, std::vector{Rank(0)});
  EXPECT_TRUE(placer.Decide().recalls.empty()) << "asked once";

  placer.Ended(Rank(0), Rank(0), 2);
  placer.Recalled(Rank(0), true);
  placer.Request(Rank(0), kAny, 2);
  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(1), 2}}));
}

TEST(Placer, AsksForThemWhenOneOfSeveralCpusIsIdle) {
  Placer placer({MakeNode(0, 0, 1, 1), MakeNode(1, 1, 1, 2)});
  placer.Offer(Rank(0), 1, 8);
  placer.Offer(Rank(1), 2, 8);
  placer.Request(Rank(0), kAny, 6);  // two and four
  placer.Decide();
  placer.Ended(Rank(1), Rank(0), 2);
  EXPECT_TRUE(placer.Decide().recalls.empty()) << "a task for each CPU is left";

  placer.Ended(Rank(1), Rank(0), 1);

  EXPECT_EQ(placer.Decide().recalls, std::vector{Rank(0)});
}

TEST(Placer, CountsATaskThatGoesOnAfterAWait) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(0), kAny, 2);
  placer.Decide();
  placer.Ended(Rank(0), Rank(0), 1);

  placer.Ended(Rank(0), Rank(0), -1);
  placer.Request(Rank(0), kAny, 1);
  EXPECT_TRUE(placer.Decide().placements.empty());
  placer.Ended(Rank(0), Rank(0), 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 1}}));
}

TEST(Placer, DoesNotCountTasksOfALostOwnerThatGoOn) {
  Placer placer = MakePlacer(2);
  placer.Forget(Rank(1));
  placer.Ended(Rank(0), Rank(1), -1);
  placer.Request(Rank(0), kAny, 1);

  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 1}}));
}

TEST(Placer, DoesNotAskAgainWhereNothingCouldMove) {
  Placer placer = MakeUneven();
  placer.Decide();
  placer.Recalled(Rank(0), false);
  EXPECT_TRUE(placer.Decide().recalls.empty());

  placer.Request(Rank(0), kAny, 1);
  placer.Decide();
  placer.Request(Rank(0), kAny, 8);
  placer.Decide();
  placer.Ended(Rank(1), Rank(0), 8);

  EXPECT_EQ(placer.Decide().recalls, std::vector{Rank(0)}) << "it got some that may";
}

TEST(Placer, DoesNotAskForARunningTask) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(0), kAny, 1);

  EXPECT_TRUE(placer.Decide().recalls.empty());
}

TEST(Placer, ForgetsALostOwnersRequestsAndTasks) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(1), Rank(0), 1);
  placer.Request(Rank(1), kAny, 4);
  placer.Decide();

  placer.Forget(Rank(1));

  EXPECT_EQ(placer.waiting(), 0u);
  placer.Request(Rank(1), kAny, 1);
  EXPECT_EQ(placer.waiting(), 0u) << "it came late";
  placer.Request(Rank(0), kAny, 2);
  EXPECT_EQ(placer.Decide().placements, (Placements{{Rank(0), kAny, Rank(0), 1}}));
  placer.Ended(Rank(0), Rank(1), 1);
  EXPECT_TRUE(placer.Decide().placements.empty()) << "what ended was the lost rank's";
}

TEST(Placer, PlacesNothingOnALostRank) {
  Placer placer = MakePlacer(2);
  placer.Request(Rank(0), Rank(1), 2);
  placer.Forget(Rank(1));
  placer.Offer(Rank(1), 1, 1);

  EXPECT_TRUE(placer.Decide().placements.empty());
  EXPECT_EQ(placer.waiting(), 0u);
}

}  // namespace
}  // namespace manta::scheduling
