#pragma once
// The records of all objects that a process knows: its own by slot, others' by id.
//
// Free records wait in lists of each thread, so that making and freeing an object takes no lock that another thread
// takes; what a thread has too many of, or too few, goes to a shared list and back in batches (Bonwick and Adams,
// "Magazines and Vmem", USENIX 2001).

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/object/object_state.hpp"

namespace manta::object {

/// Any thread. Records stay in place for the life of the process (see ObjectState), and so must the pool.
class ObjectPool {
 public:
  ObjectPool() = default;
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;

  /// A fresh record owned by `self`, pending. With one hold in the returned handle, and `more` for the caller to adopt.
  Handle MakeOwned(Rank self, std::uint32_t session, bool is_actor = false, std::int32_t more = 0);
  /// The same, ready with a value of at most kSmallBytes bytes.
  Handle MakeReady(Rank self, std::uint32_t session, std::uint64_t type_hash, Format format, const void* bytes,
                   std::size_t size);
  /// The record of an object of this rank, with a hold; empty when the slot is used by another or by none.
  Handle FindOwned(const ObjectId& id);
  /// The same for a step under the record's lock: `visit(object)`. Whether the object is there.
  template <class Visit>
  bool VisitOwned(const ObjectId& id, Visit visit) {
    ObjectState* object = At(id.slot);
    if (object == nullptr) return false;
    std::lock_guard lock(object->Lock());
    if (!object->in_use() || !object->owned() || object->id != id) return false;
    visit(*object);
    return true;
  }
  /// ObjectState::CompleteIf of an object of this rank, if it is there: `fill(object)`.
  template <class Fill>
  bool CompleteOwned(const ObjectId& id, Fill fill) {
    ObjectState* object = At(id.slot);
    return object != nullptr &&
           object->CompleteIf([&] { return object->owned() && object->id == id && fill(*object); });
  }
  /// The record of another rank's object, with a hold; made if it is not there.
  Handle FindOrMakeBorrowed(const ObjectId& id, std::uint32_t session, bool is_actor = false);
  Handle FindBorrowed(const ObjectId& id);

  /// What is left of an object: its part with the value, which the caller destroys without a lock, for destructors are
  /// the user's.
  struct Trash {
    std::unique_ptr<Cold> cold;
    std::uint32_t received = 0;  // refs to give back to the owner, also where the record stays as a cached copy
  };
  /// To be called under object.Lock(), when nothing keeps the record: empties it. Then, without the lock, Recycle.
  void Clear(ObjectState& object, Trash& trash);
  /// The record may be used again.
  void Recycle(ObjectState& object);

  /// The end of most objects. True when there is nothing more to do: the object of this session was small and known to
  /// this process only, and is freed; or it is held again, or was freed by another thread. Not under its lock.
  bool TryFreePlain(ObjectState& object, std::uint32_t session);
  /// The same with the caller's hold still counted. Whether the object was freed; else the hold is counted still.
  bool TryFreePlainSole(ObjectState& object, std::uint32_t session);
  /// Gives back another rank's object if nothing holds it, it is not cached, and its owner has confirmed what we
  /// received. Not under its lock.
  bool TryFreeBorrowed(ObjectState& object, const ObjectId& id, Trash& trash);

  /// Empties all records, those that are held too: they keep their ids and are never used again. No other thread is at
  /// work.
  std::vector<Trash> EndSession();

  /// Exact when no thread makes or frees one meanwhile.
  std::uint64_t in_use() const;
  /// All records that are in use at the time; for shutdown and reports.
  std::vector<Handle> Snapshot();

 private:
  static constexpr std::uint32_t kChunkBits = 15;  // 2 MiB
  static constexpr std::uint32_t kChunk = 1u << kChunkBits;
  static constexpr std::uint32_t kChunks = 1u << 15;
  static constexpr std::uint32_t kBatch = 64;  // a page of records

  struct Cache;
  struct CacheOwner;

  /// Null for a thread whose thread_locals are gone.
  Cache* CacheOfThisThread();
  void Join(CacheOwner& owner);
  void Leave(CacheOwner& owner);
  ObjectState& Take();
  ObjectState* TakeBatch();
  ObjectState* MakeBatch();  // with free_mutex_: records that were never used
  void GiveBatch(ObjectState* first, std::uint32_t count);
  void Retire();
  ObjectState& TakeOwned(Rank self, std::uint32_t session);
  static Handle Publish(ObjectState& object, std::uint8_t flags, std::int32_t holds = 1);
  static bool IsPlain(const ObjectState& object);
  static void Empty(ObjectState& object);
  ObjectState* At(std::uint32_t index) const;

  struct alignas(64) BorrowedShard {
    std::mutex mutex;  // taken before an object's lock
    std::unordered_map<ObjectId, ObjectState*, std::hash<ObjectId>, std::equal_to<>,
                       base::SlabAllocator<std::pair<const ObjectId, ObjectState*>>>
        objects;
  };
  BorrowedShard& ShardOf(const ObjectId& id) { return borrowed_[std::hash<ObjectId>()(id) % kShards]; }
  static constexpr std::size_t kShards = 64;
  BorrowedShard borrowed_[kShards];

  mutable std::mutex free_mutex_;
  ObjectState* free_batches_ = nullptr;  // guarded by free_mutex_
  std::uint64_t taken_ = 0;              // records in use or in threads' lists; guarded by free_mutex_
  std::vector<Cache*> caches_;           // guarded by free_mutex_
  // Records below are made. Written under free_mutex_ (release), so that who reads it (acquire) finds them. On a line
  // of its own: it is read for every id that comes in a message.
  alignas(64) std::atomic<std::uint32_t> made_{0};
  // Written once each under free_mutex_, before made_ covers them.
  std::unique_ptr<ObjectState*[]> chunks_ = std::make_unique_for_overwrite<ObjectState*[]>(kChunks);
};

}  // namespace manta::object
