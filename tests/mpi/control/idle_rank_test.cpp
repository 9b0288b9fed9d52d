// No executor has nothing to do while a task that it could run waits elsewhere, whatever keeps the others busy; and
// ranks that wait for work in vain are quiet. Runs with --manta-cpus 4 on two ranks, so that each has two executors.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;
using namespace std::chrono_literals;

constexpr auto kSoon = 2s;  // a task takes microseconds; only another's end would come later than this

int RankAfterNote(const std::string& journal, const std::string& gate) {
  api_test::Note(journal, "runs");
  if (!gate.empty()) api_test::PassGate(gate);
  return manta::ThisRank();
}

/// Occupies the executors of a rank until the gate opens.
std::vector<manta::ObjectRef<int>> Occupy(int rank, int count, const Journal& journal, const Gate& gate) {
  const std::size_t before = journal.Lines().size();
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < count; ++i)
    refs.push_back(manta::Task(RankAfterNote).SetRank(rank).Remote(journal.path(), gate.path()));
  EXPECT_TRUE(journal.WaitFor("runs", before + static_cast<std::size_t>(count)));
  return refs;
}

class IdleRank : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(manta::NumRanks(), 2);
    ASSERT_EQ(manta::ClusterResources()["CPU"], 4);
    manta::Drain();
  }
};

TEST_F(IdleRank, RunsWhatWaitsBehindLongTasksOfAnother) {
  Gate gate;
  Journal journal;
  const auto busy = Occupy(0, 2, journal, gate);

  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(*manta::Get(manta::Task(RankAfterNote).Remote(journal.path(), ""), kSoon), 1);
    if (i % 4 == 0) std::this_thread::sleep_for(50ms);  // it may fall asleep
  }
}

TEST_F(IdleRank, RunsItWithItsSecondExecutorBesideALongTaskThatItWasGiven) {
  Gate gate;
  Journal journal;
  const auto busy = Occupy(0, 2, journal, gate);
  const auto given = manta::Task(RankAfterNote).Remote(journal.path(), gate.path());
  ASSERT_TRUE(journal.WaitFor("runs", 3));

  const auto next = manta::Task(RankAfterNote).Remote(journal.path(), "");

  EXPECT_EQ(*manta::Get(next, kSoon), 1);
}

TEST_F(IdleRank, RunsWhatARankWithoutFreeCpusCannot) {
  Gate gate;
  Journal journal;
  // Three of the four CPUs are out in a lease, so at least one rank has none, though its executors have nothing to do.
  const auto leased = manta::Task(RankAfterNote).SetCpus(3).Remote(journal.path(), gate.path());
  ASSERT_TRUE(journal.WaitFor("runs"));
  std::this_thread::sleep_for(50ms);

  for (int rank = 0; rank < 2; ++rank) {
    const auto submitter = manta::Task([](const std::string& path) {
                             return *manta::Get(manta::Task(RankAfterNote).Remote(path, ""));
                           }).SetCpus(0).SetRank(rank).Remote(journal.path());
    EXPECT_NO_THROW(manta::Get(submitter, kSoon)) << "submitted on rank " << rank;
  }
}

TEST_F(IdleRank, RunsItAfterAPinnedTaskCameBetween) {
  // Its question for work is out while it runs a task that it had not asked for.
  for (int i = 0; i < 200; ++i) {
    Gate gate;
    Journal journal;
    const auto busy = Occupy(0, 2, journal, gate);
    const auto pinned = manta::Task([] {}).SetRank(1).Remote();
    const auto next = manta::Task(RankAfterNote).Remote(journal.path(), "");
    ASSERT_EQ(*manta::Get(next, kSoon), 1) << "round " << i;
    gate.Open();
    manta::Get(busy);
  }
}

TEST_F(IdleRank, IsQuietWhileOnlyPinnedTasksWait) {
  Gate gate;
  Journal journal;
  const auto busy = Occupy(0, 2, journal, gate);
  std::vector<manta::ObjectRef<int>> waiting;
  for (int i = 0; i < 4; ++i)
    waiting.push_back(manta::Task(RankAfterNote).SetRank(0).Remote(journal.path(), gate.path()));
  // One that may move has made rank 0 known as a rank that has tasks for others.
  manta::Get(manta::Task(RankAfterNote).Remote(journal.path(), ""), kSoon);
  std::this_thread::sleep_for(100ms);

  const std::uint64_t before = manta::Stats().messages_sent;
  std::this_thread::sleep_for(500ms);
  const std::uint64_t sent = manta::Stats().messages_sent - before;

  EXPECT_LE(sent, 200u) << "messages in half a second in which nothing happens";
}

}  // namespace
