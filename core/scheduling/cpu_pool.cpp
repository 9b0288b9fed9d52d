#include "core/scheduling/cpu_pool.hpp"

#include <algorithm>
#include <tuple>

#include "core/base/check.hpp"
#include "core/scheduling/node_spec.hpp"

namespace manta::scheduling {
namespace {

constexpr Amount kOne = Amount::Whole(1);

std::int64_t CountOf(Amount whole) { return whole.units() / Amount::kUnitsPerOne; }

/// How many CPUs of `wanted` go to the rank that is first in turn: few enough that many ranks share evenly, enough that
/// a node declared to have a billion CPUs takes no billion steps.
std::int64_t Portion(std::int64_t wanted, std::int64_t at_most, std::size_t ranks) {
  return std::min(at_most, std::max<std::int64_t>(1, wanted / static_cast<std::int64_t>(ranks)));
}

}  // namespace

CpuPool::CpuPool(const std::map<Rank, Amount>& slots) {
  for (const auto& [rank, amount] : slots) {
    RankCpus& cpus = ranks_[rank];
    cpus.initial = amount;
    AddSlots(cpus, amount);
  }
  total_ = in_slots_;
}

Amount CpuPool::RankCpus::WholeSlots() const { return WholePart(slots); }

Amount CpuPool::AllSlots() const {
  Amount sum;
  for (const auto& [rank, cpus] : ranks_) sum += cpus.slots;
  return sum;
}

Amount CpuPool::CededBy(Rank rank) const {
  const RankCpus& cpus = ranks_.at(rank);
  return cpus.initial - cpus.slots;
}

void CpuPool::AddSlots(RankCpus& rank, Amount cpus) {
  const Amount before = rank.WholeSlots();
  rank.slots += cpus;
  in_slots_ += rank.WholeSlots() - before;
  if (rank.busy) at_busy_ranks_ += rank.WholeSlots() - before;
}

void CpuPool::SetBusy(RankCpus& rank, bool busy) {
  if (rank.busy == busy) return;
  rank.busy = busy;
  if (busy) at_busy_ranks_ += rank.WholeSlots();
  else at_busy_ranks_ -= rank.WholeSlots();
}

void CpuPool::Ceded(Rank rank, Amount cpus) {
  const auto found = ranks_.find(rank);
  MANTA_ASSERT(found != ranks_.end() && cpus.IsWhole() && cpus >= Amount());
  RankCpus& from = found->second;
  MANTA_ASSERT(cpus <= from.asked);
  AddSlots(from, Amount() - cpus);
  from.asked -= cpus;
  free_ += cpus;
  SetBusy(from, from.asked > Amount());
}

void CpuPool::Balance(Amount reserved, std::vector<Cede>& cedes, std::vector<Give>& gives) {
  const Amount missing = reserved - free_;
  if (missing > Amount()) Ask(missing.RoundedUp(), cedes);
  else GiveBack(CountOf(WholePart(Amount() - missing)), gives);
}

void CpuPool::Ask(std::int64_t cpus, std::vector<Cede>& cedes) {
  std::map<Rank, Amount> asks;
  for (const bool busy : {false, true}) {
    for (const auto& [rank, has] : ranks_)
      if (has.busy == busy) cpus -= CountOf(has.asked);
    while (cpus > 0) {
      std::pair<const Rank, RankCpus>* most = nullptr;
      for (auto& one : ranks_)
        if (one.second.busy == busy && (most == nullptr || one.second.Left() > most->second.Left())) most = &one;
      if (most == nullptr || most->second.Left() < kOne) break;
      const std::int64_t portion = Portion(cpus, CountOf(most->second.Left()), ranks_.size());
      most->second.asked += Amount::Whole(portion);
      asks[most->first] += Amount::Whole(portion);
      cpus -= portion;
    }
  }
  for (const auto& [rank, amount] : asks) cedes.push_back({rank, amount});
}

void CpuPool::GiveBack(std::int64_t cpus, std::vector<Give>& gives) {
  std::map<Rank, Amount> gifts;
  while (cpus > 0) {
    // A rank that still owes CPUs would send them back when its tasks end: it comes last.
    const auto turn = [](const RankCpus& rank) {
      const Amount misses = rank.initial - rank.slots;
      return std::tuple(misses >= kOne, rank.asked.IsZero(), misses);
    };
    auto neediest = ranks_.begin();
    for (auto one = ranks_.begin(); one != ranks_.end(); ++one)
      if (turn(one->second) > turn(neediest->second)) neediest = one;
    const Amount misses = neediest->second.initial - neediest->second.slots;
    MANTA_ASSERT(misses >= kOne);
    const std::int64_t portion = Portion(cpus, CountOf(misses), ranks_.size());
    AddSlots(neediest->second, Amount::Whole(portion));
    free_ -= Amount::Whole(portion);
    gifts[neediest->first] += Amount::Whole(portion);
    cpus -= portion;
  }
  for (const auto& [rank, amount] : gifts) gives.push_back({rank, amount});
}

}  // namespace manta::scheduling
