// Actors at their host: made and called. Their ends: actor_end.cpp.
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

task::RunResult CancelledCall() {
  task::RunResult result;
  result.error = object::MakeError(object::ErrorKind::kCancelled, "the actor call was cancelled");
  return result;
}
}  // namespace

/// The actor that a creation or call is for.
ObjectId ActorOf(const TaskRecord& task) {
  return task.kind() == TaskKind::kActorCall ? task.actor().actor_id : task.result();
}

void ActorPlane::ActorTaskArrived(TaskPtr&& task) {
  TaskRecord& record = *task;
  // It may run at once, if nothing of it is still on its way.
  const bool ready = record.phase.load(std::memory_order_acquire) == Phase::kQueued;
  Next next;
  ActorPtr held;
  {
    ActorInstance& actor = instances_.LockOrMake(ActorOf(record));
    std::lock_guard lock(actor.mutex, std::adopt_lock);
    if (record.kind() == TaskKind::kActorCreation) {
      actor.state = ActorInstance::State::kCreating;
      if (const task::TaskExtra* extra = record.extra()) {
        actor.max_concurrency = extra->max_concurrency;
        actor.incarnation = extra->incarnation;
        if (extra->lease.id != 0) actor.MakeRare().lease = extra->lease;
        if (!extra->actor_name.empty()) actor.MakeRare().name = extra->actor_name;
      }
      actor.creation = std::move(task);
    } else if (actor.state != ActorInstance::State::kDead) {
      actor.mailbox.Push(task.Release());
    } else {
      record.actor().MakeRare().refused = actor.reason();
    }
    if (ready && !task && actor.MayBegin()) FindNext(actor, next);
    if (next) held = ActorPtr(&actor);
  }
  if (!task)
    Begin(std::move(held), next);
  else if (ready)
    ActorTaskRunnable(task);  // refused; else it is answered when its arguments are here
}

void ActorPlane::ActorTaskRunnable(const TaskPtr& task) {
  std::string refused;
  Next next;
  ActorPtr held;
  {
    ActorInstance& actor = instances_.LockOrMake(ActorOf(*task));
    std::lock_guard lock(actor.mutex, std::adopt_lock);
    if (task->kind() == TaskKind::kActorCall && task->actor().rare) refused = task->actor().rare->refused;
    if (refused.empty()) FindNext(actor, next);
    if (next) held = ActorPtr(&actor);
  }
  if (!refused.empty()) {
    if (task->Claim()) FinishDead(task, refused, false, false);
    return;
  }
  Begin(std::move(held), next);
}

/// With the actor's mutex held. Leaves `next` as it is where there is nothing to do.
void ActorPlane::FindNext(ActorInstance& actor, Next& next) {
  if (actor.state == ActorInstance::State::kCreating) {
    if (!actor.creation || actor.creating || actor.creation->phase.load(std::memory_order_acquire) != Phase::kQueued)
      return;
    actor.creating = true;
    next.what = Next::What::kCreation;
  } else {
    if (actor.state != ActorInstance::State::kAlive || actor.mailbox.empty() ||
        actor.running >= actor.max_concurrency ||
        actor.mailbox.first()->phase.load(std::memory_order_acquire) == Phase::kWaiting)
      return;
    ++actor.running;
    next.what = Next::What::kCalls;
  }
  next.incarnation = actor.incarnation;
  if (actor.lease_id() != 0) {
    next.how = Next::How::kLeased;
  } else if (!actor.turn_queued) {
    actor.turn_queued = true;
    next.how = Next::How::kTurn;
    actor.turn = next.what == Next::What::kCreation ? ActorInstance::Turn::kCreation : ActorInstance::Turn::kCalls;
    actor.turn_incarnation = actor.incarnation;
    actor.plane = this;
  }
}

void ActorPlane::Begin(ActorPtr actor, const Next& next) {
  if (!next) return;
  if (next.how == Next::How::kTurn) return PushTurn(std::move(actor));
  wire::Lease lease;
  if (next.how == Next::How::kLeased) {
    std::lock_guard lock(actor->mutex);
    lease = actor->lease();
  }
  auto job = [this, actor = std::move(actor), next] {
    if (next.what == Next::What::kCreation)
      RunCreation(actor, false);
    else
      RunCalls(actor, next.incarnation, false);
  };
  if (next.how == Next::How::kLeased)
    parts_.leased.Run(lease, std::move(job));
  else
    parts_.lanes.Push(std::function<void()>(std::move(job)));
}

void ActorPlane::PushTurn(ActorPtr actor) {
  actor->run = [](LaneJob* job) {
    const ActorPtr held = ActorPtr::Adopt(static_cast<ActorInstance*>(job));
    held->plane->RunTurn(held);
  };
  parts_.lanes.Push(actor.Release());
}

/// What the turn is was fixed when it was queued, and handed over with it.
void ActorPlane::RunTurn(const ActorPtr& actor) {
  switch (actor->turn) {
    case ActorInstance::Turn::kCreation:
      return RunCreation(actor, true);
    case ActorInstance::Turn::kCalls:
      return RunCalls(actor, actor->turn_incarnation, true);
    case ActorInstance::Turn::kEnd: {
      std::lock_guard lock(actor->mutex);
      actor->turn_queued = false;
    }
  }
  Schedule(actor);  // what came while it was queued
  DestroyIfEnded(actor);
}

void ActorPlane::Schedule(const ActorPtr& actor) {
  Next next;
  {
    std::lock_guard lock(actor->mutex);
    FindNext(*actor, next);
  }
  if (next) Begin(actor, next);
}

void ActorPlane::RunCreation(const ActorPtr& actor, bool of_turn) {
  const RunNote note;
  TaskPtr task;
  {
    std::lock_guard lock(actor->mutex);
    if (of_turn) actor->turn_queued = false;
    task = std::exchange(actor->creation, TaskPtr());
    if (!task) actor->creating = false;  // killed before it began
  }
  RunContext run;
  run.actor = actor.get();
  task::RunResult result;
  if (task && task->Claim()) result = TaskPlane::Execute(*task, run, nullptr, parts_.objects);
  bool failed = task && !result.ok;
  std::string reason;
  wire::Lease lease;
  std::vector<TaskPtr> refused;
  Next next;
  bool ended = false;
  if (task) {
    std::lock_guard lock(actor->mutex);
    actor->creating = false;
    if (actor->incarnation != IncarnationOf(*task) || actor->state == ActorInstance::State::kDead) {
      if (result.actor) ActorInstance::Abandon(std::move(result.actor));  // killed while it was made
      failed = false;
    } else if (result.ok) {
      actor->instance = std::move(result.actor);
      actor->state = ActorInstance::State::kAlive;
    } else {
      actor->state = ActorInstance::State::kDead;
      reason = actor->MakeRare().reason =
          "its constructor failed: " + (result.error ? object::Describe(*result.error) : std::string("cancelled"));
      actor->MoveMailboxTo(refused);
      lease = actor->TakeLease();
    }
  }
  if (task) {
    result.actor.reset();
    task->DropArguments();  // of ours: the owner keeps what a restart needs
    if (failed) {
      parts_.tasks.ReturnLease(lease);
      if (!result.error)
        result.error = object::MakeError(object::ErrorKind::kCancelled, "the actor's creation was cancelled");
    }
    parts_.tasks.Finish(task, run, std::move(result));
    FailCalls(*actor, std::move(refused), reason, false);
  }
  {
    std::lock_guard lock(actor->mutex);
    FindNext(*actor, next);
    ended = actor->ended;
  }
  if (next) Begin(actor, next);
  if (ended) DestroyIfEnded(actor);
}

/// Runs calls for as long as there are some, or for one turn.
void ActorPlane::RunCalls(const ActorPtr& actor, std::uint32_t incarnation, bool of_turn) {
  std::int64_t begin = 0;
  Next next;
  bool ended = false;
  // While a call runs nobody destroys the instance, but for another one that runs beside it and exits: a kill leaves it
  // as it is, and the session's end leaves it to the record.
  void* self = nullptr;
  std::shared_ptr<void> kept;
  bool several = false;
  // With the actor's mutex held. The first call that may run now; or none, then these calls are over.
  const auto take = [&](bool turn_is_over) -> TaskPtr {
    if (actor->incarnation != incarnation) return {};  // killed: the new instance has turns of its own
    if (actor->state != ActorInstance::State::kAlive || actor->mailbox.empty() || turn_is_over ||
        actor->mailbox.first()->phase.load(std::memory_order_acquire) == Phase::kWaiting)
      return {};
    TaskRecord* const call = actor->mailbox.Pop();
    actor->running_calls.Push(call);
    return TaskPtr::Adopt(call);
  };
  const auto take_or_leave = [&](bool turn_is_over) {
    TaskPtr call = take(turn_is_over);
    if (call) return call;
    ended = actor->ended;
    if (actor->incarnation == incarnation) {
      --actor->running;
      FindNext(*actor, next);
    }
    return call;
  };
  TaskPtr task;
  {
    std::lock_guard lock(actor->mutex);
    if (of_turn) actor->turn_queued = false;  // it may be queued again from here on
    task = take_or_leave(false);
    self = actor->instance.get();
    several = actor->max_concurrency > 1;
    if (several) kept = actor->instance;
  }
  for (std::uint32_t calls = 1; task; ++calls) {
    // With more than one call at once the others need not wait for this one.
    if (several) Schedule(actor);
    if (calls == 2) begin = base::NowNanoseconds();  // one call needs no clock
    const RunNote note;
    RunContext run;
    run.actor = actor.get();
    const bool claimed = task->Claim();
    task::RunResult result = !claimed ? task::RunResult()
                             : task->cancelled.load(std::memory_order_acquire)
                                 ? CancelledCall()
                                 : TaskPlane::Execute(*task, run, self, parts_.objects);
    const bool turn_is_over = calls % kCallsBetweenClocks == 0 && base::NowNanoseconds() - begin >= kTurnNs;
    if (result.actor_exits) {
      kept.reset();
      EndByExit(*actor, incarnation);
    }
    TaskPtr follower;
    bool mine = false;  // not of a kill that came meanwhile, which then tells of its end
    {
      std::lock_guard lock(actor->mutex);
      mine = actor->running_calls.Remove(*task);
      // Nobody else can run the next one before this one has ended in every respect.
      if (!several) follower = take(turn_is_over);
    }
    if (claimed && mine) parts_.tasks.Finish(task, run, std::move(result));
    if (!follower) {
      // After the answer: where that woke the caller on this core, the next call may be here by now.
      std::lock_guard lock(actor->mutex);
      follower = take_or_leave(turn_is_over);
    }
    task = std::move(follower);
  }
  if (next) Begin(actor, next);
  if (ended) DestroyIfEnded(actor);
}

}  // namespace manta::runtime
