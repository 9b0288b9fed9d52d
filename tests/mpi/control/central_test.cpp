// One-CPU tasks under --manta-scheduler central, with 4 CPUs: rank 0 places each of them, once, and no rank runs more
// at a time than it has CPUs.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;
using control_test::Eventually;
using namespace std::chrono_literals;

constexpr auto kLimit = 25s;
constexpr int kCpus = 4;

std::uint64_t Placed() { return manta::Stats().tasks_scheduled_by_rank0; }

int RankOf(int) { return manta::ThisRank(); }

int RankAfterNote(const std::string& journal, const std::string& gate) {
  api_test::Note(journal, "runs");
  if (!gate.empty()) api_test::PassGate(gate);
  return manta::ThisRank();
}

/// Very short tasks, after which ranks are given more than one for each CPU.
void MakeRanksTakeMany() {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 5000; ++i) refs.push_back(manta::Task(RankOf).Remote(i));
  manta::Get(refs, kLimit);
}

TEST(Central, PlacesEachTaskOnce) {
  constexpr int kTasks = 20'000;
  const std::uint64_t before = Placed();
  std::vector<manta::ObjectRef<int>> refs;
  std::vector<int> expected;
  for (int i = 0; i < kTasks; ++i) {
    const bool bound = i % 7 == 0;
    expected.push_back(bound ? i % manta::NumRanks() : -1);
    auto task = manta::Task(RankOf);
    if (bound) task.SetRank(expected.back());
    refs.push_back(task.Remote(i));
  }
  const auto ranks = manta::Get(refs, kLimit);

  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const int rank = *ranks[i];
    ASSERT_TRUE(expected[i] < 0 || rank == expected[i]) << "task " << i << " ran on rank " << rank;
  }
  EXPECT_EQ(Placed() - before, static_cast<std::uint64_t>(kTasks));
}

TEST(Central, PlacesManyTasksWithAMessage) {
  if (manta::NumRanks() == 1) GTEST_SKIP() << "a rank that tells itself does so whenever it has nothing to do";
  constexpr std::uint64_t kTasks = 50'000;
  MakeRanksTakeMany();
  const std::uint64_t before = manta::Stats().scheduler_messages;
  std::vector<manta::ObjectRef<int>> refs;
  for (std::uint64_t i = 0; i < kTasks; ++i) refs.push_back(manta::Task(RankOf).Remote(0));
  manta::Get(refs, kLimit);

  // Each task that is told of alone would be a message at least.
  EXPECT_LT(manta::Stats().scheduler_messages - before, kTasks / 2);
}

TEST(Central, PlacesTasksThatComeOneByOneTheSameEachTime) {
  MakeRanksTakeMany();
  // A rank says what has ended before the result comes, so rank 0 is free again; and the lowest of equals is chosen.
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(*manta::Get(manta::Task(RankOf).Remote(i), kLimit), 0) << "task " << i;
}

std::atomic<int> running{0}, most_running{0};  // of this rank

void RunABit(int) {
  const int now = ++running;
  for (int most = most_running; most < now && !most_running.compare_exchange_weak(most, now);) {
  }
  std::this_thread::sleep_for(200us);
  --running;
}

TEST(Central, RunsNoMoreTasksOnARankThanItHasCpus) {
  MakeRanksTakeMany();
  std::vector<manta::ObjectRef<void>> refs;
  for (int i = 0; i < 1000; ++i) refs.push_back(manta::Task(RunABit).Remote(i));
  manta::Get(refs, kLimit);

  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto most = manta::Task([] { return most_running.load(); }).SetCpus(0).SetRank(rank).Remote();
    const int cpus = kCpus / manta::NumRanks() + (rank < kCpus % manta::NumRanks() ? 1 : 0);
    EXPECT_EQ(*manta::Get(most, kLimit), cpus) << "rank " << rank;
  }
}

/// Of 40 tasks three are long, so that one of the four CPUs is left for the others.
TEST(Central, LeavesNoTaskBehindALongOneWhileACpuIsFree) {
  for (int i = 0; i < 20; ++i) {
    MakeRanksTakeMany();
    Gate gate;
    Journal journal;
    std::vector<manta::ObjectRef<int>> refs;
    for (int k = 0; k < 40; ++k)
      refs.push_back(manta::Task(RankAfterNote).Remote(journal.path(), k % 13 == 5 ? gate.path() : ""));

    EXPECT_TRUE(journal.WaitFor("runs", 40)) << "round " << i << ": " << journal.Lines().size() << " have begun";
    gate.Open();
    manta::Get(refs, kLimit);
  }
}

int RankAfterWaitAndNote(const std::string& journal, const std::string& gate) {
  manta::Get(manta::Task(RankOf).Remote(0), kLimit);
  return RankAfterNote(journal, gate);
}

TEST(Central, LeavesNoTaskBehindALongOneThatWentOnAfterAWait) {
  for (int i = 0; i < 20; ++i) {
    MakeRanksTakeMany();
    Gate gate;
    Journal journal;
    std::vector<manta::ObjectRef<int>> refs;
    for (int k = 0; k < 40; ++k) {
      if (k == 5)  // one: it goes on where it began, so another that had begun there would hold it up
        refs.push_back(manta::Task(RankAfterWaitAndNote).Remote(journal.path(), gate.path()));
      else
        refs.push_back(manta::Task(RankAfterNote).Remote(journal.path(), ""));
    }

    EXPECT_TRUE(journal.WaitFor("runs", 40)) << "round " << i << ": " << journal.Lines().size() << " have begun";
    gate.Open();
    manta::Get(refs, kLimit);
  }
}

TEST(Central, GivesThePlacesOfCancelledTasksToOthers) {
  MakeRanksTakeMany();
  for (int i = 0; i < 20; ++i) {
    Gate gate;
    Journal journal;
    std::vector<manta::ObjectRef<int>> busy, cancelled;
    for (int k = 0; k < kCpus; ++k) busy.push_back(manta::Task(RankAfterNote).Remote(journal.path(), gate.path()));
    ASSERT_TRUE(journal.WaitFor("runs", kCpus));
    for (int k = 0; k < 600; ++k) cancelled.push_back(manta::Task(RankOf).Remote(k));
    for (const auto& ref : cancelled) manta::Cancel(ref);
    for (const auto& ref : cancelled) EXPECT_THROW(manta::Get(ref, kLimit), manta::CancelledError);
    gate.Open();
    manta::Get(busy, kLimit);
  }

  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 3000; ++i) refs.push_back(manta::Task(RankOf).Remote(i));
  EXPECT_NO_THROW(manta::Get(refs, kLimit));
}

int Fib(int n) {
  if (n < 2) return n;
  const auto a = manta::Task(Fib).Remote(n - 1), b = manta::Task(Fib).Remote(n - 2);
  return *manta::Get(a, kLimit) + *manta::Get(b, kLimit);
}

TEST(Central, RunsTasksThatWaitForOthers) {
  MakeRanksTakeMany();

  EXPECT_EQ(*manta::Get(manta::Task(Fib).Remote(14), kLimit), 377);
}

TEST(Central, LetsTasksOfAllShapesTakeTurns) {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 2000; ++i) {
    refs.push_back(manta::Task(RankOf).Remote(i));
    if (i % 100 == 0) refs.push_back(manta::Task(RankOf).SetCpus(i % 200 == 0 ? kCpus : 0.5).Remote(i));
  }

  EXPECT_NO_THROW(manta::Get(refs, kLimit));
  EXPECT_TRUE(Eventually([] { return manta::AvailableResources()["CPU"] == kCpus; }));
}

}  // namespace
