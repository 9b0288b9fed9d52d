#pragma once
// The records of all objects that a process knows: its own by slot, others' by id.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/object/object_state.hpp"

namespace manta::object {

/// Any thread. Records stay in place for the life of the process (see ObjectState).
class ObjectPool {
 public:
  ObjectPool() = default;
  ObjectPool(const ObjectPool&) = delete;
  ObjectPool& operator=(const ObjectPool&) = delete;

  /// A fresh record owned by `self`, pending, with one hold in the returned handle.
  Handle MakeOwned(Rank self, std::uint32_t session, bool is_actor = false);
  /// The record of an object of this rank, with a hold; empty when the slot is used by another or by none.
  Handle FindOwned(const ObjectId& id);
  /// The record of another rank's object, with a hold; made if it is not there.
  Handle FindOrMakeBorrowed(const ObjectId& id, std::uint32_t session, bool is_actor = false);
  Handle FindBorrowed(const ObjectId& id);

  /// To be called under object.Lock(), when nothing keeps the record: gives it back. The value goes to `trash`, which
  /// the caller destroys without the lock, for its destructors are the user's.
  struct Trash {
    std::shared_ptr<const void> live;
    std::shared_ptr<const std::byte[]> heap;
    std::vector<Handle> contained;
    ErrorPtr error;
    std::unique_ptr<BorrowerSide> borrower_side;
    std::uint32_t received = 0;  // refs to give back to the owner, also where the record stays as a cached copy
    std::optional<wire::Location> location;
    bool pinned = false;
  };
  void Free(ObjectState& object, Trash& trash);
  /// Gives back another rank's object if nothing holds it, it is not cached, and its owner has confirmed what we
  /// received. Not under its lock.
  bool TryFreeBorrowed(ObjectState& object, const ObjectId& id, Trash& trash);

  /// Empties all records, those that are held too: they keep their ids and are never used again. No other thread is at
  /// work.
  std::vector<Trash> EndSession();

  std::uint64_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  /// All records that are in use at the time; for shutdown and reports. `visit` gets a hold on each.
  std::vector<Handle> Snapshot();

 private:
  static constexpr std::uint32_t kChunkBits = 12;
  static constexpr std::uint32_t kChunk = 1u << kChunkBits;
  static constexpr std::uint32_t kChunks = 1u << 18;

  ObjectState* Take();
  ObjectState* At(std::uint32_t index) const;

  struct alignas(64) BorrowedShard {
    std::mutex mutex;  // taken before an object's lock
    std::unordered_map<ObjectId, ObjectState*> objects;
  };
  BorrowedShard& ShardOf(const ObjectId& id) { return borrowed_[std::hash<ObjectId>()(id) % kShards]; }
  static constexpr std::size_t kShards = 64;
  BorrowedShard borrowed_[kShards];

  std::mutex free_mutex_;
  std::vector<std::uint32_t> free_;  // guarded by free_mutex_
  std::uint32_t made_ = 0;           // guarded by free_mutex_
  // Written once each under free_mutex_ (release), read by any thread (acquire).
  std::unique_ptr<std::atomic<ObjectState*>[]> chunks_ = std::make_unique<std::atomic<ObjectState*>[]>(kChunks);
  std::atomic<std::uint64_t> in_use_{0};
};

}  // namespace manta::object
