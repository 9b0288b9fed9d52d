// Submitting and placing tasks. Running: task_run.cpp; to other ranks: task_send.cpp; from them: task_exchange.cpp; their
// ends at the owner: task_end.cpp; cancelling: task_cancel.cpp; idle ranks: task_sharing.cpp; leases: task_leases.cpp;
// places: task_places.cpp.
#include "core/runtime/task_plane.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/event_ring.hpp"
#include "core/base/log.hpp"
#include "core/task/code_address.hpp"
#include "core/task/record_list.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

/// The address of a call's actor, which is not known yet. Deletes itself.
class TaskPlane::ActorWait final : public object::ObjectWaiter {
 public:
  ActorWait(TaskPlane& plane, TaskPtr task) : plane_(plane), task_(std::move(task)) {}
  void ObjectDone(ObjectState&) override {
    plane_.GoOn(std::move(task_));
    delete this;
  }

 private:
  TaskPlane& plane_;
  TaskPtr task_;
};

TaskPlane::TaskPlane(Options options, Parts parts)
    : options_(std::move(options)),
      parts_(parts),
      back_pressure_(parts_.progress, options_.queue_bytes),
      foreign_(options_.ranks),
      placeless_(options_.ranks),
      ended_places_(options_.ranks),
      links_(options_.ranks, options_.credits),
      credits_back_(static_cast<std::size_t>(options_.ranks)),
      classes_of_(static_cast<std::size_t>(options_.ranks)) {
  for (const scheduling::NodeSpec& node : options_.nodes)
    if (auto mine = node.slots.find(options_.self); mine != node.slots.end()) own_slots_.store(mine->second.units());
}

std::string TaskPlane::NameOf(const TaskRecord& task) {
  if (!task.name().empty()) return task.name();
  const task::TaskClass& task_class = task.task_class();
  std::string name = task::FunctionName(
      task_class.function != nullptr ? task_class.function : reinterpret_cast<const void*>(task_class.thunk));
  return name.empty() ? "(unnamed)" : name;
}

void TaskPlane::SetShape(TaskRecord& record, const detail::TaskOptions& options) const {
  task::TaskExtra& extra = *record.extra();
  extra.shape.cpus = extra.cpus.units();
  extra.shape.gpus = Amount::FromDouble(options.gpus).units();
  extra.shape.memory_bytes = options.memory_bytes;
  for (const auto& [name, amount] : options.custom)
    if (amount > 0) extra.shape.custom.emplace_back(name, Amount::FromDouble(amount).units());
}

std::optional<std::string> TaskPlane::WhyInfeasible(const wire::Shape& shape, std::optional<Rank> rank) const {
  return scheduling::WhyInfeasible(options_.nodes, shape, rank);
}

TaskPlane::Draft TaskPlane::MakeDraft(const detail::TaskOptions& options, detail::CallSpec&& call, TaskKind kind,
                                      bool extra) {
  if (options.rank && (*options.rank < 0 || *options.rank >= options_.ranks))
    throw UsageError("SetRank(" + std::to_string(*options.rank) + "): the job has ranks 0 to " +
                     std::to_string(options_.ranks - 1));
  // A call costs nothing beyond what its actor holds; an actor holds a CPU if it holds anything.
  const bool other = options.gpus > 0 || options.memory_bytes > 0 || !options.custom.empty();
  const int default_cpus = kind == TaskKind::kTask ? 1 : kind == TaskKind::kActorCreation && other ? 1 : 0;
  const Amount cpus = options.cpus ? Amount::FromDouble(*options.cpus) : Amount::Whole(default_cpus);
  const bool cpu_only =
      options.gpus == 0 && options.memory_bytes == 0 &&
      std::none_of(options.custom.begin(), options.custom.end(), [](const auto& one) { return one.second > 0; });
  const bool one_cpu = cpu_only && cpus == Amount::Whole(1);
  const bool zero_cpu = cpu_only && cpus.IsZero();

  RunContext* run = RunContext::Current();
  if (back_pressure_.on() && !parts_.progress.HeldByThisThread()) back_pressure_.WaitForRoom(run != nullptr);
  const task::TaskClass& task_class = task::InternTaskClass(call, options.retry_matcher);
  // Refuses what other ranks could not find, here and not on the way.
  if (options_.ranks > 1) task_class.CheckCanTravel();

  TaskRecord::Layout layout;
  layout.kind = kind;
  layout.bytes = call.bytes.size();
  layout.arguments = call.arguments.size();
  layout.extra = extra || !(zero_cpu || (one_cpu && kind != TaskKind::kActorCreation)) || !call.carried.empty() ||
                 !options.name.empty();
  auto [result, held] = parts_.objects.MakePendingTwice();
  TaskPtr task = TaskRecord::MakeOwned(layout, std::move(held));
  TaskRecord& record = *task;
  record.one_cpu = one_cpu;
  record.zero_cpu = zero_cpu;
  if (options.rank) record.Pin(Rank(*options.rank));
  record.SetClass(task_class);
  if (layout.bytes != 0) std::memcpy(record.bytes().data(), call.bytes.data(), layout.bytes);
  if (layout.arguments != 0) std::ranges::move(call.arguments.view(), record.arguments().begin());
  if (task::TaskExtra* extra = record.extra()) {
    extra->cpus = cpus;
    extra->name = options.name;
    extra->carried = std::move(call.carried);
    if (!zero_cpu && (!one_cpu || kind == TaskKind::kActorCreation)) SetShape(record, options);
    if (!one_cpu && !zero_cpu) {
      std::optional<Rank> rank;
      if (options.rank) rank = Rank(*options.rank);
      if (const auto why = WhyInfeasible(extra->shape, rank)) throw InfeasibleError(*why);
    }
  }
  record.retries_left = static_cast<std::uint16_t>(std::clamp(options.max_retries, 0, 0xffff));
  task::Submitter& submitter = SubmitterOf(run);
  record.seed = base::MixHash(submitter.seed, ++submitter.submitted, 0x5eed);
  if (run != nullptr) record.parent = run->Id();
  if (back_pressure_.on()) {
    record.counts_unended = true;
    back_pressure_.AddUnended(record.memory_bytes());
  }
  // Results are taken in now and then, so that a long row of submissions neither fills the rings nor idles the others.
  if (options_.ranks > 1 && submitter.submitted % kSubmitsPerPoll == 0) parts_.progress.PollInPassing();
  return {std::move(task), std::move(result)};
}

TaskPtr TaskPlane::CopyOf(const TaskRecord& old, bool hold_result) {
  TaskRecord::Layout layout;
  layout.kind = old.kind();
  const std::span<const std::byte> bytes = const_cast<TaskRecord&>(old).bytes();
  layout.bytes = bytes.size();
  layout.extra = old.extra() != nullptr;
  layout.arguments = old.arguments().size();
  ObjectState* const result = hold_result ? old.result_object() : nullptr;
  TaskPtr again = result != nullptr ? TaskRecord::MakeOwned(layout, object::Hold(*result))
                                    : TaskRecord::MakeForeign(layout, old.result());
  TaskRecord& record = *again;
  record.one_cpu = old.one_cpu;
  record.zero_cpu = old.zero_cpu;
  if (old.is_pinned()) record.Pin(old.pinned());
  record.SetClass(old.task_class());
  if (!bytes.empty()) std::memcpy(record.bytes().data(), bytes.data(), bytes.size());
  std::ranges::copy(old.arguments(), record.arguments().begin());
  if (const task::TaskExtra* from = old.extra()) {
    task::TaskExtra& to = *record.extra();
    to.carried = from->carried;
    to.name = from->name;
    to.cpus = from->cpus;
    to.shape = from->shape;
    to.max_concurrency = from->max_concurrency;
    to.incarnation = from->incarnation;
    to.actor_name = from->actor_name;
  }
  if (layout.kind == TaskKind::kActorCall) {
    record.actor().actor = old.actor().actor;
    record.actor().actor_id = old.actor().actor_id;
  }
  record.seed = old.seed;
  record.parent = old.parent;
  record.retries_left = old.retries_left;
  record.attempt = old.attempt;
  return again;
}

Handle TaskPlane::Submit(Draft&& draft) {
  TaskPtr& task = draft.task;
  Handle& result = draft.result;
  TaskRecord& record = *task;
  ObjectState& object = *object::StateOf(result);
  submitted_.Add();
  Counters::Add(parts_.counters.tasks_submitted);
  base::Record(base::EventKind::kTaskSubmitted, object.id);
  if (record.kind() == TaskKind::kActorCall) Counters::Add(parts_.counters.actor_calls);
  if (const Rank to = LeavesAtOnceTo(record); to.valid()) {
    CountUnstarted(record);
    SendFresh(std::move(task), to);
    return std::move(result);
  }
  // A call that has entered its stream's order is known there.
  object.SetProducer((record.ordered ? TaskPtr(task) : task.CopyUnshared()).Release());

  // Borrowed refs need their value's whereabouts; pending ones are waited for.
  for (const auto& argument : record.arguments()) AskFor(argument.object);
  if (record.kind() == TaskKind::kActorCall) AskFor(record.actor().actor);  // its value is where the actor lives
  task::ArgumentPart* const arguments = record.argument_part();
  if ((arguments == nullptr || arguments->Await(task, *this)) && AwaitActor(task)) ArgumentsReady(std::move(task));
  return std::move(result);
}

/// The other rank that it goes to, if nothing has to happen before it is sent there.
Rank TaskPlane::LeavesAtOnceTo(TaskRecord& record) const {
  Rank to;
  if (record.kind() == TaskKind::kActorCall)
    to = actors_->HostOf(record);
  else if (record.kind() == TaskKind::kTask && (record.one_cpu || record.zero_cpu) && !HasPlace(record))
    to = record.pinned();
  if (to == options_.self) return {};
  for (const auto& argument : record.arguments()) {
    ObjectState& object = *object::StateOf(argument.object);
    if (object.status.load(std::memory_order_acquire) != Status::kReady || !ObjectPlane::HasBytes(object)) return {};
  }
  return to;
}

void TaskPlane::AskFor(const Handle& ref) {
  ObjectState& object = *object::StateOf(ref);
  if (!object.done() && !object.owned()) parts_.objects.RequestValue(object);
}

/// Whether it is no call, or its actor's address is known. If not, GoOn follows when it is.
bool TaskPlane::AwaitActor(const TaskPtr& task) {
  if (task->kind() != TaskKind::kActorCall) return true;
  ObjectState& actor = *object::StateOf(task->actor().actor);
  if (actor.done()) return true;
  auto* const wait = new ActorWait(*this, task);
  if (actor.AddWaiter(*wait)) return false;
  delete wait;
  return true;
}

void TaskPlane::ArgumentsDone(TaskPtr task) {
  if (AwaitActor(task)) GoOn(std::move(task));
}

__attribute__((noinline)) bool& TaskPlane::GoesOnWithOthers() {
  thread_local constinit bool draining = false;
  return draining;
}

/// Goes on with a task, one after another on this thread: the failure of one may make the next ready, and a chain of
/// those must not grow the stack.
void TaskPlane::GoOn(TaskPtr task) {
  thread_local constinit task::RecordList ready;
  bool& draining = GoesOnWithOthers();
  if (draining) {
    ready.Push(task.Release());
    return;
  }
  draining = true;
  ArgumentsReady(std::move(task));
  while (!ready.empty()) ArgumentsReady(TaskPtr::Adopt(ready.Pop()));
  draining = false;
}

/// Whether ArgumentError would say why.
bool TaskPlane::MustFail(const TaskRecord& record) {
  const auto failed = [](const Handle& ref) {
    return object::StateOf(ref)->status.load(std::memory_order_acquire) == Status::kFailed;
  };
  bool must = record.cancelled.load(std::memory_order_acquire);
  for (const auto& argument : record.arguments()) must = must || failed(argument.object);
  return must || (record.kind() == TaskKind::kActorCall && failed(record.actor().actor));
}

object::ErrorPtr TaskPlane::ArgumentError(const TaskRecord& record) const {
  if (record.cancelled.load(std::memory_order_acquire))
    return object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(record) + "' was cancelled");
  auto error_of = [](const Handle& ref) -> object::ErrorPtr {
    ObjectState& object = *object::StateOf(ref);
    if (object.status.load(std::memory_order_acquire) != Status::kFailed) return nullptr;
    std::lock_guard lock(object.Lock());
    object.cold()->error_was_read = true;
    return object.cold()->error;
  };
  for (const auto& argument : record.arguments())
    if (auto error = error_of(argument.object)) return error;
  return record.kind() == TaskKind::kActorCall ? error_of(record.actor().actor) : nullptr;
}

void TaskPlane::ArgumentsReady(TaskPtr&& task) {
  object::ErrorPtr error;
  if (MustFail(*task)) error = ArgumentError(*task);
  if (task->kind() != TaskKind::kTask)
    actors_->OwnedActorTaskReady(std::move(task), error);
  else if (error != nullptr)
    FailTask(task, std::move(error));
  else
    Place(std::move(task));
}

/// From here on it begins without anybody's help.
void TaskPlane::CountUnstarted(TaskRecord& record) {
  if (!record.one_cpu || !record.TakeCountsUnended()) return;
  record.counts_unstarted = true;
  back_pressure_.AddUnstarted(record.memory_bytes());
  back_pressure_.SubtractUnended(record.memory_bytes());
}

void TaskPlane::Place(TaskPtr task) {
  CountUnstarted(*task);
  const Rank pinned = task->pinned();
  if (!task->zero_cpu && !task->one_cpu)
    AskForLease(task);
  else if (HasPlace(*task))
    AskForPlace(std::move(task), false);
  else if (pinned.valid() && pinned != options_.self)
    SendTo(std::move(task), pinned);
  else
    Deliver(std::move(task));
}

void TaskPlane::Enqueue(TaskPtr task) {
  task->phase.store(Phase::kQueued, std::memory_order_release);
  if (options_.central) {
    // Here because rank 0 said so: in its order, and for no other rank.
    const ObjectState* const object = task->result_object();
    parts_.queue.Push(std::move(task));
    const bool begins = parts_.executors.WakeOne();
    node::FullFence();  // after the push, before the look at the slots: see SlotsChanged; and see InPlaceWaits
    if (object != nullptr) in_place_waits_.Tell(object);
    if (!HasOwnSlot())
      SlotsChanged();
    else if (!begins)
      TaskLiesBehind();
    else if (says_next_.load(std::memory_order_relaxed))
      parts_.progress.EnsureWatch();  // a tick sees whether it did begin
    return;
  }
  const bool stealable = !task->is_pinned();
  const RunContext* run = task->owned() && task->parent != 0 ? RunContext::Current() : nullptr;
  if (run != nullptr && run->executor >= 0 && run->id() == task->parent)
    parts_.queue.PushChild(static_cast<std::size_t>(run->executor), std::move(task));
  else if (parts_.executors.HandOver(task))
    return;
  else
    parts_.queue.Push(std::move(task));
  // Where none of ours is free for it, another rank's may be.
  if (parts_.executors.WakeOne() || !stealable || options_.ranks == 1) return;
  if (said_backlog_.load(std::memory_order_relaxed) && !askers_.any()) return;
  // Rank 0 hears of a backlog when it is long, or has been there for a tick of the service thread: one that comes and
  // goes with each short task would cost it a message a task.
  if (parts_.queue.movable() >= kLongBacklog)
    TellOfBacklog();
  else
    parts_.progress.EnsureWatch();
}

}  // namespace manta::runtime
