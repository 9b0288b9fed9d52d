#pragma once
// One node as the ledger sees it: what is left for requests that come now, who waits here, and who holds what.
//
// A request may be bound to a node before it can be granted: its *claim* takes its resources out of what is left for
// others at once, and is granted when they are in hand. That is so where CPUs must first be gathered from the ranks'
// slots, and where a large request waits for what leases hold (then what is left goes below zero, so that nothing
// smaller slips in before it).
//
//   left for others = in hand - claims          CPUs: in hand = CpuPool::free; soon = + what ranks that are not busy have

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/scheduling/core_map.hpp"
#include "core/scheduling/cpu_pool.hpp"
#include "core/scheduling/node_resources.hpp"
#include "core/scheduling/node_spec.hpp"

namespace manta::scheduling {

struct PendingRequest;  // waiting.hpp
class Group;            // groups.hpp

/// How soon CPUs must be there: in the pool or at ranks that are not busy; or at all, once tasks of ranks have ended.
enum class Reach : std::uint8_t { kSoon, kLater };

struct Claim {
  PendingRequest* request = nullptr;  // or a bundle of a group:
  Group* group = nullptr;
  int bundle = -1;
  const Demand* demand = nullptr;
  std::vector<wire::DeviceShare> devices;
  Rank home;              // of the first device
  bool in_debt = false;   // waits for what leases hold, not only for CPUs of ranks
};

class NodeState {
 public:
  NodeState(const NodeSpec& spec, ResourceNames& names);

  const NodeSpec& spec() const { return *spec_; }
  const NodeResources& total() const { return total_; }
  std::int64_t total_cpus() const { return cpus.total().units(); }
  /// What is left for requests that come now.
  const NodeResources& left() const { return left_; }
  std::int64_t LeftCpus(Reach reach) const {
    const Amount slots = reach == Reach::kSoon ? cpus.Prompt() : cpus.in_slots();
    return (cpus.free() + slots).units() - claimed_cpus_;
  }
  bool Fits(const Demand& demand, Rank home, Reach reach) const {
    return (demand.cpus == 0 || LeftCpus(reach) >= demand.cpus) && left_.Fits(demand, home);
  }
  /// Whether a grant to one that fits needs no CPUs from ranks first.
  bool CpusInHand(const Demand& demand) const {
    return demand.cpus == 0 || cpus.free().units() - claimed_cpus_ >= demand.cpus;
  }
  /// How much of the CPUs or the memory, whichever more, is in use or claimed, in 1/1,000; what one-CPU tasks use in
  /// the ranks' slots does not show.
  int Used() const;

  // Changes of what is left; the caller tells the index of it.
  void Take(const Demand& demand, const std::vector<wire::DeviceShare>& devices);
  void PutBack(const Demand& demand, const std::vector<wire::DeviceShare>& devices);
  /// Of a lease that is suspended: its CPUs stay away.
  void PutBackOthers(const Demand& demand, const std::vector<wire::DeviceShare>& devices) {
    left_.PutBack(demand, devices);
  }
  std::list<Claim>::iterator AddClaim(Claim claim);
  /// Takes it out: its resources are left for others again.
  Claim RemoveClaim(std::list<Claim>::iterator claim);
  /// The first claim whose resources are in hand, earlier ones aside; the end where there is none.
  std::list<Claim>::iterator NextInHand();
  const std::list<Claim>& claims() const { return claims_; }
  std::list<Claim>& claims() { return claims_; }
  std::int64_t claimed_cpus() const { return claimed_cpus_; }

  /// The rank with fewest leases, the lowest of equals.
  Rank LeastLeased() const;
  void CountLease(Rank rank, int change);
  int leases() const { return leases_; }

  CpuPool cpus;
  CoreMap cores;

 private:
  const NodeSpec* spec_;
  NodeResources total_, left_;
  std::list<Claim> claims_;  // in the order in which they were made
  std::int64_t claimed_cpus_ = 0;
  std::vector<int> leases_of_;  // by place in spec_->ranks
  int leases_ = 0;
};

}  // namespace manta::scheduling
