// Init and Shutdown: once, twice, again, and what may be called in between. The tests are steps of one story: they run in
// the order in which they stand here. Started with flags of Manta and of its own.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

int g_argc = 0;
char** g_argv = nullptr;
int g_started_here = 0;  // how often on_start ran in this process

/// Outlives main: its destructor finds no session.
manta::ObjectRef<int> g_left_over;

struct Counter {
  std::string journal;
  Counter() = default;
  explicit Counter(std::string path) : journal(std::move(path)) {}
  ~Counter() {
    if (!journal.empty()) api_test::Note(journal, "destroyed");
  }
  int n = 0;
  int Add(int k) { return n += k; }
};

int StartsHere() { return g_started_here; }

TEST(Sessions, FirstOneHasTakenItsFlagsAndLeftTheProgramsOwn) {
  std::vector<std::string> arguments(g_argv + 1, g_argv + g_argc);
  std::vector<std::string> own;
  for (const auto& argument : arguments)
    if (argument.rfind("--gtest_", 0) != 0) own.push_back(argument);

  EXPECT_EQ(own, (std::vector<std::string>{"--verbose", "input.txt", "--", "--manta-of-the-program"}));
  EXPECT_EQ(g_argv[g_argc], nullptr);
}

TEST(Sessions, FirstOneRanOnStartOnceOnEveryRank) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(StartsHere).SetRank(rank).Remote()), 1);
}

TEST(Sessions, FirstOneRefusesASecondInit) {
  ASSERT_TRUE(manta::IsInitialized());

  EXPECT_THROW(manta::Init(), manta::UsageError);
  EXPECT_THROW(manta::Init(g_argc, g_argv), manta::UsageError);

  EXPECT_EQ(*manta::Get(manta::Put(1)), 1);
}

TEST(Sessions, ShutdownMakesEveryUseAUsageErrorThatSaysSo) {
  const auto put = manta::Put(std::vector<int>(10'000, 1));
  const auto result = manta::Task([] { return 1; }).Remote();
  const auto counter = manta::Actor<Counter>().Remote();
  const auto value = manta::Get(put);
  g_left_over = manta::Put(7);

  manta::Shutdown();

  EXPECT_FALSE(manta::IsInitialized());
  EXPECT_THROW(manta::Get(put), manta::UsageError);
  EXPECT_THROW(manta::Get(result, std::chrono::seconds(1)), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::Wait(std::vector{put})), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::Put(1)), manta::UsageError);
  EXPECT_THROW(manta::Task([] { return 1; }).Remote(), manta::UsageError);
  EXPECT_THROW(manta::Actor<Counter>().Remote(), manta::UsageError);
  EXPECT_THROW(counter.Task(&Counter::Add).Remote(1), manta::UsageError);
  EXPECT_THROW(manta::GetActor<Counter>("any"), manta::UsageError);
  EXPECT_THROW(manta::Nodes(), manta::UsageError);
  EXPECT_THROW(manta::Stats(), manta::UsageError);
  try {
    manta::Get(put);
  } catch (const manta::UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("shut down"), std::string::npos) << error.what();
  }
  EXPECT_EQ(value->size(), 10'000u) << "a Value that is held stays";
}

TEST(Sessions, ShutdownMayBeCalledTwice) {
  manta::Shutdown();
  EXPECT_FALSE(manta::IsInitialized());
}

TEST(Sessions, SecondOneWorksLikeTheFirst) {
  manta::Init();

  EXPECT_TRUE(manta::IsInitialized());
  std::vector<manta::ObjectRef<int>> refs;
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    refs.push_back(manta::Task([] { return manta::Context().Rank(); }).SetRank(rank).Remote());
  for (int rank = 0; rank < manta::NumRanks(); ++rank) EXPECT_EQ(*manta::Get(refs[static_cast<std::size_t>(rank)]), rank);
  const auto counter = manta::Actor<Counter>().SetName("counter").SetRank(manta::NumRanks() - 1).Remote();
  EXPECT_EQ(*manta::Get(counter.Task(&Counter::Add).Remote(2)), 2);
}

TEST(Sessions, SecondOneRefusesRefsOfTheFirst) {
  EXPECT_THROW(manta::Get(g_left_over), manta::UsageError);
  EXPECT_THROW(manta::Task([](int x) { return x; }).Remote(g_left_over), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::Put(std::vector{g_left_over})), manta::UsageError);
  EXPECT_THROW(manta::Cancel(g_left_over), manta::UsageError);
}

TEST(Sessions, SecondOneHasNoActorsOfTheFirst) {
  const auto named = manta::Actor<Counter>().SetName("of the second").SetDetached().Remote();
  manta::Get(named.Task(&Counter::Add).Remote(1));

  manta::Shutdown();
  manta::Init();

  EXPECT_FALSE(manta::GetActor<Counter>("of the second"));
  EXPECT_THROW(named.Task(&Counter::Add).Remote(1), manta::UsageError);
}

TEST(Sessions, ShutdownRunsTheDestructorsOfActors) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    api_test::Journal journal;
    const auto counter = manta::Actor<Counter>().SetDetached().SetRank(rank).Remote(journal.path());
    manta::Get(counter.Task(&Counter::Add).Remote(1));

    manta::Shutdown();

    EXPECT_EQ(journal.Count("destroyed"), 1u) << "on rank " << rank;
    manta::Init();
  }
}

TEST(Sessions, ShutdownWaitsForWhatRunsAndDropsWhatIsQueued) {
  api_test::Gate gate;
  api_test::Journal journal;
  const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  manta::Task([](const std::string& path, int) { api_test::Note(path, "ran"); }).Remote(journal.path(), gated);
  manta::Task([](const std::string& path) {
    api_test::Note(path, "began");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    api_test::Note(path, "ended");
  }).SetRank(manta::NumRanks() - 1).Remote(journal.path());
  ASSERT_TRUE(journal.WaitFor("began"));
  std::thread opener([&gate] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    gate.Open();
  });

  manta::Shutdown();

  opener.join();
  EXPECT_EQ(journal.Count("ended"), 1u);
  EXPECT_EQ(journal.Count("ran"), 0u);
  manta::Init();
}

TEST(Sessions, MayFollowEachOtherOften) {
  for (int i = 0; i < 10; ++i) {
    manta::Shutdown();
    manta::Init({.quiet = true});
    const auto ref = manta::Task([](const std::vector<int>& v) { return v.size(); }).SetRank(manta::NumRanks() - 1)
                         .Remote(std::vector<int>(100'000));
    EXPECT_EQ(*manta::Get(ref), 100'000u);
  }
}

TEST(Sessions, OneThatATaskOutlivesLeavesNothingInTheStore) {
  if (manta::NumRanks() == 1) GTEST_SKIP() << "Shutdown waits for the tasks of its own rank";
  manta::Shutdown();
  manta::Init({.cancel_grace_seconds = 0.05, .quiet = true});
  api_test::Journal journal;
  const int last = manta::NumRanks() - 1;
  const auto made = manta::Task([] { return std::vector<int>(1'000'000, 5); }).SetRank(last).Remote();
  EXPECT_EQ(manta::Get(made)->back(), 5);
  EXPECT_GT(manta::Stats().store_bytes_used, 0u);
  manta::Task([](const std::string& path) {
    api_test::Note(path, "began");
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }).SetRank(last).Remote(journal.path());
  ASSERT_TRUE(journal.WaitFor("began"));

  manta::Shutdown();
  manta::Init({.quiet = true});  // waits for it

  EXPECT_TRUE(api_test::Eventually([] { return manta::Stats().store_bytes_used == 0; }));
}

TEST(Sessions, MayEndBeforeAnArrayIsSealedOrLetGo) {
  auto unsealed = manta::Create<int>(100'000);
  auto dropped = manta::Create<int>(100'000);
  const auto read = manta::Get(manta::ObjectRef<manta::Array<int>>(manta::Put(std::vector<int>(100'000, 3))));
  manta::Shutdown();
  dropped = {};
  manta::Init({.quiet = true});
  EXPECT_THROW(static_cast<void>(unsealed.Seal()), manta::UsageError);
  auto other = manta::Create<int>(1'000'000);
  std::fill(other.begin(), other.end(), 4);
  EXPECT_EQ(read->front(), 3);
  EXPECT_EQ(read->back(), 3);
}

}  // namespace

int main(int argc, char** argv) {
  manta::Init(argc, argv, {.on_start = [] { ++g_started_here; }});
  g_argc = argc;
  g_argv = argv;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();  // no Shutdown: the end of main is one
}
