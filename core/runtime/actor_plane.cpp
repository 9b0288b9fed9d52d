// Actors at their owner and at their callers. At their host: actor_host.cpp.
#include "core/runtime/actor_plane.hpp"

#include "core/base/check.hpp"
#include "core/base/log.hpp"
#include "core/task/code_address.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

ActorPlane::ActorPlane(Rank self, int ranks, Parts parts)
    : self_(self),
      ranks_(ranks),
      parts_(parts),
      instances_(ranks),
      next_host_(static_cast<std::uint32_t>(self.value)),
      name_queries_(parts.progress) {}

namespace {

ActorAddress AddressOf(const ObjectState& actor) {
  ActorAddress address;  // the object is ready: its bytes no longer change
  if (actor.bytes() != nullptr && actor.size() == sizeof(address)) std::memcpy(&address, actor.bytes(), sizeof(address));
  return address;
}

}  // namespace

// ---- the owner ----
Handle ActorPlane::Create(const detail::ActorOptions& options, detail::CallSpec&& call) {
  MANTA_EXPECT(options.max_concurrency >= 1, "SetMaxConcurrency(" << options.max_concurrency << "): at least 1");
  // Most actors need no more than a task without arguments does.
  const bool special = options.max_concurrency != 1 || options.max_restarts != 0 || !options.name.empty();
  TaskPlane::Draft draft = parts_.tasks.MakeDraft(options, std::move(call), TaskKind::kActorCreation, special);
  TaskRecord& record = *draft.task;
  if (special) {
    record.extra()->max_concurrency = options.max_concurrency;
    record.extra()->actor_name = options.name;
  }
  record.retries_left = 0;
  const ObjectId id = record.result();
  {
    ObjectState& object = *record.result_object();
    std::lock_guard lock(object.Lock());
    object.MarkActor();
  }
  if (!options.name.empty()) {
    const NameAnswer answer = name_queries_.Ask([&](std::uint64_t token) {
      parts_.router.Send(Rank(0), wire::NameRegister{token, options.name, id});
    });
    MANTA_EXPECT(answer.ok, "the actor name '" << options.name << "' is taken; GetActor finds the one that has it");
  }
  {
    Owned& owned = owned_.Make(id.slot);
    std::lock_guard lock(owned.lock);
    owned.generation = id.generation;
    owned.dead = false;
    owned.host = Rank();
    owned.incarnation = 0;
    owned.restarts_left = options.max_restarts;
    owned.max_task_retries = options.max_task_retries;
    if (!options.name.empty()) owned.MakeRare().name = options.name;
    if (options.detached) owned.MakeRare().detached = object::Hold(*record.result_object());
    if (options.max_restarts != 0) owned.MakeRare().creation = TaskPlane::CopyOf(record, false);
  }
  Counters::Add(parts_.counters.actors_created);
  return parts_.tasks.Submit(std::move(draft));
}

void ActorPlane::OwnedActorTaskReady(TaskPtr&& task, const object::ErrorPtr& error) {
  TaskRecord& record = *task;
  if (record.kind() == TaskKind::kActorCreation) {
    if (error != nullptr) {
      // Its object fails, and with it all calls.
      parts_.tasks.FailTask(
          task, object::MakeError(
                    object::ErrorKind::kActorDied,
                    "the actor could not be made: an argument of its constructor failed: " + object::Describe(*error)));
      return;
    }
    if (!record.zero_cpu && record.lease_id() == 0) {
      bool killed = false;  // then it need not wait for resources to fail
      WithOwned(record.result(), [&](const Owned& owned) { killed = owned.dead; });
      if (!killed) return parts_.tasks.AskForLease(task);
    }
    PlaceCreation(task);
  } else if (record.ordered) {
    LeaveInOrder(std::move(task), error);
  } else if (error != nullptr) {
    parts_.tasks.FailTask(task, error);
  } else {
    SendCall(std::move(task));
  }
}

void ActorPlane::LeaveInOrder(TaskPtr&& task, object::ErrorPtr error) {
  TaskRecord& record = *task;
  // Others of its stream may wait for it, so all that could hold it back later is done before it settles: arguments
  // that are only live are serialized, which is the user's code.
  if (error == nullptr && !parts_.tasks.ArgumentsHaveBytes(record)) {
    if (parts_.tasks.MustNotBlock()) {
      parts_.lanes.Push([this, task] { LeaveInOrder(TaskPtr(task), nullptr); });
      return;
    }
    error = parts_.tasks.MakeArgumentBytes(record);
  }
  task::ActorPart::Rare& ordered = *record.actor().rare;
  ordered.argument_error = std::move(error);
  {
    std::lock_guard lock(order_mutex_);
    for (TaskPtr& call : order_.Settle({record.actor().actor.get(), ordered.submitter}, task))
      leaving_.push_back(std::move(call));
    if (sending_) return;
    sending_ = true;
  }
  // One thread sends at a time, so that the order holds, and without the lock: a send may fail, and what hangs on it
  // settles then.
  for (;;) {
    TaskPtr call;
    {
      std::lock_guard lock(order_mutex_);
      if (leaving_.empty()) {
        sending_ = false;
        return;
      }
      call = std::move(leaving_.front());
      leaving_.pop_front();
    }
    if (const object::ErrorPtr& failed = call->actor().rare->argument_error; failed != nullptr)
      parts_.tasks.FailTask(call, failed);
    else
      SendCall(std::move(call));
    in_order_.fetch_sub(1, std::memory_order_release);
  }
}

void ActorPlane::PlaceCreation(const TaskPtr& task) {
  TaskRecord& record = *task;
  Rank host = record.lease_id() != 0 ? record.extra()->lease.rank : record.pinned();
  if (!host.valid())
    host = Rank(static_cast<std::int32_t>((next_host_.fetch_add(1, std::memory_order_relaxed) + 1) %
                                          static_cast<std::uint32_t>(ranks_)));
  ActorAddress address;
  address.host = host.value;
  if (const task::TaskExtra* extra = record.extra()) address.max_concurrency = extra->max_concurrency;
  bool killed = false;
  WithOwned(record.result(), [&](Owned& owned) {
    killed = owned.dead;
    if (killed) return;
    owned.host = host;
    if (record.lease_id() != 0) owned.MakeRare().lease = record.extra()->lease;
    address.max_task_retries = owned.max_task_retries;
  });
  if (killed) {
    if (record.lease_id() != 0) parts_.tasks.ReturnLease(record.extra()->lease);
    parts_.tasks.FailTask(
        task, object::MakeError(object::ErrorKind::kActorDied, "the actor is dead: it was killed before it was made"));
    return;
  }
  // Callers may send from now on: their calls wait at the host, which may hear of them before it hears of the creation.
  // After the creation was sent it would be too late: it may be done before its sender goes on.
  if (ObjectState* actor = record.result_object())
    parts_.objects.CompletePlain(*actor, detail::OpsOf<ActorAddress>(), &address, sizeof(address));
  SendToHost(TaskPtr(task), host);
}

void ActorPlane::SendToHost(TaskPtr&& task, Rank host) {
  if (host == self_)
    parts_.tasks.DeliverToActor(std::move(task));
  else
    parts_.tasks.SendTo(std::move(task), host);
}

void ActorPlane::CreationDone(const TaskPtr& task, const object::ErrorPtr& error) {
  if (error == nullptr) return;
  Leftover left;
  WithOwned(task->result(), [&](Owned& owned) { left = LetGo(owned); });
  Dispose(std::move(left), task->result());
}

ActorPlane::Leftover ActorPlane::LetGo(Owned& owned) {
  owned.dead = true;
  if (!owned.rare) return {};
  Owned::Rare& rare = *owned.rare;
  return {std::exchange(rare.name, {}), std::move(rare.detached), std::exchange(rare.creation, {})};
}

void ActorPlane::Dispose(Leftover&& left, const ObjectId& actor) {
  if (!left.name.empty()) parts_.router.Send(Rank(0), wire::NameDrop{left.name, actor});
  // Their values' destructors are the user's.
  if (left.detached || left.creation) parts_.lanes.Push([kept = std::make_shared<Leftover>(std::move(left))] {});
}

void ActorPlane::ActorUnreferenced(const ObjectId& actor) {
  Rank host;
  Leftover left;
  std::unique_ptr<Owned::Rare> rare;  // its end comes after the lock
  if (!WithOwned(actor, [&](Owned& owned) {
        host = owned.host;
        left = LetGo(owned);
        rare = std::move(owned.rare);
        owned.generation = 0;
      }))
    return;
  Dispose(std::move(left), actor);
  if (host.valid()) parts_.router.Send(host, wire::ActorEnd{actor});
}

void ActorPlane::Kill(const Handle& actor, bool no_restart) {
  ObjectState& object = *object::StateOf(actor);
  if (object.owned())
    KillOwned(object.id, no_restart);
  else
    parts_.router.Send(object.id.owner, wire::ActorKill{object.id, no_restart});
}

void ActorPlane::KillOwned(const ObjectId& actor, bool no_restart) {
  Rank host;
  bool restart = false;
  TaskPtr creation;
  wire::Lease lease;
  std::uint32_t incarnation = 0;
  Leftover left;
  bool alive = false;
  WithOwned(actor, [&](Owned& owned) {
    alive = !owned.dead;
    if (!alive) return;
    host = owned.host;
    restart = !no_restart && owned.restarts_left != 0 && owned.rare && owned.rare->creation && host.valid();
    if (restart) {
      if (owned.restarts_left > 0) --owned.restarts_left;
      incarnation = ++owned.incarnation;
      creation = owned.rare->creation;
      lease = owned.rare->lease;
    } else {
      left = LetGo(owned);
    }
  });
  if (!alive) return;
  Dispose(std::move(left), actor);
  // In this order: the host drops the old instance, then makes the new one. Calls of this rank that come later arrive
  // later.
  if (host == self_)
    KillHere(actor, restart);
  else if (host.valid())
    parts_.router.Send(host, wire::ActorKill{actor, static_cast<std::uint8_t>(!restart)});
  if (!restart) return;
  const TaskPtr again = TaskPlane::CopyOf(*creation, false);
  again->extra()->incarnation = incarnation;
  again->extra()->lease = std::move(lease);
  SendToHost(TaskPtr(again), host);
}

void ActorPlane::On(Rank, const wire::ActorDied& message) {
  Leftover left;
  WithOwned(message.actor, [&](Owned& owned) { left = LetGo(owned); });
  Dispose(std::move(left), message.actor);
}

// ---- callers ----
Handle ActorPlane::Call(Handle&& actor, const detail::TaskOptions& options, detail::CallSpec&& call) {
  TaskPlane::Draft draft = parts_.tasks.MakeDraft(options, std::move(call), TaskKind::kActorCall);
  TaskRecord& record = *draft.task;
  ObjectState& object = *object::StateOf(actor);
  record.actor().actor_id = object.id;
  record.actor().actor = std::move(actor);
  record.retries_left = 0;
  bool waits = !object.done();
  for (const auto& argument : record.arguments()) waits = waits || !object::StateOf(argument.object)->done();
  if (waits || in_order_.load(std::memory_order_acquire) != 0) {
    // What this call waits for, or an earlier one of the stream, later calls wait for too.
    std::lock_guard lock(order_mutex_);
    const actor::CallOrder<TaskPtr>::Stream stream{record.actor().actor.get(), IdOf(CurrentSubmitter())};
    if (waits || sending_ || order_.Waits(stream)) {
      record.ordered = true;
      record.actor().MakeRare().submitter = stream.second;
      in_order_.fetch_add(1, std::memory_order_relaxed);
      order_.Enter(stream, draft.task);
    }
  }
  return parts_.tasks.Submit(std::move(draft));
}

Rank ActorPlane::HostOf(TaskRecord& call) {
  const ObjectState& actor = *object::StateOf(call.actor().actor);
  if (call.ordered || actor.status.load(std::memory_order_acquire) != Status::kReady) return {};
  return TakeAddress(call);
}

/// The host of the call's actor, whose address is known; and how often the call may be tried again.
Rank ActorPlane::TakeAddress(TaskRecord& call) {
  const ActorAddress address = AddressOf(*object::StateOf(call.actor().actor));
  if (call.attempt == 0) call.retries_left = static_cast<std::uint16_t>(std::min(address.max_task_retries, 0xffff));
  return Rank(address.host);
}

void ActorPlane::SendCall(TaskPtr&& task) {
  const Rank host = TakeAddress(*task);
  SendToHost(std::move(task), host);
}

bool ActorPlane::RetryActorCall(const TaskPtr& task) {
  if (task->retries_left == 0 || task->cancelled.load(std::memory_order_acquire)) return false;
  Counters::Add(parts_.counters.tasks_retried);
  const TaskPtr again = parts_.tasks.Replace(task);
  if (again->retries_left > 0) --again->retries_left;
  ++again->attempt;
  SendCall(TaskPtr(again));
  return true;
}

// ---- names ----
std::optional<Handle> ActorPlane::Find(const std::string& name) {
  const NameAnswer answer = name_queries_.Ask([&](std::uint64_t token) {
    parts_.router.Send(Rank(0), wire::NameLookup{token, name});
  });
  if (!answer.ok) return std::nullopt;
  Handle handle = parts_.objects.ReceiveRef(answer.actor, answer.from, false);
  if (!handle) return std::nullopt;
  ObjectState& object = *object::StateOf(handle);
  std::lock_guard lock(object.Lock());
  object.MarkActor();
  return handle;
}

void ActorPlane::On(Rank from, const wire::NameRegister& message) {
  bool ok = false;
  {
    std::lock_guard lock(names_mutex_);
    ok = names_.Register(message.name, message.actor);
  }
  parts_.router.Send(from, wire::NameReply{message.token, ok, message.actor});
}

void ActorPlane::On(Rank from, const wire::NameLookup& message) {
  std::optional<ObjectId> found;
  {
    std::lock_guard lock(names_mutex_);
    found = names_.Find(message.name);
  }
  // Rank 0 holds no actor; only the owner can say whether it lives, and count the one who asks.
  if (found)
    parts_.router.Send(found->owner, wire::NameGrant{message.token, from, *found});
  else
    parts_.router.Send(from, wire::NameReply{message.token, 0, {}});
}

void ActorPlane::On(Rank, const wire::NameGrant& message) {
  bool alive = false;
  WithOwned(message.actor, [&](Owned& owned) { alive = !owned.dead; });
  alive = alive && parts_.objects.GrantRef(message.actor, message.requester);
  parts_.router.Send(message.requester, wire::NameReply{message.token, alive, message.actor});
}

void ActorPlane::On(Rank from, const wire::NameReply& message) {
  name_queries_.Answered(message.token, {message.ok != 0, message.actor, from});
}

void ActorPlane::On(Rank, const wire::NameDrop& message) {
  std::lock_guard lock(names_mutex_);
  names_.Drop(message.name, message.actor);
}

}  // namespace manta::runtime
