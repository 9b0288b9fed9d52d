#pragma once
// Messages between the ranks of one node through rings in the node segment: one ring for each pair and direction.
//
//   RingTransport transport(segment.bytes(), layout, my_index, ranks_of_the_node);
//   transport.Send(Rank(3), bytes);        // one copy into the ring, one fence, and a wake-up if Rank(3) sleeps
//
// A message is in the ring when Send returns, unless the ring is full or older messages wait: then it waits in this
// process and leaves in Poll. Messages above a ring's record limit (57,344 bytes at up to 4 ranks) go as fragments, and
// the reader holds no more than the message itself. Nothing is shared but rings and blocks, so a rank that dies at any
// step leaves the others' rings whole.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "core/base/ids.hpp"
#include "core/node/rank_block.hpp"
#include "core/node/ring.hpp"
#include "core/node/segment_layout.hpp"
#include "core/node/spin_lock.hpp"
#include "core/ports/transport.hpp"

namespace manta::node {

class RingTransport : public Transport {
 public:
  /// `segment` must stay while this lives, and be laid out by `layout`. `ranks` are the node's, ascending or not but the
  /// same list everywhere; `my_index` is this rank's place in it. One object a rank and segment, for the segment's life:
  /// the rings' positions are kept here.
  RingTransport(std::span<std::byte> segment, const SegmentLayout& layout, std::uint32_t my_index,
                const std::vector<Rank>& ranks);
  ~RingTransport() override;

  std::string_view name() const override { return "ring"; }
  /// The other ranks of the node; not this one.
  bool Reaches(Rank destination) const override {
    const std::size_t place = PlaceOf(destination);
    return place < outbox_of_.size() && outbox_of_[place] != nullptr;
  }
  void Send(Rank destination, std::span<const std::byte> message) override;
  std::size_t Poll(MessageHandler& handler, std::size_t budget) override;
  bool Flushed() const override { return waiting_.load(std::memory_order_acquire) == 0; }
  bool MayHaveIncoming() const override;
  bool RingsSleepers() const override { return true; }
  /// Long, for a message rings; but short while messages wait for room in a ring, for room does not ring.
  std::int64_t MaxSleepNanoseconds() const override;
  TransportCounters counters() const override;

  /// Ends the traffic with a rank that has died: what waits for it is dropped, as is what is sent to it from now on and
  /// what is left of it in its ring. Holder of the progress token only.
  void Abandon(Rank peer);

 private:
  struct Outbox;
  struct Inbox;

  /// The place of a rank in `outbox_of_` and `inbox_of_`; past their ends for a rank of another node.
  std::size_t PlaceOf(Rank rank) const { return static_cast<std::uint32_t>(rank.value - first_rank_); }
  bool SendLong(Outbox& outbox, std::span<const std::byte> message);
  static std::size_t WriteSome(Outbox& outbox, std::uint64_t message_bytes, std::span<const std::byte> rest);
  void Flush(Outbox& outbox);
  bool DeliverLong(Inbox& inbox, const RingRecord& record, MessageHandler& handler);
  static bool Assemble(Inbox& inbox, const RingRecord& record);

  // Fixed after construction.
  std::vector<std::unique_ptr<Outbox>> outboxes_;  // one a peer: the node's other ranks, in their order there
  std::vector<std::unique_ptr<Inbox>> inboxes_;    // likewise
  std::int32_t first_rank_ = 0;
  std::vector<Outbox*> outbox_of_;  // by rank, from first_rank_ on; null: not on this node, or this rank itself
  std::vector<Inbox*> inbox_of_;    // likewise

  std::atomic<std::size_t> waiting_{0};   // outboxes with messages that wait; any thread, under the outbox's lock
  std::atomic<std::uint64_t> wakeups_{0};
  std::size_t next_inbox_ = 0;            // whose turn it is in Poll; token's holder only
  std::unique_ptr<std::byte[]> scratch_;  // for records that are not in one piece; token's holder only
};

}  // namespace manta::node
