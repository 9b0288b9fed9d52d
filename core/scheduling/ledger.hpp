#pragma once
// Rank 0's ledger of resources: who asked for what, who holds what, and who is to be granted next. It decides and keeps
// count; its caller sends the messages. docs/protocol.md draws the lease protocol, tests/models/lease_model_test.cpp
// walks through it.
//
//   Ledger ledger(nodes);
//   ledger.Request(requester, 1, shape, std::nullopt);        // on LeaseRequest
//   ledger.Ceded(rank, Amount::Whole(1));                     // on SlotsCeded
//   ledger.Return(lease);                                     // on LeaseReturn
//   Ledger::Actions actions = ledger.Decide();                // after a batch of those
//   // each grant is a LeaseGrant, each cede a CedeSlots, each give a SlotsReturned
//
// Assumes that requests were checked: amounts are not negative, GPU amounts above 1 whole, and some node could grant
// them (WhyInfeasible; else they wait for ever, and WhyWaiting says so).
//
// Algorithm. CPUs lie in the ranks' slot tables and are gathered for requests as cpu_pool.hpp says; GPUs, memory and
// custom resources are counted here alone. Decide goes through the waiting requests, oldest first.
// 1. A request that fits somewhere is granted there. Node and devices are one decision: first where whole devices come
//    from one home rank, then where a share leaves least on its device, then where fewest whole devices are free, then
//    where the pool is left with least, then where the rank with fewest leases is, then the lowest node.
// 2. One that fits but for CPUs waits at one node. What the pool has and gets there is reserved for those who wait, in
//    their order, so that no stream of small requests starves a large one; requests without CPUs may pass. It waits
//    where CPUs can be gathered from ranks that are not busy, and stays: it moves on only when that node turned out
//    busy and another did not, and not more often than there are nodes.
// 3. One that does not fit for other reasons reserves nothing; later ones may pass.
// Requests of one shape are one queue, so that 80,000 of them cost as much as one that can't be granted.
// Execution is on the devices' home rank, else the rank asked for, else the node's rank with fewest leases (the lowest).

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/scheduling/core_map.hpp"
#include "core/scheduling/cpu_pool.hpp"
#include "core/scheduling/node_resources.hpp"
#include "core/scheduling/node_spec.hpp"
#include "core/wire/messages.hpp"

namespace manta::scheduling {

struct Grant {
  Rank requester;
  std::uint64_t request = 0;
  wire::Lease lease;
};

/// One thread at a time. Deterministic: the same calls give the same actions.
class Ledger {
 public:
  struct Actions {
    std::vector<Grant> grants;
    std::vector<Cede> cedes;
    std::vector<Give> gives;
  };

  explicit Ledger(std::vector<NodeSpec> nodes);

  /// `request` is unique among those of `requester` that wait. `rank`: only there (devices: at home there).
  /// Ignored when the requester is gone.
  void Request(Rank requester, std::uint64_t request, const wire::Shape& shape, std::optional<Rank> rank);
  /// The requester no longer wants it. One that was granted meanwhile is not taken back: it is returned.
  void Withdraw(Rank requester, std::uint64_t request);
  /// All calls with a lease ignore one that is not out: messages of several senders overtake each other, so a lease can
  /// be back before its task's last LeaseResume comes.
  void Return(std::uint64_t lease);
  /// A task began to wait: its CPUs go back to the pool; it keeps its GPUs, memory and custom resources.
  void Suspend(std::uint64_t lease);
  /// The task goes on: it has its CPUs at once, as in Ray, also when the pool goes below zero until others end.
  void Resume(std::uint64_t lease);
  /// A rank's answer to a Cede, at once with what it had free (Amount() if nothing), then with more: whole CPUs, never
  /// more than it was asked for.
  void Ceded(Rank rank, Amount whole_cpus);
  /// The requester is lost: its requests are withdrawn, its leases taken back, and what it still sends is ignored.
  /// Its tasks may run on for a moment at other ranks: those end them when they hear of the loss.
  void Forget(Rank requester);

  /// What is to be done after the calls since the last Decide.
  Actions Decide();

  /// What the job has free as far as rank 0 knows, by the names of ResourceMap: CPUs in the pools and in the ranks'
  /// slots (one-CPU tasks that run there do not show: the caller subtracts them if it knows), what is free of "GPU",
  /// "memory" (bytes) and each custom resource.
  std::map<std::string, double> Available() const;

  /// One line for each kind of request that waits: how many, and for what.
  std::vector<std::string> WhyWaiting() const;
  /// What a lease that is out was asked for.
  std::optional<wire::Shape> HeldBy(std::uint64_t lease) const;

 private:
  static constexpr int kAnyRank = -1;
  // How many requests of one shape are planned for in a Decide beyond what is free: enough to have the CPUs of a node
  // on their way at once.
  static constexpr int kLookahead = 128;

  struct Node {
    explicit Node(const NodeSpec& spec) : id(spec.id), ranks(spec.ranks), cpus(spec.slots), cores(spec), others(spec) {}
    NodeId id;
    std::vector<Rank> ranks;
    CpuPool cpus;
    CoreMap cores;
    NodeResources others;
    // Of one Decide:
    Amount reserved;                      // CPUs for those that wait here
    std::optional<NodeResources> planned; // what will be left when those that wait here have been granted
    const NodeResources& plan() const { return planned ? *planned : others; }
  };
  struct Waiting {
    Rank requester;
    std::uint64_t request = 0;
    int node = -1;  // where it waits for CPUs; its place in nodes_
    int moves = 0;
  };
  using ShapeKey = std::tuple<std::int64_t, std::int64_t, std::uint64_t,
                              std::vector<std::pair<std::string, std::int64_t>>, int>;
  struct Queue {
    wire::Shape shape;
    std::optional<Rank> rank;
    std::map<std::uint64_t, Waiting> waiting;  // by order of arrival
  };
  struct Held {
    wire::Shape shape;
    Rank requester;
    Rank rank;
    int node = 0;
    std::vector<wire::DeviceShare> devices;
    std::vector<std::int32_t> cores;  // kept while it is suspended
    bool suspended = false;
  };
  struct Place {
    int node = -1;
    Rank rank;
    Fit fit;
  };

  std::pair<int, int> NodesFor(const Queue& queue) const;
  Rank LeastLeased(const Node& node) const;
  std::optional<Place> FindPlace(const Queue& queue) const;
  Grant MakeGrant(const Queue& queue, const Waiting& waiting, Place place);
  bool WaitForCpus(const Queue& queue, Waiting& waiting);
  void TakeBack(std::unordered_map<std::uint64_t, Held>::iterator held);
  std::string WhyWaits(const Queue& queue) const;

  const std::vector<NodeSpec> specs_;
  std::vector<Node> nodes_;
  std::unordered_map<Rank, int> node_of_;
  std::unordered_map<Rank, int> leases_of_;  // how many leases are out on a rank
  std::map<ShapeKey, Queue> queues_;         // none is empty
  std::map<std::pair<Rank, std::uint64_t>, std::pair<Queue*, std::uint64_t>> requests_;
  std::unordered_map<std::uint64_t, Held> held_;
  std::set<Rank> gone_;
  std::uint64_t next_arrival_ = 0;
  std::uint64_t next_lease_ = 1;
  bool changed_ = false;  // since the last Decide
};

}  // namespace manta::scheduling
