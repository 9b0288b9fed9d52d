#include "core/node/object_entry.hpp"

#include "core/base/check.hpp"

namespace manta::node {
namespace {

constexpr std::uint64_t Pack(std::uint64_t uses, EntryState state) {
  return uses << 32 | static_cast<std::uint32_t>(state);
}
constexpr EntryState StateOf(std::uint64_t word) { return static_cast<EntryState>(static_cast<std::uint32_t>(word)); }
constexpr std::uint64_t UsesOf(std::uint64_t word) { return word >> 32; }

}  // namespace

ObjectEntryTable::ObjectEntryTable(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t my_index)
    : table_(segment.subspan(layout.entries, layout.ranks * layout.entries_per_rank * layout.entry_bytes)),
      entry_bytes_(layout.entry_bytes),
      ranks_(layout.ranks),
      my_index_(my_index),
      first_own_(static_cast<std::uint32_t>(my_index * layout.entries_per_rank)),
      own_count_(static_cast<std::uint32_t>(layout.entries_per_rank)) {
  MANTA_EXPECT(my_index < layout.ranks, "the node segment is for " << layout.ranks << " ranks, there is no place "
                                                                   << my_index);
}

ObjectEntryTable::Facts& ObjectEntryTable::FactsOf(std::uint32_t entry) const {
  const std::uint64_t at = entry * entry_bytes_;
  MANTA_ASSERT(at < table_.size());  // the index came in a message
  return *reinterpret_cast<Facts*>(table_.data() + at);
}

ObjectEntryTable::PinWord& ObjectEntryTable::PinsOf(std::uint32_t entry, std::uint32_t reader) const {
  return *reinterpret_cast<PinWord*>(table_.data() + entry * entry_bytes_ + kLineBytes + reader * sizeof(PinWord));
}

std::optional<std::uint32_t> ObjectEntryTable::Publish(ObjectId id, std::uint64_t offset, std::uint64_t size_bytes,
                                                       std::uint64_t type_hash, std::uint32_t note) {
  const std::optional<std::uint32_t> entry = Reserve();
  if (entry) Seal(*entry, id, offset, size_bytes, type_hash, note);
  return entry;
}

std::optional<std::uint32_t> ObjectEntryTable::Reserve() {
  std::lock_guard lock(mutex_);
  if (!reusable_.empty()) {
    const std::uint32_t entry = reusable_.back();
    reusable_.pop_back();
    return entry;
  }
  if (used_count_ < own_count_) return first_own_ + used_count_++;
  return std::nullopt;
}

void ObjectEntryTable::GiveBack(std::uint32_t entry) {
  std::lock_guard lock(mutex_);
  reusable_.push_back(entry);
}

void ObjectEntryTable::Seal(std::uint32_t entry, ObjectId id, std::uint64_t offset, std::uint64_t size_bytes,
                            std::uint64_t type_hash, std::uint32_t note) {
  Facts& facts = FactsOf(entry);
  const std::uint64_t before = facts.state.load(std::memory_order_relaxed);  // only we change it
  facts.id = id;
  facts.offset = offset;
  facts.size_bytes = size_bytes;
  facts.type_hash = type_hash;
  facts.note = note;
  facts.state.store(Pack(UsesOf(before) + 1, EntryState::kSealed), std::memory_order_release);
}

bool ObjectEntryTable::Retire(std::uint32_t entry) {
  Facts& facts = FactsOf(entry);
  const std::uint64_t before = facts.state.load(std::memory_order_relaxed);
  MANTA_ASSERT((StateOf(before) == EntryState::kSealed || StateOf(before) == EntryState::kUnloaded) &&
               entry - first_own_ < own_count_);
  facts.state.store(Pack(UsesOf(before), EntryState::kRetired), std::memory_order_seq_cst);  // then the pins: the owner's half of Dekker
  return ReclaimUnpinned(entry);
}

bool ObjectEntryTable::IsPinned(std::uint32_t entry) const {
  // One after the other is enough: a word that was 0 after the state had changed can rise only for a reader that is
  // about to see the new one and leave. Acquire (in seq_cst) pairs with the release of Unpin.
  for (std::uint32_t reader = 0; reader < ranks_; ++reader)
    if (PinsOf(entry, reader).load(std::memory_order_seq_cst) != 0) return true;
  return false;
}

/// To a state that no reader takes, if none is there.
bool ObjectEntryTable::TryLeaveSealed(std::uint32_t entry, EntryState to) {
  Facts& facts = FactsOf(entry);
  const std::uint64_t sealed = facts.state.load(std::memory_order_relaxed);
  MANTA_ASSERT(StateOf(sealed) == EntryState::kSealed && entry - first_own_ < own_count_);
  facts.state.store(Pack(UsesOf(sealed), to), std::memory_order_seq_cst);  // the owner's half of Dekker
  if (!IsPinned(entry)) return true;
  // The facts and the bytes are what they were: a reader that sees this has them from the release before.
  facts.state.store(sealed, std::memory_order_release);
  return false;
}

bool ObjectEntryTable::TryRetire(std::uint32_t entry) {
  if (!TryLeaveSealed(entry, EntryState::kRetired)) return false;
  // A reader that was refused may hold its pin for a moment still; it reads nothing.
  SetFree(entry);
  return true;
}

bool ObjectEntryTable::TryUnload(std::uint32_t entry) { return TryLeaveSealed(entry, EntryState::kUnloaded); }

void ObjectEntryTable::Reload(std::uint32_t entry, std::uint64_t offset) {
  Facts& facts = FactsOf(entry);
  const std::uint64_t unloaded = facts.state.load(std::memory_order_relaxed);
  MANTA_ASSERT(StateOf(unloaded) == EntryState::kUnloaded && entry - first_own_ < own_count_);
  facts.offset = offset;
  facts.state.store(Pack(UsesOf(unloaded), EntryState::kSealed), std::memory_order_release);
}

bool ObjectEntryTable::TryReclaim(std::uint32_t entry) {
  const std::uint64_t retired = FactsOf(entry).state.load(std::memory_order_relaxed);
  MANTA_ASSERT(StateOf(retired) == EntryState::kRetired && entry - first_own_ < own_count_);
  return ReclaimUnpinned(entry);
}

bool ObjectEntryTable::ReclaimUnpinned(std::uint32_t entry) {
  if (IsPinned(entry)) return false;
  SetFree(entry);
  return true;
}

void ObjectEntryTable::SetFree(std::uint32_t entry) {
  auto& state = FactsOf(entry).state;
  state.store(Pack(UsesOf(state.load(std::memory_order_relaxed)), EntryState::kFree), std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  reusable_.push_back(entry);
}

void ObjectEntryTable::DropPinsOf(std::uint32_t dead_index) {
  MANTA_ASSERT(dead_index < ranks_);
  std::uint32_t count = 0;
  {
    std::lock_guard lock(mutex_);
    count = used_count_;
  }
  // Relaxed: its writer is gone, and the look that matters is our own, later.
  for (std::uint32_t i = 0; i < count; ++i) PinsOf(first_own_ + i, dead_index).store(0, std::memory_order_relaxed);
}

std::uint64_t ObjectEntryTable::Pins() const {
  std::uint32_t count = 0;
  {
    std::lock_guard lock(mutex_);
    count = used_count_;
  }
  std::uint64_t pins = 0;
  for (std::uint32_t i = 0; i < count; ++i)
    for (std::uint32_t reader = 0; reader < ranks_; ++reader)
      pins += PinsOf(first_own_ + i, reader).load(std::memory_order_relaxed);
  return pins;
}

std::uint64_t ObjectEntryTable::FreeEntries() const {
  std::lock_guard lock(mutex_);
  return own_count_ - used_count_ + reusable_.size();
}

std::optional<EntryView> ObjectEntryTable::PinFor(std::uint32_t reader, std::uint32_t entry, ObjectId expected) {
  const Facts& facts = FactsOf(entry);
  PinWord& pins = PinsOf(entry, reader);
  pins.fetch_add(1, std::memory_order_seq_cst);
  const std::uint64_t state = facts.state.load(std::memory_order_seq_cst);  // the reader's half of Dekker
  // Sealed and pinned: the facts can't change from here on, but they may be another object's.
  if (StateOf(state) == EntryState::kSealed && facts.id == expected) return ViewOf(entry);
  pins.fetch_sub(1, std::memory_order_release);
  return std::nullopt;
}

EntryView ObjectEntryTable::ViewOf(std::uint32_t entry) const {
  const Facts& facts = FactsOf(entry);
  return {facts.offset, facts.size_bytes, facts.type_hash, facts.note};
}

bool ObjectEntryTable::Unpin(std::uint32_t entry) {
  PinsOf(entry, my_index_).fetch_sub(1, std::memory_order_release);
  // Relaxed: a reader that misses a retirement just now leaves it to the owner to find out.
  return StateOf(FactsOf(entry).state.load(std::memory_order_relaxed)) == EntryState::kRetired;
}

}  // namespace manta::node
