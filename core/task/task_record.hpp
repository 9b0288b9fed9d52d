#pragma once
// A task, an actor's creation or an actor's call: at its owner from submission to result, and at the rank that runs it.
//
// There may be ten million of them, so a plain task with no arguments takes 56 bytes: what only some have lies in a
// part that only those have (ActorPart, ArgumentPart, TaskExtra), and what all tasks of one Task(f) share in their
// TaskClass. A record is followed by its parts and by its bytes, in one block of base/slab.hpp.

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/base/ref.hpp"
#include "core/object/object_state.hpp"
#include "core/task/task_class.hpp"
#include "core/wire/messages.hpp"

namespace manta::task {

using wire::TaskKind;

/// Where a task stands. At the owner: kWaiting -> kQueued -> kRunning (here) or kOut (elsewhere) -> kDone; back to
/// kQueued by a retry or when the other rank hands it back. At another rank: kWaiting (for its arguments) -> kQueued ->
/// kRunning -> kDone. Under scheduler=central a one-CPU task is kPlaceless at its owner until rank 0 has placed it,
/// then kRunning while it is brought there. Out of kQueued and kPlaceless, to kRunning or kDone (cancelled), by
/// compare-and-swap: queues may hold records that have moved on.
enum class Phase : std::uint8_t { kWaiting, kQueued, kRunning, kOut, kDone, kPlaceless };

class TaskRecord;
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
  static constexpr std::size_t kPlainBytes = 32;
  bool ok = false;
  bool retry = false;  // it threw what its matcher asks to retry
  bool actor_exits = false;  // the method called ExitActor
  std::uint8_t plain_size = 0;
  object::ErrorPtr error;
  const object::TypeOps* ops = nullptr;
  std::shared_ptr<const void> live;            // an object, or
  alignas(16) std::byte plain[kPlainBytes];    // `plain_size` bytes of plain data
  std::shared_ptr<void> actor;                 // of a creation
};

/// Of tasks with refs inside their bytes, names, or another shape than one CPU or none.
struct TaskExtra {
  std::vector<object::Handle> carried;
  std::string name;  // "": the function's
  Amount cpus;
  wire::Shape shape;
  wire::Lease lease;                   // of the run
  std::unique_ptr<std::byte[]> bytes;  // where they don't fit behind the record,
  std::size_t byte_count = 0;          // and how many
  // of a creation
  int max_concurrency = 1;
  std::uint32_t incarnation = 0;
  std::string actor_name;
};

/// Of actor calls.
struct ActorPart {
  struct Rare {
    std::uint64_t submitter = 0;      // Submitter::id, of one that has entered its stream's order
    object::ErrorPtr argument_error;  // it leaves its stream failed; written before it settles
    std::string refused;              // it came to a dead actor: why; guarded by the actor's mutex
  };
  object::Handle actor;  // at the owner
  ObjectId actor_id;
  std::unique_ptr<Rare> rare;  // made by the owner before it is sent, or at the host under the actor's mutex

  Rare& MakeRare() {
    if (!rare) rare = std::make_unique<Rare>();
    return *rare;
  }
};
static_assert(sizeof(ActorPart) == 32);

/// Told when the arguments that a task waited for are done.
class ArgumentEvents {
 public:
  /// Any thread, also under the progress token.
  virtual void ArgumentsDone(TaskPtr task) = 0;

 protected:
  ~ArgumentEvents() = default;
};

/// Of tasks that are given refs: these, behind this head; and the wait for them at the owner, one after the other, so
/// that one waiter is enough however many they are.
class ArgumentPart final : public object::ObjectWaiter {
 public:
  /// At `offset` bytes from the beginning of its record, with `count` empty refs.
  ArgumentPart(std::size_t count, std::size_t offset);
  ~ArgumentPart() { Drop(); }
  ArgumentPart(const ArgumentPart&) = delete;
  ArgumentPart& operator=(const ArgumentPart&) = delete;

  static std::size_t BytesFor(std::size_t count) { return sizeof(ArgumentPart) + count * sizeof(detail::ArgumentRef); }
  std::size_t bytes() const { return BytesFor(room_); }
  /// None once they were dropped.
  std::span<detail::ArgumentRef> refs() { return {reinterpret_cast<detail::ArgumentRef*>(this + 1), count_}; }
  /// Lets go of them. May run destructors of the user's.
  void Drop();
  /// Whether those that were not waited for yet are done. If not, the part keeps `task`, its own, until they are, and
  /// then `events` is told.
  bool Await(TaskPtr& task, ArgumentEvents& events);
  /// What keeps their values where they can be read, until the task has ended.
  struct Kept {
    std::vector<std::shared_ptr<const void>> values;  // one for each
    std::shared_ptr<const void> admitted;             // that so many bytes may be kept at once
  };
  Kept& MakeKept() {
    if (!kept_) kept_ = std::make_unique<Kept>(Kept{std::vector<std::shared_ptr<const void>>(count_), {}});
    return *kept_;
  }
  bool has_kept() const { return kept_ != nullptr; }
  void DropKept() { kept_.reset(); }

 private:
  void ObjectDone(object::ObjectState&) override;

  // Written by the submitter, then by who tells of one argument after the other: the lock of the object that is waited
  // for hands it on.
  ArgumentEvents* events_ = nullptr;
  std::uint32_t next_ = 0;  // to be looked at
  std::uint32_t count_;
  const std::uint32_t room_;
  const std::uint32_t offset_;
  std::unique_ptr<Kept> kept_;  // of who brings them, then of who runs the task
};
static_assert(sizeof(ArgumentPart) == 56);

class TaskRecord final : public base::Counted {
 public:
  struct Layout {
    TaskKind kind = TaskKind::kTask;
    std::size_t bytes = 0;
    bool extra = false;
    std::size_t arguments = 0;
  };
  /// One of this rank, whose result `result` is; or another rank's. Its bytes are not set.
  static TaskPtr MakeOwned(const Layout& layout, object::Handle result);
  static TaskPtr MakeForeign(const Layout& layout, const ObjectId& result);
  void operator delete(TaskRecord* record, std::destroying_delete_t);

  ~TaskRecord() {
    ResetResult();
    if (has_parts_) DestroyParts();
  }

  // ---- fixed after submission or arrival ----
  TaskKind kind() const { return kind_; }
  bool owned() const { return owned_; }
  /// A task of exactly one CPU.
  bool is_plain_cpu_task() const { return kind_ == TaskKind::kTask && one_cpu; }
  /// To rank pinned(), or where the task is another rank's: to this one.
  bool is_pinned() const { return pinned_; }
  /// The result's id: names the task. The owner's record loses it when the task is done (ResetResult).
  ObjectId result() const {
    if (!owned_) return {Rank(rank_), result_.id.slot, result_.id.generation};
    return result_.object == nullptr ? ObjectId() : result_.object->id;
  }
  Rank owner() const { return owned_ ? Rank() : Rank(rank_); }
  Rank pinned() const { return pinned_ && owned_ ? Rank(rank_) : Rank(); }
  void Pin(Rank rank) {
    pinned_ = true;
    if (owned_) rank_ = rank.value;
  }
  const TaskClass& task_class() const { return TaskClassAt(class_index_); }
  void SetClass(const TaskClass& task_class) { class_index_ = task_class.index; }
  std::span<std::byte> bytes() {
    if (!has_parts_) return {Tail(), bytes_};
    return BytesBehindParts();
  }
  /// Whether it has an extra, an actor's part or arguments.
  bool has_parts() const { return has_parts_; }

  TaskExtra* extra() const { return has_extra_ ? *ExtraSlot() : nullptr; }
  ActorPart& actor() const { return *ActorSlot(); }
  /// As many as the layout said, empty at first; none after DropArguments.
  std::span<detail::ArgumentRef> arguments() const {
    return has_arguments_ ? ArgumentSlot()->refs() : std::span<detail::ArgumentRef>();
  }
  /// Null where there are none.
  ArgumentPart* argument_part() const { return has_arguments_ ? ArgumentSlot() : nullptr; }
  /// They are no longer needed. May run destructors of the user's.
  void DropArguments() {
    if (has_arguments_) ArgumentSlot()->Drop();
  }
  const std::string& name() const;
  Amount cpus() const;
  std::uint64_t lease_id() const { return has_extra_ ? (*ExtraSlot())->lease.id : 0; }
  /// What it takes of this process's memory, roughly.
  std::size_t memory_bytes() const { return block_bytes() + sizeof(object::ObjectState); }

  /// The owner's hold on the result, until it is done; touched by whoever completes the task.
  object::ObjectState* result_object() const { return owned_ ? result_.object : nullptr; }
  /// At the end: gives the hold back.
  void ResetResult() {
    if (owned_) object::Handle::Adopt(std::exchange(result_.object, nullptr)).Reset();
  }

  /// kQueued -> kRunning; false when it was cancelled, claimed or moved.
  bool Claim(Phase expected = Phase::kQueued) {
    return phase.compare_exchange_strong(expected, Phase::kRunning, std::memory_order_acq_rel);
  }

 private:
  TaskRecord(TaskKind kind, bool owned, bool extra, bool arguments, std::size_t inside);
  static TaskRecord* Make(const Layout& layout, bool owned);
  /// `outside`: its bytes do not fit behind the record.
  void MakeParts(const Layout& layout, bool outside);
  void DestroyParts();
  std::span<std::byte> BytesBehindParts();
  std::byte* Tail() const { return reinterpret_cast<std::byte*>(const_cast<TaskRecord*>(this) + 1); }
  // Behind the record, each where there is one: the actor's part, that of the arguments, the pointer to the rest; then
  // the bytes.
  std::size_t actor_bytes() const { return kind_ == TaskKind::kActorCall ? sizeof(ActorPart) : 0; }
  std::size_t parts_bytes() const { return actor_bytes() + (has_arguments_ ? ArgumentSlot()->bytes() : 0); }
  std::size_t head_bytes() const { return parts_bytes() + (has_extra_ ? sizeof(TaskExtra*) : 0); }
  ActorPart* ActorSlot() const { return reinterpret_cast<ActorPart*>(Tail()); }
  ArgumentPart* ArgumentSlot() const { return reinterpret_cast<ArgumentPart*>(Tail() + actor_bytes()); }
  TaskExtra** ExtraSlot() const { return reinterpret_cast<TaskExtra**>(Tail() + parts_bytes()); }
  std::size_t block_bytes() const { return sizeof(TaskRecord) + (has_parts_ ? head_bytes() : 0) + bytes_; }

  static constexpr std::size_t kMaxInside = 4095;  // more bytes lie in TaskExtra

  // In the order that packs them; Counted's count comes first.
  TaskKind kind_ : 2;

 public:
  bool one_cpu : 1;   // exactly one CPU and nothing else: no lease is needed
  bool zero_cpu : 1;  // nothing at all: runs in a lane
  bool ordered : 1;   // a call that has entered its stream's order

 private:
  bool pinned_ : 1;
  bool owned_ : 1;
  bool has_extra_ : 1;

 public:
  std::atomic<Phase> phase{Phase::kWaiting};  // acq_rel on every change: what the former holder wrote is seen
  std::atomic<bool> cancelled{false};         // release; read by the running task (acquire)

 private:
  const bool has_arguments_ : 1;
  const bool has_parts_ : 1;

 public:
  std::uint16_t attempt = 0;                  // owner between runs; the runner
  std::uint16_t retries_left = 0;             // owner, between runs

 private:
  std::uint16_t bytes_;

 public:
  // It has waited, so that its owner (another rank's task) may send others in its place; under scheduler=central, it
  // waits, and rank 0 may. The runner only.
  bool credit_returned : 1;
  // Of ours: what BackPressure counts it as; its submitter, then whoever claims or ends it.
  bool counts_unended : 1;
  bool counts_unstarted : 1;
  bool TakeCountsUnended() {
    const bool was = counts_unended;
    counts_unended = false;
    return was;
  }
  /// Whether it was set; it no longer is.
  bool TakeCountsUnstarted() {
    const bool was = counts_unstarted;
    counts_unstarted = false;
    return was;
  }

 public:
  TaskRecord* queue_next = nullptr;  // of the queue that holds it, under that queue's lock
  std::uint64_t seed = 0;
  std::uint32_t parent = 0;  // run_id of the task that submitted it; 0: none
  /// kRunning: the run's id if it has children, for Cancel. kOut: the rank it was sent to. Relaxed: a cancel that reads
  /// the word of the phase before sends a message that nobody heeds, or finds no children.
  std::atomic<std::uint32_t> where{0};

 private:
  union {
    object::ObjectState* object;  // a counted hold; owned records
    struct {
      std::uint32_t slot, generation;
    } id;
  } result_;
  std::int32_t rank_ = -1;  // owned: pinned to; else: the owner
  std::uint32_t class_index_ = 0;
};
static_assert(sizeof(TaskRecord) == 56);

}  // namespace manta::task
