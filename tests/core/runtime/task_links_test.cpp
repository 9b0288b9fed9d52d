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

bool Offer(TaskLinks& links, TaskPtr task) { return links.TakeCreditOrKeep(kThere, task); }

/// What may be sent when `count` credits have come back, two at a time.
std::vector<TaskPtr> Given(TaskLinks& links, std::uint32_t count) {
  std::vector<TaskPtr> all;
  if (!links.TakeBackCredits(kThere, count)) return all;
  for (std::size_t given = 2; given == 2;) {
    TaskPtr some[2];
    given = links.GiveCredits(kThere, some);
    all.insert(all.end(), some, some + given);
  }
  return all;
}

TEST(TaskLinks, KeepWhatHasNoCreditInOrder) {
  TaskLinks links(2, 2);
  std::vector<TaskPtr> tasks;
  for (std::uint32_t i = 0; i < 5; ++i) tasks.push_back(Task(i));
  EXPECT_TRUE(links.TakeCreditOrKeep(kThere, tasks[0]));
  EXPECT_TRUE(links.TakeCreditOrKeep(kThere, tasks[1]));
  const std::vector<TaskPtr> kept(tasks.begin() + 2, tasks.end());
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_FALSE(links.TakeCreditOrKeep(kThere, tasks[i]));
    EXPECT_FALSE(tasks[i]) << "it was taken";
    EXPECT_EQ(kept[i - 2]->phase.load(), Phase::kQueued) << "so that a cancel ends it";
  }

  EXPECT_EQ(Given(links, 2), (std::vector<TaskPtr>{kept[0], kept[1]}));
  EXPECT_TRUE(Given(links, 0).empty()) << "both credits are taken again";
  EXPECT_EQ(kept[0]->phase.load(), Phase::kRunning) << "claimed for who sends it";
}

TEST(TaskLinks, SpendNoCreditOnWhatWasCancelled) {
  TaskLinks links(2, 1);
  const TaskPtr first = Task(0), cancelled = Task(1), last = Task(2);
  ASSERT_TRUE(Offer(links, first));
  ASSERT_FALSE(Offer(links, cancelled));
  ASSERT_FALSE(Offer(links, last));
  cancelled->phase.store(Phase::kDone);

  EXPECT_EQ(Given(links, 1), std::vector{last});
}

TEST(TaskLinks, HaveNewTasksWaitBehindThoseThatWait) {
  TaskLinks links(2, 2);
  const TaskPtr a = Task(0), b = Task(1), kept = Task(2), late = Task(3);
  Offer(links, a);
  Offer(links, b);
  Offer(links, kept);

  EXPECT_EQ(Given(links, 2), std::vector{kept});
  EXPECT_TRUE(Offer(links, late)) << "there is one left and nobody waits";
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
