#include "core/node/extent_heap.hpp"

#include <algorithm>
#include <iterator>

#include "core/base/check.hpp"

namespace manta::node {
namespace {

// A tag is 0 while nobody has the extent; else the claimant's index + 1 (low half) and its epoch (high half). It is
// claimed by compare-and-swap with acquire and given back with release, so that the last reads and writes of one owner
// come before the first of the next.
constexpr std::uint64_t kFreeTag = 0;
constexpr std::uint64_t MakeTag(std::uint32_t index, std::uint32_t epoch) {
  return std::uint64_t{epoch} << 32 | (std::uint64_t{index} + 1);
}
constexpr std::uint64_t kLargeShare = 16;  // of the heap
constexpr std::uint64_t ClaimantOf(std::uint64_t tag) { return (tag & 0xffffffff) - 1; }

constexpr std::uint64_t RoundUp(std::uint64_t n, std::uint64_t unit) { return (n + unit - 1) / unit * unit; }
constexpr int kTriesWhenRaced = 16;

}  // namespace

ExtentHeap::ExtentHeap(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t my_index,
                       std::uint32_t epoch)
    : tags_(reinterpret_cast<Tag*>(segment.data() + layout.extent_tags), layout.extents()),
      heap_(layout.heap),
      heap_bytes_(layout.heap_bytes),
      extent_bytes_(layout.extent_bytes),
      my_tag_(MakeTag(my_index, epoch)),
      search_from_(layout.extents() * my_index / layout.ranks) {
  MANTA_EXPECT(my_index < layout.ranks, "the node segment is for " << layout.ranks << " ranks, there is no place "
                                                                   << my_index);
}

std::optional<std::uint64_t> ExtentHeap::Allocate(std::uint64_t size_bytes) {
  if (size_bytes > heap_bytes_) return std::nullopt;
  size_bytes = RoundUp(std::max<std::uint64_t>(size_bytes, 1), kAlignment);
  std::lock_guard lock(mutex_);
  std::optional<std::uint64_t> at = TakeBestFit(size_bytes);
  if (!at && ClaimFor(size_bytes)) at = TakeBestFit(size_bytes);
  if (!at) return std::nullopt;
  used_.emplace(*at, size_bytes);
  used_bytes_ += size_bytes;
  return heap_ + *at;
}

void ExtentHeap::Free(std::uint64_t offset) {
  std::lock_guard lock(mutex_);
  const auto block = used_.find(offset - heap_);
  MANTA_ASSERT(block != used_.end());
  const auto [at, size_bytes] = *block;
  used_.erase(block);
  used_bytes_ -= size_bytes;
  InsertFree(at, size_bytes);
  GiveBackEmptyExtents(at);
}

std::uint64_t ExtentHeap::FreeBytesOnNode() const {
  std::uint64_t unclaimed = 0;
  for (const Tag& tag : tags_) unclaimed += tag.load(std::memory_order_relaxed) == kFreeTag ? 1 : 0;
  std::lock_guard lock(mutex_);
  return unclaimed * extent_bytes_ + free_bytes_;
}

std::uint64_t ExtentHeap::UsedBytes() const {
  std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::uint64_t ExtentHeap::AdoptExtentsOf(std::uint32_t dead_index, std::span<const HeapRange> keep) {
  std::lock_guard lock(mutex_);
  std::uint64_t gained = 0;
  for (std::uint64_t i = 0; i < tags_.size(); ++i) {
    std::uint64_t tag = tags_[i].load(std::memory_order_relaxed);
    if (tag == kFreeTag || ClaimantOf(tag) != dead_index) continue;
    // Acquire as for a claim; the dead rank's own writes came before the verdict that it is dead.
    if (!tags_[i].compare_exchange_strong(tag, my_tag_, std::memory_order_acquire, std::memory_order_relaxed)) continue;
    InsertFree(i * extent_bytes_, extent_bytes_);
    gained += extent_bytes_;
  }
  for (const HeapRange& range : keep) {
    const std::uint64_t size_bytes = RoundUp(range.size_bytes, kAlignment);
    CarveUsed(range.offset - heap_, size_bytes);
    gained -= size_bytes;
  }
  // From the end: giving back splits blocks and leaves those before in place.
  std::uint64_t below = heap_bytes_;
  for (auto block = free_.lower_bound(below); block != free_.begin(); block = free_.lower_bound(below)) {
    below = std::prev(block)->first;
    GiveBackEmptyExtents(below);
  }
  return gained;
}

/// Claims extents so that `size_bytes` fit somewhere.
bool ExtentHeap::ClaimFor(std::uint64_t size_bytes) {
  if (ClaimAnyRun((size_bytes + extent_bytes_ - 1) / extent_bytes_)) return true;
  // No run is long enough by itself, but one may be together with the end of a block that we have.
  for (const auto& [at, free_size] : free_) {
    const std::uint64_t end = at + free_size;
    if (end % extent_bytes_ != 0 || free_size >= size_bytes) continue;
    const std::uint64_t count = (size_bytes - free_size + extent_bytes_ - 1) / extent_bytes_;
    if (ClaimRun(end / extent_bytes_, count)) return true;  // has changed free_: leave the loop
  }
  return false;
}

bool ExtentHeap::ClaimAnyRun(std::uint64_t count) {
  const std::uint64_t extents = tags_.size();
  for (int attempt = 0; attempt < kTriesWhenRaced; ++attempt) {
    bool raced = false;
    // Two stretches: from our beginning to the end, then all from the start (a run may lie across our beginning). What is
    // large goes as far down as it can, so that what stays while others come and go does not cut the store in two.
    const bool is_large = count * kLargeShare >= extents;
    for (const std::uint64_t from : {is_large ? std::uint64_t{0} : search_from_, std::uint64_t{0}}) {
      std::uint64_t run = 0;
      for (std::uint64_t i = from; i < extents; ++i) {
        run = tags_[i].load(std::memory_order_relaxed) == kFreeTag ? run + 1 : 0;  // ClaimRun looks again
        if (run < count) continue;
        if (ClaimRun(i + 1 - count, count)) {
          if (!is_large) search_from_ = i + 1 < extents ? i + 1 : 0;
          return true;
        }
        raced = true;
        run = 0;
      }
    }
    if (!raced) return false;
  }
  return false;
}

/// Claims these extents, or none. Always upwards: of several ranks whose runs overlap, the one with the highest then
/// meets none of the others, so not all of them give up.
bool ExtentHeap::ClaimRun(std::uint64_t first, std::uint64_t count) {
  if (first + count > tags_.size()) return false;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t expected = kFreeTag;
    if (tags_[first + i].compare_exchange_strong(expected, my_tag_, std::memory_order_acquire,
                                                 std::memory_order_relaxed))
      continue;
    Unclaim(first, i);
    return false;
  }
  InsertFree(first * extent_bytes_, count * extent_bytes_);
  return true;
}

void ExtentHeap::Unclaim(std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) tags_[i].store(kFreeTag, std::memory_order_release);
}

std::optional<std::uint64_t> ExtentHeap::TakeBestFit(std::uint64_t size_bytes) {
  const auto best = free_by_size_.lower_bound({size_bytes, 0});
  if (best == free_by_size_.end()) return std::nullopt;
  const auto [block_size, at] = *best;
  EraseFree(free_.find(at));
  if (block_size > size_bytes) InsertFree(at + size_bytes, block_size - size_bytes);
  return at;
}

void ExtentHeap::InsertFree(std::uint64_t at, std::uint64_t size_bytes) {
  const auto after = free_.lower_bound(at);
  if (after != free_.begin()) {
    const auto before = std::prev(after);
    MANTA_ASSERT(before->first + before->second <= at);
    if (before->first + before->second == at) {
      at = before->first;
      size_bytes += before->second;
      EraseFree(before);
    }
  }
  if (after != free_.end() && at + size_bytes == after->first) {
    size_bytes += after->second;
    EraseFree(after);
  }
  free_.emplace(at, size_bytes);
  free_by_size_.emplace(size_bytes, at);
  free_bytes_ += size_bytes;
}

void ExtentHeap::EraseFree(std::map<std::uint64_t, std::uint64_t>::iterator block) {
  free_bytes_ -= block->second;
  free_by_size_.erase({block->second, block->first});
  free_.erase(block);
}

/// Makes part of a free block a used one.
void ExtentHeap::CarveUsed(std::uint64_t at, std::uint64_t size_bytes) {
  auto block = free_.upper_bound(at);
  MANTA_ASSERT(block != free_.begin() && size_bytes > 0);
  --block;
  const std::uint64_t begin = block->first;
  const std::uint64_t end = begin + block->second;
  MANTA_ASSERT(at % kAlignment == 0 && at + size_bytes <= end);
  EraseFree(block);
  if (at > begin) InsertFree(begin, at - begin);
  if (at + size_bytes < end) InsertFree(at + size_bytes, end - at - size_bytes);
  used_.emplace(at, size_bytes);
  used_bytes_ += size_bytes;
}

/// Gives back the extents that the free block around `at` covers whole.
void ExtentHeap::GiveBackEmptyExtents(std::uint64_t at) {
  const auto block = std::prev(free_.upper_bound(at));
  const std::uint64_t begin = block->first;
  const std::uint64_t end = begin + block->second;
  const std::uint64_t first = (begin + extent_bytes_ - 1) / extent_bytes_;
  const std::uint64_t last = end / extent_bytes_;
  if (first >= last) return;
  EraseFree(block);
  if (begin < first * extent_bytes_) InsertFree(begin, first * extent_bytes_ - begin);
  if (end > last * extent_bytes_) InsertFree(last * extent_bytes_, end - last * extent_bytes_);
  Unclaim(first, last - first);
  // What was just used has its pages, here and in the machine: a fresh page costs as much as copying twenty.
  search_from_ = first;
}

}  // namespace manta::node
