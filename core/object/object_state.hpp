#pragma once
// An object as one process knows it: pending, ready with its value, or failed. One record in the owner's process and
// one in each process that holds or caches it.

#include <manta/detail/handle.hpp>
#include <manta/detail/type_ops.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "core/base/ids.hpp"
#include "core/object/error_record.hpp"
#include "core/wire/messages.hpp"

namespace manta::object {

using detail::Format;
using detail::Handle;
using detail::TypeOps;

struct ObjectState;

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
struct OwnerSide {
  struct Borrower {
    Rank rank;
    std::uint32_t sent = 0;  // refs that it was sent or told us of, less those that it has given back
  };
  std::vector<Borrower> borrowers;
  std::vector<Rank> copies;   // ranks that may cache the bytes without holding a ref
  std::vector<Rank> queries;  // ranks that wait for the value
};

/// What only a borrower keeps.
struct BorrowerSide {
  std::uint32_t received = 0;  // refs that the owner has counted, or will when our BorrowVia arrives
  bool confirmed = false;      // the owner has counted us at least once
  bool via_pending = false;    // a BorrowVia is under way: its confirmation must find this record
  bool queried = false;
  std::vector<Handle> guards;  // what keeps the object alive until the owner has confirmed us
  std::vector<Rank> transits;  // who keeps a hold for us until then
};

enum class Status : std::uint8_t { kPending, kReady, kFailed };

/// Type-stable: records are used again but never freed, so that a late ReleaseLast finds a record. What is marked
/// "locked" is guarded by `Lock()`; the value's fields may be read without it once `status` was seen to be kReady,
/// except `live`, which may appear later.
struct ObjectState : detail::CountedRecord {
  static constexpr std::size_t kSmallBytes = 32;

  // Fixed while the record is in use.
  ObjectId id;
  std::uint32_t pool_index = 0;  // fixed for ever
  std::uint32_t generation = 0;  // of the record's own uses; locked
  std::uint32_t session = 0;
  bool owned = false;
  bool is_actor = false;

  std::atomic<Status> status{Status::kPending};  // release when done, acquire to read the value
  bool in_use = false;                           // locked
  bool error_was_read = false;                   // locked; a hint only
  bool is_cached = false;                        // borrowed: kept without holds until the owner evicts it; locked
  bool loading = false;                          // somebody materializes it; locked
  ObjectWaiter* waiters = nullptr;               // locked

  // The value. `data` is null while it is only live.
  const TypeOps* ops = nullptr;      // of `live`; locked
  std::shared_ptr<const void> live;  // locked
  std::uint64_t type_hash = 0;
  Format format = Format::kNone;
  const std::byte* data = nullptr;  // locked until ready; may appear later under the lock
  std::uint64_t size = 0;
  std::shared_ptr<const std::byte[]> heap;   // what `data` points into, where it is memory of this process
  std::optional<wire::Location> location;    // where it lies in a node segment; locked
  bool pinned = false;                       // this process pins its entry; locked
  alignas(16) std::byte small[kSmallBytes];  // what `data` points to for small values
  ErrorPtr error;
  std::vector<Handle> contained;  // refs inside the bytes, kept while the object lives; locked

  void* producer = nullptr;                     // the TaskRecord that makes it (owner); locked
  std::unique_ptr<OwnerSide> owner_side;        // locked
  std::unique_ptr<BorrowerSide> borrower_side;  // locked

  /// One of 256 mutexes, by address. Never held over a send, user code or a switch; two are never held at once.
  std::mutex& Lock() const;

  bool done() const { return status.load(std::memory_order_acquire) != Status::kPending; }
  /// False when the object is done already (the waiter is then not told).
  bool AddWaiter(ObjectWaiter& waiter);
  /// Whether it was removed before it was told; false: it was or is being told (by a thread that may still be in
  /// ObjectDone).
  bool RemoveWaiter(ObjectWaiter& waiter);
  /// Sets the status and tells the waiters. `fill` sets the value under the lock. False if it was done already.
  template <class Fill>
  bool Complete(Status to, Fill fill) {
    ObjectWaiter* first = nullptr;
    {
      std::lock_guard lock(Lock());
      if (done()) return false;
      fill();
      status.store(to, std::memory_order_release);
      first = std::exchange(waiters, nullptr);
    }
    Tell(first);
    return true;
  }
  void CopySmall(const void* from, std::size_t bytes) {
    std::memcpy(small, from, bytes);
    data = small;
    size = bytes;
  }

 private:
  void Tell(ObjectWaiter* first);
};

/// A hold that counts. The record must be in use.
inline Handle Hold(ObjectState& object) { return Handle(&object); }
inline ObjectState* StateOf(const Handle& handle) { return static_cast<ObjectState*>(handle.get()); }

}  // namespace manta::object
