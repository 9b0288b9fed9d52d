// Cancel: queued tasks never run, running ones see it, children too, and Get throws at once.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using api_test::Journal;

int NoteAndReturn(const std::string& journal, int value) {
  api_test::Note(journal, "ran");
  return value;
}

/// Runs until it is cancelled.
void UntilCancelled(const std::string& journal) {
  api_test::Note(journal, "started");
  if (api_test::Eventually([] { return manta::Context().IsCancelled(); })) api_test::Note(journal, "saw it");
}

TEST(Cancel, OfATaskThatWaitsForAnArgumentKeepsItFromRunning) {
  Gate gate;
  Journal journal;
  const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  const auto queued = manta::Task(NoteAndReturn).Remote(journal.path(), gated);

  manta::Cancel(queued);

  EXPECT_THROW(manta::Get(queued, api_test::kPatience), manta::CancelledError);
  gate.Open();
  EXPECT_EQ(*manta::Get(gated), 1);
  manta::Drain();
  EXPECT_TRUE(journal.Lines().empty());
}

TEST(Cancel, OfATaskBehindOthersKeepsItFromRunning) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Gate gate;
    Journal journal;
    std::vector<manta::ObjectRef<int>> busy;
    const int cpus = static_cast<int>(manta::ClusterResources()["CPU"]);
    for (int i = 0; i < cpus; ++i) busy.push_back(manta::Task(api_test::ValueBehindGate).SetRank(rank).Remote(gate.path(), i));
    const auto queued = manta::Task(NoteAndReturn).SetRank(rank).Remote(journal.path(), 1);

    manta::Cancel(queued);

    EXPECT_THROW(manta::Get(queued, api_test::kPatience), manta::CancelledError);
    // The word travels: a later message to that rank has come when the cancel has.
    manta::Get(manta::Task([] {}).SetCpus(0).SetRank(rank).Remote());
    gate.Open();
    manta::Get(busy);
    manta::Drain();
    EXPECT_TRUE(journal.Lines().empty()) << "on rank " << rank;
  }
}

TEST(Cancel, OfARunningTaskIsSeenByIt) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Journal journal;
    const auto running = manta::Task(UntilCancelled).SetRank(rank).Remote(journal.path());
    ASSERT_TRUE(journal.WaitFor("started"));

    manta::Cancel(running);

    EXPECT_THROW(manta::Get(running, api_test::kPatience), manta::CancelledError);
    EXPECT_TRUE(journal.WaitFor("saw it")) << "on rank " << rank;
  }
}

TEST(Cancel, MakesGetThrowAtOnce) {
  Gate gate;
  Journal journal;
  const auto deaf = manta::Task([](const std::string& path, const std::string& started) {
                      api_test::Note(started, "started");
                      api_test::PassGate(path);
                    }).SetRank(manta::NumRanks() - 1).Remote(gate.path(), journal.path());
  ASSERT_TRUE(journal.WaitFor("started"));

  manta::Cancel(deaf);

  EXPECT_THROW(manta::Get(deaf, api_test::kPatience), manta::CancelledError);
  EXPECT_TRUE(std::filesystem::exists(gate.path())) << "the task ended before Get did";
}

TEST(Cancel, ReachesTheChildren) {
  Journal journal;
  const auto parent = manta::Task([](const std::string& path) {
                        std::vector<manta::ObjectRef<void>> children;
                        for (int rank = 0; rank < manta::NumRanks(); ++rank)
                          children.push_back(manta::Task(UntilCancelled).SetCpus(0).SetRank(rank).Remote(path));
                        manta::Get(children);
                      }).Remote(journal.path());
  const auto ranks = static_cast<std::size_t>(manta::NumRanks());
  ASSERT_TRUE(journal.WaitFor("started", ranks));

  manta::Cancel(parent);

  EXPECT_THROW(manta::Get(parent, api_test::kPatience), manta::CancelledError);
  EXPECT_TRUE(journal.WaitFor("saw it", ranks));
}

TEST(Cancel, WakesATaskThatWaitsInGet) {
  Gate gate;
  Journal journal;
  const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  const auto waits = manta::Task([](std::vector<manta::ObjectRef<int>> refs, const std::string& path) {
                       api_test::Note(path, "started");
                       try {
                         manta::Get(refs[0]);
                       } catch (const manta::CancelledError&) {
                         api_test::Note(path, "woken");
                         throw;
                       }
                     }).SetRank(manta::NumRanks() - 1).Remote(std::vector{gated}, journal.path());
  ASSERT_TRUE(journal.WaitFor("started"));

  manta::Cancel(waits);

  EXPECT_THROW(manta::Get(waits, api_test::kPatience), manta::CancelledError);
  EXPECT_TRUE(journal.WaitFor("woken"));
  EXPECT_TRUE(std::filesystem::exists(gate.path()));
}

TEST(Cancel, IsNeverFollowedByARetry) {
  Journal journal;
  const auto task = manta::Task([](const std::string& path) {
                      api_test::Note(path, "started");
                      api_test::Eventually([] { return manta::Context().IsCancelled(); });
                      throw std::runtime_error("because it was cancelled");
                    }).SetMaxRetries(5).SetRetryExceptions<std::exception>().Remote(journal.path());
  ASSERT_TRUE(journal.WaitFor("started"));

  manta::Cancel(task);

  EXPECT_THROW(manta::Get(task, api_test::kPatience), manta::CancelledError);
  manta::Drain();
  EXPECT_EQ(journal.Count("started"), 1u);
}

TEST(Cancel, FailsTheDependants) {
  Gate gate;
  Journal journal;
  const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  const auto middle = manta::Task([](int x) { return x; }).Remote(gated);
  const auto last = manta::Task(NoteAndReturn).Remote(journal.path(), middle);

  manta::Cancel(middle);

  EXPECT_THROW(manta::Get(last, api_test::kPatience), manta::CancelledError);
  EXPECT_TRUE(journal.Lines().empty());
}

TEST(Cancel, OfWhatIsDoneChangesNothing) {
  const auto done = manta::Task([] { return 5; }).Remote();
  manta::Get(done);
  const auto put = manta::Put(6);

  manta::Cancel(done);
  manta::Cancel(done);
  manta::Cancel(put);

  EXPECT_EQ(*manta::Get(done), 5);
  EXPECT_EQ(*manta::Get(put), 6);
}

TEST(Cancel, IsCounted) {
  Gate gate;
  const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  const auto before = manta::Stats().tasks_cancelled;
  const auto queued = manta::Task([](int x) { return x; }).Remote(gated);

  manta::Cancel(queued);
  EXPECT_THROW(manta::Get(queued), manta::CancelledError);
  gate.Open();

  EXPECT_TRUE(api_test::Eventually([&] { return manta::Stats().tasks_cancelled - before >= 1; }));
}

TEST(Cancel, MayRaceWithTheEndOfTheTask) {
  for (int i = 0; i < 300; ++i) {
    const auto ref = manta::Task([](int x) { return x; }).SetRank(i % manta::NumRanks()).Remote(i);
    manta::Cancel(ref);
    try {
      EXPECT_EQ(*manta::Get(ref, api_test::kPatience), i);
    } catch (const manta::CancelledError&) {
    }
  }
}

}  // namespace
