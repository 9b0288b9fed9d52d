// Values on their way: asked of their owners, and brought from other nodes.
#include <algorithm>

#include "core/runtime/object_plane.hpp"

namespace manta::runtime {

namespace {
constexpr std::uint64_t kPieceBytes = 1u << 20;  // asked for at a time
constexpr std::uint64_t kPiecesAhead = 4;
constexpr std::uint64_t kChunkBytes = 64u << 10;  // of one FetchData
}  // namespace

/// Answers a borrower that asked before the object was done. Deletes itself.
class ObjectPlane::QueryAnswer final : public object::ObjectWaiter {
 public:
  QueryAnswer(ObjectPlane& plane, Handle object, Rank to) : plane_(plane), object_(std::move(object)), to_(to) {}
  void ObjectDone(ObjectState& object) override {
    plane_.SendValue(object, to_);
    delete this;
  }

 private:
  ObjectPlane& plane_;
  Handle object_;
  Rank to_;
};

bool ObjectPlane::TakeFromNode(ObjectState& object, Rank holder, std::uint32_t entry) {
  if (!SameNode(holder)) return false;
  const auto view = store_.Pin(entry, object.id);
  if (!view) return false;  // used again by now
  // Refs in the bytes are counted by way of their owners' answers.
  const bool taken = (view->note & kHoldsRefs) == 0 && object.Complete(Status::kReady, [&] {
    object.SetType(view->type_hash, static_cast<detail::Format>(view->note));
    object::Cold& cold = object.MakeCold();
    cold.data = store_.At(view->offset);
    cold.size = view->size_bytes;
    cold.location = wire::Location{holder, entry, view->offset};
    cold.pinned = true;
  });
  if (!taken) store_.Unpin(entry);
  return taken;
}

void ObjectPlane::RequestValue(ObjectState& object) {
  Rank holder;
  std::uint32_t entry = 0;
  {
    std::lock_guard lock(object.Lock());
    if (object.owned() || object.done()) return;
    object::BorrowerSide& side = *object.cold()->borrower_side;
    holder = std::exchange(side.holder, Rank());
    entry = side.entry;
  }
  if (holder.valid() && TakeFromNode(object, holder, entry)) return;
  {
    std::lock_guard lock(object.Lock());
    if (object.owned() || object.done()) return;
    object::BorrowerSide& side = *object.cold()->borrower_side;
    if (side.queried) return;
    side.queried = true;
  }
  router_.Send(object.id.owner, wire::ObjectQuery{object.id});
}

void ObjectPlane::On(Rank from, const wire::ObjectQuery& message) {
  Handle held = pool_.FindOwned(message.id);
  if (!held) {
    wire::ObjectReady reply{
        message.id,
        {},
        object::ToWire(*object::MakeError(object::ErrorKind::kObjectLost,
                                          "the object's last ref was dropped before this rank asked for it"))};
    router_.Send(from, reply);
    return;
  }
  ObjectState& object = *object::StateOf(held);
  auto* answer = new QueryAnswer(*this, held, from);
  if (!object.AddWaiter(*answer)) {
    delete answer;
    SendValue(object, from);
  }
}

void ObjectPlane::SendValue(ObjectState& object, Rank to) {
  if (object.status.load(std::memory_order_acquire) == Status::kFailed) {
    {
      std::lock_guard lock(object.Lock());
      object.cold()->error_was_read = true;
    }
    router_.Send(to, wire::ObjectReady{object.id, {}, object::ToWire(*object.cold()->error)});
    return;
  }
  if (HasBytes(object)) {
    router_.Send(to, wire::ObjectReady{object.id, Describe(object, to, false), std::nullopt});
    return;
  }
  // Only live: its serialize function is the user's, so a lane runs it.
  events_.RunInLane([this, held = object::Hold(object), to] {
    ObjectState& live = *object::StateOf(held);
    try {
      MakeBytes(live);
      router_.Send(to, wire::ObjectReady{live.id, Describe(live, to, false), std::nullopt});
    } catch (...) {
      const auto record = object::FromException(std::current_exception(), "serialize", options_.self.value);
      router_.Send(to, wire::ObjectReady{live.id, {}, object::ToWire(*record)});
    }
  });
}

void ObjectPlane::On(Rank, const wire::ObjectReady& message) {
  const Handle held = pool_.FindBorrowed(message.id);
  if (!held) return;
  ObjectState& object = *object::StateOf(held);
  if (message.error) {
    Fail(object, object::FromWire(*message.error));
  } else {
    object.Complete(Status::kReady, [&] { TakeValue(object, message.value); });
  }
}

bool ObjectPlane::EnsureLocal(ObjectState& object, std::function<void()> then) {
  const auto is_local = [&object](wire::Location* location) {
    std::lock_guard object_lock(object.Lock());
    const object::Cold* cold = object.cold();
    if (cold == nullptr || object.bytes() != nullptr || cold->live != nullptr || !cold->location) return true;
    *location = *cold->location;
    return false;
  };
  if (IsLocal(object)) return true;
  wire::Location location;
  std::uint64_t token = 0;
  std::unique_lock lock(fetch_mutex_);
  if (is_local(&location)) return true;  // a fetch has just ended
  auto known = fetch_of_.find(&object);
  if (known != fetch_of_.end()) {
    fetches_[known->second].then.push_back(std::move(then));
    return false;
  }
  token = next_token_++;
  fetch_of_[&object] = token;
  Fetch& fetch = fetches_[token];
  fetch.object = object::Hold(object);
  fetch.size = object.size();
  fetch.holder = location.holder;
  fetch.offset = location.offset;
  fetch.buffer = {
      static_cast<std::byte*>(::operator new (std::max<std::uint64_t>(fetch.size, 1), std::align_val_t{64})),
      [](std::byte* p) { ::operator delete (p, std::align_val_t{64}); }};
  fetch.then.push_back(std::move(then));
  if (rma_ != nullptr) {
    Counters::Add(counters_.bytes_fetched_rma, fetch.size);
    rma_->Read(fetch.holder, fetch.offset, fetch.buffer.get(), fetch.size, [this, token] { FinishFetch(token); });
  } else {
    Counters::Add(counters_.bytes_fetched_messages, fetch.size);
    AskForMore(token, fetch);
  }
  return false;
}

void ObjectPlane::AskForMore(std::uint64_t token, Fetch& fetch) {
  while (fetch.asked < fetch.size && fetch.asked - fetch.arrived < kPiecesAhead * kPieceBytes) {
    const std::uint64_t piece = std::min(kPieceBytes, fetch.size - fetch.asked);
    router_.Send(fetch.holder, wire::FetchRequest{token, fetch.offset + fetch.asked, piece});
    fetch.asked += piece;
  }
}

void ObjectPlane::On(Rank from, const wire::FetchRequest& message) {
  const std::byte* at = store_.At(message.offset);
  for (std::uint64_t sent = 0; sent < message.size; sent += kChunkBytes) {
    const std::uint64_t chunk = std::min(kChunkBytes, message.size - sent);
    wire::FetchData data{message.token, message.offset + sent, {at + sent, at + sent + chunk}};
    router_.Send(from, data);
  }
}

void ObjectPlane::On(Rank, const wire::FetchData& message) {
  {
    std::lock_guard lock(fetch_mutex_);
    auto it = fetches_.find(message.token);
    if (it == fetches_.end()) return;
    Fetch& fetch = it->second;
    const std::uint64_t at = message.at - fetch.offset;
    MANTA_ASSERT(at + message.bytes.size() <= fetch.size);
    std::memcpy(fetch.buffer.get() + at, message.bytes.data(), message.bytes.size());
    fetch.arrived += message.bytes.size();
    if (fetch.arrived < fetch.size) {
      AskForMore(message.token, fetch);
      return;
    }
  }
  FinishFetch(message.token);
}

void ObjectPlane::FinishFetch(std::uint64_t token) {
  Fetch fetch;
  {
    std::lock_guard lock(fetch_mutex_);
    auto it = fetches_.find(token);
    if (it == fetches_.end()) return;
    fetch = std::move(it->second);
    fetches_.erase(it);
    ObjectState& object = *object::StateOf(fetch.object);
    fetch_of_.erase(&object);
    std::lock_guard object_lock(object.Lock());
    object::Cold& cold = object.MakeCold();
    cold.heap = fetch.buffer;
    cold.data = fetch.buffer.get();
  }
  for (auto& then : fetch.then) then();
  events_.RunInLane([kept = std::make_shared<Handle>(std::move(fetch.object))] {});
}

}  // namespace manta::runtime
