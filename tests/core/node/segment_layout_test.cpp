#include "core/node/segment_layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <manta/error.hpp>

#include "core/node/private_segment.hpp"
#include "core/node/rank_block.hpp"
#include "core/node/ring.hpp"
#include "tests/conformance/segment_conformance.hpp"

namespace manta::node {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(SegmentLayout, KeepsItsPartsApartAndOnPages) {
  for (const int ranks : {1, 2, 3, 4, 5, 16, 17, 64, 100}) {
    const SegmentLayout layout = SegmentLayout::Compute(ranks, 300 * kMiB + 1);
    const std::uint64_t n = layout.ranks;
    const std::vector<std::pair<std::uint64_t, std::uint64_t>> parts{
        {0, kPageBytes},
        {layout.rank_blocks, n * sizeof(RankBlock)},
        {layout.ring_tails, n * n * sizeof(RingTail)},
        {layout.extent_tags, layout.extents() * 8},
        {layout.entries, n * layout.entries_per_rank * layout.entry_bytes},
        {layout.rings, n * n * layout.ring_bytes},
        {layout.heap, layout.heap_bytes},
    };

    for (std::size_t i = 0; i + 1 < parts.size(); ++i)
      EXPECT_LE(parts[i].first + parts[i].second, parts[i + 1].first) << ranks << " ranks, part " << i;
    for (const auto& [offset, size] : parts) EXPECT_EQ(offset % kPageBytes, 0u);
    EXPECT_GE(layout.total, layout.heap + layout.heap_bytes);
    EXPECT_GE(layout.heap_bytes, 300 * kMiB + 1);
    EXPECT_EQ(layout.heap_bytes % layout.extent_bytes, 0u);
  }
}

TEST(SegmentLayout, GivesEachPairOfRanksRingsOfItsOwn) {
  const SegmentLayout layout = SegmentLayout::Compute(5, 0);
  std::vector<std::uint64_t> offsets;
  for (std::uint32_t consumer = 0; consumer < 5; ++consumer)
    for (std::uint32_t producer = 0; producer < 5; ++producer) offsets.push_back(layout.RingOffset(consumer, producer));

  std::sort(offsets.begin(), offsets.end());

  for (std::size_t i = 1; i < offsets.size(); ++i) EXPECT_EQ(offsets[i] - offsets[i - 1], layout.ring_bytes);
}

TEST(SegmentLayout, ScalesRingsDownWithTheRanks) {
  EXPECT_EQ(SegmentLayout::Compute(1, 0).ring_bytes, 256u << 10);
  EXPECT_EQ(SegmentLayout::Compute(4, 0).ring_bytes, 256u << 10);
  EXPECT_EQ(SegmentLayout::Compute(8, 0).ring_bytes, 128u << 10);
  EXPECT_EQ(SegmentLayout::Compute(64, 0).ring_bytes, 32u << 10);
  EXPECT_LT(SegmentLayout::Compute(64, 0).total, 160 * kMiB);
}

TEST(SegmentLayout, ScalesExtentsWithTheStore) {
  EXPECT_EQ(SegmentLayout::Compute(2, kMiB).extent_bytes, 64u << 10);
  EXPECT_EQ(SegmentLayout::Compute(2, 256 * kMiB).extent_bytes, kMiB);
  EXPECT_EQ(SegmentLayout::Compute(2, 64 * 1024 * kMiB).extent_bytes, 4 * kMiB);
  EXPECT_EQ(SegmentLayout::Compute(2, 0).extents(), 0u);
}

TEST(SegmentLayout, SpendsAnEighthOfTheStoreOnEntriesAtMost) {
  for (const int ranks : {1, 4, 64}) {
    const SegmentLayout layout = SegmentLayout::Compute(ranks, 1024 * kMiB);
    EXPECT_LE(layout.ranks * layout.entries_per_rank * layout.entry_bytes, 128 * kMiB);
    EXPECT_GE(layout.entry_bytes, kLineBytes + 4 * layout.ranks) << "a word for each reader";
  }
}

TEST(SegmentLayout, RefusesWhatHasNoMeaning) {
  EXPECT_THROW(SegmentLayout::Compute(0, kMiB), UsageError);
  EXPECT_THROW(SegmentLayout::Compute(4097, kMiB), UsageError);
  EXPECT_THROW(SegmentLayout::Compute(2, (std::uint64_t{1} << 46) + 1), UsageError);
}

TEST(SegmentLayout, IsCheckedByTheRanksThatMapTheSegment) {
  const SegmentLayout layout = SegmentLayout::Compute(2, kMiB);
  PrivateSegment segment(layout.total);
  EXPECT_THROW(CheckSegmentHeader(segment.bytes(), layout), UsageError) << "nobody has laid it out yet";

  WriteSegmentHeader(segment.bytes(), layout);

  EXPECT_NO_THROW(CheckSegmentHeader(segment.bytes(), layout));
}

TEST(SegmentLayout, NamesBothSidesWhenSettingsDiffer) {
  const SegmentLayout layout = SegmentLayout::Compute(2, kMiB);
  PrivateSegment segment(layout.total);
  WriteSegmentHeader(segment.bytes(), layout);

  try {
    CheckSegmentHeader(segment.bytes(), SegmentLayout::Compute(1, kMiB));
    FAIL() << "expected a UsageError";
  } catch (const UsageError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("is for 2 ranks"), std::string::npos) << text;
    EXPECT_NE(text.find("expects 1"), std::string::npos) << text;
  }
}

TEST(SegmentLayout, RefusesAVersionItDoesNotKnow) {
  const SegmentLayout layout = SegmentLayout::Compute(1, kMiB);
  PrivateSegment segment(layout.total);
  WriteSegmentHeader(segment.bytes(), layout);
  segment.bytes()[8] = std::byte{99};

  EXPECT_THROW(CheckSegmentHeader(segment.bytes(), layout), UsageError);
}

TEST(SegmentLayout, RefusesASegmentThatIsTooSmall) {
  const SegmentLayout layout = SegmentLayout::Compute(1, kMiB);
  PrivateSegment segment(kPageBytes);

  EXPECT_THROW(WriteSegmentHeader(segment.bytes(), layout), UsageError);
  EXPECT_THROW(CheckSegmentHeader(segment.bytes(), layout), UsageError);
}

TEST(PrivateSegment, SaysHowMuchItCouldNotMap) {
  try {
    PrivateSegment segment(std::size_t{1} << 62);
    FAIL() << "expected an OutOfMemoryError";
  } catch (const OutOfMemoryError& error) {
    EXPECT_EQ(error.asked_bytes(), std::size_t{1} << 62);
  }
}

struct PrivateSegmentWorld {
  static constexpr std::size_t kSizeBytes = 1 << 20;
  int size() const { return 1; }
  int rank() const { return 0; }
  Segment& segment() { return segment_; }
  void Barrier() {}
  PrivateSegment segment_{kSizeBytes};
};

}  // namespace
}  // namespace manta::node

namespace manta::testing {
INSTANTIATE_TYPED_TEST_SUITE_P(Private, SegmentConformance, node::PrivateSegmentWorld);
}
