#include "core/object/object_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace manta::object {
namespace {

constexpr Rank kSelf{3};
constexpr std::uint32_t kSession = 7;

struct Pool : ::testing::Test {
  /// Lets the hold go and frees the record, as the owner does when nothing keeps it.
  void Free(Handle handle) {
    ObjectState& object = *StateOf(handle);
    handle.Reset();
    ObjectPool::Trash trash;
    {
      std::lock_guard lock(object.Lock());
      pool.Clear(object, trash);
    }
    pool.Recycle(object);
  }
  ObjectPool& pool = MakePool();

 private:
  /// Lives as long as the process, as its records do.
  static ObjectPool& MakePool() {
    static auto* all = new std::vector<ObjectPool*>();
    return *all->emplace_back(new ObjectPool());
  }
};

TEST_F(Pool, MakesPendingObjectsWithTheirOwnIds) {
  std::set<ObjectId> ids;
  std::vector<Handle> handles;
  for (int i = 0; i < 100; ++i) {
    handles.push_back(pool.MakeOwned(kSelf, kSession));
    const ObjectState& object = *StateOf(handles.back());
    EXPECT_TRUE(object.id.valid());
    EXPECT_EQ(object.id.owner, kSelf);
    EXPECT_EQ(object.session, kSession);
    EXPECT_TRUE(object.owned());
    EXPECT_FALSE(object.done());
    EXPECT_EQ(object.holds, 1);
    ids.insert(object.id);
  }
  EXPECT_EQ(ids.size(), 100u);
  EXPECT_EQ(pool.in_use(), 100u);
}

TEST_F(Pool, FindsAnObjectByItsIdAndHoldsIt) {
  Handle made = pool.MakeOwned(kSelf, kSession);
  const ObjectId id = StateOf(made)->id;

  Handle found = pool.FindOwned(id);

  EXPECT_EQ(found.get(), made.get());
  EXPECT_EQ(StateOf(made)->holds, 2);
}

TEST_F(Pool, UsesASlotAgainWithAHigherGeneration) {
  Handle first = pool.MakeOwned(kSelf, kSession);
  const ObjectId old_id = StateOf(first)->id;
  StateOf(first)->Complete(Status::kReady, [&] {
    const int value = 5;
    StateOf(first)->SetBytes(&value, sizeof(value));
  });

  Free(std::move(first));
  EXPECT_FALSE(pool.FindOwned(old_id));
  Handle second = pool.MakeOwned(kSelf, kSession);

  const ObjectState& object = *StateOf(second);
  EXPECT_EQ(object.id.slot, old_id.slot);
  EXPECT_GT(object.id.generation, old_id.generation);
  EXPECT_FALSE(object.done());
  EXPECT_EQ(object.bytes(), nullptr);
  EXPECT_EQ(object.size(), 0u);
  EXPECT_FALSE(pool.FindOwned(old_id)) << "an old id never names the new object";
  EXPECT_TRUE(pool.FindOwned(object.id));
}

TEST_F(Pool, FindsNothingForIdsThatWereNeverGiven) {
  EXPECT_FALSE(pool.FindOwned({kSelf, 0, 1}));
  EXPECT_FALSE(pool.FindOwned({kSelf, 5'000'000, 1}));
  EXPECT_FALSE(pool.FindOwned({kSelf, 0xffffffff, 1}));
  EXPECT_FALSE(pool.FindBorrowed({Rank(1), 0, 1}));
}

TEST_F(Pool, GrowsPastOneChunkAndKeepsRecordsInPlace) {
  std::vector<Handle> handles;
  std::vector<ObjectState*> places;
  for (int i = 0; i < 10'000; ++i) {
    handles.push_back(pool.MakeOwned(kSelf, kSession));
    places.push_back(StateOf(handles.back()));
  }
  for (std::size_t i = 0; i < handles.size(); ++i) EXPECT_EQ(StateOf(pool.FindOwned(places[i]->id)), places[i]);
  EXPECT_EQ(pool.Snapshot().size(), 10'000u);
}

TEST_F(Pool, HandsWhatTheObjectHeldToTheTrash) {
  Handle contained = pool.MakeOwned(kSelf, kSession);
  Handle handle = pool.MakeOwned(kSelf, kSession);
  ObjectState& object = *StateOf(handle);
  auto live = std::make_shared<const int>(1);
  Cold& cold = object.MakeCold();
  cold.live = live;
  cold.heap = std::make_shared<std::byte[]>(8);
  cold.contained.push_back(contained);
  cold.error = MakeError(ErrorKind::kTask, "x");
  handle.Reset();

  ObjectPool::Trash trash;
  {
    std::lock_guard lock(object.Lock());
    pool.Clear(object, trash);
  }
  pool.Recycle(object);

  ASSERT_NE(trash.cold, nullptr);
  EXPECT_EQ(trash.cold->live, live);
  EXPECT_NE(trash.cold->heap, nullptr);
  ASSERT_EQ(trash.cold->contained.size(), 1u);
  EXPECT_EQ(trash.cold->contained.front().get(), contained.get());
  EXPECT_NE(trash.cold->error, nullptr);
  EXPECT_EQ(object.cold(), nullptr);
}

TEST_F(Pool, MakesABorrowedObjectOnceForEachId) {
  const ObjectId id{Rank(1), 42, 9};

  Handle first = pool.FindOrMakeBorrowed(id, kSession);
  Handle second = pool.FindOrMakeBorrowed(id, kSession);
  Handle other = pool.FindOrMakeBorrowed({Rank(1), 42, 10}, kSession);

  EXPECT_EQ(first.get(), second.get());
  EXPECT_NE(first.get(), other.get());
  EXPECT_FALSE(StateOf(first)->owned());
  EXPECT_NE(StateOf(first)->cold()->borrower_side, nullptr);
  EXPECT_EQ(pool.FindBorrowed(id).get(), first.get());
  EXPECT_FALSE(pool.FindOwned(id)) << "borrowed objects are no objects of this rank's slots";
}

TEST_F(Pool, GivesABorrowedObjectBackOnlyWhenNothingHoldsIt) {
  const ObjectId id{Rank(1), 42, 9};
  Handle handle = pool.FindOrMakeBorrowed(id, kSession);
  ObjectState& object = *StateOf(handle);
  ObjectPool::Trash trash;

  EXPECT_FALSE(pool.TryFreeBorrowed(object, id, trash));
  handle.Reset();
  EXPECT_FALSE(pool.TryFreeBorrowed(object, {Rank(1), 42, 8}, trash)) << "another id's late release";
  EXPECT_TRUE(pool.TryFreeBorrowed(object, id, trash));
  EXPECT_FALSE(pool.TryFreeBorrowed(object, id, trash));

  EXPECT_FALSE(pool.FindBorrowed(id));
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(Pool, SnapshotHoldsWhatIsInUse) {
  Handle kept = pool.MakeOwned(kSelf, kSession);
  Free(pool.MakeOwned(kSelf, kSession));
  Handle borrowed = pool.FindOrMakeBorrowed({Rank(1), 1, 1}, kSession);

  const std::vector<Handle> all = pool.Snapshot();

  EXPECT_EQ(all.size(), 2u);
  EXPECT_EQ(StateOf(kept)->holds, 2);
}

TEST_F(Pool, MakesReadyObjectsOfSmallValues) {
  const std::int64_t value = 88;

  Handle handle = pool.MakeReady(kSelf, kSession, 5, Format::kPlain, &value, sizeof(value));

  const ObjectState& object = *StateOf(handle);
  EXPECT_EQ(object.status.load(), Status::kReady);
  EXPECT_EQ(object.type_hash, 5u);
  EXPECT_EQ(object.format(), Format::kPlain);
  ASSERT_EQ(object.size(), sizeof(value));
  EXPECT_EQ(std::memcmp(object.bytes(), &value, sizeof(value)), 0);
  EXPECT_EQ(pool.FindOwned(object.id).get(), handle.get());
}

TEST_F(Pool, FreesPlainObjectsOnTheShortWay) {
  const int value = 3;
  auto make = [&] { return pool.MakeReady(kSelf, kSession, 1, Format::kPlain, &value, sizeof(value)); };
  Handle plain = make(), held = make(), of_before = make(), known_elsewhere = make();
  Handle pending = pool.MakeOwned(kSelf, kSession), actor = pool.MakeOwned(kSelf, kSession, true);
  StateOf(known_elsewhere)->MakeCold();
  ObjectState& freed = *StateOf(plain);
  const ObjectId id = freed.id;
  auto let_go = [](Handle& handle) -> ObjectState& {
    ObjectState& object = *StateOf(handle);
    handle.Reset();
    return object;
  };

  EXPECT_TRUE(pool.TryFreePlain(let_go(plain), kSession));
  EXPECT_TRUE(pool.TryFreePlain(*StateOf(held), kSession)) << "there is nothing to do";
  EXPECT_TRUE(pool.TryFreePlain(let_go(of_before), kSession + 1)) << "there is nothing to do";
  EXPECT_FALSE(pool.TryFreePlain(let_go(known_elsewhere), kSession));
  EXPECT_FALSE(pool.TryFreePlain(let_go(pending), kSession));
  EXPECT_FALSE(pool.TryFreePlain(let_go(actor), kSession));

  EXPECT_FALSE(pool.FindOwned(id));
  EXPECT_TRUE(pool.TryFreePlain(freed, kSession)) << "a late release";
  EXPECT_EQ(pool.in_use(), 5u);
}

TEST_F(Pool, FreesPlainObjectsWithTheirSoleHold) {
  Handle sole = pool.MakeReady(kSelf, kSession, 1, Format::kPlain, "abc", 3);
  const Handle held = pool.MakeReady(kSelf, kSession, 1, Format::kPlain, "abc", 3);
  const Handle second = held;
  const Handle pending = pool.MakeOwned(kSelf, kSession);
  const auto in_use = pool.in_use();

  EXPECT_FALSE(pool.TryFreePlainSole(*StateOf(held), kSession)) << "there is another";
  EXPECT_EQ(StateOf(held)->holds.load(), 2);
  EXPECT_FALSE(pool.TryFreePlainSole(*StateOf(pending), kSession));
  EXPECT_FALSE(pool.TryFreePlainSole(*StateOf(sole), kSession + 1)) << "it is of another session";
  EXPECT_EQ(StateOf(sole)->holds.load(), 1);

  ObjectState& object = *StateOf(sole);
  EXPECT_TRUE(pool.TryFreePlainSole(object, kSession));
  static_cast<void>(std::move(sole).Release());  // the hold went with it
  EXPECT_EQ(object.holds.load(), 0);
  EXPECT_EQ(pool.in_use(), in_use - 1);
}

TEST_F(Pool, GivesNoIdTwiceWhenASlotIsUsedUp) {
  Handle handle = pool.MakeOwned(kSelf, kSession);
  const std::uint32_t slot = StateOf(handle)->id.slot;
  StateOf(handle)->id.generation = 0xffffffff;

  Free(std::move(handle));

  EXPECT_EQ(pool.in_use(), 0u);
  std::vector<Handle> others;
  for (int i = 0; i < 200; ++i) {
    others.push_back(pool.MakeOwned(kSelf, kSession));
    EXPECT_NE(StateOf(others.back())->id.slot, slot);
  }
}

TEST_F(Pool, KeepsCountOfASlotThatABorrowedObjectUsed) {
  Handle own = pool.MakeOwned(kSelf, kSession);
  const ObjectId first = StateOf(own)->id;
  Free(std::move(own));
  const ObjectId id{Rank(1), 42, 9};
  Handle borrowed = pool.FindOrMakeBorrowed(id, kSession);
  ObjectState& record = *StateOf(borrowed);
  borrowed.Reset();
  ObjectPool::Trash trash;
  ASSERT_TRUE(pool.TryFreeBorrowed(record, id, trash));

  Handle again = pool.MakeOwned(kSelf, kSession);

  EXPECT_EQ(StateOf(again), &record) << "the last that was freed is the first to be used";
  EXPECT_EQ(StateOf(again)->id.slot, first.slot);
  EXPECT_GT(StateOf(again)->id.generation, first.generation);
}

TEST_F(Pool, EndsASessionAndUsesHeldRecordsNoMore) {
  Handle held = pool.MakeOwned(kSelf, kSession);
  const ObjectId id = StateOf(held)->id;
  StateOf(held)->MakeCold().heap = std::make_shared<std::byte[]>(8);
  ObjectState* let_go = nullptr;
  {
    Handle other = pool.MakeOwned(kSelf, kSession);
    let_go = StateOf(other);
  }

  const auto trash = pool.EndSession();

  EXPECT_EQ(trash.size(), 1u);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(StateOf(held)->id, id) << "a ref is printed and compared by it";
  EXPECT_FALSE(pool.FindOwned(id));
  bool used_again = false;
  std::vector<Handle> all;
  for (int i = 0; i < 200; ++i) {
    all.push_back(pool.MakeOwned(kSelf, kSession + 1));
    EXPECT_NE(StateOf(all.back()), StateOf(held));
    used_again = used_again || StateOf(all.back()) == let_go;
  }
  EXPECT_TRUE(used_again);
}

TEST_F(Pool, TakesTheRecordsOfThreadsThatEnd) {
  const int value = 3;
  std::set<ObjectState*> first, second;
  auto use = [&](std::set<ObjectState*>& records) {
    std::vector<Handle> handles;
    for (int i = 0; i < 1000; ++i) {
      handles.push_back(pool.MakeReady(kSelf, kSession, 1, Format::kPlain, &value, sizeof(value)));
      records.insert(StateOf(handles.back()));
    }
    for (Handle& handle : handles) Free(std::move(handle));
  };

  std::thread([&] { use(first); }).join();
  EXPECT_EQ(pool.in_use(), 0u);
  std::thread([&] { use(second); }).join();

  EXPECT_EQ(first, second);
}

TEST_F(Pool, LetsOneThreadMakeWhatAnotherFrees) {
  constexpr int kObjects = 20'000;
  std::mutex mutex;
  std::deque<Handle> on_their_way;  // guarded by mutex
  std::atomic<std::uint32_t> last_slot{0};
  std::atomic<bool> stop{false};
  std::thread makes([&] {
    for (int i = 0; i < kObjects; ++i) {
      Handle handle = pool.MakeReady(kSelf, kSession, 1, Format::kPlain, &i, sizeof(i));
      last_slot.store(StateOf(handle)->id.slot, std::memory_order_relaxed);
      std::lock_guard lock(mutex);
      on_their_way.push_back(std::move(handle));
    }
  });
  // Asks for ids that may be of an earlier use, as late messages do, and frees what was let go meanwhile.
  std::thread asks([&] {
    for (std::uint32_t i = 0; !stop.load(); ++i) {
      Handle found = pool.FindOwned({kSelf, last_slot.load(std::memory_order_relaxed), i % 300});
      if (!found) continue;
      ObjectState& object = *StateOf(found);
      EXPECT_TRUE(object.done());
      found.Reset();
      EXPECT_TRUE(pool.TryFreePlain(object, kSession));
    }
  });
  for (int freed = 0; freed < kObjects;) {
    Handle handle;
    {
      std::lock_guard lock(mutex);
      if (on_their_way.empty()) continue;
      handle = std::move(on_their_way.front());
      on_their_way.pop_front();
    }
    ObjectState& object = *StateOf(handle);
    int value = -1;
    std::memcpy(&value, object.bytes(), sizeof(value));
    EXPECT_EQ(value, freed++);
    handle.Reset();
    EXPECT_TRUE(pool.TryFreePlain(object, kSession));
  }
  makes.join();
  stop = true;
  asks.join();

  EXPECT_EQ(pool.in_use(), 0u);
}

TEST_F(Pool, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        Handle own = pool.MakeOwned(kSelf, kSession);
        EXPECT_EQ(pool.FindOwned(StateOf(own)->id).get(), own.get());
        const ObjectId id{Rank(t), static_cast<std::uint32_t>(i % 16), 1};
        Handle borrowed = pool.FindOrMakeBorrowed(id, kSession);
        ObjectState& state = *StateOf(borrowed);
        borrowed.Reset();
        ObjectPool::Trash trash;
        EXPECT_TRUE(pool.TryFreeBorrowed(state, id, trash));
        Free(std::move(own));
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace manta::object
