#include "core/node/extent_heap.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <manta/error.hpp>

#include "core/node/private_segment.hpp"
#include "tests/core/node/forked_child.hpp"

namespace manta::node {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// A node's segment with a store of 16 MiB: 256 extents of 64 KiB.
struct TestNode {
  explicit TestNode(int ranks, PrivateSegment::Sharing sharing = PrivateSegment::Sharing::kThisProcess)
      : layout(SegmentLayout::Compute(ranks, 16 * kMiB)), segment(layout.total, sharing) {}
  SegmentLayout layout;
  PrivateSegment segment;
};

TEST(ExtentHeap, GivesAlignedBlocksInTheHeapThatDoNotOverlap) {
  TestNode node(2);
  ExtentHeap heap(node.segment.bytes(), node.layout, 0, 1);
  std::map<std::uint64_t, std::uint64_t> blocks;

  for (const std::uint64_t size : {1, 64, 65, 4096, 65'536, 65'537, 1'000'000, 0}) {
    const std::optional<std::uint64_t> offset = heap.Allocate(size);
    ASSERT_TRUE(offset);
    EXPECT_EQ(*offset % 64, 0u);
    blocks[*offset] = size;
  }

  std::uint64_t end = node.layout.heap;
  for (const auto& [offset, size] : blocks) {
    EXPECT_GE(offset, end);
    end = offset + size;
  }
  EXPECT_LE(end, node.layout.heap + node.layout.heap_bytes);
}

TEST(ExtentHeap, LetsOneRankFillTheWholeStoreWithOneObject) {
  TestNode node(4);
  ExtentHeap heap(node.segment.bytes(), node.layout, 3, 1);

  const auto all = heap.Allocate(node.layout.heap_bytes);

  EXPECT_EQ(all, node.layout.heap);
  EXPECT_EQ(heap.FreeBytesOnNode(), 0u);
  EXPECT_FALSE(heap.Allocate(1));
}

TEST(ExtentHeap, LetsOneRankFillTheWholeStoreWithObjectsThatAreNoWholeExtents) {
  TestNode node(4);
  ExtentHeap heap(node.segment.bytes(), node.layout, 2, 1);
  const std::uint64_t size = 96 * 1024;  // an extent and a half

  std::uint64_t count = 0;
  while (heap.Allocate(size)) ++count;

  EXPECT_GE(count * size, node.layout.heap_bytes * 97 / 100);
  EXPECT_EQ(heap.UsedBytes(), count * size);
}

TEST(ExtentHeap, RefusesWhatIsLargerThanTheStore) {
  TestNode node(1);
  ExtentHeap heap(node.segment.bytes(), node.layout, 0, 1);

  EXPECT_FALSE(heap.Allocate(node.layout.heap_bytes + 1));
  EXPECT_FALSE(heap.Allocate(~std::uint64_t{0}));
  EXPECT_EQ(heap.FreeBytesOnNode(), node.layout.heap_bytes);
}

TEST(ExtentHeap, HasNothingToGiveWithoutAStore) {
  const SegmentLayout layout = SegmentLayout::Compute(2, 0);
  PrivateSegment segment(layout.total);
  ExtentHeap heap(segment.bytes(), layout, 0, 1);

  EXPECT_FALSE(heap.Allocate(0));
  EXPECT_FALSE(heap.Allocate(1));
  EXPECT_EQ(heap.FreeBytesOnNode(), 0u);
}

TEST(ExtentHeap, RefusesAPlaceThatTheNodeDoesNotHave) {
  TestNode node(2);
  EXPECT_THROW(ExtentHeap(node.segment.bytes(), node.layout, 2, 1), UsageError);
}

TEST(ExtentHeap, GivesEmptyExtentsBackToTheOtherRanks) {
  TestNode node(2);
  ExtentHeap mine(node.segment.bytes(), node.layout, 0, 1);
  ExtentHeap other(node.segment.bytes(), node.layout, 1, 1);
  const auto small = mine.Allocate(100);
  const auto rest = mine.Allocate(15 * kMiB);
  ASSERT_TRUE(small && rest);
  EXPECT_FALSE(other.Allocate(8 * kMiB));

  mine.Free(*rest);
  EXPECT_TRUE(other.Allocate(8 * kMiB));
  mine.Free(*small);

  EXPECT_EQ(mine.UsedBytes(), 0u);
  EXPECT_EQ(mine.FreeBytesOnNode(), node.layout.heap_bytes - 8 * kMiB);
}

TEST(ExtentHeap, JoinsFreeNeighbours) {
  TestNode node(1);
  ExtentHeap heap(node.segment.bytes(), node.layout, 0, 1);
  std::vector<std::uint64_t> blocks;
  while (const auto block = heap.Allocate(16 * 1024)) blocks.push_back(*block);
  ASSERT_EQ(blocks.size(), 1024u);

  for (std::size_t i = 0; i < blocks.size(); i += 2) heap.Free(blocks[i]);
  EXPECT_FALSE(heap.Allocate(32 * 1024)) << "every second block is in use";
  EXPECT_EQ(heap.FreeBytesOnNode(), 8 * kMiB);
  for (std::size_t i = 1; i < blocks.size(); i += 2) heap.Free(blocks[i]);

  EXPECT_TRUE(heap.Allocate(16 * kMiB));
}

TEST(ExtentHeap, RollsARunBackWhenItCanNotHaveItWhole) {
  TestNode node(2);
  ExtentHeap mine(node.segment.bytes(), node.layout, 0, 1);
  ExtentHeap other(node.segment.bytes(), node.layout, 1, 1);
  ASSERT_TRUE(other.Allocate(1));  // in the middle of the store

  EXPECT_FALSE(mine.Allocate(9 * kMiB));

  EXPECT_EQ(mine.FreeBytesOnNode(), 16 * kMiB - node.layout.extent_bytes);
}

TEST(ExtentHeapDeathTest, StopsAtABlockThatIsFreedTwice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  TestNode node(1);
  ExtentHeap heap(node.segment.bytes(), node.layout, 0, 1);
  const auto block = heap.Allocate(10);
  heap.Free(*block);

  EXPECT_DEATH(heap.Free(*block), "internal error");
}

TEST(ExtentHeap, AdoptsTheExtentsOfADeadRankButWhatIsKept) {
  TestNode node(3);
  std::optional<std::uint64_t> kept, dropped;
  {
    ExtentHeap dead(node.segment.bytes(), node.layout, 2, 1);
    dropped = dead.Allocate(3 * kMiB);
    kept = dead.Allocate(100'000);
    ASSERT_TRUE(dead.Allocate(200));
  }
  ExtentHeap heap(node.segment.bytes(), node.layout, 0, 2);
  const std::uint64_t free_before = heap.FreeBytesOnNode();

  const std::vector<HeapRange> keep{{*kept, 100'000}};
  const std::uint64_t gained = heap.AdoptExtentsOf(2, keep);

  EXPECT_EQ(heap.FreeBytesOnNode(), free_before + gained);
  EXPECT_EQ(heap.UsedBytes(), 100'032u);
  EXPECT_EQ(heap.FreeBytesOnNode(), node.layout.heap_bytes - 100'032);
  EXPECT_EQ(heap.AdoptExtentsOf(2, {}), 0u) << "there is nothing left";
  heap.Free(*kept);
  EXPECT_TRUE(heap.Allocate(node.layout.heap_bytes));
}

/// Allocates and frees at random; writes each block full with the owner's number and expects it unchanged at the end.
bool Churn(TestNode& node, ExtentHeap& heap, std::uint32_t owner, std::uint32_t rounds) {
  struct Block {
    std::uint64_t offset, size;
    unsigned char mark;
  };
  std::mt19937 random(owner);
  std::vector<Block> blocks;
  bool good = true;
  const auto free_one = [&] {
    std::swap(blocks[random() % blocks.size()], blocks.back());
    const Block block = blocks.back();
    const auto* bytes = reinterpret_cast<const unsigned char*>(node.segment.bytes().data() + block.offset);
    for (std::uint64_t i = 0; i < block.size; i += 61) good = good && bytes[i] == block.mark;
    heap.Free(block.offset);
    blocks.pop_back();
  };
  for (std::uint32_t i = 0; i < rounds; ++i) {
    const std::uint64_t size = random() % 20 == 0 ? 1 + random() % 1'000'000 : 1 + random() % 20'000;
    const auto mark = static_cast<unsigned char>(owner * 16 + i % 16);
    if (const auto offset = heap.Allocate(size)) {
      std::memset(node.segment.bytes().data() + *offset, mark, size);
      blocks.push_back({*offset, size, mark});
    }
    if (!blocks.empty() && (blocks.size() > 60 || random() % 3 == 0)) free_one();
  }
  while (!blocks.empty()) free_one();
  return good;
}

TEST(ExtentHeap, KeepsBlocksApartUnderThreadsOfSeveralRanks) {
  TestNode node(3);
  std::vector<std::unique_ptr<ExtentHeap>> heaps;
  for (std::uint32_t i = 0; i < 3; ++i)
    heaps.push_back(std::make_unique<ExtentHeap>(node.segment.bytes(), node.layout, i, 1));
  std::atomic<int> good{0};

  std::vector<std::thread> threads;  // two threads share the heap of rank 0
  for (std::uint32_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { good += Churn(node, *heaps[i % 3], i, 2'000) ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(good, 4);
  for (const auto& heap : heaps) EXPECT_EQ(heap->UsedBytes(), 0u);
  EXPECT_EQ(heaps[0]->FreeBytesOnNode(), node.layout.heap_bytes) << "an extent was lost";
}

TEST(ExtentHeap, KeepsBlocksApartBetweenProcesses) {
  TestNode node(2, PrivateSegment::Sharing::kForkedChildren);
  const auto play = [&](std::uint32_t index) {
    ExtentHeap heap(node.segment.bytes(), node.layout, index, 1);
    return Churn(node, heap, index + 1, 4'000);
  };

  manta::testing::ForkedChild child([&] { return play(1); });
  EXPECT_TRUE(play(0));
  EXPECT_TRUE(child.Succeeded());

  ExtentHeap heap(node.segment.bytes(), node.layout, 0, 1);
  EXPECT_EQ(heap.FreeBytesOnNode(), node.layout.heap_bytes);
}

}  // namespace
}  // namespace manta::node
