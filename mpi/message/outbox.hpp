#pragma once
// What waits to be sent to one destination, as batches. Senders fill it from any thread; the progress loop empties it.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "core/node/spin_lock.hpp"
#include "mpi/message/batch.hpp"

namespace manta::mpi {

/// An outbox is *listed* while batches wait in it: whoever lists it (Append returned true) tells the progress loop once,
/// however many messages follow. Any thread; own lock, held while a message of up to one batch is copied.
class Outbox {
 public:
  /// `pool` must outlive this object.
  explicit Outbox(BatchPool& pool) : pool_(pool) {}

  /// Appends a copy of `message` (1 byte or more). Returns whether this outbox became listed by it. If memory runs out
  /// it throws bad_alloc and nothing was appended.
  /// The first batch is small, so that it leaves by the fast path of MPI; while batches wait, new ones are large.
  bool Append(std::span<const std::byte> message);
  /// The batch to send next, if there is one. `is_listed`: whether there are more.
  std::optional<Batch> TakeOldest(bool* is_listed);

  std::uint64_t messages() const;  // appended so far
  std::uint64_t bytes() const;

 private:
  std::deque<Batch> CutUp(std::span<const std::byte> message);

  BatchPool& pool_;
  mutable node::SpinLock mutex_;
  std::deque<Batch> waiting_;   // guarded by mutex_; only the last one is still being filled
  std::uint64_t messages_ = 0;  // guarded by mutex_
  std::uint64_t bytes_ = 0;     // guarded by mutex_
};

}  // namespace manta::mpi
