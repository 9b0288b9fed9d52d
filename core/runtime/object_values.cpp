// Values on their way: borrowers ask owners for them.
#include "core/runtime/object_plane.hpp"

namespace manta::runtime {

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
    cold.size = view->size_bytes;
    cold.location = wire::Location{holder, entry};
  });
  store_.Unpin(entry);
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
  if (object.done()) {
    SendValue(object, from);
    return;
  }
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

}  // namespace manta::runtime
