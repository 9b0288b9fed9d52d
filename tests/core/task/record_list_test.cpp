#include "core/task/record_list.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace manta::task {
namespace {

TaskPtr MakeTask(std::uint32_t slot) { return TaskRecord::MakeForeign({}, {Rank(1), slot, 1}); }

std::vector<std::uint32_t> Slots(const RecordList& list) {
  std::vector<std::uint32_t> slots;
  for (const TaskRecord* at = list.first(); at != nullptr; at = at->queue_next) slots.push_back(at->result().slot);
  return slots;
}

TEST(RecordList, GivesBackInOrder) {
  const TaskPtr a = MakeTask(1), b = MakeTask(2);
  RecordList list;
  EXPECT_TRUE(list.empty());
  list.Push(a.get());
  list.Push(b.get());
  EXPECT_EQ(list.Pop(), a.get());
  list.Push(a.get());
  EXPECT_EQ(list.Pop(), b.get());
  EXPECT_EQ(list.Pop(), a.get());
  EXPECT_TRUE(list.empty());
}

TEST(RecordList, RemovesAtAnyPlace) {
  for (const std::uint32_t removed : {1u, 2u, 3u}) {
    const TaskPtr tasks[] = {MakeTask(1), MakeTask(2), MakeTask(3)};
    RecordList list;
    for (const TaskPtr& task : tasks) list.Push(task.get());
    EXPECT_TRUE(list.Remove(*tasks[removed - 1]));
    EXPECT_FALSE(list.Remove(*tasks[removed - 1]));
    const TaskPtr last = MakeTask(4);
    list.Push(last.get());

    std::vector<std::uint32_t> expected{1, 2, 3, 4};
    std::erase(expected, removed);
    EXPECT_EQ(Slots(list), expected) << removed;
  }
}

TEST(RecordList, IsEmptyAfterAMove) {
  const TaskPtr task = MakeTask(1);
  RecordList list;
  list.Push(task.get());
  RecordList moved(std::move(list));
  EXPECT_TRUE(list.empty());  // NOLINT: that is what is tested
  EXPECT_EQ(Slots(moved), std::vector<std::uint32_t>{1});
}

}  // namespace
}  // namespace manta::task
