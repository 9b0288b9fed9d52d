#include "core/runtime/waiting_askers.hpp"

#include <gtest/gtest.h>

namespace manta::runtime {
namespace {

TEST(WaitingAskers, ComeBackInTheirOrder) {
  WaitingAskers askers;
  EXPECT_FALSE(askers.any());
  askers.Keep({Rank(3), 8, 1000});
  askers.Keep({Rank(1), 2, 2000});
  EXPECT_TRUE(askers.any());

  const auto all = askers.Take();

  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].rank, Rank(3));
  EXPECT_EQ(all[0].want, 8u);
  EXPECT_EQ(all[1].rank, Rank(1));
  EXPECT_FALSE(askers.any());
  EXPECT_TRUE(askers.Take().empty());
}

TEST(WaitingAskers, AreLateByTheOldest) {
  WaitingAskers askers;
  EXPECT_FALSE(askers.AnyIsLate(WaitingAskers::kPatienceNs * 100)) << "there is none";
  askers.Keep({Rank(1), 1, 5000});
  askers.Keep({Rank(2), 1, 1000});

  EXPECT_FALSE(askers.AnyIsLate(1000 + WaitingAskers::kPatienceNs - 1));
  EXPECT_TRUE(askers.AnyIsLate(1000 + WaitingAskers::kPatienceNs));
}

TEST(WaitingAskers, AreCalledToOnceUntilTheyAreTaken) {
  WaitingAskers askers;
  askers.Keep({Rank(1), 1, 0});

  EXPECT_TRUE(askers.Call());
  EXPECT_FALSE(askers.Call());
  askers.Take();
  EXPECT_TRUE(askers.Call());
}

}  // namespace
}  // namespace manta::runtime
