// Making and reading objects. Borrowing and freeing: object_borrowing.cpp; moving between nodes: object_fetch.cpp.
#include "core/runtime/object_plane.hpp"

#include <algorithm>
#include <cstring>
#include <thread>

#include "core/base/log.hpp"

namespace manta::runtime {
namespace {

std::shared_ptr<std::byte[]> AlignedBytes(std::size_t size) {
  auto* bytes = static_cast<std::byte*>(::operator new (size == 0 ? 1 : size, std::align_val_t{64}));
  return {bytes, [](std::byte* p) { ::operator delete (p, std::align_val_t{64}); }};
}

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
  object = ops.load(bytes.get(), size);
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
    if (object.location) sealed = std::move(object.live);
    // The bytes are in the store, and counted there: the value itself goes, unless it is needed again.
    object.ops = nullptr;
  }
  return handle;
}

Handle ObjectPlane::PutCopied(const TypeOps& ops, const void* value) {
  Counters::Add(counters_.puts);
  if (ops.format == detail::Format::kPlain && ops.item_bytes <= ObjectState::kSmallBytes) {
    Handle handle = MakePending();
    CompletePlain(*object::StateOf(handle), ops, value, ops.item_bytes);
    return handle;
  }
  Handle handle = MakePending();
  ObjectState& object = *object::StateOf(handle);
  const std::size_t size = ops.measure(value);
  std::vector<Handle> refs;
  std::shared_ptr<const std::byte[]> heap;
  std::optional<wire::Location> location;
  const std::byte* data = nullptr;
  if (size > options_.inline_bytes) {
    const std::uint64_t offset = store_.Allocate(size);
    try {
      ops.write(value, store_.At(offset), size, &refs);
    } catch (...) {
      store_.Abandon(offset);
      throw;
    }
    if (const auto entry = store_.Publish(object.id, offset, size, ops.hash)) {
      location = wire::Location{options_.self, *entry, offset};
      data = store_.At(offset);
    } else {
      store_.Abandon(offset);
      refs.clear();
    }
  }
  if (data == nullptr) {
    heap = ToHeap(ops, value, size, &refs).first;
    data = heap.get();
  }
  Counters::Add(counters_.bytes_copied_put, size);
  object.Complete(Status::kReady, [&] {
    object.type_hash = ops.hash;
    object.format = ops.format;
    object.heap = std::move(heap);
    object.location = location;
    object.data = data;
    object.size = size;
    object.contained = std::move(refs);
  });
  return handle;
}

std::pair<std::shared_ptr<const std::byte[]>, std::size_t> ObjectPlane::ToHeap(const TypeOps& ops, const void* value,
                                                                               std::size_t size,
                                                                               std::vector<Handle>* refs) {
  auto bytes = AlignedBytes(size);
  ops.write(value, bytes.get(), size, refs);
  return {std::move(bytes), size};
}

void ObjectPlane::CompleteLive(ObjectState& object, const TypeOps& ops, std::shared_ptr<const void> live) {
  object.Complete(Status::kReady, [&] {
    object.type_hash = ops.hash;
    object.format = ops.format;
    object.ops = &ops;
    object.live = std::move(live);
  });
}

void ObjectPlane::CompletePlain(ObjectState& object, const TypeOps& ops, const void* bytes, std::size_t size) {
  object.Complete(Status::kReady, [&] {
    object.type_hash = ops.hash;
    object.format = ops.format;
    object.CopySmall(bytes, size);
  });
}

void ObjectPlane::TakeValue(ObjectState& object, const wire::ValueDescriptor& value) {
  object.type_hash = value.type_hash;
  object.format = static_cast<detail::Format>(value.format);
  object.size = value.size;
  object.location = value.location;
  if (!value.location) {
    if (value.inside.size() <= ObjectState::kSmallBytes) {
      object.CopySmall(value.inside.data(), value.inside.size());
    } else {
      auto bytes = AlignedBytes(value.inside.size());
      std::memcpy(bytes.get(), value.inside.data(), value.inside.size());
      object.data = bytes.get();
      object.heap = std::move(bytes);
    }
  } else if (value.location->holder == options_.self) {
    object.data = store_.At(value.location->offset);
  } else if (SameNode(value.location->holder)) {
    object.data = store_.Pin(value.location->entry, object.id);
    object.pinned = object.data != nullptr;
  }
}

void ObjectPlane::CompleteDescriptor(ObjectState& object, const wire::ValueDescriptor& value, Rank from) {
  std::vector<Handle> contained;
  for (const ObjectId& id : value.contained) contained.push_back(ReceiveRef(id, from, true));
  const bool taken = object.Complete(Status::kReady, [&] {
    TakeValue(object, value);
    object.contained = std::move(contained);
  });
  // Cancelled meanwhile: nobody will ask for these bytes.
  if (!taken && value.location) FreeBlockOf(*value.location);
}

void ObjectPlane::Fail(ObjectState& object, object::ErrorPtr error) {
  object.Complete(Status::kFailed, [&] { object.error = std::move(error); });
}

std::shared_ptr<const void> ObjectPlane::Materialize(ObjectState& object, const TypeOps& ops) {
  for (;;) {
    {
      std::lock_guard lock(object.Lock());
      if (object.live != nullptr) return object.live;
      if (!object.loading) {
        object.loading = true;
        break;
      }
    }
    // Another thread is at it: at most once a rank. It runs a serialize function, which waits for nothing.
    std::this_thread::yield();
  }
  struct Done {
    ~Done() {
      std::lock_guard lock(object.Lock());
      object.loading = false;
    }
    ObjectState& object;
  } done{object};
  MANTA_EXPECT(object.type_hash == ops.hash,
               "an object of another type than its ref says: the ref was made by a cast, or ranks differ");
  MANTA_ASSERT(object.data != nullptr);
  ReadScope scope(object::Hold(object));
  std::shared_ptr<const void> live = ops.load(object.data, object.size);
  Counters::Add(counters_.bytes_copied_get, object.size);
  if (object.size > kLargeCopyBytes && !said_large_copy_.exchange(true, std::memory_order_relaxed))
    base::SayLine("a value of " + std::to_string(object.size >> 20) +
                  " MiB was copied out of the object store; a std::span parameter reads it in place");
  std::lock_guard lock(object.Lock());
  object.live = live;
  object.ops = &ops;
  return live;
}

std::shared_ptr<const void> ObjectPlane::MaterializeFresh(ObjectState& object, const TypeOps& ops) {
  MakeBytes(object);
  ReadScope scope(object::Hold(object));
  return ops.load(object.data, object.size);
}

bool ObjectPlane::HasBytes(ObjectState& object) {
  std::lock_guard lock(object.Lock());
  return object.data != nullptr || object.location.has_value();
}

void ObjectPlane::MakeBytes(ObjectState& object) {
  std::shared_ptr<const void> live;
  const TypeOps* ops = nullptr;
  {
    std::lock_guard lock(object.Lock());
    if (object.data != nullptr || object.location || object.live == nullptr) return;
    live = object.live;
    ops = object.ops;
  }
  const std::size_t size = ops->measure(live.get());
  std::vector<Handle> refs;
  std::shared_ptr<const std::byte[]> heap;
  std::optional<wire::Location> location;
  const std::byte* data = nullptr;
  if (size > options_.inline_bytes) {
    const std::uint64_t offset = store_.Allocate(size);
    try {
      ops->write(live.get(), store_.At(offset), size, &refs);
    } catch (...) {
      store_.Abandon(offset);
      throw;
    }
    if (const auto entry = store_.Publish(object.id, offset, size, ops->hash)) {
      location = wire::Location{options_.self, *entry, offset};
      data = store_.At(offset);
    } else {
      store_.Abandon(offset);
      refs.clear();
    }
  }
  if (data == nullptr) {
    heap = ToHeap(*ops, live.get(), size, &refs).first;
    data = heap.get();
  }
  Counters::Add(counters_.bytes_copied_put, size);
  std::unique_lock lock(object.Lock());
  if (object.data != nullptr) {  // another thread was as fast
    lock.unlock();
    if (location) store_.Free(location->entry);
    return;
  }
  object.data = data;
  object.size = size;
  object.heap = std::move(heap);
  object.location = location;
  object.contained = std::move(refs);
}

wire::ValueDescriptor ObjectPlane::Describe(ObjectState& object, Rank to, bool as_argument) {
  wire::ValueDescriptor value;
  std::lock_guard lock(object.Lock());
  value.type_hash = object.type_hash;
  value.format = static_cast<std::uint8_t>(object.format);
  value.size = object.size;
  value.location = object.location;
  if (!object.location) value.inside.assign(object.data, object.data + object.size);
  if (as_argument && object.owned && object.size > options_.inline_bytes) {
    // The receiver keeps what it read for its next tasks: remember to tell it at the end.
    if (!object.owner_side) object.owner_side = std::make_unique<object::OwnerSide>();
    auto& copies = object.owner_side->copies;
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
  if (size > options_.inline_bytes) {
    const std::uint64_t offset = store_.Allocate(size);
    try {
      ops.write(live, store_.At(offset), size, contained);
    } catch (...) {
      store_.Abandon(offset);
      throw;
    }
    if (const auto entry = store_.Publish(id, offset, size, ops.hash)) {
      value.location = wire::Location{options_.self, *entry, offset};
    } else {
      store_.Abandon(offset);
      contained->clear();
    }
  }
  if (!value.location) {
    value.inside.resize(size);
    ops.write(live, value.inside.data(), size, contained);
  }
  Counters::Add(counters_.bytes_copied_put, size);
  for (const Handle& ref : *contained) value.contained.push_back(object::StateOf(ref)->id);
  return value;
}

}  // namespace manta::runtime
