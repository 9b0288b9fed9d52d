#pragma once
// Actors on one rank: those that it made (owner), those that live here (host), and calls on their way to others.

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/actor/call_order.hpp"
#include "core/actor/name_table.hpp"
#include "core/runtime/queries.hpp"
#include "core/runtime/task_plane.hpp"
#include "core/wire/hang_messages.hpp"

namespace manta::runtime {

/// What an actor's object holds: where it lives, and what a caller must know.
struct ActorAddress {
  std::int32_t host = -1;
  std::int32_t max_task_retries = 0;
  std::int32_t max_concurrency = 1;
};

class ActorPlane;

/// An actor on its host. kCreating -> kAlive -> kDead; kAlive -> kCreating when it is made anew.
/// There may be a hundred thousand of them: what only some have is apart.
class ActorInstance : public base::Counted {
 public:
  enum class State { kCreating, kAlive, kDead };
  explicit ActorInstance(const ObjectId& actor) : id(actor) {}
  ~ActorInstance() {
    while (!mailbox.empty()) mailbox.Pop();
    while (!running_calls.empty()) running_calls.Pop();
  }

  /// Calls, linked through their records, each with a hold.
  class Calls {
   public:
    bool empty() const { return first_ == nullptr; }
    TaskRecord* first() const { return first_; }
    void Push(TaskPtr task) {
      TaskRecord* record = task.Release();
      record->queue_next = nullptr;
      (first_ == nullptr ? first_ : last_->queue_next) = record;
      last_ = record;
    }
    TaskPtr Pop() {
      TaskPtr task = TaskPtr::Adopt(first_);
      first_ = std::exchange(task->queue_next, nullptr);
      return task;
    }
    /// False when it is not there.
    bool Remove(const TaskRecord& record) {
      TaskRecord* before = nullptr;
      for (TaskRecord* at = first_; at != nullptr; before = at, at = at->queue_next) {
        if (at != &record) continue;
        (before == nullptr ? first_ : before->queue_next) = at->queue_next;
        if (last_ == at) last_ = before;
        at->queue_next = nullptr;
        TaskPtr::Adopt(at);
        return true;
      }
      return false;
    }
    void MoveTo(std::vector<TaskPtr>& to) {
      while (!empty()) to.push_back(Pop());
    }

   private:
    TaskRecord* first_ = nullptr;
    TaskRecord* last_ = nullptr;
  };
  struct Rare {
    wire::Lease lease;
    std::string name;
    std::string reason;  // of kDead
  };
  /// A turn of the actor in a lane: its calls run until there are none, or for one turn.
  struct Turn : LaneJob {
    ActorPlane* plane = nullptr;
    ActorInstance* actor = nullptr;  // held while it is queued
    std::uint32_t incarnation = 0;
  };

  const ObjectId id;
  node::SpinLock mutex;  // guards all below
  State state = State::kCreating;
  bool creating = false;     // the creation runs
  bool ended = false;        // its last handle is gone
  bool turn_queued = false;  // `turn` is in a lane's queue
  int running = 0;
  int max_concurrency = 1;
  std::uint32_t incarnation = 0;  // of the instance; calls of an older one are not heard
  std::shared_ptr<void> instance;
  TaskPtr creation;     // not yet run
  Calls mailbox;        // calls that have arrived, in order
  Calls running_calls;
  Turn turn;
  std::unique_ptr<Rare> rare;

  Rare& MakeRare() {
    if (!rare) rare = std::make_unique<Rare>();
    return *rare;
  }
  wire::Lease TakeLease() { return rare ? std::exchange(rare->lease, {}) : wire::Lease(); }
  std::uint64_t lease_id() const { return rare ? rare->lease.id : 0; }
  std::string name() const { return rare ? rare->name : std::string(); }
  std::string reason() const { return rare ? rare->reason : std::string(); }
};
using ActorPtr = base::Ref<ActorInstance>;

class ActorPlane : public ActorTasks {
 public:
  struct Parts {
    ObjectPlane& objects;
    TaskPlane& tasks;
    Router& router;
    worker::Progress& progress;
    LanePool& lanes;
    LeasedPool& leased;
    Counters& counters;
  };
  ActorPlane(Rank self, int ranks, Parts parts);

  // ---- for users ----
  /// Throws UsageError (name taken, no such rank), InfeasibleError.
  Handle Create(const detail::ActorOptions& options, detail::CallSpec&& call);
  Handle Call(const Handle& actor, const detail::TaskOptions& options, detail::CallSpec&& call);
  void Kill(const Handle& actor, bool no_restart);
  std::optional<Handle> Find(const std::string& name);
  /// Destroys the instances of this rank. User code.
  void DestroyAll();
  /// Adds what this host knows of actor calls; who holds resources. In hang_answer.cpp.
  void TellOf(std::vector<wire::HangTask>& tasks);
  void TellHolders(std::vector<wire::HangHolder>& holders);

  // ---- from the rooms below ----
  void OwnedActorTaskReady(const TaskPtr& task, object::ErrorPtr error) override;
  void ActorTaskArrived(TaskPtr task) override;
  void ActorTaskRunnable(const TaskPtr& task) override;
  bool RetryActorCall(const TaskPtr& task) override;
  void CreationDone(const TaskPtr& task, const object::ErrorPtr& error) override;
  void ActorUnreferenced(const ObjectId& actor);

  // ---- messages ----
  void On(Rank from, const wire::ActorEnd& message);
  void On(Rank from, const wire::ActorKill& message);
  void On(Rank from, const wire::ActorDied& message);
  void On(Rank from, const wire::NameRegister& message);
  void On(Rank from, const wire::NameLookup& message);
  void On(Rank from, const wire::NameGrant& message);
  void On(Rank from, const wire::NameReply& message);
  void On(Rank from, const wire::NameDrop& message);

 private:
  /// What the owner keeps of an actor.
  struct Owned {
    struct Rare {
      std::string name;
      Handle detached;   // its own hold
      TaskPtr creation;  // what makes it anew; kept only where it may be
      wire::Lease lease;
    };
    Rank host;
    int restarts_left = 0;  // -1: always
    int max_task_retries = 0;
    std::uint32_t incarnation = 0;
    bool dead = false;
    std::unique_ptr<Rare> rare;
    Rare& MakeRare() {
      if (!rare) rare = std::make_unique<Rare>();
      return *rare;
    }
  };

  void PlaceCreation(const TaskPtr& task, Rank host);
  void SendCall(const TaskPtr& task);
  void SendToHost(const TaskPtr& task, Rank host);
  ActorPtr InstanceOf(const ObjectId& actor);
  void Schedule(const ActorPtr& actor);
  /// With the actor's mutex held: what may begin now, to be given to Begin without it.
  struct Next {
    TaskPtr creation;
    bool call = false;
    bool turn = false;    // the actor's own Turn is to be queued
    bool leased = false;
    std::uint32_t incarnation = 0;
  };
  Next NextOf(ActorInstance& actor);
  void Begin(const ActorPtr& actor, Next&& next);
  void RunCreation(const ActorPtr& actor, const TaskPtr& task);
  void RunCalls(const ActorPtr& actor, std::uint32_t incarnation);
  void FailCalls(std::vector<TaskPtr> calls, const std::string& reason, bool restarts);
  void FinishDead(const TaskPtr& task, const std::string& reason, bool restarts, bool runs);
  void RunOn(const ActorPtr& actor, std::function<void()> job);
  void DestroyIfEnded(const ActorPtr& actor);
  void KillOwned(const ObjectId& actor, bool no_restart);
  void KillHere(const ObjectId& actor, bool restart);
  void OwnerLetsGo(Owned& owned, const ObjectId& actor);

  const Rank self_;
  const int ranks_;
  Parts parts_;

  std::mutex mutex_;
  std::unordered_map<ObjectId, Owned> owned_;         // guarded by mutex_
  std::unordered_map<ObjectId, ActorPtr> instances_;  // guarded by mutex_
  int next_host_ = 0;                                 // guarded by mutex_

  std::mutex order_mutex_;
  actor::CallOrder<TaskPtr> order_;  // guarded by order_mutex_
  std::deque<TaskPtr> leaving_;      // settled, in the order to be sent; guarded by order_mutex_
  bool sending_ = false;             // a thread sends what is leaving; guarded by order_mutex_
  // Calls in order_ or leaving_, or being sent from there. Who finds none of its own there (it put them there itself)
  // sends at once: acquire, after the release that follows each send.
  std::atomic<std::int64_t> in_order_{0};

  std::mutex names_mutex_;
  actor::NameTable names_;  // rank 0; guarded by names_mutex_
  struct NameAnswer {
    bool ok = false;
    ObjectId actor;
    Rank from;
  };
  Queries<NameAnswer> name_queries_;
};

}  // namespace manta::runtime
