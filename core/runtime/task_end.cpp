// The end of a task, at its owner: its outcome, another try, or its error.
#include <utility>

#include "core/runtime/task_plane.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

void TaskPlane::FailTask(const TaskPtr& task, object::ErrorPtr error) {
  const wire::Outcome outcome =
      error->kind == object::ErrorKind::kCancelled ? wire::Outcome::kCancelled : wire::Outcome::kFailed;
  Complete(task, outcome, nullptr, options_.self, std::move(error), nullptr);
}

void TaskPlane::CountDone(TaskRecord& record) {
  finished_.Add();
  if (!back_pressure_.on()) return;
  if (record.TakeCountsUnstarted()) back_pressure_.SubtractUnstarted(record.memory_bytes());
  if (record.TakeCountsUnended()) back_pressure_.SubtractUnended(record.memory_bytes());
}

void TaskPlane::Complete(const TaskPtr& task, wire::Outcome outcome, const wire::ValueDescriptor* value, Rank from,
                         object::ErrorPtr error, task::RunResult* local) {
  TaskRecord& record = *task;
  if (outcome == wire::Outcome::kRetry && record.kind() == TaskKind::kActorCall) {
    if (actors_->RetryActorCall(task)) return;
    outcome = wire::Outcome::kFailed;
  } else if (outcome == wire::Outcome::kRetry) {
    if (record.retries_left > 0 && !record.cancelled.load(std::memory_order_acquire)) {
      --record.retries_left;
      ++record.attempt;
      Counters::Add(parts_.counters.tasks_retried);
      if (HasPlace(record)) {
        // A queue may still hold this one, if it was claimed past its place.
        record.phase.store(Phase::kDone, std::memory_order_release);
        TaskPtr again = Replace(task);
        if (record.cancelled.load(std::memory_order_acquire)) again->cancelled.store(true, std::memory_order_release);
        Place(std::move(again));
        return;
      }
      record.phase.store(Phase::kWaiting, std::memory_order_release);
      Place(task);
      return;
    }
    outcome = wire::Outcome::kFailed;
  }
  if (record.cancelled.load(std::memory_order_acquire) && outcome != wire::Outcome::kCancelled) {
    // Whatever it did, it was cancelled first.
    if (value != nullptr) parts_.objects.DropValue(record.result(), *value, from);
    outcome = wire::Outcome::kCancelled;
    error = object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(record) + "' was cancelled");
  }
  record.phase.store(Phase::kDone, std::memory_order_release);
  ObjectState* const result = record.result_object();
  if (result == nullptr) return;  // an actor made anew: its object is long ready
  ObjectState& object = *result;
  TaskPtr producer;
  {
    std::lock_guard lock(object.Lock());
    producer = TaskPtr::Adopt(static_cast<TaskRecord*>(object.TakeProducer()));
  }
  if (!producer) return;  // it had ended before: a late message
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
      if (record.kind() == TaskKind::kActorCreation) actors_->CreationDone(task, error);
      parts_.objects.Fail(object, std::move(error));
      break;
    default:
      Counters::Add(parts_.counters.tasks_failed);
      if (record.kind() == TaskKind::kActorCreation) actors_->CreationDone(task, error);
      parts_.objects.Fail(object, std::move(error));
  }
  if (outcome == wire::Outcome::kOk && record.kind() == TaskKind::kActorCreation) actors_->CreationDone(task, nullptr);
  CountDone(record);
  LetGoOfCall(record);
  record.ResetResult();
}

void TaskPlane::LetGoOfParts(TaskRecord& record) {
  // OnLastHold sees to it that no user code runs under the token.
  record.DropArguments();
  if (task::TaskExtra* extra = record.extra()) extra->carried.clear();
  if (record.kind() == TaskKind::kActorCall) record.actor().actor.Reset();
}

TaskPtr TaskPlane::Replace(const TaskPtr& task) {
  TaskPtr again = CopyOf(*task, true);
  ObjectState* const result = again->result_object();
  if (result == nullptr) return again;  // another rank's: only its outcome matters
  TaskPtr old;
  std::lock_guard lock(result->Lock());
  if (void* const producer = result->producer()) {
    old = TaskPtr::Adopt(static_cast<TaskRecord*>(producer));
    result->SetProducer(TaskPtr(again).Release());
  }
  return again;
}

TaskPtr TaskPlane::ProducerOf(ObjectState& object) {
  std::lock_guard lock(object.Lock());
  return TaskPtr(static_cast<TaskRecord*>(object.producer()));
}

}  // namespace manta::runtime
