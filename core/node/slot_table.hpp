#pragma once
// The CPUs that the ranks of a node may give to one-CPU tasks without asking rank 0: one word a rank, in its block.
//
//   SlotTable slots(BlocksOf(segment.bytes(), layout), my_index);
//   slots.GiveBack(share);                                    // once, at start: the rank's part of the node's CPUs
//   if (slots.TryTake(Amount::Whole(1))) { run the task; slots.GiveBack(Amount::Whole(1)); }
//   Amount ceded = slots.CedeWhole(Amount::Whole(4));         // the ledger wants whole CPUs for a wide task
//
// Only the rank itself changes its word, the others read it: what is taken from the table is always in the hands of a
// task or of the ledger, and never counted twice.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>

#include "core/base/amount.hpp"
#include "core/node/rank_block.hpp"

namespace manta::node {

/// Thread-safe; no call blocks. Orders: relaxed, for the word counts and hands nothing over; what a task wrote reaches
/// the next one by the queue that starts it.
class SlotTable {
 public:
  SlotTable(std::span<RankBlock> blocks, std::uint32_t my_index) : blocks_(blocks), mine_(blocks[my_index].free_slots) {}

  /// Takes all of `cpus` out of this rank's word, or nothing.
  bool TryTake(Amount cpus) {
    std::int64_t free = mine_.load(std::memory_order_relaxed);
    while (free >= cpus.units())
      if (mine_.compare_exchange_weak(free, free - cpus.units(), std::memory_order_relaxed)) return true;
    return false;
  }

  /// Adds `cpus`: at the end of a task, when one begins to wait, and whenever the ledger gives CPUs to this rank.
  void GiveBack(Amount cpus) { mine_.fetch_add(cpus.units(), std::memory_order_relaxed); }

  /// Takes up to `wanted` whole CPUs for the ledger, as many as are free now. Returns how many, which may be none.
  Amount CedeWhole(Amount wanted) {
    std::int64_t free = mine_.load(std::memory_order_relaxed);
    for (;;) {
      const std::int64_t count =
          std::max<std::int64_t>(0, std::min(wanted.units(), free) / Amount::kUnitsPerOne);
      if (count == 0) return Amount();
      const Amount ceded = Amount::Whole(count);
      if (mine_.compare_exchange_weak(free, free - ceded.units(), std::memory_order_relaxed)) return ceded;
    }
  }

  /// What the rank with this index on the node has free. A snapshot.
  Amount FreeOf(std::uint32_t index) const {
    return Amount::FromUnits(blocks_[index].free_slots.load(std::memory_order_relaxed));
  }

 private:
  std::span<RankBlock> blocks_;      // fixed after construction
  std::atomic<std::int64_t>& mine_;  // in the node segment
};

}  // namespace manta::node
