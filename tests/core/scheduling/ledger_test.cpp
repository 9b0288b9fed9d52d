#include "core/scheduling/ledger.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "tests/core/scheduling/ledger_driver.hpp"

namespace manta::scheduling {
namespace {

TEST(Ledger, GrantsWhatIsFreeAndTellsWhoAsked) {
  LedgerDriver job({MakeNode(0, 0, 2, 1)});
  const std::uint64_t request = job.Request(MakeShape(0), std::nullopt, Rank(1));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].requester, Rank(1));
  EXPECT_EQ(grants[0].request, request);
  EXPECT_NE(grants[0].lease.id, 0u);
  EXPECT_TRUE(grants[0].lease.cores.empty());
}

TEST(Ledger, SpreadsLeasesOverTheRanksOfANode) {
  LedgerDriver job({MakeNode(0, 0, 3, 1)});
  for (int i = 0; i < 4; ++i) job.Request(MakeShape(0.5));
  job.Request(MakeShape(0.5), Rank(2));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 5u);
  std::vector<int> ranks;
  for (const Grant& grant : grants) ranks.push_back(grant.lease.rank.value);
  EXPECT_EQ(ranks, (std::vector<int>{0, 1, 2, 0, 2}));
}

TEST(Ledger, CountsMemoryAndCustomResources) {
  NodeSpec node = MakeNode(0, 0, 1, 1);
  node.memory_bytes = 1000;
  node.custom["license"] = Amount::FromDouble(1.5);
  LedgerDriver job({node});
  job.Request(MakeShape(0, 0, 600));
  job.Request(MakeShape(0, 0, 600));
  job.Request(MakeShape(0, 0, 0, {{"license", 1}}));
  job.Request(MakeShape(0, 0, 0, {{"license", 1}}));
  job.Request(MakeShape(0, 0, 400, {{"license", 0.5}}));

  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 3u) << "the last passes those that do not fit";
  EXPECT_EQ(job.ledger.Available().at("memory"), 0.0);
  EXPECT_EQ(job.ledger.Available().at("license"), 0.0);
  EXPECT_EQ(job.ledger.WhyWaiting(), (std::vector<std::string>{"1 request for 600 bytes of memory waits for memory",
                                                               "1 request for 1 of \"license\" waits for \"license\""}));
  for (const Grant& grant : grants) job.ledger.Return(grant.lease.id);
  EXPECT_EQ(job.Settle().size(), 2u);
}

TEST(Ledger, SaysWhyWhatCanNeverBeGrantedWaits) {
  LedgerDriver job({MakeNode(0, 0, 1, 2)});
  job.Request(MakeShape(1, 1));
  job.Request(MakeShape(1, 1));
  EXPECT_TRUE(job.Settle().empty());

  EXPECT_EQ(job.asked, Amount());
  EXPECT_EQ(job.ledger.WhyWaiting(),
            (std::vector<std::string>{"2 requests for 1 GPU and 1 CPU wait for what no node has: asked for 1 GPU and 1 "
                                      "CPU; the largest node has 0 GPUs and 2 CPUs"}));
}

TEST(Ledger, IgnoresLeasesThatAreNotOut) {
  LedgerDriver job({MakeNode(0, 0, 1, 2, 1)});
  job.Request(MakeShape(0.5, 0.5));
  const Grant grant = job.Settle().at(0);

  for (int i = 0; i < 2; ++i) job.ledger.Return(grant.lease.id);
  job.ledger.Return(0);
  job.ledger.Return(99);
  job.ledger.Suspend(99);
  job.ledger.Resume(grant.lease.id);
  EXPECT_TRUE(job.Settle().empty());

  EXPECT_EQ(job.FreeOf(Rank(0)), Amount::Whole(2));
  EXPECT_EQ(job.ledger.Available().at("GPU"), 1.0);
}

TEST(Ledger, ForgetsALostRequesterWithAllItHolds) {
  LedgerDriver job({MakeNode(0, 0, 2, 2, 1)});
  job.Request(MakeShape(0.5, 1), std::nullopt, Rank(1));
  job.Request(MakeShape(0.5, 1), std::nullopt, Rank(1));
  const Grant held = job.Settle().at(0);
  job.Request(MakeShape(0, 1), std::nullopt, Rank(0));
  EXPECT_TRUE(job.Settle().empty());

  job.ledger.Forget(Rank(1));
  job.ledger.Return(held.lease.id);                         // sent before it was lost
  job.Request(MakeShape(0, 0.5), std::nullopt, Rank(1));
  const std::vector<Grant> grants = job.Settle();

  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].requester, Rank(0));
  EXPECT_EQ(job.AllFree(), Amount::Whole(4));
  EXPECT_TRUE(job.ledger.WhyWaiting().empty());
}

TEST(Ledger, DoesNothingWhenNothingHappened) {
  LedgerDriver job({MakeNode(0, 0, 1, 1)});
  job.Start(Rank(0), 1);
  job.Request(MakeShape(0.5));
  EXPECT_EQ(job.ledger.Decide().cedes.size(), 1u);

  const Ledger::Actions actions = job.ledger.Decide();

  EXPECT_TRUE(actions.grants.empty() && actions.cedes.empty() && actions.gives.empty());
}

TEST(Ledger, ABacklogOfOneShapeCostsAsMuchAsItsFirst) {
  LedgerDriver job({MakeNode(0, 0, 1, 1, 4)});
  for (int i = 0; i < 80'000; ++i) job.Request(MakeShape(0, 1));
  std::vector<Grant> out = job.Settle();

  // Quadratic work would take minutes.
  for (int i = 0; i < 79'996; ++i) {
    job.ledger.Return(out[i].lease.id);
    const std::vector<Grant> next = job.Settle();
    ASSERT_EQ(next.size(), 1u);
    EXPECT_EQ(next[0].request, out.back().request + 1);
    out.push_back(next[0]);
  }

  EXPECT_EQ(out.size(), 80'000u);
}

struct Mix {
  std::vector<NodeSpec> nodes;
  std::vector<wire::Shape> shapes;
};

Mix RandomMix() {
  Mix mix;
  mix.nodes = {MakeNode(0, 0, 2, 3, 2), MakeNode(1, 2, 3, 2), MakeNode(2, 5, 1, 4, 4)};
  mix.nodes[1].memory_bytes = 1 << 20;
  mix.nodes[2].custom["license"] = Amount::FromDouble(2.5);
  mix.shapes = {MakeShape(0.1),  MakeShape(0.3, 0.3333),        MakeShape(1, 1),  MakeShape(2.7),    MakeShape(0, 0.07),
                MakeShape(4, 2), MakeShape(0.5, 0, 1 << 18),    MakeShape(6),     MakeShape(0, 4),
                MakeShape(0, 0, 0, {{"license", 0.7}}),         MakeShape(1.5, 0.9, 0, {{"license", 0.1}})};
  return mix;
}

TEST(Ledger, DriftsByNothingInAMillionRequestsAndReturns) {
  const Mix mix = RandomMix();
  LedgerDriver job(mix.nodes);
  const std::map<std::string, double> at_first = job.ledger.Available();
  std::mt19937 random(1);
  std::vector<std::uint64_t> out;
  std::set<std::uint64_t> suspended;
  std::map<Rank, int> own_tasks;

  int events = 0;
  int waiting = 0;
  while (events < 1'000'000) {
    for (int i = 0; i < 8; ++i, ++events) {
      const std::uint32_t what = random() % 16;
      if (what < 7 && waiting < 64) {
        job.Request(mix.shapes[random() % mix.shapes.size()]);
        ++waiting;
      } else if (what < 12 && !out.empty()) {
        std::swap(out[random() % out.size()], out.back());
        suspended.erase(out.back());
        job.ledger.Return(out.back());
        out.pop_back();
      } else if (what < 14 && !out.empty()) {
        const std::uint64_t lease = out[random() % out.size()];
        if (suspended.erase(lease) != 0) {
          job.ledger.Resume(lease);
        } else {
          suspended.insert(lease);
          job.ledger.Suspend(lease);
        }
      } else {
        const Rank rank(static_cast<int>(random() % 6));
        if (own_tasks[rank] > 0) {
          --own_tasks[rank];
          job.Finish(rank, 1);
        } else if (job.FreeOf(rank) >= Amount::Whole(1)) {
          ++own_tasks[rank];
          job.Start(rank, 1);
        }
      }
    }
    for (const Grant& grant : job.Settle()) {
      out.push_back(grant.lease.id);
      --waiting;
    }
  }
  while (waiting > 0 || !out.empty()) {
    for (auto& [rank, count] : own_tasks)
      for (; count > 0; --count) job.Finish(rank, 1);
    for (const std::uint64_t lease : out) job.ledger.Return(lease);
    out.clear();
    for (const Grant& grant : job.Settle()) {
      out.push_back(grant.lease.id);
      --waiting;
    }
    ASSERT_TRUE(waiting == 0 || !out.empty()) << "what is feasible is never granted";
  }

  EXPECT_EQ(job.ledger.Available(), at_first);
  EXPECT_EQ(job.AllFree(), Amount::Whole(16));
  EXPECT_TRUE(job.ledger.WhyWaiting().empty());
}

TEST(Ledger, DecidesTheSameEachTime) {
  const auto run = [] {
    const Mix mix = RandomMix();
    LedgerDriver job(mix.nodes);
    std::mt19937 random(3);
    std::vector<std::uint64_t> seen;
    std::vector<std::uint64_t> out;
    for (int i = 0; i < 2000; ++i) {
      job.Request(mix.shapes[random() % mix.shapes.size()]);
      if (!out.empty() && random() % 2 == 0) {
        job.ledger.Return(out.front());
        out.erase(out.begin());
      }
      for (const Grant& grant : job.Settle()) {
        out.push_back(grant.lease.id);
        seen.insert(seen.end(), {grant.request, grant.lease.id, static_cast<std::uint64_t>(grant.lease.rank.value)});
        for (const wire::DeviceShare& share : grant.lease.devices)
          seen.push_back(static_cast<std::uint64_t>(share.device));
      }
    }
    return seen;
  };

  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace manta::scheduling
