#pragma once
// The ranks of one node with a store of 8 MiB and a Room each, in one process; their threads are real, and what they send
// each other arrives at once.
//
//   RoomNode node(2, {.spill_parent = dir, .wait_seconds = 1});
//   const auto object = node.Put(0, kMiB);          // waits for room; bytes by its id
//   node.Read(1, object);                           // by rank 1, from disk if need be
//   node.Free(object);

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/node/private_segment.hpp"
#include "core/runtime/room.hpp"

namespace manta::runtime {

inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kStoreBytes = 8 * kMiB;

class RoomNode {
 public:
  struct Options {
    std::string spill_parent;  // empty: nothing is written
    double wait_seconds = 20;
  };
  struct Object {
    int rank = 0;  // whose entry it is
    std::uint32_t entry = 0;
    ObjectId id;
    std::uint64_t size = 0;
  };
  struct One {
    std::unique_ptr<Transport> wire;
    std::unique_ptr<node::SpillFiles> files;
    std::unique_ptr<LocalStore> store;
    std::unique_ptr<Router> router;
    std::unique_ptr<worker::Progress> progress;
    Counters counters;
    std::unique_ptr<Room> room;
  };

  explicit RoomNode(int ranks, Options options)
      : layout_(node::SegmentLayout::Compute(ranks, kStoreBytes)), segment_(layout_.total), blocks_(static_cast<std::size_t>(ranks)) {
    for (int rank = 0; rank < ranks; ++rank) {
      auto one = std::make_unique<One>();
      const auto index = static_cast<std::uint32_t>(rank);
      one->wire = std::make_unique<Wire>(*this, Rank(rank));
      one->files = std::make_unique<node::SpillFiles>(node::SpillFiles::Options{options.spill_parent, rank, false});
      one->store = std::make_unique<LocalStore>(segment_.bytes(), layout_, index, *one->files);
      node::RankBlock& block = blocks_[index];
      one->router = std::make_unique<Router>(ranks, std::vector<Transport*>{one->wire.get()}, 1, block);
      one->progress = std::make_unique<worker::Progress>(
          worker::Progress::Options{std::span(blocks_), index, 2, {}, {}, {}}, std::vector<Transport*>{one->wire.get()}, nobody_);
      Room::Options room;
      room.wait_seconds = options.wait_seconds;
      for (int peer = 0; peer < ranks; ++peer)
        if (peer != rank) room.peers.push_back(Rank(peer));
      one->room = std::make_unique<Room>(std::move(room), *one->store, *one->files, *one->router, *one->progress, one->counters);
      ranks_.push_back(std::move(one));
    }
  }
  ~RoomNode() {
    for (auto& one : ranks_) one->room->Stop();
  }

  std::span<node::RankBlock> blocks() { return blocks_; }
  One& at(int rank) { return *ranks_[static_cast<std::size_t>(rank)]; }
  Room& room(int rank = 0) { return *at(rank).room; }
  LocalStore& store(int rank = 0) { return *at(rank).store; }
  std::uint64_t Spilled(int rank = 0) { return at(rank).counters.bytes_spilled.Sum(); }
  std::uint64_t Restored(int rank = 0) { return at(rank).counters.bytes_restored.Sum(); }

  static std::uint64_t WordOf(const ObjectId& id, std::uint64_t at) {
    return id.slot * 0x9e3779b97f4a7c15ull + at;
  }
  Object Seal(int rank, LocalStore::Extent&& extent, std::uint64_t size, bool is_copy = false) {
    const ObjectId id{Rank(rank), ++last_slot_, 1};
    std::byte* const bytes = store(rank).At(extent.offset());
    for (std::uint64_t at = 0; at + 8 <= size; at += 8) {
      const std::uint64_t word = WordOf(id, at);
      std::memcpy(bytes + at, &word, 8);
    }
    const auto entry = store(rank).Publish(std::move(extent), {id, size, 7, 0, is_copy});
    if (!entry) throw std::logic_error("no entry is left");
    return {rank, *entry, id, size};
  }
  Object Put(int rank, std::uint64_t size) { return Seal(rank, room(rank).Allocate(size), size); }
  void Free(const Object& object) { store(object.rank).Free(object.entry, object.id); }

  static bool IsWhole(const LocalStore::Kept& kept, const Object& object) {
    if (kept.size != object.size) return false;
    for (std::uint64_t at = 0; at + 8 <= object.size; at += 8) {
      const std::uint64_t word = WordOf(object.id, at);
      if (std::memcmp(kept.bytes + at, &word, 8) != 0) return false;
    }
    return true;
  }
  struct Answer {
    LocalStore::Kept kept;
    object::ErrorPtr error;
  };
  std::future<Answer> Restore(const Object& object) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = promise->get_future();
    room(object.rank).Restore(object.entry, object.id, [promise](const LocalStore::Kept& kept, const object::ErrorPtr& error) {
      promise->set_value({kept, error});
    });
    return answer;
  }
  enum class Seen { kWhole, kBroken, kGone, kError };
  /// As the keeper does for a reader of rank `by`, until the bytes are there or the object is not.
  Seen Read(int by, const Object& object) {
    for (;;) {
      if (const auto kept = store(by).Keep(object.entry, object.id))
        return IsWhole(*kept, object) ? Seen::kWhole : Seen::kBroken;
      if (!store(object.rank).Holds(object.entry, object.id)) return Seen::kGone;
      const Answer answer = Restore(object).get();
      if (answer.error != nullptr) return Seen::kError;
      if (answer.kept.in != nullptr) return IsWhole(answer.kept, object) ? Seen::kWhole : Seen::kBroken;
    }
  }

 private:
  struct Nobody : MessageHandler {
    void OnMessage(Rank, std::span<const std::byte>) override { ADD_FAILURE() << "messages come at once here"; }
  };
  class Wire : public Transport {
   public:
    Wire(RoomNode& node, Rank self) : node_(node), self_(self) {}
    std::string_view name() const override { return "test"; }
    bool Reaches(Rank) const override { return true; }
    void Send(Rank to, std::span<const std::byte> message) override {
      wire::Reader reader(message);
      wire::Header header;
      reader(header);
      ASSERT_EQ(header.kind, wire::Kind::kRoomWanted);
      node_.room(to.value).On(self_, wire::Decode<wire::RoomWanted>(reader));
    }
    std::size_t Poll(MessageHandler&, std::size_t) override { return 0; }
    bool Flushed() const override { return true; }
    bool MayHaveIncoming() const override { return false; }
    std::int64_t MaxSleepNanoseconds() const override { return 1'000'000'000; }
    TransportCounters counters() const override { return {}; }

   private:
    RoomNode& node_;
    const Rank self_;
  };

  Nobody nobody_;
  const node::SegmentLayout layout_;
  node::PrivateSegment segment_;
  std::vector<node::RankBlock> blocks_;
  std::atomic<std::uint32_t> last_slot_{0};
  std::vector<std::unique_ptr<One>> ranks_;
};

}  // namespace manta::runtime
