#pragma once
// Actors on one rank: those that it made (owner), those that live here (host), and calls on their way to others.

#include <manta/detail/core_api.hpp>

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

namespace manta::runtime {

/// What an actor's object holds: where it lives, and what a caller must know.
struct ActorAddress {
  std::int32_t host = -1;
  std::int32_t max_task_retries = 0;
  std::int32_t max_concurrency = 1;
};

/// An actor on its host. kCreating -> kAlive -> kDead; kAlive -> kCreating when it is made anew.
class ActorInstance : public base::Counted {
 public:
  enum class State { kCreating, kAlive, kDead };
  explicit ActorInstance(const ObjectId& actor) : id(actor) {}

  const ObjectId id;
  std::mutex mutex;  // guards all below
  State state = State::kCreating;
  std::shared_ptr<void> instance;
  TaskPtr creation;             // not yet run
  std::deque<TaskPtr> mailbox;  // calls that have arrived, in order
  int running = 0;
  std::vector<TaskPtr> running_calls;
  bool creating = false;  // the creation runs
  bool ended = false;     // its last handle is gone
  int max_concurrency = 1;
  std::uint32_t incarnation = 0;  // of the instance; calls of an older one are not heard
  wire::Lease lease;
  std::string name;
  std::string reason;  // of kDead
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
    Rank host;
    std::string name;
    int restarts_left = 0;  // -1: always
    std::uint32_t incarnation = 0;
    bool dead = false;
    Handle detached;  // its own hold
    // What makes it anew; kept only where it may be.
    TaskPtr creation;
    detail::ActorOptions options;
    wire::Lease lease;
  };

  void PlaceCreation(const TaskPtr& task, Rank host);
  void SendCall(const TaskPtr& task);
  void SendToHost(const TaskPtr& task, Rank host);
  ActorPtr InstanceOf(const ObjectId& actor);
  void Schedule(const ActorPtr& actor);
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
