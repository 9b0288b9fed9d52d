#include "report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace housing {
namespace {

ModelScore Score(int n_estimators, double mse) {
  return {.n_estimators = n_estimators, .mse = mse, .seconds = 1.234, .training_cpu_seconds = 1};
}

TEST(Report, SizesAreLongestFirst) {
  EXPECT_EQ(ForestSizes(3), (std::vector<int>{16, 12, 8}));
  EXPECT_EQ(ForestSizes(20).front(), 84);
}

TEST(Report, WritesALineAModel) {
  EXPECT_EQ(FormatScore(Score(8, 0.28124)), "n_estimators=8, mse=0.2812, took: 1.23 seconds");
}

TEST(Report, EndsWithTheBestAndTheCost) {
  std::ostringstream out, bar;
  const std::vector<int> sizes = {12, 8};
  Report report(out, bar, false, sizes);

  report.Add(Score(12, 0.25));
  report.Add(Score(8, 0.5));
  report.Finish();

  EXPECT_THAT(out.str(), testing::MatchesRegex("n_estimators=12, mse=0.2500, took: 1.23 seconds\n"
                                               "n_estimators=8, mse=0.5000, took: 1.23 seconds\n"
                                               "Best model: mse=0.2500, n_estimators=12\n"
                                               "wall time: [0-9]+[.][0-9]+ seconds\n"
                                               "CPU time in training: 2.00 seconds\n"
                                               "ratio: [0-9]+[.][0-9]+\n"));
  EXPECT_EQ(bar.str(), "");
}

TEST(Report, PicksTheSmallestOfEqualForestsInAnyOrder) {
  std::ostringstream out;
  const std::vector<int> sizes = {12, 8};
  Report up(out, out, false, sizes), down(out, out, false, sizes);

  for (const int size : {8, 12}) up.Add(Score(size, 0.25));
  for (const int size : {12, 8}) down.Add(Score(size, 0.25));

  EXPECT_EQ(up.best()->n_estimators, 8);
  EXPECT_EQ(down.best()->n_estimators, 8);
}

TEST(Report, BarFillsByTreesAndWipesItself) {
  std::ostringstream out, bar;
  const std::vector<int> sizes = {12, 8};
  {
    Report report(out, bar, true, sizes);
    report.Add(Score(12, 0.25));
  }

  EXPECT_NE(bar.str().find("[........................................] 0/2 models, "), std::string::npos);
  EXPECT_NE(bar.str().find("[########################................] 1/2 models, "), std::string::npos);
  EXPECT_TRUE(bar.str().ends_with("\r\033[K"));
}

}  // namespace
}  // namespace housing
