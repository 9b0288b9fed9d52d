#pragma once
// How messages lie in the buffers that MPI carries. A batch is a row of records; a record is a header of 8 bytes, then
// the bytes, padded so that each record starts at a multiple of 8. A message above the largest batch travels as pieces,
// one a record, in order and next to each other within one pair of ranks.
//
//   | bytes | remaining | payload ... pad | bytes | remaining | payload ... pad |

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/node/spin_lock.hpp"

namespace manta::mpi {

/// Precedes each record. Native byte order: ranks of one job run one binary.
struct RecordHeader {
  std::uint32_t bytes;      // of the message, in this record
  std::uint32_t remaining;  // of the message, in later records: 0 ends it
};
static_assert(sizeof(RecordHeader) == 8);

/// With MPI's own header (at most 128 bytes in Open MPI) a small batch stays within the eager limit of shared memory
/// (4 KiB) and a large one within TCP's (64 KiB): neither waits for the receiver.
inline constexpr std::size_t kSmallBatchBytes = 4096 - 128;
inline constexpr std::size_t kLargeBatchBytes = 65536 - 128;
inline constexpr std::size_t kMaxRecordPayload = kLargeBatchBytes - sizeof(RecordHeader);

constexpr std::size_t RecordSize(std::size_t payload) {
  return sizeof(RecordHeader) + ((payload + 7) & ~std::size_t{7});
}

/// A buffer being filled, or on its way. Move-only, by its buffer.
struct Batch {
  std::unique_ptr<std::byte[]> buffer;  // aligned to 16, as operator new gives it
  std::size_t capacity = 0;
  std::size_t used = 0;
  std::uint64_t messages = 0;  // that end in this batch

  std::size_t room() const { return capacity - used; }
  /// Copies `payload` in as one record; the caller has seen that RecordSize(payload.size()) <= room().
  void Append(std::span<const std::byte> payload, std::size_t remaining);
};

/// Buffers for reuse, of the two sizes. Any thread; own lock, innermost.
class BatchPool {
 public:
  /// An empty batch of at least `min_bytes` (at most kLargeBatchBytes). May allocate.
  Batch Take(std::size_t min_bytes);
  /// Keeps the buffer for later, up to 64 of a size, else frees it.
  void Give(Batch batch);

 private:
  static constexpr std::size_t kKept = 64;
  node::SpinLock mutex_;
  std::vector<Batch> small_;  // guarded by mutex_
  std::vector<Batch> large_;  // guarded by mutex_
};

/// Reads the records of one received batch in order.
class BatchReader {
 public:
  BatchReader() = default;
  /// `batch` must start at a multiple of 8 and stay until the last record has been used.
  explicit BatchReader(std::span<const std::byte> batch) : rest_(batch) {}

  bool empty() const { return rest_.empty(); }
  struct Record {
    std::span<const std::byte> payload;
    std::size_t remaining;
  };
  /// The next record; not when empty(). Aborts on bytes that no Batch wrote.
  Record Next();

 private:
  std::span<const std::byte> rest_;
};

/// Puts the pieces of a long message together: one for each source.
class Assembly {
 public:
  struct Message {
    std::span<const std::byte> bytes;     // empty: not whole yet (a message has at least one byte)
    std::unique_ptr<std::byte[]> memory;  // of a long one; a short one lies in its batch
  };
  /// Adds a record; returns the message that it completes.
  Message Add(BatchReader::Record record);

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t total_ = 0;
  std::size_t have_ = 0;
};

}  // namespace manta::mpi
