// Cancelling tasks: at their owner, at the rank that has them, and with the children that they submitted.
#include "core/runtime/task_plane.hpp"
#include "core/runtime/task_waits.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

void TaskPlane::Cancel(const Handle& result) {
  ObjectState& object = *object::StateOf(result);
  if (!object.owned()) {
    if (!object.done()) {
      parts_.objects.Fail(object, object::MakeError(object::ErrorKind::kCancelled, "the task was cancelled"));
      parts_.router.Send(object.id.owner, wire::TaskCancel{object.id});
    }
    return;
  }
  if (const TaskPtr task = ProducerOf(object)) CancelOwned(task, result);
}

void TaskPlane::CancelOwned(const TaskPtr& task, const Handle& result) {
  TaskRecord& record = *task;
  if (record.cancelled.exchange(true, std::memory_order_acq_rel)) return;
  const object::ErrorPtr error =
      object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(record) + "' was cancelled");
  Phase expected = Phase::kQueued;
  if (record.phase.compare_exchange_strong(expected, Phase::kDone, std::memory_order_acq_rel)) {
    PlaceEnded(record);
    FailTask(task, error);
    return;
  }
  if (expected == Phase::kPlaceless &&
      record.phase.compare_exchange_strong(expected, Phase::kDone, std::memory_order_acq_rel)) {
    FailTask(task, error);  // the place that it asked for goes to the next
    return;
  }
  if (expected == Phase::kWaiting && ForgetLeaseRequest(task)) {
    FailTask(task, error);
    return;
  }
  const std::uint32_t where = record.where.load(std::memory_order_relaxed);
  TaskWait::Wake(record);
  // It runs, waits, or is elsewhere: who waits for it hears at once, its own end comes later.
  const ObjectId id = object::StateOf(result)->id;
  parts_.objects.Fail(*object::StateOf(result), error);
  if (expected == Phase::kOut) parts_.router.Send(Rank(static_cast<std::int32_t>(where)), wire::TaskCancel{id});
  if (expected == Phase::kRunning) CancelChildren(where);
}

void TaskPlane::CancelChildren(std::uint32_t run_id) {
  if (run_id == 0) return;
  // Rare, so no list is kept on the path of each task: the records of this rank are looked through.
  parts_.objects.ForEachPending([&](ObjectState& object) {
    if (const TaskPtr child = ProducerOf(object); child && child->parent == run_id)
      CancelOwned(child, object::Hold(object));
  });
}

std::uint64_t TaskPlane::DropQueued() {
  back_pressure_.Open();
  // Counted before any is cancelled: what waits for a cancelled one fails with it.
  std::vector<std::pair<TaskPtr, Handle>> tasks;
  parts_.objects.ForEachPending([&](ObjectState& object) {
    if (TaskPtr task = ProducerOf(object)) tasks.emplace_back(std::move(task), object::Hold(object));
  });
  std::uint64_t dropped = 0;
  for (const auto& [task, result] : tasks) {
    const Phase phase = task->phase.load(std::memory_order_acquire);
    if (phase == Phase::kWaiting || phase == Phase::kQueued || phase == Phase::kPlaceless) ++dropped;
  }
  for (const auto& [task, result] : tasks) CancelOwned(task, result);
  return dropped;
}

void TaskPlane::On(Rank from, const wire::TaskCancel& message) {
  if (message.result.owner == options_.self) {  // a borrower of the result cancels
    if (const Handle held = parts_.objects.FindOwned(message.result))
      if (const TaskPtr task = ProducerOf(*object::StateOf(held))) CancelOwned(task, held);
    return;
  }
  const TaskPtr task = foreign_.Find(message.result);
  if (!task) return;
  task->cancelled.store(true, std::memory_order_release);
  Phase expected = Phase::kQueued;
  if (task->kind() != TaskKind::kTask ||
      !task->phase.compare_exchange_strong(expected, Phase::kDone, std::memory_order_acq_rel)) {
    TaskWait::Wake(*task);
    CancelChildren(task->where.load(std::memory_order_relaxed));
    return;
  }
  foreign_.Remove(task, message.result);
  PlaceEnded(*task);
  if (task->lease_id() != 0) ReturnLease(task->extra()->lease);
  wire::TaskDone done;
  done.result = message.result;
  done.outcome = wire::Outcome::kCancelled;
  done.attempt = task->attempt;
  done.error = object::ToWire(*object::MakeError(object::ErrorKind::kCancelled, "the task was cancelled"));
  parts_.router.Send(from, done);
}

}  // namespace manta::runtime
