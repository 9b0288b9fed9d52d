#include "core/node/object_entry.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <manta/error.hpp>

#include "core/node/private_segment.hpp"
#include "tests/core/node/forked_child.hpp"

namespace manta::node {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

struct TestNode {
  explicit TestNode(int ranks, PrivateSegment::Sharing sharing = PrivateSegment::Sharing::kThisProcess)
      : layout(SegmentLayout::Compute(ranks, kMiB)), segment(layout.total, sharing) {}
  ObjectEntryTable Table(std::uint32_t index) { return {segment.bytes(), layout, index}; }
  SegmentLayout layout;
  PrivateSegment segment;
};

constexpr ObjectId Id(std::uint32_t slot, std::uint32_t generation = 1) { return {Rank(7), slot, generation}; }

TEST(ObjectEntry, ShowsTheFactsToOtherRanks) {
  TestNode node(2);
  ObjectEntryTable owner = node.Table(0), reader = node.Table(1);

  const auto entry = owner.Publish(Id(3), 4096, 1000, 77, 9);
  ASSERT_TRUE(entry);
  const std::optional<EntryView> view = reader.Pin(*entry, Id(3));

  ASSERT_TRUE(view);
  EXPECT_EQ(view->offset, 4096u);
  EXPECT_EQ(view->size_bytes, 1000u);
  EXPECT_EQ(view->type_hash, 77u);
  EXPECT_EQ(view->note, 9u);
  EXPECT_FALSE(reader.Unpin(*entry)) << "the owner does not wait";
}

TEST(ObjectEntry, GivesEachRankEntriesOfItsOwn) {
  TestNode node(2);
  ObjectEntryTable first = node.Table(0), second = node.Table(1);
  std::set<std::uint32_t> seen;

  for (std::uint32_t i = 0; i < 100; ++i) {
    EXPECT_TRUE(seen.insert(*first.Publish(Id(i), 0, 1, 0)).second);
    EXPECT_TRUE(seen.insert(*second.Publish(Id(i), 0, 1, 0)).second);
  }
}

TEST(ObjectEntry, RefusesToPinAnotherObjectOrNone) {
  TestNode node(2);
  ObjectEntryTable owner = node.Table(0), reader = node.Table(1);
  const auto entry = owner.Publish(Id(3, 2), 0, 1, 0);

  EXPECT_FALSE(reader.Pin(*entry, Id(3, 1)));
  EXPECT_FALSE(reader.Pin(*entry, Id(4, 2)));
  EXPECT_FALSE(reader.Pin(*entry + 1, Id(3, 2))) << "never published";

  EXPECT_TRUE(owner.Retire(*entry)) << "a refused pin is no pin";
  EXPECT_FALSE(reader.Pin(*entry, Id(3, 2)));
}

TEST(ObjectEntry, WaitsForTheLastPinOfEachReader) {
  TestNode node(3);
  ObjectEntryTable owner = node.Table(0), second = node.Table(1), third = node.Table(2);
  const auto entry = owner.Publish(Id(1), 0, 1, 0);
  ASSERT_TRUE(second.Pin(*entry, Id(1)) && second.Pin(*entry, Id(1)) && third.Pin(*entry, Id(1)));

  EXPECT_FALSE(owner.Retire(*entry));
  EXPECT_FALSE(third.Pin(*entry, Id(1))) << "no new readers";
  EXPECT_TRUE(second.Unpin(*entry)) << "the owner waits";
  EXPECT_FALSE(owner.TryReclaim(*entry));
  third.Unpin(*entry);
  EXPECT_FALSE(owner.TryReclaim(*entry));
  second.Unpin(*entry);

  EXPECT_TRUE(owner.TryReclaim(*entry));
}

TEST(ObjectEntry, IsUsedAgainForOtherObjects) {
  TestNode node(1);
  ObjectEntryTable table = node.Table(0);
  std::set<std::uint32_t> seen;

  for (std::uint32_t i = 1; i <= 5000; ++i) {
    const auto entry = table.Publish(Id(0, i), i, 1, 0);
    ASSERT_TRUE(entry);
    seen.insert(*entry);
    EXPECT_EQ(table.Pin(*entry, Id(0, i))->offset, i);
    table.Unpin(*entry);
    EXPECT_TRUE(table.Retire(*entry));
  }

  EXPECT_EQ(seen.size(), 1u);
}

TEST(ObjectEntry, SaysWhenAllEntriesAreInUse) {
  TestNode node(2);
  ObjectEntryTable table = node.Table(1);
  std::optional<std::uint32_t> last;
  for (std::uint64_t i = 0; i < node.layout.entries_per_rank; ++i) {
    last = table.Publish(Id(1), 0, 1, 0);
    ASSERT_TRUE(last);
  }

  EXPECT_EQ(table.FreeEntries(), 0u);
  EXPECT_FALSE(table.Publish(Id(2), 0, 1, 0));
  table.Retire(*last);

  EXPECT_EQ(table.FreeEntries(), 1u);
  EXPECT_EQ(table.Publish(Id(2), 0, 1, 0), last);
}

TEST(ObjectEntry, DropsThePinsOfADeadReaderOnly) {
  TestNode node(40);  // more than the words of one line: dropping must not hit others
  ObjectEntryTable owner = node.Table(0), dead = node.Table(20), living = node.Table(36);
  const auto both = owner.Publish(Id(1), 0, 1, 0);
  const auto only_dead = owner.Publish(Id(2), 0, 1, 0);
  ASSERT_TRUE(dead.Pin(*both, Id(1)) && living.Pin(*both, Id(1)) && dead.Pin(*only_dead, Id(2)));
  ASSERT_FALSE(owner.Retire(*both));
  ASSERT_FALSE(owner.Retire(*only_dead));

  owner.DropPinsOf(20);

  EXPECT_TRUE(owner.TryReclaim(*only_dead));
  EXPECT_FALSE(owner.TryReclaim(*both));
  living.Unpin(*both);
  EXPECT_TRUE(owner.TryReclaim(*both));
}

TEST(ObjectEntry, RefusesAPlaceThatTheNodeDoesNotHave) {
  TestNode node(2);
  EXPECT_THROW(node.Table(2), UsageError);
}

TEST(ObjectEntryDeathTest, StopsAtAnEntryThatIsNotOfThisNode) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  TestNode node(1);
  ObjectEntryTable table = node.Table(0);

  EXPECT_DEATH(table.Pin(static_cast<std::uint32_t>(node.layout.entries_per_rank), Id(1)), "internal error");
}

TEST(ObjectEntryDeathTest, StopsAtAnEntryThatIsRetiredTwice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  TestNode node(1);
  ObjectEntryTable table = node.Table(0);
  const auto entry = table.Publish(Id(1), 0, 1, 0);
  table.Retire(*entry);

  EXPECT_DEATH(table.Retire(*entry), "internal error");
  EXPECT_DEATH(table.TryReclaim(*entry), "internal error");
}

/// The owner replaces one object by the next in the same entry and bytes; readers pin what they find.
struct Replacing {
  explicit Replacing(TestNode& test_node)
      : node(test_node),
        words(reinterpret_cast<std::uint64_t*>(node.segment.bytes().data() + node.layout.heap)),
        // In the last word of the heap: the id's generation that is the current one, 0 at the end.
        current(*reinterpret_cast<std::atomic<std::uint32_t>*>(node.segment.bytes().data() + node.layout.heap + 4096)),
        entry(reinterpret_cast<std::atomic<std::uint32_t>*>(&current)[1]),
        pinned(reinterpret_cast<std::atomic<std::uint32_t>*>(&current)[2]) {}

  void Own(std::uint32_t rounds) {
    ObjectEntryTable table = node.Table(0);
    for (std::uint32_t generation = 1; generation <= rounds; ++generation) {
      for (int i = 0; i < 8; ++i) words[i] = generation;  // plain writes: a race if a reader is left
      const std::uint32_t published = *table.Publish(Id(1, generation), node.layout.heap, 64, 0);
      entry.store(published, std::memory_order_relaxed);
      current.store(generation, std::memory_order_release);
      if (generation % 4 == 0) std::this_thread::yield();
      // Wait for the readers now and then, so that a busy machine has some too.
      while (pinned.load(std::memory_order_relaxed) < generation / 4) std::this_thread::yield();
      if (table.Retire(published)) continue;
      while (!table.TryReclaim(published)) std::this_thread::yield();
    }
    current.store(0, std::memory_order_release);
  }

  bool Read(std::uint32_t index) {
    ObjectEntryTable table = node.Table(index);
    bool good = true;
    while (const std::uint32_t generation = NextGeneration()) {
      const std::uint32_t at = entry.load(std::memory_order_relaxed);
      if (!table.Pin(at, Id(1, generation))) {
        std::this_thread::yield();
        continue;
      }
      for (int i = 0; i < 8; ++i) good = good && words[i] == generation;
      table.Unpin(at);
      if (pinned.fetch_add(1, std::memory_order_relaxed) % 16 == 0) std::this_thread::yield();
    }
    return good;
  }
  std::uint32_t NextGeneration() {
    while (current.load(std::memory_order_acquire) == 0 && !started) std::this_thread::yield();
    started = true;
    return current.load(std::memory_order_acquire);
  }

  TestNode& node;
  std::uint64_t* words;
  std::atomic<std::uint32_t>& current;
  std::atomic<std::uint32_t>& entry;
  std::atomic<std::uint32_t>& pinned;
  std::atomic<bool> started{false};
};

TEST(ObjectEntry, IsNeverReplacedUnderAThreadThatReadsIt) {
  TestNode node(3);
  Replacing replacing(node);
  std::atomic<int> good{0};

  std::vector<std::thread> readers;
  for (const std::uint32_t index : {1, 2, 2})
    readers.emplace_back([&, index] { good += replacing.Read(index) ? 1 : 0; });
  replacing.Own(5'000);
  for (std::thread& reader : readers) reader.join();

  EXPECT_EQ(good, 3);
}

TEST(ObjectEntry, IsNeverReplacedUnderAProcessThatReadsIt) {
  TestNode node(2, PrivateSegment::Sharing::kForkedChildren);
  Replacing replacing(node);

  manta::testing::ForkedChild reader([&] { return replacing.Read(1); });
  replacing.Own(20'000);

  EXPECT_TRUE(reader.Succeeded());
}

}  // namespace
}  // namespace manta::node
