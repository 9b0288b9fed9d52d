// Making and reading objects. Borrowing and freeing: object_borrowing.cpp; moving between nodes: object_fetch.cpp.
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

ObjectPlane::ObjectPlane(Options options, object::ObjectPool& pool, Router& router, LocalStore& store, RmaReads* rma,
                         Counters& counters, ObjectEvents& events)
    : options_(std::move(options)),
      pool_(pool),
      router_(router),
      store_(store),
      rma_(rma),
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
  if (size > store_.total_bytes()) store_.ThrowNoRoom(size);
  Handle handle = MakePending();
  ObjectState& object = *object::StateOf(handle);
  CompleteLive(object, ops, std::move(live));
  // What is large is sealed at once where peers may read it; alone it stays as it is until somebody asks.
  if (size > options_.inline_bytes && options_.node_of.size() > 1) {
    MakeBytes(object);
    std::shared_ptr<const void> sealed;
    std::lock_guard lock(object.Lock());
    Cold& cold = object.MakeCold();
    if (cold.location) sealed = std::move(cold.live);
    // The bytes are in the store, and counted there: the value itself goes, unless it is needed again.
    cold.ops = nullptr;
  }
  return handle;
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
    cold.data = location ? store_.At(location->offset) : heap.get();
    cold.size = size;
    cold.heap = std::move(heap);
    cold.location = location;
    cold.contained = std::move(refs);
  });
  return handle;
}

std::shared_ptr<NewBlock> ObjectPlane::CreateBlock(std::uint64_t size_bytes) {
  if (size_bytes > options_.inline_bytes) return std::make_shared<NewBlock>(store_, size_bytes, router_.session());
  return std::make_shared<NewBlock>(AlignedBytes(size_bytes), size_bytes, router_.session());
}

Handle ObjectPlane::SealBlock(NewBlock& block, const TypeOps& ops) {
  Counters::Add(counters_.puts);
  Handle handle = MakePending();
  ObjectState& object = *object::StateOf(handle);
  const std::uint64_t size = block.size_bytes();
  std::optional<wire::Location> location;
  std::shared_ptr<std::byte[]> heap = block.heap();
  if (block.in_store()) {
    const auto format = static_cast<std::uint32_t>(ops.format);
    if (const auto entry = store_.Publish(object.id, block.offset(), size, ops.hash, format)) {
      block.Release();
      location = wire::Location{options_.self, *entry, block.offset()};
    } else {  // no entry is free: then it lies in this process, as what Put makes
      heap = AlignedBytes(size);
      std::memcpy(heap.get(), block.data(), size);
      Counters::Add(counters_.bytes_copied_put, size);
    }
  }
  object.Complete(Status::kReady, [&] {
    object.SetType(ops.hash, ops.format);
    Cold& cold = object.MakeCold();
    cold.data = location ? block.data() : heap.get();
    cold.size = size;
    cold.heap = std::move(heap);
    cold.location = location;
  });
  return handle;
}

std::optional<wire::Location> ObjectPlane::Seal(const ObjectId& id, const TypeOps& ops, const void* value,
                                                std::size_t size, std::vector<Handle>* refs) {
  if (size <= options_.inline_bytes) return std::nullopt;
  const std::uint64_t offset = store_.Allocate(size);
  try {
    ops.write(value, store_.At(offset), size, refs);
  } catch (...) {
    store_.Abandon(offset);
    throw;
  }
  const auto format = static_cast<std::uint32_t>(ops.format);
  if (const auto entry = store_.Publish(id, offset, size, ops.hash, format | (refs->empty() ? 0 : kHoldsRefs)))
    return wire::Location{options_.self, *entry, offset};
  store_.Abandon(offset);
  refs->clear();
  return std::nullopt;
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
  if (value.location->holder == options_.self) {
    cold.data = store_.At(value.location->offset);
  } else if (SameNode(value.location->holder)) {
    const auto view = store_.Pin(value.location->entry, object.id);
    cold.pinned = view.has_value();
    if (view) cold.data = store_.At(view->offset);
  }
}

void ObjectPlane::CompleteDescriptor(ObjectState& object, const wire::ValueDescriptor& value, Rank from) {
  std::vector<Handle> contained;
  for (const ObjectId& id : value.contained) contained.push_back(ReceiveRef(id, from, true));
  const bool taken = object.Complete(Status::kReady, [&] {
    if (!contained.empty()) object.MakeCold().contained = std::move(contained);
    TakeValue(object, value);
  });
  // Cancelled meanwhile: nobody will ask for these bytes.
  if (!taken && value.location) FreeBlockOf(*value.location);
}

void ObjectPlane::Fail(ObjectState& object, object::ErrorPtr error) {
  object.Complete(Status::kFailed, [&] { object.MakeCold().error = std::move(error); });
}

std::shared_ptr<const void> ObjectPlane::Materialize(ObjectState& object, const TypeOps& ops) {
  Cold* cold = nullptr;
  for (;;) {
    {
      std::lock_guard lock(object.Lock());
      cold = &object.MakeCold();
      if (cold->live != nullptr && SameType(*cold->ops, ops)) return cold->live;
      if (cold->data != nullptr && cold->size > options_.inline_bytes && object.format() == detail::Format::kPlain &&
          object.type_hash == ops.hash && ops.alignment <= kStoreAlignment) {
        // Read in place: the memory is kept by itself, or by a hold on the object.
        if (cold->heap) return {cold->heap, cold->data};
        return {std::make_shared<Handle>(object::Hold(object)), cold->data};
      }
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
  std::shared_ptr<const void> live = Load(object, ops);
  std::lock_guard lock(object.Lock());
  if (cold->live == nullptr) {  // else it is there as another type, of the same elements
    cold->live = live;
    cold->ops = &ops;
  }
  return live;
}

/// A new object of the value of a ready one, which is read in place where the type can. User code.
std::shared_ptr<const void> ObjectPlane::Load(ObjectState& object, const TypeOps& ops) {
  MANTA_EXPECT(object.type_hash == ops.hash,
               "an object of another type than its ref says: the ref was made by a cast, or ranks differ");
  ReadScope scope(object::Hold(object));
  const KeptBytes from = BytesOf(object);
  MANTA_ASSERT(from.bytes != nullptr || from.size == 0);
  std::shared_ptr<const void> loaded = ops.load(from.bytes, from.size, from.in);
  if (ops.elements != nullptr && ops.elements(loaded.get()) == from.bytes) return loaded;
  Counters::Add(counters_.bytes_copied_get, from.size);
  if (from.size > kLargeCopyBytes && !said_large_copy_.exchange(true, std::memory_order_relaxed))
    base::SayLine("a value of " + std::to_string(from.size >> 20) +
                  " MiB was copied out of the object store; a std::span or Array parameter reads it in place");
  return loaded;
}

/// Of a ready object: where its bytes are, or the elements of its live value; and what keeps them: nothing where they lie
/// in its record, which may be used again.
ObjectPlane::KeptBytes ObjectPlane::BytesOf(ObjectState& object) {
  std::lock_guard lock(object.Lock());
  KeptBytes kept{object.bytes(), object.size(), nullptr};
  const Cold* const cold = object.cold();
  if (object.inside() || cold == nullptr) return kept;
  if (kept.bytes == nullptr && cold->live != nullptr && cold->ops->elements != nullptr) {
    kept.in = cold->live;
    kept.bytes = static_cast<const std::byte*>(cold->ops->elements(cold->live.get()));
    kept.size = cold->ops->measure(cold->live.get());
  } else if (cold->heap) {
    kept.in = cold->heap;
  } else if (cold->location && SameNode(cold->location->holder)) {
    kept.in = store_.Keep(cold->location->entry, object.id);
  }
  return kept;
}

std::shared_ptr<const void> ObjectPlane::MaterializeFresh(ObjectState& object, const TypeOps& ops) {
  MakeBytes(object);
  ReadScope scope(object::Hold(object));
  return ops.load(object.bytes(), object.size(), nullptr);
}

void ObjectPlane::CopyPlain(ObjectState& object, const TypeOps& ops, void* to) {
  MANTA_EXPECT(object.type_hash == ops.hash,
               "an object of another type than its ref says: the ref was made by a cast, or ranks differ");
  if (object.inside()) {
    std::memcpy(to, object.bytes(), ops.item_bytes);
    return;
  }
  std::shared_ptr<const void> live;
  const void* from = nullptr;
  {
    std::lock_guard lock(object.Lock());
    if (const Cold* cold = object.cold()) live = cold->live;
    from = live != nullptr ? live.get() : object.bytes();
  }
  // The bytes stay while the object is held.
  std::memcpy(to, from, ops.item_bytes);
}

bool ObjectPlane::IsLocal(ObjectState& object) {
  if (object.inside()) return true;  // done, so it stays
  std::lock_guard lock(object.Lock());
  const Cold* cold = object.cold();
  return cold == nullptr || object.bytes() != nullptr || cold->live != nullptr || !cold->location;
}

bool ObjectPlane::HasBytes(ObjectState& object) {
  if (object.done() && object.inside()) return true;
  std::lock_guard lock(object.Lock());
  const Cold* cold = object.cold();
  return object.bytes() != nullptr || (cold != nullptr && cold->location);
}

void ObjectPlane::MakeBytes(ObjectState& object) {
  std::shared_ptr<const void> live;
  const TypeOps* ops = nullptr;
  {
    std::lock_guard lock(object.Lock());
    const Cold* cold = object.cold();
    if (object.bytes() != nullptr || cold == nullptr || cold->location || cold->live == nullptr) return;
    live = cold->live;
    ops = cold->ops;
  }
  const std::size_t size = ops->measure(live.get());
  std::vector<Handle> refs;
  const std::optional<wire::Location> location = Seal(object.id, *ops, live.get(), size, &refs);
  std::shared_ptr<std::byte[]> heap;
  if (!location) {
    heap = AlignedBytes(size);
    ops->write(live.get(), heap.get(), size, &refs);
  }
  Counters::Add(counters_.bytes_copied_put, size);
  std::unique_lock lock(object.Lock());
  Cold& cold = object.MakeCold();
  if (cold.data != nullptr) {  // another thread was as fast
    lock.unlock();
    if (location) store_.Free(location->entry);
    return;
  }
  cold.data = location ? store_.At(location->offset) : heap.get();
  cold.size = size;
  cold.heap = std::move(heap);
  cold.location = location;
  cold.contained = std::move(refs);
}

wire::ValueDescriptor ObjectPlane::Describe(ObjectState& object, Rank to, bool as_argument) {
  wire::ValueDescriptor value;
  std::lock_guard lock(object.Lock());
  value.type_hash = object.type_hash;
  value.format = static_cast<std::uint8_t>(object.format());
  value.size = object.size();
  if (const Cold* cold = object.cold()) value.location = cold->location;
  if (!value.location) value.inside.assign(object.bytes(), object.bytes() + value.size);
  if (as_argument && object.owned() && value.size > options_.inline_bytes) {
    // The receiver keeps what it read for its next tasks: remember to tell it at the end.
    auto& copies = object.MakeCold().MakeOwnerSide().copies;
    if (std::find(copies.begin(), copies.end(), to) == copies.end()) copies.push_back(to);
  }
  return value;
}

wire::ValueDescriptor ObjectPlane::DescribeResult(const ObjectId& id, const TypeOps& ops, const void* live,
                                                  std::vector<Handle>* contained) {
  wire::ValueDescriptor value;
  const std::size_t size = ops.measure(live);
  value.type_hash = ops.hash;
  value.format = static_cast<std::uint8_t>(ops.format);
  value.size = size;
  value.location = Seal(id, ops, live, size, contained);
  if (!value.location) {
    value.inside.resize(size);
    ops.write(live, value.inside.data(), size, contained);
  }
  Counters::Add(counters_.bytes_copied_put, size);
  for (const Handle& ref : *contained) value.contained.push_back(object::StateOf(ref)->id);
  return value;
}

}  // namespace manta::runtime
