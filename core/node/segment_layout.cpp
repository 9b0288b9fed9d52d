#include "core/node/segment_layout.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#include "core/base/check.hpp"
#include "core/node/rank_block.hpp"

namespace manta::node {
namespace {

constexpr std::uint64_t kMagic = 0x31676573'61746e6d;  // "mntaseg1"
constexpr std::uint64_t kVersion = 1;                  // one more whenever the meaning of a byte changes

constexpr std::uint64_t KiB(std::uint64_t n) { return n << 10; }
constexpr std::uint64_t MiB(std::uint64_t n) { return n << 20; }
constexpr std::uint64_t RoundUp(std::uint64_t n, std::uint64_t unit) { return (n + unit - 1) / unit * unit; }

struct SegmentHeader {
  // Written by the rank that made the segment. Release after the rest; the acquire in the check pairs with it.
  std::atomic<std::uint64_t> magic;
  std::uint64_t version;
  SegmentLayout layout;
};
static_assert(sizeof(SegmentHeader) <= kPageBytes);

std::uint64_t RingBytes(std::uint64_t ranks) {
  // Halved each time the ranks double, so that all rings grow like the ranks and not like their square.
  return std::clamp(MiB(1) / std::bit_ceil(ranks), KiB(32), KiB(256));
}

std::uint64_t ExtentBytes(std::uint64_t store_bytes) {
  return std::clamp(std::bit_floor(store_bytes / 256), KiB(64), MiB(4));
}

std::uint64_t EntriesPerRank(std::uint64_t ranks, std::uint64_t store_bytes, std::uint64_t entry_bytes) {
  // An eighth of the store, so that objects of 1 KiB run out of store and of entries together.
  const std::uint64_t of_all = store_bytes / 8 / entry_bytes;
  return std::clamp<std::uint64_t>(std::bit_floor(of_all / ranks), 1024, 131'072);
}

}  // namespace

SegmentLayout SegmentLayout::Compute(int ranks_on_node, std::uint64_t store_bytes) {
  MANTA_EXPECT(ranks_on_node >= 1 && ranks_on_node <= 4096,
               "a node segment is for 1 to 4096 ranks, not " << ranks_on_node);
  MANTA_EXPECT(store_bytes <= std::uint64_t{1} << 46,
               "the store of a node can have at most 2^46 bytes, not " << store_bytes << "; lower the store size");
  SegmentLayout layout;
  const std::uint64_t ranks = static_cast<std::uint64_t>(ranks_on_node);
  layout.ranks = static_cast<std::uint32_t>(ranks);
  layout.ring_bytes = RingBytes(ranks);
  layout.extent_bytes = ExtentBytes(store_bytes);
  layout.heap_bytes = RoundUp(store_bytes, layout.extent_bytes);
  layout.entry_bytes = kLineBytes * (1 + RoundUp(ranks, 16) / 16);
  layout.entries_per_rank = EntriesPerRank(ranks, store_bytes, layout.entry_bytes);

  std::uint64_t at = kPageBytes;
  const auto place = [&at](std::uint64_t size_bytes) {
    const std::uint64_t offset = at;
    at = RoundUp(at + size_bytes, kPageBytes);
    return offset;
  };
  layout.rank_blocks = place(ranks * sizeof(RankBlock));
  layout.ring_tails = place(ranks * ranks * kApart);
  layout.extent_tags = place(layout.extents() * sizeof(std::uint64_t));
  layout.entries = place(ranks * layout.entries_per_rank * layout.entry_bytes);
  layout.rings = place(ranks * ranks * layout.ring_bytes);
  layout.heap = place(layout.heap_bytes);
  layout.total = at;
  return layout;
}

void WriteSegmentHeader(std::span<std::byte> segment, const SegmentLayout& layout) {
  MANTA_EXPECT(segment.size() >= layout.total, "the node segment has " << segment.size() << " bytes, its layout needs "
                                                                       << layout.total);
  auto* header = reinterpret_cast<SegmentHeader*>(segment.data());
  header->version = kVersion;
  header->layout = layout;
  header->magic.store(kMagic, std::memory_order_release);
}

void CheckSegmentHeader(std::span<const std::byte> segment, const SegmentLayout& layout) {
  MANTA_EXPECT(segment.size() >= layout.total, "the node segment has " << segment.size() << " bytes, its layout needs "
                                                                       << layout.total);
  const auto* header = reinterpret_cast<const SegmentHeader*>(segment.data());
  MANTA_EXPECT(header->magic.load(std::memory_order_acquire) == kMagic, "the node segment was never laid out");
  MANTA_EXPECT(header->version == kVersion, "the node segment has version " << header->version << ", this program needs "
                                                                            << kVersion
                                                                            << "; start all ranks from one build");
  MANTA_EXPECT(header->layout == layout,
               "the node segment is for " << header->layout.ranks << " ranks and a store of "
                                          << header->layout.heap_bytes << " bytes, this rank expects " << layout.ranks
                                          << " and " << layout.heap_bytes << "; give all ranks the same settings");
}

}  // namespace manta::node
