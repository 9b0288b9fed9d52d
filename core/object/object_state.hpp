#pragma once
// An object as one process knows it: pending, ready with its value, or failed. One record in the owner's process and
// one in each process that holds or caches it.
//
// A record is one cache line. What most objects never have (a live value, bytes that are too many for the line, an
// error, borrowers) lies in a part of its own, `Cold`, made when it is needed.

#include <manta/detail/handle.hpp>
#include <manta/detail/type_ops.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/slab.hpp"
#include "core/node/spin_lock.hpp"
#include "core/object/error_record.hpp"
#include "core/wire/messages.hpp"

namespace manta::object {

using detail::Format;
using detail::Handle;
using detail::TypeOps;
using ObjectLock = node::SpinLock;

struct ObjectState;
class ObjectPool;

/// Told once when an object is ready or failed. Lives until then, or until RemoveWaiter returned true.
class ObjectWaiter {
 public:
  /// Any thread, also under the progress token: must not block nor run user code.
  virtual void ObjectDone(ObjectState& object) = 0;

 protected:
  ~ObjectWaiter() = default;

 private:
  friend struct ObjectState;
  ObjectWaiter* next_ = nullptr;
  ObjectWaiter* previous_ = nullptr;
};

/// What only the owner keeps, made when the object first leaves the rank.
struct OwnerSide : base::InSlab {
  struct Borrower {
    Rank rank;
    std::uint32_t sent = 0;  // refs that it was sent or told us of, less those that it has given back
  };
  std::vector<Borrower> borrowers;
  std::vector<Rank> copies;   // ranks that may cache the bytes without holding a ref
  std::vector<Rank> queries;  // ranks that wait for the value
};

/// What only a borrower keeps.
struct BorrowerSide : base::InSlab {
  std::uint32_t received = 0;  // refs that the owner has counted, or will when our BorrowVia arrives
  bool confirmed = false;      // the owner has counted us at least once
  bool via_pending = false;    // a BorrowVia is under way: its confirmation must find this record
  bool queried = false;
  Rank holder;                 // whose entry has the bytes, as the ref said that we read; invalid: it did not say
  std::uint32_t entry = 0;     // of `holder`
  std::vector<Handle> guards;  // what keeps the object alive until the owner has confirmed us
  std::vector<Rank> transits;  // who keeps a hold for us until then
};

/// Guarded by the object's lock, but for `data`, `size` and `error`, which may be read without it where they were set
/// before the object was done.
struct Cold : base::InSlab {
  static constexpr std::size_t kInsideBytes = 32;
  static constexpr std::uint32_t kNoEntry = 0xffffffff;

  const TypeOps* ops = nullptr;  // of `live`
  std::shared_ptr<const void> live;
  const std::byte* data = nullptr;  // null while the value is only live, or in a node's store
  std::uint64_t size = 0;
  std::shared_ptr<const std::byte[]> heap;  // what `data` points into, where it is memory of this process
  std::optional<wire::Location> location;   // where the bytes are sealed, in some node's store
  std::uint32_t copy = kNoEntry;            // where not on this node: the entry of this node's copy, as we heard last
  ErrorPtr error;
  std::vector<Handle> contained;  // refs inside the bytes, kept while the object lives
  std::unique_ptr<OwnerSide> owner_side;
  std::unique_ptr<BorrowerSide> borrower_side;
  std::uint32_t own_slot = 0;                  // of a borrowed object: the record's own place,
  std::uint32_t own_generation = 0;            // and its own uses
  bool is_cached = false;                      // borrowed: kept without holds until the owner evicts it
  bool loading = false;                        // somebody materializes it
  bool error_was_read = false;                 // a hint only
  alignas(16) std::byte inside[kInsideBytes];  // what `data` points to where it is a little too large for the record

  OwnerSide& MakeOwnerSide() {
    if (!owner_side) owner_side = std::make_unique<OwnerSide>();
    return *owner_side;
  }
};

enum class Status : std::uint8_t { kPending, kReady, kFailed };

/// Type-stable: records are used again but never freed, so that a late ReleaseLast finds a record. "Locked" is what
/// `Lock()` guards. The value may be read without it once `status` was seen to be kReady.
struct alignas(64) ObjectState : detail::CountedRecord {
  static constexpr std::size_t kSmallBytes = 24;

  /// The record's own lock. Never held over a send, user code or a switch; two are never held at once.
  ObjectLock& Lock() const { return lock_; }

  // ---- what it is ----
  // Set while the record is being made, before `flags_` says that it is in use (release), and fixed until it is free
  // again. Who holds the object may read them; others take the lock and look at in_use() first.
  bool owned() const { return (flags() & kOwned) != 0; }
  /// Locked: whether it is an object at all.
  bool in_use() const { return (flags() & kInUse) != 0; }
  /// May turn true later, when a rank learns it from a ref that it reads.
  bool is_actor() const { return (flags() & kActor) != 0; }
  void MarkActor() { SetFlags(static_cast<std::uint8_t>(flags() | kActor)); }  // locked

 private:
  mutable ObjectLock lock_;

 public:
  std::atomic<Status> status{Status::kPending};  // release when done, acquire to read the value

 private:
  // Written under the lock, or by the only thread that knows the record: release, so that who sees kInUse sees the
  // rest.
  std::atomic<std::uint8_t> flags_{0};
  std::uint8_t shape_ = 0;  // the value's format; kInside and its size where it lies in `words_`; locked until done

 public:
  ObjectId id;  // of a free record: its slot and how often it was used
  std::uint32_t session = 0;
  std::uint64_t type_hash = 0;  // locked until done

  // ---- the value; under the lock, or once it is ready ----
  Format format() const { return static_cast<Format>(shape_ & kFormatBits); }
  bool inside() const { return (shape_ & kInside) != 0; }
  /// Null while the value is only live, or in a node's store, or where there is none.
  const std::byte* bytes() const {
    if (inside()) return words_.small;
    const Cold* part = cold();
    return part == nullptr ? nullptr : part->data;
  }
  std::uint64_t size() const {
    if (inside()) return shape_ >> kSizeShift;
    const Cold* part = cold();
    return part == nullptr ? 0 : part->size;
  }
  /// Locked. To be called in Complete's `fill`, before the bytes are set.
  void SetType(std::uint64_t hash, Format format) {
    type_hash = hash;
    shape_ = static_cast<std::uint8_t>(format);
  }
  /// Locked. To be called in Complete's `fill`, last: a copy of the bytes, in the record where they fit.
  void SetBytes(const void* from, std::size_t size);

  // ---- the rest ----
  Cold* cold() const { return cold_.load(std::memory_order_acquire); }
  /// Locked.
  Cold& MakeCold() {
    Cold* part = cold_.load(std::memory_order_relaxed);
    if (part == nullptr) cold_.store(part = new Cold(), std::memory_order_release);
    return *part;
  }

  /// The task that makes it, as its owner keeps it. Locked, but for the first SetProducer of a fresh object, which others
  /// may find (Snapshot) but which nobody else gives a producer (release; acquire to follow the pointer). A pending object
  /// may have one, and one that was done by others than its task. Null otherwise.
  void* producer() const {
    if (inside() && size() > kBeforeProducer) return nullptr;
    return std::atomic_ref(const_cast<void*&>(words_.pending.producer)).load(std::memory_order_acquire);
  }
  void SetProducer(void* producer) {
    std::atomic_ref(words_.pending.producer).store(producer, std::memory_order_release);
  }
  void* TakeProducer() {
    void* const taken = producer();
    if (taken != nullptr) SetProducer(nullptr);
    return taken;
  }

  // ---- becoming done ----
  bool done() const { return status.load(std::memory_order_acquire) != Status::kPending; }
  /// False when the object is done already (the waiter is then not told).
  bool AddWaiter(ObjectWaiter& waiter);
  /// Whether it was removed before it was told; false: it was or is being told (by a thread that may still be in
  /// ObjectDone).
  bool RemoveWaiter(ObjectWaiter& waiter);
  /// Locked.
  bool has_waiters() const { return !done() && words_.pending.waiters != nullptr; }
  /// Sets the status and tells the waiters. `fill` sets the value under the lock. False if it was done already.
  template <class Fill>
  bool Complete(Status to, Fill fill) {
    ObjectWaiter* first = nullptr;
    {
      std::lock_guard lock(Lock());
      if (done()) return false;
      first = words_.pending.waiters;
      fill();  // may put the value in the waiters' place
      if (!inside()) words_.pending.waiters = nullptr;
      status.store(to, std::memory_order_release);
    }
    if (first != nullptr) Tell(first);
    return true;
  }
  /// The same, ready, in one step for who has no hold: `fill` also says, under the lock, whether it is to be. The caller
  /// sees to it that somebody holds the object until this returns.
  template <class Fill>
  bool CompleteIf(Fill fill) {
    ObjectWaiter* first = nullptr;
    {
      std::lock_guard lock(Lock());
      if (!in_use() || done()) return false;
      first = words_.pending.waiters;
      if (!fill()) return false;
      if (!inside()) words_.pending.waiters = nullptr;
      status.store(Status::kReady, std::memory_order_release);
    }
    if (first != nullptr) Tell(first);
    return true;
  }

 private:
  friend class ObjectPool;

  static constexpr std::uint8_t kInUse = 1, kOwned = 2, kActor = 4;
  static constexpr std::uint8_t kFormatBits = 3, kInside = 4;
  static constexpr int kSizeShift = 3;
  static constexpr std::size_t kBeforeProducer = 16;

  std::uint8_t flags() const { return flags_.load(std::memory_order_acquire); }
  void SetFlags(std::uint8_t flags) { flags_.store(flags, std::memory_order_release); }
  void Tell(ObjectWaiter* first);

  struct Pending {
    ObjectWaiter* waiters;
    std::uint64_t unused;
    void* producer;  // last, so that most values leave it where it is
  };
  struct Free {
    ObjectState* next;
    ObjectState* next_batch;
    std::uint64_t count;  // of a batch, in its first record
  };
  /// Locked; `free` belongs to who has the free record. The bytes lie at a multiple of 16.
  union Words {
    Pending pending;
    Free free;
    std::byte small[kSmallBytes];
  } words_{};
  std::atomic<Cold*> cold_{nullptr};  // written under the lock (release); what it points to is there for who reads it
};
static_assert(sizeof(ObjectState) == 64 && alignof(ObjectState) == 64);

/// Memory for bytes that spans of any type may be laid over.
std::shared_ptr<std::byte[]> AlignedBytes(std::size_t size);

/// A hold that counts. The record must be in use.
inline Handle Hold(ObjectState& object) { return Handle(&object); }
inline ObjectState* StateOf(const Handle& handle) { return static_cast<ObjectState*>(handle.get()); }

}  // namespace manta::object
