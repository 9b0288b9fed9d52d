#include "core/node/ring_transport.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "core/base/check.hpp"
#include "core/node/doorbell.hpp"

namespace manta::node {
namespace {

enum RecordKind : std::uint8_t {
  kWhole = 0,  // a message
  kFirst = 1,  // 8 bytes with the message's size, then its first bytes
  kMore = 2,   // the bytes that follow
};

constexpr std::int64_t kSleepWhileMessagesWait = 50'000;  // a peer reads an eighth of a ring in less
constexpr std::int64_t kSleepUntilRung = 1'000'000'000;
constexpr std::size_t kTurn = 32;  // records of one inbox before the next has its turn

/// A counter with one writer at a time (a lock or the token orders them), read by any thread.
void Bump(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
  counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace

/// Towards one rank. `mutex` guards all but `block` and the reads of the counters.
struct alignas(kApart) RingTransport::Outbox {
  Outbox(RingWriter ring, RankBlock& its_block) : writer(ring), block(its_block) {}

  struct Waiting {
    std::unique_ptr<std::byte[]> bytes;  // what had no room when the message was sent
    std::size_t size = 0;                // of `bytes`
    std::size_t done = 0;                // how much of it is in the ring by now
    std::size_t message_bytes = 0;       // of the whole message
  };

  SpinLock mutex;
  bool abandoned = false;
  RingWriter writer;
  RankBlock& block;
  std::deque<Waiting> waiting;
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> bytes{0};
};

/// From one rank. The token's holder only, but for the reads of `reader.MayHaveRecord`, `dead` and the counters.
struct alignas(kApart) RingTransport::Inbox {
  Inbox(RingCell* cells, std::uint64_t cell_count, RingTail* tail, Rank rank)
      : reader(cells, cell_count, tail), source(rank) {}

  RingReader reader;
  const Rank source;
  std::atomic<bool> dead{false};  // relaxed: a sleeper that misses it looks once too often
  std::unique_ptr<std::byte[]> partial;
  std::size_t partial_size = 0;
  std::size_t partial_done = 0;
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> bytes{0};
};

RingTransport::RingTransport(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t my_index,
                             const std::vector<Rank>& ranks) {
  MANTA_EXPECT(ranks.size() == layout.ranks && my_index < layout.ranks,
               "the node segment is for " << layout.ranks << " ranks, not for place " << my_index << " of "
                                          << ranks.size());
  const auto [lowest, highest] = std::minmax_element(ranks.begin(), ranks.end());
  first_rank_ = lowest->value;
  outbox_of_.resize(static_cast<std::size_t>(highest->value - first_rank_) + 1);
  inbox_of_.resize(outbox_of_.size());
  const std::uint64_t cell_count = layout.ring_bytes / sizeof(RingCell);
  const auto cells = [&](std::uint32_t consumer, std::uint32_t producer) {
    return reinterpret_cast<RingCell*>(segment.data() + layout.RingOffset(consumer, producer));
  };
  const auto tail = [&](std::uint32_t consumer, std::uint32_t producer) {
    return reinterpret_cast<RingTail*>(segment.data() + layout.RingTailOffset(consumer, producer));
  };
  for (std::uint32_t index = 0; index < layout.ranks; ++index) {
    if (index == my_index) continue;
    outboxes_.push_back(std::make_unique<Outbox>(
        RingWriter(cells(index, my_index), cell_count, tail(index, my_index)), BlockOf(segment, layout, index)));
    inboxes_.push_back(
        std::make_unique<Inbox>(cells(my_index, index), cell_count, tail(my_index, index), ranks[index]));
    outbox_of_[PlaceOf(ranks[index])] = outboxes_.back().get();
    inbox_of_[PlaceOf(ranks[index])] = inboxes_.back().get();
  }
  scratch_ = std::make_unique_for_overwrite<std::byte[]>(MaxRingRecord(cell_count));
}

RingTransport::~RingTransport() = default;

/// Writes as much of `rest`, the last bytes of a message of `message_bytes`, as the ring has room for, and returns how
/// much that was. Under the outbox's lock.
std::size_t RingTransport::WriteSome(Outbox& outbox, std::uint64_t message_bytes, std::span<const std::byte> rest) {
  const std::size_t limit = outbox.writer.max_record();
  if (message_bytes <= limit) return outbox.writer.TryWrite(kWhole, rest) ? rest.size() : 0;
  const std::size_t size_before = rest.size();
  while (!rest.empty()) {
    const bool first = rest.size() == message_bytes;
    std::span<const std::byte> head;
    if (first) head = std::as_bytes(std::span(&message_bytes, 1));
    const std::size_t count = std::min(rest.size(), limit - head.size());
    if (!outbox.writer.TryWrite(first ? kFirst : kMore, head, rest.first(count))) break;
    rest = rest.subspan(count);
  }
  return size_before - rest.size();
}

void RingTransport::Send(Rank destination, std::span<const std::byte> message) {
  MANTA_ASSERT(Reaches(destination) && !message.empty());
  Outbox& outbox = *outbox_of_[PlaceOf(destination)];
  {
    std::lock_guard lock(outbox.mutex);
    if (outbox.abandoned) return;
    Bump(outbox.messages, 1);
    Bump(outbox.bytes, message.size());
    const bool one_cell = message.size() <= RingCell::kPayloadBytes && outbox.waiting.empty();
    if (!(one_cell && outbox.writer.TryWriteCell(kWhole, message)) && !SendLong(outbox, message)) return;
  }
  // Outside the lock: the wake-up may take 50 µs.
  if (RingBell(outbox.block)) wakeups_.fetch_add(1, std::memory_order_relaxed);
}

/// What there is no room for waits. Returns whether anything was written. Under the outbox's lock.
__attribute__((noinline)) bool RingTransport::SendLong(Outbox& outbox, std::span<const std::byte> message) {
  const std::size_t done = outbox.waiting.empty() ? WriteSome(outbox, message.size(), message) : 0;
  if (done == message.size()) return true;
  const std::span<const std::byte> rest = message.subspan(done);
  auto copy = std::make_unique_for_overwrite<std::byte[]>(rest.size());
  std::memcpy(copy.get(), rest.data(), rest.size());
  // Release, as all changes of waiting_: whoever sees Flushed() also sees that the rings were written.
  if (outbox.waiting.empty()) waiting_.fetch_add(1, std::memory_order_release);
  outbox.waiting.push_back({std::move(copy), rest.size(), 0, message.size()});
  return done != 0;
}

void RingTransport::Flush(Outbox& outbox) {
  std::size_t wrote = 0;
  {
    std::lock_guard lock(outbox.mutex);
    if (outbox.waiting.empty()) return;
    while (!outbox.waiting.empty()) {
      Outbox::Waiting& front = outbox.waiting.front();
      const std::size_t count =
          WriteSome(outbox, front.message_bytes, {front.bytes.get() + front.done, front.size - front.done});
      front.done += count;
      wrote += count;
      if (front.done < front.size) break;
      outbox.waiting.pop_front();
    }
    if (outbox.waiting.empty()) waiting_.fetch_sub(1, std::memory_order_release);
  }
  if (wrote != 0 && RingBell(outbox.block)) wakeups_.fetch_add(1, std::memory_order_relaxed);
}

/// One that is not a whole message in one piece. Returns whether it completed a message.
bool RingTransport::DeliverLong(Inbox& inbox, const RingRecord& record, MessageHandler& handler) {
  std::unique_ptr<std::byte[]> assembled;
  std::span<const std::byte> message;
  if (record.kind() == kWhole) {
    record.CopyTo({scratch_.get(), record.size()});
    message = {scratch_.get(), record.size()};
  } else {
    if (!Assemble(inbox, record)) return false;
    assembled = std::move(inbox.partial);
    message = {assembled.get(), inbox.partial_size};
  }
  Bump(inbox.messages, 1);
  Bump(inbox.bytes, message.size());
  handler.OnMessage(inbox.source, message);
  return true;
}

/// Adds a fragment to the message that is under way. Returns whether it is whole.
bool RingTransport::Assemble(Inbox& inbox, const RingRecord& record) {
  std::size_t from = 0;
  if (record.kind() == kFirst) {
    std::uint64_t size = 0;
    from = sizeof(size);
    record.CopyTo(std::as_writable_bytes(std::span(&size, 1)));
    inbox.partial = std::make_unique_for_overwrite<std::byte[]>(size);
    inbox.partial_size = size;
    inbox.partial_done = 0;
  }
  const std::size_t count = record.size() - from;
  MANTA_ASSERT(inbox.partial && count <= inbox.partial_size - inbox.partial_done);
  record.CopyTo({inbox.partial.get() + inbox.partial_done, count}, from);
  inbox.partial_done += count;
  return inbox.partial_done == inbox.partial_size;
}

std::size_t RingTransport::Poll(MessageHandler& handler, std::size_t budget) {
  // Relaxed: a message that begins to wait just now is flushed by the next Poll.
  if (waiting_.load(std::memory_order_relaxed) != 0)
    for (auto& outbox : outboxes_) Flush(*outbox);

  std::size_t delivered = 0;
  std::size_t records = 0;  // fragments count against the budget too, so that no message keeps us here
  std::size_t idle = 0;     // inboxes in a row that had nothing
  while (records < budget && idle < inboxes_.size()) {
    Inbox& inbox = *inboxes_[next_inbox_];
    next_inbox_ = next_inbox_ + 1 == inboxes_.size() ? 0 : next_inbox_ + 1;
    ++idle;
    if (inbox.dead.load(std::memory_order_relaxed)) continue;
    const std::size_t read = inbox.reader.Read(
        [&](const RingRecord& record) {
          if (record.kind() != kWhole || !record.in_place()) {
            delivered += DeliverLong(inbox, record, handler) ? 1 : 0;
            return;
          }
          Bump(inbox.messages, 1);
          Bump(inbox.bytes, record.size());
          handler.OnMessage(inbox.source, record.bytes());
          ++delivered;
        },
        std::min(kTurn, budget - records));
    records += read;
    if (read != 0) idle = 0;
  }
  return delivered;
}

bool RingTransport::MayHaveIncoming() const {
  for (const auto& inbox : inboxes_)
    if (!inbox->dead.load(std::memory_order_relaxed) && inbox->reader.MayHaveRecord()) return true;
  return false;
}

std::int64_t RingTransport::MaxSleepNanoseconds() const {
  return Flushed() ? kSleepUntilRung : kSleepWhileMessagesWait;
}

TransportCounters RingTransport::counters() const {
  TransportCounters sum;
  for (const auto& outbox : outboxes_) {
    sum.messages_sent += outbox->messages.load(std::memory_order_relaxed);
    sum.bytes_sent += outbox->bytes.load(std::memory_order_relaxed);
  }
  for (const auto& inbox : inboxes_) {
    sum.messages_received += inbox->messages.load(std::memory_order_relaxed);
    sum.bytes_received += inbox->bytes.load(std::memory_order_relaxed);
  }
  sum.wakeups_sent = wakeups_.load(std::memory_order_relaxed);
  return sum;
}

void RingTransport::Abandon(Rank peer) {
  if (!Reaches(peer)) return;
  Outbox& outbox = *outbox_of_[PlaceOf(peer)];
  {
    std::lock_guard lock(outbox.mutex);
    outbox.abandoned = true;
    if (!outbox.waiting.empty()) waiting_.fetch_sub(1, std::memory_order_release);
    outbox.waiting.clear();
  }
  Inbox& inbox = *inbox_of_[PlaceOf(peer)];
  inbox.dead.store(true, std::memory_order_relaxed);
  inbox.partial.reset();
}

}  // namespace manta::node
