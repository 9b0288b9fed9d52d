// Actors at their host: made, called one at a time, ended.
#include "core/base/clock.hpp"
#include "core/base/log.hpp"
#include "core/runtime/actor_plane.hpp"
#include "core/runtime/wait_note.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

namespace {
/// How long one turn of an actor may keep its lane before others in the queue come first.
constexpr std::int64_t kTurnNs = 1'000'000;
constexpr std::uint32_t kCallsBetweenClocks = 8;

std::uint32_t IncarnationOf(const TaskRecord& creation) {
  return creation.extra() == nullptr ? 0 : creation.extra()->incarnation;
}
}  // namespace

/// The actor that a creation or call is for.
ObjectId ActorOf(const TaskRecord& task) {
  return task.kind() == TaskKind::kActorCall ? task.actor().actor_id : task.result();
}

ActorPtr ActorPlane::InstanceOf(const ObjectId& actor) {
  std::lock_guard lock(mutex_);
  ActorPtr& instance = instances_[actor];
  if (!instance) instance = ActorPtr(new ActorInstance(actor));
  return instance;
}

void ActorPlane::ActorTaskArrived(TaskPtr task) {
  const ActorPtr actor = InstanceOf(ActorOf(*task));
  // It may run at once, if nothing of it is still on its way.
  const bool ready = task->phase.load(std::memory_order_acquire) == Phase::kQueued;
  Next next;
  {
    std::lock_guard lock(actor->mutex);
    if (task->kind() == TaskKind::kActorCreation) {
      actor->state = ActorInstance::State::kCreating;
      if (const task::TaskExtra* extra = task->extra()) {
        actor->max_concurrency = extra->max_concurrency;
        actor->incarnation = extra->incarnation;
        if (extra->lease.id != 0) actor->MakeRare().lease = extra->lease;
        if (!extra->actor_name.empty()) actor->MakeRare().name = extra->actor_name;
      }
      actor->creation = std::move(task);
    } else if (actor->state != ActorInstance::State::kDead) {
      actor->mailbox.Push(std::move(task));
    } else {
      task->actor().refused = std::make_unique<std::string>(actor->reason());
    }
    if (ready && !task) next = NextOf(*actor);
  }
  if (!task)
    Begin(actor, std::move(next));
  else if (ready)
    ActorTaskRunnable(task);  // refused; else it is answered when its arguments are here
}

void ActorPlane::ActorTaskRunnable(const TaskPtr& task) {
  const ActorPtr actor = InstanceOf(ActorOf(*task));
  std::string refused;
  if (task->kind() == TaskKind::kActorCall) {
    std::lock_guard lock(actor->mutex);
    if (task->actor().refused) refused = *task->actor().refused;
  }
  if (!refused.empty()) {
    if (task->Claim()) FinishDead(task, refused, false, false);
    return;
  }
  Schedule(actor);
}

void ActorPlane::RunOn(const ActorPtr& actor, std::function<void()> job) {
  bool leased = false;
  {
    std::lock_guard lock(actor->mutex);
    leased = actor->lease_id() != 0;
  }
  if (leased)
    parts_.leased.Run(std::move(job));
  else
    parts_.lanes.Push(std::move(job));
}

ActorPlane::Next ActorPlane::NextOf(ActorInstance& actor) {
  Next next;
  next.leased = actor.lease_id() != 0;
  next.incarnation = actor.incarnation;
  if (actor.state == ActorInstance::State::kCreating) {
    if (actor.creation && !actor.creating && actor.creation->phase.load(std::memory_order_acquire) == Phase::kQueued) {
      next.creation = std::move(actor.creation);
      actor.creation = {};
      actor.creating = true;
    }
  } else if (actor.state == ActorInstance::State::kAlive && !actor.mailbox.empty() &&
             actor.running < actor.max_concurrency &&
             actor.mailbox.first()->phase.load(std::memory_order_acquire) != Phase::kWaiting) {
    ++actor.running;
    next.call = true;
    if (!next.leased && !actor.turn_queued) next.turn = actor.turn_queued = true;
  }
  return next;
}

void ActorPlane::Begin(const ActorPtr& actor, Next&& next) {
  const auto run = [&](auto job) {
    if (next.leased)
      parts_.leased.Run(std::move(job));
    else
      parts_.lanes.Push(std::function<void()>(std::move(job)));
  };
  if (next.creation) run([this, actor, creation = next.creation] { RunCreation(actor, creation); });
  if (next.turn) {
    ActorInstance::Turn& turn = actor->turn;
    turn.plane = this;
    turn.actor = ActorPtr(actor).Release();
    turn.incarnation = next.incarnation;
    turn.run = [](LaneJob* job) {
      auto& queued = *static_cast<ActorInstance::Turn*>(job);
      const ActorPtr held = ActorPtr::Adopt(queued.actor);
      ActorPlane& plane = *queued.plane;
      const std::uint32_t incarnation = queued.incarnation;
      {
        std::lock_guard lock(held->mutex);
        held->turn_queued = false;  // it may be queued again from here on
      }
      plane.RunCalls(held, incarnation);
    };
    parts_.lanes.Push(&turn);
  } else if (next.call) {
    run([this, actor, incarnation = next.incarnation] { RunCalls(actor, incarnation); });
  }
}

void ActorPlane::Schedule(const ActorPtr& actor) {
  Next next;
  {
    std::lock_guard lock(actor->mutex);
    next = NextOf(*actor);
  }
  Begin(actor, std::move(next));
}

void ActorPlane::RunCreation(const ActorPtr& actor, const TaskPtr& task) {
  const RunNote note;
  RunContext run;
  run.actor = actor.get();
  task::RunResult result;
  if (task->Claim()) result = TaskPlane::Execute(*task, run, nullptr, parts_.objects);
  bool failed = !result.ok;
  std::string reason;
  wire::Lease lease;
  std::vector<TaskPtr> refused;
  {
    std::lock_guard lock(actor->mutex);
    actor->creating = false;
    if (actor->incarnation != IncarnationOf(*task) || actor->state == ActorInstance::State::kDead) {
      // Killed while it was made; a kill runs no destructor.
      if (result.actor) new std::shared_ptr<void>(std::move(result.actor));
      failed = false;
    } else if (result.ok) {
      actor->instance = std::move(result.actor);
      actor->state = ActorInstance::State::kAlive;
    } else {
      actor->state = ActorInstance::State::kDead;
      reason = actor->MakeRare().reason =
          "its constructor failed: " + (result.error ? object::Describe(*result.error) : std::string("cancelled"));
      actor->mailbox.MoveTo(refused);
      lease = actor->TakeLease();
    }
  }
  result.actor.reset();
  task->DropArguments();  // of ours: the owner keeps what a restart needs
  if (failed) {
    parts_.tasks.ReturnLease(lease);
    if (!result.error)
      result.error = object::MakeError(object::ErrorKind::kCancelled, "the actor's creation was cancelled");
  }
  parts_.tasks.Finish(task, run, std::move(result));
  FailCalls(std::move(refused), reason, false);
  Schedule(actor);
  DestroyIfEnded(actor);
}

/// Runs calls for as long as there are some, or for one turn.
void ActorPlane::RunCalls(const ActorPtr& actor, std::uint32_t incarnation) {
  const std::int64_t begin = base::NowNanoseconds();
  Next next;
  std::shared_ptr<void> instance;  // kept over the turn: the session may end and take the actor's own hold
  for (std::uint32_t calls = 0;; ++calls) {
    TaskPtr task;
    bool several = false;
    const bool turn_is_over = calls % kCallsBetweenClocks == 0 && base::NowNanoseconds() - begin >= kTurnNs;
    {
      std::lock_guard lock(actor->mutex);
      if (actor->incarnation != incarnation) return;  // killed: the new instance has turns of its own
      if (actor->state != ActorInstance::State::kAlive || actor->mailbox.empty() || turn_is_over ||
          actor->mailbox.first()->phase.load(std::memory_order_acquire) == Phase::kWaiting) {
        --actor->running;
        next = NextOf(*actor);
        break;
      }
      task = actor->mailbox.Pop();
      actor->running_calls.Push(task);
      if (!instance) instance = actor->instance;
      several = actor->max_concurrency > 1;
    }
    // With more than one call at once the others need not wait for this one.
    if (several) Schedule(actor);
    RunContext run;
    run.actor = actor.get();
    task::RunResult result;
    if (!task->Claim()) {
      std::lock_guard lock(actor->mutex);
      actor->running_calls.Remove(*task);
      continue;
    }
    if (task->cancelled.load(std::memory_order_acquire)) {
      result.error = object::MakeError(object::ErrorKind::kCancelled, "the actor call was cancelled");
    } else {
      result = TaskPlane::Execute(*task, run, instance.get(), parts_.objects);
    }
    std::shared_ptr<void> ended;  // an exited actor's destructor runs before the caller hears of the end
    bool exited = false;
    std::vector<TaskPtr> refused;
    wire::Lease lease;
    {
      std::lock_guard lock(actor->mutex);
      actor->running_calls.Remove(*task);
      const bool killed = actor->incarnation != incarnation || actor->state == ActorInstance::State::kDead;
      if (killed) {
        // The instance of a killed actor is never destroyed: this may have been its last holder.
        if (instance) new std::shared_ptr<void>(std::move(instance));
      } else if (result.actor_exits) {
        exited = true;
        actor->state = ActorInstance::State::kDead;
        actor->MakeRare().reason = "it called ExitActor";
        ended = std::move(actor->instance);
        actor->mailbox.MoveTo(refused);
        lease = actor->TakeLease();
      }
    }
    if (exited) instance.reset();
    ended.reset();
    // Of a killed actor's call the kill has told already.
    if (!task->actor().reported.exchange(true, std::memory_order_acq_rel))
      parts_.tasks.Finish(std::move(task), run, std::move(result));
    if (exited) {
      parts_.tasks.ReturnLease(lease);
      parts_.router.Send(actor->id.owner, wire::ActorDied{actor->id, "it called ExitActor"});
      FailCalls(std::move(refused), "it called ExitActor", false);
    }
  }
  Begin(actor, std::move(next));
  DestroyIfEnded(actor);
}

void ActorPlane::FinishDead(const TaskPtr& task, const std::string& reason, bool restarts, bool runs) {
  if (task->kind() == TaskKind::kActorCall && task->actor().reported.exchange(true, std::memory_order_acq_rel)) return;
  // One that runs keeps its record, with the arguments that it reads, until it is done; nobody hears of that.
  const TaskPtr told = runs ? parts_.tasks.Replace(task) : task;
  RunContext run;
  task::RunResult result;
  result.error = object::MakeError(object::ErrorKind::kActorDied, "the actor is dead: " + reason);
  result.retry = restarts;  // it is made anew: a call that may be sent again finds it
  parts_.tasks.Finish(told, run, std::move(result));
}

void ActorPlane::FailCalls(std::vector<TaskPtr> calls, const std::string& reason, bool restarts) {
  for (const TaskPtr& task : calls) {
    // Those whose arguments are still on their way are answered when they have come; those that run, at once.
    if (task->kind() == TaskKind::kActorCall) {
      const ActorPtr actor = InstanceOf(task->actor().actor_id);
      std::lock_guard lock(actor->mutex);
      task->actor().refused = std::make_unique<std::string>(reason);
    }
    if (task->Claim())
      FinishDead(task, reason, restarts, false);
    else if (task->phase.load(std::memory_order_acquire) == Phase::kRunning)
      FinishDead(task, reason, restarts, true);
  }
}

void ActorPlane::On(Rank from, const wire::ActorKill& message) {
  // From another rank to the owner first; from the owner to the host then.
  if (message.actor.owner == self_ && from != self_)
    KillOwned(message.actor, message.no_restart != 0);
  else
    KillHere(message.actor, message.no_restart == 0);
}

void ActorPlane::KillHere(const ObjectId& id, bool restart) {
  const ActorPtr actor = InstanceOf(id);
  std::vector<TaskPtr> refused;
  wire::Lease lease;
  {
    std::lock_guard lock(actor->mutex);
    if (actor->state == ActorInstance::State::kDead) return;
    // Destructors do not run at a kill: the running method may still use the instance.
    if (actor->instance) new std::shared_ptr<void>(std::move(actor->instance));
    actor->instance.reset();
    if (actor->creation) refused.push_back(std::exchange(actor->creation, TaskPtr()));
    actor->mailbox.MoveTo(refused);
    actor->running_calls.MoveTo(refused);
    actor->running = 0;  // those that run are no longer this actor's
    ++actor->incarnation;
    actor->state = restart ? ActorInstance::State::kCreating : ActorInstance::State::kDead;
    if (!restart) {
      actor->MakeRare().reason = "it was killed";
      lease = actor->TakeLease();
    }
  }
  parts_.tasks.ReturnLease(lease);
  // Their results' holds may run user code: not under the token.
  if (!refused.empty())
    parts_.lanes.Push([this, restart, refused = std::move(refused)]() mutable {
      FailCalls(std::move(refused), "it was killed", restart);
    });
}

void ActorPlane::On(Rank, const wire::ActorEnd& message) {
  const ActorPtr actor = InstanceOf(message.actor);
  bool gone = false;  // killed before: there is nothing of the user's to destroy
  {
    std::lock_guard lock(actor->mutex);
    actor->ended = true;
    gone = actor->state == ActorInstance::State::kDead && !actor->instance;
  }
  if (gone)
    DestroyIfEnded(actor);
  else
    RunOn(actor, [this, actor] { DestroyIfEnded(actor); });
}

void ActorPlane::DestroyIfEnded(const ActorPtr& actor) {
  std::shared_ptr<void> instance;
  wire::Lease lease;
  {
    std::lock_guard lock(actor->mutex);
    if (!actor->ended || actor->running > 0 || actor->creating || actor->creation || !actor->mailbox.empty()) return;
    if (actor->state != ActorInstance::State::kDead) {
      actor->state = ActorInstance::State::kDead;
      actor->MakeRare().reason = "its last handle is gone";
    }
    instance = std::move(actor->instance);
    lease = actor->TakeLease();
  }
  instance.reset();
  parts_.tasks.ReturnLease(lease);
  std::lock_guard lock(mutex_);
  auto it = instances_.find(actor->id);
  if (it != instances_.end() && it->second == actor) instances_.erase(it);
}

void ActorPlane::DestroyAll() {
  std::unordered_map<ObjectId, ActorPtr> all;
  {
    std::lock_guard lock(mutex_);
    all.swap(instances_);
    owned_.clear();
  }
  for (auto& [id, actor] : all) {
    // Declared before the lock: destructors of the user's run after it.
    std::shared_ptr<void> instance;
    std::vector<TaskPtr> mailbox;
    TaskPtr creation;
    std::lock_guard lock(actor->mutex);
    actor->state = ActorInstance::State::kDead;
    actor->MakeRare().reason = "the session has ended";
    instance = std::move(actor->instance);
    actor->mailbox.MoveTo(mailbox);
    creation = std::exchange(actor->creation, TaskPtr());
  }
}

}  // namespace manta::runtime
