// Tasks from other ranks: they arrive, and the outcomes of those that were sent come back.
#include <algorithm>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/event_ring.hpp"
#include "core/runtime/task_plane.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

namespace {

wire::SmallArgument ReadSmall(wire::Reader& reader) {
  wire::SmallArgument small;
  reader.Raw(&small, sizeof(small));
  return small;
}

/// What the message of a task seldom has.
struct RareParts {
  RareParts(wire::Reader& reader, std::uint8_t flags) {
    if ((flags & wire::TaskPushHead::kArguments) != 0) reader(arguments);
    if ((flags & wire::TaskPushHead::kMore) == 0) return;
    std::uint32_t size = 0;
    reader(size);
    more.Fields(reader);
  }
  std::vector<wire::WireArgument> arguments;
  wire::TaskPushMore more;
};

}  // namespace

/// Arguments that are still on their way to this rank. Deletes itself.
class TaskPlane::ArrivedWait {
 public:
  /// False: nothing was begun.
  static bool Start(TaskPlane& plane, const TaskPtr& task) {
    const auto arguments = task->arguments();
    ObjectPlane& objects = plane.parts_.objects;
    const std::uint64_t bytes = objects.BytesToKeep(arguments);
    ArgumentAdmission::Ticket admitted;
    if (!objects.admission().IsSmall(bytes)) {
      // Not now, or too many to do so in any order: then who runs the task waits for its turn, and brings them.
      if (objects.admission().IsLarge(bytes)) return false;
      admitted = objects.admission().TryAdmit(bytes);
      if (admitted == nullptr) return false;
    }
    auto* const wait = new ArrivedWait(plane, task);
    task::ArgumentPart::Kept& part = task->argument_part()->MakeKept();
    part.admitted = std::move(admitted);
    std::vector<std::shared_ptr<const void>>& kept = part.values;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (!arguments[i].object) continue;
      wait->pending_.fetch_add(1, std::memory_order_relaxed);  // as long as we have not counted down
      objects.Bring(*object::StateOf(arguments[i].object), false,
                                 // What could not be brought throws when the task begins.
                                 [wait, &keeps = kept[i]](const auto& bytes, const object::ErrorPtr&) {
                                   keeps = bytes.in;
                                   wait->CountDown();
                                 });
    }
    wait->CountDown();
    return true;
  }
  static bool AreHere(ObjectPlane& objects, const TaskRecord& record) {
    const auto arguments = record.arguments();
    return std::all_of(arguments.begin(), arguments.end(), [&](const detail::ArgumentRef& argument) {
      return !argument.object || objects.IsHere(*object::StateOf(argument.object));
    });
  }

 private:
  ArrivedWait(TaskPlane& plane, const TaskPtr& task) : plane_(plane), task_(task) {}
  void CountDown() {
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    plane_.Arrived(task_);
    delete this;
  }

  TaskPlane& plane_;
  TaskPtr task_;
  std::atomic<std::int32_t> pending_{1};  // acq_rel: the last one sees what all have brought
};

void TaskPlane::Deliver(TaskPtr task) {
  if (ArrivedWait::AreHere(parts_.objects, *task) || !ArrivedWait::Start(*this, task)) Arrived(std::move(task));
}

void TaskPlane::DeliverToActor(TaskPtr&& task) {
  if (ArrivedWait::AreHere(parts_.objects, *task)) {
    task->phase.store(Phase::kQueued, std::memory_order_release);
    actors_->ActorTaskArrived(std::move(task));
    return;
  }
  actors_->ActorTaskArrived(TaskPtr(task));
  if (!ArrivedWait::Start(*this, task)) Arrived(task);
}

void TaskPlane::On(Rank from, const wire::TaskClassNotice& notice) {
  auto& known = classes_of_[static_cast<std::size_t>(from.value)];
  if (notice.index >= known.size()) known.resize(notice.index + 1, nullptr);
  known[notice.index] = &task::InternTaskClass(task::TaskClass::FromWire(notice));
}

void TaskPlane::OnTaskPush(Rank from, std::span<const std::byte> message) {
  using Head = wire::TaskPushHead;
  Head head;
  wire::Reader reader(message);
  reader.Raw(&head, sizeof(head));
  ObjectId actor;
  if (head.kind() == TaskKind::kActorCall) reader(actor);
  wire::Reader small(reader);
  for (unsigned i = 0; i < head.small_arguments; ++i) reader.Skip(ReadSmall(reader).size);
  std::unique_ptr<RareParts> rare;
  if ((head.flags & (Head::kArguments | Head::kMore)) != 0) rare = std::make_unique<RareParts>(reader, head.flags);
  const std::size_t others = rare != nullptr ? rare->arguments.size() : 0;

  TaskRecord::Layout layout;
  layout.kind = head.kind();
  layout.bytes = reader.left();
  layout.extra = (head.flags & Head::kMore) != 0;
  layout.arguments = head.small_arguments + others;
  TaskPtr task = TaskRecord::MakeForeign(layout, {from, head.slot, head.generation});
  TaskRecord& record = *task;
  if (layout.bytes != 0) reader.Raw(record.bytes().data(), layout.bytes);
  record.one_cpu = (head.flags & Head::kOneCpu) != 0;
  record.zero_cpu = (head.flags & Head::kZeroCpu) != 0;
  if ((head.flags & Head::kPinned) != 0) record.Pin(options_.self);
  const auto& known = classes_of_[static_cast<std::size_t>(from.value)];
  MANTA_ASSERT(head.task_class < known.size() && known[head.task_class] != nullptr);  // told on the same way, before
  record.SetClass(*known[head.task_class]);
  record.seed = head.seed;
  record.attempt = head.attempt;
  if (record.has_parts()) {
    if (record.kind() == TaskKind::kActorCall) record.actor().actor_id = actor;
    const std::span<detail::ArgumentRef> arguments = record.arguments();
    for (unsigned i = 0; i < head.small_arguments; ++i) {
      const wire::SmallArgument one = ReadSmall(small);
      const bool whole = one.element == wire::SmallArgument::kWhole;
      arguments[i] = {one.param, whole ? detail::ArgumentRef::kWhole : one.element,
                      parts_.objects.ReceiveSmall(one, small.Skip(one.size))};
    }
    for (std::size_t i = 0; i < others; ++i) {
      const wire::WireArgument& one = rare->arguments[i];
      arguments[i] = {one.param, one.element, parts_.objects.ReceiveArgument(one.id, one.value, from)};
    }
    if (task::TaskExtra* const extra = record.extra()) {
      wire::TaskPushMore& more = rare->more;
      extra->name = std::move(more.name);
      extra->cpus = Amount::FromUnits(more.cpus);
      extra->lease = std::move(more.lease);
      extra->max_concurrency = more.max_concurrency;
      extra->incarnation = more.incarnation;
      extra->actor_name = std::move(more.actor_name);
      for (const ObjectId& id : more.carried) extra->carried.push_back(parts_.objects.ReceiveRef(id, from, false));
    }
  }
  const ObjectId id{from, head.slot, head.generation};
  base::Record(base::EventKind::kTaskReceived, id);
  foreign_.Add(task, id);
  if (record.kind() != TaskKind::kTask) {
    DeliverToActor(std::move(task));
    return;
  }
  if (record.one_cpu && !record.is_pinned() && !options_.central) {
    supplier_.store(from.value, std::memory_order_relaxed);
    asked_for_work_.store(false, std::memory_order_release);
  }
  if (record.one_cpu && !record.has_parts())
    Enqueue(std::move(task));
  else
    Deliver(std::move(task));
}

void TaskPlane::Arrived(TaskPtr task) {
  TaskRecord& record = *task;
  if (record.kind() != TaskKind::kTask) {
    record.phase.store(Phase::kQueued, std::memory_order_release);
    actors_->ActorTaskRunnable(task);
  } else if (record.lease_id() != 0) {
    record.phase.store(Phase::kQueued, std::memory_order_release);
    RunLeased(std::move(task));
  } else if (record.zero_cpu) {
    record.phase.store(Phase::kQueued, std::memory_order_release);
    RunInLane(std::move(task));
  } else {
    Enqueue(std::move(task));
  }
}

void TaskPlane::OnTaskOk(Rank from, std::span<const std::byte> message) {
  wire::TaskOk done;
  wire::Reader reader(message);
  reader.Raw(&done, sizeof(done));
  const ObjectId id{options_.self, done.slot, done.generation};
  TaskPtr ended;
  const bool completed = parts_.objects.CompleteOwned(id, [&](ObjectState& object) {
    auto* record = static_cast<TaskRecord*>(object.producer());
    // What is out of the ordinary goes the long way.
    if (record == nullptr || record->attempt != done.attempt || record->kind() == TaskKind::kActorCreation ||
        record->cancelled.load(std::memory_order_acquire))
      return false;
    ended = TaskPtr::Adopt(static_cast<TaskRecord*>(object.TakeProducer()));
    record->phase.store(Phase::kDone, std::memory_order_release);
    if (done.format != 0) {
      object.SetType(done.type_hash, static_cast<detail::Format>(done.format));
      object.SetBytes(message.data() + sizeof(done), done.size);
    }
    return true;
  });
  if (completed) {
    const bool credit = NeedsCredit(*ended) && done.started_before == 0;
    CountDone(*ended);
    LetGoOfCall(*ended);
    ended->ResetResult();
    if (credit) CreditCameBack(from);
    return;
  }
  const Handle held = parts_.objects.FindOwned(id);
  const TaskPtr task = held ? ProducerOf(*object::StateOf(held)) : TaskPtr();
  if (!task || task->attempt != done.attempt) return;  // a late message
  const bool credit = NeedsCredit(*task) && done.started_before == 0;
  wire::ValueDescriptor value;
  value.type_hash = done.type_hash;
  value.format = done.format;
  value.size = done.size;
  const auto bytes = message.subspan(sizeof(done));
  value.inside.assign(bytes.begin(), bytes.end());
  Complete(task, wire::Outcome::kOk, &value, from, nullptr, nullptr);
  if (credit) CreditCameBack(from);
}

void TaskPlane::On(Rank from, const wire::TaskDone& done) {
  const Handle held = done.result.owner == options_.self ? parts_.objects.FindOwned(done.result) : Handle();
  const TaskPtr task = held ? ProducerOf(*object::StateOf(held)) : TaskPtr();
  if (!task || task->attempt != done.attempt) {  // a late message
    parts_.objects.DropValue(done.result, done.value, from);
    return;
  }
  const bool credit = NeedsCredit(*task) && done.started_before == 0;
  // Before Complete, which may send the task again and then needs a credit of its own.
  if (credit) CreditCameBack(from);
  Complete(task, done.outcome, &done.value, from, done.error ? object::FromWire(*done.error) : nullptr, nullptr);
}

void TaskPlane::On(Rank from, const wire::TaskStarted& message) { SendWaiting(from, message.count); }

}  // namespace manta::runtime
