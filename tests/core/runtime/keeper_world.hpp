#pragma once
// Ranks with a store, a keeper and what carries bytes between them, in one process and one thread. The test says when a
// message arrives and when a piece moves; bytes and messages of one channel keep their order, reads end in any.
//
//   KeeperWorld world({0, 1, 1}, true);            // three ranks on two nodes, with RMA
//   const auto at = world.MakeObject(Rank(0), id, size);
//   world.Ask(Rank(1), Rank(2), id, at, size);     // rank 1 asks rank 2
//   world.Settle();
//   world.at(Rank(1)).told;                        // BytesHere, in order

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "core/node/private_segment.hpp"
#include "core/runtime/block_keeper.hpp"

namespace manta::runtime {

/// What is under way between ranks.
struct BulkPiece {
  Rank from, to;
  std::uint32_t tag;
  std::byte* at;
  std::size_t size;
  std::uint64_t token;
};
struct BulkNetwork {
  std::deque<BulkPiece> sends, receives;
  std::map<Rank, std::vector<std::uint64_t>> done;

  /// Moves the first piece for which both sides are there, between the two if they are named.
  bool MoveOne(Rank from = {}, Rank to = {}) {
    for (auto in = receives.begin(); in != receives.end(); ++in) {
      if ((from.valid() && in->from != from) || (to.valid() && in->to != to)) continue;
      const auto out = std::ranges::find_if(
          sends, [&](const BulkPiece& one) { return one.from == in->from && one.to == in->to && one.tag == in->tag; });
      if (out == sends.end()) continue;
      EXPECT_EQ(out->size, in->size);
      std::memcpy(in->at, out->at, std::min(in->size, out->size));
      done[in->to].push_back(in->token);
      done[out->from].push_back(out->token);
      receives.erase(in);
      sends.erase(out);
      return true;
    }
    return false;
  }
};
class FakeBulk : public BulkTransport {
 public:
  FakeBulk(BulkNetwork& network, Rank self) : network_(network), self_(self) {}
  void StartSend(Rank to, std::uint32_t tag, const std::byte* from, std::size_t size, std::uint64_t token) override {
    network_.sends.push_back({self_, to, tag, const_cast<std::byte*>(from), size, token});
  }
  void StartReceive(Rank from, std::uint32_t tag, std::byte* to, std::size_t size, std::uint64_t token) override {
    network_.receives.push_back({from, self_, tag, to, size, token});
  }
  void CancelReceive(std::uint64_t token) override {
    EXPECT_EQ(std::erase_if(network_.receives,
                            [&](const BulkPiece& one) { return one.to == self_ && one.token == token; }),
              1u)
        << "something was sent to it";
  }
  void Poll(std::vector<std::uint64_t>& done) override {
    for (const std::uint64_t token : std::exchange(network_.done[self_], {})) done.push_back(token);
  }

 private:
  BulkNetwork& network_;
  const Rank self_;
};

/// Reads of other nodes' segments; of those that are under way the last begun ends first.
class FakeMemory : public RemoteMemory {
 public:
  struct Read {
    Rank target;
    std::uint64_t offset;
    std::byte* to;
    std::size_t size;
    std::uint64_t token;
  };
  explicit FakeMemory(std::vector<std::span<std::byte>> segments) : segments_(std::move(segments)) {}
  bool available() const override { return true; }
  void StartRead(Rank target, std::uint64_t offset, std::byte* to, std::size_t size, std::uint64_t token) override {
    reads.push_back({target, offset, to, size, token});
  }
  void PollReads(std::vector<std::uint64_t>& done) override {
    if (ends > 0 && !reads.empty()) {
      --ends;
      const Read& read = reads.back();
      std::memcpy(read.to, segments_[static_cast<std::size_t>(read.target.value)].data() + read.offset, read.size);
      done.push_back(read.token);
      reads.pop_back();
    }
  }
  std::vector<Read> reads;
  int ends = 0;  // so many may end

 private:
  std::vector<std::span<std::byte>> segments_;  // by rank
};

class KeeperWorld {
 public:
  struct Told {
    ObjectId id;
    std::uint32_t entry;
    bool failed;
  };
  struct One {
    node::RankBlock block{};
    std::unique_ptr<Transport> wire;
    std::unique_ptr<LocalStore> store;
    std::unique_ptr<FakeBulk> fake_bulk;
    std::unique_ptr<BulkMoves> bulk;
    std::unique_ptr<FakeMemory> memory;
    std::unique_ptr<RmaReads> rma;
    std::unique_ptr<Router> router;
    Counters counters;
    std::unique_ptr<worker::Progress> progress;
    std::unique_ptr<Room> room;
    std::unique_ptr<BlockKeeper> keeper;
    std::vector<Told> told;          // BytesHere that came
    std::vector<ObjectId> noticed;   // CopyNotice that came
    std::map<wire::Kind, int> came;  // messages, by kind
  };

  KeeperWorld(const std::vector<int>& node_of, bool with_rma, std::uint64_t store_bytes = std::uint64_t{64} << 20) {
    BlockKeeper::Options options;
    std::vector<std::span<std::byte>> segments;
    std::map<int, std::uint32_t> on_node;
    for (const int node : node_of) options.node_of.push_back(NodeId(node)), ++on_node[node];
    for (const auto& [node, count] : on_node) {
      layouts_[node] = node::SegmentLayout::Compute(static_cast<int>(count), store_bytes);
      segments_.emplace(node, std::make_unique<node::PrivateSegment>(layouts_[node].total));
    }
    for (const int node : node_of) segments.push_back(segments_.at(node)->bytes());
    std::map<int, std::uint32_t> next_index;
    for (std::size_t i = 0; i < node_of.size(); ++i) {
      const Rank self(static_cast<int>(i));
      const int node = node_of[i];
      auto one = std::make_unique<One>();
      one->wire = std::make_unique<Wire>(*this, self);
      one->store = std::make_unique<LocalStore>(segments[i], layouts_[node], next_index[node]++, files_);
      one->fake_bulk = std::make_unique<FakeBulk>(network, self);
      one->bulk = std::make_unique<BulkMoves>(*one->fake_bulk);
      one->memory = std::make_unique<FakeMemory>(segments);
      one->rma = std::make_unique<RmaReads>(*one->memory);
      one->router = std::make_unique<Router>(static_cast<int>(node_of.size()), std::vector<Transport*>{one->wire.get()},
                                             1, one->block);
      one->progress = std::make_unique<worker::Progress>(
          worker::Progress::Options{std::span(&one->block, 1), 0, 1, {}, {}, {}}, std::vector<Transport*>{one->wire.get()},
          ignore_);
      // Its thread never starts: there is room, or there can't be any.
      one->room = std::make_unique<Room>(Room::Options{}, *one->store, files_, *one->router, *one->progress, one->counters);
      options.self = self;
      one->keeper = std::make_unique<BlockKeeper>(options, *one->router, *one->store, *one->room, one->bulk.get(),
                                                  with_rma ? one->rma.get() : nullptr, one->counters);
      ranks_.push_back(std::move(one));
    }
  }

  One& at(Rank rank) { return *ranks_[static_cast<std::size_t>(rank.value)]; }
  static std::byte ByteOf(const ObjectId& id, std::uint64_t at) {
    return static_cast<std::byte>(at / 4096 * 7 + at + id.slot);
  }
  wire::Location MakeObject(Rank holder, const ObjectId& id, std::uint64_t size) {
    LocalStore& store = *at(holder).store;
    auto extent = store.TryAllocate(size);
    for (std::uint64_t i = 0; i < size; ++i) store.At(extent->offset())[i] = ByteOf(id, i);
    return {holder, *store.Publish(std::move(*extent), {id, size, 7, 0})};
  }
  void Ask(Rank asker, Rank keeper, const ObjectId& id, const wire::Location& where, std::uint64_t size) {
    at(asker).router->Send(keeper, wire::BytesAsk{id, where, size, 7, 0});
  }
  /// What was last told to `asker` is the object, whole; gives the pin back.
  bool HasWhole(Rank asker, const ObjectId& id, std::uint64_t size) {
    One& one = at(asker);
    if (one.told.empty() || one.told.back().failed || one.told.back().id != id) return false;
    const auto kept = one.store->KeepPinned(one.told.back().entry);
    if (kept.size != size) return false;
    for (std::uint64_t i = 0; i < size; ++i)
      if (kept.bytes[i] != ByteOf(id, i)) return false;
    return true;
  }

  /// The oldest message of a channel, if there is one.
  bool Deliver(Rank from, Rank to) {
    auto& channel = channels_[{from, to}];
    if (channel.empty()) return false;
    const std::vector<std::byte> message = std::move(channel.front());
    channel.pop_front();
    Handle(from, to, message);
    return true;
  }
  bool DeliverAll() {
    bool any = false;
    for (bool more = true; more; any |= more) {
      more = false;
      for (int from = 0; from < size(); ++from)
        for (int to = 0; to < size(); ++to) more |= Deliver(Rank(from), Rank(to));
    }
    return any;
  }
  bool Polled(Rank rank) {
    One& one = at(rank);
    Ignore ignore;
    one.memory->ends = 1;
    return (one.bulk->PollMoves() + one.rma->Poll(ignore, 1)) != 0;
  }
  /// One piece, or one read, goes on somewhere.
  bool MoveSome() {
    bool any = network.MoveOne();
    for (int rank = 0; rank < size(); ++rank) any |= Polled(Rank(rank));
    return any;
  }
  void Settle() {
    while (DeliverAll() || MoveSome()) {
    }
  }
  /// Messages on their way that were not delivered.
  std::size_t OnTheWay() const {
    std::size_t count = 0;
    for (const auto& [way, channel] : channels_) count += channel.size();
    return count;
  }
  int size() const { return static_cast<int>(ranks_.size()); }

  BulkNetwork network;

 private:
  struct Ignore : MessageHandler {
    void OnMessage(Rank, std::span<const std::byte>) override {}
  };
  class Wire : public Transport {
   public:
    Wire(KeeperWorld& world, Rank self) : world_(world), self_(self) {}
    std::string_view name() const override { return "test"; }
    bool Reaches(Rank) const override { return true; }
    void Send(Rank to, std::span<const std::byte> message) override {
      world_.channels_[{self_, to}].emplace_back(message.begin(), message.end());
    }
    std::size_t Poll(MessageHandler&, std::size_t) override { return 0; }
    bool Flushed() const override { return true; }
    bool MayHaveIncoming() const override { return false; }
    std::int64_t MaxSleepNanoseconds() const override { return 0; }
    TransportCounters counters() const override { return {}; }

   private:
    KeeperWorld& world_;
    const Rank self_;
  };

  void Handle(Rank from, Rank to, const std::vector<std::byte>& message) {
    wire::Reader reader(message);
    wire::Header header;
    reader(header);
    One& one = at(to);
    ++one.came[header.kind];
    switch (header.kind) {
      case wire::Kind::kBytesAsk: return one.keeper->On(from, wire::Decode<wire::BytesAsk>(reader));
      case wire::Kind::kPull: return one.keeper->On(from, wire::Decode<wire::Pull>(reader));
      case wire::Kind::kPullAnswer: return one.keeper->On(from, wire::Decode<wire::PullAnswer>(reader));
      case wire::Kind::kPullDone: return one.keeper->On(from, wire::Decode<wire::PullDone>(reader));
      case wire::Kind::kKeeperStep: return one.keeper->On(from, wire::KeeperStep{});
      case wire::Kind::kCopyNotice: return one.noticed.push_back(wire::Decode<wire::CopyNotice>(reader).id);
      case wire::Kind::kBytesHere: {
        const auto here = wire::Decode<wire::BytesHere>(reader);
        return one.told.push_back({here.id, here.entry, here.error.has_value()});
      }
      default: FAIL() << "no message of the keeper's";
    }
  }

  Ignore ignore_;
  node::SpillFiles files_{{}};
  std::map<int, node::SegmentLayout> layouts_;
  std::map<int, std::unique_ptr<node::PrivateSegment>> segments_;
  std::vector<std::unique_ptr<One>> ranks_;
  std::map<std::pair<Rank, Rank>, std::deque<std::vector<std::byte>>> channels_;
};

}  // namespace manta::runtime
