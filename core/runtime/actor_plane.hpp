#pragma once
// Actors on one rank: those that it made (owner), those that live here (host), and calls on their way to others.

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/actor/call_order.hpp"
#include "core/actor/name_table.hpp"
#include "core/runtime/actor_table.hpp"
#include "core/runtime/queries.hpp"
#include "core/runtime/slot_chunks.hpp"
#include "core/runtime/task_plane.hpp"
#include "core/wire/hang_messages.hpp"

namespace manta::runtime {

/// What an actor's object holds: where it lives, and what a caller must know.
struct ActorAddress {
  std::int32_t host = -1;
  std::int32_t max_task_retries = 0;
  std::int32_t max_concurrency = 1;
};

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
  Handle Call(Handle&& actor, const detail::TaskOptions& options, detail::CallSpec&& call);
  void Kill(const Handle& actor, bool no_restart);
  std::optional<Handle> Find(const std::string& name);
  /// Destroys the instances of this rank. User code.
  void DestroyAll();
  /// Adds what this host knows of actor calls; who holds resources. In hang_answer.cpp.
  void TellOf(std::vector<wire::HangTask>& tasks);
  void TellHolders(std::vector<wire::HangHolder>& holders);

  // ---- from the rooms below ----
  void OwnedActorTaskReady(TaskPtr&& task, const object::ErrorPtr& error) override;
  Rank HostOf(TaskRecord& call) override;
  void ActorTaskArrived(TaskPtr&& task) override;
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
  /// What the owner keeps of an actor. 32 bytes, at the actor's slot.
  struct Owned {
    struct Rare {
      std::string name;
      Handle detached;   // its own hold
      TaskPtr creation;  // what makes it anew; kept only where it may be
      wire::Lease lease;
    };
    node::SpinLock lock;  // guards all below
    bool dead = false;
    std::uint32_t generation = 0;  // of the actor's id; 0: there is none
    Rank host;
    int restarts_left = 0;  // -1: always
    int max_task_retries = 0;
    std::uint32_t incarnation = 0;
    std::unique_ptr<Rare> rare;
    Rare& MakeRare() {
      if (!rare) rare = std::make_unique<Rare>();
      return *rare;
    }
  };
  /// What goes when an actor is dead, and must go without a lock.
  struct Leftover {
    std::string name;
    Handle detached;
    TaskPtr creation;
  };

  /// `use(owned)` under its lock; false where this rank has no such actor any more.
  template <class Use>
  bool WithOwned(const ObjectId& actor, Use use) {
    Owned* const owned = owned_.Find(actor.slot);
    if (owned == nullptr) return false;
    std::lock_guard lock(owned->lock);
    if (owned->generation != actor.generation) return false;
    use(*owned);
    return true;
  }
  /// With its lock held: it is dead.
  static Leftover LetGo(Owned& owned);
  /// Without it.
  void Dispose(Leftover&& left, const ObjectId& actor);

  void PlaceCreation(const TaskPtr& task);
  static Rank TakeAddress(TaskRecord& call);
  void SendCall(TaskPtr&& task);
  void SendToHost(TaskPtr&& task, Rank host);
  void LeaveInOrder(TaskPtr&& task, object::ErrorPtr error);
  void KillOwned(const ObjectId& actor, bool no_restart);

  /// What an actor is to do now: decided under its lock by FindNext, begun without it by Begin.
  struct Next {
    enum class What : std::uint32_t { kNothing, kCreation, kCalls };
    /// kTurn: the actor is its own job, and was counted as queued.
    enum class How : std::uint32_t { kTurn, kLane, kLeased };
    What what = What::kNothing;
    How how = How::kLane;
    std::uint32_t incarnation = 0;
    explicit operator bool() const { return what != What::kNothing; }
  };
  void FindNext(ActorInstance& actor, Next& next);
  void Begin(ActorPtr actor, const Next& next);
  void PushTurn(ActorPtr actor);
  void Schedule(const ActorPtr& actor);
  void RunTurn(const ActorPtr& actor);
  void RunCreation(const ActorPtr& actor, bool of_turn);
  void RunCalls(const ActorPtr& actor, std::uint32_t incarnation, bool of_turn);
  void FailCalls(ActorInstance& actor, std::vector<TaskPtr> calls, const std::string& reason, bool restarts);
  void FinishDead(const TaskPtr& task, const std::string& reason, bool restarts, bool runs);
  void EndByExit(ActorInstance& actor, std::uint32_t incarnation);
  void DestroyIfEnded(const ActorPtr& actor);
  void KillHere(const ObjectId& actor, bool restart);

  const Rank self_;
  const int ranks_;
  Parts parts_;

  SlotChunks<Owned> owned_;
  ActorTable instances_;
  std::atomic<std::uint32_t> next_host_{0};  // relaxed: any order will do

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
