#pragma once
// Where everything lies in a node's segment, as offsets from its start. All ranks of a node compute the same layout
// from the same two numbers, so nothing but the segment itself has to be agreed.
//
//   auto layout = SegmentLayout::Compute(ranks_on_node, store_bytes);   // every rank
//   // one rank makes a segment of layout.total bytes, the others map it
//   WriteSegmentHeader(segment.bytes(), layout);                        // the rank that made it, before the others look
//   CheckSegmentHeader(segment.bytes(), layout);                        // the others
//
//   | header | rank blocks | ring tails | extent tags | object entries | rings | heap |
//
// A new segment is zeroed and zero is a valid start for all of it, so pages are touched only when they are used: a
// node of 64 ranks reserves 129 MiB for 4,096 rings and pays for those that carry messages.

#include <cstddef>
#include <cstdint>
#include <span>

namespace manta::node {

/// Words with different writers stand this far apart: two lines, since x86 prefetches lines in pairs.
inline constexpr std::size_t kApart = 128;
inline constexpr std::size_t kLineBytes = 64;
inline constexpr std::size_t kPageBytes = 4096;

struct SegmentLayout {
  std::uint32_t ranks = 0;             // of the node
  std::uint64_t rank_blocks = 0;       // RankBlock[ranks]
  std::uint64_t ring_tails = 0;        // RingTail[consumer][producer]
  std::uint64_t extent_tags = 0;       // one 8-byte word an extent of the heap
  std::uint64_t entries = 0;           // entries_per_rank entries of entry_bytes, rank by rank
  std::uint64_t entry_bytes = 0;       // one hot line, and a line of pins for every 16 ranks
  std::uint64_t entries_per_rank = 0;
  std::uint64_t rings = 0;             // ring_bytes each, [consumer][producer]
  std::uint64_t ring_bytes = 0;        // power of two: 256 KiB at up to 4 ranks, 32 KiB from 32 ranks on
  std::uint64_t heap = 0;              // the object store
  std::uint64_t heap_bytes = 0;        // a multiple of extent_bytes
  std::uint64_t extent_bytes = 0;      // power of two, 64 KiB to 4 MiB, about a 256th of the heap
  std::uint64_t total = 0;

  /// `store_bytes` is rounded up to whole extents; 0 means no store. The store is what the caller decides on: all
  /// else takes at most an eighth of it and about 5 to 130 MiB for the rings. Throws UsageError unless
  /// 1 <= ranks_on_node <= 4,096 and store_bytes <= 2^46.
  static SegmentLayout Compute(int ranks_on_node, std::uint64_t store_bytes);

  std::uint64_t extents() const { return extent_bytes == 0 ? 0 : heap_bytes / extent_bytes; }
  /// The offset of the ring that `producer` writes and `consumer` reads, and of the word where it has read up to.
  std::uint64_t RingOffset(std::uint32_t consumer, std::uint32_t producer) const {
    return rings + (std::uint64_t{consumer} * ranks + producer) * ring_bytes;
  }
  std::uint64_t RingTailOffset(std::uint32_t consumer, std::uint32_t producer) const {
    return ring_tails + (std::uint64_t{consumer} * ranks + producer) * kApart;
  }
  bool operator==(const SegmentLayout&) const = default;
};

/// Marks a new, zeroed segment as laid out by `layout`. Once, by one rank, before any other checks it.
void WriteSegmentHeader(std::span<std::byte> segment, const SegmentLayout& layout);
/// Throws UsageError if the segment was laid out otherwise: by another build, or for other settings. Any thread.
void CheckSegmentHeader(std::span<const std::byte> segment, const SegmentLayout& layout);

}  // namespace manta::node
