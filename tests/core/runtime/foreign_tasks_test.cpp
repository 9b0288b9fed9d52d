#include "core/runtime/foreign_tasks.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace manta::runtime {
namespace {

using task::Phase;
using task::TaskPtr;
using task::TaskRecord;

TaskPtr Task(std::uint32_t slot, std::uint32_t generation = 1) {
  return TaskRecord::MakeForeign({}, {Rank(1), slot, generation});
}

TEST(ForeignTasks, AreFoundByTheirIdsUntilTheyEnd) {
  ForeignTasks tasks(2);
  const TaskPtr near = Task(3), far = Task(1'000'000);
  tasks.Add(near, near->result());
  tasks.Add(far, far->result());

  EXPECT_EQ(tasks.Find(near->result()), near);
  EXPECT_EQ(tasks.Find(far->result()), far);
  EXPECT_EQ(tasks.Find(far->result()), far) << "finding takes nothing out";
  EXPECT_FALSE(tasks.Find({Rank(1), 3, 2})) << "a later use of the slot";
  EXPECT_FALSE(tasks.Find({Rank(0), 3, 1})) << "another owner's";
  EXPECT_FALSE(tasks.Find({Rank(1), 9'000, 1}));

  near->phase.store(Phase::kDone);
  tasks.Remove(near, near->result());
  EXPECT_FALSE(tasks.Find(near->result()));
}

TEST(ForeignTasks, KeepTheLaterAttemptWhenTheEarlierEnds) {
  ForeignTasks tasks(2);
  const TaskPtr first = Task(3), again = Task(3);
  tasks.Add(first, first->result());
  tasks.Add(again, again->result());

  tasks.Remove(first, first->result());

  EXPECT_EQ(tasks.Find(again->result()), again);
}

TEST(ForeignTasks, AreLetGoOfOnceWhateverMeets) {
  // One thread adds and looks for tasks, as the token's holder does; another ends them meanwhile.
  ForeignTasks tasks(2);
  constexpr int kRounds = 2'000;
  std::atomic<TaskRecord*> to_end{nullptr};
  std::thread ender([&] {
    for (int round = 0; round < kRounds; ++round) {
      TaskRecord* record = nullptr;
      while ((record = to_end.exchange(nullptr, std::memory_order_acq_rel)) == nullptr) std::this_thread::yield();
      const TaskPtr task = TaskPtr::Adopt(record);
      task->phase.store(Phase::kDone, std::memory_order_seq_cst);
      tasks.Remove(task, task->result());
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    const ObjectId id{Rank(1), 7, static_cast<std::uint32_t>(round + 1)};
    const TaskPtr task = TaskRecord::MakeForeign({}, id);
    tasks.Add(task, task->result());
    to_end.store(TaskPtr(task).Release(), std::memory_order_release);
    while (task->phase.load(std::memory_order_acquire) != Phase::kDone) tasks.Find(id);
    while (tasks.Find(id)) std::this_thread::yield();  // its end is near
  }
  ender.join();
}

}  // namespace
}  // namespace manta::runtime
