#pragma once
// The CPUs of one node as rank 0 sees them. All begin in the slot tables of the node's ranks, which use them for one-CPU
// tasks without asking. For any other request rank 0 gathers whole CPUs into a pool, and gives them back afterwards:
//
//   ranks' slots --(Cede: rank 0 asks; the rank answers Ceded)--> pool --(Take)--> leases
//   ranks' slots <--(Give)--------------------------------------- pool <-(PutBack)- leases
//
// slots + pool + leases (+ what Ceded and Give messages carry) is the node's total at any time.
//
// A rank answers an ask at once with what is free, were it nothing, and cedes the rest as its tasks end. One that could
// not answer in full is taken for busy until it has ceded all it was asked for; then others are asked too, so that a
// request does not wait for a busy rank while another idles. What comes in excess goes back.

#include <map>
#include <vector>

#include "core/base/amount.hpp"
#include "core/base/ids.hpp"

namespace manta::scheduling {

/// To be sent to `rank`: take `cpus` (whole, above 0) more out of your slots for rank 0, as they become free.
struct Cede {
  Rank rank;
  Amount cpus;
};
/// To be sent to `rank`: these CPUs are yours again.
struct Give {
  Rank rank;
  Amount cpus;
};

class CpuPool {
 public:
  explicit CpuPool(const std::map<Rank, Amount>& slots);

  /// All the whole CPUs of the node.
  Amount total() const { return total_; }
  /// In the pool now; below zero after a waiting task took its CPUs again that others had got meanwhile.
  Amount free() const { return free_; }
  /// Whole CPUs that the ranks have, in use or not.
  Amount in_slots() const { return in_slots_; }
  /// Those of them at ranks that are not known to be busy.
  Amount Prompt() const { return in_slots_ - at_busy_ranks_; }
  /// All that the ranks have, also what is no whole CPU.
  Amount AllSlots() const;
  /// What `rank`, one of the node's, has ceded and was not given back.
  Amount CededBy(Rank rank) const;

  void Take(Amount cpus) { free_ -= cpus; }
  void PutBack(Amount cpus) { free_ += cpus; }
  /// `rank` answers: `cpus` is whole and may be nothing.
  void Ceded(Rank rank, Amount cpus);

  /// Asks ranks until all that `reserved` needs, and what the pool is below zero, is there or on its way, never twice for
  /// the same CPU; or gives whole CPUs back that `reserved` leaves over. Ranks with most are asked first, ranks that miss
  /// most are given first.
  void Balance(Amount reserved, std::vector<Cede>& cedes, std::vector<Give>& gives);

 private:
  struct RankCpus {
    Rank rank;
    Amount initial;
    Amount slots;       // until it has ceded them
    Amount asked;       // and not yet ceded
    bool busy = false;  // its last answer left something to cede

    Amount Left() const { return WholeSlots() - asked; }
    Amount WholeSlots() const;
  };
  void Ask(std::int64_t cpus, std::vector<Cede>& cedes);
  void GiveBack(std::int64_t cpus, std::vector<Give>& gives);
  void AddSlots(RankCpus& rank, Amount cpus);
  void SetBusy(RankCpus& rank, bool busy);

  RankCpus& Of(Rank rank);

  std::vector<RankCpus> ranks_;  // in rising order
  Amount total_, free_, in_slots_, at_busy_ranks_;
};

}  // namespace manta::scheduling
