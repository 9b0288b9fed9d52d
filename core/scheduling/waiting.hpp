#pragma once
// Who waits for a grant, and whose turn is first: by priority, then whose owner holds least of the job (fair share, by
// dominant resource: Ghodsi et al. 2011), then by arrival. Requests of one class are one line, so that 80,000 that
// can't be granted cost as much as one.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "core/base/ids.hpp"
#include "core/scheduling/request_class.hpp"

namespace manta::scheduling {

struct Line;

/// One request until it is granted.
struct PendingRequest {
  Rank requester;
  std::uint64_t id = 0;       // of the requester
  std::uint64_t arrival = 0;
  std::int64_t since_ns = 0;
  int own_node = -1;          // position of the requester's node
  Line* line = nullptr;
  PendingRequest* next = nullptr;      // of the same owner in the line
  PendingRequest* previous = nullptr;
  // Where it waits bound to a node, outside of its line; -1: in line.
  int node = -1;
  std::uint16_t moves = 0;
  std::uint16_t choice = 0;
  std::uint32_t passed = 0;         // how often something behind it was granted, while it was the first of its line
  std::uint64_t ended_before = 0;   // how many leases had ended when it came
  std::unique_ptr<std::vector<wire::NodeBytes>> near;  // where its arguments lie
};

/// The place in the order: who is smallest goes first.
using TurnKey = std::tuple<int, int, std::uint64_t, ClassId>;

struct Line {
  RequestClass* of = nullptr;
  struct Owner {
    Rank rank;
    PendingRequest* first = nullptr;
    PendingRequest* last = nullptr;
  };
  std::map<Rank, Owner> owners;                            // none is without requests
  std::set<std::tuple<int, std::uint64_t, Rank>> turns;    // of the owners: share, arrival of the first
  std::size_t size = 0;
  TurnKey key;             // while it is not empty
  bool blocked = false;    // its first was tried, and fits nowhere but maybe where something was freed since
  bool never = false;      // nothing that ends could make room for it
  bool by_choice = false;  // it fits somewhere, and waits for a faster way
  int claims = 0;          // of its requests that are bound to nodes and in debt

  bool empty() const { return size == 0; }
};

class Waiting {
 public:
  /// `share_of(rank)`: how much of the job a rank's requests hold, in whole numbers.
  PendingRequest* Add(Line& line, Rank requester, std::uint64_t id, std::int64_t now_ns);
  /// Takes the next request out of the line; it stays known.
  PendingRequest* TakeFirst(Line& line);
  /// Puts it back into its line, at the place of its arrival.
  void PutBack(PendingRequest& request);
  /// It was granted or withdrawn.
  void Forget(PendingRequest& request);
  PendingRequest* Find(Rank requester, std::uint64_t id);
  PendingRequest* First(const Line& line) const;
  /// All of a requester.
  std::vector<PendingRequest*> Of(Rank requester) const;
  std::size_t size() const { return requests_.size(); }

  /// A requester's share changed.
  void SetShare(Rank requester, int share);
  int ShareOf(Rank requester) const;

  /// Lines that are not empty, but for those within groups, in order.
  const std::map<TurnKey, Line*>& order() const { return order_; }

 private:
  void Link(PendingRequest& request);
  void Unlink(PendingRequest& request);
  /// Brings the line's place in the order in line with its first request; `from`: whether it stood in it.
  void Settle(Line& line, bool stood);
  void TakeTurn(Line& line, const Line::Owner& owner);
  void GiveTurn(Line& line, const Line::Owner& owner);

  struct IdHash {
    std::size_t operator()(const std::pair<Rank, std::uint64_t>& id) const {
      return base::MixHash(static_cast<std::uint64_t>(id.first.value), id.second, 0);
    }
  };
  struct Share {
    int share = 0;
    std::vector<Line*> lines;  // in which it waits
  };
  std::unordered_map<std::pair<Rank, std::uint64_t>, PendingRequest, IdHash> requests_;  // their addresses stay
  std::unordered_map<Rank, Share> shares_;
  std::map<TurnKey, Line*> order_;
  std::uint64_t next_arrival_ = 0;
};

}  // namespace manta::scheduling
