#include "core/scheduling/node_spec.hpp"

#include <gtest/gtest.h>

#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {
namespace {

constexpr std::uint64_t kGiB = 1ull << 30;

TEST(WhyInfeasible, SaysNothingOfWhatOneNodeHas) {
  const std::vector<NodeSpec> nodes{MakeNode(0, 0, 2, 2), MakeNode(1, 2, 2, 4, 2)};

  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(8, 2), std::nullopt), std::nullopt);
  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(0), std::nullopt), std::nullopt);
  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(4), Rank(0)), std::nullopt);
  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(8, 1), Rank(3)), std::nullopt);
}

TEST(WhyInfeasible, SaysWhatWasAskedAndWhatTheLargestNodeHas) {
  const std::vector<NodeSpec> nodes{MakeNode(0, 0, 4, 2, 2)};

  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(1, 3), std::nullopt),
            "asked for 3 GPUs and 1 CPU; the largest node has 2 GPUs and 8 CPUs");
  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(8.5), std::nullopt),
            "asked for 8.5 CPUs; the largest node has 8 CPUs");
}

TEST(WhyInfeasible, AddsNoNodesUp) {
  const std::vector<NodeSpec> nodes{MakeNode(0, 0, 1, 8), MakeNode(1, 1, 1, 2, 4)};

  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(8, 4), std::nullopt),
            "asked for 4 GPUs and 8 CPUs; the largest node has 4 GPUs and 2 CPUs");
  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(10), std::nullopt),
            "asked for 10 CPUs; the largest node has 8 CPUs");
}

TEST(WhyInfeasible, CountsAShareAsPartOfADevice) {
  EXPECT_EQ(WhyInfeasible({MakeNode(0, 0, 1, 1)}, MakeShape(0, 0.5), std::nullopt),
            "asked for 0.5 GPU; the largest node has 0 GPUs");
  EXPECT_EQ(WhyInfeasible({MakeNode(0, 0, 1, 1, 1)}, MakeShape(0, 0.5), std::nullopt), std::nullopt);
}

TEST(WhyInfeasible, SaysThatNobodyHasACustomResource) {
  NodeSpec node = MakeNode(0, 0, 1, 4);
  node.custom["license"] = Amount::Whole(2);

  EXPECT_EQ(WhyInfeasible({node}, MakeShape(1, 0, 0, {{"telescope", 1}}), std::nullopt),
            "asked for 1 CPU and 1 of \"telescope\"; no node has any \"telescope\"");
  EXPECT_EQ(WhyInfeasible({node}, MakeShape(0, 0, 0, {{"license", 3}}), std::nullopt),
            "asked for 3 of \"license\"; the largest node has 2 of \"license\"");
}

TEST(WhyInfeasible, NamesMemoryInBytes) {
  NodeSpec node = MakeNode(0, 0, 1, 4);
  node.memory_bytes = 64 * kGiB;

  EXPECT_EQ(WhyInfeasible({node}, MakeShape(1, 0, 64 * kGiB + 1), std::nullopt),
            "asked for 1 CPU and 68719476737 bytes of memory; the largest node has 4 CPUs and 64 GiB of memory");
}

TEST(WhyInfeasible, CountsOnlyDevicesAtHomeOnTheRankAskedFor) {
  const std::vector<NodeSpec> nodes{MakeNode(0, 0, 2, 4, 4)};

  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(1, 3), Rank(1)),
            "asked for 3 GPUs and 1 CPU on rank 1; its node has 2 GPUs and 8 CPUs (counting the GPUs that are at home "
            "on it)");
  EXPECT_EQ(WhyInfeasible(nodes, MakeShape(1), Rank(7)), "asked for 1 CPU on rank 7; there is no such rank");
}

TEST(WhyInfeasible, CountsOnlyWholeCpusOfARank) {
  EXPECT_EQ(WhyInfeasible({MakeNode(0, 0, 2, 1.5)}, MakeShape(3), std::nullopt),
            "asked for 3 CPUs; the largest node has 2 CPUs");
}

TEST(Describe, ListsWhatIsNotZero) {
  EXPECT_EQ(Describe(MakeShape(0)), "nothing");
  EXPECT_EQ(Describe(MakeShape(1, 2, 3 * kGiB, {{"license", 3}})), "2 GPUs, 1 CPU, 3 GiB of memory and 3 of \"license\"");
}

}  // namespace
}  // namespace manta::scheduling
