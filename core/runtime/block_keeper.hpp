#pragma once
// The bytes of objects that this rank keeps for its node: of those sealed in its own entries, and of those of other nodes
// for which it is the node's agent. A rank that needs bytes asks their keeper, and is told an entry that is pinned for it.
//
// An object of another node crosses once for all ranks of a node, into one copy in the node's store: the ranks agree
// without a message that rank `hash(id) mod ranks` of the node is its agent. Who holds the bytes serves at most two agents
// at a time and sends others on to these, which pass on what they have while they receive: a binary tree in the order of
// asking. States and rules: docs/protocol.md, "Bytes between nodes"; tests/models/agent_model_test.cpp.
//
// All under the progress token; what Room calls back is posted there.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/object/error_record.hpp"
#include "core/runtime/bulk_moves.hpp"
#include "core/runtime/counters.hpp"
#include "core/runtime/local_store.hpp"
#include "core/runtime/rma_reads.hpp"
#include "core/runtime/room.hpp"
#include "core/runtime/router.hpp"

namespace manta::runtime {

class BlockKeeper {
 public:
  struct Options {
    Rank self;
    std::vector<NodeId> node_of;  // by rank
  };
  /// `bulk` and `rma` may be null: there is one node; this MPI reads nothing by itself.
  BlockKeeper(Options options, Router& router, LocalStore& store, Room& room, BulkMoves* bulk, RmaReads* rma,
              Counters& counters);

  /// The rank of this node that answers for an object whose bytes are sealed at `at`.
  Rank KeeperOf(const ObjectId& id, const wire::Location& at) const;
  /// The place of a rank of this node among its pins.
  std::uint32_t IndexOf(Rank rank) const { return index_of_[static_cast<std::size_t>(rank.value)]; }

  void On(Rank from, const wire::BytesAsk& message);
  void On(Rank from, const wire::Pull& message);
  void On(Rank from, const wire::PullAnswer& message);
  void On(Rank from, const wire::PullDone& message);
  void On(Rank from, const wire::KeeperStep& message);

  /// The object is gone: so is its copy, once nobody reads it. Any thread that holds the token.
  void Forget(const ObjectId& id);
  /// The session is over on all ranks, and so are the moves.
  void Sweep();

 private:
  static constexpr std::uint32_t kNoEntry = 0xffffffff;
  /// Of an object of another node.
  struct Copy {
    wire::BytesAsk wanted;
    LocalStore::Extent extent;  // until it is sealed
    std::uint64_t arrived = 0;
    std::uint32_t entry = kNoEntry;  // reserved, then sealed
    std::uint32_t tag = 0;   // of the pull by which it comes or came; 0: none yet
    Rank source;             // who is asked
    MoveId receive = 0;      // 0: none
    std::uint64_t read = 0;  // RMA: bytes for which a read was started
    std::uint32_t ended = 0;  // RMA: bit i: the read of piece i behind `arrived` has ended
    bool here = false;          // sealed; the store may have dropped it since
    bool forgotten = false;     // the object went while its bytes came
    std::vector<Rank> askers;   // to be told when it is here
  };
  using Copies = std::map<ObjectId, Copy>;
  /// One agent that is being served.
  struct Serve {
    Rank to;
    std::uint32_t tag = 0;
    MoveId move = 0;                     // 0: it reads by itself
    std::optional<std::uint32_t> entry;  // pinned; none while the bytes are still coming here
  };
  struct Serving {
    std::vector<Serve> active;
    std::size_t turn = 0;
  };
  static constexpr std::size_t kFanOut = 2;
  static constexpr std::size_t kPullsAtOnce = 256;  // the others wait, with no room taken
  static constexpr std::uint64_t kReadBytes = 1u << 20;  // of an RMA read
  static constexpr std::uint64_t kReadsAhead = 4;

  NodeId NodeOf(Rank rank) const { return options_.node_of[static_cast<std::size_t>(rank.value)]; }
  bool TellHere(Rank asker, const ObjectId& id, std::uint32_t entry);
  void TellFailed(Rank asker, const ObjectId& id, const object::ErrorPtr& error);
  void Post(std::function<void()> step);
  template <class M>
  void RestoreFor(Rank from, const M& message, std::uint32_t entry);
  void Refuse(Rank from, const wire::BytesAsk& message, const object::ErrorPtr& error);
  void Refuse(Rank from, const wire::Pull& message, const object::ErrorPtr& error);
  void StartCopy(Copies::iterator it);
  void RoomCame(const ObjectId& id, LocalStore::Extent&& extent, const object::ErrorPtr& error);
  void BeginPull(Copy& copy, Rank source, bool may_redirect, std::uint32_t next_tag = 0);
  void EndReceive(Copy& copy);
  void Arrived(const ObjectId& id, std::uint64_t bytes);
  void ReadOn(Copy& copy, Rank source, std::uint64_t offset);
  void ReadEnded(const ObjectId& id, Rank source, std::uint64_t offset, std::uint64_t at);
  void FinishCopy(Copies::iterator it);
  void FailCopy(Copies::iterator it, const object::ErrorPtr& error);
  void ServeFrom(Rank to, const wire::Pull& message, std::uint64_t offset, std::uint64_t size, std::uint64_t ready,
                 std::optional<std::uint32_t> entry);
  void EndServe(const ObjectId& id, Rank to, std::uint32_t tag);
  std::uint32_t NewTag();
  void EndPull(Copy& copy);
  void StartWaiting();

  const Options options_;
  std::vector<Rank> node_ranks_;             // of this node, in order
  std::vector<std::uint32_t> index_of_;      // by rank; of other nodes' ranks: 0
  Router& router_;
  LocalStore& store_;
  Room& room_;
  BulkMoves* bulk_;
  RmaReads* rma_;
  Counters& counters_;
  Copies copies_;
  std::unordered_map<ObjectId, Serving> serving_;
  std::uint32_t last_tag_ = 0;
  std::unordered_set<std::uint32_t> tags_in_use_;
  std::size_t under_way_ = 0;     // copies that were begun and are not here
  std::deque<ObjectId> waiting_;  // copies that were not begun
  bool starts_waiting_ = false;   // in StartWaiting

  std::mutex steps_mutex_;
  std::vector<std::function<void()>> steps_;  // to be taken under the token; guarded by steps_mutex_
};

/// For a rank that drops a message, as its session is over: gives back the pin that it may hand over.
void GiveBackHanded(LocalStore& store, std::span<const std::byte> message);

}  // namespace manta::runtime
