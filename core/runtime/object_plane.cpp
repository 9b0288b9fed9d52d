// Making and reading objects. Their bytes: object_bytes.cpp; borrowing and freeing: object_borrowing.cpp; values that are
// asked for: object_values.cpp.
#include "core/runtime/object_plane.hpp"

#include <algorithm>
#include <cstring>
#include <thread>

#include "core/base/log.hpp"

namespace manta::runtime {

using object::AlignedBytes;
using object::Cold;

namespace {
constexpr std::size_t kStoreAlignment = 64;
}  // namespace

ObjectPlane::ObjectPlane(Options options, object::ObjectPool& pool, Router& router, LocalStore& store, Room& room,
                         BlockKeeper& keeper, ArgumentAdmission& admission, worker::Progress& progress, Counters& counters, ObjectEvents& events)
    : options_(std::move(options)),
      pool_(pool),
      router_(router),
      store_(store),
      room_(room),
      keeper_(keeper),
      admission_(admission),
      progress_(progress),
      counters_(counters),
      events_(events) {}

void ObjectPlane::CheckSerialize(const TypeOps& ops, std::shared_ptr<const void>& object) {
  if (!options_.check_serialize) return;
  const std::size_t size = ops.measure(object.get());
  const auto bytes = AlignedBytes(size);
  std::vector<Handle> refs;
  ops.write(object.get(), bytes.get(), size, &refs);
  object = ops.load(bytes.get(), size, bytes);
}

Handle ObjectPlane::PutOwned(const TypeOps& ops, std::shared_ptr<const void> live) {
  Counters::Add(counters_.puts);
  CheckSerialize(ops, live);
  const std::size_t size = ops.measure(live.get());
  CheckSize(size);
  Handle handle = MakePending();
  ObjectState& object = *object::StateOf(handle);
  // What is large is sealed at once where peers may read it; alone it stays as it is until somebody asks.
  const bool stays = options_.node_of.size() == 1 && CountLive(live, size);
  CompleteLive(object, ops, std::move(live));
  if (size > options_.inline_bytes && !stays) MakeBytes(object, false);
  return handle;
}

bool ObjectPlane::CountLive(std::shared_ptr<const void>& live, std::uint64_t size_bytes) {
  return size_bytes <= options_.inline_bytes || room_.TryCountLive(live, size_bytes);
}

namespace {
/// The type of a value that is kept as it is and that nobody reads, who would keep it; else null. Locked.
const TypeOps* OpsOfUnread(const ObjectState& object) {
  const Cold* const cold = object.cold();
  if (!object.owned() || object.inside() || cold == nullptr || cold->location || cold->data != nullptr) return nullptr;
  return cold->live != nullptr && cold->live.use_count() == 1 ? cold->ops : nullptr;
}
}  // namespace

void ObjectPlane::SealLive(std::uint64_t size_bytes) {
  if (seals_live_.exchange(true, std::memory_order_acquire)) return;
  // Held one at a time: who waits for room below keeps nothing alive that would go meanwhile.
  std::vector<ObjectId> candidates;
  for (const Handle& held : pool_.Snapshot()) {
    const ObjectState& object = *object::StateOf(held);
    std::lock_guard lock(object.Lock());
    if (OpsOfUnread(object) != nullptr) candidates.push_back(object.id);
  }
  std::uint64_t sealed = 0;
  for (const ObjectId& id : candidates) {
    if (sealed >= size_bytes) break;
    const Handle held = pool_.FindOwned(id);
    if (!held) continue;
    ObjectState& object = *object::StateOf(held);
    std::shared_ptr<const void> live;
    const TypeOps* ops = nullptr;
    {
      std::lock_guard lock(object.Lock());
      ops = OpsOfUnread(object);
      if (ops == nullptr) continue;
      live = object.cold()->live;
    }
    try {
      const std::uint64_t size = ops->measure(live.get());
      live.reset();
      if (size <= options_.inline_bytes) continue;
      MakeBytes(object);
      sealed += size;
    } catch (const OutOfMemoryError&) {
      break;  // nor is there room for the others
    } catch (...) {  // it stays as it is; who needs it as bytes is told why it can't be written
    }
  }
  seals_live_.store(false, std::memory_order_release);
}

Handle ObjectPlane::PutCopied(const TypeOps& ops, const void* value) {
  Counters::Add(counters_.puts);
  if (ops.format == detail::Format::kPlain && ops.item_bytes <= ObjectState::kSmallBytes)
    return pool_.MakeReady(options_.self, router_.session(), ops.hash, ops.format, value, ops.item_bytes);
  Handle handle = MakePending();
  ObjectState& object = *object::StateOf(handle);
  const std::size_t size = ops.measure(value);
  std::vector<Handle> refs;
  const std::optional<wire::Location> location = Seal(object.id, ops, value, size, &refs);
  std::shared_ptr<std::byte[]> heap;
  if (!location) {
    heap = AlignedBytes(size);
    ops.write(value, heap.get(), size, &refs);
  }
  Counters::Add(counters_.bytes_copied_put, size);
  object.Complete(Status::kReady, [&] {
    Cold& cold = object.MakeCold();
    object.SetType(ops.hash, ops.format);
    cold.data = heap.get();
    cold.size = size;
    cold.heap = std::move(heap);
    cold.location = location;
    cold.contained = std::move(refs);
  });
  return handle;
}

void ObjectPlane::CompleteLive(ObjectState& object, const TypeOps& ops, std::shared_ptr<const void> live) {
  object.Complete(Status::kReady, [&] {
    Cold& cold = object.MakeCold();
    object.SetType(ops.hash, ops.format);
    cold.ops = &ops;
    cold.live = std::move(live);
  });
}

void ObjectPlane::CompletePlain(ObjectState& object, const TypeOps& ops, const void* bytes, std::size_t size) {
  object.Complete(Status::kReady, [&] {
    object.SetType(ops.hash, ops.format);
    object.SetBytes(bytes, size);
  });
}

void ObjectPlane::TakeValue(ObjectState& object, const wire::ValueDescriptor& value) {
  object.SetType(value.type_hash, static_cast<detail::Format>(value.format));
  if (!value.location) {
    object.SetBytes(value.inside.data(), value.inside.size());
    return;
  }
  Cold& cold = object.MakeCold();
  cold.size = value.size;
  cold.location = value.location;
}

void ObjectPlane::CompleteDescriptor(ObjectState& object, const wire::ValueDescriptor& value, Rank from) {
  std::vector<Handle> contained;
  for (const ObjectId& id : value.contained) contained.push_back(ReceiveRef(id, from, true));
  const bool taken = object.Complete(Status::kReady, [&] {
    if (!contained.empty()) object.MakeCold().contained = std::move(contained);
    TakeValue(object, value);
  });
  // Cancelled meanwhile: nobody will ask for these bytes.
  if (!taken && value.location) FreeBlockOf(object.id, *value.location);
}

void ObjectPlane::Fail(ObjectState& object, object::ErrorPtr error) {
  object.Complete(Status::kFailed, [&] { object.MakeCold().error = std::move(error); });
}

std::shared_ptr<const void> ObjectPlane::Materialize(ObjectState& object, const TypeOps& ops, const KeptBytes& kept) {
  // Read in place: the memory is kept by itself.
  if (kept.in != nullptr && kept.size > options_.inline_bytes && object.format() == detail::Format::kPlain &&
      object.type_hash == ops.hash && ops.alignment <= kStoreAlignment)
    return {kept.in, kept.bytes};
  // Kept as a live value, which by now may be bytes only.
  if (kept.in != nullptr && kept.bytes == nullptr && object.format() == detail::Format::kArchive &&
      object.type_hash == ops.hash)
    return kept.in;
  Cold* cold = nullptr;
  for (;;) {
    {
      std::lock_guard lock(object.Lock());
      cold = &object.MakeCold();
      if (cold->live != nullptr && SameType(*cold->ops, ops)) return cold->live;
      if (!cold->loading) {
        cold->loading = true;
        break;
      }
    }
    // Another thread is at it: at most once a rank. It runs a serialize function, which waits for nothing.
    std::this_thread::yield();
  }
  struct Done {
    ~Done() {
      std::lock_guard lock(object.Lock());
      cold.loading = false;
    }
    ObjectState& object;
    Cold& cold;
  } done{object, *cold};
  std::size_t in_place = 0;
  std::shared_ptr<const void> live = Load(object, ops, kept, &in_place);
  // What reads in place would pin the store's bytes for as long as the object is known here.
  if (in_place != 0) return live;
  std::lock_guard lock(object.Lock());
  if (cold->live == nullptr) {  // else it is there as another type, of the same elements
    cold->live = live;
    cold->ops = &ops;
  }
  return live;
}

/// A new object of the value of a ready one, `in_place` bytes of which are read where they lie. User code.
std::shared_ptr<const void> ObjectPlane::Load(ObjectState& object, const TypeOps& ops, const KeptBytes& from,
                                              std::size_t* in_place) {
  MANTA_EXPECT(object.type_hash == ops.hash,
               "an object of another type than its ref says: the ref was made by a cast, or ranks differ");
  ReadScope scope(*this, object::Hold(object));
  MANTA_ASSERT(from.bytes != nullptr || from.size == 0);
  std::shared_ptr<const void> loaded = ops.load(from.bytes, from.size, from.in, in_place);
  const std::uint64_t copied = from.size - *in_place;
  Counters::Add(counters_.bytes_copied_get, copied);
  if (copied > kLargeCopyBytes && !said_large_copy_.exchange(true, std::memory_order_relaxed))
    base::SayLine("a value of " + std::to_string(copied >> 20) +
                  " MiB was copied out of the object store; a std::span or Array parameter reads it in place");
  return loaded;
}

std::shared_ptr<const void> ObjectPlane::MaterializeFresh(ObjectState& object, const TypeOps& ops,
                                                          const KeptBytes& kept) {
  ReadScope scope(*this, object::Hold(object));
  return ops.load(kept.bytes, kept.size, kept.in);
}

void ObjectPlane::CopyPlain(ObjectState& object, const TypeOps& ops, const KeptBytes& kept, void* to) {
  MANTA_EXPECT(object.type_hash == ops.hash,
               "an object of another type than its ref says: the ref was made by a cast, or ranks differ");
  std::memcpy(to, kept.bytes, ops.item_bytes);
}

}  // namespace manta::runtime
