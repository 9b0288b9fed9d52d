#pragma once
// The actors that live on this rank, by their ids. Finding one is a look at three words and takes the actor's lock on
// the way.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/runtime/actor_instance.hpp"
#include "core/runtime/slot_chunks.hpp"

namespace manta::runtime {

/// Any thread. By owner and slot. An owner uses a slot for one actor at a time, but an old one may still have calls in
/// its mailbox here when the next one comes: a word is the first of a list. Each is held by the table.
class ActorTable {
 public:
  explicit ActorTable(int ranks) : owners_(static_cast<std::size_t>(ranks)) {}
  ~ActorTable() { TakeAll(); }
  ActorTable(const ActorTable&) = delete;
  ActorTable& operator=(const ActorTable&) = delete;

  /// Locked; made if it is not there. It stays for as long as it is locked, or held.
  ActorInstance& LockOrMake(const ObjectId& id) {
    ActorLock::Word& word = OwnerOf(id).Make(id.slot);
    ActorLock::Lock(word);
    if (ActorInstance* const found = In(word, id)) return *found;
    auto* const made = ActorPtr(new ActorInstance(id, word)).Release();
    made->next_of_slot = First(word);
    SetFirst(word, made);
    return *made;
  }
  /// Locked. Null where there is none; nothing is locked then.
  ActorInstance* LockIfThere(const ObjectId& id) {
    ActorLock::Word* const word = OwnerOf(id).Find(id.slot);
    if (word == nullptr) return nullptr;
    ActorLock::Lock(*word);
    ActorInstance* const found = In(*word, id);
    if (found == nullptr) ActorLock::Unlock(*word);
    return found;
  }
  /// Not locked. Takes it out, unless that was done before.
  void Remove(ActorInstance& actor) {
    ActorLock::Word* const word = OwnerOf(actor.id).Find(actor.id.slot);
    if (word == nullptr) return;
    ActorPtr removed;
    ActorLock::Lock(*word);
    ActorInstance* before = nullptr;
    for (ActorInstance* at = First(*word); at != nullptr; before = at, at = at->next_of_slot) {
      if (at != &actor) continue;
      if (before == nullptr)
        SetFirst(*word, at->next_of_slot);
      else
        before->next_of_slot = at->next_of_slot;
      removed = ActorPtr::Adopt(at);
      break;
    }
    ActorLock::Unlock(*word);
  }
  std::vector<ActorPtr> TakeAll() {
    std::vector<ActorPtr> all;
    for (auto& owner : owners_)
      owner.ForEach([&](ActorLock::Word& word) {
        if (word.load(std::memory_order_relaxed) == 0) return;
        ActorLock::Lock(word);
        for (ActorInstance* at = First(word); at != nullptr; at = at->next_of_slot) all.push_back(ActorPtr::Adopt(at));
        SetFirst(word, nullptr);
        ActorLock::Unlock(word);
      });
    return all;
  }
  /// Visits each, locked. Slow: looks at all places.
  template <class Visit>
  void ForEach(Visit visit) {
    for (auto& owner : owners_)
      owner.ForEach([&](ActorLock::Word& word) {
        if (word.load(std::memory_order_relaxed) == 0) return;
        ActorLock::Lock(word);
        for (ActorInstance* at = First(word); at != nullptr; at = at->next_of_slot) visit(*at);
        ActorLock::Unlock(word);
      });
  }

 private:
  using Slots = SlotChunks<ActorLock::Word>;
  Slots& OwnerOf(const ObjectId& id) { return owners_[static_cast<std::size_t>(id.owner.value)]; }

  // Of a locked word. Relaxed: the lock orders them.
  static ActorInstance* First(ActorLock::Word& word) {
    return reinterpret_cast<ActorInstance*>(word.load(std::memory_order_relaxed) & ~ActorLock::kLocked);
  }
  static void SetFirst(ActorLock::Word& word, ActorInstance* first) {
    word.store(reinterpret_cast<std::uintptr_t>(first) | ActorLock::kLocked, std::memory_order_relaxed);
  }
  static ActorInstance* In(ActorLock::Word& word, const ObjectId& id) {
    ActorInstance* at = First(word);
    while (at != nullptr && at->id.generation != id.generation) at = at->next_of_slot;
    return at;
  }
  std::vector<Slots> owners_;
};

}  // namespace manta::runtime
