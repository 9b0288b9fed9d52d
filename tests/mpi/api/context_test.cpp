// What a task knows of itself.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

std::uint64_t SeedHere() { return manta::Context().Seed(); }

TEST(Context, OfTheDriverDescribesTheDriver) {
  const auto context = manta::Context();

  EXPECT_FALSE(context.InTask());
  EXPECT_EQ(context.Rank(), 0);
  EXPECT_EQ(context.Node(), 0);
  EXPECT_EQ(context.Attempt(), 0);
  EXPECT_FALSE(context.IsCancelled());
  EXPECT_EQ(context.ActorName(), "");
  EXPECT_TRUE(context.AssignedGpus().empty());
  EXPECT_EQ(manta::ThisRank(), 0);
}

TEST(Context, OfATaskDescribesTheTask) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto report = manta::Task([](int expected) {
                          const auto context = manta::Context();
                          std::string wrong;
                          if (!context.InTask()) wrong += "InTask ";
                          if (context.Rank() != expected || manta::ThisRank() != expected) wrong += "Rank ";
                          if (context.Attempt() != 0) wrong += "Attempt ";
                          if (context.TaskName() != "reporter") wrong += "TaskName=" + context.TaskName() + ' ';
                          if (context.Cpus() != 1.0) wrong += "Cpus ";
                          if (context.IsCancelled()) wrong += "IsCancelled ";
                          if (context.ActorName() != "") wrong += "ActorName ";
                          bool of_node = false;
                          for (const auto& node : manta::Nodes())
                            for (int r : node.ranks) of_node = of_node || (r == expected && node.id == context.Node());
                          if (!of_node) wrong += "Node ";
                          return wrong;
                        }).SetName("reporter").SetRank(rank).Remote(rank);
    EXPECT_EQ(*manta::Get(report), "");
  }
}

TEST(Context, OfAnActorCallNamesTheActor) {
  struct Reporter {
    std::string Name() const { return manta::Context().ActorName() + (manta::Context().InTask() ? "!" : "?"); }
  };
  const auto reporter = manta::Actor<Reporter>().SetName("the reporter").SetRank(manta::NumRanks() - 1).Remote();

  EXPECT_EQ(*manta::Get(reporter.Task(&Reporter::Name).Remote()), "the reporter!");
}

TEST(Context, StaysTheTasksOwnOverAWait) {
  const auto outer = manta::Task([] {
                       const auto before = manta::Context().TaskName();
                       std::vector<manta::ObjectRef<std::string>> inner;
                       for (int rank = 0; rank < manta::NumRanks(); ++rank)
                         inner.push_back(manta::Task([] { return manta::Context().TaskName(); }).SetName("inner").SetRank(rank).Remote());
                       for (const auto& name : manta::Get(inner))
                         if (*name != "inner") return "inner is " + *name;
                       return before + manta::Context().TaskName();
                     }).SetName("outer").SetRank(manta::NumRanks() - 1).Remote();

  EXPECT_EQ(*manta::Get(outer), "outerouter");
}

TEST(Seed, OfEachTaskIsItsOwn) {
  std::set<std::uint64_t> seeds{manta::Context().Seed()};
  for (int i = 0; i < 200; ++i) seeds.insert(*manta::Get(manta::Task(SeedHere).Remote()));
  for (const auto& seed : *manta::Get(manta::Task([] {
         std::vector<std::uint64_t> inner;
         for (int i = 0; i < 20; ++i) inner.push_back(*manta::Get(manta::Task(SeedHere).Remote()));
         return inner;
       }).Remote()))
    seeds.insert(seed);

  EXPECT_EQ(seeds.size(), 221u);
}

TEST(Seed, IsTheSameAtEveryRetry) {
  api_test::Journal journal;
  const auto retried = manta::Task([](const std::string& path) {
                         api_test::Note(path, std::to_string(manta::Context().Seed()));
                         if (manta::Context().Attempt() < 2) throw std::runtime_error("again");
                       }).SetMaxRetries(3).SetRetryExceptions<std::runtime_error>().Remote(journal.path());
  manta::Get(retried);

  const auto lines = journal.Lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(std::set<std::string>(lines.begin(), lines.end()).size(), 1u);
}

}  // namespace
