#pragma once
// An actor on its host.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/ref.hpp"
#include "core/base/slab.hpp"
#include "core/runtime/actor_lock.hpp"
#include "core/runtime/lane_pool.hpp"
#include "core/task/record_list.hpp"

namespace manta::runtime {

class ActorPlane;

/// kCreating -> kAlive -> kDead; kAlive -> kCreating when it is made anew. There may be a hundred thousand of them:
/// what only some have is apart. It is its own job in a lane's queue (a turn): held by that while it is there.
class ActorInstance : public base::Counted, public LaneJob {
 public:
  enum class State : std::uint8_t { kCreating, kAlive, kDead };
  enum class Turn : std::uint8_t { kCreation, kCalls, kEnd };
  static constexpr const char* kKilled = "it was killed";
  static constexpr const char* kExited = "it called ExitActor";

  ActorInstance(const ObjectId& actor, ActorLock::Word& word) : id(actor), mutex(word) {}
  ~ActorInstance() {
    while (!mailbox.empty()) task::TaskPtr::Adopt(mailbox.Pop());
  }
  static void* operator new(std::size_t size) { return base::SlabAllocate(size); }
  static void operator delete(void* block, std::size_t size) { base::SlabFree(block, size); }

  /// The destructor of a killed actor never runs, since a method may still use it: a hold that is never given back.
  static void Abandon(std::shared_ptr<void>&& instance) {
    alignas(std::shared_ptr<void>) std::byte never_destroyed[sizeof(std::shared_ptr<void>)];
    new (never_destroyed) std::shared_ptr<void>(std::move(instance));
  }

  struct Rare {
    wire::Lease lease;
    std::string name;
    std::string reason;  // of kDead, where `why` does not say it
  };

  const ObjectId id;
  ActorLock mutex;  // guards all below, but for what a queued turn is
  State state = State::kCreating;
  bool creating = false;     // the creation runs, or is about to
  bool ended = false;        // its last handle is gone
  bool turn_queued = false;  // in a lane's queue; the next two are then fixed, and read by who runs the turn
  Turn turn = Turn::kCalls;
  std::uint32_t turn_incarnation = 0;
  std::uint32_t incarnation = 0;  // of the instance; calls of an older one are not heard
  int running = 0;
  int max_concurrency = 1;
  ActorPlane* plane = nullptr;  // set before its first turn
  std::shared_ptr<void> instance;
  task::TaskPtr creation;     // not yet run
  task::RecordList mailbox;        // calls that have arrived, in order; with holds of its own
  task::RecordList running_calls;  // held by who runs them, for as long as they are here
  const char* why = nullptr;  // of kDead
  std::unique_ptr<Rare> rare;
  ActorInstance* next_of_slot = nullptr;  // ActorTable's

  /// Whether FindNext may find something; false while all that may run at once runs.
  bool MayBegin() const { return state != State::kAlive || running < max_concurrency; }
  Rare& MakeRare() {
    if (!rare) rare = std::make_unique<Rare>();
    return *rare;
  }
  wire::Lease TakeLease() { return rare ? std::exchange(rare->lease, {}) : wire::Lease(); }
  wire::Lease lease() const { return rare ? rare->lease : wire::Lease(); }
  std::uint64_t lease_id() const { return rare ? rare->lease.id : 0; }
  std::string name() const { return rare ? rare->name : std::string(); }
  std::string reason() const { return why != nullptr ? why : rare ? rare->reason : std::string(); }
  void MoveMailboxTo(std::vector<task::TaskPtr>& to) {
    while (!mailbox.empty()) to.push_back(task::TaskPtr::Adopt(mailbox.Pop()));
  }
  void MoveRunningTo(std::vector<task::TaskPtr>& to) {
    while (!running_calls.empty()) to.emplace_back(running_calls.Pop());
  }
};
using ActorPtr = base::Ref<ActorInstance>;

}  // namespace manta::runtime
