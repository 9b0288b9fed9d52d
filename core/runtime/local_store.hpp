#pragma once
// The node's object store as one rank uses it: room for bytes, the entry by which the others find them, and which of them
// could make room. No policy and no disk: that is Room.
//
//   if (auto extent = store.TryAllocate(size)) { fill store.At(extent->offset()); store.Publish(id, *extent, size, ...); }
//   auto kept = store.Keep(entry, id);                       // any rank of the node; read *kept until it goes
//
// What the bytes of an entry of this rank are: here (in the segment, perhaps in a file too), or in a file only
// ("unloaded": the entry stays, who pins it is refused and asks this rank, which loads it again). tests/models/
// unload_model_test.cpp explores that.

#include <manta/error.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/node/extent_heap.hpp"
#include "core/node/object_entry.hpp"
#include "core/node/spill_files.hpp"

namespace manta::runtime {

/// Any thread.
class LocalStore {
 public:
  /// Room that nobody knows of yet; given back with the last of it, which may come after the store's end.
  class Extent {
   public:
    Extent() = default;
    Extent(LocalStore& store, std::uint64_t offset) : store_(store.alive_), offset_(offset) {}
    Extent(Extent&& other) noexcept : store_(std::exchange(other.store_, {})), offset_(other.offset_) {}
    Extent& operator=(Extent other) noexcept {
      std::swap(store_, other.store_);
      std::swap(offset_, other.offset_);
      return *this;
    }
    ~Extent() {
      if (const auto store = store_.lock()) (*store)->Abandon(offset_);
    }
    std::uint64_t offset() const { return offset_; }

   private:
    friend class LocalStore;
    std::weak_ptr<LocalStore*> store_;
    std::uint64_t offset_ = 0;
  };

  LocalStore(std::span<std::byte> segment, const node::SegmentLayout& layout, std::uint32_t my_index,
             node::SpillFiles& files);

  std::byte* At(std::uint64_t offset) const { return segment_.data() + offset; }
  std::uint64_t total_bytes() const { return total_; }
  std::uint64_t UsedBytes() const { return heap_.UsedBytes(); }
  /// Less what this rank has in values that count against the store.
  std::uint64_t FreeBytesOnNode() const {
    const std::uint64_t free = heap_.FreeBytesOnNode();
    return free - std::min(free, live_bytes());
  }
  /// Pins of this node's ranks in this rank's entries. Slow: reads a line for every entry that was ever used.
  std::uint64_t Pins() const { return entries_.Pins(); }

  // ---- making ----
  /// Room for `size_bytes`, not filled. `instead_of` so many bytes of counted values (below), which go then.
  std::optional<Extent> TryAllocate(std::uint64_t size_bytes, std::uint64_t instead_of = 0);
  /// Values that stay in the memory of the process as they are count against the store, until `live` and all its copies
  /// are gone. False: there is no room for so many bytes.
  bool TryCountLive(std::shared_ptr<const void>& live, std::uint64_t size_bytes);
  std::uint64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  /// An entry for what will be sealed, so that it is there then. Give it to Seal or back. Where none is free the oldest
  /// copy that nobody reads makes way.
  std::optional<std::uint32_t> Reserve();
  void GiveBack(std::uint32_t entry) { entries_.GiveBack(entry); }
  struct Facts {
    ObjectId id;
    std::uint64_t size_bytes = 0;
    std::uint64_t type_hash = 0;
    std::uint32_t note = 0;
    bool is_copy = false;  // of bytes that another node has: goes when room is needed
  };
  /// Makes filled bytes visible, which are the store's from then on. `pinned`: until Unpin, so that a copy is not dropped
  /// before its first reader is there.
  void Seal(std::uint32_t entry, Extent&& extent, const Facts& facts, bool pinned = false);
  /// The same, or nothing when no entry is free (then the extent is still the caller's).
  std::optional<std::uint32_t> Publish(Extent&& extent, const Facts& facts);

  // ---- reading ----
  /// The bytes of an entry of any rank of this node, kept until Unpin. Nothing where the entry is another object's by now,
  /// or its bytes are not in the segment.
  std::optional<node::EntryView> Pin(std::uint32_t entry, ObjectId id) { return entries_.Pin(entry, id); }
  void Unpin(std::uint32_t entry);
  /// The same of an entry of this rank, for its keeper: under the lock of who makes room, which for a moment refuses also
  /// what stays. So nothing means that the bytes are not here.
  std::optional<node::EntryView> PinOwn(std::uint32_t entry, ObjectId id) {
    std::lock_guard lock(mutex_);
    return entries_.Pin(entry, id);
  }
  /// That pin for a rank of this node which is about to be told, see ObjectEntryTable.
  bool PinFor(std::uint32_t reader, std::uint32_t entry, ObjectId id) {
    std::lock_guard lock(mutex_);
    return entries_.PinFor(reader, entry, id).has_value();
  }
  /// The bytes of an entry, pinned until the last copy of `in` goes, which may come after this store's end.
  struct Kept {
    const std::byte* bytes = nullptr;
    std::uint64_t size = 0;
    std::shared_ptr<const void> in;
  };
  std::optional<Kept> Keep(std::uint32_t entry, ObjectId id) {
    if (!Pin(entry, id)) return std::nullopt;
    return KeepPinned(entry);
  }
  /// Of an entry that is pinned already: takes the pin over.
  Kept KeepPinned(std::uint32_t entry);

  // ---- the end ----
  /// Gives back what Publish made visible: now, or when the last reader has left. Nothing where the entry is not `id`'s
  /// any more: a copy that was dropped.
  void Free(std::uint32_t entry, ObjectId id);
  /// Tries the dying again. Cheap when there are none.
  void Reclaim();
  /// The end of a session on all ranks of the node: whatever is left is of nobody.
  void FreeAll();

  // ---- making room, for Room ----
  /// Drops copies and what is in a file too, where nobody reads it, the oldest first, until `size_bytes` are free. Returns
  /// what was.
  std::uint64_t FreeCheaply(std::uint64_t size_bytes);
  /// The oldest bytes that are in the segment only and that nobody reads; pinned until EndUnload.
  struct Bytes {
    std::uint32_t entry = 0;
    ObjectId id;
    const std::byte* data = nullptr;
    std::uint64_t size = 0;
  };
  std::optional<Bytes> BeginUnload();
  /// They are in `file` now (0: they are not). Returns the bytes that became free.
  std::uint64_t EndUnload(std::uint32_t entry, node::SpillFiles::File file);
  /// The file of an object that is in no segment, for one caller until EndLoad. Nothing where it is not unloaded, or is
  /// being loaded.
  std::optional<node::SpillFiles::File> BeginLoad(std::uint32_t entry, ObjectId id);
  /// `extent` has its bytes; nothing: it could not be loaded. Keeps them, unless the object went meanwhile.
  std::optional<Kept> EndLoad(std::uint32_t entry, std::optional<Extent> extent);
  /// Whether the entry is that of the object, here or unloaded.
  bool Holds(std::uint32_t entry, ObjectId id);
  std::uint64_t SizeOf(std::uint32_t entry) const { return entries_.ViewOf(entry).size_bytes; }
  /// Whom to tell that bytes became free. Once, or with nothing; the callee may not call back.
  void OnFree(std::function<void()> told);
  /// Grows with every free of this rank.
  std::uint64_t frees() const { return frees_.load(std::memory_order_relaxed); }

 private:
  /// Of an entry of this rank.
  struct Held {
    ObjectId id;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t age = 0;  // key in AgesOf
    node::SpillFiles::File file = 0;
    bool is_copy = false;
    bool here = true;      // else unloaded
    bool loading = false;  // BeginLoad to EndLoad
    bool dying = false;    // retired, but read
    bool forgotten = false;  // freed while it was being loaded
  };
  using Entries = std::unordered_map<std::uint32_t, Held>;
  using Ages = std::map<std::uint64_t, std::uint32_t>;  // entries by age

  void Abandon(std::uint64_t offset);
  void FreeLocked(std::uint32_t entry);
  void Erase(Entries::iterator it);
  void FreeBytes(Held& held);
  /// Of what is here and not dying.
  Ages& AgesOf(const Held& held) { return held.is_copy || held.file != 0 ? cheap_ : costly_; }
  bool DropOldestCopy();
  void TellFree();

  const std::span<std::byte> segment_;
  const std::uint64_t total_;
  node::SpillFiles& files_;
  node::ExtentHeap heap_;
  node::ObjectEntryTable entries_;
  std::mutex mutex_;
  Entries held_;                                     // guarded by mutex_, as all below
  // Apart, so that who needs room walks past none that he has no use for.
  Ages cheap_;   // copies, and what is in a file too
  Ages costly_;  // what would have to be written
  std::uint64_t last_age_ = 0;
  std::uint64_t dying_ = 0;                          // how many
  std::mutex told_mutex_;                            // never held with mutex_
  std::function<void()> told_;                       // guarded by told_mutex_
  std::atomic<std::uint64_t> frees_{0};              // relaxed: a hint
  std::atomic<std::uint64_t> live_bytes_{0};         // relaxed: a bound that may be passed by what comes at one moment
  const std::shared_ptr<LocalStore*> alive_ = std::make_shared<LocalStore*>(this);  // gone with it
};

}  // namespace manta::runtime
