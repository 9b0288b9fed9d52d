#pragma once
// Drives a Ledger as a job would: the slot tables of the ranks that answer its asks, and shapes in a line.

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/scheduling/ledger.hpp"

namespace manta::scheduling {

inline wire::Shape MakeShape(double cpus, double gpus = 0, std::uint64_t memory_bytes = 0,
                             std::vector<std::pair<std::string, double>> custom = {}) {
  wire::Shape shape;
  shape.cpus = Amount::FromDouble(cpus).units();
  shape.gpus = Amount::FromDouble(gpus).units();
  shape.memory_bytes = memory_bytes;
  for (const auto& [name, amount] : custom) shape.custom.emplace_back(name, Amount::FromDouble(amount).units());
  return shape;
}

/// A node whose ranks, `first_rank` and up, have `cpus_per_rank` CPUs each. Its devices are at home on its ranks in turn.
inline NodeSpec MakeNode(int id, int first_rank, int num_ranks, double cpus_per_rank, int gpus = 0) {
  NodeSpec node;
  node.id = NodeId(id);
  for (int i = 0; i < num_ranks; ++i) {
    node.ranks.emplace_back(first_rank + i);
    node.slots[Rank(first_rank + i)] = Amount::FromDouble(cpus_per_rank);
  }
  for (int i = 0; i < gpus; ++i) node.gpus.push_back({i, Rank(first_rank + i % num_ranks)});
  return node;
}

/// The ranks' side of the CPU protocol: answers each ask at once, then as `Finish` frees CPUs.
class LedgerDriver {
 public:
  explicit LedgerDriver(std::vector<NodeSpec> nodes) : ledger(nodes) {
    for (const NodeSpec& node : nodes)
      for (const auto& [rank, slots] : node.slots) free_[rank] = slots;
  }

  std::uint64_t Request(const wire::Shape& shape, std::optional<Rank> rank = std::nullopt, Rank requester = Rank(0)) {
    ledger.Request(requester, ++last_request_, shape, rank);
    return last_request_;
  }

  /// `cpus` one-CPU tasks start on `rank`. As the real slot table, takes no more than is free.
  void Start(Rank rank, int cpus) {
    ASSERT_GE(free_[rank], Amount::Whole(cpus));
    free_[rank] -= Amount::Whole(cpus);
  }
  void Finish(Rank rank, int cpus) {
    free_[rank] += Amount::Whole(cpus);
    CedeWhatIsFree(rank);
  }

  /// Decides, and delivers asks and answers, until nothing happens any more. Grants in order.
  std::vector<Grant> Settle() {
    std::vector<Grant> grants;
    for (int round = 0; round < 1000; ++round) {
      Ledger::Actions actions = ledger.Decide();
      for (const Give& give : actions.gives) {
        free_[give.rank] += give.cpus;
        given += give.cpus;
        if (owed_[give.rank] > Amount()) CedeWhatIsFree(give.rank);
      }
      for (const Cede& cede : actions.cedes) {
        EXPECT_GT(cede.cpus, Amount());
        owed_[cede.rank] += cede.cpus;
        asked += cede.cpus;
        if (!CedeWhatIsFree(cede.rank)) ledger.Ceded(cede.rank, Amount());
      }
      grants.insert(grants.end(), actions.grants.begin(), actions.grants.end());
      removals_.insert(removals_.end(), actions.removals.begin(), actions.removals.end());
      if (actions.grants.empty() && actions.cedes.empty() && actions.gives.empty()) return grants;
    }
    ADD_FAILURE() << "the ledger never settles";
    return grants;
  }

  /// Since this was last called.
  std::vector<Removal> TakeRemovals() { return std::exchange(removals_, {}); }

  Amount FreeOf(Rank rank) const { return free_.at(rank); }
  Amount Owed(Rank rank) const { return owed_.contains(rank) ? owed_.at(rank) : Amount(); }
  Amount AllFree() const {
    Amount sum;
    for (const auto& [rank, free] : free_) sum += free;
    return sum;
  }

  Ledger ledger;
  Amount asked, given;  // so far

 private:
  bool CedeWhatIsFree(Rank rank) {
    const Amount cpus = std::min(owed_[rank], WholePart(free_[rank]));
    if (cpus <= Amount()) return false;
    owed_[rank] -= cpus;
    free_[rank] -= cpus;
    ledger.Ceded(rank, cpus);
    return true;
  }

  std::map<Rank, Amount> free_, owed_;
  std::vector<Removal> removals_;
  std::uint64_t last_request_ = 0;
};

}  // namespace manta::scheduling
