#pragma once
// Every message between ranks, as a struct. docs/protocol.md says who may send which when; this file only how they look.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/ids.hpp"
#include "core/wire/codec.hpp"

namespace manta::wire {

enum class Kind : std::uint16_t {
  // tasks
  kTaskPush = 1, kTaskDone, kTaskOk, kTaskClassNotice, kTaskStarted, kTaskCancel, kWorkRequest, kNoWork, kAnswerAskers, kHandBack, kHungry, kBacklog, kWorkHint,
  // objects
  kObjectQuery = 32, kObjectReady, kBorrowVia, kBorrowConfirmed, kBorrowDrop, kTransitDone, kCopyNotice, kEvict, kFreeBlock,
  kBytesAsk, kBytesHere, kPull, kPullAnswer, kPullDone, kKeeperStep, kRoomWanted,
  // leases
  kLeaseRequest = 64, kLeaseGrant, kLeaseReturn, kLeaseSuspend, kLeaseResume, kCedeSlots, kSlotsCeded, kSlotsReturned,
  // places
  kPlaceRequest = 80, kPlaceGrant, kPlacesBack, kPlacesRecall,
  // actors
  kActorEnd = 96, kActorKill, kActorDied, kNameRegister, kNameLookup, kNameGrant, kNameReply, kNameDrop,
  // the job
  kStatsQuery = 128, kStatsReply, kAvailableQuery, kAvailableReply, kAbort, kSessionEnd, kSessionEnded, kHangQuery, kHangReply,
};

/// What every message begins with.
struct Header {
  Kind kind;
  std::uint16_t reserved = 0;
  std::uint32_t session = 0;  // messages of an earlier session are dropped
};
static_assert(sizeof(Header) == 8);

template <class M>
void Encode(std::vector<std::byte>& to, std::uint32_t session, const M& message) {
  Writer writer(to);
  writer(Header{M::kKind, 0, session});
  const_cast<M&>(message).Fields(writer);
}
template <class M>
M Decode(Reader& reader) {
  M message;
  message.Fields(reader);
  return message;
}

/// Where an object's bytes are sealed: an entry of `holder`, in its node's segment. They may move within it, or to disk.
struct Location {
  Rank holder;
  std::uint32_t entry = 0;
};

/// A value, or where to find it.
struct ValueDescriptor {
  std::uint64_t type_hash = 0;
  std::uint8_t format = 0;
  std::uint64_t size = 0;
  std::optional<Location> location;  // none: in `inside`
  std::vector<std::byte> inside;
  std::vector<ObjectId> contained;   // refs in the bytes
  template <class V>
  void Fields(V& v) { v(type_hash); v(format); v(size); v(location); v(inside); v(contained); }
};

struct WireError {
  std::uint8_t kind = 0;
  std::string message;
  std::string type, text, function;
  std::int32_t rank = -1;
  std::vector<std::string> type_chain;
  std::uint8_t standard = 0;
  std::int32_t system_code = 0;
  std::uint64_t asked_bytes = 0, free_bytes = 0;
  template <class V>
  void Fields(V& v) {
    v(kind); v(message); v(type); v(text); v(function); v(rank); v(type_chain); v(standard); v(system_code);
    v(asked_bytes); v(free_bytes);
  }
};

// ---- leases ----
/// What a task asks for; amounts in 1/10,000.
struct Shape {
  std::int64_t cpus = 0;
  std::int64_t gpus = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<std::pair<std::string, std::int64_t>> custom;
  template <class V>
  void Fields(V& v) { v(cpus); v(gpus); v(memory_bytes); v(custom); }
};
struct DeviceShare {
  std::int32_t device = -1;  // index on the node
  std::int64_t amount = 0;
};
struct Lease {
  std::uint64_t id = 0;  // 0: none
  Rank rank;
  std::int64_t cpus = 0;
  std::vector<std::int32_t> cores;  // empty: not bound to cores
  std::vector<DeviceShare> devices;
  template <class V>
  void Fields(V& v) { v(id); v(rank); v(cpus); v(cores); v(devices); }
};
struct LeaseRequest {
  static constexpr Kind kKind = Kind::kLeaseRequest;
  std::uint64_t request = 0;  // of the requester; unique there
  Shape shape;
  std::optional<Rank> rank;
  template <class V>
  void Fields(V& v) { v(request); v(shape); v(rank); }
};
struct LeaseGrant {
  static constexpr Kind kKind = Kind::kLeaseGrant;
  std::uint64_t request = 0;
  Lease lease;
  template <class V>
  void Fields(V& v) { v(request); v(lease); }
};
#define MANTA_WIRE_ONE(Name, Type, field)                         \
  struct Name {                                                   \
    static constexpr Kind kKind = Kind::k##Name;                  \
    Type field{};                                                 \
    template <class V>                                            \
    void Fields(V& v) { v(field); }                               \
  }
#define MANTA_WIRE_NONE(Name)                     \
  struct Name {                                   \
    static constexpr Kind kKind = Kind::k##Name;  \
    template <class V>                            \
    void Fields(V&) {}                            \
  }
MANTA_WIRE_ONE(LeaseReturn, std::uint64_t, lease);
MANTA_WIRE_ONE(LeaseSuspend, std::uint64_t, lease);
MANTA_WIRE_ONE(LeaseResume, std::uint64_t, lease);
MANTA_WIRE_ONE(CedeSlots, std::int64_t, cpus);      // whole CPUs, in 1/10,000
MANTA_WIRE_ONE(SlotsCeded, std::int64_t, cpus);
MANTA_WIRE_ONE(SlotsReturned, std::int64_t, cpus);

// ---- tasks ----
enum class TaskKind : std::uint8_t { kTask, kActorCreation, kActorCall };
struct WireArgument {
  std::uint32_t param = 0;
  std::uint32_t element = 0;
  ObjectId id;
  ValueDescriptor value;
  template <class V>
  void Fields(V& v) { v(param); v(element); v(id); v(value); }
};
/// An argument that is few bytes of plain data, which follow it: 8 of them are one cell of a ring with TaskPushHead.
struct SmallArgument {
  std::uint64_t type_hash = 0;
  std::uint32_t param = 0;
  std::uint16_t element = 0;  // kWhole: the whole parameter
  std::uint8_t format = 0;
  std::uint8_t size = 0;

  static constexpr std::uint16_t kWhole = 0xffff;
};
static_assert(sizeof(SmallArgument) == 16);
/// A task on its way to where it runs begins with this, so that one with few arguments is one cell of a ring. Then
/// come, each only where there is one: the actor of a call (ObjectId); `small_arguments` times a SmallArgument and its
/// bytes, or a list of WireArguments where not all are small; the length of what is encoded by TaskPushMore (32 bits)
/// and that; the task's bytes, to the end.
struct TaskPushHead {
  static constexpr Kind kKind = Kind::kTaskPush;
  // And TaskKind below them.
  enum Flag : std::uint8_t { kOneCpu = 4, kZeroCpu = 8, kPinned = 16, kMore = 32, kArguments = 64 };
  Header header;
  std::uint32_t slot = 0, generation = 0;  // of the result, whose owner is the sender
  std::uint32_t task_class = 0;            // by the sender's number, see TaskClassNotice
  std::uint8_t flags = 0;
  std::uint8_t small_arguments = 0;
  std::uint16_t attempt = 0;
  std::uint64_t seed = 0;

  TaskKind kind() const { return static_cast<TaskKind>(flags & 3); }
};
static_assert(sizeof(TaskPushHead) == 32);
struct TaskPushMore {
  std::string name;
  std::int64_t cpus = 0;
  Lease lease;
  std::vector<ObjectId> carried;
  // actors
  std::int32_t max_concurrency = 1;
  std::uint32_t incarnation = 0;
  std::string actor_name;
  template <class V>
  void Fields(V& v) {
    v(name);
    v(cpus);
    v(lease);
    v(carried);
    v(max_concurrency);
    v(incarnation);
    v(actor_name);
  }
};
/// What the tasks of one class share; comes before the first of them. Code as (module, offset).
struct TaskClassNotice {
  static constexpr Kind kKind = Kind::kTaskClassNotice;
  std::uint32_t index = 0;
  std::uint64_t thunk = 0, function = 0, retry_matcher = 0;
  std::uint64_t callable_first = 0, callable_second = 0;
  std::uint8_t callable_is_code = 0;
  template <class V>
  void Fields(V& v) {
    v(index); v(thunk); v(function); v(retry_matcher); v(callable_first); v(callable_second); v(callable_is_code);
  }
};
/// The usual end of a task: its value is nothing, or few bytes of plain data that follow.
struct TaskOk {
  static constexpr Kind kKind = Kind::kTaskOk;
  Header header;
  std::uint32_t slot = 0, generation = 0;
  std::uint16_t attempt = 0;
  std::uint8_t format = 0;  // 0: nothing
  std::uint8_t size = 0;
  std::uint8_t started_before = 0;  // the task's credit went back by a TaskStarted
  std::uint8_t reserved[3] = {};
  std::uint64_t type_hash = 0;
};
static_assert(sizeof(TaskOk) == 32);
enum class Outcome : std::uint8_t { kOk, kFailed, kRetry, kCancelled };
struct TaskDone {
  static constexpr Kind kKind = Kind::kTaskDone;
  ObjectId result;
  Outcome outcome = Outcome::kOk;
  std::uint16_t attempt = 0;
  std::uint8_t started_before = 0;  // as in TaskOk
  ValueDescriptor value;
  std::optional<WireError> error;
  template <class V>
  void Fields(V& v) { v(result); v(outcome); v(attempt); v(started_before); v(value); v(error); }
};
/// So many of the receiver's tasks wait for something here: others may come in their place.
MANTA_WIRE_ONE(TaskStarted, std::uint32_t, count);
MANTA_WIRE_ONE(TaskCancel, ObjectId, result);
MANTA_WIRE_ONE(WorkRequest, std::uint32_t, want);
MANTA_WIRE_NONE(NoWork);
MANTA_WIRE_NONE(AnswerAskers);
struct HandBack {
  static constexpr Kind kKind = Kind::kHandBack;
  std::vector<ObjectId> results;
  Rank for_rank;
  template <class V>
  void Fields(V& v) { v(results); v(for_rank); }
};
MANTA_WIRE_NONE(Hungry);
MANTA_WIRE_ONE(Backlog, std::uint8_t, has);
MANTA_WIRE_ONE(WorkHint, Rank, supplier);

// ---- objects ----
MANTA_WIRE_ONE(ObjectQuery, ObjectId, id);
struct ObjectReady {
  static constexpr Kind kKind = Kind::kObjectReady;
  ObjectId id;
  ValueDescriptor value;
  std::optional<WireError> error;
  template <class V>
  void Fields(V& v) { v(id); v(value); v(error); }
};
/// An object whose owner is known.
struct SlotUse {
  std::uint32_t slot = 0, generation = 0;
  bool operator==(const SlotUse&) const = default;
};
/// The objects are the receiver's.
struct BorrowVia {
  static constexpr Kind kKind = Kind::kBorrowVia;
  std::uint64_t batch = 0;  // of the sender; the answer names it
  std::vector<SlotUse> objects;
  template <class V>
  void Fields(V& v) { v(batch); v(objects); }
};
MANTA_WIRE_ONE(BorrowConfirmed, std::uint64_t, batch);
struct DroppedBorrow {
  SlotUse object;
  std::uint32_t received = 0;
};
struct BorrowDrop {
  static constexpr Kind kKind = Kind::kBorrowDrop;
  std::vector<DroppedBorrow> dropped;  // objects of the receiver
  template <class V>
  void Fields(V& v) { v(dropped); }
};
MANTA_WIRE_ONE(TransitDone, ObjectId, id);
MANTA_WIRE_ONE(CopyNotice, ObjectId, id);
MANTA_WIRE_ONE(Evict, ObjectId, id);
struct FreeBlock {
  static constexpr Kind kKind = Kind::kFreeBlock;
  ObjectId id;
  std::uint32_t entry = 0;
  template <class V>
  void Fields(V& v) { v(id); v(entry); }
};
/// To the rank that keeps an object's bytes on this node, or is to bring them: its holder here, or its agent.
struct BytesAsk {
  static constexpr Kind kKind = Kind::kBytesAsk;
  ObjectId id;
  Location at;
  std::uint64_t size = 0;
  std::uint64_t type_hash = 0;
  std::uint8_t format = 0;
  template <class V>
  void Fields(V& v) { v(id); v(at); v(size); v(type_hash); v(format); }
};
/// The answer: the bytes are in `entry` of the node, which is pinned for the receiver.
struct BytesHere {
  static constexpr Kind kKind = Kind::kBytesHere;
  ObjectId id;
  std::uint32_t entry = 0;
  std::optional<WireError> error;
  template <class V>
  void Fields(V& v) { v(id); v(entry); v(error); }
};
enum class PullBy : std::uint8_t { kSend, kRead };
/// From an agent that wants an object's bytes: in pieces under `tag`, for which it has posted receives (kSend), or a pin
/// under which it reads them by itself (kRead).
struct Pull {
  static constexpr Kind kKind = Kind::kPull;
  static constexpr std::uint32_t kAnyCopy = 0xffffffff;
  ObjectId id;
  std::uint32_t entry = kAnyCopy;  // of the receiver; kAnyCopy: the receiver is an agent, whose copy it is
  std::uint32_t tag = 0;
  std::uint32_t next_tag = 0;  // kAnyCopy: of the receiver's own pull, which the sender was told to follow
  PullBy by = PullBy::kSend;
  std::uint8_t may_redirect = 1;
  template <class V>
  void Fields(V& v) { v(id); v(entry); v(tag); v(next_tag); v(by); v(may_redirect); }
};
enum class PullResult : std::uint8_t { kElsewhere, kGone, kPinned };
struct PullAnswer {
  static constexpr Kind kKind = Kind::kPullAnswer;
  ObjectId id;
  std::uint32_t tag = 0;
  PullResult result = PullResult::kGone;
  Rank rank;                       // kElsewhere: who has it or gets it, and serves it on
  std::uint32_t next_tag = 0;      // kElsewhere: of the pull by which it gets it
  std::uint64_t offset = 0;        // kPinned: in the sender's segment
  std::optional<WireError> error;  // kGone: why
  template <class V>
  void Fields(V& v) { v(id); v(tag); v(result); v(rank); v(next_tag); v(offset); v(error); }
};
/// From a rank to itself: something that the keeper's steps waited for is there.
MANTA_WIRE_NONE(KeeperStep);
/// To ranks of the node: free so many bytes of the store, if you can.
MANTA_WIRE_ONE(RoomWanted, std::uint64_t, bytes);
/// An agent has read what was pinned for it under `tag`.
struct PullDone {
  static constexpr Kind kKind = Kind::kPullDone;
  ObjectId id;
  std::uint32_t tag = 0;
  template <class V>
  void Fields(V& v) { v(id); v(tag); }
};

// ---- actors ----
MANTA_WIRE_ONE(ActorEnd, ObjectId, actor);
struct ActorKill {
  static constexpr Kind kKind = Kind::kActorKill;
  ObjectId actor;
  std::uint8_t no_restart = 1;
  template <class V>
  void Fields(V& v) { v(actor); v(no_restart); }
};
struct ActorDied {
  static constexpr Kind kKind = Kind::kActorDied;
  ObjectId actor;
  std::string reason;
  template <class V>
  void Fields(V& v) { v(actor); v(reason); }
};
struct NameRegister {
  static constexpr Kind kKind = Kind::kNameRegister;
  std::uint64_t token = 0;
  std::string name;
  ObjectId actor;
  template <class V>
  void Fields(V& v) { v(token); v(name); v(actor); }
};
struct NameLookup {
  static constexpr Kind kKind = Kind::kNameLookup;
  std::uint64_t token = 0;
  std::string name;
  template <class V>
  void Fields(V& v) { v(token); v(name); }
};
/// Rank 0 to the actor's owner: give the requester a hold, if the actor lives.
struct NameGrant {
  static constexpr Kind kKind = Kind::kNameGrant;
  std::uint64_t token = 0;
  Rank requester;
  ObjectId actor;
  template <class V>
  void Fields(V& v) { v(token); v(requester); v(actor); }
};
struct NameReply {
  static constexpr Kind kKind = Kind::kNameReply;
  std::uint64_t token = 0;
  std::uint8_t ok = 0;
  ObjectId actor;
  template <class V>
  void Fields(V& v) { v(token); v(ok); v(actor); }
};
struct NameDrop {
  static constexpr Kind kKind = Kind::kNameDrop;
  std::string name;
  ObjectId actor;
  template <class V>
  void Fields(V& v) { v(name); v(actor); }
};

// ---- the job ----
MANTA_WIRE_ONE(StatsQuery, std::uint64_t, token);
struct StatsReply {
  static constexpr Kind kKind = Kind::kStatsReply;
  std::uint64_t token = 0;
  std::vector<std::uint64_t> values;
  template <class V>
  void Fields(V& v) { v(token); v(values); }
};
MANTA_WIRE_ONE(AvailableQuery, std::uint64_t, token);
struct AvailableReply {
  static constexpr Kind kKind = Kind::kAvailableReply;
  std::uint64_t token = 0;
  std::vector<std::pair<std::string, double>> amounts;
  template <class V>
  void Fields(V& v) { v(token); v(amounts); }
};
struct Abort {
  static constexpr Kind kKind = Kind::kAbort;
  std::int32_t code = 1;
  std::string reason;
  template <class V>
  void Fields(V& v) { v(code); v(reason); }
};
MANTA_WIRE_NONE(SessionEnd);
struct SessionEnded {
  static constexpr Kind kKind = Kind::kSessionEnded;
  std::uint64_t dropped_tasks = 0;
  template <class V>
  void Fields(V& v) { v(dropped_tasks); }
};
#undef MANTA_WIRE_ONE
#undef MANTA_WIRE_NONE

}  // namespace manta::wire
