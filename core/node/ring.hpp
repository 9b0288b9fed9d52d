#pragma once
// A one-way queue of byte records in shared memory, from one rank to another.
//
//   RingWriter writer(cells, cell_count, tail);                    // one rank; its caller holds a lock
//   if (!writer.TryWrite(kind, bytes)) { /* full: try again once the reader has read */ }
//   RingReader reader(cells, cell_count, tail);                    // one rank; the holder of its token
//   reader.Read([](const RingRecord& record) { ... }, budget);
//
// A cell is one cache line: a header word and 56 bytes of payload. A record of up to 56 bytes is one cell, so it moves
// with one line, and is read where it lies; a longer one takes consecutive cells (around the end too) and is copied out.
// The header holds the lap, the number of times the ring was gone around. A cell is new when its lap is the reader's,
// so there is no head index to publish, and cells are never cleared: 140 ns there and back against 180 with an index.
// All cells of a record carry the lap, and the first is stored last, so whatever lies at the reader's position has
// either this lap or the one before. The lap wraps after 2^32 rounds, which is harmless for the same reason.

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "core/base/check.hpp"
#include "core/base/prefetch.hpp"
#include "core/node/segment_layout.hpp"

namespace manta::node {

struct alignas(kLineBytes) RingCell {
  static constexpr std::size_t kPayloadBytes = 56;

  // Low half: lap. High half: payload bytes of the record (24 bits) and its kind (8), only in the first cell.
  // Written by the producer: release in a first cell, which hands over the whole record; relaxed in the others.
  std::atomic<std::uint64_t> header;
  std::byte payload[kPayloadBytes];
};
static_assert(sizeof(RingCell) == kLineBytes);

struct alignas(kApart) RingTail {
  // Cells read so far. Written by the reader, in batches, with release after it is done with the cells; the producer's
  // acquire orders its next writes to them after that.
  std::atomic<std::uint64_t> position;
};

namespace ring_detail {
constexpr std::uint64_t CellsFor(std::size_t size_bytes) {
  return size_bytes <= RingCell::kPayloadBytes ? 1 : (size_bytes + RingCell::kPayloadBytes - 1) / RingCell::kPayloadBytes;
}

/// Fewer bytes than a cell has: word by word, for a call of memcpy costs more.
inline void CopyWithinCell(std::byte* to, const std::byte* from, std::size_t size) {
  for (; size >= sizeof(std::uint64_t); size -= sizeof(std::uint64_t)) {
    std::memcpy(to, from, sizeof(std::uint64_t));
    to += sizeof(std::uint64_t);
    from += sizeof(std::uint64_t);
  }
  for (; size != 0; --size) *to++ = *from++;
}

/// What writer and reader both know of a ring.
struct Shape {
  Shape(RingCell* first, std::uint64_t count)
      : cells(first), mask(count - 1), shift(static_cast<unsigned>(std::countr_zero(count))) {
    MANTA_ASSERT(std::has_single_bit(count) && count >= 8);
  }
  RingCell& At(std::uint64_t position) const { return cells[position & mask]; }
  /// 1 in the first round, so that zeroed cells are of the lap before.
  std::uint32_t Lap(std::uint64_t position) const { return static_cast<std::uint32_t>(position >> shift) + 1; }
  std::uint64_t cell_count() const { return mask + 1; }

  RingCell* cells;
  std::uint64_t mask;
  unsigned shift;
};
}  // namespace ring_detail

/// The payload bytes that one record may have: a quarter of the ring, so that a drained ring takes any record.
constexpr std::size_t MaxRingRecord(std::uint64_t cell_count) { return cell_count / 4 * RingCell::kPayloadBytes; }

/// The producer's end. Not thread-safe: its caller holds a lock.
class RingWriter {
 public:
  /// `start` is where both ends of a used ring stand (tests of old rings); 0 for a new one.
  RingWriter(RingCell* cells, std::uint64_t cell_count, const RingTail* tail, std::uint64_t start = 0)
      : shape_(cells, cell_count), tail_(tail), position_(start), known_tail_(start) {}

  std::size_t max_record() const { return MaxRingRecord(shape_.cell_count()); }

  /// The same as TryWrite for what fits into one cell (1 to 56 bytes), in a third of the instructions.
  bool TryWriteCell(std::uint8_t kind, std::span<const std::byte> bytes) {
    if (position_ - known_tail_ >= shape_.cell_count()) return TryWrite(kind, bytes);
    RingCell& cell = shape_.At(position_);
    ring_detail::CopyWithinCell(cell.payload, bytes.data(), bytes.size());
    Publish(kind, bytes.size(), 1);
    return true;
  }

  /// Writes `head` and `body` as one record (1 byte to max_record() together), visible to the reader at once. Returns
  /// false and writes nothing when there is no room. Never blocks.
  bool TryWrite(std::uint8_t kind, std::span<const std::byte> head, std::span<const std::byte> body = {}) {
    const std::size_t size = head.size() + body.size();
    const std::uint64_t count = ring_detail::CellsFor(size);
    if (position_ + count - known_tail_ > shape_.cell_count()) {
      known_tail_ = tail_->position.load(std::memory_order_acquire);  // the reader's line: only when it seems full
      if (position_ + count - known_tail_ > shape_.cell_count()) return false;
    }
    for (std::uint64_t at = position_ + 1; at != position_ + count; ++at)
      shape_.At(at).header.store(shape_.Lap(at), std::memory_order_relaxed);
    CopyIn(0, head);
    CopyIn(head.size(), body);
    Publish(kind, size, count);
    return true;
  }

 private:
  void Publish(std::uint8_t kind, std::size_t size, std::uint64_t count) {
    const std::uint64_t header =
        std::uint64_t{kind} << 56 | static_cast<std::uint64_t>(size) << 32 | shape_.Lap(position_);
    // Last: from here on the reader has it.
    shape_.At(position_).header.store(header, std::memory_order_release);
    position_ += count;
    // The reader's core has the lines of the round before: ours again by the time they are written, so that the fence
    // after a message has less to wait for.
    base::PrefetchToWrite(&shape_.At(position_ + kPrefetchCells));
  }
  void CopyIn(std::size_t at, std::span<const std::byte> bytes) {
    constexpr std::size_t kCell = RingCell::kPayloadBytes;
    std::uint64_t cell = position_ + at / kCell;
    if (const std::size_t within = at % kCell; within != 0) {
      const std::size_t count = std::min(bytes.size(), kCell - within);
      ring_detail::CopyWithinCell(shape_.At(cell++).payload + within, bytes.data(), count);
      bytes = bytes.subspan(count);
    }
    for (; bytes.size() >= kCell; bytes = bytes.subspan(kCell)) std::memcpy(shape_.At(cell++).payload, bytes.data(), kCell);
    if (!bytes.empty()) ring_detail::CopyWithinCell(shape_.At(cell).payload, bytes.data(), bytes.size());
  }

  static constexpr std::uint64_t kPrefetchCells = 6;

  ring_detail::Shape shape_;   // fixed after construction
  const RingTail* tail_;       // fixed after construction
  std::uint64_t position_;     // cells written so far
  std::uint64_t known_tail_;   // what the tail was when last read
};

/// One record in the ring, valid during the reader's callback.
class RingRecord {
 public:
  RingRecord(const ring_detail::Shape& shape, std::uint64_t position, std::uint64_t header)
      : shape_(shape), position_(position), header_(header) {}

  std::uint8_t kind() const { return static_cast<std::uint8_t>(header_ >> 56); }
  std::size_t size() const { return header_ >> 32 & 0xffffff; }
  /// Whether all of it lies in one piece: up to 56 bytes, aligned to 8.
  bool in_place() const { return size() <= RingCell::kPayloadBytes; }
  /// The bytes of a record that is in place.
  std::span<const std::byte> bytes() const { return {shape_.At(position_).payload, size()}; }
  /// Copies the bytes from `from` on, as many as `to` has (and the record has, which is the caller's to see to).
  void CopyTo(std::span<std::byte> to, std::size_t from = 0) const {
    constexpr std::size_t kCell = RingCell::kPayloadBytes;
    std::uint64_t cell = position_ + from / kCell;
    if (const std::size_t within = from % kCell; within != 0) {
      const std::size_t count = std::min(to.size(), kCell - within);
      ring_detail::CopyWithinCell(to.data(), shape_.At(cell++).payload + within, count);
      to = to.subspan(count);
    }
    for (; to.size() >= kCell; to = to.subspan(kCell)) std::memcpy(to.data(), shape_.At(cell++).payload, kCell);
    if (!to.empty()) ring_detail::CopyWithinCell(to.data(), shape_.At(cell).payload, to.size());
  }

 private:
  const ring_detail::Shape& shape_;
  std::uint64_t position_;
  std::uint64_t header_;
};

/// The reader's end. Read is for one thread at a time (the holder of the token), MayHaveRecord for any.
class RingReader {
 public:
  RingReader(RingCell* cells, std::uint64_t cell_count, RingTail* tail, std::uint64_t start = 0)
      : shape_(cells, cell_count), tail_(tail), position_(start), published_(start) {}

  /// Calls `callback(const RingRecord&)` for up to `budget` records, in order; each has left the ring when it returns.
  /// Returns how many. Should the callback throw, its record is still the next one.
  template <class Callback>
  std::size_t Read(Callback&& callback, std::size_t budget) {
    std::size_t count = 0;
    while (count < budget) {
      const std::uint64_t position = position_.load(std::memory_order_relaxed);
      const std::uint64_t header = shape_.At(position).header.load(std::memory_order_acquire);
      if (static_cast<std::uint32_t>(header) != shape_.Lap(position)) break;
      const RingRecord record(shape_, position, header);
      const std::uint64_t next = position + ring_detail::CellsFor(record.size());
      // What a writer in a hurry has put there meanwhile comes while this record is handled.
      __builtin_prefetch(&shape_.At(next + 1));
      callback(record);
      position_.store(next, std::memory_order_relaxed);
      // An eighth is kept back at most, so a ring that was read to its end has room for any record even if the reader
      // never writes the tail again.
      if (next - published_ >= shape_.cell_count() / 8) {
        published_ = next;
        tail_->position.store(next, std::memory_order_release);
      }
      ++count;
    }
    return count;
  }

  /// Whether a record may lie there. With the fence of Arm between, false is certain: a cell that was written before
  /// the sender's fence has this lap or, if the position read here is an old one, a later lap, but not the lap before.
  bool MayHaveRecord() const {
    const std::uint64_t position = position_.load(std::memory_order_relaxed);
    const std::uint64_t header = shape_.At(position).header.load(std::memory_order_relaxed);
    return static_cast<std::uint32_t>(header) != shape_.Lap(position) - 1;
  }

 private:
  ring_detail::Shape shape_;             // fixed after construction
  RingTail* tail_;                       // fixed after construction
  std::atomic<std::uint64_t> position_;  // cells read so far; written by the token's holder, which the token orders;
                                         // relaxed, since others take it for a hint
  std::uint64_t published_;              // the token's holder only
};

}  // namespace manta::node
