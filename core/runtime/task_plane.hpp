#pragma once
// Tasks on one rank: submitted, placed, sent, run, finished, retried, cancelled. The states are in
// task/task_record.hpp.

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/runtime/back_pressure.hpp"
#include "core/runtime/foreign_tasks.hpp"
#include "core/runtime/in_place_wait.hpp"
#include "core/runtime/leased_pool.hpp"
#include "core/runtime/object_plane.hpp"
#include "core/runtime/run_context.hpp"
#include "core/runtime/task_links.hpp"
#include "core/runtime/task_places.hpp"
#include "core/runtime/executor_pool.hpp"
#include "core/runtime/waiting_askers.hpp"
#include "core/scheduling/ledger.hpp"
#include "core/scheduling/ready_queue.hpp"
#include "core/wire/hang_messages.hpp"

namespace manta::runtime {

using task::TaskPtr;
using task::TaskRecord;

/// What the task room hands on to the actors' room.
class ActorTasks {
 public:
  /// An actor's creation or call whose arguments are ready, at its owner; or failed (or was cancelled), then `error`
  /// says why. Maybe under the token.
  virtual void OwnedActorTaskReady(TaskPtr&& task, const object::ErrorPtr& error) = 0;
  /// Where a call of this rank goes that is given nothing that is not ready, so that it can leave at once: the host of its
  /// actor. Invalid where that is not known, or the call has its place in an order.
  virtual Rank HostOf(TaskRecord& call) = 0;
  /// An actor's creation or call that came from another rank, or from this one; its arguments may still be on their
  /// way (then its phase is kWaiting, and ActorTaskRunnable follows).
  virtual void ActorTaskArrived(TaskPtr&& task) = 0;
  /// The arguments of one that had arrived are here now.
  virtual void ActorTaskRunnable(const TaskPtr& task) = 0;
  /// A call failed because its actor is gone; whether it was sent again instead.
  virtual bool RetryActorCall(const TaskPtr& task) = 0;
  /// A creation is over, at its owner.
  virtual void CreationDone(const TaskPtr& task, const object::ErrorPtr& error) = 0;

 protected:
  ~ActorTasks() = default;
};

class TaskPlane final : private task::ArgumentEvents {
 public:
  struct Options {
    Rank self;
    int ranks = 1;
    std::vector<scheduling::NodeSpec> nodes;
    bool central = false;  // rank 0 places every task, also those of one CPU
    std::uint32_t credits = 4096;
    std::uint64_t queue_bytes = 0;  // 0: no bound
  };
  struct Parts {
    ObjectPlane& objects;
    Router& router;
    worker::Progress& progress;
    ExecutorPool& executors;
    LanePool& lanes;
    LeasedPool& leased;
    scheduling::ReadyQueue& queue;
    node::SlotTable& slots;
    Counters& counters;
  };
  TaskPlane(Options options, Parts parts);
  void SetActors(ActorTasks& actors) { actors_ = &actors; }
  /// Called on the leased thread before each leased run: makes the lease's device current.
  void SetBeforeLeasedRun(std::function<void(const wire::Lease&)> action) { before_leased_run_ = std::move(action); }

  // ---- submitting: throws UsageError, InfeasibleError ----
  /// A task that is not yet submitted, known to its maker only.
  struct Draft {
    TaskPtr task;   // with its result object, seed and shape
    Handle result;  // for who gets the ref
  };
  /// May wait for room (queue-bytes), and park. `extra`: it needs a TaskExtra whatever the options say.
  Draft MakeDraft(const detail::TaskOptions& options, detail::CallSpec&& call, task::TaskKind kind, bool extra = false);
  /// A record with the same call and options, of the same result; it holds that too, or only names it.
  static TaskPtr CopyOf(const TaskRecord& old, bool hold_result);
  /// Waits for the arguments, then places the task (or hands it to the actors' room).
  Handle Submit(Draft&& draft);
  void Cancel(const Handle& result);
  /// Runs the unstarted task of `object` in place, if it is this rank's and may run here. Returns whether it did.
  bool TryRunInPlace(ObjectState& object);
  /// For a thread that is about to wait: null, or those that hear when a task of theirs may begin, since it may be that
  /// nobody else can run it. Then it must look itself first, by MayRunInPlace.
  InPlaceWaits* WaitsInPlace();
  /// Whether TryRunInPlace would run one of them, as far as they go.
  bool MayRunInPlace(std::span<ObjectState* const> objects);
  /// The record that makes an object of this rank, if it is not done.
  TaskPtr ProducerOf(ObjectState& object);

  // ---- placing and running ----
  /// Finds a rank and resources. Maybe under the token.
  void Place(TaskPtr task);
  /// Sends the task; its arguments are serialized first where they are only live (in a lane, where it must not block).
  void SendTo(TaskPtr&& task, Rank to);
  static bool ArgumentsHaveBytes(const TaskRecord& record);
  /// Whether this thread must neither block nor run user code: it has the token, or tells those who wait for an object,
  /// the others of whom would have to wait too (or a flow of this very thread, for it).
  bool MustNotBlock() const { return parts_.progress.HeldByThisThread() || GoesOnWithOthers(); }
  /// Serializes the arguments that are only live. User code. Returns the error if one can't be.
  object::ErrorPtr MakeArgumentBytes(TaskRecord& record);
  /// An owned task that is to run on this rank: brings its arguments here, then runs it.
  void Deliver(TaskPtr task);
  /// The same for an actor's, which takes its place in the actor's order at once.
  void DeliverToActor(TaskPtr&& task);
  /// Runs the thunk and returns its outcome. User code.
  static task::RunResult Execute(TaskRecord& task, RunContext& run, void* self, ObjectPlane& objects);
  /// Reports the outcome to the owner, here or elsewhere. User code.
  void Finish(const TaskPtr& task, RunContext& run, task::RunResult&& result);
  /// At the owner: the result is known. Maybe under the token.
  void Complete(const TaskPtr& task, wire::Outcome outcome, const wire::ValueDescriptor* value, Rank from,
                object::ErrorPtr error, task::RunResult* local);
  /// A fresh record of the same task, which takes the place of one that may still run where nobody listens any more.
  TaskPtr Replace(const TaskPtr& task);
  void FailTask(const TaskPtr& task, object::ErrorPtr error);
  void RunOnExecutor(const TaskPtr& task, int executor);
  void ExecutorIsIdle();
  void SlotWasReturned();
  /// The running task of the calling flow is about to wait: its owner may send others in its place.
  void RunningTaskWaits();
  /// It goes on after that.
  void RunningTaskGoesOn();
  bool SlotsAreOwed() const { return owed_cpus_.load(std::memory_order_relaxed) > 0; }
  void BorrowWasConfirmed();
  void ReturnLease(const wire::Lease& lease);
  void Housekeeping();
  /// Messages were handled: what they left for the end of the batch. Holder of the token.
  void Polled();
  /// From the service thread, at each of its ticks. Whether it must tick on.
  bool Tick();
  /// Asks the ledger for what an actor or task wants; `then` gets the granted lease under the token.
  void AskForLease(const TaskPtr& task);
  std::optional<std::string> WhyInfeasible(const wire::Shape& shape, std::optional<Rank> rank) const;
  /// Drops what is queued here; returns the number. For the end of a session.
  std::uint64_t DropQueued();
  /// The slots that this rank has for one-CPU tasks, free or not: its own less those it has ceded. In 1/10,000 CPU.
  std::int64_t slot_units() const { return own_slots_.load(std::memory_order_relaxed); }
  std::uint64_t pending() const {
    const std::uint64_t finished = finished_.Sum();  // first: what has finished was submitted before
    return submitted_.Sum() - finished;
  }
  std::uint64_t finished() const { return finished_.Sum(); }
  static std::string NameOf(const TaskRecord& task);
  /// How the tasks that make these objects stand, as far as this rank owns or runs them. In hang_answer.cpp.
  std::vector<wire::HangTask> TellOf(const std::vector<ObjectId>& objects);

  // ---- messages ----
  void OnTaskPush(Rank from, std::span<const std::byte> message);
  void OnTaskOk(Rank from, std::span<const std::byte> message);
  void On(Rank from, const wire::TaskClassNotice& message);
  void On(Rank from, const wire::TaskDone& message);
  void On(Rank from, const wire::TaskStarted& message);
  void On(Rank from, const wire::TaskCancel& message);
  void On(Rank from, const wire::WorkRequest& message);
  void On(Rank from, const wire::NoWork& message);
  void On(Rank from, const wire::AnswerAskers& message);
  void On(Rank from, const wire::HandBack& message);
  void On(Rank from, const wire::WorkHint& message);
  void On(Rank from, const wire::PlaceGrant& message);
  void On(Rank from, const wire::PlacesRecall& message);
  void On(Rank from, const wire::LeaseGrant& message);
  void On(Rank from, const wire::CedeSlots& message);
  void On(Rank from, const wire::SlotsReturned& message);

 private:
  class ActorWait;
  class ArrivedWait;
  struct Delayed {
    wire::TaskDone message;
    Rank owner;
    std::vector<Handle> unconfirmed;  // confirmed, below `looked_at`: what was confirmed stays so
    std::vector<Handle> contained;
    std::size_t looked_at = 0;
  };

  void SetShape(TaskRecord& task, const detail::TaskOptions& options) const;
  void AskFor(const Handle& ref);
  // The steps of a task that waited: its arguments are done; so is the address of a call's actor; it is its turn on
  // this thread.
  void ArgumentsDone(TaskPtr task) override;
  bool AwaitActor(const TaskPtr& task);
  /// Whether this thread is inside GoOn.
  static bool& GoesOnWithOthers();
  void GoOn(TaskPtr task);
  void ArgumentsReady(TaskPtr&& task);
  static bool MustFail(const TaskRecord& record);
  object::ErrorPtr ArgumentError(const TaskRecord& record) const;
  void Enqueue(TaskPtr task);
  void Arrived(TaskPtr task);
  void RunLeased(TaskPtr task);
  void RunInLane(TaskPtr task);
  void FinishWithMore(const TaskPtr& task, RunContext& run, task::RunResult&& result);
  std::optional<wire::ValueDescriptor> FitHere(TaskRecord& record, task::RunResult& result,
                                               std::vector<Handle>* contained);
  object::ErrorPtr FailureToStore(const TaskRecord& record) const;
  void RunHere(const TaskPtr& task, int executor);
  void SendNow(TaskPtr&& task, Rank to, bool fresh = false);
  void SendFresh(TaskPtr&& task, Rank to);
  Rank LeavesAtOnceTo(TaskRecord& record) const;
  void CountUnstarted(TaskRecord& record);
  void SendWaiting(Rank to, std::uint32_t credits);
  void CreditCameBack(Rank from);
  bool NeedsCredit(const TaskRecord& record) const {
    // Under scheduler=central the window of the rank that it is placed at bounds them.
    return record.is_plain_cpu_task() && record.is_pinned() && !options_.central;
  }
  void TellClass(Rank to, const task::TaskClass& task_class);
  void WriteArguments(wire::Writer& writer, const TaskRecord& record, Rank to);
  void WriteMore(wire::Writer& writer, const task::TaskExtra& extra, Rank to);
  void SendOk(const TaskRecord& record, const task::RunResult& result);
  void SendDone(Delayed&& done);
  void CancelOwned(const TaskPtr& task, const Handle& result);
  void CancelChildren(std::uint32_t run_id);
  void CountDone(TaskRecord& record);
  /// The arguments are no longer needed.
  static void LetGoOfCall(TaskRecord& record) {
    if (record.has_parts()) LetGoOfParts(record);
  }
  static void LetGoOfParts(TaskRecord& record);
  bool CedeWhatIsOwed();
  bool ForgetLeaseRequest(const TaskPtr& task);
  void SayBacklog();
  void TellOfBacklog();
  bool Supply(Rank to, std::uint32_t want);
  void CallToAskers();
  void TakeBacklogBack();
  void AskForWork();
  std::uint32_t WorkAhead(std::uint32_t cpus) const;
  std::uint32_t Want() const;
  // Under scheduler=central, in task_places.cpp:
  /// Whether rank 0 places it, without a lease.
  bool HasPlace(const TaskRecord& record) const;
  bool HasOwnSlot() const { return slot_units() >= Amount::Whole(1).units(); }
  void AskForPlace(TaskPtr task, bool again);
  /// One that was placed here has ended, or waits, or goes; one that has given its place back, or has none, is nothing.
  void PlaceEnded(const TaskRecord& record);
  /// Those of tasks of ours that do not come there.
  void ReturnPlaces(Rank at, std::uint32_t count);
  /// Tells rank 0 what has ended and how much may come. `answers`: PlacesBack::answers.
  void TellPlaces(std::uint8_t answers);
  bool GivePlacesBack(std::size_t count);
  void SlotsChanged();
  void TaskLiesBehind();
  void TickPlaces();
  /// Claims an unstarted task of ours to run it in place.
  static bool ClaimPast(TaskRecord& task);
  bool IsForThisRank(const TaskRecord& task) const;
  /// The executor that the calling thread may run a task on in place, -1 where it is none; nothing where it may not.
  static std::optional<int> ExecutorInPlace();

  const Options options_;
  Parts parts_;
  ActorTasks* actors_ = nullptr;
  std::function<void(const wire::Lease&)> before_leased_run_;
  static constexpr std::uint64_t kSubmitsPerPoll = 32;
  static constexpr std::size_t kLongBacklog = 64;
  static constexpr std::int64_t kAheadNs = 200'000;  // see WorkAhead
  static constexpr int kDryLooks = 3;  // a millisecond each
  static constexpr std::uint32_t kCreditBatch = 16;  // credits given back in one step at most
  static constexpr std::size_t kPlainInTaskOk = 24;  // with the head a cell of a ring

  base::SpreadCounter submitted_;  // by this rank; for Drain and shutdown
  base::SpreadCounter finished_;
  BackPressure back_pressure_;
  ForeignTasks foreign_;
  PlacelessTasks placeless_;
  EndedPlaces ended_places_;
  std::mutex tell_mutex_;                    // held while rank 0 is told of places
  std::atomic<std::int64_t> told_at_ns_{0};  // when that was last; relaxed: a hint
  InPlaceWaits in_place_waits_;
  TaskLinks links_;
  std::vector<std::uint32_t> credits_back_;  // by rank, of this batch of messages; token's holder only
  std::vector<Rank> credits_back_from_;      // those that are in it; token's holder only
  // The classes of other ranks' tasks as this process has them, by their numbers; token's holder only.
  std::vector<std::vector<const task::TaskClass*>> classes_of_;

  std::mutex lease_mutex_;
  std::uint64_t next_request_ = 1;                            // guarded by lease_mutex_
  std::unordered_map<std::uint64_t, TaskPtr> lease_waiting_;  // by request; guarded by lease_mutex_

  std::mutex delayed_mutex_;
  std::vector<Delayed> delayed_;  // outcomes that wait for confirmations; guarded by delayed_mutex_
  std::atomic<bool> any_delayed_{false};

  std::atomic<std::int64_t> own_slots_{0};  // relaxed, see SlotsChanged
  // Was recalled with nothing to give; seq_cst, see On(PlacesRecall). Who takes it down tells rank 0.
  std::atomic<bool> says_next_{false};
  std::atomic<std::int64_t> owed_cpus_{0};  // to the ledger, 1/10,000; relaxed: a debt is paid at the next chance
  std::atomic<bool> said_backlog_{false};
  WaitingAskers askers_;
  int dry_looks_ = 0;  // with nothing for others, in a row; token's holder only
  std::atomic<bool> asked_for_work_{false};   // a Hungry or WorkRequest is under way
  std::atomic<int> supplier_{-1};             // who gave us work last
  std::atomic<std::int64_t> mean_run_ns_{0};  // of tasks that others gave us, or rank 0 placed here; relaxed estimate
};

}  // namespace manta::runtime
