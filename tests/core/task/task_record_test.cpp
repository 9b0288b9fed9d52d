#include "core/task/task_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

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

/// Records the tasks whose arguments are done.
struct Heard final : ArgumentEvents {
  void ArgumentsDone(TaskPtr task) override { tasks.push_back(std::move(task)); }
  std::vector<TaskPtr> tasks;
};

object::Handle Pending() { return Pool().MakeOwned(Rank(0), 1); }
void Finish(const object::Handle& ref) {
  object::StateOf(ref)->Complete(object::Status::kReady, [] {});
}

TaskPtr TaskOn(const std::vector<object::Handle>& refs, TaskRecord::Layout layout = {}) {
  layout.arguments = refs.size();
  TaskPtr task = TaskRecord::MakeForeign(layout, {Rank(1), 2, 3});
  for (std::size_t i = 0; i < refs.size(); ++i)
    task->arguments()[i] = {static_cast<std::uint32_t>(i), detail::ArgumentRef::kWhole, refs[i]};
  return task;
}

TEST(TaskRecord, KeepsItsArgumentsBesideItsOtherParts) {
  const std::vector refs{Pending(), Pending(), Pending()};
  for (const TaskKind kind : {TaskKind::kTask, TaskKind::kActorCall})
    for (const bool extra : {false, true})
      for (const std::size_t size : {0, 5, 5000}) {
        const TaskPtr task = TaskOn(refs, {kind, size, extra});
        std::ranges::fill(task->bytes(), std::byte{7});
        if (task->extra() != nullptr) task->extra()->name = "a name";
        if (kind == TaskKind::kActorCall) task->actor().MakeRare().submitter = 9;

        ASSERT_EQ(task->arguments().size(), 3u);
        for (std::uint32_t i = 0; i < 3; ++i) {
          EXPECT_EQ(task->arguments()[i].param, i);
          EXPECT_EQ(task->arguments()[i].object.get(), refs[i].get());
        }
        EXPECT_EQ(task->bytes().size(), size);
      }
  EXPECT_EQ(refs[0].get()->holds.load(), 1) << "records that are gone hold nothing";
}

TEST(TaskRecord, LetsGoOfItsArgumentsBeforeItsEnd) {
  const object::Handle ref = Pending();
  const TaskPtr task = TaskOn({ref}, {.bytes = 8});
  const std::size_t size = task->memory_bytes();
  EXPECT_EQ(ref.get()->holds.load(), 2);

  task->DropArguments();

  EXPECT_EQ(ref.get()->holds.load(), 1);
  EXPECT_TRUE(task->arguments().empty());
  EXPECT_EQ(task->memory_bytes(), size) << "its block is what it was";
  EXPECT_EQ(task->bytes().size(), 8u);
}

TEST(TaskArguments, ThatAreDoneAreNotWaitedFor) {
  Heard heard;
  const std::vector refs{Pending(), Pending()};
  for (const object::Handle& ref : refs) Finish(ref);
  TaskPtr task = TaskOn(refs);

  EXPECT_TRUE(task->argument_part()->Await(task, heard));

  EXPECT_TRUE(task) << "it is still the caller's";
  EXPECT_TRUE(heard.tasks.empty());
}

TEST(TaskArguments, AreWaitedForInAnyOrder) {
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    Heard heard;
    const std::vector refs{Pending(), Pending(), Pending(), Pending()};
    Finish(refs[order[0]]);
    TaskPtr task = TaskOn(refs);
    TaskRecord* const record = task.get();

    ASSERT_FALSE(task->argument_part()->Await(task, heard));
    EXPECT_FALSE(task) << "the wait holds it";
    Finish(refs[order[1]]);
    Finish(refs[order[2]]);
    EXPECT_TRUE(heard.tasks.empty());
    Finish(refs[order[3]]);

    ASSERT_EQ(heard.tasks.size(), 1u);
    EXPECT_EQ(heard.tasks[0].get(), record);
  } while (std::ranges::next_permutation(order).found);
}

TEST(TaskArguments, MayFailLikeAnyOther) {
  Heard heard;
  const object::Handle ref = Pending();
  TaskPtr task = TaskOn({ref, ref});  // given twice

  ASSERT_FALSE(task->argument_part()->Await(task, heard));
  object::StateOf(ref)->Complete(object::Status::kFailed, [] {});

  EXPECT_EQ(heard.tasks.size(), 1u);
}

TEST(TaskArguments, AreWaitedForWhileOthersEndThem) {
  constexpr int kTasks = 2000;
  Heard heard;
  for (int i = 0; i < kTasks; ++i) {
    const std::vector refs{Pending(), Pending(), Pending()};
    std::atomic<bool> go{false};
    std::thread other([&] {
      while (!go.load()) {
      }
      for (const object::Handle& ref : refs) Finish(ref);
    });
    TaskPtr task = TaskOn(refs);
    go.store(true);
    const bool done = task->argument_part()->Await(task, heard);
    other.join();
    EXPECT_EQ(done, static_cast<bool>(task));
    EXPECT_EQ(heard.tasks.size(), done ? 0u : 1u);
    heard.tasks.clear();
  }
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
