// Who holds an object, and when it is freed. The rules are in docs/protocol.md; tests/models/borrow_model_test.cpp
// explores them.
#include <algorithm>
#include <iterator>

#include "core/base/log.hpp"
#include "core/runtime/drop_scope.hpp"
#include "core/runtime/object_plane.hpp"

namespace manta::runtime {

void ObjectPlane::CountSentRef(ObjectState& object, Rank to) {
  if (!object.owned() || to == options_.self) return;
  std::lock_guard lock(object.Lock());
  CountBorrower(object, to);
}

void ObjectPlane::CountBorrower(ObjectState& object, Rank to) {
  auto& borrowers = object.MakeCold().MakeOwnerSide().borrowers;
  for (auto& borrower : borrowers)
    if (borrower.rank == to) {
      ++borrower.sent;
      return;
    }
  borrowers.push_back({to, 1});
}

bool ObjectPlane::GrantRef(const ObjectId& id, Rank to) {
  const Handle held = pool_.FindOwned(id);
  if (!held) return false;
  ObjectState& object = *object::StateOf(held);
  if (object.status.load(std::memory_order_acquire) == Status::kFailed) return false;
  CountSentRef(object, to);
  return true;
}

void ObjectPlane::KeepUntilTransit(Rank to, std::vector<Handle> refs) {
  std::lock_guard lock(transit_mutex_);
  for (Handle& ref : refs) {
    const ObjectState& object = *object::StateOf(ref);
    // Our own objects count the receiver already; the receiver's own need no hold once the message has come, and our
    // BorrowDrop comes after it.
    if (object.id.owner == options_.self || object.id.owner == to) continue;
    const auto key = std::make_pair(to, object.id);
    transits_.emplace(key, std::move(ref));
  }
}

void ObjectPlane::On(Rank from, const wire::TransitDone& message) {
  Handle released;
  std::lock_guard lock(transit_mutex_);
  auto it = transits_.find({from, message.id});
  if (it == transits_.end()) return;
  released = std::move(it->second);
  transits_.erase(it);
  // `released` goes after the lock: it is declared before it.
}

Handle ObjectPlane::ReceiveRef(const ObjectId& id, Rank from, bool answer_transit) {
  if (id.owner == options_.self) return pool_.FindOwned(id);
  Handle held = pool_.FindOrMakeBorrowed(id, router_.session());
  ObjectState& object = *object::StateOf(held);
  bool tell_owner = false;
  bool answer = false;
  {
    std::lock_guard lock(object.Lock());
    object::BorrowerSide& side = *object.cold()->borrower_side;
    if (from == id.owner) {
      ++side.received;  // counted by the owner before it sent
      side.confirmed = true;
    } else if (side.confirmed) {
      answer = answer_transit;
    } else {
      tell_owner = !side.via_pending;
      if (tell_owner) ++side.received;
      side.via_pending = true;
      if (answer_transit) side.transits.push_back(from);
    }
  }
  if (tell_owner) TellOwner({id.owner, {{id.slot, id.generation}}, {&object}}, {});
  if (answer) router_.Send(from, wire::TransitDone{id});
  return held;
}

RefOnWire ObjectPlane::RefTo(ObjectState& object) {
  RefOnWire ref{object.id, object.is_actor(), {}, 0};
  if (object.done() && object.inside()) return ref;
  std::lock_guard lock(object.Lock());
  const object::Cold* cold = object.cold();
  if (cold == nullptr) return ref;
  if (cold->location) {
    ref.holder = cold->location->holder;
    ref.entry = cold->location->entry;
  } else if (cold->borrower_side) {
    ref.holder = cold->borrower_side->holder;
    ref.entry = cold->borrower_side->entry;
  }
  return ref;
}

Handle ObjectPlane::AdoptRef(const RefOnWire& ref, ReadScope* scope, std::vector<Handle>* unconfirmed) {
  const ObjectId& id = ref.id;
  if (!id.valid()) return {};
  if (id.owner == options_.self) return pool_.FindOwned(id);
  Handle held = pool_.FindOrMakeBorrowed(id, router_.session(), ref.is_actor != 0);
  ObjectState& object = *object::StateOf(held);
  bool tell_owner = false;
  {
    std::lock_guard lock(object.Lock());
    if (ref.is_actor != 0) object.MarkActor();
    object::BorrowerSide& side = *object.cold()->borrower_side;
    if (ref.holder.valid() && !side.holder.valid() && !object.done()) {
      side.holder = ref.holder;
      side.entry = ref.entry;
    }
    if (!side.confirmed) {
      tell_owner = !side.via_pending;
      if (tell_owner) ++side.received;
      side.via_pending = true;
      if (scope != nullptr && !tell_owner) side.guards.push_back(scope->container());
      if (unconfirmed != nullptr) unconfirmed->push_back(held);
    }
  }
  if (!tell_owner) return held;
  if (scope != nullptr)
    scope->Tell(id, object);
  else
    TellOwner({id.owner, {{id.slot, id.generation}}, {&object}}, {});
  return held;
}

void ObjectPlane::TellOwner(Borrows&& borrows, Handle guard) {
  wire::BorrowVia message{0, std::move(borrows.objects)};
  {
    std::lock_guard lock(told_mutex_);
    message.batch = ++last_told_;
    told_.emplace(message.batch, Told{std::move(borrows.records), std::move(guard)});
  }
  router_.Send(borrows.owner, message);
}

bool ObjectPlane::IsConfirmed(ObjectState& object) {
  if (object.owned()) return true;
  std::lock_guard lock(object.Lock());
  if (!object.in_use()) return true;
  const object::BorrowerSide& side = *object.cold()->borrower_side;
  return side.confirmed || !side.via_pending;
}

void ObjectPlane::On(Rank from, const wire::BorrowVia& message) {
  for (const wire::SlotUse& use : message.objects) {
    const ObjectId id{options_.self, use.slot, use.generation};
    if (!pool_.VisitOwned(id, [&](ObjectState& object) { CountBorrower(object, from); }))
      MANTA_LOG(kError, "objects", "rank " << from << " borrowed object " << id << ", which is gone");
  }
  router_.Send(from, wire::BorrowConfirmed{message.batch});
}

void ObjectPlane::On(Rank, const wire::BorrowConfirmed& message) {
  const DropScope drops(router_);
  Told told;
  {
    std::lock_guard lock(told_mutex_);
    auto node = told_.extract(message.batch);
    if (node.empty()) return;
    told = std::move(node.mapped());
  }
  std::vector<Handle> unheld;
  std::vector<Handle> guards;
  for (ObjectState* const record : told.records) {
    ObjectId id;
    std::vector<Rank> transits;
    {
      std::lock_guard lock(record->Lock());
      object::BorrowerSide& side = *record->cold()->borrower_side;
      id = record->id;
      side.confirmed = true;
      side.via_pending = false;
      if (!side.guards.empty()) {
        std::move(side.guards.begin(), side.guards.end(), std::back_inserter(guards));
        side.guards.clear();
      }
      transits.swap(side.transits);
      // Its last hold went meanwhile, and left it to us.
      if (record->holds.load(std::memory_order_relaxed) == 0) unheld.push_back(object::Hold(*record));
    }
    for (const Rank to : transits) router_.Send(to, wire::TransitDone{id});
  }
  events_.BorrowWasConfirmed();
  // The holds and guards go here. Where one is the last hold, OnLastHold sees to it that no user code runs under the
  // token.
}

void ObjectPlane::On(Rank from, const wire::BorrowDrop& message) {
  for (const wire::DroppedBorrow& dropped : message.dropped) {
    Handle unheld;
    pool_.VisitOwned({options_.self, dropped.object.slot, dropped.object.generation}, [&](ObjectState& object) {
      object::Cold* cold = object.cold();
      if (cold == nullptr || !cold->owner_side) return;
      auto& borrowers = cold->owner_side->borrowers;
      for (auto it = borrowers.begin(); it != borrowers.end(); ++it)
        if (it->rank == from) {
          it->sent -= std::min(it->sent, dropped.received);
          if (it->sent == 0) borrowers.erase(it);
          break;
        }
      if (borrowers.empty() && object.holds.load(std::memory_order_relaxed) == 0) unheld = object::Hold(object);
    });
    // `unheld` goes here, and OnLastHold frees the object.
  }
}

void ObjectPlane::OnLastHold(ObjectState& object) {
  const DropScope drops(router_);  // the object may hold many refs
  ObjectId id;
  bool owned = false;
  {
    std::lock_guard lock(object.Lock());
    if (!object.in_use()) return;
    id = object.id;
    owned = object.owned();
  }
  if (owned)
    TryFreeOwned(object);
  else
    TryFreeBorrowed(object, id);
}

void ObjectPlane::TryFreeOwned(ObjectState& object) {
  object::ObjectPool::Trash trash;
  ObjectId id;
  std::vector<Rank> copies;
  bool unread_failure = false;
  bool actor = false;
  {
    std::lock_guard lock(object.Lock());
    // Relaxed: new holds on owned objects are made from others or under this lock.
    if (!object.in_use() || !object.owned() || object.holds.load(std::memory_order_relaxed) != 0) return;
    id = object.id;
    actor = object.is_actor();
    if (object::Cold* cold = object.cold()) {
      if (cold->owner_side) {
        if (!cold->owner_side->borrowers.empty()) return;
        copies = std::move(cold->owner_side->copies);
      }
      unread_failure =
          !actor && !cold->error_was_read && cold->error != nullptr && cold->error->kind == object::ErrorKind::kTask;
    }
    pool_.Clear(object, trash);
  }
  if (actor) events_.ActorUnreferenced(id);  // before another actor can have the slot
  pool_.Recycle(object);
  if (unread_failure) base::SayLine("a failure that nobody read: " + object::Describe(*trash.cold->error));
  // The owner's own copy, of bytes on another node, is known to nobody else.
  if (trash.cold && trash.cold->location && !SameNode(trash.cold->location->holder)) copies.push_back(options_.self);
  for (const Rank rank : copies) router_.Send(rank, wire::Evict{id});
  FreeValue(id, trash, true);
}

void ObjectPlane::TryFreeBorrowed(ObjectState& object, const ObjectId& id) {
  object::ObjectPool::Trash trash;
  const bool freed = pool_.TryFreeBorrowed(object, id, trash);
  if (trash.received != 0) DropScope::Drop(router_, id, trash.received);
  if (freed) FreeValue(id, trash, false);
}

void ObjectPlane::FreeValue(const ObjectId& id, object::ObjectPool::Trash& trash, bool owned) {
  if (!trash.cold || !trash.cold->location) return;
  if (owned) FreeBlockOf(id, *trash.cold->location);
}

void ObjectPlane::DropValue(const ObjectId& id, const wire::ValueDescriptor& value, Rank from) {
  for (const ObjectId& ref : value.contained) ReceiveRef(ref, from, true);
  if (value.location) FreeBlockOf(id, *value.location);
}

void ObjectPlane::FreeBlockOf(const ObjectId& id, const wire::Location& location) {
  if (location.holder == options_.self)
    store_.Free(location.entry, id);
  else
    router_.Send(location.holder, wire::FreeBlock{id, location.entry});
}

void ObjectPlane::On(Rank, const wire::FreeBlock& message) { store_.Free(message.entry, message.id); }

void ObjectPlane::On(Rank from, const wire::CopyNotice& message) {
  const Handle held = pool_.FindOwned(message.id);
  if (!held) {
    router_.Send(from, wire::Evict{message.id});
    return;
  }
  ObjectState& object = *object::StateOf(held);
  std::lock_guard lock(object.Lock());
  auto& copies = object.MakeCold().MakeOwnerSide().copies;
  if (std::find(copies.begin(), copies.end(), from) == copies.end()) copies.push_back(from);
}

void ObjectPlane::On(Rank, const wire::Evict& message) {
  keeper_.Forget(message.id);
  Handle held = pool_.FindBorrowed(message.id);
  if (!held) return;
  {
    ObjectState& object = *object::StateOf(held);
    std::lock_guard lock(object.Lock());
    object.cold()->is_cached = false;
  }
  // Frees the value, whose destructor is the user's.
  events_.RunInLane([kept = std::make_shared<Handle>(std::move(held))] {});
}

Handle ObjectPlane::ReceiveArgument(const ObjectId& id, const wire::ValueDescriptor& value, Rank from) {
  if (id.owner == options_.self) return pool_.FindOwned(id);
  Handle held = pool_.FindOrMakeBorrowed(id, router_.session());
  ObjectState& object = *object::StateOf(held);
  const bool first = object.Complete(Status::kReady, [&] { TakeValue(object, value); });
  if (first && value.size > options_.inline_bytes) {
    {
      std::lock_guard lock(object.Lock());
      object.cold()->is_cached = true;
    }
    // The owner notes by itself whom it sends an argument; it must be told of those that others sent.
    if (from != id.owner) router_.Send(id.owner, wire::CopyNotice{id});
  }
  return held;
}

void ObjectPlane::Sweep() {
  pool_.EndSession();
  {
    std::lock_guard lock(told_mutex_);
    told_.clear();
  }
  std::lock_guard lock(asks_mutex_);
  asks_.clear();
}

void ObjectPlane::FailAllPending(const std::string& reason) {
  const object::ErrorPtr error = object::MakeError(object::ErrorKind::kUsage, reason);
  for (const Handle& held : pool_.Snapshot()) {
    ObjectState& object = *object::StateOf(held);
    if (!object.done()) Fail(object, error);
  }
}

}  // namespace manta::runtime
