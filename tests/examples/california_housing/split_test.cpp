#include "split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace housing {
namespace {

using Rows = std::vector<std::size_t>;

Rows Head(const Rows& rows) { return {rows.begin(), rows.begin() + 5}; }

// Expected rows: scikit-learn 1.x, train_test_split(range(20640), test_size=0.2, random_state=201).
TEST(Split, PicksTheRowsThatScikitLearnPicks) {
  const Split split = TrainTestSplit(20640, 0.2, 201);

  ASSERT_EQ(split.test.size(), 4128u);
  ASSERT_EQ(split.train.size(), 16512u);
  EXPECT_EQ(Head(split.test), (Rows{7754, 8374, 13807, 11234, 5251}));
  EXPECT_EQ(Head(split.train), (Rows{19262, 4083, 19500, 9062, 1196}));
  EXPECT_EQ((Rows{split.train.end() - 5, split.train.end()}), (Rows{9082, 1891, 501, 7680, 17961}));
}

// Expected: numpy 2.4.6, RandomState(seed).permutation(n).
TEST(Split, ShufflesAsNumpyDoes) {
  EXPECT_EQ(LegacyPermutation(10, 201), (Rows{6, 2, 8, 3, 7, 5, 4, 1, 9, 0}));
  EXPECT_EQ(LegacyPermutation(7, 0), (Rows{6, 2, 1, 3, 0, 5, 4}));
  EXPECT_EQ(LegacyPermutation(1, 5), Rows{0});
  EXPECT_EQ(LegacyPermutation(0, 5), Rows{});
}

TEST(Split, UsesEachRowOnce) {
  const Split split = TrainTestSplit(101, 0.2, 3);

  EXPECT_EQ(split.test.size(), 21u);  // rounded up
  Rows all = split.train;
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::ranges::sort(all);
  for (std::size_t i = 0; i < 101; ++i) EXPECT_EQ(all[i], i);
}

TEST(Split, RefusesToLeaveASideEmpty) {
  EXPECT_THROW(TrainTestSplit(0, 0.2, 1), std::invalid_argument);
  EXPECT_THROW(TrainTestSplit(1, 0.2, 1), std::invalid_argument);
  EXPECT_THROW(TrainTestSplit(10, 0.0, 1), std::invalid_argument);
  EXPECT_THROW(TrainTestSplit(10, 1.0, 1), std::invalid_argument);
}

}  // namespace
}  // namespace housing
