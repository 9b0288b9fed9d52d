// Tasks between ranks: pushed, handed back, asked for, and the leases they need.
#include <algorithm>

#include "core/base/check.hpp"
#include "core/base/event_ring.hpp"
#include "core/base/log.hpp"
#include "core/runtime/task_plane.hpp"
#include "core/runtime/wait_note.hpp"
#include "core/task/code_address.hpp"

namespace manta::runtime {

using task::Phase;
using task::TaskKind;

bool TaskPlane::ArgumentsHaveBytes(const TaskRecord& record) {
  return std::all_of(record.arguments.begin(), record.arguments.end(),
                     [](const auto& argument) { return ObjectPlane::HasBytes(*object::StateOf(argument.object)); });
}

object::ErrorPtr TaskPlane::MakeArgumentBytes(TaskRecord& record) {
  const RunNote note;
  try {
    for (const auto& argument : record.arguments) parts_.objects.MakeBytes(*object::StateOf(argument.object));
    return nullptr;
  } catch (...) {
    return FailureToStore(record);
  }
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
      FailTask(task, std::move(error));
      return;
    }
  }
  wire::TaskPush push;
  push.result = record.result;
  push.kind = record.kind;
  push.pinned = record.pinned.valid();
  push.attempt = record.attempt;
  push.thunk = task::EncodeCode(reinterpret_cast<const void*>(record.thunk));
  push.function = record.function == nullptr ? 0 : task::EncodeCode(record.function);
  push.seed = record.seed;
  push.retry_matcher =
      record.retry_matcher == nullptr ? 0 : task::EncodeCode(reinterpret_cast<const void*>(record.retry_matcher));
  push.cpus = record.cpus.units();
  push.lease = record.lease;
  push.name = record.name;
  push.bytes.assign(record.bytes.data(), record.bytes.data() + record.bytes.size());
  for (const auto& argument : record.arguments) {
    ObjectState& object = *object::StateOf(argument.object);
    push.arguments.push_back({argument.param, argument.element, object.id, parts_.objects.Describe(object, to, true)});
  }
  for (const Handle& ref : record.carried) {
    ObjectState& object = *object::StateOf(ref);
    push.carried.push_back(object.id);
    parts_.objects.CountSentRef(object, to);
  }
  push.actor = record.actor_id;
  push.max_concurrency = record.max_concurrency;
  push.incarnation = record.incarnation;
  push.actor_name = record.actor_name;
  record.out_rank = to;
  record.phase.store(Phase::kOut, std::memory_order_release);
  // A Cancel that came between the claim and this saw kRunning and sent nothing.
  const bool cancelled = record.cancelled.load(std::memory_order_acquire);
  const ObjectId result = record.result;
  base::Record(base::EventKind::kTaskSent, result);
  parts_.router.Send(to, push);
  if (cancelled) parts_.router.Send(to, wire::TaskCancel{result});
}

/// Arguments that are still on their way to this rank.
class TaskPlane::ArrivedWait {
 public:
  static void Start(TaskPlane& plane, const TaskPtr& task) {
    task->pending.store(static_cast<std::int32_t>(task->arguments.size()) + 1, std::memory_order_relaxed);
    for (const auto& argument : task->arguments) {
      auto count_down = [&plane, task] { CountDown(plane, task); };
      if (!argument.object || plane.parts_.objects.EnsureLocal(*object::StateOf(argument.object), count_down))
        CountDown(plane, task);
    }
    CountDown(plane, task);
  }

 private:
  static void CountDown(TaskPlane& plane, const TaskPtr& task) {
    if (task->pending.fetch_sub(1, std::memory_order_acq_rel) == 1) plane.Arrived(task);
  }
};

void TaskPlane::Deliver(const TaskPtr& task) {
  if (task->arguments.empty()) {
    Arrived(task);
    return;
  }
  ArrivedWait::Start(*this, task);
}

void TaskPlane::On(Rank from, wire::TaskPush&& push) {
  TaskPtr task(new TaskRecord());
  TaskRecord& record = *task;
  record.kind = push.kind;
  record.result = push.result;
  base::Record(base::EventKind::kTaskReceived, record.result);
  record.thunk = reinterpret_cast<detail::Thunk>(const_cast<void*>(task::DecodeCode(push.thunk)));
  record.function = push.function == 0 ? nullptr : task::DecodeCode(push.function);
  record.bytes.Reset(push.bytes.size());
  if (!push.bytes.empty()) std::memcpy(record.bytes.data(), push.bytes.data(), push.bytes.size());
  record.name = std::move(push.name);
  record.cpus = Amount::FromUnits(push.cpus);
  record.one_cpu = push.kind == TaskKind::kTask && push.lease.id == 0 && push.cpus != 0;
  record.zero_cpu = push.cpus == 0 && push.lease.id == 0;
  if (push.pinned != 0) record.pinned = options_.self;
  if (push.retry_matcher != 0)
    record.retry_matcher =
        reinterpret_cast<detail::ExceptionMatcher>(const_cast<void*>(task::DecodeCode(push.retry_matcher)));
  record.seed = push.seed;
  record.attempt = push.attempt;
  record.lease = std::move(push.lease);
  record.actor_id = push.actor;
  record.max_concurrency = push.max_concurrency;
  record.incarnation = push.incarnation;
  record.actor_name = std::move(push.actor_name);
  for (auto& argument : push.arguments)
    record.arguments.push_back(
        {argument.param, argument.element, parts_.objects.ReceiveArgument(argument.id, argument.value, from)});
  for (const ObjectId& id : push.carried) record.carried.push_back(parts_.objects.ReceiveRef(id, from, false));
  {
    std::lock_guard lock(foreign_mutex_);
    foreign_[record.result] = task;
  }
  if (record.one_cpu && push.pinned == 0) {
    supplier_.store(from.value, std::memory_order_relaxed);
    asked_for_work_.store(false, std::memory_order_release);
  }
  if (record.kind != TaskKind::kTask) actors_->ActorTaskArrived(task);
  ArrivedWait::Start(*this, task);
}

void TaskPlane::Arrived(const TaskPtr& task) {
  TaskRecord& record = *task;
  if (record.kind != TaskKind::kTask) {
    record.phase.store(Phase::kQueued, std::memory_order_release);
    actors_->ActorTaskRunnable(task);
  } else if (record.lease.id != 0) {
    record.phase.store(Phase::kQueued, std::memory_order_release);
    RunLeased(task);
  } else if (record.zero_cpu) {
    record.phase.store(Phase::kQueued, std::memory_order_release);
    RunInLane(task);
  } else {
    Enqueue(task);
  }
}

void TaskPlane::On(Rank from, const wire::TaskDone& done) {
  const Handle held = done.result.owner == options_.self ? parts_.objects.FindOwned(done.result) : Handle();
  const TaskPtr task = held ? ProducerOf(*object::StateOf(held)) : TaskPtr();
  if (!task || task->attempt != done.attempt) {  // a late message
    parts_.objects.DropValue(done.value, from);
    return;
  }
  Complete(task, done.outcome, &done.value, from, done.error ? object::FromWire(*done.error) : nullptr, nullptr);
}

void TaskPlane::On(Rank from, const wire::TaskCancel& message) {
  if (message.result.owner == options_.self) {  // a borrower of the result cancels
    if (const Handle held = parts_.objects.FindOwned(message.result))
      if (const TaskPtr task = ProducerOf(*object::StateOf(held))) CancelOwned(task);
    return;
  }
  TaskPtr task;
  {
    std::lock_guard lock(foreign_mutex_);
    auto it = foreign_.find(message.result);
    if (it == foreign_.end()) return;
    task = it->second;
  }
  task->cancelled.store(true, std::memory_order_release);
  Phase expected = Phase::kQueued;
  if (task->kind != TaskKind::kTask ||
      !task->phase.compare_exchange_strong(expected, Phase::kDone, std::memory_order_acq_rel)) {
    task->WakeFromWait();
    CancelChildren(task->run_id);
    return;
  }
  {
    std::lock_guard lock(foreign_mutex_);
    foreign_.erase(message.result);
  }
  if (task->lease.id != 0) ReturnLease(task->lease);
  wire::TaskDone done;
  done.result = task->result;
  done.outcome = wire::Outcome::kCancelled;
  done.attempt = task->attempt;
  done.error = object::ToWire(*object::MakeError(object::ErrorKind::kCancelled, "the task was cancelled"));
  parts_.router.Send(from, done);
}

// ---- idle ranks ask for work ----
std::uint32_t TaskPlane::Want() const {
  // Enough for 200 µs: the time in which an answer surely comes, and little to lose where one of them turns out to be
  // long.
  const auto executors = static_cast<std::uint32_t>(parts_.executors.size());
  const std::int64_t mean = mean_run_ns_.load(std::memory_order_relaxed);
  if (mean <= 0) return executors;
  const std::int64_t ahead = 200'000 * static_cast<std::int64_t>(executors) / std::max<std::int64_t>(mean, 1);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ahead, executors, 256));
}

void TaskPlane::AskForWork() {
  if (options_.ranks == 1 || asked_for_work_.exchange(true, std::memory_order_acq_rel)) return;
  const int supplier = supplier_.load(std::memory_order_relaxed);
  if (supplier >= 0)
    parts_.router.Send(Rank(supplier), wire::WorkRequest{Want()});
  else
    parts_.router.Send(Rank(0), wire::Hungry{});
}

void TaskPlane::ExecutorIsIdle() {
  if (parts_.queue.empty()) AskForWork();
}

void TaskPlane::On(Rank from, const wire::WorkRequest& message) {
  std::vector<TaskPtr> tasks = parts_.queue.TakeForOthers(message.want);
  std::unordered_map<Rank, wire::HandBack> others;
  for (TaskPtr& task : tasks) {
    if (task->Owned(options_.self)) {
      SendTo(std::move(task), from);
    } else {
      // Only its owner sends a task on: it must know where it is.
      std::lock_guard lock(foreign_mutex_);
      foreign_.erase(task->result);
      others[task->result.owner].results.push_back(task->result);
      others[task->result.owner].for_rank = from;
    }
  }
  for (auto& [owner, message_back] : others) parts_.router.Send(owner, message_back);
  if (tasks.empty()) {
    TakeBacklogBack();
    parts_.router.Send(from, wire::NoWork{});
  }
}

void TaskPlane::On(Rank from, const wire::NoWork&) {
  if (supplier_.load(std::memory_order_relaxed) == from.value) supplier_.store(-1, std::memory_order_relaxed);
  asked_for_work_.store(false, std::memory_order_release);
  if (parts_.executors.AnyIdle() && parts_.queue.empty()) AskForWork();
}

void TaskPlane::On(Rank, const wire::HandBack& message) {
  for (const ObjectId& id : message.results) {
    const Handle held = parts_.objects.FindOwned(id);
    TaskPtr task = held ? ProducerOf(*object::StateOf(held)) : TaskPtr();
    if (!task) continue;
    if (message.for_rank == options_.self) {
      asked_for_work_.store(false, std::memory_order_release);
      Enqueue(std::move(task));
    } else {
      SendTo(std::move(task), message.for_rank);
    }
  }
}

void TaskPlane::On(Rank, const wire::WorkHint& message) {
  if (!parts_.executors.AnyIdle() || !parts_.queue.empty()) {
    asked_for_work_.store(false, std::memory_order_release);
    return;
  }
  parts_.router.Send(message.supplier, wire::WorkRequest{Want()});
}

// ---- leases ----
void TaskPlane::AskForLease(const TaskPtr& task) {
  wire::LeaseRequest request;
  request.shape = task->shape;
  if (task->pinned.valid()) request.rank = task->pinned;
  {
    std::lock_guard lock(lease_mutex_);
    request.request = next_request_++;
    lease_waiting_[request.request] = task;
  }
  parts_.router.Send(Rank(0), request);
}

bool TaskPlane::ForgetLeaseRequest(const TaskPtr& task) {
  std::lock_guard lock(lease_mutex_);
  for (auto it = lease_waiting_.begin(); it != lease_waiting_.end(); ++it)
    if (it->second == task) {
      lease_waiting_.erase(it);  // the lease goes back when it is granted to nobody
      return true;
    }
  return false;
}

void TaskPlane::On(Rank, const wire::LeaseGrant& grant) {
  TaskPtr task;
  {
    std::lock_guard lock(lease_mutex_);
    auto it = lease_waiting_.find(grant.request);
    if (it != lease_waiting_.end()) {
      task = std::move(it->second);
      lease_waiting_.erase(it);
    }
  }
  if (!task || task->cancelled.load(std::memory_order_acquire)) {
    ReturnLease(grant.lease);
    if (task)
      FailTask(task, object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(*task) + "' was cancelled"));
    return;
  }
  task->lease = grant.lease;
  if (task->kind == TaskKind::kActorCreation) {
    actors_->OwnedActorTaskReady(task, nullptr);
  } else if (grant.lease.rank == options_.self) {
    Deliver(task);
  } else {
    SendTo(task, grant.lease.rank);
  }
}

void TaskPlane::ReturnLease(const wire::Lease& lease) {
  if (lease.id != 0) parts_.router.Send(Rank(0), wire::LeaseReturn{lease.id});
}

void TaskPlane::On(Rank, const wire::CedeSlots& message) {
  owed_cpus_.fetch_add(message.cpus, std::memory_order_relaxed);
  // The ledger wants to hear at once, also that nothing is free now.
  if (!CedeWhatIsOwed()) parts_.router.Send(Rank(0), wire::SlotsCeded{0});
}

bool TaskPlane::CedeWhatIsOwed() {
  bool ceded_any = false;
  for (;;) {
    std::int64_t owed = owed_cpus_.load(std::memory_order_relaxed);
    if (owed <= 0) return ceded_any;
    const Amount ceded = parts_.slots.CedeWhole(Amount::FromUnits(owed));
    if (ceded.IsZero()) return ceded_any;
    // Two threads may both have taken for the same debt: what is too much goes back.
    owed = owed_cpus_.fetch_sub(ceded.units(), std::memory_order_relaxed);
    const std::int64_t due = std::clamp<std::int64_t>(owed, 0, ceded.units());
    if (due < ceded.units()) {
      owed_cpus_.fetch_add(ceded.units() - due, std::memory_order_relaxed);
      parts_.slots.GiveBack(Amount::FromUnits(ceded.units() - due));
    }
    if (due > 0) {
      own_slots_.fetch_sub(due, std::memory_order_relaxed);
      parts_.router.Send(Rank(0), wire::SlotsCeded{due});
      ceded_any = true;
    }
  }
}

void TaskPlane::SlotWasReturned() {
  if (owed_cpus_.load(std::memory_order_relaxed) > 0) CedeWhatIsOwed();
  if (!parts_.queue.empty()) parts_.executors.WakeOne();
}

void TaskPlane::On(Rank, const wire::SlotsReturned& message) {
  own_slots_.fetch_add(message.cpus, std::memory_order_relaxed);
  parts_.slots.GiveBack(Amount::FromUnits(message.cpus));
  SlotWasReturned();
}

}  // namespace manta::runtime
