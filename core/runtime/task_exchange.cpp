// Tasks between ranks: sent, arrived, ended.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/base/check.hpp"
#include "core/base/event_ring.hpp"
#include "core/runtime/task_plane.hpp"
#include "core/runtime/wait_note.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

bool TaskPlane::ArgumentsHaveBytes(const TaskRecord& record) {
  const auto arguments = record.arguments();
  return std::all_of(arguments.begin(), arguments.end(),
                     [](const auto& argument) { return ObjectPlane::HasBytes(*object::StateOf(argument.object)); });
}

object::ErrorPtr TaskPlane::MakeArgumentBytes(TaskRecord& record) {
  const RunNote note;
  try {
    for (const auto& argument : record.arguments()) parts_.objects.MakeBytes(*object::StateOf(argument.object));
    return nullptr;
  } catch (...) {
    return FailureToStore(record);
  }
}

bool TaskPlane::NeedsCredit(const TaskRecord& record) const {
  // Under scheduler=central the window of the rank that it is placed at bounds them.
  return record.kind() == TaskKind::kTask && record.one_cpu && record.is_pinned() && !options_.central;
}

void TaskPlane::SendTo(TaskPtr task, Rank to) {
  TaskRecord& record = *task;
  // Arguments that are only live are serialized first; that is the user's code.
  if (!ArgumentsHaveBytes(record)) {
    if (parts_.progress.HeldByThisThread()) {
      parts_.lanes.Push([this, task = std::move(task), to] { SendTo(task, to); });
      return;
    }
    if (object::ErrorPtr error = MakeArgumentBytes(record)) {
      if (HasPlace(record)) ReturnPlaces(to, 1);
      FailTask(task, std::move(error));
      return;
    }
  }
  if (NeedsCredit(record) && !links_.TakeCreditOrKeep(to, task)) return;
  SendNow(std::move(task), to);
}

/// The first time, when its result does not know it yet: the record's one hold becomes the result's.
void TaskPlane::SendFresh(TaskPtr task) {
  TaskRecord& record = *task;
  const Rank to = record.pinned();
  if (!NeedsCredit(record) || links_.TakeCredit(to)) {
    SendNow(std::move(task), to, true);
    return;
  }
  record.result_object()->SetProducer(task.CopyUnshared().Release());
  SendTo(std::move(task), to);
}

void TaskPlane::SendWaiting(Rank to, std::uint32_t credits) {
  if (!links_.TakeBackCredits(to, credits)) return;
  std::array<TaskPtr, kCreditBatch> tasks;
  for (std::size_t given = tasks.size(); given == tasks.size();) {
    given = links_.GiveCredits(to, tasks);
    for (std::size_t i = 0; i < given; ++i) SendNow(std::move(tasks[i]), to);
  }
}

void TaskPlane::CreditCameBack(Rank from) {
  std::uint32_t& count = credits_back_[static_cast<std::size_t>(from.value)];
  if (count == 0) credits_back_from_.push_back(from);
  if (++count >= kCreditBatch) SendWaiting(from, std::exchange(count, 0));
}

void TaskPlane::Polled() {
  for (const Rank from : credits_back_from_)
    if (std::uint32_t& count = credits_back_[static_cast<std::size_t>(from.value)]; count != 0)
      SendWaiting(from, std::exchange(count, 0));
  credits_back_from_.clear();
}

void TaskPlane::TellClass(Rank to, const task::TaskClass& task_class) {
  if (links_.IsTold(to, task_class.index)) return;
  parts_.router.Send(to, task_class.ToWire());
  links_.SetTold(to, task_class.index);
}

namespace {

bool AreSmall(std::span<const detail::ArgumentRef> arguments) {
  return arguments.size() <= 0xff && std::all_of(arguments.begin(), arguments.end(), [](const auto& argument) {
           return ObjectPlane::IsSmall(*object::StateOf(argument.object));
         });
}

wire::SmallArgument ReadSmall(wire::Reader& reader) {
  wire::SmallArgument small;
  reader.Raw(&small, sizeof(small));
  return small;
}

void WriteSmall(wire::Writer& writer, const detail::ArgumentRef& argument) {
  using wire::SmallArgument;
  const ObjectState& object = *object::StateOf(argument.object);
  SmallArgument small;
  small.type_hash = object.type_hash;
  small.param = argument.param;
  // An element's number fits: there are at most 255 arguments.
  const bool whole = argument.element == detail::ArgumentRef::kWhole;
  small.element = whole ? SmallArgument::kWhole : static_cast<std::uint16_t>(argument.element);
  small.format = static_cast<std::uint8_t>(object.format());
  small.size = static_cast<std::uint8_t>(object.size());
  writer.Raw(&small, sizeof(small));
  writer.Raw(object.bytes(), small.size);
}

}  // namespace

void TaskPlane::WriteArguments(wire::Writer& writer, const TaskRecord& record, Rank to) {
  std::vector<wire::WireArgument> all;
  for (const auto& argument : record.arguments()) {
    ObjectState& object = *object::StateOf(argument.object);
    all.push_back({argument.param, argument.element, object.id, parts_.objects.Describe(object, to, true)});
  }
  writer(all);
}

void TaskPlane::WriteMore(wire::Writer& writer, const task::TaskExtra& extra, Rank to) {
  wire::TaskPushMore more;
  more.name = extra.name;
  more.cpus = extra.cpus.units();
  more.lease = extra.lease;
  for (const Handle& ref : extra.carried) {
    ObjectState& object = *object::StateOf(ref);
    more.carried.push_back(object.id);
    parts_.objects.CountSentRef(object, to);
  }
  more.max_concurrency = extra.max_concurrency;
  more.incarnation = extra.incarnation;
  more.actor_name = extra.actor_name;
  const std::size_t at = writer.size();
  writer(std::uint32_t{0});
  more.Fields(writer);
  writer.Rewrite(at, static_cast<std::uint32_t>(writer.size() - at - sizeof(std::uint32_t)));
}

void TaskPlane::SendNow(TaskPtr task, Rank to, bool fresh) {
  TaskRecord& record = *task;
  if (record.TakeCountsUnstarted()) back_pressure_.SubtractUnstarted(record.memory_bytes());
  const task::TaskClass& task_class = record.task_class();
  TellClass(to, task_class);
  const ObjectId id = record.result();
  const std::span<detail::ArgumentRef> arguments = record.arguments();
  const bool small = AreSmall(arguments);

  thread_local auto* kept = new std::vector<std::byte>();  // never destroyed, see Router::Send
  std::vector<std::byte>& message = *kept;
  using Head = wire::TaskPushHead;
  message.resize(sizeof(Head));
  {
    // In place: copied right after it was put together it would have to wait for its own stores.
    Head& head = *new (message.data()) Head();
    parts_.router.StampHeader(head);
    head.slot = id.slot;
    head.generation = id.generation;
    head.task_class = task_class.index;
    head.attempt = record.attempt;
    head.seed = record.seed;
    head.flags =
        static_cast<std::uint8_t>(static_cast<int>(record.kind()) | (record.one_cpu ? Head::kOneCpu : 0) |
                                  (record.zero_cpu ? Head::kZeroCpu : 0) | (record.is_pinned() ? Head::kPinned : 0) |
                                  (small ? 0 : Head::kArguments) | (record.extra() != nullptr ? Head::kMore : 0));
    if (small) head.small_arguments = static_cast<std::uint8_t>(arguments.size());
  }
  wire::Writer writer(message);
  if (record.kind() == TaskKind::kActorCall) writer(record.actor().actor_id);
  if (small)
    for (const auto& argument : arguments) WriteSmall(writer, argument);
  else
    WriteArguments(writer, record, to);
  if (const task::TaskExtra* const extra = record.extra()) WriteMore(writer, *extra, to);
  const std::span<const std::byte> bytes = record.bytes();
  writer.Raw(bytes.data(), bytes.size());

  record.where.store(static_cast<std::uint32_t>(to.value), std::memory_order_relaxed);
  record.phase.store(Phase::kOut, std::memory_order_release);
  // A Cancel that came between the claim and this saw kRunning and sent nothing.
  const bool cancelled = record.cancelled.load(std::memory_order_acquire);
  base::Record(base::EventKind::kTaskSent, id);
  // Our hold goes now: after the message it would wait for the line in which that lies, which the other rank has.
  if (fresh) record.result_object()->SetProducer(task.Release());
  else task = {};
  parts_.router.SendBytes(to, message);
  if (cancelled) parts_.router.Send(to, wire::TaskCancel{id});
}

/// Arguments that are still on their way to this rank. Deletes itself.
class TaskPlane::ArrivedWait {
 public:
  static void Start(TaskPlane& plane, const TaskPtr& task) {
    auto* const wait = new ArrivedWait(plane, task);
    for (const auto& argument : task->arguments()) {
      if (IsHere(argument)) continue;
      wait->pending_.fetch_add(1, std::memory_order_relaxed);  // as long as we have not counted down
      if (plane.parts_.objects.EnsureLocal(*object::StateOf(argument.object), [wait] { wait->CountDown(); }))
        wait->CountDown();
    }
    wait->CountDown();
  }
  static bool AreHere(const TaskRecord& record) {
    const auto arguments = record.arguments();
    return std::all_of(arguments.begin(), arguments.end(), IsHere);
  }

 private:
  ArrivedWait(TaskPlane& plane, const TaskPtr& task) : plane_(plane), task_(task) {}
  static bool IsHere(const detail::ArgumentRef& argument) {
    return !argument.object || ObjectPlane::IsLocal(*object::StateOf(argument.object));
  }
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
  if (ArrivedWait::AreHere(*task))
    Arrived(std::move(task));
  else
    ArrivedWait::Start(*this, task);
}

void TaskPlane::DeliverToActor(TaskPtr task) {
  if (ArrivedWait::AreHere(*task)) {
    task->phase.store(Phase::kQueued, std::memory_order_release);
    actors_->ActorTaskArrived(std::move(task));
    return;
  }
  actors_->ActorTaskArrived(task);
  ArrivedWait::Start(*this, task);
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
  std::vector<wire::WireArgument> others;
  if ((head.flags & Head::kArguments) != 0) reader(others);
  std::unique_ptr<wire::TaskPushMore> more;  // seldom there, and dear to make
  if ((head.flags & Head::kMore) != 0) {
    std::uint32_t size = 0;
    reader(size);
    more = std::make_unique<wire::TaskPushMore>();
    more->Fields(reader);
  }
  TaskRecord::Layout layout;
  layout.kind = head.kind();
  layout.bytes = reader.left();
  layout.extra = more != nullptr;
  layout.arguments = head.small_arguments + others.size();
  TaskPtr task = TaskRecord::MakeForeign(layout, {from, head.slot, head.generation});
  TaskRecord& record = *task;
  reader.Raw(record.bytes().data(), layout.bytes);
  record.one_cpu = (head.flags & Head::kOneCpu) != 0;
  record.zero_cpu = (head.flags & Head::kZeroCpu) != 0;
  if ((head.flags & Head::kPinned) != 0) record.Pin(options_.self);
  const auto& known = classes_of_[static_cast<std::size_t>(from.value)];
  MANTA_ASSERT(head.task_class < known.size() && known[head.task_class] != nullptr);  // told on the same way, before
  record.SetClass(*known[head.task_class]);
  record.seed = head.seed;
  record.attempt = head.attempt;
  if (record.kind() == TaskKind::kActorCall) record.actor().actor_id = actor;
  const std::span<detail::ArgumentRef> arguments = record.arguments();
  for (unsigned i = 0; i < head.small_arguments; ++i) {
    const wire::SmallArgument one = ReadSmall(small);
    const bool whole = one.element == wire::SmallArgument::kWhole;
    arguments[i] = {one.param, whole ? detail::ArgumentRef::kWhole : one.element,
                    parts_.objects.ReceiveSmall(one, small.Skip(one.size))};
  }
  for (std::size_t i = 0; i < others.size(); ++i) {
    const wire::WireArgument& one = others[i];
    arguments[i] = {one.param, one.element, parts_.objects.ReceiveArgument(one.id, one.value, from)};
  }
  if (more) {
    task::TaskExtra& extra = *record.extra();
    extra.name = std::move(more->name);
    extra.cpus = Amount::FromUnits(more->cpus);
    extra.lease = std::move(more->lease);
    extra.max_concurrency = more->max_concurrency;
    extra.incarnation = more->incarnation;
    extra.actor_name = std::move(more->actor_name);
    for (const ObjectId& id : more->carried) extra.carried.push_back(parts_.objects.ReceiveRef(id, from, false));
  }
  base::Record(base::EventKind::kTaskReceived, record.result());
  foreign_.Add(task);
  if (record.one_cpu && !record.is_pinned() && record.kind() == TaskKind::kTask && !options_.central) {
    supplier_.store(from.value, std::memory_order_relaxed);
    asked_for_work_.store(false, std::memory_order_release);
  }
  if (record.kind() == TaskKind::kTask)
    Deliver(std::move(task));
  else
    DeliverToActor(std::move(task));
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
    parts_.objects.DropValue(done.value, from);
    return;
  }
  const bool credit = NeedsCredit(*task) && done.started_before == 0;
  // Before Complete, which may send the task again and then needs a credit of its own.
  if (credit) CreditCameBack(from);
  Complete(task, done.outcome, &done.value, from, done.error ? object::FromWire(*done.error) : nullptr, nullptr);
}

void TaskPlane::On(Rank from, const wire::TaskStarted& message) { SendWaiting(from, message.count); }

}  // namespace manta::runtime
