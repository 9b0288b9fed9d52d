#include "core/scheduling/placer.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace manta::scheduling {

Placer::Placer(const std::vector<NodeSpec>& nodes) {
  for (const NodeSpec& node : nodes)
    for (const Rank rank : node.ranks) {
      Site& site = sites_[rank];
      site.rank = rank;
      const auto slots = node.slots.find(rank);
      if (slots == node.slots.end()) continue;
      const auto cpus = static_cast<std::uint32_t>(slots->second.units() / Amount::kUnitsPerOne);
      Offer(rank, cpus, cpus);
    }
}

Placer::Site* Placer::Find(Rank rank) {
  const auto found = sites_.find(rank);
  return found == sites_.end() || found->second.gone ? nullptr : &found->second;
}

/// Keeps `by_load_` and `room_` as `change` leaves the site.
template <class Change>
void Placer::Update(Site& site, Change change) {
  if (site.room() != 0) {
    room_ -= site.room();
    by_load_.erase({site.load(), site.rank});
  }
  change();
  if (site.room() != 0) {
    room_ += site.room();
    by_load_.insert({site.load(), site.rank});
  }
}

void Placer::Request(Rank owner, Rank bound, std::uint32_t count) {
  if (count == 0 || Find(owner) == nullptr) return;
  if (bound.valid() && Find(bound) == nullptr) return;  // it is lost, and the owner will hear of that
  Runs& runs = queues_[bound];
  // Only what arrives together is one run: another queue's may have come between.
  if (!runs.empty() && runs.back().owner == owner && runs.back().arrival + runs.back().count == next_arrival_)
    runs.back().count += count;
  else
    runs.push_back({next_arrival_, owner, count});
  next_arrival_ += count;
}

void Placer::Ended(Rank at, Rank owner, std::int64_t count) {
  Site* const site = Find(at);
  if (site == nullptr || count == 0 || (count < 0 && Find(owner) == nullptr)) return;
  const auto of = site->out_of.try_emplace(owner).first;
  count = std::min<std::int64_t>(count, of->second);  // those of a lost owner no longer count
  of->second = static_cast<std::uint32_t>(of->second - count);
  if (of->second == 0) site->out_of.erase(of);
  Update(*site, [&] { site->out = static_cast<std::uint32_t>(site->out - count); });
}

void Placer::Offer(Rank at, std::uint32_t cpus, std::uint32_t window) {
  Site* const site = Find(at);
  if (site == nullptr) return;
  Update(*site, [&] {
    site->cpus = cpus;
    site->window = cpus == 0 ? 0 : window;
  });
}

void Placer::Recalled(Rank at, bool has) {
  Site* const site = Find(at);
  if (site == nullptr) return;
  site->recalled = false;
  site->dry = !has;
}

void Placer::Forget(Rank rank) {
  Site* const site = Find(rank);
  if (site == nullptr) return;
  Update(*site, [&] { site->window = 0; });
  site->gone = true;
  queues_.erase(rank);
  for (auto& [bound, runs] : queues_) std::erase_if(runs, [&](const Run& run) { return run.owner == rank; });
  std::erase_if(queues_, [](const auto& queue) { return queue.second.empty(); });
  for (auto& [other, one] : sites_) Ended(other, rank, std::numeric_limits<std::int64_t>::max());
}

bool Placer::HasRoom(Rank bound) { return bound.valid() ? sites_.at(bound).room() != 0 : room_ != 0; }

void Placer::Put(Run& run, Rank bound, Site& site, std::uint32_t count, Actions& actions) {
  Update(site, [&] { site.out += count; });
  site.out_of[run.owner] += count;
  if (!bound.valid()) site.dry = false;
  run.arrival += count;
  run.count -= count;
  Placement* const last = actions.placements.empty() ? nullptr : &actions.placements.back();
  if (last != nullptr && last->owner == run.owner && last->bound == bound && last->to == site.rank)
    last->count += count;
  else
    actions.placements.push_back({run.owner, bound, site.rank, count});
}

/// At least one; all of it that goes to the same place, or to all places.
void Placer::PlaceSome(Run& run, Rank bound, Actions& actions) {
  if (bound.valid()) {
    Site& site = sites_.at(bound);
    Put(run, bound, site, std::min(run.count, site.room()), actions);
  } else if (run.count >= room_) {
    for (auto& [rank, site] : sites_)
      if (!site.gone && site.room() != 0) Put(run, bound, site, site.room(), actions);
  } else {
    while (run.count != 0) Put(run, bound, sites_.at(by_load_.begin()->second), 1, actions);
  }
}

void Placer::Recall(Actions& actions) {
  // No CPU is idle: the cheap and usual case.
  if (queues_.contains(Rank()) || by_load_.empty() || by_load_.begin()->first >= Site::kFull) return;
  std::ptrdiff_t idle = 0;
  for (const auto& [rank, site] : sites_) {
    idle += site.room() != 0 && site.load() < Site::kFull;
    idle -= site.recalled;
  }
  for (; idle > 0; --idle) {
    Site* most = nullptr;
    for (auto& [rank, site] : sites_) {
      if (site.gone || site.recalled || site.dry || site.out <= std::max(1u, site.cpus)) continue;
      if (most == nullptr || site.out > most->out) most = &site;
    }
    if (most == nullptr) return;
    most->recalled = true;
    actions.recalls.push_back(most->rank);
  }
}

Placer::Actions Placer::Decide() {
  Actions actions;
  for (;;) {
    auto first = queues_.end();
    for (auto queue = queues_.begin(); queue != queues_.end(); ++queue)
      if (HasRoom(queue->first) &&
          (first == queues_.end() || queue->second.front().arrival < first->second.front().arrival))
        first = queue;
    if (first == queues_.end()) break;
    Runs& runs = first->second;
    PlaceSome(runs.front(), first->first, actions);
    if (runs.front().count == 0) runs.pop_front();
    if (runs.empty()) queues_.erase(first);
  }
  Recall(actions);
  return actions;
}

std::uint64_t Placer::waiting() const {
  std::uint64_t sum = 0;
  for (const auto& [bound, runs] : queues_)
    for (const Run& run : runs) sum += run.count;
  return sum;
}

}  // namespace manta::scheduling
