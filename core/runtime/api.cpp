// The public functions, over the session of this process: objects, tasks and actors. What a task knows of itself and of
// the job: api_context.cpp; start and stop: mpi/launch.
#include <manta/manta.hpp>

#include <cmath>
#include <cstring>
#include <thread>

#include "core/base/check.hpp"
#include "core/runtime/cancellable.hpp"
#include "core/runtime/completion.hpp"
#include "core/runtime/invocation.hpp"
#include "core/runtime/multi_wait.hpp"
#include "core/runtime/rank_runtime.hpp"
#include "core/runtime/wait_note.hpp"
#include "core/task/code_address.hpp"

namespace manta {
namespace detail {
namespace {

using object::Cold;
using object::ObjectState;
using object::StateOf;
using object::Status;
using runtime::DeadlineOf;
using runtime::RankRuntime;
using runtime::RunContext;

void CheckNotEmpty(const Handle& ref) {
  MANTA_EXPECT(ref, "an empty ref was used: it was default-constructed or moved from; use what Put or Remote returned");
}

/// The record behind a ref that may be used now.
inline ObjectState& Usable(RankRuntime& runtime, const Handle& ref) {
  CheckNotEmpty(ref);
  ObjectState& object = *StateOf(ref);
  MANTA_EXPECT(object.session == runtime.session(),
               "a ref from before Shutdown was used: its object is gone; make it again in this session");
  return object;
}

/// A wait for a call on the actor that runs this method would never end.
void CheckNotOwnCall(RankRuntime& runtime, ObjectState& object) {
  for (RunContext* run = RunContext::Current(); run != nullptr; run = run->outer) {
    if (run->actor == nullptr || run->actor->max_concurrency > 1) continue;
    const task::TaskPtr producer = object.owned() ? runtime.tasks().ProducerOf(object) : task::TaskPtr();
    MANTA_EXPECT(!producer || producer->kind() != wire::TaskKind::kActorCall ||
                     producer->actor().actor_id != run->actor->id,
                 "a method waits for a call to its own actor, which can't begin before it returns; call the method "
                 "directly, or use SetMaxConcurrency");
  }
}

/// Ends the wait of a thread that keeps its CPU meanwhile when it may run one of the tasks in place.
class ToldInPlace {
 public:
  ToldInPlace(RankRuntime& runtime, std::span<ObjectState* const> objects, runtime::WaitPoint& point)
      : wait_(runtime.tasks().WaitsInPlace(), objects, point) {
    if (wait_.on() && runtime.tasks().MayRunInPlace(objects)) wait_.Tell();
  }
  bool is_told() const { return wait_.is_told(); }

 private:
  runtime::InPlaceWait wait_;
};

void WaitDone(RankRuntime& runtime, ObjectState& object, std::int64_t timeout_ns) {
  if (object.done()) return;
  CheckNotOwnCall(runtime, object);
  while (runtime.tasks().TryRunInPlace(object))  // once more where it is to be tried again
    if (object.done()) return;
  if (!object.owned()) {
    runtime.objects().RequestValue(object);
    if (object.done()) return;
  }
  // A task's thread has better things to do.
  if (worker::FiberThread::Current() == nullptr && timeout_ns < 0 &&
      runtime.progress().SpinBriefly([&object] { return object.done(); }))
    return;
  const std::int64_t deadline_ns = DeadlineOf(timeout_ns);
  for (;;) {
    {
      runtime::SingleWait wait(runtime.progress(), object);
      ObjectState* const one[] = {&object};
      runtime::WaitNote note(one, 1, timeout_ns);
      runtime::Cancellable cancellable(wait.point());
      const ToldInPlace told(runtime, one, wait.point());
      const bool ended = wait.Wait(deadline_ns);
      if (object.done()) return;
      if (cancellable.IsCancelled()) throw CancelledError("the task was cancelled while it waited in Get");
      if (!ended)
        throw TimeoutError("Get: the object was not ready within " +
                           std::to_string(static_cast<double>(timeout_ns) * 1e-9) + " s; it can be waited for again");
      if (!told.is_told()) return;
    }
    while (runtime.tasks().TryRunInPlace(object))
      if (object.done()) return;
  }
}

void ThrowIfFailed(ObjectState& object) {
  if (object.status.load(std::memory_order_acquire) != Status::kFailed) return;
  object::ErrorPtr error;
  {
    std::lock_guard lock(object.Lock());
    object.cold()->error_was_read = true;
    error = object.cold()->error;
  }
  object::Throw(*error);
}

/// Ready, without an error.
ObjectState& Ready(RankRuntime& runtime, const Handle& ref, std::int64_t timeout_ns) {
  ObjectState& object = Usable(runtime, ref);
  if (object.status.load(std::memory_order_acquire) != Status::kReady) {
    WaitDone(runtime, object, timeout_ns);
    ThrowIfFailed(object);
  }
  return object;
}

}  // namespace

// ---- archives ----
void ThrowTruncated(std::size_t wanted, std::size_t left) {
  throw UsageError("serialized bytes end early: " + std::to_string(wanted) + " wanted, " + std::to_string(left) +
                   " left; do save and load of this type agree?");
}
void ThrowNoRoom(std::size_t wanted, std::size_t left) {
  throw UsageError("an object changed while it was serialized: " + std::to_string(wanted) +
                   " bytes to write, room for " + std::to_string(left));
}

void CheckRef(const Handle& ref) {
  if (ref) Usable(RankRuntime::Require(), ref);
}

void WriteArchive::AddRef(const Handle& ref) {
  runtime::RefOnWire wire;
  if (ref) {
    wire = runtime::ObjectPlane::RefTo(Usable(RankRuntime::Require(), ref));
    if (refs_ != nullptr) refs_->push_back(ref);
  }
  Bytes(&wire, sizeof(wire));
}

Handle ReadArchive::ReadRef() {
  runtime::RefOnWire wire;
  Bytes(&wire, sizeof(wire));
  if (!wire.id.valid()) return {};
  RankRuntime& runtime = RankRuntime::Require();
  RunContext* run = RunContext::Current();
  return runtime.objects().AdoptRef(wire, runtime::ReadScope::Current(), run != nullptr ? &run->unconfirmed : nullptr);
}

void ReleaseLast(CountedRecord* record) noexcept {
  RankRuntime* runtime = RankRuntime::Current();
  auto& object = *static_cast<ObjectState*>(record);
  // After Shutdown, and of a session before: nothing.
  if (runtime == nullptr || runtime->objects().FreePlain(object)) return;
  runtime->OnLastHold(object);
}

void ReleaseSole(CountedRecord* record) noexcept {
  RankRuntime* runtime = RankRuntime::Current();
  if (runtime != nullptr && runtime->objects().FreePlainSole(*static_cast<ObjectState*>(record))) return;
  if (record->holds.fetch_sub(1, std::memory_order_acq_rel) == 1) ReleaseLast(record);
}

// ---- tasks and actors ----
Handle SubmitTask(const TaskOptions& options, CallSpec&& call) {
  runtime::TaskPlane& tasks = RankRuntime::Require().tasks();
  return tasks.Submit(tasks.MakeDraft(options, std::move(call), wire::TaskKind::kTask));
}
Handle SubmitActorCall(Handle actor, const TaskOptions& options, CallSpec&& call) {
  RankRuntime& runtime = RankRuntime::Require();
  Usable(runtime, actor);
  return runtime.actors().Call(std::move(actor), options, std::move(call));
}
Handle CreateActor(const ActorOptions& options, CallSpec&& call) {
  return RankRuntime::Require().actors().Create(options, std::move(call));
}
void CancelTask(const Handle& result) {
  RankRuntime& runtime = RankRuntime::Require();
  Usable(runtime, result);
  runtime.tasks().Cancel(result);
}
void KillActor(const Handle& actor, bool no_restart) {
  RankRuntime& runtime = RankRuntime::Require();
  Usable(runtime, actor);
  runtime.actors().Kill(actor, no_restart);
}
std::optional<Handle> FindActor(const std::string& name) { return RankRuntime::Require().actors().Find(name); }

void CheckAmount(const std::string& resource, double amount, bool gpu) {
  MANTA_EXPECT(
      std::isfinite(amount) && amount >= 0 && amount < 1e12,
      "an amount of " << amount << " of '" << resource << "' was asked for; it must be a finite number of at least 0");
  MANTA_EXPECT(!gpu || amount <= 1 || amount == std::floor(amount),
               amount << " GPUs were asked for: below 1 it is a share of one device, above 1 it must be whole");
}

// ---- objects ----
Handle PutOwned(const TypeOps& ops, std::shared_ptr<const void> object) {
  return RankRuntime::Require().objects().PutOwned(ops, std::move(object));
}
Handle PutCopied(const TypeOps& ops, const void* object) {
  return RankRuntime::Require().objects().PutCopied(ops, object);
}
RawObject CreateRaw(std::size_t size_bytes) {
  auto block = RankRuntime::Require().objects().CreateBlock(size_bytes);
  std::byte* const data = block->data();
  return {std::move(block), data};
}
Handle SealRaw(RawObject&& raw, const TypeOps& ops) {
  RankRuntime& runtime = RankRuntime::Require();
  MANTA_EXPECT(raw.block, "Seal of an array that was sealed before, or moved from; Create makes a new one");
  auto& block = *static_cast<runtime::NewBlock*>(raw.block.get());
  MANTA_EXPECT(block.session() == runtime.session(),
               "Seal of an array from before Shutdown; make it again in this session");
  return runtime.objects().SealBlock(block, ops);
}
void CheckUsable(const Handle& ref) { Usable(RankRuntime::Require(), ref); }

std::shared_ptr<const void> GetObject(const Handle& ref, const TypeOps& ops, std::int64_t timeout_ns) {
  RankRuntime& runtime = RankRuntime::Require();
  ObjectState& object = Ready(runtime, ref, timeout_ns);
  return runtime.objects().Materialize(object, ops, runtime.objects().KeepHere(object));
}

void GetPlain(const Handle& ref, const TypeOps& ops, void* to, std::int64_t timeout_ns) {
  RankRuntime& runtime = RankRuntime::Require();
  ObjectState& object = Ready(runtime, ref, timeout_ns);
  runtime.objects().CopyPlain(object, ops, runtime.objects().KeepHere(object), to);
}

void GetNothing(const Handle& ref, std::int64_t timeout_ns) {
  RankRuntime& runtime = RankRuntime::Require();
  ObjectState& object = Usable(runtime, ref);
  if (object.status.load(std::memory_order_acquire) == Status::kReady) return;
  WaitDone(runtime, object, timeout_ns);
  ThrowIfFailed(object);
}

std::shared_ptr<const void> TakeObject(Handle&& ref, const TypeOps& ops, bool* sole) {
  RankRuntime& runtime = RankRuntime::Require();
  ObjectState& object = Ready(runtime, ref, kForever);
  std::shared_ptr<const void> value =
      runtime.objects().Materialize(object, ops, runtime.objects().KeepHere(object));
  const Handle last = std::move(ref);
  {
    std::lock_guard lock(object.Lock());
    const Cold* cold = object.cold();
    if (cold == nullptr || cold->live != value) return value;  // read in place: there is nothing to move
  }
  // The task that made it lets go of it a moment after it is ready: what looks shared may be so for that moment only.
  for (int patience = 0; object.holds.load(std::memory_order_acquire) > 1 && patience < 100; ++patience)
    std::this_thread::yield();
  std::lock_guard lock(object.Lock());
  Cold* const cold = object.cold();
  if (object.holds.load(std::memory_order_acquire) == 1 && cold != nullptr &&
      (!cold->owner_side || cold->owner_side->borrowers.empty()) && cold->live == value && value.use_count() == 2) {
    cold->live.reset();
    *sole = true;
  }
  return value;
}

namespace {

/// Fills `done` with the positions of the first `count` refs that are done. Looks no further.
void FirstDone(const HandleView& refs, std::size_t count, std::vector<std::uint32_t>& done) {
  done.clear();
  for (std::size_t i = 0; i < refs.size() && done.size() < count; ++i)
    if (StateOf(refs[i])->done()) done.push_back(static_cast<std::uint32_t>(i));
}

/// Waits until `count` of those that `refs` names are done, `ready` of which were when it was called.
void WaitForSome(RankRuntime& runtime, const HandleView& refs, std::size_t ready, std::size_t count,
                 std::int64_t timeout_ns) {
  std::vector<ObjectState*> pending;
  pending.reserve(refs.size() - ready);
  std::size_t done = 0;
  for (std::size_t i = 0; i < refs.size(); ++i) {
    ObjectState& object = *StateOf(refs[i]);
    if (object.done()) {
      ++done;
      continue;
    }
    CheckNotOwnCall(runtime, object);
    if (!object.owned()) runtime.objects().RequestValue(object);
    if (object.done())
      ++done;
    else
      pending.push_back(&object);
  }
  // Waiting for all of them is as good as getting them one by one, and may run them in place.
  const bool in_place = count == refs.size() && timeout_ns < 0;
  const std::int64_t deadline_ns = DeadlineOf(timeout_ns);
  for (bool again = true; again;) {
    if (in_place)
      for (ObjectState* object : pending)
        while (!object->done() && runtime.tasks().TryRunInPlace(*object)) {
        }
    if (done >= count) return;
    runtime::MultiWait wait(runtime.progress(), pending, count - done);
    runtime::Cancellable cancellable(wait.point());
    const ToldInPlace told(runtime, in_place ? pending : std::span<ObjectState* const>(), wait.point());
    wait.Wait(deadline_ns);
    if (cancellable.IsCancelled()) throw CancelledError("the task was cancelled while it waited");
    again = told.is_told();
  }
}

}  // namespace

/// Of a long list of refs most objects are in no cache: those that come next are fetched while one is looked at.
constexpr std::size_t kAhead = 8;

void WaitObjects(const HandleView& refs, std::size_t count, std::int64_t timeout_ns, std::vector<std::uint32_t>& done) {
  RankRuntime& runtime = RankRuntime::Require();
  bool any_empty = false;
  for (std::size_t i = 0; i < refs.size(); ++i) any_empty |= refs[i].get() == nullptr;
  if (any_empty) CheckNotEmpty(Handle());
  // Up to the first `count` that are done; all where there are fewer.
  done.clear();
  for (std::size_t i = 0; i < refs.size() && (count == 0 || done.size() < count); ++i) {
    if (i + kAhead < refs.size()) __builtin_prefetch(refs[i + kAhead].get());
    if (Usable(runtime, refs[i]).done()) done.push_back(static_cast<std::uint32_t>(i));
  }
  if (timeout_ns == 0) {
    if (count != 0 && done.size() >= count) return;
    for (std::size_t i = 0; i < refs.size(); ++i)
      if (ObjectState& object = *StateOf(refs[i]); !object.done() && !object.owned())
        runtime.objects().RequestValue(object);
    runtime.progress().TryPoll();
  } else if (done.size() < count) {
    WaitForSome(runtime, refs, done.size(), count, timeout_ns);
  } else {
    return;
  }
  FirstDone(refs, count == 0 ? refs.size() : count, done);
}

std::strong_ordering CompareIds(const Handle& a, const Handle& b) {
  const ObjectId none;
  return (a ? StateOf(a)->id : none) <=> (b ? StateOf(b)->id : none);
}
std::size_t HashId(const Handle& a) { return std::hash<ObjectId>()(a ? StateOf(a)->id : ObjectId()); }
std::string IdText(const Handle& a) {
  if (!a) return {};
  std::ostringstream text;
  text << StateOf(a)->id;
  return text.str();
}

struct CompletionQueue::State {
  State(worker::Progress& progress, const HandleView& refs) : completion(progress, refs) {}
  runtime::Completion completion;
};
CompletionQueue::CompletionQueue(const HandleView& refs) {
  RankRuntime& runtime = RankRuntime::Require();
  for (std::size_t i = 0; i < refs.size(); ++i) {
    ObjectState& object = Usable(runtime, refs[i]);
    if (!object.done() && !object.owned()) runtime.objects().RequestValue(object);
  }
  state_ = std::make_unique<State>(runtime.progress(), refs);
}
CompletionQueue::~CompletionQueue() = default;
std::optional<std::size_t> CompletionQueue::Next(std::int64_t timeout_ns, bool* timed_out) {
  RankRuntime::Require();
  return state_->completion.Next(timeout_ns, timed_out);
}

}  // namespace detail

}  // namespace manta
