#include "core/runtime/local_store.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

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
  std::string parent = ::testing::TempDir();
  node::SpillFiles files{{.parent = parent, .rank = 0}};
  std::optional<LocalStore> mine{std::in_place, segment.bytes(), layout, 0u, files};
  std::optional<LocalStore> other{std::in_place, segment.bytes(), layout, 1u, files};

  std::uint32_t PublishOne(ObjectId id = kId, bool is_copy = false) {
    auto extent = mine->TryAllocate(kBytes);
    std::memset(mine->At(extent->offset()), static_cast<int>(id.slot), kBytes);
    return *mine->Publish(std::move(*extent), {id, kBytes, 7, 0, is_copy});
  }
  /// Writes the oldest to a file.
  std::uint64_t Unload() {
    const auto bytes = mine->BeginUnload();
    return bytes ? mine->EndUnload(bytes->entry, files.Write(bytes->id, bytes->data, bytes->size)) : 0;
  }
  bool Load(std::uint32_t entry, ObjectId id) {
    const auto file = mine->BeginLoad(entry, id);
    if (!file) return false;
    auto extent = mine->TryAllocate(kBytes);
    files.Read(*file, id, mine->At(extent->offset()), kBytes);
    const auto kept = mine->EndLoad(entry, std::move(extent));
    return kept && kept->bytes[kBytes - 1] == static_cast<std::byte>(id.slot);
  }
};

TEST_F(Stores, FreeAtOnceWhatNobodyReads) {
  const std::uint32_t entry = PublishOne();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  mine->Free(entry, kId);
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, FreeWhenTheLastReaderOfTheOwnersRankLeaves) {
  const std::uint32_t entry = PublishOne();
  auto first = mine->Keep(entry, kId);
  auto second = mine->Keep(entry, kId);
  ASSERT_TRUE(first && second);
  mine->Free(entry, kId);
  EXPECT_FALSE(mine->Keep(entry, kId)) << "nobody new may read it";
  first.reset();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  second.reset();
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, FindOutLaterThatAReaderOfAnotherRankLeft) {
  const std::uint32_t entry = PublishOne();
  auto reader = other->Keep(entry, kId);
  mine->Free(entry, kId);
  mine->Reclaim();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  reader.reset();
  EXPECT_GE(mine->UsedBytes(), kBytes);
  mine->Reclaim();
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, AreOutlivedByReadersAndNewBlocks) {
  auto reader = mine->Keep(PublishOne(), kId);
  auto block = std::make_unique<NewBlock>(*mine, *mine->TryAllocate(kBytes), kBytes, 1u);
  mine.reset();
  reader.reset();
  block.reset();
}

TEST_F(Stores, GetBackBlocksThatWereNotPublished) {
  {
    const NewBlock block(*mine, *mine->TryAllocate(kBytes), kBytes, 1u);
    EXPECT_GE(mine->UsedBytes(), kBytes);
  }
  EXPECT_EQ(mine->UsedBytes(), 0u);
  NewBlock block(*mine, *mine->TryAllocate(kBytes), kBytes, 1u);
  EXPECT_TRUE(mine->Publish(block.extent(), {kId, kBytes, 7, 0}));
  EXPECT_GE(mine->UsedBytes(), kBytes);
}

TEST_F(Stores, FreeAllOfASessionOnce) {
  PublishOne();
  const ObjectId id{Rank(0), 2, 1};
  const std::uint32_t dying = PublishOne(id);
  auto reader = mine->Keep(dying, id);
  mine->Free(dying, id);
  mine->FreeAll();
  reader.reset();
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, FreeAnEntryOnlyForItsObject) {
  const std::uint32_t entry = PublishOne();
  mine->Free(entry, {Rank(0), 2, 1});
  EXPECT_TRUE(mine->Keep(entry, kId));
}

TEST_F(Stores, UnloadAndLoadAnEntryWhichStaysItsObjects) {
  const std::uint32_t entry = PublishOne();
  EXPECT_EQ(Unload(), kBytes);
  EXPECT_EQ(mine->UsedBytes(), 0u);
  EXPECT_FALSE(other->Keep(entry, kId));
  EXPECT_TRUE(mine->Holds(entry, kId));
  EXPECT_TRUE(Load(entry, kId));
  EXPECT_FALSE(Load(entry, kId)) << "it is here";
  EXPECT_EQ(other->Keep(entry, kId)->bytes[0], std::byte{1});
  EXPECT_FALSE(mine->BeginUnload()) << "its file is as good as before";
  EXPECT_EQ(mine->FreeCheaply(1), kBytes);
  EXPECT_EQ(mine->UsedBytes(), 0u);
  EXPECT_TRUE(Load(entry, kId));
  mine->Free(entry, kId);
  EXPECT_EQ(mine->UsedBytes(), 0u);
  EXPECT_TRUE(files.HasDiscarded());
}

TEST_F(Stores, UnloadNothingThatIsRead) {
  const std::uint32_t entry = PublishOne();
  auto reader = other->Keep(entry, kId);
  EXPECT_FALSE(mine->BeginUnload());
  reader.reset();
  const auto bytes = mine->BeginUnload();
  ASSERT_TRUE(bytes);
  reader = other->Keep(entry, kId);  // while it is written
  EXPECT_EQ(mine->EndUnload(bytes->entry, files.Write(kId, bytes->data, bytes->size)), 0u);
  EXPECT_EQ(mine->FreeCheaply(1), 0u);
  EXPECT_EQ(reader->bytes[0], std::byte{1});
  reader.reset();
  EXPECT_EQ(mine->FreeCheaply(1), kBytes);
}

TEST_F(Stores, FreeWhatIsUnloadedOrOnItsWay) {
  const std::uint32_t entry = PublishOne();
  auto bytes = mine->BeginUnload();
  mine->Free(entry, kId);
  EXPECT_EQ(mine->EndUnload(bytes->entry, files.Write(kId, bytes->data, bytes->size)), kBytes);
  EXPECT_TRUE(files.HasDiscarded());
  files.RemoveDiscarded();

  const std::uint32_t unloaded = PublishOne();
  Unload();
  mine->Free(unloaded, kId);
  EXPECT_FALSE(mine->Holds(unloaded, kId));
  EXPECT_TRUE(files.HasDiscarded());
  files.RemoveDiscarded();

  const std::uint32_t loading = PublishOne();
  Unload();
  EXPECT_TRUE(mine->BeginLoad(loading, kId));
  EXPECT_FALSE(mine->BeginLoad(loading, kId)) << "one at a time";
  mine->Free(loading, kId);
  EXPECT_FALSE(mine->EndLoad(loading, mine->TryAllocate(kBytes)));
  EXPECT_FALSE(mine->Holds(loading, kId));
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

TEST_F(Stores, KeepWhatCouldNotBeWrittenOrRead) {
  const std::uint32_t entry = PublishOne();
  EXPECT_EQ(mine->EndUnload(mine->BeginUnload()->entry, 0), 0u);
  EXPECT_TRUE(mine->Keep(entry, kId));
  Unload();
  EXPECT_TRUE(mine->BeginLoad(entry, kId));
  EXPECT_FALSE(mine->EndLoad(entry, std::nullopt));
  EXPECT_TRUE(Load(entry, kId));
}

TEST_F(Stores, DropCopiesWithoutAFile) {
  const std::uint32_t copy = PublishOne(kId, true);
  const ObjectId id{Rank(0), 2, 1};
  const std::uint32_t own = PublishOne(id);
  auto reader = other->Keep(copy, kId);
  EXPECT_EQ(mine->FreeCheaply(1), 0u);
  reader.reset();
  EXPECT_EQ(mine->FreeCheaply(10 * kBytes), kBytes);
  EXPECT_FALSE(mine->Keep(copy, kId));
  EXPECT_TRUE(mine->Keep(own, id));
  mine->Free(copy, kId);  // its keeper does not know yet
}

TEST_F(Stores, DropTheOldestCopyForItsEntry) {
  const ObjectId ids[] = {{Rank(0), 2, 1}, {Rank(0), 3, 1}, {Rank(0), 4, 1}};
  const std::uint32_t read = PublishOne(ids[0], true), oldest = PublishOne(ids[1], true), newest = PublishOne(ids[2], true);
  PublishOne();  // no copy: it would be lost
  const auto reader = other->Keep(read, ids[0]);
  std::uint64_t taken = 0;
  while (mine->Keep(oldest, ids[1])) {
    ASSERT_TRUE(mine->Reserve());
    ASSERT_LE(++taken, layout.entries_per_rank);
  }
  EXPECT_GE(taken, layout.entries_per_rank - 4) << "while any entry is free it is taken";
  EXPECT_TRUE(mine->Keep(newest, ids[2]));
  EXPECT_EQ(mine->Reserve(), newest);
  EXPECT_FALSE(mine->Reserve()) << "what is left is read, or no copy";
  EXPECT_EQ(reader->bytes[0], std::byte{2});
}

TEST_F(Stores, RefuseTheirKeeperNothingThatIsHere) {
  std::atomic<bool> stop{false};
  std::thread makes_room([&] {
    while (!stop) mine->FreeCheaply(layout.heap_bytes);
  });
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::uint32_t entry = *mine->Reserve();
    mine->Seal(entry, *mine->TryAllocate(kBytes), {kId, kBytes, 7, 0, true}, true);
    refused += !mine->PinFor(1, entry, kId);
    mine->Unpin(entry);
    // It stays for the other's sake.
    const bool is_pinned = mine->PinOwn(entry, kId).has_value();
    refused += !is_pinned;
    if (is_pinned) mine->Unpin(entry);
    if (refused != 0) break;
    other->Unpin(entry);
    mine->Free(entry, kId);
  }
  stop = true;
  makes_room.join();
  EXPECT_EQ(refused, 0);
  EXPECT_EQ(mine->UsedBytes(), 0u);
}

}  // namespace
}  // namespace manta::runtime
