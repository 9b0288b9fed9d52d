#include "bench/scheduler_sim/cluster.hpp"

#include <algorithm>

#include "bench/support/harness.hpp"

namespace scheduler_sim {

using manta::Amount;
using manta::NodeId;
using manta::Rank;
using namespace manta::scheduling;

std::vector<NodeSpec> MakeNodes(const ClusterSize& size) {
  std::vector<NodeSpec> nodes;
  int rank = 0;
  for (int i = 0; i < size.nodes; ++i) {
    NodeSpec& node = nodes.emplace_back();
    node.id = NodeId(i);
    for (int r = 0; r < size.ranks; ++r) {
      node.ranks.emplace_back(rank++);
      node.slots[node.ranks.back()] = Amount::Whole(size.cpus / size.ranks + (r < size.cpus % size.ranks));
    }
    for (int gpu = 0; gpu < size.gpus; ++gpu)
      node.gpus.push_back({gpu, node.ranks[static_cast<std::size_t>(gpu * size.ranks / size.gpus)]});
    node.memory_bytes = std::uint64_t{512} << 30;
  }
  return nodes;
}

Cluster::Cluster(const ClusterSize& size) : ledger_(MakeNodes(size)) {
  for (const NodeSpec& node : MakeNodes(size))
    for (const auto& [rank, cpus] : node.slots) slots_[rank] = cpus.units() / Amount::kUnitsPerOne;
}

/// Counts the time of `call`.
template <class Call>
void Cluster::Timed(Call call) {
  const double start = bench::Now();
  call();
  const double spent = bench::Now() - start;
  busy_seconds_ += spent;
  microseconds_.push_back(static_cast<float>(spent * 1e6));
}

void Cluster::Request(std::uint64_t request, ClassId kind) {
  Timed([&] {
    ledger_.SetTime(now_ns_);
    ledger_.Request(Rank(0), request, kind);
    actions_ = ledger_.Decide();
  });
  Settle();
}

void Cluster::Settle() {
  for (;;) {
    Ledger::Actions actions = std::exchange(actions_, {});
    for (const Give& give : actions.gives) slots_[give.rank] += give.cpus.units() / Amount::kUnitsPerOne;
    for (const Grant& grant : actions.grants) {
      ++grants_;
      std::int64_t gpus = 0;
      for (const auto& share : grant.lease.devices) gpus += share.amount;
      gpus_in_use_ += gpus;
      ends_.push({now_ns_ + on_grant_(grant), grant.lease.id, grant.request, gpus});
    }
    if (actions.cedes.empty()) return;
    // Answers that come together are decided on together, as rank 0 does.
    Timed([&] {
      for (const Cede& cede : actions.cedes) {
        std::int64_t& has = slots_[cede.rank];
        const std::int64_t ceded = std::min(has, cede.cpus.units() / Amount::kUnitsPerOne);
        has -= ceded;
        ledger_.Ceded(cede.rank, Amount::Whole(ceded));
      }
      actions_ = ledger_.Decide();
    });
  }
}

bool Cluster::Step() {
  if (ends_.empty()) return false;
  const End end = ends_.top();
  ends_.pop();
  now_ns_ = end.at_ns;
  gpus_in_use_ -= end.gpus;
  Timed([&] {
    ledger_.SetTime(now_ns_);
    ledger_.Return(end.lease);
    actions_ = ledger_.Decide();
  });
  Settle();
  if (on_end_) on_end_(end.request);
  return true;
}

}  // namespace scheduler_sim
