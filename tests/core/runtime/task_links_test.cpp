#include "core/runtime/task_links.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace manta::runtime {
namespace {

using task::Phase;
using task::TaskPtr;
using task::TaskRecord;

const Rank kThere{1};

TaskPtr Task(std::uint32_t slot) { return TaskRecord::MakeForeign({}, {Rank(0), slot, 1}); }

TEST(TaskLinks, KeepWhatHasNoCreditInOrder) {
  TaskLinks links(2, 2);
  std::vector<TaskPtr> tasks;
  for (std::uint32_t i = 0; i < 5; ++i) tasks.push_back(Task(i));
  EXPECT_TRUE(links.TakeCreditOrKeep(kThere, tasks[0]));
  EXPECT_TRUE(links.TakeCreditOrKeep(kThere, tasks[1]));
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_FALSE(links.TakeCreditOrKeep(kThere, tasks[i]));
    EXPECT_EQ(tasks[i]->phase.load(), Phase::kQueued) << "so that a cancel ends it";
  }

  EXPECT_EQ(links.GiveCredits(kThere, 2), tasks[2]);
  EXPECT_EQ(links.GiveCredits(kThere, 0), tasks[3]);
  EXPECT_FALSE(links.GiveCredits(kThere, 0)) << "both credits are taken again";
  EXPECT_EQ(tasks[2]->phase.load(), Phase::kRunning) << "claimed for who sends it";
}

TEST(TaskLinks, SpendNoCreditOnWhatWasCancelled) {
  TaskLinks links(2, 1);
  const TaskPtr first = Task(0), cancelled = Task(1), last = Task(2);
  ASSERT_TRUE(links.TakeCreditOrKeep(kThere, first));
  ASSERT_FALSE(links.TakeCreditOrKeep(kThere, cancelled));
  ASSERT_FALSE(links.TakeCreditOrKeep(kThere, last));
  cancelled->phase.store(Phase::kDone);

  EXPECT_EQ(links.GiveCredits(kThere, 1), last);
}

TEST(TaskLinks, HaveNewTasksWaitBehindThoseThatWait) {
  TaskLinks links(2, 2);
  const TaskPtr a = Task(0), b = Task(1), kept = Task(2), late = Task(3);
  links.TakeCreditOrKeep(kThere, a);
  links.TakeCreditOrKeep(kThere, b);
  links.TakeCreditOrKeep(kThere, kept);

  EXPECT_EQ(links.GiveCredits(kThere, 2), kept);
  EXPECT_TRUE(links.TakeCreditOrKeep(kThere, late)) << "there is one left and nobody waits";
}

TEST(TaskLinks, RememberWhichClassesARankWasTold) {
  TaskLinks links(3, 1);
  EXPECT_FALSE(links.IsTold(kThere, 5));

  links.SetTold(kThere, 5);
  links.SetTold(kThere, 70'000);

  EXPECT_TRUE(links.IsTold(kThere, 5));
  EXPECT_TRUE(links.IsTold(kThere, 70'000));
  EXPECT_FALSE(links.IsTold(kThere, 6));
  EXPECT_FALSE(links.IsTold(Rank(2), 5)) << "each rank is told by itself";
}

}  // namespace
}  // namespace manta::runtime
