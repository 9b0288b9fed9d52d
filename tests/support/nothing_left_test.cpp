// A test of the tests: one that leaves an object behind fails and says where, the next does not answer for it, and who
// says why may leave something.

#include "tests/support/nothing_left.hpp"

#include <manta/manta.hpp>

#include <vector>

namespace {

/// Never destroyed.
std::vector<manta::ObjectRef<std::vector<int>>>& Kept() {
  static auto* kept = new std::vector<manta::ObjectRef<std::vector<int>>>();
  return *kept;
}

manta::ObjectRef<std::vector<int>> MakeThere() { return manta::Put(std::vector<int>(10'000, 1)); }

TEST(NothingLeft, FailsATestThatKeepsAnObjectOfTheLastRank) {
  Kept().push_back(*manta::Get(manta::Task(MakeThere).SetRank(manta::NumRanks() - 1).Remote()));
}

TEST(NothingLeft, LeavesTheNextTestAlone) { EXPECT_EQ(*manta::Get(manta::Put(3)), 3); }

TEST(NothingLeft, LetsATestSayWhyItLeavesSomething) {
  test_support::MayLeave("to see that it may");
  Kept().push_back(manta::Put(std::vector<int>(10'000, 2)));
}

}  // namespace
