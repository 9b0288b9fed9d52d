#pragma once
// Objects on one rank: made, read, moved between ranks, counted and freed. docs/protocol.md has the rules of borrowing.
//
// "User code" marks what may run a type's serialize functions or destructors: never under the progress token or a lock.

#include <manta/detail/core_api.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/object/object_pool.hpp"
#include "core/runtime/argument_admission.hpp"
#include "core/runtime/block_keeper.hpp"
#include "core/runtime/counters.hpp"
#include "core/runtime/local_store.hpp"
#include "core/runtime/new_block.hpp"
#include "core/runtime/read_scope.hpp"
#include "core/runtime/room.hpp"
#include "core/runtime/router.hpp"
#include "core/worker/progress.hpp"

namespace manta::runtime {

using object::Handle;
using object::ObjectState;
using object::Status;
using object::TypeOps;

/// What happens above when objects change; owned by this room, implemented by the runtime.
class ObjectEvents {
 public:
  /// The last ref of an actor of this rank is gone.
  virtual void ActorUnreferenced(const ObjectId& actor) = 0;
  /// A borrow was confirmed by its owner: what waited for that may go on.
  virtual void BorrowWasConfirmed() = 0;
  /// Runs `job` (user code) on a lane thread.
  virtual void RunInLane(std::function<void()> job) = 0;

 protected:
  ~ObjectEvents() = default;
};

/// A ref as it lies in serialized bytes.
struct RefOnWire {
  ObjectId id;
  std::uint32_t is_actor = 0;
  // Where the object's bytes are sealed, so that a rank of that node needs no answer from the owner, which may compute.
  Rank holder;  // invalid: not said
  std::uint32_t entry = 0;
};
static_assert(sizeof(RefOnWire) == detail::SizeArchive::kRefBytes);

class ObjectPlane {
 public:
  struct Options {
    Rank self;
    std::vector<NodeId> node_of;  // by rank
    std::uint64_t inline_bytes = 2048;
    bool check_serialize = false;
  };
  ObjectPlane(Options options, object::ObjectPool& pool, Router& router, LocalStore& store, Room& room, BlockKeeper& keeper,
              ArgumentAdmission& admission, worker::Progress& progress, Counters& counters, ObjectEvents& events);

  // ---- making ----
  Handle MakePending(bool is_actor = false) { return pool_.MakeOwned(options_.self, router_.session(), is_actor); }
  /// The same with two holds.
  std::pair<Handle, Handle> MakePendingTwice() {
    Handle first = pool_.MakeOwned(options_.self, router_.session(), false, 1);
    Handle second = Handle::Adopt(first.get());
    return {std::move(first), std::move(second)};
  }
  Handle PutOwned(const TypeOps& ops, std::shared_ptr<const void> object);  // user code
  Handle PutCopied(const TypeOps& ops, const void* object);                 // user code
  /// Room for an object to be written in place. Throws OutOfMemoryError.
  std::shared_ptr<NewBlock> CreateBlock(std::uint64_t size_bytes);
  /// The object of its bytes, which belong to it from now on. No user code.
  Handle SealBlock(NewBlock& block, const TypeOps& ops);
  /// Counts a value against the store that is to stay as it is, in the memory of the process. False: there is no room.
  bool CountLive(std::shared_ptr<const void>& live, std::uint64_t size_bytes);
  /// Writes such values into the store, of so many bytes, as far as nobody reads them. User code.
  void SealLive(std::uint64_t size_bytes);
  void CompleteLive(ObjectState& object, const TypeOps& ops, std::shared_ptr<const void> live);
  void CompletePlain(ObjectState& object, const TypeOps& ops, const void* bytes, std::size_t size);
  /// Takes over what comes with a result that nobody will ask for, refs and bytes, and lets it go.
  void DropValue(const ObjectId& id, const wire::ValueDescriptor& value, Rank from);
  /// Takes a value that came from `from`, with the refs in it.
  void CompleteDescriptor(ObjectState& object, const wire::ValueDescriptor& value, Rank from);
  void Fail(ObjectState& object, object::ErrorPtr error);

  // ---- reading ----
  /// The bytes of a value where it can be read, and what keeps them (null: they lie in the record). None where the value is
  /// live, and no elements or plain data.
  using KeptBytes = LocalStore::Kept;
  /// Of a ready object: whether it is in this process, or in the node's store now. `as_bytes`: not as a live value. Any
  /// thread; never blocks.
  bool TryKeep(ObjectState& object, bool as_bytes, KeptBytes* kept);
  bool IsHere(ObjectState& object);
  /// Calls `then` with the bytes of a ready object, kept, or with the error that keeps them away: at once where they are
  /// here, else under the token when they have been brought from disk or another node. Any thread.
  using Brought = std::function<void(const KeptBytes&, const object::ErrorPtr&)>;
  void Bring(ObjectState& object, bool as_bytes, Brought then);
  /// The same for who waits for them: blocks or parks. Throws the error.
  KeptBytes KeepHere(ObjectState& object, bool as_bytes = false);
  /// Of a task's arguments, those that lie in stores.
  std::uint64_t BytesToKeep(std::span<const detail::ArgumentRef> arguments) const;
  /// Throws OutOfMemoryError where one of them is larger than this node's store: that of another node may have it.
  void CheckSizes(std::span<const detail::ArgumentRef> arguments) const;
  ArgumentAdmission& admission() { return admission_; }
  /// The value of a ready object, of what was kept of it. Plain data that is large is read where it lies. User code.
  std::shared_ptr<const void> Materialize(ObjectState& object, const TypeOps& ops, const KeptBytes& kept);
  /// A value that nobody shares, of what was kept as bytes. User code.
  std::shared_ptr<const void> MaterializeFresh(ObjectState& object, const TypeOps& ops, const KeptBytes& kept);
  /// Copies the bytes of a ready object of plain data to `to`. No user code.
  void CopyPlain(ObjectState& object, const TypeOps& ops, const KeptBytes& kept, void* to);
  /// Where check-serialize is set: puts the object through its serializer, so that a forgotten field shows. User code.
  void CheckSerialize(const TypeOps& ops, std::shared_ptr<const void>& object);
  /// Sees to the value of a borrowed object that is pending: takes it from the node's segment, where the ref said that
  /// it lies (the object is then ready), or asks the owner.
  void RequestValue(ObjectState& object);

  // ---- sending ----
  /// Whether Describe can be called: the value has bytes.
  static bool HasBytes(ObjectState& object);
  /// Serializes what is only live; where it is large the value goes, in whose stead the bytes count (unless it was not
  /// `counted`). User code; throws OutOfMemoryError and what serialize throws.
  void MakeBytes(ObjectState& object, bool counted = true);
  /// The value as it travels to `to`, which may keep a copy of it (`as_argument`) without a ref.
  wire::ValueDescriptor Describe(ObjectState& object, Rank to, bool as_argument);
  /// The descriptor of a result made here for an object owned elsewhere; `live` is serialized. User code; throws
  /// OutOfMemoryError.
  wire::ValueDescriptor DescribeResult(const ObjectId& id, const TypeOps& ops, const void* live,
                                       std::vector<Handle>* contained);
  /// To be called for each ref in a message to `to`, before it is sent.
  void CountSentRef(ObjectState& object, Rank to);
  /// Keeps refs of a third rank that a result takes to `to`, until it has registered them.
  void KeepUntilTransit(Rank to, std::vector<Handle> refs);
  /// A ref that came in a message from `from`. `answer_transit`: tell `from` when its own hold is no longer needed.
  Handle ReceiveRef(const ObjectId& id, Rank from, bool answer_transit);
  /// A ref to be written into bytes.
  static RefOnWire RefTo(ObjectState& object);
  /// A ref that was met while reading bytes, in `scope` where they are an object's. It is appended to `unconfirmed` where
  /// its owner has to be told.
  Handle AdoptRef(const RefOnWire& ref, ReadScope* scope, std::vector<Handle>* unconfirmed);
  /// Tells the owner that we borrow these; `guard` is kept until it has confirmed that.
  void TellOwner(Borrows&& borrows, Handle guard);
  /// Whether it is ready and few bytes of plain data, which travel as an argument by themselves, as a SmallArgument
  /// that names no object: functions get copies of them anyway.
  static bool IsSmall(const ObjectState& object) {
    return object.done() && object.inside() && object.format() == detail::Format::kPlain;
  }
  Handle ReceiveSmall(const wire::SmallArgument& argument, const std::byte* value) {
    return pool_.MakeReady(options_.self, router_.session(), argument.type_hash,
                           static_cast<detail::Format>(argument.format), value, argument.size);
  }
  /// A record for an argument that came with a task.
  Handle ReceiveArgument(const ObjectId& id, const wire::ValueDescriptor& value, Rank from);
  static bool IsConfirmed(ObjectState& object);

  // ---- the end ----
  void OnLastHold(ObjectState& object);  // user code: destructors
  /// Frees an object that has no more than a small value and was known to this rank only. False: ask OnLastHold. Any
  /// thread, also under the token.
  bool FreePlain(ObjectState& object) { return pool_.TryFreePlain(object, router_.session()); }
  /// The same for who has a hold still. False also where there are others by now; the hold is as it was then.
  bool FreePlainSole(ObjectState& object) { return pool_.TryFreePlainSole(object, router_.session()); }
  void Housekeeping() { store_.Reclaim(); }
  std::uint64_t alive() const { return pool_.in_use(); }
  /// Throws OutOfMemoryError where no store of this size could hold so many bytes.
  void CheckSize(std::uint64_t size_bytes) const { room_.CheckSize(size_bytes); }
  /// Fails everything that is pending: the session is over.
  void FailAllPending(const std::string& reason);
  /// The same for who waits for bytes, now and from now on.
  void EndBringing();
  /// The session is over on all ranks: lets go of every value and pin, also of records that users' refs still name.
  /// User code.
  void Sweep();
  /// Visits the pending objects of this rank. Slow: looks through all records.
  template <class Visit>
  void ForEachPending(Visit visit) {
    for (const Handle& held : pool_.Snapshot())
      if (ObjectState& object = *object::StateOf(held); object.owned() && !object.done()) visit(object);
  }
  Handle FindOwned(const ObjectId& id) { return pool_.FindOwned(id); }
  template <class Fill>
  bool CompleteOwned(const ObjectId& id, Fill fill) {
    return pool_.CompleteOwned(id, fill);
  }
  Rank self() const { return options_.self; }

  // ---- messages ----
  void On(Rank from, const wire::ObjectQuery& message);
  void On(Rank from, const wire::ObjectReady& message);
  void On(Rank from, const wire::BorrowVia& message);
  void On(Rank from, const wire::BorrowConfirmed& message);
  void On(Rank from, const wire::BorrowDrop& message);
  void On(Rank from, const wire::TransitDone& message);
  void On(Rank from, const wire::CopyNotice& message);
  void On(Rank from, const wire::Evict& message);
  void On(Rank from, const wire::FreeBlock& message);
  void On(Rank from, const wire::BytesHere& message);
  /// An actor's address was found out, or a name granted: counts `to` as a borrower. False when the actor is gone.
  bool GrantRef(const ObjectId& id, Rank to);

 private:
  struct Asked {
    Handle object;
    Brought then;
  };
  class QueryAnswer;

  NodeId NodeOf(Rank rank) const { return options_.node_of[static_cast<std::size_t>(rank.value)]; }
  bool SameNode(Rank rank) const { return NodeOf(rank) == NodeOf(options_.self); }
  static void CountBorrower(ObjectState& object, Rank to);  // locked
  void SendValue(ObjectState& object, Rank to);
  void TakeValue(ObjectState& object, const wire::ValueDescriptor& value);
  void FreeValue(const ObjectId& id, object::ObjectPool::Trash& trash, bool owned);
  void TryFreeOwned(ObjectState& object);
  void TryFreeBorrowed(ObjectState& object, const ObjectId& id);
  void FreeBlockOf(const ObjectId& id, const wire::Location& location);
  std::shared_ptr<const void> Load(ObjectState& object, const TypeOps& ops, const KeptBytes& from,
                                   std::size_t* in_place);
  bool TakeFromNode(ObjectState& object, Rank holder, std::uint32_t entry);
  /// Writes a value of more than inline_bytes into the store. Nothing where it is smaller, or no entry is free. User
  /// code; throws OutOfMemoryError and what serialize throws.
  std::optional<wire::Location> Seal(const ObjectId& id, const TypeOps& ops, const void* value, std::size_t size,
                                     std::vector<Handle>* refs, std::uint64_t instead_of = 0);

  const Options options_;
  object::ObjectPool& pool_;
  Router& router_;
  LocalStore& store_;
  Room& room_;
  BlockKeeper& keeper_;
  ArgumentAdmission& admission_;
  worker::Progress& progress_;
  Counters& counters_;
  ObjectEvents& events_;

  static constexpr std::uint32_t kHoldsRefs = 1u << 8;  // in the note of an entry, beside the format
  static constexpr std::uint64_t kLargeCopyBytes = 64u << 20;
  std::atomic<bool> said_large_copy_{false};
  std::atomic<bool> seals_live_{false};  // acquire, release: one at a time

  std::mutex asks_mutex_;
  std::unordered_map<ObjectId, std::vector<Asked>> asks_;  // of bytes that are being brought; guarded by asks_mutex_
  bool brings_ = true;                                  // guarded by asks_mutex_

  std::mutex transit_mutex_;
  std::multimap<std::pair<Rank, ObjectId>, Handle> transits_;  // guarded by transit_mutex_

  struct Told {
    std::vector<ObjectState*> records;
    Handle guard;
  };
  std::mutex told_mutex_;
  std::uint64_t last_told_ = 0;                   // guarded by told_mutex_
  std::unordered_map<std::uint64_t, Told> told_;  // not confirmed yet, by BorrowVia's batch; guarded by told_mutex_
};

}  // namespace manta::runtime
