// Tasks to other ranks: when one may leave (credits), and its message.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

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

void TaskPlane::SendTo(TaskPtr&& task, Rank to) {
  TaskRecord& record = *task;
  // Arguments that are only live are serialized first; that is the user's code.
  if (!ArgumentsHaveBytes(record)) {
    if (MustNotBlock()) {
      parts_.lanes.Push([this, task = std::move(task), to] { SendTo(TaskPtr(task), to); });
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
void TaskPlane::SendFresh(TaskPtr&& task, Rank to) {
  TaskRecord& record = *task;
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
  parts_.router.Send(to, task_class.ToWire());
  links_.SetTold(to, task_class.index);
}

namespace {

bool AreSmall(std::span<const detail::ArgumentRef> arguments) {
  return arguments.size() <= 0xff && std::all_of(arguments.begin(), arguments.end(), [](const auto& argument) {
           return ObjectPlane::IsSmall(*object::StateOf(argument.object));
         });
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

void TaskPlane::SendNow(TaskPtr&& task, Rank to, bool fresh) {
  TaskRecord& record = *task;
  if (record.TakeCountsUnstarted()) back_pressure_.SubtractUnstarted(record.memory_bytes());
  const task::TaskClass& task_class = record.task_class();
  if (!links_.IsTold(to, task_class.index)) TellClass(to, task_class);
  const ObjectId id = record.result();
  const std::span<detail::ArgumentRef> arguments = record.arguments();
  const bool small = arguments.empty() || AreSmall(arguments);

  struct {
    wire::TaskPushHead head;
    ObjectId actor;
  } begin;
  using Head = wire::TaskPushHead;
  Head& head = begin.head;
  parts_.router.StampHeader(head);
  head.slot = id.slot;
  head.generation = id.generation;
  head.task_class = task_class.index;
  head.flags =
      static_cast<std::uint8_t>(static_cast<int>(record.kind()) | (record.one_cpu ? Head::kOneCpu : 0) |
                                (record.zero_cpu ? Head::kZeroCpu : 0) | (record.is_pinned() ? Head::kPinned : 0) |
                                (small ? 0 : Head::kArguments) | (record.extra() != nullptr ? Head::kMore : 0));
  head.small_arguments = small ? static_cast<std::uint8_t>(arguments.size()) : 0;
  head.attempt = record.attempt;
  head.seed = record.seed;
  const bool call = record.kind() == TaskKind::kActorCall;
  if (call) begin.actor = record.actor().actor_id;
  std::span<const std::byte> message(reinterpret_cast<const std::byte*>(&begin),
                                     sizeof(Head) + (call ? sizeof(ObjectId) : 0));
  const std::span<const std::byte> bytes = record.bytes();
  if (!bytes.empty() || !arguments.empty() || record.extra() != nullptr) {
    std::vector<std::byte>& buffer = SendBuffer<wire::TaskPushHead>();
    buffer.assign(message.begin(), message.end());
    wire::Writer writer(buffer);
    if (!small)
      WriteArguments(writer, record, to);
    else
      for (const auto& argument : arguments) WriteSmall(writer, argument);
    if (const task::TaskExtra* const extra = record.extra()) WriteMore(writer, *extra, to);
    writer.Raw(bytes.data(), bytes.size());
    message = buffer;
  }

  record.where.store(static_cast<std::uint32_t>(to.value), std::memory_order_relaxed);
  record.phase.store(Phase::kOut, std::memory_order_release);
  // A Cancel that came between the claim and this saw kRunning and sent nothing.
  const bool cancelled = record.cancelled.load(std::memory_order_acquire);
  if (fresh)
    base::RecordWithLast(base::EventKind::kTaskSent, id);  // it was submitted just now
  else
    base::Record(base::EventKind::kTaskSent, id);
  // Our hold goes now: after the message it would wait for the line in which that lies, which the other rank has.
  if (fresh) record.result_object()->SetProducer(task.Release());
  else task = {};
  parts_.router.SendBytes(to, message);
  if (cancelled) parts_.router.Send(to, wire::TaskCancel{id});
}

}  // namespace manta::runtime
