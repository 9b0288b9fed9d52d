#pragma once
// The node's object store as one rank uses it: room for bytes, and the entry by which the others find them.

#include <manta/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/node/extent_heap.hpp"
#include "core/node/object_entry.hpp"

namespace manta::runtime {

/// Any thread.
class LocalStore {
 public:
  LocalStore(std::span<std::byte> segment, const node::SegmentLayout& layout, std::uint32_t my_index)
      : segment_(segment),
        total_(layout.heap_bytes),
        heap_(segment, layout, my_index, 1),
        entries_(segment, layout, my_index) {}

  std::byte* At(std::uint64_t offset) const { return segment_.data() + offset; }
  std::uint64_t total_bytes() const { return total_; }
  std::uint64_t UsedBytes() const { return heap_.UsedBytes(); }
  /// Pins of this node's ranks in this rank's entries. Slow: reads a line for every entry that was ever used.
  std::uint64_t Pins() const { return entries_.Pins(); }

  /// Room for `size_bytes`, not filled. Throws OutOfMemoryError (bytes asked, bytes free).
  std::uint64_t Allocate(std::uint64_t size_bytes) {
    for (int attempt = 0; attempt < 3; ++attempt) {
      if (auto offset = heap_.Allocate(size_bytes)) return *offset;
      Reclaim();
    }
    ThrowNoRoom(size_bytes);
  }
  [[noreturn]] void ThrowNoRoom(std::uint64_t size_bytes) const {
    const std::uint64_t free = heap_.FreeBytesOnNode();
    throw OutOfMemoryError("the node's object store has no room for " + std::to_string(size_bytes) +
                               " bytes: " + std::to_string(free) + " of " + std::to_string(total_) +
                               " bytes are free; drop refs, or start with a larger --manta-object-store-bytes",
                           size_bytes, free);
  }
  void Abandon(std::uint64_t offset) { heap_.Free(offset); }

  /// What says whether this store is still there, to what may outlive it.
  std::weak_ptr<LocalStore*> alive() const { return alive_; }

  /// An entry for what will be sealed, so that it is there then. Give it to Seal or back.
  std::optional<std::uint32_t> Reserve() { return entries_.Reserve(); }
  void GiveBack(std::uint32_t entry) { entries_.GiveBack(entry); }
  void Seal(std::uint32_t entry, ObjectId id, std::uint64_t offset, std::uint64_t size_bytes, std::uint64_t type_hash,
            std::uint32_t note) {
    entries_.Seal(entry, id, offset, size_bytes, type_hash, note);
    std::lock_guard lock(mutex_);
    held_[entry] = offset;
  }
  /// Makes filled bytes visible. Returns the entry, or nothing when the table is full (then the caller keeps a copy).
  std::optional<std::uint32_t> Publish(ObjectId id, std::uint64_t offset, std::uint64_t size_bytes,
                                       std::uint64_t type_hash, std::uint32_t note) {
    const auto entry = entries_.Reserve();
    if (entry) Seal(*entry, id, offset, size_bytes, type_hash, note);
    return entry;
  }
  /// Gives back what Publish made visible: now, or when the last reader has left.
  void Free(std::uint32_t entry) {
    {
      // Retired and among the dying in one step, so that its last reader finds it there.
      std::lock_guard lock(mutex_);
      if (!entries_.Retire(entry)) {
        dying_.insert(entry);
        return;
      }
    }
    FreeBytesOf(entry);
  }
  /// The same if nobody reads it; false: it stays.
  bool TryFree(std::uint32_t entry) {
    if (!entries_.TryRetire(entry)) return false;
    FreeBytesOf(entry);
    return true;
  }
  /// Tries the dying again. Cheap when there are none.
  void Reclaim() {
    std::vector<std::uint32_t> left;
    {
      std::lock_guard lock(mutex_);
      std::erase_if(dying_, [&](std::uint32_t entry) {
        if (!entries_.TryReclaim(entry)) return false;
        left.push_back(entry);
        return true;
      });
    }
    for (const std::uint32_t entry : left) FreeBytesOf(entry);
  }
  /// The end of a session on all ranks of the node: whatever is left is of nobody.
  void FreeAll() {
    std::vector<std::uint32_t> left;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [entry, offset] : held_)
        if (!dying_.contains(entry)) left.push_back(entry);
    }
    for (const std::uint32_t entry : left) Free(entry);
    Reclaim();
  }
  /// Reader side: the bytes of an entry of any rank of this node, kept until Unpin.
  std::optional<node::EntryView> Pin(std::uint32_t entry, ObjectId id) { return entries_.Pin(entry, id); }
  void Unpin(std::uint32_t entry) {
    if (!entries_.Unpin(entry)) return;
    {
      std::lock_guard lock(mutex_);
      // Another rank's, or read by others still.
      if (!dying_.contains(entry) || !entries_.TryReclaim(entry)) return;
      dying_.erase(entry);
    }
    FreeBytesOf(entry);  // warm
  }
  /// A pin for a rank of this node that is about to be told, see ObjectEntryTable.
  bool PinFor(std::uint32_t reader, std::uint32_t entry, ObjectId id) {
    return entries_.PinFor(reader, entry, id).has_value();
  }
  /// The bytes of an entry, pinned until the last copy of `in` goes, which may come after this store's end.
  struct Kept {
    const std::byte* bytes = nullptr;
    std::uint64_t size = 0;
    std::shared_ptr<const void> in;
  };
  /// Nothing where the entry is another object's by now, or its bytes are not there.
  std::optional<Kept> Keep(std::uint32_t entry, ObjectId id) {
    if (!Pin(entry, id)) return std::nullopt;
    return KeepPinned(entry);
  }
  /// Of an entry that is pinned already: takes the pin over.
  Kept KeepPinned(std::uint32_t entry) {
    const node::EntryView view = entries_.ViewOf(entry);
    std::byte* const bytes = At(view.offset);
    return {bytes, view.size_bytes,
            std::shared_ptr<const void>(bytes, [alive = std::weak_ptr<LocalStore*>(alive_), entry](const void*) {
              if (const auto store = alive.lock()) (*store)->Unpin(entry);
            })};
  }

 private:
  void FreeBytesOf(std::uint32_t entry) {
    std::uint64_t offset = 0;
    {
      std::lock_guard lock(mutex_);
      auto it = held_.find(entry);
      if (it == held_.end()) return;
      offset = it->second;
      held_.erase(it);
    }
    heap_.Free(offset);
  }
  std::span<std::byte> segment_;
  std::uint64_t total_;
  node::ExtentHeap heap_;
  node::ObjectEntryTable entries_;
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, std::uint64_t> held_;  // offset by entry; guarded by mutex_
  std::unordered_set<std::uint32_t> dying_;                // retired, but read; guarded by mutex_
  const std::shared_ptr<LocalStore*> alive_ = std::make_shared<LocalStore*>(this);  // gone with it
};

}  // namespace manta::runtime
