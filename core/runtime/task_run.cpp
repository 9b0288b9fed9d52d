// Running tasks on this rank.
#include <exception>
#include <optional>

#include "core/base/event_ring.hpp"
#include "core/base/log.hpp"
#include "core/runtime/invocation.hpp"
#include "core/runtime/task_plane.hpp"
#include "core/runtime/wait_note.hpp"
#include "core/worker/openmp.hpp"

namespace manta::runtime {

using task::Phase;
using task::RunResult;

RunResult TaskPlane::Execute(TaskRecord& record, RunContext& run, void* self, ObjectPlane& objects) {
  RunResult result;
  run.task = &record;
  run.submitter.seed = record.seed;
  record.where.store(0, std::memory_order_relaxed);
  RunContext::Scope scope(run);
  TaskInvocation invocation(record, self, objects, result);
  const ObjectId id = record.result();
  const bool call = record.kind() == task::TaskKind::kActorCall;
  base::Record(call ? base::EventKind::kCallStarted : base::EventKind::kTaskStarted, id);
  try {
    invocation.KeepArguments(run.outer != nullptr);
    record.task_class().thunk(invocation);
    result.ok = true;
  } catch (const ExitActorSignal&) {
    result.ok = true;
    result.actor_exits = true;
  } catch (...) {
    const std::exception_ptr thrown = std::current_exception();
    result.error = object::FromException(thrown, NameOf(record), objects.self().value);
    const detail::ExceptionMatcher matcher = record.task_class().retry_matcher;
    result.retry = matcher != nullptr && matcher(thrown);
    result.live.reset();
  }
  base::Record(call ? base::EventKind::kCallEnded : base::EventKind::kTaskEnded, id);
  return result;
}

void TaskPlane::RunHere(const TaskPtr& task, int executor) {
  const RunNote note;
  RunContext run;
  run.executor = executor;
  if (task->cancelled.load(std::memory_order_acquire)) {
    PlaceEnded(*task);
    RunResult cancelled;
    cancelled.error = object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(*task) + "' was cancelled");
    Finish(task, run, std::move(cancelled));
    return;
  }
  if (task->owned() && task->TakeCountsUnstarted())
    back_pressure_.SubtractUnstarted(task->memory_bytes());
  const bool timed = HasPlace(*task) || (!task->owned() && !task->is_pinned());
  const std::int64_t begin = timed ? base::NowNanoseconds() : 0;
  bool tells = false;
  RunResult result = Execute(*task, run, nullptr, parts_.objects);
  if (begin != 0) {
    // A running mean over about 16 runs: it decides how many of others' tasks are fetched ahead.
    const std::int64_t mean = mean_run_ns_.load(std::memory_order_relaxed);
    const std::int64_t last = base::NowNanoseconds() - begin;
    mean_run_ns_.store(mean == 0 ? last : mean + (last - mean) / 16, std::memory_order_relaxed);
    // The window was for shorter ones than these.
    tells = begin + last - told_at_ns_.load(std::memory_order_relaxed) >= kAheadNs;
  }
  if (options_.central) {
    PlaceEnded(*task);
    // Before the result, so that rank 0 knows when its receiver asks for the next place.
    if (ended_places_.any() && (tells || parts_.queue.empty())) TellPlaces(0);
  }
  if (executor >= 0 && run.outer == nullptr) parts_.executors.TaskEnds();
  Finish(task, run, std::move(result));
}

void TaskPlane::RunOnExecutor(const TaskPtr& task, int executor) {
  // A push ends the question of the whole rank: another executor that is idle asks again.
  if (options_.ranks > 1 && parts_.executors.AnyIdle() && parts_.queue.empty()) AskForWork();
  // Two that came at once may both have been taken for one that begins.
  if (options_.central && parts_.queue.AnyMovable()) TaskLiesBehind();
  RunHere(task, executor);
  if (options_.ranks > 1 && supplier_.load(std::memory_order_relaxed) >= 0 && parts_.queue.size() < Want() / 2)
    AskForWork();
}

void TaskPlane::RunInLane(TaskPtr task) {
  parts_.lanes.Push([this, task = std::move(task)] {
    if (task->Claim()) RunHere(task, -1);
  });
}

namespace {
/// A leased task that waits gives its CPUs back to rank 0's ledger, and takes them again afterwards.
class LeaseHooks final : public WaitHooks {
 public:
  LeaseHooks(Router& router, std::uint64_t lease) : router_(router), lease_(lease), outer_(OfThisThread()) {
    OfThisThread() = this;
  }
  ~LeaseHooks() { OfThisThread() = outer_; }
  bool BeforeWait() override {
    router_.Send(Rank(0), wire::LeaseSuspend{lease_});
    return false;
  }
  void AfterWait(bool) override { router_.Send(Rank(0), wire::LeaseResume{lease_}); }

 private:
  Router& router_;
  std::uint64_t lease_;
  WaitHooks* outer_;
};
}  // namespace

void TaskPlane::RunLeased(TaskPtr task) {
  const wire::Lease& lease = task->extra()->lease;
  parts_.leased.Run(lease, [this, task = std::move(task)] {
    if (!task->Claim()) {
      ReturnLease(task->extra()->lease);
      return;
    }
    parts_.progress.block().running.fetch_add(1, std::memory_order_relaxed);
    {
      LeaseHooks hooks(parts_.router, task->lease_id());
      if (before_leased_run_) before_leased_run_(task->extra()->lease);
      RunHere(task, -1);
    }
    parts_.progress.block().running.fetch_sub(1, std::memory_order_relaxed);
  });
}

std::optional<int> TaskPlane::ExecutorInPlace() {
  constexpr std::size_t kStack = worker::StackPool::kTaskStackBytes;
  if (const worker::FiberThread* fibers = worker::FiberThread::Current(); fibers != nullptr) {
    const RunContext* run = RunContext::Current();
    if (run == nullptr || run->executor < 0 || fibers->StackLeft() < kStack) return std::nullopt;
    return run->executor;
  }
  // A helper of a task's region shares the task's CPU, which is not free for others before the region ends.
  if (!worker::openmp::IsHelper() || worker::openmp::StackLeftOfHelper() < kStack) return std::nullopt;
  return -1;
}

bool TaskPlane::IsForThisRank(const TaskRecord& task) const {
  return task.one_cpu && task.kind() == task::TaskKind::kTask && (!task.is_pinned() || task.pinned() == options_.self);
}

bool TaskPlane::TryRunInPlace(ObjectState& object) {
  const std::optional<int> executor = ExecutorInPlace();
  if (!executor) return false;
  TaskPtr task = ProducerOf(object);
  if (!task || !IsForThisRank(*task)) return false;
  if (options_.central ? !ClaimPast(*task) : !task->Claim()) return false;
  RunHere(task, *executor);
  return true;
}

namespace {
wire::Outcome OutcomeOf(const RunResult& result) {
  if (result.ok) return wire::Outcome::kOk;
  if (result.retry) return wire::Outcome::kRetry;
  return result.error->kind == object::ErrorKind::kCancelled ? wire::Outcome::kCancelled : wire::Outcome::kFailed;
}
}  // namespace

/// A result that no store can hold is an error here as it would be from another rank. It stays as it is in the memory of the
/// process, if there is room; else it is sealed as for another rank, and described.
std::optional<wire::ValueDescriptor> TaskPlane::FitHere(TaskRecord& record, RunResult& result,
                                                        std::vector<Handle>* contained) {
  try {
    const std::size_t size = result.ops->measure(result.live.get());
    parts_.objects.CheckSize(size);
    parts_.objects.CheckSerialize(*result.ops, result.live);
    if (parts_.objects.CountLive(result.live, size)) return std::nullopt;
    if (task::ArgumentPart* const arguments = record.argument_part()) arguments->DropKept();
    auto value = parts_.objects.DescribeResult(record.result(), *result.ops, result.live.get(), contained);
    result.live.reset();
    return value;
  } catch (...) {
    result.error = FailureToStore(record);
    result.ok = false;
    result.live.reset();
    return std::nullopt;
  }
}

/// The error of a value that could not be measured, written or stored; to be called in the handler.
object::ErrorPtr TaskPlane::FailureToStore(const TaskRecord& record) const {
  return object::FromException(std::current_exception(), NameOf(record), options_.self.value);
}

void TaskPlane::Finish(const TaskPtr& task, RunContext& run, RunResult&& result) {
  TaskRecord& record = *task;
  Counters::Add(record.kind() == task::TaskKind::kTask ? parts_.counters.tasks_executed
                                                     : parts_.counters.actor_tasks_executed);
  const bool leased = record.kind() == task::TaskKind::kTask && record.lease_id() != 0;
  if (record.owned()) {
    if (leased) ReturnLease(std::exchange(record.extra()->lease, {}));
    std::optional<wire::ValueDescriptor> sealed;
    std::vector<Handle> contained;
    if (result.ok && result.live != nullptr) sealed = FitHere(record, result, &contained);
    if (sealed)
      Complete(task, wire::Outcome::kOk, &*sealed, options_.self, nullptr, nullptr);
    else
      Complete(task, OutcomeOf(result), nullptr, options_.self, result.error, &result);
    return;
  }
  const ObjectId id = record.result();
  if (result.ok && (result.ops == nullptr || (result.live == nullptr && result.plain_size <= kPlainInTaskOk)) &&
      run.unconfirmed.empty()) {
    record.phase.store(Phase::kDone, std::memory_order_release);
    if (leased) ReturnLease(std::exchange(record.extra()->lease, {}));
    LetGoOfCall(record);
    SendOk(record, result);
    foreign_.Remove(task, id);  // the answer need not wait for it
    return;
  }
  FinishWithMore(task, run, std::move(result));
}

/// What does not fit into a TaskOk, or has to wait for others.
void TaskPlane::FinishWithMore(const TaskPtr& task, RunContext& run, RunResult&& result) {
  TaskRecord& record = *task;
  const ObjectId id = record.result();
  Delayed done;
  done.owner = id.owner;
  done.message.result = id;
  done.message.outcome = OutcomeOf(result);
  done.message.attempt = record.attempt;
  done.message.started_before = record.credit_returned;
  // The result may need their room.
  if (task::ArgumentPart* const arguments = record.argument_part()) arguments->DropKept();
  if (result.ok && result.ops != nullptr) {
    try {
      if (result.live != nullptr) {
        done.message.value =
            parts_.objects.DescribeResult(id, *result.ops, result.live.get(), &done.contained);
      } else {
        done.message.value.type_hash = result.ops->hash;
        done.message.value.format = static_cast<std::uint8_t>(result.ops->format);
        done.message.value.size = result.plain_size;
        done.message.value.inside.assign(result.plain, result.plain + result.plain_size);
      }
    } catch (...) {
      result.error = FailureToStore(record);
    }
  }
  if (result.error != nullptr) {
    if (done.message.outcome == wire::Outcome::kOk) done.message.outcome = wire::Outcome::kFailed;
    done.message.value = {};
    done.contained.clear();
    done.message.error = object::ToWire(*result.error);
  }
  record.phase.store(Phase::kDone, std::memory_order_release);
  foreign_.Remove(task, id);
  if (record.kind() == task::TaskKind::kTask && record.lease_id() != 0)
    ReturnLease(std::exchange(record.extra()->lease, {}));
  // The arguments' holds go before the outcome does: refs that nobody kept are then dropped, and need no confirmation.
  LetGoOfCall(record);
  result.live.reset();
  std::erase_if(run.unconfirmed, [](const Handle& ref) { return ObjectPlane::IsConfirmed(*object::StateOf(ref)); });
  done.unconfirmed = std::move(run.unconfirmed);
  if (done.unconfirmed.empty()) {
    SendDone(std::move(done));
    return;
  }
  {
    std::lock_guard lock(delayed_mutex_);
    delayed_.push_back(std::move(done));
    any_delayed_.store(true, std::memory_order_release);
  }
  BorrowWasConfirmed();  // it may have been while we looked
}

void TaskPlane::SendOk(const TaskRecord& record, const RunResult& result) {
  struct {
    wire::TaskOk head;
    std::byte value[kPlainInTaskOk];
  } message;
  const ObjectId id = record.result();
  message.head = {};
  message.head.slot = id.slot;
  message.head.generation = id.generation;
  message.head.attempt = record.attempt;
  message.head.started_before = record.credit_returned;
  std::size_t size = sizeof(message.head);
  if (result.ops != nullptr) {
    message.head.format = static_cast<std::uint8_t>(result.ops->format);
    message.head.type_hash = result.ops->hash;
    message.head.size = result.plain_size;
    std::memcpy(message.value, result.plain, result.plain_size);
    size += result.plain_size;
  }
  parts_.router.StampHeader(message.head);
  parts_.router.SendBytes(id.owner, {reinterpret_cast<const std::byte*>(&message), size});
}

void TaskPlane::RunningTaskWaits() {
  bool had_place = false;
  for (RunContext* run = RunContext::Current(); run != nullptr; run = run->outer) {
    TaskRecord& task = *run->task;
    // Not where the thread itself waits, in an OpenMP region: then no other task can run on this CPU.
    if (HasPlace(task) && !task.credit_returned && worker::FiberThread::CurrentToPark() != nullptr) {
      PlaceEnded(task);
      task.credit_returned = had_place = true;
    }
    if (options_.central) continue;
    if (task.owned() || !task.is_pinned() || !task.one_cpu || task.kind() != task::TaskKind::kTask) continue;
    if (task.credit_returned) continue;
    task.credit_returned = true;
    parts_.router.Send(task.owner(), wire::TaskStarted{1});
  }
  // At once: what it waits for may need this place.
  if (had_place && ended_places_.any()) TellPlaces(0);
}

void TaskPlane::SendDone(Delayed&& done) {
  for (const Handle& ref : done.contained) parts_.objects.CountSentRef(*object::StateOf(ref), done.owner);
  // Kept before the message leaves: its answer may come at once.
  parts_.objects.KeepUntilTransit(done.owner, done.contained);
  parts_.router.Send(done.owner, done.message);
}

void TaskPlane::BorrowWasConfirmed() {
  if (!any_delayed_.load(std::memory_order_acquire)) return;
  std::vector<Delayed> ready;
  {
    std::lock_guard lock(delayed_mutex_);
    for (auto it = delayed_.begin(); it != delayed_.end();) {
      while (it->looked_at < it->unconfirmed.size() &&
             ObjectPlane::IsConfirmed(*object::StateOf(it->unconfirmed[it->looked_at])))
        ++it->looked_at;
      if (it->looked_at == it->unconfirmed.size()) {
        ready.push_back(std::move(*it));
        it = delayed_.erase(it);
      } else {
        ++it;
      }
    }
    any_delayed_.store(!delayed_.empty(), std::memory_order_release);
  }
  for (Delayed& done : ready) SendDone(std::move(done));
}

}  // namespace manta::runtime
