#include "core/scheduling/matchmaker.hpp"

#include <gtest/gtest.h>

namespace manta::scheduling {

bool operator==(const Hint& a, const Hint& b) { return a.hungry == b.hungry && a.supplier == b.supplier; }

namespace {

using Hints = std::vector<Hint>;

TEST(Matchmaker, SendsAHungryRankToOneWithABacklog) {
  Matchmaker matchmaker;
  matchmaker.Backlog(Rank(0), true);
  matchmaker.Hungry(Rank(2));

  EXPECT_EQ(matchmaker.Decide(), (Hints{{Rank(2), Rank(0)}}));
}

TEST(Matchmaker, SendsItOnceUntilItIsHungryAgain) {
  Matchmaker matchmaker;
  matchmaker.Backlog(Rank(0), true);
  matchmaker.Hungry(Rank(2));
  matchmaker.Hungry(Rank(2));
  EXPECT_EQ(matchmaker.Decide().size(), 1u);
  EXPECT_TRUE(matchmaker.Decide().empty());

  matchmaker.Hungry(Rank(2));

  EXPECT_EQ(matchmaker.Decide().size(), 1u);
}

TEST(Matchmaker, KeepsTheHungryUntilThereIsASupplier) {
  Matchmaker matchmaker;
  matchmaker.Hungry(Rank(3));
  matchmaker.Hungry(Rank(1));
  EXPECT_TRUE(matchmaker.Decide().empty());

  matchmaker.Backlog(Rank(0), true);

  EXPECT_EQ(matchmaker.Decide(), (Hints{{Rank(3), Rank(0)}, {Rank(1), Rank(0)}}));
}

TEST(Matchmaker, LetsSuppliersTakeTurns) {
  Matchmaker matchmaker;
  for (const int supplier : {4, 1, 2}) matchmaker.Backlog(Rank(supplier), true);
  for (const int hungry : {5, 6, 7, 8}) matchmaker.Hungry(Rank(hungry));

  EXPECT_EQ(matchmaker.Decide(),
            (Hints{{Rank(5), Rank(1)}, {Rank(6), Rank(2)}, {Rank(7), Rank(4)}, {Rank(8), Rank(1)}}));
}

TEST(Matchmaker, SendsNobodyToItself) {
  Matchmaker matchmaker;
  matchmaker.Backlog(Rank(1), true);
  matchmaker.Hungry(Rank(1));
  EXPECT_TRUE(matchmaker.Decide().empty());

  matchmaker.Backlog(Rank(2), true);

  EXPECT_EQ(matchmaker.Decide(), (Hints{{Rank(1), Rank(2)}}));
}

TEST(Matchmaker, SendsNobodyToASupplierThatRanOut) {
  Matchmaker matchmaker;
  matchmaker.Backlog(Rank(0), true);
  matchmaker.Backlog(Rank(0), false);
  matchmaker.Hungry(Rank(1));

  EXPECT_TRUE(matchmaker.Decide().empty());
}

TEST(Matchmaker, StillHintsAHungryRankThatGotABacklogOfItsOwn) {
  Matchmaker matchmaker;
  matchmaker.Hungry(Rank(1));
  matchmaker.Backlog(Rank(1), true);
  matchmaker.Backlog(Rank(0), true);

  // It waits for a hint before it asks again, so it must get one; it says then whether it still wants work.
  EXPECT_EQ(matchmaker.Decide(), (Hints{{Rank(1), Rank(0)}}));
}

}  // namespace
}  // namespace manta::scheduling
