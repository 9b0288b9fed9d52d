#include "core/object/object_pool.hpp"

#include <manta/error.hpp>

#include <utility>

#include "core/base/check.hpp"

namespace manta::object {

ObjectState* ObjectPool::At(std::uint32_t index) const {
  if ((index >> kChunkBits) >= kChunks) return nullptr;
  ObjectState* chunk = chunks_[index >> kChunkBits].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + (index & (kChunk - 1));
}

ObjectState* ObjectPool::Take() {
  std::lock_guard lock(free_mutex_);
  if (free_.empty()) {
    const std::uint32_t chunk = made_ >> kChunkBits;
    if (chunk >= kChunks) throw OutOfMemoryError("this rank has too many objects at once (2^30)", 0, 0);
    auto* records = new ObjectState[kChunk];  // for the life of the process
    for (std::uint32_t i = 0; i < kChunk; ++i) records[i].pool_index = made_ + i;
    chunks_[chunk].store(records, std::memory_order_release);
    for (std::uint32_t i = kChunk; i-- > 0;) free_.push_back(made_ + i);
    made_ += kChunk;
  }
  ObjectState* object = At(free_.back());
  free_.pop_back();
  in_use_.fetch_add(1, std::memory_order_relaxed);
  return object;
}

Handle ObjectPool::MakeOwned(Rank self, std::uint32_t session, bool is_actor) {
  ObjectState* object = Take();
  std::lock_guard lock(object->Lock());
  object->id = {self, object->pool_index, ++object->generation};
  object->session = session;
  object->owned = true;
  object->is_actor = is_actor;
  object->in_use = true;
  return Handle(object);
}

Handle ObjectPool::FindOwned(const ObjectId& id) {
  ObjectState* object = At(id.slot);
  if (object == nullptr) return {};
  std::lock_guard lock(object->Lock());
  return object->in_use && object->owned && object->id == id ? Handle(object) : Handle();
}

Handle ObjectPool::FindOrMakeBorrowed(const ObjectId& id, std::uint32_t session, bool is_actor) {
  BorrowedShard& shard = ShardOf(id);
  std::lock_guard lock(shard.mutex);
  ObjectState*& object = shard.objects[id];
  if (object == nullptr) {
    object = Take();
    std::lock_guard object_lock(object->Lock());
    object->id = id;
    object->session = session;
    object->owned = false;
    object->is_actor = is_actor;
    object->in_use = true;
    object->borrower_side = std::make_unique<BorrowerSide>();
  }
  return Handle(object);
}

Handle ObjectPool::FindBorrowed(const ObjectId& id) {
  BorrowedShard& shard = ShardOf(id);
  std::lock_guard lock(shard.mutex);
  auto it = shard.objects.find(id);
  return it == shard.objects.end() ? Handle() : Handle(it->second);
}

void ObjectPool::Free(ObjectState& object, Trash& trash) {
  MANTA_ASSERT(object.in_use && object.waiters == nullptr);
  trash.live = std::move(object.live);
  trash.heap = std::move(object.heap);
  trash.contained = std::move(object.contained);
  trash.error = std::move(object.error);
  trash.borrower_side = std::move(object.borrower_side);
  trash.location = object.location;
  trash.pinned = object.pinned;
  object.in_use = false;
  object.status.store(Status::kPending, std::memory_order_relaxed);
  object.error_was_read = object.is_cached = object.loading = object.pinned = object.is_actor = false;
  object.ops = nullptr;
  object.type_hash = 0;
  object.format = Format::kNone;
  object.data = nullptr;
  object.size = 0;
  object.location.reset();
  object.producer = nullptr;
  object.owner_side.reset();
  object.borrower_side.reset();
  object.contained.clear();
  object.id = {};
  in_use_.fetch_sub(1, std::memory_order_relaxed);
  std::lock_guard lock(free_mutex_);
  free_.push_back(object.pool_index);
}

bool ObjectPool::TryFreeBorrowed(ObjectState& object, const ObjectId& id, Trash& trash) {
  BorrowedShard& shard = ShardOf(id);
  std::lock_guard lock(shard.mutex);
  std::lock_guard object_lock(object.Lock());
  // relaxed: a new hold is made under the shard's lock only.
  if (!object.in_use || object.owned || object.id != id || object.holds.load(std::memory_order_relaxed) != 0)
    return false;
  BorrowerSide& side = *object.borrower_side;
  if (side.via_pending) return false;
  if (object.is_cached) {
    // The bytes stay for later tasks, as a copy that the owner knows of; our hold on the object does not.
    trash.received = std::exchange(side.received, 0);
    side.confirmed = false;
    return false;
  }
  trash.received = side.received;
  shard.objects.erase(id);
  Free(object, trash);
  return true;
}

std::vector<Handle> ObjectPool::Snapshot() {
  std::vector<Handle> found;
  std::uint32_t made = 0;
  {
    std::lock_guard lock(free_mutex_);
    made = made_;
  }
  for (std::uint32_t i = 0; i < made; ++i) {
    ObjectState* object = At(i);
    std::lock_guard lock(object->Lock());
    if (object->in_use) found.emplace_back(object);
  }
  return found;
}

std::vector<ObjectPool::Trash> ObjectPool::EndSession() {
  std::vector<Trash> all;
  for (BorrowedShard& shard : borrowed_) {
    std::lock_guard lock(shard.mutex);
    shard.objects.clear();
  }
  std::uint32_t made = 0;
  {
    std::lock_guard lock(free_mutex_);
    made = made_;
  }
  for (std::uint32_t i = 0; i < made; ++i) {
    ObjectState& object = *At(i);
    std::lock_guard lock(object.Lock());
    if (!object.in_use) continue;
    object.waiters = nullptr;
    const ObjectId id = object.id;
    const bool held = object.holds.load(std::memory_order_acquire) != 0;
    Trash& trash = all.emplace_back();
    Free(object, trash);
    if (!held) continue;
    // A ref of the user's names it still, and compares and prints by its id: the record is not used again.
    object.id = id;
    std::lock_guard free_lock(free_mutex_);
    free_.pop_back();
  }
  return all;
}

}  // namespace manta::object
