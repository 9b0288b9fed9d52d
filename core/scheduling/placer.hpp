#pragma once
// Where one-CPU tasks run under scheduler=central: rank 0 places each of them, in the order in which their owners
// asked. It decides and keeps count; its caller sends the messages (docs/protocol.md, "Places";
// tests/models/place_model_test.cpp walks through them).
//
//   Placer placer(nodes);
//   placer.Request(owner, Rank(), 64);             // on PlaceRequest: 64 tasks of `owner`, anywhere
//   placer.Ended(Rank(1), owner, 8);               // on PlacesBack
//   placer.Offer(Rank(1), 2, 64);                  // the same: rank 1 has 2 CPUs and takes up to 64 tasks
//   Placer::Actions actions = placer.Decide();     // after a batch of those
//
// Requests are counted, not named: an owner's tasks take the places in the order in which it asked. Nobody's CPUs are
// counted here. A task that was placed takes a slot of its rank when it starts, as any one-CPU task does.
//
// Algorithm. Each rank says how many tasks it takes at a time (its window): one for each of its CPUs, or more while
// they are short, so that it need not wait for the next. A task goes to the rank that has the fewest placed tasks for
// its CPUs, the lowest of equals; one that is bound to a rank waits for that rank, and those behind it may pass. Tasks
// wait here when all windows are full. When none waits and a rank has fewer than it has CPUs while tasks lie behind
// others on another, that one is asked to give some of them back (Recall), and they are placed anew.

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "core/base/ids.hpp"
#include "core/scheduling/node_spec.hpp"

namespace manta::scheduling {

/// The next `count` tasks of `owner` that asked for `bound` go to `to`.
struct Placement {
  Rank owner;
  Rank bound;  // not valid: any
  Rank to;
  std::uint32_t count = 0;
};

/// One thread at a time. Deterministic: the same calls give the same actions.
class Placer {
 public:
  struct Actions {
    std::vector<Placement> placements;  // in the order of the tasks
    std::vector<Rank> recalls;
  };

  /// Until a rank says otherwise its window is one task for each of its CPUs.
  explicit Placer(const std::vector<NodeSpec>& nodes);

  void Request(Rank owner, Rank bound, std::uint32_t count);
  /// So many tasks of `owner` at `at` have ended or begun to wait, were given back, or never came; or where that is
  /// negative, go on after they waited and count again.
  void Ended(Rank at, Rank owner, std::int64_t count);
  void Offer(Rank at, std::uint32_t cpus, std::uint32_t window);
  /// The answer to a Recall: whether it had some to give back; or, after it had none, that it has some now.
  void Recalled(Rank at, bool has);
  /// The rank is lost: its requests and its window go, its tasks elsewhere no longer count, and what is still heard of
  /// it is ignored.
  void Forget(Rank rank);

  Actions Decide();

  /// How many tasks wait for a place.
  std::uint64_t waiting() const;

 private:
  struct Site {
    Rank rank;
    std::uint32_t cpus = 0, window = 0;
    // Placed, neither ended nor waiting. Exceeds the window when that shrinks, or tasks go on after a wait.
    std::uint32_t out = 0;
    std::map<Rank, std::uint32_t> out_of;  // the same by owner
    bool gone = false;
    bool recalled = false;  // asked, and has not answered
    bool dry = false;       // had nothing to give back, and got nothing that may move since

    std::uint32_t room() const { return window > out ? window - out : 0; }
    static constexpr std::uint64_t kFull = std::uint64_t{1} << 20;  // a task for each CPU
    std::uint64_t load() const { return out * kFull / cpus; }
  };
  /// Tasks of one owner that asked one after another.
  struct Run {
    std::uint64_t arrival;
    Rank owner;
    std::uint32_t count;
  };
  using Runs = std::deque<Run>;

  Site* Find(Rank rank);
  template <class Change>
  void Update(Site& site, Change change);
  bool HasRoom(Rank bound);
  void Put(Run& run, Rank bound, Site& site, std::uint32_t count, Actions& actions);
  void PlaceSome(Run& run, Rank bound, Actions& actions);
  void Recall(Actions& actions);

  std::map<Rank, Site> sites_;
  std::map<Rank, Runs> queues_;                       // by the rank asked for; none is empty
  std::set<std::pair<std::uint64_t, Rank>> by_load_;  // those with room
  std::uint64_t room_ = 0;                            // of all
  std::uint64_t next_arrival_ = 0;
};

}  // namespace manta::scheduling
