#pragma once
// Rank 0's ledger of resources: who asked for what, who holds what, and who is to be granted next. It decides and keeps
// count; its caller sends the messages. docs/protocol.md draws the lease protocol, tests/models/lease_model_test.cpp
// walks through it.
//
//   Ledger ledger(nodes);
//   const ClassId kind = ledger.Define(request_class);
//   ledger.Request(requester, 1, kind);                       // on LeaseRequest
//   ledger.Ceded(rank, Amount::Whole(1));                     // on SlotsCeded
//   ledger.Return(lease);                                     // on LeaseReturn
//   Ledger::Actions actions = ledger.Decide();                // after a batch of those
//   // each grant is a LeaseGrant, each cede a CedeSlots, each give a SlotsReturned
//
// Assumes that requests were checked: amounts are not negative, GPU amounts above 1 whole, and some node could grant
// them (WhyInfeasible; else they wait for ever, and WhyWaiting says so).
//
// Algorithm. CPUs lie in the ranks' slot tables and are gathered for requests as cpu_pool.hpp says; GPUs, memory and
// custom resources are counted here alone. Decide goes through the lines of waiting.hpp in their order.
// 1. The first of a line that fits somewhere is granted there, or bound to that node by a claim while its CPUs are
//    gathered. Which node is a policy's choice (policies/); node and devices are one decision.
// 2. One that fits nowhere is passed over by those behind it that take what was free before it came. But once leases
//    have ended since, it is bound, before the next of those is granted, to the node where it has to wait for least, by
//    a claim that leaves nothing to others of what it needs there. (One that needs one device or a share of one is
//    passed over 64 times first.) So many such claims at a time as max_debts(); each is granted when the longest of the
//    leases that were out there has ended, whatever else comes. Should another node have room first, it goes there.
// 3. What becomes free is offered in order to those that wait: only the nodes where something did are looked at.
// A claim for CPUs that turn out to be busy moves to a node where they are not, and not more often than there are nodes.
// Execution is on the devices' home rank, else the rank asked for, else the node's rank with fewest leases (the lowest).

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"
#include "core/scheduling/groups.hpp"
#include "core/scheduling/node_index.hpp"
#include "core/scheduling/node_state.hpp"
#include "core/scheduling/policies/policy.hpp"
#include "core/scheduling/waiting.hpp"

namespace manta::scheduling {

struct Grant {
  Rank requester;
  std::uint64_t request = 0;
  int choice = 0;    // of its class
  wire::Lease lease;
};
/// To be told to `requester`: this request, or the lease that it was granted, ends with its placement group.
struct Removal {
  Rank requester;
  std::uint64_t request = 0;
  std::uint64_t lease = 0;  // 0: it was not granted
};

/// One thread at a time. Deterministic: the same calls give the same actions.
class Ledger {
 public:
  struct Actions {
    std::vector<Grant> grants;
    std::vector<Cede> cedes;
    std::vector<Give> gives;
    std::vector<Removal> removals;
    std::vector<std::pair<Rank, std::uint64_t>> ready_groups;  // creator, group
  };

  explicit Ledger(std::vector<NodeSpec> nodes);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// What `Request` names. The same for the same content; kept for ever.
  ClassId Define(const wire::RequestClass& content);

  /// How long it takes to bring a byte to another node. Default: 10 GB/s.
  void SetTransferCost(double ns_per_byte) { transfer_ns_per_byte_ = ns_per_byte; }
  /// The time of the calls that follow, for durations and for how long something waits.
  void SetTime(std::int64_t now_ns) { now_ns_ = now_ns; }

  /// `request` is unique among those of `requester` that wait. Ignored when the requester is gone.
  void Request(Rank requester, std::uint64_t request, ClassId kind, std::vector<wire::NodeBytes> near = {});
  /// Of a class with `shape` alone. `rank`: only there (devices: at home there).
  void Request(Rank requester, std::uint64_t request, const wire::Shape& shape, std::optional<Rank> rank);
  /// The requester no longer wants it. One that was granted meanwhile is not taken back: it is returned.
  void Withdraw(Rank requester, std::uint64_t request);
  /// All calls with a lease ignore one that is not out: messages of several senders overtake each other, so a lease can
  /// be back before its task's last LeaseResume comes. `ran_ns`: how long its task ran; 0: not known, below: not at all.
  void Return(std::uint64_t lease, std::int64_t ran_ns = 0);
  /// A task began to wait: its CPUs go back to the pool; it keeps its GPUs, memory and custom resources.
  void Suspend(std::uint64_t lease);
  /// The task goes on: it has its CPUs at once, as in Ray, also when the pool goes below zero until others end.
  void Resume(std::uint64_t lease);
  /// A rank's answer to a Cede, at once with what it had free (Amount() if nothing), then with more: whole CPUs, never
  /// more than it was asked for.
  void Ceded(Rank rank, Amount whole_cpus);
  /// The requester is lost: its requests are withdrawn, its leases taken back, its groups removed, and what it still
  /// sends is ignored. Its tasks may run on for a moment at other ranks: those end them when they hear of the loss.
  void Forget(Rank requester);

  /// `id` is the job's only one of that number, ever, and not 0. Waits until all bundles fit at once.
  void CreateGroup(Rank creator, std::uint64_t id, const std::string& name, const std::vector<wire::Shape>& bundles,
                   wire::GroupStrategy strategy);
  /// What waits in it is told so, and what runs in it; what the latter holds is free when it has been returned.
  void RemoveGroup(std::uint64_t id);

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
  std::size_t waiting() const { return waiting_.size(); }
  /// How many requests at a time may be bound to nodes whose leases they wait for.
  int max_debts() const { return max_debts_; }

 private:
  struct Held {
    std::uint32_t generation = 0;  // of this place
    bool out = false;
    bool suspended = false;
    std::uint16_t choice = 0;
    RequestClass* of = nullptr;
    Rank requester, rank;
    std::uint64_t request = 0;
    int node = 0;
    std::uint32_t place_at_node = 0;  // in leases_at_[node]
    std::uint64_t group = 0;
    int bundle = -1;
    std::int64_t since_ns = 0;
    std::vector<wire::DeviceShare> devices;
    std::vector<std::int32_t> cores;  // kept while it is suspended

    const ClassChoice& choice_of() const { return of->choices[choice]; }
  };
  static constexpr std::size_t kFewFreed = 16;  // nodes that are offered one by one; of more, all are searched
  enum Mark : std::uint8_t { kChanged = 1, kStale = 2, kFreed = 4, kBusy = 8 };
  /// Where a request could go now.
  struct Spot {
    int choice = 0;
    int node = -1;
    int bundle = -1;  // of its group
    Fit fit;
  };

  // ledger.cpp
  Held* Out(std::uint64_t lease);
  void TakeBack(std::uint64_t lease);
  void Changed(int node);
  void Freed(int node);
  void FreshenIndex();
  void CountShare(Rank requester, const Demand& demand, int sign);
  void Resolve(ClassChoice& choice) const;
  void DropClaim(PendingRequest& request);

  // ledger_decide.cpp
  ClusterView view() const { return {nodes_, *index_}; }
  void GrantClaims(int node);
  void MoveGathering(int node);
  void Offer();
  bool MayFitFreed(const Line& line) const;
  bool PlaceFirst(Line& line);
  std::optional<Spot> FindSpot(const Line& line, const PendingRequest& request);
  std::optional<Spot> FindSpotOf(const RequestClass& of, int choice, const PendingRequest& request, Reach reach,
                                 bool only_freed);
  std::optional<Spot> FindFinish(const Line& line, const PendingRequest& request);
  void Bind(PendingRequest& request, Spot spot, bool in_debt);
  void GrantTo(PendingRequest& request, Spot spot);
  bool MoveTo(PendingRequest& request, const Spot& spot);

  // ledger_debts.cpp
  bool IsPassedOver(PendingRequest& request) const;
  bool BindEarlier(const Line& line);
  bool BindInDebt(Line& line);
  bool UnbindBelow(int priority, bool one);
  void MoveDebts();
  double WaitOn(int node, const ClassChoice& choice, Fit& fit) const;
  template <class Visit>
  void VisitForDebt(const ClassChoice& choice, Visit visit);

  // ledger_groups.cpp
  std::optional<Spot> FindInGroup(const RequestClass& of, int choice) const;
  void PlaceGroups();
  bool PlaceGroup(Group& group);
  void BundleInHand(Group& group, int bundle, std::vector<wire::DeviceShare> devices);
  void OpenLinesOf(Group& group);
  void PutBackInGroup(const Held& held, bool with_cpus);
  Group* FindGroup(std::uint64_t id);

  // ledger_answers.cpp
  std::string WhyWaits(const Line& line) const;

  const std::vector<NodeSpec> specs_;  // those without GPUs first
  ResourceNames names_;
  std::vector<NodeState> nodes_;
  std::unique_ptr<NodeIndex> index_;
  std::unordered_map<Rank, int> node_of_;
  std::vector<std::vector<std::uint32_t>> leases_at_;  // by node: places in held_
  std::int64_t all_cpus_ = 0, all_gpus_ = 0;

  std::unordered_map<std::string, ClassId> class_ids_;  // by content, as on the wire
  std::vector<std::unique_ptr<RequestClass>> classes_;
  std::vector<std::unique_ptr<Line>> lines_;  // by class
  Durations durations_;
  double transfer_ns_per_byte_ = 0.1;

  Waiting waiting_;
  std::unordered_map<const PendingRequest*, std::list<Claim>::iterator> claims_;  // of those that are bound
  std::vector<PendingRequest*> debts_;  // bound in debt, in that order
  int max_debts_ = 1;
  int lowest_debt_ = std::numeric_limits<int>::max();  // the lowest priority of debts_
  std::uint64_t leases_ended_ = 0;
  std::size_t next_for_debt_ = 0;  // position at which the search begins for requests without GPUs

  std::vector<Held> held_;
  std::vector<std::uint32_t> free_held_;
  std::map<Rank, Demand> holds_;  // by requester

  std::map<std::uint64_t, std::unique_ptr<Group>> groups_;
  std::vector<Group*> unplaced_groups_;  // in order of arrival
  bool group_is_new_ = false;            // one of them has not been tried

  std::set<Rank> gone_;
  std::int64_t now_ns_ = 0;
  // Since the last Decide:
  std::vector<int> changed_;           // nodes to be balanced
  std::vector<int> stale_;             // nodes that the index does not know as they are
  std::vector<int> freed_;             // nodes with more left than before
  std::vector<int> turned_busy_;       // nodes with a rank that could not cede at once
  std::vector<std::uint8_t> marks_;    // by node: in which of these it is
  std::vector<Line*> opened_;          // lines to be tried though nothing was freed
  std::vector<Line*> still_open_;      // of a Decide: those of them not served yet
  Actions actions_;
};

}  // namespace manta::scheduling
