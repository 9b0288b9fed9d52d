#pragma once
// The part of an object's record that all ranks of a node read: where its bytes lie in the segment, and who reads them
// now. A rank writes entries for the objects it owns; any rank of the node finds and pins one without asking the owner,
// even while the owner computes.
//
//   owner:   auto entry = table.Publish(id, offset, size, type_hash);   // its index travels with the ref
//            if (table.Retire(*entry)) heap.Free(offset);               // else again later: table.TryReclaim(*entry)
//   reader:  if (auto view = table.Pin(entry, id)) { read segment + view->offset; table.Unpin(entry); }
//
// Pins are counted in one word for each reader rank: a count that two ranks share costs 77 ns a pin against 3, and the
// words of a dead rank can be cleared. An entry has one line for the facts and one for the pins of every 16 ranks.
//
// No entry is used again while it is read (Dekker's argument): the reader raises its pin, then looks at the state; the
// owner changes the state, then looks at the pins; all four are sequentially consistent. If the reader saw "sealed", its
// look came before the owner's change, so its pin came before the owner's look. tests/models/pin_model_test.cpp walks
// through all interleavings, with readers that die at any step.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/base/ids.hpp"
#include "core/node/segment_layout.hpp"

namespace manta::node {

enum class EntryState : std::uint32_t { kFree = 0, kSealed = 1, kRetired = 2, kUnloaded = 3 };

/// What a pinned entry says.
struct EntryView {
  std::uint64_t offset = 0;  // in the segment
  std::uint64_t size_bytes = 0;
  std::uint64_t type_hash = 0;
  std::uint32_t note = 0;  // what the publisher wrote there
};

class ObjectEntryTable {
 public:
  /// One object a rank, for the segment's life: which of the rank's entries are free is kept here.
  ObjectEntryTable(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t my_index);

  // The owner's side. Any thread of the owner.

  /// Makes an object visible to the node's ranks; its bytes must be whole. Returns the entry's index, or nothing when
  /// all of this rank's entries are in use (then the object is reached by asking its owner).
  std::optional<std::uint32_t> Publish(ObjectId id, std::uint64_t offset, std::uint64_t size_bytes,
                                       std::uint64_t type_hash, std::uint32_t note = 0);
  /// The same in two steps, for who must know beforehand that there will be an entry. What is not sealed is given back.
  std::optional<std::uint32_t> Reserve();
  void Seal(std::uint32_t entry, ObjectId id, std::uint64_t offset, std::uint64_t size_bytes, std::uint64_t type_hash,
            std::uint32_t note);
  void GiveBack(std::uint32_t entry);
  /// Lets no new reader in. True when none is left: the entry is free again and so may the bytes be. Else ask TryReclaim
  /// until it is true. Once for each Publish; of an unloaded entry too.
  bool Retire(std::uint32_t entry);
  /// Retires it if nobody reads it; else it stays as it was. A reader that looks just then is refused, and asks again.
  bool TryRetire(std::uint32_t entry);
  /// Lets no new reader in, where there is none: the bytes may go elsewhere, the entry stays its object's until Reload or
  /// Retire. Else false, and it stays as it was.
  bool TryUnload(std::uint32_t entry);
  /// The bytes of an unloaded entry are in the segment again.
  void Reload(std::uint32_t entry, std::uint64_t offset);
  bool IsPinned(std::uint32_t entry) const;
  /// Whether the last reader of a retired entry has left; then the entry is free again. Not after it was true.
  bool TryReclaim(std::uint32_t entry);
  /// Clears the pins that a dead rank left in this rank's entries. Only after its process is known to be gone. Then ask
  /// TryReclaim again. Reads a line for every entry that was ever used.
  void DropPinsOf(std::uint32_t dead_index);
  /// Pins of all ranks in this rank's entries, a snapshot. Reads a line for every entry that was ever used.
  std::uint64_t Pins() const;
  /// Entries that Publish can still give.
  std::uint64_t FreeEntries() const;

  // The reader's side. Any thread of any rank of the node, the owner too.

  /// Keeps `entry` from being used again, if it still is `expected`'s. Each success needs one Unpin. Costs two cache
  /// lines, 3 ns when they are near.
  std::optional<EntryView> Pin(std::uint32_t entry, ObjectId expected) { return PinFor(my_index_, entry, expected); }
  /// The same pin for the rank `reader` of the node, which is about to hear of it and gives it back: so that what it is
  /// told of is still there when it looks.
  std::optional<EntryView> PinFor(std::uint32_t reader, std::uint32_t entry, ObjectId expected);
  /// What an entry says that the caller has pinned.
  EntryView ViewOf(std::uint32_t entry) const;
  /// Gives a pin back. Returns whether the owner waits for pins to go (it retired the entry): then tell it, or let it
  /// find out.
  bool Unpin(std::uint32_t entry);

 private:
  /// Written by the owner while the state is not sealed and no pin is left; read under a pin.
  struct alignas(kLineBytes) Facts {
    // Low half: EntryState; high half: how often the entry was used. Written by the owner: release when sealing, which
    // hands over the facts and the object's bytes; seq_cst when retiring (see above).
    std::atomic<std::uint64_t> state;
    ObjectId id;
    std::uint32_t note;
    std::uint64_t offset;
    std::uint64_t size_bytes;
    std::uint64_t type_hash;
  };
  static_assert(sizeof(Facts) == kLineBytes);
  /// Pins held by one rank. Raised by that rank's threads, and by ranks that hand it a pin (seq_cst, see above); lowered by
  /// its own alone (release, so that its reads come before the owner's next use).
  using PinWord = std::atomic<std::uint32_t>;

  Facts& FactsOf(std::uint32_t entry) const;
  PinWord& PinsOf(std::uint32_t entry, std::uint32_t reader) const;
  bool TryLeaveSealed(std::uint32_t entry, EntryState to);
  bool ReclaimUnpinned(std::uint32_t entry);
  void SetFree(std::uint32_t entry);

  // Fixed after construction.
  const std::span<std::byte> table_;
  const std::uint64_t entry_bytes_;
  const std::uint32_t ranks_;
  const std::uint32_t my_index_;
  const std::uint32_t first_own_;
  const std::uint32_t own_count_;

  mutable std::mutex mutex_;             // guards the two below
  std::uint32_t used_count_ = 0;         // own entries that were ever used: pages of the others stay untouched
  std::vector<std::uint32_t> reusable_;  // own entries that were used and are free
};

}  // namespace manta::node
