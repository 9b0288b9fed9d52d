#include "timeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "well_formed.hpp"

namespace pipeline {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two GPUs of one node; rank 0 preprocesses two batches at once, rank 1 the third.
Trace SmallTrace(bool held) {
  return {.name = "small",
          .held_throughout = held,
          .whole = {100, 110},
          .batches = {{.batch = 0, .rank = 0, .gpu = 1, .preprocess = {100, 102}, .train = {102, 105}},
                      {.batch = 9, .rank = 0, .gpu = 0, .preprocess = {101, 103}, .train = {103, 106}},
                      {.batch = 2, .rank = 1, .gpu = 1, .preprocess = {101, 102}, .train = {105, 108}},
                      {.batch = 3, .rank = 0, .gpu = 0, .preprocess = {102, 104}, .train = {106, 109}}}};
}

std::vector<std::string> Labels(const std::vector<Lane>& lanes) {
  std::vector<std::string> labels;
  for (const Lane& lane : lanes) labels.push_back(lane.label);
  return labels;
}

std::vector<int> Batches(const std::vector<Lane::Bar>& bars) {
  std::vector<int> batches;
  for (const Lane::Bar& bar : bars) batches.push_back(bar.batch);
  return batches;
}

TEST(Lanes, AreTheGpusThenTheCpusInUse) {
  const std::vector<Lane> lanes = LanesOf(SmallTrace(false));

  ASSERT_THAT(Labels(lanes), ElementsAre("GPU 0", "GPU 1", "rank 0 CPU", "rank 0 CPU", "rank 1 CPU"));
  EXPECT_THAT(Batches(lanes[0].working), ElementsAre(9, 3));
  EXPECT_THAT(Batches(lanes[1].working), ElementsAre(0, 2));
  EXPECT_THAT(Batches(lanes[2].working), ElementsAre(0, 3));
  EXPECT_THAT(Batches(lanes[3].working), ElementsAre(9));
  EXPECT_THAT(Batches(lanes[4].working), ElementsAre(2));
  EXPECT_EQ(lanes[0].working[0].at.begin, 3);
  EXPECT_EQ(lanes[0].working[0].at.end, 6);
  for (const Lane& lane : lanes) EXPECT_TRUE(lane.idle.empty()) << lane.label;
}

TEST(Lanes, ShowWhatABatchHoldsWhileItWorksElsewhere) {
  const std::vector<Lane> lanes = LanesOf(SmallTrace(true));

  // A CPU is held through the training: batch 3 needs a third lane.
  ASSERT_THAT(Labels(lanes), ElementsAre("GPU 0", "GPU 1", "rank 0 CPU", "rank 0 CPU", "rank 0 CPU", "rank 1 CPU"));
  EXPECT_EQ(lanes[1].idle[0].at.begin, 0);
  EXPECT_EQ(lanes[1].idle[0].at.end, 2);
  EXPECT_EQ(lanes[2].idle[0].at.begin, 2);
  EXPECT_EQ(lanes[2].idle[0].at.end, 5);
}

TEST(Lanes, NameTheNodeWhereThereAreMore) {
  Trace trace = SmallTrace(false);
  trace.batches[1].node = 1;
  EXPECT_THAT(Labels(LanesOf(trace)),
              ElementsAre("node 0 GPU 0", "node 0 GPU 1", "node 1 GPU 0", "rank 0 CPU", "rank 0 CPU", "rank 1 CPU"));
}

TEST(Timeline, IsWellFormed) {
  const std::string svg = DrawTimeline({{"A", SmallTrace(true)}, {"B", SmallTrace(false)}}, 5);
  EXPECT_EQ(WhyNotWellFormed(svg), "");
}

TEST(Timeline, HasTitlesLanesAndBars) {
  const std::string svg = DrawTimeline({{"A: fast", SmallTrace(true)}}, 10);

  EXPECT_THAT(svg, HasSubstr(">A: fast</text>"));
  EXPECT_THAT(svg, HasSubstr(">The beginning of small</text>"));
  EXPECT_THAT(svg, HasSubstr(">rank 1 CPU</text>"));
  // 10 s are 1080 pixels from 100 on. Batch 9 has the colour of 1; GPU 0 is the first lane.
  EXPECT_THAT(svg, HasSubstr("<path fill=\"#f28e2b\" d=\"M424.00 114h324.00v20h-324.00z"));
  EXPECT_THAT(svg, HasSubstr("<path fill=\"#d4d4d4\" d=\"M208.00 114h216.00v20h-216.00z"));
}

TEST(Timeline, CutsBarsAtTheEndOfTheDetail) {
  // Batch 9 trains from second 3 to 6; the detail ends at 4, where 1 s is 270 pixels.
  const std::string svg = DrawTimeline({{"A", SmallTrace(false)}}, 4);
  EXPECT_THAT(svg, testing::ContainsRegex("#f28e2b\" d=\"M910[.]00 [0-9]+h270[.]00v20h-270[.]00z"));
}

}  // namespace
}  // namespace pipeline
