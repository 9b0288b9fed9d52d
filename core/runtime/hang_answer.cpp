// What a rank answers to rank 0's questions about a hang (hang_watch.hpp). Under the token; runs no user code.
#include <algorithm>
#include <unordered_set>

#include "core/runtime/rank_runtime.hpp"
#include "core/runtime/wait_note.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;
using wire::HangState;

namespace {

constexpr std::size_t kMaxWaits = 32;
constexpr std::size_t kMaxBehind = 8;  // of what one task waits for

HangState StateOf(Phase phase) {
  switch (phase) {
    case Phase::kWaiting: return HangState::kArguments;
    case Phase::kQueued: return HangState::kQueued;
    case Phase::kOut: return HangState::kSent;
    case Phase::kPlaceless: return HangState::kResources;
    default: return HangState::kRunning;
  }
}

void NoteArguments(const TaskRecord& record, wire::HangTask& told) {
  auto note = [&](const Handle& ref) {
    if (ref && !object::StateOf(ref)->done() && told.behind.size() < kMaxBehind)
      told.behind.push_back(object::StateOf(ref)->id);
  };
  for (const auto& argument : record.arguments()) note(argument.object);
  if (record.kind() == TaskKind::kActorCall) note(record.actor().actor);
}

}  // namespace

std::vector<wire::HangTask> TaskPlane::TellOf(const std::vector<ObjectId>& objects) {
  std::vector<wire::HangTask> all;
  std::unordered_set<ObjectId> leases;
  {
    std::lock_guard lock(lease_mutex_);
    for (const auto& [request, task] : lease_waiting_) leases.insert(task->result());
  }
  for (const ObjectId& id : objects) {
    wire::HangTask told;
    told.id = id;
    TaskPtr task;
    if (id.owner == options_.self) {
      told.state = HangState::kReady;
      const Handle held = parts_.objects.FindOwned(id);
      if (held) {
        ObjectState& object = *object::StateOf(held);
        std::lock_guard lock(object.Lock());
        task = TaskPtr(static_cast<TaskRecord*>(object.producer()));
        if (!object.done()) told.state = task ? StateOf(task->phase.load(std::memory_order_acquire)) : HangState::kNoTask;
        // Under the lock, since the end of the task takes it before it clears them.
        if (task && !object.done() && told.state == HangState::kArguments) NoteArguments(*task, told);
      }
      if (task && told.state == HangState::kSent) told.where = Rank(static_cast<std::int32_t>(task->where.load(std::memory_order_relaxed)));
    } else {
      task = foreign_.Find(id);
      if (!task) continue;
      told.state = StateOf(task->phase.load(std::memory_order_acquire));
    }
    if (task) {
      told.kind = task->kind();
      told.name = NameOf(*task);
      if (told.kind != TaskKind::kTask) told.actor = told.kind == TaskKind::kActorCall ? task->actor().actor_id : id;
      if (const task::TaskExtra* extra = task->extra()) {
        told.actor_name = extra->actor_name;
        told.shape = extra->shape;
      }
      if (leases.contains(id)) told.state = HangState::kResources;
      if (task->one_cpu) told.shape.cpus = Amount::Whole(1).units();
    }
    all.push_back(std::move(told));
  }
  return all;
}

void ActorPlane::TellOf(std::vector<wire::HangTask>& tasks) {
  for (wire::HangTask& told : tasks) {
    if (told.kind != TaskKind::kActorCall) continue;
    ActorInstance* const actor = instances_.LockIfThere(told.actor);
    if (actor == nullptr) continue;
    std::lock_guard lock(actor->mutex, std::adopt_lock);
    told.actor_name = actor->name();
    if (told.state != HangState::kQueued) continue;
    told.state = actor->state == ActorInstance::State::kCreating ? HangState::kNotMade : HangState::kMailbox;
    const auto each = [](const task::RecordList& calls, auto visit) {
      for (TaskRecord* call = calls.first(); call != nullptr; call = call->queue_next)
        if (!visit(*call)) return;
    };
    each(actor->running_calls, [&](TaskRecord&) { return ++told.running != 0; });
    each(actor->mailbox, [&](TaskRecord& call) { return call.result() != told.id && ++told.ahead != 0; });
    if (told.state == HangState::kNotMade) {
      told.behind.push_back(told.actor);
      continue;
    }
    each(actor->running_calls, [&](TaskRecord& call) {
      told.behind.push_back(call.result());
      return told.behind.size() < kMaxBehind;
    });
    // With none that runs, the first of the queue holds the others back while it waits for its arguments.
    if (actor->running_calls.empty() && told.ahead != 0) told.behind.push_back(actor->mailbox.first()->result());
  }
}

void ActorPlane::TellHolders(std::vector<wire::HangHolder>& holders) {
  instances_.ForEach([&](const ActorInstance& actor) {
    if (actor.lease_id() == 0 || holders.size() >= kMaxWaits) return;
    std::ostringstream who;
    if (actor.name().empty())
      who << "actor " << actor.id;
    else
      who << "actor '" << actor.name() << "'";
    who << " on rank " << self_;
    holders.push_back({who.str(), actor.lease_id()});
  });
}

std::uint64_t RankRuntime::ProgressSoFar() const {
  // Whatever is counted is something done.
  std::uint64_t sum = tasks_->finished();
  for (const Counter* counter :
       {&counters_.tasks_submitted, &counters_.tasks_executed, &counters_.tasks_failed, &counters_.tasks_cancelled,
        &counters_.tasks_retried, &counters_.actor_tasks_executed, &counters_.actors_created, &counters_.puts,
        &counters_.bytes_copied_get, &counters_.bytes_fetched_messages, &counters_.bytes_fetched_rma})
    sum += counter->Sum();
  return sum;
}

void RankRuntime::On(Rank from, const wire::HangQuery& query) {
  wire::HangReply reply;
  reply.round = query.round;
  reply.progress = ProgressSoFar();
  const NoteCounts counts = CountNotes();
  reply.computing = static_cast<std::uint32_t>(counts.computing);
  reply.endless = static_cast<std::uint32_t>(counts.in_runs + counts.outside);
  reply.timed = static_cast<std::uint32_t>(counts.timed);
  reply.driver_waits = info_.self == Rank(0) && counts.outside > 0;
  if (query.waits != 0) {
    reply.waits = ReadWaitNotes(kMaxWaits, &reply.more_waits);
    actors_->TellHolders(reply.holders);
    for (const wire::HangWait& wait : reply.waits)
      if (wait.lease != 0)
        reply.holders.push_back({"task '" + wait.name + "' on rank " + std::to_string(info_.self.value), wait.lease});
  }
  if (!query.objects.empty()) {
    reply.tasks = tasks_->TellOf(query.objects);
    actors_->TellOf(reply.tasks);
  }
  router_->Send(from, reply);
}

}  // namespace manta::runtime
