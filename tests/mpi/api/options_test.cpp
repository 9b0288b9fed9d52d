// What a task asks for: a rank, CPUs, memory, custom resources, a name. Runs with --manta-cpus 4, --manta-memory 1G and
// --manta-resources license=2, so that amounts are the same on any machine.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <unistd.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;
using namespace std::chrono_literals;

int RankHere() { return manta::Context().Rank(); }
double CpusHere() { return manta::Context().Cpus(); }

/// A task that is "in" for a while, then "out".
void Stay(const std::string& journal) {
  api_test::Note(journal, "in");
  std::this_thread::sleep_for(10ms);
  api_test::Note(journal, "out");
}

/// How many of 12 such tasks ran at once.
template <class Builder>
int MostAtOnce(const Builder& builder) {
  Journal journal;
  std::vector<manta::ObjectRef<void>> refs;
  for (int i = 0; i < 12; ++i) refs.push_back(builder.Remote(journal.path()));
  manta::Get(refs);
  EXPECT_EQ(journal.Lines().size(), 24u);
  return api_test::MostAtOnce(journal.Lines());
}

TEST(SetRank, RunsThere) {
  std::set<int> processes;
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(RankHere).SetRank(rank).Remote()), rank);
    EXPECT_EQ(*manta::Get(manta::Task([] { return manta::ThisRank(); }).SetRank(rank).Remote()), rank);
    processes.insert(*manta::Get(manta::Task([] { return static_cast<int>(::getpid()); }).SetRank(rank).Remote()));
  }

  EXPECT_EQ(processes.size(), static_cast<std::size_t>(manta::NumRanks()));
}

TEST(SetRank, ToNoRankIsAUsageError) {
  EXPECT_THROW(manta::Task(RankHere).SetRank(manta::NumRanks()).Remote(), manta::UsageError);
  EXPECT_THROW(manta::Task(RankHere).SetRank(-1).Remote(), manta::UsageError);
}

TEST(SetRank, InATaskReachesTheDriversRank) {
  const auto nested = manta::Task([] { return *manta::Get(manta::Task(RankHere).SetRank(0).Remote()); });

  EXPECT_EQ(*manta::Get(nested.Remote()), 0);
}

TEST(SetCpus, IsWhatTheTaskHolds) {
  EXPECT_EQ(*manta::Get(manta::Task(CpusHere).Remote()), 1.0);
  EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetCpus(0).Remote()), 0.0);
  EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetCpus(0.5).Remote()), 0.5);
  EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetCpus(2).Remote()), 2.0);
  EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetCpus(2.5).Remote()), 2.5);
  EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetResource("CPU", 0.25).Remote()), 0.25);
}

TEST(SetCpus, OnAChosenRankToo) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetCpus(2).SetRank(rank).Remote()), 2.0);
    EXPECT_EQ(*manta::Get(manta::Task(CpusHere).SetCpus(0).SetRank(rank).Remote()), 0.0);
    EXPECT_EQ(*manta::Get(manta::Task(RankHere).SetCpus(0.5).SetRank(rank).Remote()), rank);
  }
}

TEST(SetCpus, RefusesWhatIsNoAmount) {
  EXPECT_THROW(manta::Task(CpusHere).SetCpus(-1), manta::UsageError);
  EXPECT_THROW(manta::Task(CpusHere).SetCpus(std::numeric_limits<double>::quiet_NaN()), manta::UsageError);
  EXPECT_THROW(manta::Task(CpusHere).SetCpus(std::numeric_limits<double>::infinity()), manta::UsageError);
  EXPECT_THROW(manta::Task(CpusHere).SetGpus(1.5), manta::UsageError);
  EXPECT_THROW(manta::Task(CpusHere).SetResource("license", -2), manta::UsageError);
}

TEST(Resources, LimitHowManyRunAtOnce) {
  const int nodes = static_cast<int>(manta::Nodes().size());

  EXPECT_LE(MostAtOnce(manta::Task(Stay).SetCpus(2)), 2 * nodes);
  EXPECT_LE(MostAtOnce(manta::Task(Stay).SetCpus(3)), nodes);
  EXPECT_LE(MostAtOnce(manta::Task(Stay).SetCpus(0).SetResource("license", 1)), 2 * nodes);
  EXPECT_LE(MostAtOnce(manta::Task(Stay).SetCpus(0).SetResources({{"license", 1.5}})), nodes);
  EXPECT_LE(MostAtOnce(manta::Task(Stay).SetCpus(0).SetMemory(std::uint64_t{600} << 20)), nodes);
}

TEST(Resources, AreUsedTogetherWhereTheyFit) {
  Gate gate;
  const auto license = manta::Task(api_test::ValueBehindGate).SetCpus(0).SetResource("license", 0.5);
  std::vector<manta::ObjectRef<int>> held;
  for (int i = 0; i < 4; ++i) held.push_back(license.Remote(gate.path(), i));

  EXPECT_TRUE(api_test::Eventually(
      [] { return manta::AvailableResources()["license"] <= manta::ClusterResources()["license"] - 2; }));
  gate.Open();
  manta::Get(held);

  EXPECT_TRUE(api_test::Eventually([] { return manta::AvailableResources()["license"] == manta::ClusterResources()["license"]; }));
}

TEST(Resources, AreGivenBackByTasksThatFail) {
  const auto fails = manta::Task([]() -> int { throw std::runtime_error("no"); }).SetCpus(3).SetResource("license", 2);

  for (int i = 0; i < 10; ++i) EXPECT_THROW(manta::Get(fails.Remote(), api_test::kPatience), manta::TaskError);
}

TEST(Resources, OfAWaitingParentDoNotStarveItsChildren) {
  const auto parent = manta::Task([] {
                        return *manta::Get(manta::Task(CpusHere).SetCpus(4).Remote()) + manta::Context().Cpus();
                      }).SetCpus(4);

  EXPECT_EQ(*manta::Get(parent.Remote(), api_test::kPatience), 8.0);
}

TEST(TaskBuilder, IsKeptAndUsedAgain) {
  auto builder = manta::Task([](int x) { return x + manta::Context().Rank(); });
  builder.SetName("kept").SetCpus(0.5);

  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 10; ++i) refs.push_back(builder.SetRank(i % manta::NumRanks()).Remote(i));

  for (int i = 0; i < 10; ++i) EXPECT_EQ(*manta::Get(refs[static_cast<std::size_t>(i)]), i + i % manta::NumRanks());
}

std::string NameHere() { return manta::Context().TaskName(); }

TEST(SetName, IsWhatTheTaskIsCalled) {
  EXPECT_EQ(*manta::Get(manta::Task(NameHere).SetName("my name").Remote()), "my name");
  EXPECT_NE(manta::Get(manta::Task(NameHere).Remote())->find("NameHere"), std::string::npos);
}

}  // namespace
