#include "core/runtime/local_store.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "core/node/private_segment.hpp"
#include "core/runtime/new_block.hpp"

namespace manta::runtime {
namespace {

constexpr ObjectId kId{Rank(0), 1, 1};
constexpr std::uint64_t kBytes = 100'000;

/// Two ranks of a node.
struct Stores : ::testing::Test {
  const node::SegmentLayout layout = node::SegmentLayout::Compute(2, std::uint64_t{8} << 20);
  node::PrivateSegment segment{layout.total};
  std::optional<LocalStore> mine{std::in_place, segment.bytes(), layout, 0u};
  std::optional<LocalStore> other{std::in_place, segment.bytes(), layout, 1u};

  std::uint32_t PublishOne() { return *mine->Publish(kId, mine->Allocate(kBytes), kBytes, 7, 0); }
};

TEST_F(Stores, FreeAtOnceWhatNobodyReads) {
  const std::uint32_t entry = PublishOne();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  mine->Free(entry);
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, FreeWhenTheLastReaderOfTheOwnersRankLeaves) {
  const std::uint32_t entry = PublishOne();
  auto first = mine->Keep(entry, kId);
  auto second = mine->Keep(entry, kId);
  ASSERT_TRUE(first && second);
  mine->Free(entry);
  EXPECT_FALSE(mine->Keep(entry, kId)) << "nobody new may read it";
  first.reset();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  second.reset();
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, FindOutLaterThatAReaderOfAnotherRankLeft) {
  const std::uint32_t entry = PublishOne();
  auto reader = other->Keep(entry, kId);
  mine->Free(entry);
  mine->Reclaim();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  reader.reset();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  mine->Reclaim();
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, AreOutlivedByReadersAndNewBlocks) {
  auto reader = mine->Keep(PublishOne(), kId);
  auto block = std::make_unique<NewBlock>(*mine, kBytes, 1u);
  mine.reset();
  reader.reset();
  block.reset();
}

TEST_F(Stores, GetBackBlocksThatWereNotReleased) {
  {
    const NewBlock block(*mine, kBytes, 1u);
    EXPECT_GE(mine->UsedBytes(), kBytes);
  }
  EXPECT_EQ(mine->UsedBytes(), 0u);
  NewBlock(*mine, kBytes, 1u).Release();
  EXPECT_GE(mine->UsedBytes(), kBytes);
}

TEST_F(Stores, FreeAllOfASessionOnce) {
  PublishOne();
  const std::uint32_t dying = *mine->Publish({Rank(0), 2, 1}, mine->Allocate(kBytes), kBytes, 7, 0);
  auto reader = mine->Keep(dying, {Rank(0), 2, 1});
  mine->Free(dying);
  mine->FreeAll();
  reader.reset();
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

}  // namespace
}  // namespace manta::runtime
