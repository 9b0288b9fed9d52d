#include "core/scheduling/ready_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace manta::scheduling {
namespace {

TaskPtr Queued(std::uint32_t slot, bool pinned = false) {
  TaskPtr task = task::TaskRecord::MakeForeign({}, {Rank(0), slot, 1});
  if (pinned) task->Pin(Rank(0));
  task->phase.store(task::Phase::kQueued);
  return task;
}

std::vector<std::uint32_t> Slots(const std::vector<TaskPtr>& tasks) {
  std::vector<std::uint32_t> slots;
  for (const TaskPtr& task : tasks) slots.push_back(task->result().slot);
  return slots;
}

TEST(ReadyQueue, GivesTheRanksTasksInOrderOfSubmission) {
  ReadyQueue queue(1);
  for (std::uint32_t slot = 1; slot <= 3; ++slot) queue.Push(Queued(slot));

  EXPECT_EQ(queue.Pop(0)->result().slot, 1u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 2u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 3u);
  EXPECT_FALSE(queue.Pop(0));
}

TEST(ReadyQueue, GivesAnExecutorItsOwnChildrenNewestFirstAndBeforeTheRest) {
  ReadyQueue queue(2);
  queue.Push(Queued(1));
  queue.PushChild(0, Queued(2));
  queue.PushChild(0, Queued(3));

  EXPECT_EQ(queue.Pop(0)->result().slot, 3u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 2u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 1u);
}

TEST(ReadyQueue, GivesAnotherExecutorTheOldestChildWhenNothingElseIsLeft) {
  ReadyQueue queue(2);
  queue.PushChild(0, Queued(1));
  queue.PushChild(0, Queued(2));

  EXPECT_EQ(queue.Pop(1)->result().slot, 1u);
}

TEST(ReadyQueue, ClaimsWhatItGives) {
  ReadyQueue queue(1);
  queue.Push(Queued(1));

  const TaskPtr task = queue.Pop(0);

  EXPECT_EQ(task->phase.load(), task::Phase::kRunning);
}

TEST(ReadyQueue, PassesOverRecordsThatWereClaimedOrCancelledMeanwhile) {
  ReadyQueue queue(1);
  const TaskPtr claimed = Queued(1), cancelled = Queued(2);
  queue.Push(claimed);
  queue.Push(cancelled);
  queue.Push(Queued(3));
  claimed->Claim();
  cancelled->phase.store(task::Phase::kDone);

  EXPECT_EQ(queue.Pop(0)->result().slot, 3u);
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, GivesOtherRanksTheOldestThatAreNotPinned) {
  ReadyQueue queue(1);
  queue.Push(Queued(1, true));
  for (std::uint32_t slot = 2; slot <= 4; ++slot) queue.Push(Queued(slot));
  queue.PushChild(0, Queued(5));

  EXPECT_EQ(Slots(queue.TakeForOthers(2)), (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(Slots(queue.TakeForOthers(9)), (std::vector<std::uint32_t>{4, 5}));
  EXPECT_EQ(queue.Pop(0)->result().slot, 1u);
}

TEST(ReadyQueue, KeepsTheOrderOfPinnedAndOtherTasks) {
  ReadyQueue queue(1);
  for (std::uint32_t slot = 1; slot <= 9; ++slot) queue.Push(Queued(slot, slot % 3 == 0));

  EXPECT_EQ(queue.Pop(0)->result().slot, 1u);
  EXPECT_EQ(Slots(queue.TakeForOthers(3)), (std::vector<std::uint32_t>{2, 4, 5}));
  for (std::uint32_t slot : {3u, 6u, 7u, 8u, 9u}) EXPECT_EQ(queue.Pop(0)->result().slot, slot);
  EXPECT_FALSE(queue.Pop(0));
}

TEST(ReadyQueue, KeepsPinnedChildrenFromOtherRanks) {
  ReadyQueue queue(1);
  for (std::uint32_t slot = 1; slot <= 4; ++slot) queue.PushChild(0, Queued(slot, slot <= 2));

  EXPECT_EQ(Slots(queue.TakeForOthers(2)), (std::vector<std::uint32_t>{3, 4}));
  EXPECT_EQ(queue.Pop(0)->result().slot, 1u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 2u);
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, ATaskThatIsQueuedAgainTooEarlyKeepsItsPlace) {
  ReadyQueue queue(1);
  const TaskPtr retried = Queued(1);
  queue.Push(retried);
  queue.Push(Queued(2));
  retried->Claim();  // by a parent that runs it in place; it fails and is tried again
  retried->phase.store(task::Phase::kQueued);
  queue.Push(retried);

  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 1u);
  EXPECT_EQ(queue.Pop(0)->result().slot, 2u);
  EXPECT_FALSE(queue.Pop(0));
  retried->phase.store(task::Phase::kQueued);
  queue.Push(retried);
  EXPECT_EQ(queue.Pop(0)->result().slot, 1u) << "once it was taken it may be queued again";
}

TEST(ReadyQueue, GivesManyChildrenFromBothEnds) {
  ReadyQueue queue(2);
  for (std::uint32_t slot = 1; slot <= 1000; ++slot) queue.PushChild(0, Queued(slot));

  for (std::uint32_t step = 0; step < 500; ++step) {
    EXPECT_EQ(queue.Pop(0)->result().slot, 1000 - step);
    EXPECT_EQ(queue.Pop(1)->result().slot, 1 + step);
  }
  EXPECT_TRUE(queue.empty());
}

TEST(ReadyQueue, KeepsHalfOfItsTasksFromOtherRanks) {
  ReadyQueue queue(1);
  for (std::uint32_t slot = 1; slot <= 5; ++slot) queue.Push(Queued(slot));

  EXPECT_EQ(Slots(queue.TakeForOthers(100)), (std::vector<std::uint32_t>{1, 2, 3}));
}

}  // namespace
}  // namespace manta::scheduling
