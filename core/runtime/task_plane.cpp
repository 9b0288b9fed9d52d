// Submitting and placing tasks, and their ends at the owner. Running: task_run.cpp; between ranks: task_exchange.cpp.
#include "core/runtime/task_plane.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

#include "core/base/check.hpp"
#include "core/base/log.hpp"
#include "core/task/code_address.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

/// One argument that is not ready; the last one to be ready goes on with the task. Lives in the array that it deletes.
class TaskPlane::ArgumentWait final : public object::ObjectWaiter {
 public:
  struct Group {
    TaskPlane* plane;
    TaskPtr task;
    std::vector<ArgumentWait> waits;
  };
  void ObjectDone(ObjectState&) override { CountDown(group_); }
  static void CountDown(Group* group) {
    if (group->task->pending.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    TaskPtr task = std::move(group->task);
    TaskPlane* plane = group->plane;
    delete group;
    GoOn(*plane, std::move(task));
  }
  /// Goes on with a task, one after another on this thread: the failure of one may make the next ready, and a chain of
  /// those must not grow the stack.
  static void GoOn(TaskPlane& plane, TaskPtr task) {
    thread_local auto* ready = new std::deque<std::pair<TaskPlane*, TaskPtr>>();  // never destroyed, see Router::Send
    thread_local bool draining = false;
    ready->emplace_back(&plane, std::move(task));
    if (draining) return;
    draining = true;
    while (!ready->empty()) {
      auto [next_plane, next] = std::move(ready->front());
      ready->pop_front();
      next_plane->ArgumentsReady(next);
    }
    draining = false;
  }
  Group* group_ = nullptr;
};

TaskPlane::TaskPlane(Options options, Parts parts) : options_(std::move(options)), parts_(parts) {
  for (const scheduling::NodeSpec& node : options_.nodes)
    if (auto mine = node.slots.find(options_.self); mine != node.slots.end()) own_slots_.store(mine->second.units());
}

std::string TaskPlane::NameOf(const TaskRecord& task) {
  if (!task.name.empty()) return task.name;
  std::string name =
      task::FunctionName(task.function != nullptr ? task.function : reinterpret_cast<const void*>(task.thunk));
  return name.empty() ? "(unnamed)" : name;
}

void TaskPlane::SetShape(TaskRecord& record, const detail::TaskOptions& options, double default_cpus) const {
  const double cpus = options.cpus.value_or(default_cpus);
  record.cpus = Amount::FromDouble(cpus);
  record.shape.cpus = record.cpus.units();
  record.shape.gpus = Amount::FromDouble(options.gpus).units();
  record.shape.memory_bytes = options.memory_bytes;
  for (const auto& [name, amount] : options.custom)
    if (amount > 0) record.shape.custom.emplace_back(name, Amount::FromDouble(amount).units());
  const bool cpu_only = record.shape.gpus == 0 && record.shape.memory_bytes == 0 && record.shape.custom.empty();
  record.one_cpu = cpu_only && record.cpus == Amount::Whole(1) && !options_.central;
  record.zero_cpu = cpu_only && record.cpus.IsZero();
}

std::optional<std::string> TaskPlane::WhyInfeasible(const wire::Shape& shape, std::optional<Rank> rank) const {
  return scheduling::WhyInfeasible(options_.nodes, shape, rank);
}

TaskPtr TaskPlane::MakeRecord(const detail::TaskOptions& options, detail::CallSpec&& call, TaskKind kind) {
  if (options.rank && (*options.rank < 0 || *options.rank >= options_.ranks))
    throw UsageError("SetRank(" + std::to_string(*options.rank) + "): the job has ranks 0 to " +
                     std::to_string(options_.ranks - 1));
  TaskPtr record(new TaskRecord());
  record->kind = kind;
  // A call costs nothing beyond what its actor holds; an actor holds a CPU if it holds anything.
  const bool other = options.gpus > 0 || options.memory_bytes > 0 || !options.custom.empty();
  const double default_cpus = kind == TaskKind::kTask ? 1 : kind == TaskKind::kActorCreation && other ? 1 : 0;
  SetShape(*record, options, default_cpus);
  if (options.rank) record->pinned = Rank(*options.rank);
  if (!record->one_cpu && !record->zero_cpu) {
    std::optional<Rank> rank;
    if (options.rank) rank = Rank(*options.rank);
    if (const auto why = WhyInfeasible(record->shape, rank)) throw InfeasibleError(*why);
  }
  if (options_.ranks > 1) {  // refuses what other ranks could not find, here and not on the way
    task::EncodeCode(reinterpret_cast<const void*>(call.thunk));
    if (call.function != nullptr) task::EncodeCode(call.function);
  }
  record->thunk = call.thunk;
  record->function = call.function;
  record->bytes = std::move(call.bytes);
  record->arguments = std::move(call.arguments);
  record->carried = std::move(call.carried);
  record->name = options.name;
  record->retries_left = std::max(0, options.max_retries);
  record->retry_matcher = options.retry_matcher;
  task::Submitter& submitter = CurrentSubmitter();
  record->submitter = submitter.id;
  record->seed = base::MixHash(submitter.seed, ++submitter.submitted, 0x5eed);
  if (RunContext* run = RunContext::Current()) record->parent = run->task->run_id;
  record->result_hold = parts_.objects.MakePending();
  ObjectState& result = *object::StateOf(record->result_hold);
  record->result = result.id;
  return record;
}

Handle TaskPlane::Submit(TaskPtr task) {
  TaskRecord& record = *task;
  Handle result = record.result_hold;
  {
    ObjectState& object = *object::StateOf(result);
    std::lock_guard lock(object.Lock());
    object.producer = new TaskPtr(task);
  }
  submitted_.fetch_add(1, std::memory_order_relaxed);
  Counters::Add(parts_.counters.tasks_submitted);
  if (record.kind == TaskKind::kActorCall) Counters::Add(parts_.counters.actor_calls);

  // Borrowed refs need their value's whereabouts; pending ones are waited for.
  std::vector<ObjectState*> awaited;
  auto await = [&](const Handle& ref) {
    ObjectState& object = *object::StateOf(ref);
    if (object.done()) return;
    if (!object.owned) parts_.objects.RequestValue(object);
    awaited.push_back(&object);
  };
  for (const auto& argument : record.arguments) await(argument.object);
  if (record.kind == TaskKind::kActorCall) await(record.actor);  // its value is where the actor lives
  if (awaited.empty()) {
    ArgumentsReady(task);
    return result;
  }
  auto* group = new ArgumentWait::Group{this, task, std::vector<ArgumentWait>(awaited.size())};
  // One more than there are waits, so that the group lives until this loop is over.
  record.pending.store(static_cast<std::int32_t>(awaited.size()) + 1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < awaited.size(); ++i) {
    group->waits[i].group_ = group;
    if (!awaited[i]->AddWaiter(group->waits[i])) ArgumentWait::CountDown(group);
  }
  ArgumentWait::CountDown(group);
  return result;
}

object::ErrorPtr TaskPlane::ArgumentError(const TaskRecord& record) const {
  if (record.cancelled.load(std::memory_order_acquire))
    return object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(record) + "' was cancelled");
  auto error_of = [](const Handle& ref) -> object::ErrorPtr {
    ObjectState& object = *object::StateOf(ref);
    if (object.status.load(std::memory_order_acquire) != Status::kFailed) return nullptr;
    std::lock_guard lock(object.Lock());
    object.error_was_read = true;
    return object.error;
  };
  for (const auto& argument : record.arguments)
    if (auto error = error_of(argument.object)) return error;
  return record.kind == TaskKind::kActorCall ? error_of(record.actor) : nullptr;
}

void TaskPlane::ArgumentsReady(const TaskPtr& task) {
  object::ErrorPtr error = ArgumentError(*task);
  if (task->kind != TaskKind::kTask)
    actors_->OwnedActorTaskReady(task, std::move(error));
  else if (error != nullptr)
    FailTask(task, std::move(error));
  else
    Place(task);
}

void TaskPlane::Place(TaskPtr task) {
  if (!task->zero_cpu && !task->one_cpu)
    AskForLease(task);
  else if (task->pinned.valid() && task->pinned != options_.self)
    SendTo(std::move(task), task->pinned);
  else
    Deliver(task);
}

void TaskPlane::Enqueue(TaskPtr task) {
  task->phase.store(Phase::kQueued, std::memory_order_release);
  const bool stealable = !task->pinned.valid();
  const RunContext* run = task->Owned(options_.self) ? RunContext::Current() : nullptr;
  if (run != nullptr && run->executor >= 0 && run->task->run_id == task->parent) {
    parts_.queue.PushChild(static_cast<std::size_t>(run->executor), std::move(task));
  } else {
    if (parts_.executors.HandOver(task)) return;
    parts_.queue.Push(std::move(task));
  }
  // Where none of ours is free for it, another rank's may be.
  if (!parts_.executors.WakeOne() && stealable && options_.ranks > 1 &&
      !said_backlog_.load(std::memory_order_relaxed) && !said_backlog_.exchange(true, std::memory_order_acq_rel))
    parts_.router.Send(Rank(0), wire::Backlog{1});
}

// ---- the end of a task, at its owner ----
void TaskPlane::FailTask(const TaskPtr& task, object::ErrorPtr error) {
  const wire::Outcome outcome =
      error->kind == object::ErrorKind::kCancelled ? wire::Outcome::kCancelled : wire::Outcome::kFailed;
  Complete(task, outcome, nullptr, options_.self, std::move(error), nullptr);
}

void TaskPlane::Complete(const TaskPtr& task, wire::Outcome outcome, const wire::ValueDescriptor* value, Rank from,
                         object::ErrorPtr error, task::RunResult* local) {
  TaskRecord& record = *task;
  if (outcome == wire::Outcome::kRetry && record.kind == TaskKind::kActorCall) {
    if (actors_->RetryActorCall(task)) return;
    outcome = wire::Outcome::kFailed;
  } else if (outcome == wire::Outcome::kRetry) {
    if (record.retries_left > 0 && !record.cancelled.load(std::memory_order_acquire)) {
      --record.retries_left;
      ++record.attempt;
      Counters::Add(parts_.counters.tasks_retried);
      record.phase.store(Phase::kWaiting, std::memory_order_release);
      Place(task);
      return;
    }
    outcome = wire::Outcome::kFailed;
  }
  if (record.cancelled.load(std::memory_order_acquire) && outcome != wire::Outcome::kCancelled) {
    // Whatever it did, it was cancelled first.
    if (value != nullptr) parts_.objects.DropValue(*value, from);
    outcome = wire::Outcome::kCancelled;
    error = object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(record) + "' was cancelled");
  }
  record.phase.store(Phase::kDone, std::memory_order_release);
  if (!record.result_hold) return;  // an actor made anew: its object is long ready
  ObjectState& object = *object::StateOf(record.result_hold);
  TaskPtr* producer = nullptr;
  {
    std::lock_guard lock(object.Lock());
    producer = static_cast<TaskPtr*>(std::exchange(object.producer, nullptr));
  }
  if (producer == nullptr) return;  // it had ended before: a late message
  delete producer;
  switch (outcome) {
    case wire::Outcome::kOk:
      if (local != nullptr) {
        if (local->live != nullptr)
          parts_.objects.CompleteLive(object, *local->ops, std::move(local->live));
        else if (local->ops != nullptr)
          parts_.objects.CompletePlain(object, *local->ops, local->plain, local->plain_size);
        else
          object.Complete(Status::kReady, [] {});
      } else if (value->format == 0) {
        object.Complete(Status::kReady, [] {});
      } else {
        parts_.objects.CompleteDescriptor(object, *value, from);
      }
      break;
    case wire::Outcome::kCancelled:
      Counters::Add(parts_.counters.tasks_cancelled);
      if (record.kind == TaskKind::kActorCreation) actors_->CreationDone(task, error);
      parts_.objects.Fail(object, std::move(error));
      break;
    default:
      Counters::Add(parts_.counters.tasks_failed);
      if (record.kind == TaskKind::kActorCreation) actors_->CreationDone(task, error);
      parts_.objects.Fail(object, std::move(error));
  }
  if (outcome == wire::Outcome::kOk && record.kind == TaskKind::kActorCreation) actors_->CreationDone(task, nullptr);
  finished_.fetch_add(1, std::memory_order_release);
  // The arguments are no longer needed; OnLastHold sees to it that no user code runs under the token.
  record.arguments.clear();
  record.carried.clear();
  record.actor.Reset();
  record.result_hold.Reset();
}

TaskPtr TaskPlane::Replace(const TaskPtr& task) {
  const TaskRecord& old = *task;
  TaskPtr again(new TaskRecord());
  TaskRecord& record = *again;
  record.kind = old.kind;
  record.result = old.result;
  record.result_hold = old.result_hold;
  record.thunk = old.thunk;
  record.function = old.function;
  record.bytes.Reset(old.bytes.size());
  std::memcpy(record.bytes.data(), old.bytes.data(), old.bytes.size());
  record.arguments = old.arguments;
  record.carried = old.carried;
  record.name = old.name;
  record.cpus = old.cpus;
  record.shape = old.shape;
  record.one_cpu = old.one_cpu;
  record.zero_cpu = old.zero_cpu;
  record.pinned = old.pinned;
  record.retry_matcher = old.retry_matcher;
  record.seed = old.seed;
  record.submitter = old.submitter;
  record.parent = old.parent;
  record.actor = old.actor;
  record.actor_id = old.actor_id;
  record.retries_left = old.retries_left;
  record.attempt = old.attempt;
  if (!record.result_hold) return again;  // another rank's: only its outcome matters
  ObjectState& object = *object::StateOf(record.result_hold);
  std::lock_guard lock(object.Lock());
  if (object.producer != nullptr) *static_cast<TaskPtr*>(object.producer) = again;
  return again;
}

// ---- cancelling ----
TaskPtr TaskPlane::ProducerOf(ObjectState& object) {
  std::lock_guard lock(object.Lock());
  return object.producer == nullptr ? TaskPtr() : *static_cast<TaskPtr*>(object.producer);
}

void TaskPlane::Cancel(const Handle& result) {
  ObjectState& object = *object::StateOf(result);
  if (!object.owned) {
    if (!object.done()) {
      parts_.objects.Fail(object, object::MakeError(object::ErrorKind::kCancelled, "the task was cancelled"));
      parts_.router.Send(object.id.owner, wire::TaskCancel{object.id});
    }
    return;
  }
  if (const TaskPtr task = ProducerOf(object)) CancelOwned(task);
}

void TaskPlane::CancelOwned(const TaskPtr& task) {
  TaskRecord& record = *task;
  if (record.cancelled.exchange(true, std::memory_order_acq_rel)) return;
  const object::ErrorPtr error =
      object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(record) + "' was cancelled");
  Phase expected = Phase::kQueued;
  if (record.phase.compare_exchange_strong(expected, Phase::kDone, std::memory_order_acq_rel)) {
    FailTask(task, error);
    return;
  }
  if (expected == Phase::kWaiting && ForgetLeaseRequest(task)) {
    FailTask(task, error);
    return;
  }
  record.WakeFromWait();
  // It runs, waits, or is elsewhere: who waits for it hears at once, its own end comes later.
  const Handle hold = record.result_hold;
  if (hold) parts_.objects.Fail(*object::StateOf(hold), error);
  if (expected == Phase::kOut) parts_.router.Send(record.out_rank, wire::TaskCancel{record.result});
  if (expected == Phase::kRunning) CancelChildren(record.run_id);
}

void TaskPlane::CancelChildren(std::uint64_t run_id) {
  if (run_id == 0) return;
  // Rare, so no list is kept on the path of each task: the records of this rank are looked through.
  parts_.objects.ForEachPending([&](ObjectState& object) {
    if (const TaskPtr child = ProducerOf(object); child && child->parent == run_id) CancelOwned(child);
  });
}

std::uint64_t TaskPlane::DropQueued() {
  // Counted before any is cancelled: what waits for a cancelled one fails with it.
  std::vector<TaskPtr> tasks;
  parts_.objects.ForEachPending([&](ObjectState& object) {
    if (TaskPtr task = ProducerOf(object)) tasks.push_back(std::move(task));
  });
  std::uint64_t dropped = 0;
  for (const TaskPtr& task : tasks) {
    const Phase phase = task->phase.load(std::memory_order_acquire);
    if (phase == Phase::kWaiting || phase == Phase::kQueued) ++dropped;
  }
  for (const TaskPtr& task : tasks) CancelOwned(task);
  return dropped;
}

void TaskPlane::Housekeeping() {
  if (parts_.queue.empty()) TakeBacklogBack();
}

void TaskPlane::TakeBacklogBack() {
  if (!said_backlog_.load(std::memory_order_relaxed) || !said_backlog_.exchange(false, std::memory_order_seq_cst))
    return;
  parts_.router.Send(Rank(0), wire::Backlog{0});
  // What was pushed since the look found the flag still set and said nothing.
  if (!parts_.queue.empty() && !said_backlog_.exchange(true, std::memory_order_seq_cst))
    parts_.router.Send(Rank(0), wire::Backlog{1});
}

}  // namespace manta::runtime
