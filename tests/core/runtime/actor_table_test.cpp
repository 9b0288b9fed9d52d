#include "core/runtime/actor_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace manta::runtime {
namespace {

ObjectId Id(std::uint32_t slot, std::uint32_t generation = 1, int owner = 0) { return {Rank(owner), slot, generation}; }

ActorInstance* MakeUnlocked(ActorTable& table, const ObjectId& id) {
  ActorInstance& actor = table.LockOrMake(id);
  actor.mutex.unlock();
  return &actor;
}
ActorInstance* FindUnlocked(ActorTable& table, const ObjectId& id) {
  ActorInstance* const actor = table.LockIfThere(id);
  if (actor != nullptr) actor->mutex.unlock();
  return actor;
}

TEST(SlotChunks, KeepWhatWasMadeInPlace) {
  SlotChunks<int> numbers;
  EXPECT_EQ(numbers.Find(5), nullptr);

  int& near = numbers.Make(5);
  int& far = numbers.Make(900'000'000);
  EXPECT_EQ(near, 0);
  near = 1;
  far = 2;

  EXPECT_EQ(numbers.Find(5), &near);
  EXPECT_EQ(&numbers.Make(900'000'000), &far);
  EXPECT_EQ(numbers.Find(500'000), nullptr);
  int sum = 0;
  numbers.ForEach([&](int number) { sum += number; });
  EXPECT_EQ(sum, 3);
}

TEST(ActorTable, FindsActorsByTheirIds) {
  ActorTable table(2);
  EXPECT_EQ(FindUnlocked(table, Id(7)), nullptr);

  ActorInstance* const mine = MakeUnlocked(table, Id(7));
  ActorInstance* const others = MakeUnlocked(table, Id(7, 1, 1));

  EXPECT_NE(mine, others);
  EXPECT_EQ(mine->id, Id(7));
  EXPECT_EQ(FindUnlocked(table, Id(7)), mine);
  EXPECT_EQ(MakeUnlocked(table, Id(7)), mine) << "made once";
  EXPECT_EQ(FindUnlocked(table, Id(7, 1, 1)), others);
  EXPECT_EQ(FindUnlocked(table, Id(7, 2)), nullptr) << "a later use of the slot";
}

TEST(ActorTable, HasOldAndNewActorsOfOneSlotSideBySide) {
  ActorTable table(1);
  ActorInstance* actors[3];
  for (std::uint32_t i = 0; i < 3; ++i) actors[i] = MakeUnlocked(table, Id(3, i + 1));

  table.Remove(*actors[1]);  // from the middle of the list
  EXPECT_EQ(FindUnlocked(table, Id(3, 2)), nullptr);
  EXPECT_EQ(FindUnlocked(table, Id(3, 1)), actors[0]);
  EXPECT_EQ(FindUnlocked(table, Id(3, 3)), actors[2]);
  table.Remove(*actors[2]);  // its first
  table.Remove(*actors[0]);  // the last there is

  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(FindUnlocked(table, Id(3, i + 1)), nullptr);
}

TEST(ActorTable, LetsGoOfAnActorOnceThoughItIsRemovedTwice) {
  ActorTable table(1);
  ActorInstance& actor = table.LockOrMake(Id(3));
  const ActorPtr held(&actor);
  actor.instance = std::make_shared<int>(1);
  const std::weak_ptr<void> instance = actor.instance;
  actor.mutex.unlock();

  table.Remove(*held);
  table.Remove(*held);

  EXPECT_EQ(FindUnlocked(table, Id(3)), nullptr);
  EXPECT_FALSE(instance.expired()) << "who holds it keeps it";
}

TEST(ActorTable, GivesAllAtTheEnd) {
  ActorTable table(2);
  for (std::uint32_t slot = 0; slot < 5; ++slot) MakeUnlocked(table, Id(1000 * slot, 1, static_cast<int>(slot % 2)));
  MakeUnlocked(table, Id(0, 2));
  std::size_t seen = 0;
  table.ForEach([&](ActorInstance&) { ++seen; });
  EXPECT_EQ(seen, 6u);

  EXPECT_EQ(table.TakeAll().size(), 6u);
  EXPECT_TRUE(table.TakeAll().empty());
}

TEST(ActorTable, LocksWhatItFinds) {
  // Threads count in actors of few slots, and remove and make them meanwhile: no count is lost, and none is freed that
  // another still uses.
  ActorTable table(1);
  constexpr std::uint32_t kThreads = 4, kRounds = 20'000, kSlots = 3;
  std::atomic<std::uint64_t> removed{0};
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (std::uint32_t round = 0; round < kRounds; ++round) {
        ActorPtr ended;
        {
          ActorInstance& actor = table.LockOrMake(Id(round % kSlots, 1 + (round + thread) % 2));
          std::lock_guard lock(actor.mutex, std::adopt_lock);
          ++actor.running;
          if (round % 16 == 0 && !actor.ended) {
            actor.ended = true;
            ended = ActorPtr(&actor);
          }
        }
        if (ended) table.Remove(*ended);
        if (ended) {
          std::lock_guard lock(ended->mutex);
          removed += static_cast<std::uint64_t>(ended->running);
          ended->running = 0;
        }
      }
    });
  for (std::thread& thread : threads) thread.join();

  std::uint64_t sum = removed;
  table.ForEach([&](ActorInstance& actor) { sum += static_cast<std::uint64_t>(actor.running); });
  EXPECT_EQ(sum, std::uint64_t{kThreads} * kRounds);
}

}  // namespace
}  // namespace manta::runtime
