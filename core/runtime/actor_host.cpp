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
  {
    std::lock_guard lock(actor->mutex);
    if (task->kind() == TaskKind::kActorCreation) {
      const task::TaskExtra& extra = *task->extra();
      actor->state = ActorInstance::State::kCreating;
      actor->creation = task;
      actor->max_concurrency = extra.max_concurrency;
      actor->incarnation = extra.incarnation;
      actor->lease = extra.lease;
      actor->name = extra.actor_name;
      return;
    }
    if (actor->state != ActorInstance::State::kDead) {
      actor->mailbox.push_back(std::move(task));
      return;
    }
    // Answered when its arguments are here.
    task->actor().refused = std::make_unique<std::string>(actor->reason);
  }
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
    leased = actor->lease.id != 0;
  }
  if (leased)
    parts_.leased.Run(std::move(job));
  else
    parts_.lanes.Push(std::move(job));
}

void ActorPlane::Schedule(const ActorPtr& actor) {
  TaskPtr creation;
  bool call = false;
  std::uint32_t incarnation = 0;
  {
    std::lock_guard lock(actor->mutex);
    if (actor->state == ActorInstance::State::kCreating) {
      if (actor->creation && !actor->creating &&
          actor->creation->phase.load(std::memory_order_acquire) == Phase::kQueued) {
        creation = std::move(actor->creation);
        actor->creation = {};
        actor->creating = true;
      }
    } else if (actor->state == ActorInstance::State::kAlive && !actor->mailbox.empty() &&
               actor->running < actor->max_concurrency &&
               actor->mailbox.front()->phase.load(std::memory_order_acquire) != Phase::kWaiting) {
      ++actor->running;
      call = true;
    }
    incarnation = actor->incarnation;
  }
  if (creation) RunOn(actor, [this, actor, creation] { RunCreation(actor, creation); });
  if (call) RunOn(actor, [this, actor, incarnation] { RunCalls(actor, incarnation); });
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
    if (actor->incarnation != task->extra()->incarnation || actor->state == ActorInstance::State::kDead) {
      // Killed while it was made; a kill runs no destructor.
      if (result.actor) new std::shared_ptr<void>(std::move(result.actor));
      failed = false;
    } else if (result.ok) {
      actor->instance = std::move(result.actor);
      actor->state = ActorInstance::State::kAlive;
    } else {
      actor->state = ActorInstance::State::kDead;
      reason = actor->reason =
          "its constructor failed: " + (result.error ? object::Describe(*result.error) : std::string("cancelled"));
      refused.assign(actor->mailbox.begin(), actor->mailbox.end());
      actor->mailbox.clear();
      lease = std::exchange(actor->lease, {});
    }
  }
  result.actor.reset();
  task->extra()->arguments.clear();  // of ours: the owner keeps what a restart needs
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
  const RunNote note;
  const std::int64_t begin = base::NowNanoseconds();
  for (;;) {
    TaskPtr task;
    std::shared_ptr<void> instance;
    {
      std::lock_guard lock(actor->mutex);
      if (actor->incarnation != incarnation) return;  // killed: the new instance has turns of its own
      const bool next = actor->state == ActorInstance::State::kAlive && !actor->mailbox.empty() &&
                        actor->mailbox.front()->phase.load(std::memory_order_acquire) != Phase::kWaiting &&
                        base::NowNanoseconds() - begin < kTurnNs;
      if (!next) {
        --actor->running;
        break;
      }
      task = std::move(actor->mailbox.front());
      actor->mailbox.pop_front();
      actor->running_calls.push_back(task);
      instance = actor->instance;
    }
    // With more than one call at once the others need not wait for this one.
    Schedule(actor);
    RunContext run;
    run.actor = actor.get();
    task::RunResult result;
    if (!task->Claim()) {
      std::lock_guard lock(actor->mutex);
      std::erase(actor->running_calls, task);
      continue;
    }
    if (task->cancelled.load(std::memory_order_acquire)) {
      result.error = object::MakeError(object::ErrorKind::kCancelled, "the actor call was cancelled");
    } else {
      result = TaskPlane::Execute(*task, run, instance.get(), parts_.objects);
    }
    bool killed = false;
    bool exited = false;
    std::vector<TaskPtr> refused;
    wire::Lease lease;
    {
      std::lock_guard lock(actor->mutex);
      std::erase(actor->running_calls, task);
      killed = actor->incarnation != incarnation || actor->state == ActorInstance::State::kDead;
      if (killed) {
        // The instance of a killed actor is never destroyed: this may have been its last holder.
        new std::shared_ptr<void>(instance);
      } else if (result.actor_exits) {
        exited = true;
        actor->state = ActorInstance::State::kDead;
        actor->reason = "it called ExitActor";
        actor->instance.reset();
        refused.assign(actor->mailbox.begin(), actor->mailbox.end());
        actor->mailbox.clear();
        lease = std::exchange(actor->lease, {});
      }
    }
    instance.reset();  // an exited actor's destructor runs here, before the caller hears of the end
    // Of a killed actor's call the kill has told already.
    if (!task->actor().reported.exchange(true, std::memory_order_acq_rel)) parts_.tasks.Finish(task, run, std::move(result));
    if (exited) {
      parts_.tasks.ReturnLease(lease);
      parts_.router.Send(actor->id.owner, wire::ActorDied{actor->id, "it called ExitActor"});
      FailCalls(std::move(refused), "it called ExitActor", false);
    }
  }
  Schedule(actor);
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
    refused.insert(refused.end(), actor->mailbox.begin(), actor->mailbox.end());
    actor->mailbox.clear();
    refused.insert(refused.end(), actor->running_calls.begin(), actor->running_calls.end());
    actor->running_calls.clear();
    actor->running = 0;  // those that run are no longer this actor's
    ++actor->incarnation;
    actor->state = restart ? ActorInstance::State::kCreating : ActorInstance::State::kDead;
    actor->reason = restart ? "" : "it was killed";
    if (!restart) lease = std::exchange(actor->lease, {});
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
  {
    std::lock_guard lock(actor->mutex);
    actor->ended = true;
  }
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
      actor->reason = "its last handle is gone";
    }
    instance = std::move(actor->instance);
    lease = std::exchange(actor->lease, {});
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
    std::deque<TaskPtr> mailbox;
    TaskPtr creation;
    std::lock_guard lock(actor->mutex);
    actor->state = ActorInstance::State::kDead;
    actor->reason = "the session has ended";
    instance = std::move(actor->instance);
    mailbox.swap(actor->mailbox);
    creation = std::exchange(actor->creation, TaskPtr());
  }
}

}  // namespace manta::runtime
