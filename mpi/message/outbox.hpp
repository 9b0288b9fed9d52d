#pragma once
// What waits to be sent to one destination, as batches. Senders fill it from any thread; the progress loop empties it.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>

#include "mpi/message/batch.hpp"

namespace manta::mpi {

/// An outbox is *listed* from the first Append until TakeOldest finds nothing: whoever lists it (Append returned true)
/// tells the progress loop once, however many messages follow. Any thread; own lock, held while a message is copied.
class Outbox {
 public:
  /// `pool` must outlive this object.
  explicit Outbox(BatchPool& pool) : pool_(pool) {}

  /// Appends a copy of `message` (1 byte or more). Returns whether this outbox became listed by it. If memory runs out
  /// it throws bad_alloc and nothing was appended.
  /// The first batch is small, so that it leaves by the fast path of MPI; while batches wait, new ones are large.
  bool Append(std::span<const std::byte> message);
  /// The batch to send next, or nothing: then this outbox is no longer listed.
  std::optional<Batch> TakeOldest();

  std::uint64_t messages() const;  // appended so far
  std::uint64_t bytes() const;

 private:
  void AppendLong(std::span<const std::byte> message);  // mutex_ held

  BatchPool& pool_;
  mutable std::mutex mutex_;
  std::deque<Batch> waiting_;   // guarded by mutex_; only the last one is still being filled
  bool listed_ = false;         // guarded by mutex_
  std::uint64_t messages_ = 0;  // guarded by mutex_
  std::uint64_t bytes_ = 0;     // guarded by mutex_
};

}  // namespace manta::mpi
