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
    RankCpus& cpus = ranks_.emplace_back();
    cpus.rank = rank;
    cpus.initial = amount;
    AddSlots(cpus, amount);
  }
  total_ = in_slots_;
}

Amount CpuPool::RankCpus::WholeSlots() const { return WholePart(slots); }

Amount CpuPool::AllSlots() const {
  Amount sum;
  for (const RankCpus& cpus : ranks_) sum += cpus.slots;
  return sum;
}

Amount CpuPool::CededBy(Rank rank) const {
  const RankCpus& cpus = const_cast<CpuPool*>(this)->Of(rank);
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

CpuPool::RankCpus& CpuPool::Of(Rank rank) {
  const auto found = std::lower_bound(ranks_.begin(), ranks_.end(), rank,
                                      [](const RankCpus& one, Rank wanted) { return one.rank < wanted; });
  MANTA_ASSERT(found != ranks_.end() && found->rank == rank);
  return *found;
}

void CpuPool::Ceded(Rank rank, Amount cpus) {
  MANTA_ASSERT(cpus.IsWhole() && cpus >= Amount());
  RankCpus& from = Of(rank);
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
  const auto first = static_cast<std::ptrdiff_t>(cedes.size());
  for (const bool busy : {false, true}) {
    for (const RankCpus& has : ranks_)
      if (has.busy == busy) cpus -= CountOf(has.asked);
    while (cpus > 0) {
      RankCpus* most = nullptr;
      for (RankCpus& one : ranks_)
        if (one.busy == busy && (most == nullptr || one.Left() > most->Left())) most = &one;
      if (most == nullptr || most->Left() < kOne) break;
      const std::int64_t portion = Portion(cpus, CountOf(most->Left()), ranks_.size());
      most->asked += Amount::Whole(portion);
      const auto known = std::find_if(cedes.begin() + first, cedes.end(),
                                      [&](const Cede& cede) { return cede.rank == most->rank; });
      if (known != cedes.end()) known->cpus += Amount::Whole(portion);
      else cedes.push_back({most->rank, Amount::Whole(portion)});
      cpus -= portion;
    }
  }
  std::sort(cedes.begin() + first, cedes.end(), [](const Cede& a, const Cede& b) { return a.rank < b.rank; });
}

void CpuPool::GiveBack(std::int64_t cpus, std::vector<Give>& gives) {
  const auto first = static_cast<std::ptrdiff_t>(gives.size());
  while (cpus > 0) {
    // A rank that still owes CPUs would send them back when its tasks end: it comes last.
    const auto turn = [](const RankCpus& rank) {
      const Amount misses = rank.initial - rank.slots;
      return std::tuple(misses >= kOne, rank.asked.IsZero(), misses);
    };
    RankCpus* neediest = &ranks_.front();
    for (RankCpus& one : ranks_)
      if (turn(one) > turn(*neediest)) neediest = &one;
    const Amount misses = neediest->initial - neediest->slots;
    MANTA_ASSERT(misses >= kOne);
    const std::int64_t portion = Portion(cpus, CountOf(misses), ranks_.size());
    AddSlots(*neediest, Amount::Whole(portion));
    free_ -= Amount::Whole(portion);
    const auto known = std::find_if(gives.begin() + first, gives.end(),
                                    [&](const Give& give) { return give.rank == neediest->rank; });
    if (known != gives.end()) known->cpus += Amount::Whole(portion);
    else gives.push_back({neediest->rank, Amount::Whole(portion)});
    cpus -= portion;
  }
  std::sort(gives.begin() + first, gives.end(), [](const Give& a, const Give& b) { return a.rank < b.rank; });
}

}  // namespace manta::scheduling
