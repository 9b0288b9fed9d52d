#include "core/task/task_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "core/object/object_pool.hpp"

namespace manta::task {
namespace {

/// As in the runtime: never destroyed, since threads keep free records of it until they end.
object::ObjectPool& Pool() {
  static auto* pool = new object::ObjectPool();
  return *pool;
}

TEST(TaskRecord, TakesFiftySixBytesAndItsArguments) {
  const TaskPtr empty = TaskRecord::MakeForeign({}, {Rank(1), 2, 3});
  const TaskPtr larger = TaskRecord::MakeForeign({.bytes = 24}, {Rank(1), 2, 3});

  EXPECT_EQ(empty->memory_bytes() - sizeof(object::ObjectState), 56u);
  EXPECT_EQ(larger->memory_bytes() - empty->memory_bytes(), 24u);
}

TEST(TaskRecord, KeepsBytesOfAnySize) {
  for (const std::size_t size : {0, 1, 200, 4095, 4096, 100'000})
    for (const bool extra : {false, true})
      for (const TaskKind kind : {TaskKind::kTask, TaskKind::kActorCall}) {
        const TaskPtr task = TaskRecord::MakeForeign({kind, size, extra}, {Rank(1), 2, 3});
        const auto bytes = task->bytes();
        ASSERT_EQ(bytes.size(), size);
        std::fill(bytes.begin(), bytes.end(), std::byte{7});
        EXPECT_EQ(task->kind(), kind);
        EXPECT_EQ(task->result(), (ObjectId{Rank(1), 2, 3}));
        EXPECT_EQ(task->extra() != nullptr, extra || size > 4095);
        EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{7}; }));
      }
}

TEST(TaskRecord, HoldsItsResultUntilTheEnd) {
  object::Handle result = Pool().MakeOwned(Rank(0), 1);
  object::ObjectState& object = *object::StateOf(result);
  const ObjectId id = object.id;

  const TaskPtr task = TaskRecord::MakeOwned({}, object::Handle(result));

  EXPECT_EQ(task->result(), id);
  EXPECT_EQ(object.holds.load(), 2);
  task->ResetResult();
  EXPECT_EQ(object.holds.load(), 1);
  EXPECT_FALSE(task->result().valid());
}

TEST(TaskRecord, IsClaimedOnce) {
  const TaskPtr task = TaskRecord::MakeForeign({}, {Rank(1), 2, 3});
  EXPECT_FALSE(task->Claim()) << "it is not queued yet";

  task->phase.store(Phase::kQueued);

  EXPECT_TRUE(task->Claim());
  EXPECT_FALSE(task->Claim());
}

TEST(TaskRecord, SaysWhereItIsPinned) {
  const TaskPtr ours = TaskRecord::MakeOwned({}, Pool().MakeOwned(Rank(0), 1));
  const TaskPtr theirs = TaskRecord::MakeForeign({}, {Rank(1), 2, 3});
  EXPECT_FALSE(ours->is_pinned());

  ours->Pin(Rank(5));
  theirs->Pin(Rank(0));

  EXPECT_EQ(ours->pinned(), Rank(5));
  EXPECT_TRUE(theirs->is_pinned());
  EXPECT_EQ(theirs->owner(), Rank(1)) << "still its owner's";
  ours->ResetResult();
}

}  // namespace
}  // namespace manta::task
