#pragma once
// The object store of a node: any rank may take as much of it as is free, up to all.
//
//   ExtentHeap heap(segment.bytes(), layout, my_index, epoch);
//   if (auto offset = heap.Allocate(bytes)) { write at segment + *offset; ...; heap.Free(*offset); }
//
// The heap is cut into extents, each with a word that says which rank has claimed it. Ranks meet only there, with one
// compare-and-swap an extent; inside its extents a rank allocates alone, best fit first, with the bookkeeping in its own
// memory, where no other rank can break it and none waits. Empty extents go back at once. A large object takes
// a run of adjacent extents. When a rank dies, its words tell which extents were its own (AdoptExtentsOf).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>

#include "core/node/segment_layout.hpp"

namespace manta::node {

struct HeapRange {
  std::uint64_t offset = 0;  // in the segment
  std::uint64_t size_bytes = 0;
};

/// Thread-safe: one lock, process-private. An Allocate or Free takes about 0.2 µs, and one compare-and-swap an extent
/// where it claims some.
class ExtentHeap {
 public:
  static constexpr std::uint64_t kAlignment = 64;

  /// `my_index` is this rank's place on the node, `epoch` the membership epoch it began in. One object a rank. It does
  /// not give its extents back when it is destroyed: what lies in them may still be read by others.
  ExtentHeap(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t my_index, std::uint32_t epoch);

  /// The offset in the segment of at least `size_bytes` bytes, aligned to 64; not cleared. Nothing when no run that
  /// long is free, or (rarely) when another rank was claiming around it at this moment: make room, or try again.
  std::optional<std::uint64_t> Allocate(std::uint64_t size_bytes);
  /// Takes back what Allocate of this object gave. Anything else is our bug and aborts.
  void Free(std::uint64_t offset);

  /// What no rank has claimed, and what this rank has free in its own extents. A snapshot; reads a word an extent.
  std::uint64_t FreeBytesOnNode() const;
  /// What this rank has allocated, rounded up to 64 bytes each.
  std::uint64_t UsedBytes() const;

  /// Takes over the extents of a rank that has died and frees all in them but `keep`, which must lie in them, must not
  /// overlap, and is this rank's to Free from now on (objects with pins, or the last copies). One rank only adopts,
  /// once no other reads what is not kept. Returns the bytes that became free.
  std::uint64_t AdoptExtentsOf(std::uint32_t dead_index, std::span<const HeapRange> keep);

 private:
  using Tag = std::atomic<std::uint64_t>;

  bool ClaimFor(std::uint64_t size_bytes);
  bool ClaimAnyRun(std::uint64_t count);
  bool ClaimRun(std::uint64_t first, std::uint64_t count);
  void Unclaim(std::uint64_t first, std::uint64_t count);
  std::optional<std::uint64_t> TakeBestFit(std::uint64_t size_bytes);
  void InsertFree(std::uint64_t at, std::uint64_t size_bytes);
  void EraseFree(std::map<std::uint64_t, std::uint64_t>::iterator block);
  void CarveUsed(std::uint64_t at, std::uint64_t size_bytes);
  void GiveBackEmptyExtents(std::uint64_t at);

  // Fixed after construction.
  const std::span<Tag> tags_;  // in the segment: who claimed each extent; orders in the .cpp
  const std::uint64_t heap_;
  const std::uint64_t heap_bytes_;
  const std::uint64_t extent_bytes_;
  const std::uint64_t my_tag_;

  mutable std::mutex mutex_;  // guards all below
  std::uint64_t search_from_;  // extent at which the search for free ones begins: ranks begin apart
  std::uint64_t free_bytes_ = 0;
  std::uint64_t used_bytes_ = 0;
  // Blocks inside our extents, by offset in the heap; free neighbours are always one block.
  std::map<std::uint64_t, std::uint64_t> free_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> free_by_size_;
  std::unordered_map<std::uint64_t, std::uint64_t> used_;
};

}  // namespace manta::node
