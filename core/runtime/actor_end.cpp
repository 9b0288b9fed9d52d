// The ends of actors at their host: killed, without a handle, with the session.
#include "core/runtime/actor_plane.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

void ActorPlane::FinishDead(const TaskPtr& task, const std::string& reason, bool restarts, bool runs) {
  // One that runs keeps its record, with the arguments that it reads, until it is done; nobody hears of that.
  const TaskPtr told = runs ? parts_.tasks.Replace(task) : task;
  RunContext run;
  task::RunResult result;
  if (restarts && task->kind() == TaskKind::kActorCreation) {
    result.ok = true;  // its place is taken by the next one's; a failure would be the actor's end
  } else {
    result.error = object::MakeError(object::ErrorKind::kActorDied, "the actor is dead: " + reason);
    result.retry = restarts;  // it is made anew: a call that may be sent again finds it
  }
  parts_.tasks.Finish(told, run, std::move(result));
}

void ActorPlane::FailCalls(ActorInstance& actor, std::vector<TaskPtr> calls, const std::string& reason, bool restarts) {
  for (const TaskPtr& task : calls) {
    // Those whose arguments are still on their way are answered when they have come; those that run, at once.
    if (task->kind() == TaskKind::kActorCall) {
      std::lock_guard lock(actor.mutex);
      task->actor().MakeRare().refused = reason;
    }
    if (task->Claim())
      FinishDead(task, reason, restarts, false);
    else if (task->phase.load(std::memory_order_acquire) == Phase::kRunning)
      FinishDead(task, reason, restarts, true);
  }
}

/// The caller of the call that exits hears of its end after this.
void ActorPlane::EndByExit(ActorInstance& actor, std::uint32_t incarnation) {
  std::shared_ptr<void> instance;
  std::vector<TaskPtr> refused;
  wire::Lease lease;
  {
    std::lock_guard lock(actor.mutex);
    if (actor.incarnation != incarnation || actor.state != ActorInstance::State::kAlive) return;  // killed first
    actor.state = ActorInstance::State::kDead;
    actor.why = ActorInstance::kExited;
    instance = std::move(actor.instance);
    actor.MoveMailboxTo(refused);
    lease = actor.TakeLease();
  }
  instance.reset();
  parts_.tasks.ReturnLease(lease);
  parts_.router.Send(actor.id.owner, wire::ActorDied{actor.id, ActorInstance::kExited});
  FailCalls(actor, std::move(refused), ActorInstance::kExited, false);
}

void ActorPlane::On(Rank from, const wire::ActorKill& message) {
  // From another rank to the owner first; from the owner to the host then.
  if (message.actor.owner == self_ && from != self_)
    KillOwned(message.actor, message.no_restart != 0);
  else
    KillHere(message.actor, message.no_restart == 0);
}

void ActorPlane::KillHere(const ObjectId& id, bool restart) {
  std::vector<TaskPtr> refused;
  wire::Lease lease;
  ActorPtr held;
  {
    ActorInstance& actor = instances_.LockOrMake(id);
    std::lock_guard lock(actor.mutex, std::adopt_lock);
    if (actor.state == ActorInstance::State::kDead) return;
    if (actor.instance) ActorInstance::Abandon(std::move(actor.instance));
    actor.instance.reset();
    if (actor.creation) refused.push_back(std::exchange(actor.creation, TaskPtr()));
    actor.MoveMailboxTo(refused);
    actor.MoveRunningTo(refused);
    actor.running = 0;  // those that run are no longer this actor's
    ++actor.incarnation;
    actor.state = restart ? ActorInstance::State::kCreating : ActorInstance::State::kDead;
    if (!restart) {
      actor.why = ActorInstance::kKilled;
      lease = actor.TakeLease();
    }
    if (!refused.empty()) held = ActorPtr(&actor);
  }
  parts_.tasks.ReturnLease(lease);
  // Their results' holds may run user code: not under the token.
  if (!refused.empty())
    parts_.lanes.Push([this, restart, actor = std::move(held), refused = std::move(refused)]() mutable {
      FailCalls(*actor, std::move(refused), ActorInstance::kKilled, restart);
    });
}

void ActorPlane::On(Rank, const wire::ActorEnd& message) {
  bool gone = false;  // killed before: there is nothing of the user's to destroy
  bool push = false;
  wire::Lease lease;
  ActorPtr held;
  {
    ActorInstance& actor = instances_.LockOrMake(message.actor);
    std::lock_guard lock(actor.mutex, std::adopt_lock);
    actor.ended = true;
    held = ActorPtr(&actor);
    lease = actor.lease();
    gone = actor.state == ActorInstance::State::kDead && !actor.instance;
    // A turn that is queued, or runs, sees it by itself.
    push = !gone && lease.id == 0 && !actor.turn_queued;
    if (push) {
      actor.turn_queued = true;
      actor.turn = ActorInstance::Turn::kEnd;
      actor.plane = this;
    }
  }
  if (gone)
    DestroyIfEnded(held);
  else if (lease.id != 0)
    parts_.leased.Run(lease, [this, actor = std::move(held)] { DestroyIfEnded(actor); });
  else if (push)
    PushTurn(std::move(held));
}

void ActorPlane::DestroyIfEnded(const ActorPtr& actor) {
  std::shared_ptr<void> instance;
  wire::Lease lease;
  {
    std::lock_guard lock(actor->mutex);
    if (!actor->ended || actor->running > 0 || actor->creating || actor->creation || !actor->mailbox.empty()) return;
    if (actor->state != ActorInstance::State::kDead) {
      actor->state = ActorInstance::State::kDead;
      actor->why = "its last handle is gone";
    }
    instance = std::move(actor->instance);
    lease = actor->TakeLease();
  }
  instance.reset();
  parts_.tasks.ReturnLease(lease);
  instances_.Remove(*actor);
}

void ActorPlane::DestroyAll() {
  const std::vector<ActorPtr> all = instances_.TakeAll();
  owned_.ForEach([](Owned& owned) {
    const std::unique_ptr<Owned::Rare> rare = std::move(owned.rare);
    owned.generation = 0;
  });
  for (const ActorPtr& actor : all) {
    // Declared before the lock: destructors of the user's run after it.
    std::shared_ptr<void> instance;
    std::vector<TaskPtr> mailbox;
    TaskPtr creation;
    std::lock_guard lock(actor->mutex);
    actor->state = ActorInstance::State::kDead;
    actor->why = "the session has ended";
    if (actor->running == 0) instance = std::move(actor->instance);
    actor->MoveMailboxTo(mailbox);
    creation = std::exchange(actor->creation, TaskPtr());
  }
}

}  // namespace manta::runtime
