#include "core/topology/cpu_set.hpp"

#include <gtest/gtest.h>

namespace manta::topology {
namespace {

TEST(CpuSet, WritesRunsAsRanges) {
  CpuSet set = CpuSet::Range(0, 3);
  set.Add(8);
  set.Add(200);
  set.Add(201);

  EXPECT_EQ(set.ToString(), "0-3,8,200-201");
  EXPECT_EQ(set.Count(), 7);
  EXPECT_EQ(CpuSet().ToString(), "");
}

TEST(CpuSet, ReadsWhatItWrites) {
  for (const char* text : {"", "0", "0-3", "0-3,8", "63-64,127-130", "5,7,9"}) {
    const auto set = CpuSet::FromString(text);
    ASSERT_TRUE(set) << text;
    EXPECT_EQ(set->ToString(), text);
  }
  EXPECT_EQ(CpuSet::FromString("3,1-2,2")->ToString(), "1-3");
}

TEST(CpuSet, RefusesTextThatIsNoList) {
  for (const char* text : {"x", "-1", "1-", "3-1", "1,", ",1", "1 2", "1-2-3", "99999999999", "2000000", "0x3"})
    EXPECT_FALSE(CpuSet::FromString(text)) << text;
}

TEST(CpuSet, EqualsAnotherOfTheSameCpusHoweverItWasMade) {
  CpuSet grown = CpuSet::Range(0, 300);
  grown -= CpuSet::Range(2, 300);
  CpuSet shrunk = CpuSet::Range(0, 1);
  shrunk.Add(500);
  shrunk.Remove(500);
  shrunk.Remove(1000);

  EXPECT_EQ(grown, CpuSet::Range(0, 1));
  EXPECT_EQ(shrunk, CpuSet::Range(0, 1));
}

TEST(CpuSet, JoinsCutsAndCompares) {
  const CpuSet low = CpuSet::Range(0, 70), high = CpuSet::Range(60, 130);

  EXPECT_EQ((low | high).ToString(), "0-130");
  EXPECT_EQ((low & high).ToString(), "60-70");
  EXPECT_EQ((low - high).ToString(), "0-59");
  EXPECT_TRUE(low.Intersects(high));
  EXPECT_FALSE(low.Intersects(CpuSet::Range(71, 80)));
  EXPECT_TRUE((low & high).IsSubsetOf(low));
  EXPECT_FALSE(low.IsSubsetOf(high));
  EXPECT_TRUE(CpuSet().IsSubsetOf(low));
  EXPECT_TRUE((low - low).empty());
  EXPECT_FALSE(low.Contains(-1));
  EXPECT_FALSE(low.Contains(1'000'000));
}

}  // namespace
}  // namespace manta::topology
