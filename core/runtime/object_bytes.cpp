// The bytes of objects: sealed in the store, described to other ranks, kept while they are read, and brought here.
#include <algorithm>
#include <cstring>

#include "core/runtime/object_plane.hpp"
#include "core/runtime/wait_point.hpp"

namespace manta::runtime {

using object::AlignedBytes;
using object::Cold;

namespace {
object::ErrorPtr SessionHasEnded() {
  return object::MakeError(object::ErrorKind::kUsage, "the session has ended: Shutdown was called");
}
}  // namespace

// ---- making ----
std::shared_ptr<NewBlock> ObjectPlane::CreateBlock(std::uint64_t size_bytes) {
  if (size_bytes > options_.inline_bytes) return std::make_shared<NewBlock>(store_, room_.Allocate(size_bytes), size_bytes, router_.session());
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
    if (const auto entry = store_.Publish(block.extent(), {object.id, size, ops.hash, format})) {
      location = wire::Location{options_.self, *entry};
    } else {  // no entry is free: then it lies in this process, as what Put makes
      heap = AlignedBytes(size);
      std::memcpy(heap.get(), block.data(), size);
      Counters::Add(counters_.bytes_copied_put, size);
    }
  }
  object.Complete(Status::kReady, [&] {
    object.SetType(ops.hash, ops.format);
    Cold& cold = object.MakeCold();
    cold.data = heap.get();
    cold.size = size;
    cold.heap = std::move(heap);
    cold.location = location;
  });
  return handle;
}

std::optional<wire::Location> ObjectPlane::Seal(const ObjectId& id, const TypeOps& ops, const void* value,
                                                std::size_t size, std::vector<Handle>* refs, std::uint64_t instead_of) {
  if (size <= options_.inline_bytes) return std::nullopt;
  LocalStore::Extent extent = room_.Allocate(size, instead_of);
  ops.write(value, store_.At(extent.offset()), size, refs);
  const std::uint32_t note = static_cast<std::uint32_t>(ops.format) | (refs->empty() ? 0 : kHoldsRefs);
  if (const auto entry = store_.Publish(std::move(extent), {id, size, ops.hash, note}))
    return wire::Location{options_.self, *entry};
  refs->clear();
  return std::nullopt;
}

bool ObjectPlane::HasBytes(ObjectState& object) {
  if (object.done() && object.inside()) return true;
  std::lock_guard lock(object.Lock());
  const Cold* cold = object.cold();
  return object.bytes() != nullptr || (cold != nullptr && cold->location);
}

void ObjectPlane::MakeBytes(ObjectState& object, bool counted) {
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
  const std::optional<wire::Location> location = Seal(object.id, *ops, live.get(), size, &refs, counted ? size : 0);
  std::shared_ptr<std::byte[]> heap;
  if (!location) {
    heap = AlignedBytes(size);
    ops->write(live.get(), heap.get(), size, &refs);
  }
  Counters::Add(counters_.bytes_copied_put, size);
  std::unique_lock lock(object.Lock());
  Cold& cold = object.MakeCold();
  if (cold.data != nullptr || cold.location) {  // another thread was as fast
    lock.unlock();
    if (location) store_.Free(location->entry, object.id);
    return;
  }
  cold.data = heap.get();
  cold.size = size;
  cold.heap = std::move(heap);
  cold.location = location;
  cold.contained = std::move(refs);
  if (!location) return;
  // The bytes count now; the value comes back where it is needed.
  cold.ops = nullptr;
  std::shared_ptr<const void> gone = std::move(cold.live);
  lock.unlock();
  live.reset();
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

// ---- keeping ----
bool ObjectPlane::TryKeep(ObjectState& object, bool as_bytes, KeptBytes* kept) {
  *kept = {};
  std::optional<wire::Location> at;
  std::uint32_t copy = Cold::kNoEntry;
  {
    std::lock_guard lock(object.Lock());
    kept->bytes = object.bytes();
    kept->size = object.size();
    const Cold* const cold = object.cold();
    if (object.inside() || cold == nullptr) return true;
    if (kept->bytes != nullptr) {
      kept->in = cold->heap;  // null: in the record, which may be used again
      return true;
    }
    if (cold->live != nullptr && !as_bytes) {
      kept->in = cold->live;
      if (cold->ops->elements != nullptr) {
        kept->bytes = static_cast<const std::byte*>(cold->ops->elements(cold->live.get()));
        kept->size = cold->ops->measure(cold->live.get());
      } else if (cold->ops->format == detail::Format::kPlain) {
        kept->bytes = static_cast<const std::byte*>(cold->live.get());
        kept->size = cold->ops->item_bytes;
      }
      return true;
    }
    if (!cold->location) return true;  // it has no value
    at = cold->location;
    copy = cold->copy;
  }
  const std::uint32_t entry = SameNode(at->holder) ? at->entry : copy;
  if (entry == Cold::kNoEntry) return false;
  auto found = store_.Keep(entry, object.id);
  if (!found) return false;
  *kept = std::move(*found);
  return true;
}

namespace {
/// Of an argument that lies in a store; else 0.
std::uint64_t BytesInStore(const detail::ArgumentRef& argument) {
  if (!argument.object) return 0;
  ObjectState& object = *object::StateOf(argument.object);
  if (object.inside()) return 0;
  std::lock_guard lock(object.Lock());
  const Cold* const cold = object.cold();
  return cold != nullptr && cold->location ? cold->size : 0;
}
}  // namespace

std::uint64_t ObjectPlane::BytesToKeep(std::span<const detail::ArgumentRef> arguments) const {
  std::uint64_t bytes = 0;
  for (const detail::ArgumentRef& argument : arguments) bytes += BytesInStore(argument);
  return bytes;
}

void ObjectPlane::CheckSizes(std::span<const detail::ArgumentRef> arguments) const {
  for (const detail::ArgumentRef& argument : arguments) CheckSize(BytesInStore(argument));
}

bool ObjectPlane::IsHere(ObjectState& object) {
  if (object.inside()) return true;  // done, so it stays
  KeptBytes kept;
  return TryKeep(object, false, &kept);
}

ObjectPlane::KeptBytes ObjectPlane::KeepHere(ObjectState& object, bool as_bytes) {
  if (KeptBytes kept; TryKeep(object, as_bytes, &kept)) return kept;
  struct Waiting {
    explicit Waiting(worker::Progress& progress) : here(progress) {}
    WaitPoint here;
    KeptBytes kept;
    object::ErrorPtr error;
  };
  // Shared: the wait throws where there is no memory to park in, and the callback comes all the same.
  const auto waiting = std::make_shared<Waiting>(progress_);
  Bring(object, as_bytes, [waiting](const KeptBytes& bytes, const object::ErrorPtr& why_not) {
    waiting->kept = bytes;
    waiting->error = why_not;
    waiting->here.Signal();
  });
  waiting->here.Wait(-1);  // also past a timeout of the caller's
  if (waiting->error != nullptr) object::Throw(*waiting->error);
  return std::move(waiting->kept);
}

void ObjectPlane::Bring(ObjectState& object, bool as_bytes, Brought then) {
  KeptBytes kept;
  if (TryKeep(object, as_bytes, &kept)) {
    then(kept, nullptr);
    return;
  }
  wire::BytesAsk ask;
  ask.id = object.id;
  {
    std::lock_guard lock(object.Lock());
    ask.at = *object.cold()->location;
    ask.size = object.size();
    ask.type_hash = object.type_hash;
    ask.format = static_cast<std::uint8_t>(object.format());
  }
  {
    std::unique_lock lock(asks_mutex_);
    if (!brings_) {
      lock.unlock();
      then({}, SessionHasEnded());
      return;
    }
    auto& waiting = asks_[object.id];
    waiting.push_back({object::Hold(object), std::move(then)});
    if (waiting.size() > 1) return;  // asked already
  }
  router_.Send(keeper_.KeeperOf(ask.id, ask.at), ask);
}

void ObjectPlane::EndBringing() {
  std::unordered_map<ObjectId, std::vector<Asked>> asks;
  {
    std::lock_guard lock(asks_mutex_);
    brings_ = false;
    asks.swap(asks_);
  }
  for (const auto& [id, asked] : asks)
    for (const Asked& one : asked) one.then({}, SessionHasEnded());
}

void ObjectPlane::On(Rank, const wire::BytesHere& message) {
  std::vector<Asked> asked;
  {
    std::lock_guard lock(asks_mutex_);
    if (auto node = asks_.extract(message.id); !node.empty()) asked = std::move(node.mapped());
  }
  KeptBytes kept;
  object::ErrorPtr error;
  if (message.error)
    error = object::FromWire(*message.error);
  else
    kept = store_.KeepPinned(message.entry);
  for (Asked& one : asked) {
    ObjectState& object = *object::StateOf(one.object);
    if (error == nullptr) {
      std::lock_guard lock(object.Lock());
      Cold& cold = object.MakeCold();
      if (cold.location && !SameNode(cold.location->holder)) cold.copy = message.entry;
    }
    one.then(kept, error);
  }
  // The holds go here. Where one is the last, OnLastHold sees to it that no user code runs under the token.
}

}  // namespace manta::runtime
