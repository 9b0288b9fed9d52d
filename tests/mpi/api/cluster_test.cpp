// What the job has, what of it is free, what it has done; and Drain.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;

TEST(Nodes, HoldEachRankOnce) {
  std::vector<int> ranks, expected(static_cast<std::size_t>(manta::NumRanks()));
  std::iota(expected.begin(), expected.end(), 0);

  int id = 0;
  for (const auto& node : manta::Nodes()) {
    EXPECT_EQ(node.id, id++);
    EXPECT_TRUE(node.alive);
    EXPECT_FALSE(node.host.empty());
    EXPECT_FALSE(node.ranks.empty());
    ranks.insert(ranks.end(), node.ranks.begin(), node.ranks.end());
  }

  std::sort(ranks.begin(), ranks.end());
  EXPECT_EQ(ranks, expected);
}

TEST(Nodes, HaveCpusMemoryAndAStore) {
  for (const auto& node : manta::Nodes()) {
    EXPECT_GE(node.resources.at("CPU"), static_cast<double>(node.ranks.size()));
    EXPECT_GT(node.resources.at("memory"), 1e6);
    EXPECT_GT(node.store_bytes, 1'000'000u);
  }
}

TEST(Nodes, AreTheSameToTasks) {
  const auto cpus = *manta::Get(manta::Task([] { return manta::ClusterResources(); }).SetRank(manta::NumRanks() - 1).Remote());

  EXPECT_EQ(cpus, manta::ClusterResources());
}

TEST(ClusterResources, AreTheSumOfTheNodes) {
  double cpus = 0, memory = 0;
  for (const auto& node : manta::Nodes()) {
    cpus += node.resources.at("CPU");
    memory += node.resources.at("memory");
  }

  EXPECT_EQ(manta::ClusterResources().at("CPU"), cpus);
  EXPECT_DOUBLE_EQ(manta::ClusterResources().at("memory"), memory);
}

TEST(AvailableResources, AreLessWhileATaskRuns) {
  const auto all = manta::ClusterResources();
  ASSERT_TRUE(api_test::Eventually([&] { return manta::AvailableResources()["CPU"] == all.at("CPU"); }));
  Gate gate;
  Journal journal;

  const auto running = manta::Task([](const std::string& path, const std::string& started) {
                         api_test::Note(started, "started");
                         api_test::PassGate(path);
                       }).SetMemory(1'000'000).Remote(gate.path(), journal.path());
  ASSERT_TRUE(journal.WaitFor("started"));

  EXPECT_TRUE(api_test::Eventually([&] { return manta::AvailableResources()["CPU"] == all.at("CPU") - 1; }));
  EXPECT_DOUBLE_EQ(manta::AvailableResources()["memory"], all.at("memory") - 1'000'000);
  gate.Open();
  manta::Get(running);
  EXPECT_TRUE(api_test::Eventually([&] { return manta::AvailableResources() == all; }));
}

TEST(Stats, CountTasksByTheRankThatRanThem) {
  const auto before = manta::Stats();
  const int last = manta::NumRanks() - 1;

  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 100; ++i) refs.push_back(manta::Task([](int x) { return x; }).SetRank(last).Remote(i));
  manta::Get(refs);

  const auto after = manta::Stats();
  const auto at = static_cast<std::size_t>(last);
  EXPECT_EQ(after.tasks_submitted - before.tasks_submitted, 100u);
  EXPECT_EQ(after.tasks_executed - before.tasks_executed, 100u);
  EXPECT_EQ(after.tasks_executed_by_rank.at(at) - before.tasks_executed_by_rank.at(at), 100u);
}

TEST(Stats, CountFailuresCallsAndPuts) {
  struct Doubler {
    int Double(int x) const { return 2 * x; }
  };
  const auto before = manta::Stats();

  EXPECT_THROW(manta::Get(manta::Task([]() -> int { throw 1; }).Remote()), manta::TaskError);
  const auto doubler = manta::Actor<Doubler>().SetRank(manta::NumRanks() - 1).Remote();
  for (int i = 0; i < 5; ++i) manta::Get(doubler.Task(&Doubler::Double).Remote(i));
  const auto put = manta::Put(std::vector<char>(100'000, 'x'));

  const auto after = manta::Stats();
  EXPECT_EQ(after.tasks_failed - before.tasks_failed, 1u);
  EXPECT_EQ(after.actors_created - before.actors_created, 1u);
  EXPECT_EQ(after.actor_calls - before.actor_calls, 5u);
  EXPECT_EQ(after.puts - before.puts, 1u);
}

TEST(Stats, CountTheBytesThatPutAndGetCopy) {
  const std::vector<char> values(1'000'000, 'x');
  const auto before = manta::Stats();

  const auto ref = manta::Put(values);
  const auto there = manta::Task([](const std::vector<char>& v) { return v.size(); }).SetRank(manta::NumRanks() - 1).Remote(ref);
  EXPECT_EQ(*manta::Get(there), 1'000'000u);

  const auto after = manta::Stats();
  EXPECT_GE(after.bytes_copied_put - before.bytes_copied_put, 1'000'000u);
  EXPECT_LE(after.bytes_copied_put - before.bytes_copied_put, 1'100'000u) << "Put copies once";
  EXPECT_LE(after.bytes_copied_get - before.bytes_copied_get, 2'100'000u) << "a fetch and a materialization";
}

TEST(Stats, OfAPutLvalueNamesStoreBytes) {
  ASSERT_TRUE(api_test::Eventually([] { return manta::Stats().store_bytes_used == 0; })) << "of earlier tests";

  const auto ref = manta::Put(std::vector<char>(10'000'000, 'x'));
  manta::Get(manta::Task([](const std::vector<char>& v) { return v.size(); }).SetRank(manta::NumRanks() - 1).Remote(ref));

  if (manta::NumRanks() > 1) {
    EXPECT_GE(manta::Stats().store_bytes_used, 10'000'000u);
  }
}

TEST(Drain, WaitsForTasksThatNobodyHolds) {
  Journal journal;
  for (int i = 0; i < 100; ++i)
    manta::Task([](const std::string& path) {
      manta::Task([](const std::string& p) { api_test::Note(p, "child"); }).Remote(path);
      api_test::Note(path, "parent");
    }).SetRank(i % manta::NumRanks()).Remote(journal.path());

  manta::Drain();

  EXPECT_EQ(journal.Count("parent"), 100u);
  EXPECT_EQ(journal.Count("child"), 100u);
}

TEST(Drain, WaitsForActorCalls) {
  struct Writer {
    void Write(const std::string& path) { api_test::Note(path, "call"); }
  };
  Journal journal;
  const auto writer = manta::Actor<Writer>().SetRank(manta::NumRanks() - 1).Remote();
  for (int i = 0; i < 50; ++i) writer.Task(&Writer::Write).Remote(journal.path());

  manta::Drain();

  EXPECT_EQ(journal.Count("call"), 50u);
}

TEST(Drain, OfNothingReturns) {
  manta::Drain();
  manta::Drain();
}

TEST(Drain, InATaskIsAUsageError) {
  const auto drains = manta::Task([] {
    try {
      manta::Drain();
    } catch (const manta::UsageError&) {
      return true;
    }
    return false;
  });

  EXPECT_TRUE(*manta::Get(drains.Remote(), api_test::kPatience));
}

}  // namespace
