#include "core/object/object_pool.hpp"

#include <manta/error.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/prefetch.hpp"

namespace manta::object {

/// Free records of one thread. Its own but for the counts, which in_use() reads: relaxed, they are only numbers.
struct ObjectPool::Cache {
  ObjectPool* pool = nullptr;
  ObjectState* list = nullptr;          // up to kBatch
  ObjectState* full = nullptr;          // a batch, or none: a thread at the border does not come each time
  std::atomic<std::uint32_t> loose{0};  // records in `list`
  std::atomic<std::uint32_t> spare{0};  // records in `full`

  void SetLoose(std::uint32_t count) { loose.store(count, std::memory_order_relaxed); }
  void SetSpare(std::uint32_t count) { spare.store(count, std::memory_order_relaxed); }
  std::uint32_t Loose() const { return loose.load(std::memory_order_relaxed); }
};

/// Gives a thread's records back at its end.
struct ObjectPool::CacheOwner {
  Cache cache;
  ~CacheOwner();
  /// Trivial to destroy, so that it can be read at any time.
  static thread_local Cache* of_thread;
  static thread_local bool gone;
};
thread_local ObjectPool::Cache* ObjectPool::CacheOwner::of_thread = nullptr;
thread_local bool ObjectPool::CacheOwner::gone = false;

ObjectPool::CacheOwner::~CacheOwner() {
  if (cache.pool != nullptr) cache.pool->Leave(*this);
  of_thread = nullptr;
  gone = true;
}

namespace {

constexpr std::uint32_t kLastGeneration = std::numeric_limits<std::uint32_t>::max();

/// For the life of the process. Its pages are taken as records are made, a small page at a time.
void* ChunkMemory(std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
  return ::operator new (bytes, std::align_val_t{64});  // where the leak checker looks for pointers
#else
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw OutOfMemoryError("no memory for records of objects", bytes, 0);
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  return memory;
#endif
}

}  // namespace

// ---- free records ----
// Not inlined: a caller that switches fibers must not keep the place of a thread_local.
__attribute__((noinline)) ObjectPool::Cache* ObjectPool::CacheOfThisThread() {
  Cache* cache = CacheOwner::of_thread;
  if (cache != nullptr && cache->pool == this) return cache;
  if (CacheOwner::gone) return nullptr;
  thread_local CacheOwner owner;
  Join(owner);
  return &owner.cache;
}

void ObjectPool::Join(CacheOwner& owner) {
  if (owner.cache.pool != nullptr) owner.cache.pool->Leave(owner);
  std::lock_guard lock(free_mutex_);
  owner.cache.pool = this;
  caches_.push_back(&owner.cache);
  CacheOwner::of_thread = &owner.cache;
}

void ObjectPool::Leave(CacheOwner& owner) {
  Cache& cache = owner.cache;
  if (cache.list != nullptr) GiveBatch(std::exchange(cache.list, nullptr), cache.Loose());
  if (cache.full != nullptr) GiveBatch(std::exchange(cache.full, nullptr), kBatch);
  cache.SetLoose(0);
  cache.SetSpare(0);
  cache.pool = nullptr;
  std::lock_guard lock(free_mutex_);
  std::erase(caches_, &cache);
}

ObjectState* ObjectPool::MakeBatch() {
  const std::uint32_t first = made_.load(std::memory_order_relaxed);
  const std::uint32_t chunk = first >> kChunkBits;
  if (chunk >= kChunks) throw OutOfMemoryError("this rank has too many objects at once (2^30)", 0, 0);
  if ((first & (kChunk - 1)) == 0)
    chunks_[chunk] = static_cast<ObjectState*>(ChunkMemory(std::size_t{kChunk} * sizeof(ObjectState)));
  ObjectState* const records = chunks_[chunk] + (first & (kChunk - 1));
  for (std::uint32_t i = kBatch; i-- > 0;) {
    auto* object = new (records + i) ObjectState();
    object->id.slot = first + i;
    object->words_.free = {i + 1 == kBatch ? nullptr : records + i + 1, nullptr, kBatch};
  }
  made_.store(first + kBatch, std::memory_order_release);
  return records;
}

ObjectState* ObjectPool::TakeBatch() {
  std::lock_guard lock(free_mutex_);
  ObjectState* first = free_batches_;
  if (first != nullptr)
    free_batches_ = first->words_.free.next_batch;
  else
    first = MakeBatch();
  taken_ += first->words_.free.count;
  return first;
}

void ObjectPool::GiveBatch(ObjectState* first, std::uint32_t count) {
  std::lock_guard lock(free_mutex_);
  first->words_.free.next_batch = free_batches_;
  first->words_.free.count = count;
  free_batches_ = first;
  taken_ -= count;
}

void ObjectPool::Retire() {
  std::lock_guard lock(free_mutex_);
  --taken_;
}

ObjectState& ObjectPool::Take() {
  Cache* const cache = CacheOfThisThread();
  if (cache == nullptr) {
    ObjectState* const first = TakeBatch();
    const auto count = static_cast<std::uint32_t>(first->words_.free.count);
    if (count > 1) GiveBatch(first->words_.free.next, count - 1);
    return *first;
  }
  if (cache->list == nullptr) {
    if (cache->full != nullptr) {
      cache->list = std::exchange(cache->full, nullptr);
      cache->SetSpare(0);
      cache->SetLoose(kBatch);
    } else {
      cache->list = TakeBatch();
      cache->SetLoose(static_cast<std::uint32_t>(cache->list->words_.free.count));
    }
  }
  ObjectState& object = *cache->list;
  cache->list = object.words_.free.next;
  cache->SetLoose(cache->Loose() - 1);
  base::PrefetchToWrite(cache->list);  // the next call's
  return object;
}

void ObjectPool::Recycle(ObjectState& object) {
  if (object.id.generation == kLastGeneration) return Retire();  // an id never names two objects
  Cache* const cache = CacheOfThisThread();
  object.words_.free.next = nullptr;
  if (cache == nullptr) return GiveBatch(&object, 1);
  if (cache->Loose() == kBatch) {
    if (cache->full != nullptr) GiveBatch(cache->full, kBatch);
    cache->full = std::exchange(cache->list, nullptr);
    cache->SetSpare(kBatch);
    cache->SetLoose(0);
  }
  object.words_.free.next = cache->list;
  cache->list = &object;
  cache->SetLoose(cache->Loose() + 1);
}

std::uint64_t ObjectPool::in_use() const {
  std::lock_guard lock(free_mutex_);
  std::uint64_t free = 0;
  for (const Cache* cache : caches_)
    free += cache->loose.load(std::memory_order_relaxed) + cache->spare.load(std::memory_order_relaxed);
  return taken_ - std::min(taken_, free);
}

// ---- making and finding ----
ObjectState* ObjectPool::At(std::uint32_t index) const {
  if (index >= made_.load(std::memory_order_acquire)) return nullptr;
  return chunks_[index >> kChunkBits] + (index & (kChunk - 1));
}

/// A record is made without its lock. Who looks for an old id may have that, but reads no more than the flags until
/// they say that the record is in use; and who then finds it in use sees all that was written before.
ObjectState& ObjectPool::TakeOwned(Rank self, std::uint32_t session) {
  ObjectState& object = Take();
  object.id.owner = self;
  ++object.id.generation;
  object.session = session;
  object.words_.pending = {nullptr, 0, nullptr};
  return object;
}

Handle ObjectPool::Publish(ObjectState& object, std::uint8_t flags, std::int32_t holds) {
  object.holds.store(holds, std::memory_order_relaxed);
  object.SetFlags(flags);
  return Handle::Adopt(&object);
}

Handle ObjectPool::MakeOwned(Rank self, std::uint32_t session, bool is_actor, std::int32_t more) {
  ObjectState& object = TakeOwned(self, session);
  return Publish(object, ObjectState::kInUse | ObjectState::kOwned | (is_actor ? ObjectState::kActor : 0), 1 + more);
}

Handle ObjectPool::MakeReady(Rank self, std::uint32_t session, std::uint64_t type_hash, Format format,
                             const void* bytes, std::size_t size) {
  ObjectState& object = TakeOwned(self, session);
  object.SetType(type_hash, format);
  object.SetBytes(bytes, size);
  object.status.store(Status::kReady, std::memory_order_release);
  return Publish(object, ObjectState::kInUse | ObjectState::kOwned);
}

Handle ObjectPool::FindOwned(const ObjectId& id) {
  ObjectState* object = At(id.slot);
  if (object == nullptr) return {};
  std::lock_guard lock(object->Lock());
  return object->in_use() && object->owned() && object->id == id ? Handle(object) : Handle();
}

Handle ObjectPool::FindOrMakeBorrowed(const ObjectId& id, std::uint32_t session, bool is_actor) {
  BorrowedShard& shard = ShardOf(id);
  std::lock_guard lock(shard.mutex);
  ObjectState*& known = shard.objects[id];
  if (known != nullptr) return Handle(known);
  ObjectState& object = Take();
  object.session = session;
  object.words_.pending = {nullptr, 0, nullptr};
  Cold& cold = object.MakeCold();
  cold.borrower_side = std::make_unique<BorrowerSide>();
  cold.own_slot = object.id.slot;
  cold.own_generation = object.id.generation;
  object.id = id;
  known = &object;
  return Publish(object, ObjectState::kInUse | (is_actor ? ObjectState::kActor : 0));
}

Handle ObjectPool::FindBorrowed(const ObjectId& id) {
  BorrowedShard& shard = ShardOf(id);
  std::lock_guard lock(shard.mutex);
  auto it = shard.objects.find(id);
  return it == shard.objects.end() || it->second == nullptr ? Handle() : Handle(it->second);
}

// ---- freeing ----
void ObjectPool::Empty(ObjectState& object) {
  object.SetFlags(0);
  object.status.store(Status::kPending, std::memory_order_relaxed);
  object.shape_ = 0;
}

void ObjectPool::Clear(ObjectState& object, Trash& trash) {
  MANTA_ASSERT(object.in_use() && !object.has_waiters());
  trash.cold.reset(object.cold_.exchange(nullptr, std::memory_order_acq_rel));
  if (!object.owned()) {
    object.id = {Rank(), trash.cold->own_slot, trash.cold->own_generation};
  }
  Empty(object);
}

bool ObjectPool::TryFreePlain(ObjectState& object, std::uint32_t session) {
  {
    std::lock_guard lock(object.Lock());
    // Relaxed: new holds are made from others or under this lock.
    if (!object.in_use() || object.session != session || object.holds.load(std::memory_order_relaxed) != 0) return true;
    if (!IsPlain(object)) return false;
    Empty(object);
  }
  Recycle(object);
  return true;
}

bool ObjectPool::TryFreePlainSole(ObjectState& object, std::uint32_t session) {
  {
    std::lock_guard lock(object.Lock());
    // Relaxed: new holds are made from others, of which the caller's is the only one, or under this lock.
    if (object.session != session || object.holds.load(std::memory_order_relaxed) != 1 || !IsPlain(object)) return false;
    object.holds.store(0, std::memory_order_relaxed);
    Empty(object);
  }
  Recycle(object);
  return true;
}

/// Locked: whether nothing but the record has to go.
bool ObjectPool::IsPlain(const ObjectState& object) {
  return object.flags() == (ObjectState::kInUse | ObjectState::kOwned) && object.cold() == nullptr && object.done();
}

bool ObjectPool::TryFreeBorrowed(ObjectState& object, const ObjectId& id, Trash& trash) {
  BorrowedShard& shard = ShardOf(id);
  {
    std::lock_guard lock(shard.mutex);
    std::lock_guard object_lock(object.Lock());
    // relaxed: a new hold is made under the shard's lock only.
    if (!object.in_use() || object.owned() || object.id != id || object.holds.load(std::memory_order_relaxed) != 0)
      return false;
    Cold& cold = *object.cold();
    BorrowerSide& side = *cold.borrower_side;
    if (side.via_pending) return false;
    if (cold.is_cached) {
      // The bytes stay for later tasks, as a copy that the owner knows of; our hold on the object does not.
      trash.received = std::exchange(side.received, 0);
      side.confirmed = false;
      return false;
    }
    trash.received = side.received;
    shard.objects.erase(id);
    Clear(object, trash);
  }
  Recycle(object);
  return true;
}

std::vector<Handle> ObjectPool::Snapshot() {
  std::vector<Handle> found;
  const std::uint32_t made = made_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < made; ++i) {
    ObjectState* object = At(i);
    if (!object->in_use()) continue;  // asked again under the lock
    std::lock_guard lock(object->Lock());
    if (object->in_use()) found.emplace_back(object);
  }
  return found;
}

std::vector<ObjectPool::Trash> ObjectPool::EndSession() {
  std::vector<Trash> all;
  for (BorrowedShard& shard : borrowed_) {
    std::lock_guard lock(shard.mutex);
    shard.objects.clear();
  }
  const std::uint32_t made = made_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < made; ++i) {
    ObjectState& object = *At(i);
    bool held = false;
    {
      std::lock_guard lock(object.Lock());
      if (!object.in_use()) continue;
      if (!object.inside()) object.words_.pending.waiters = nullptr;
      const ObjectId id = object.id;
      held = object.holds.load(std::memory_order_acquire) != 0;
      Trash trash;
      Clear(object, trash);
      if (trash.cold) all.push_back(std::move(trash));
      // A ref of the user's names it still, and compares and prints by its id: the record is not used again.
      if (held) object.id = id;
    }
    if (held)
      Retire();
    else
      Recycle(object);
  }
  return all;
}

}  // namespace manta::object
