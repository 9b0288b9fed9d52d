#pragma once
// A task, an actor's creation or an actor's call: at its owner from submission to result, and at the rank that runs it.

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/base/ref.hpp"
#include "core/object/object_state.hpp"
#include "core/wire/messages.hpp"

namespace manta::task {

using wire::TaskKind;

/// Where a task stands. At the owner: kWaiting -> kQueued -> kRunning (here) or kOut (elsewhere) -> kDone; back to
/// kQueued by a retry or when the other rank hands it back. At another rank: kWaiting (for its arguments) -> kQueued ->
/// kRunning -> kDone. kQueued -> kRunning and kQueued -> kDone (cancelled) are compare-and-swaps: queues may hold
/// records that have moved on.
enum class Phase : std::uint8_t { kWaiting, kQueued, kRunning, kOut, kDone };

struct TaskRecord;
using TaskPtr = base::Ref<TaskRecord>;

/// What the driver, a thread, or a running task is as a submitter: the place in the tree of submissions from which
/// seeds and the order of actor calls follow.
struct Submitter {
  std::uint64_t id = 0;  // unique in this process
  std::uint64_t seed = 0;
  std::uint64_t submitted = 0;  // calls so far; the submitter's own thread only
};

/// One outcome of a run.
struct RunResult {
  bool ok = false;
  bool retry = false;  // it threw what its matcher asks to retry
  object::ErrorPtr error;
  const object::TypeOps* ops = nullptr;
  std::shared_ptr<const void> live;                   // an object, or
  std::byte plain[object::ObjectState::kSmallBytes];  // `plain_size` bytes of plain data
  std::size_t plain_size = 0;
  std::shared_ptr<void> actor;  // of a creation
  bool actor_exits = false;     // the method called ExitActor
};

struct TaskRecord : base::Counted {
  // Fixed after submission or arrival.
  TaskKind kind = TaskKind::kTask;
  ObjectId result;             // names the task too
  object::Handle result_hold;  // owner: keeps the result's record until the task is done
  detail::Thunk thunk = nullptr;
  const void* function = nullptr;
  detail::SmallBytes bytes;
  std::vector<detail::ArgumentRef> arguments;
  std::vector<object::Handle> carried;
  std::string name;  // "" : the function's
  Amount cpus = Amount::Whole(1);
  wire::Shape shape;
  bool one_cpu = true;    // exactly one CPU and nothing else: no lease is needed
  bool zero_cpu = false;  // nothing at all: runs in a lane
  Rank pinned;            // invalid: anywhere
  detail::ExceptionMatcher retry_matcher = nullptr;
  std::uint64_t seed = 0;
  std::uint64_t submitter = 0;  // Submitter::id
  std::uint64_t parent = 0;     // run_id of the task that submitted it; 0: none
  // actors
  object::Handle actor;  // of a call or creation, at the owner
  ObjectId actor_id;
  int max_concurrency = 1;
  std::uint32_t incarnation = 0;
  std::string actor_name;
  bool ordered = false;             // a call that has entered its stream's order
  object::ErrorPtr argument_error;  // a call that leaves its stream failed; written before it settles
  std::string refused;              // a call that came to a dead actor: why

  // Changing.
  std::atomic<Phase> phase{Phase::kWaiting};  // acq_rel on every change: what the former holder wrote is seen
  std::atomic<bool> cancelled{false};         // release; read by the running task (acquire)
  std::atomic<bool> reported{false};          // an actor call whose end was told already, by a kill (acq_rel)
  std::atomic<std::int32_t> pending{0};  // arguments not ready yet, plus one while they are being looked at; acq_rel
  int retries_left = 0;                  // owner, between runs
  std::uint32_t attempt = 0;             // owner between runs; the runner
  Rank out_rank;                         // owner; where kOut
  wire::Lease lease;                     // of the run
  std::uint64_t run_id = 0;              // set when it runs; unique in this process

  TaskRecord* queue_next = nullptr;      // the link of scheduling::ReadyQueue, under its lock; null: in no queue

  // What the running task waits for in Get or Wait, so that Cancel can end that.
  std::mutex wait_mutex;
  void (*wake)(void*) = nullptr;  // guarded by wait_mutex
  void* waiting = nullptr;        // guarded by wait_mutex
  void WakeFromWait() {
    std::lock_guard lock(wait_mutex);
    if (wake != nullptr) wake(waiting);
  }

  bool Owned(Rank self) const { return result.owner == self; }
  /// kQueued -> kRunning; false when it was cancelled, claimed or moved.
  bool Claim() {
    Phase expected = Phase::kQueued;
    return phase.compare_exchange_strong(expected, Phase::kRunning, std::memory_order_acq_rel);
  }
};

}  // namespace manta::task
