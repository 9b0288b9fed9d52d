#pragma once
// Rank 0's ledger, placer and matchmaker behind their messages.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "core/runtime/counters.hpp"
#include "core/runtime/router.hpp"
#include "core/scheduling/ledger.hpp"
#include "core/scheduling/matchmaker.hpp"
#include "core/scheduling/placer.hpp"
#include "core/wire/place_messages.hpp"

namespace manta::runtime {

/// Any thread; messages come under the token.
class LedgerService {
 public:
  LedgerService(std::vector<scheduling::NodeSpec> nodes, Router& router, Counters& counters)
      : ledger_(nodes), placer_(nodes), router_(router), counters_(counters) {}

  void On(Rank from, const wire::LeaseRequest& message) {
    Counters::Add(counters_.tasks_scheduled_by_rank0);
    Change([&] { ledger_.Request(from, message.request, message.shape, message.rank); });
  }
  void On(Rank, const wire::LeaseReturn& message) {
    Change([&] { ledger_.Return(message.lease); });
  }
  void On(Rank, const wire::LeaseSuspend& message) {
    Change([&] { ledger_.Suspend(message.lease); });
  }
  void On(Rank, const wire::LeaseResume& message) {
    Change([&] { ledger_.Resume(message.lease); });
  }
  void On(Rank from, const wire::SlotsCeded& message) {
    Change([&] { ledger_.Ceded(from, Amount::FromUnits(message.cpus)); });
  }
  void On(Rank from, const wire::PlaceRequest& message) {
    std::uint64_t count = 0;
    for (const wire::PlaceRun& run : message.runs) count += run.count;
    Counters::Add(counters_.tasks_scheduled_by_rank0, count - message.again);
    Place(from, [&] {
      for (const wire::PlaceRun& run : message.runs) placer_.Request(from, run.bound, run.count);
    });
  }
  void On(Rank, const wire::PlacesBack& message) {
    Place(Rank(), [&] {
      for (const auto& [owner, count] : message.of) placer_.Ended(message.at, owner, count);
      if (message.offers != 0) placer_.Offer(message.at, message.cpus, message.window);
      if (message.answers != 0) placer_.Recalled(message.at, message.answers == 2);
    });
  }
  void On(Rank from, const wire::Hungry&) {
    Match([&] { matchmaker_.Hungry(from); });
  }
  void On(Rank from, const wire::Backlog& message) {
    Match([&] { matchmaker_.Backlog(from, message.has != 0); });
  }

  std::map<std::string, double> Available() const {
    std::lock_guard lock(mutex_);
    return ledger_.Available();
  }
  std::optional<wire::Shape> HeldBy(std::uint64_t lease) const {
    std::lock_guard lock(mutex_);
    return ledger_.HeldBy(lease);
  }
  std::vector<std::string> WhyWaiting() const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> lines = ledger_.WhyWaiting();
    if (const std::uint64_t count = placer_.waiting(); count != 0)
      lines.push_back(std::to_string(count) + (count == 1 ? " one-CPU task waits" : " one-CPU tasks wait") +
                      " until a rank has room for more");
    return lines;
  }

 private:
  template <class Act>
  void Change(Act act) {
    Counters::Add(counters_.scheduler_messages);
    scheduling::Ledger::Actions actions;
    {
      std::lock_guard lock(mutex_);
      act();
      actions = ledger_.Decide();
    }
    for (const auto& grant : actions.grants)
      router_.Send(grant.requester, wire::LeaseGrant{grant.request, grant.lease});
    for (const auto& cede : actions.cedes) router_.Send(cede.rank, wire::CedeSlots{cede.cpus.units()});
    for (const auto& give : actions.gives) router_.Send(give.rank, wire::SlotsReturned{give.cpus.units()});
  }
  /// `asker`: whose request this is.
  template <class Act>
  void Place(Rank asker, Act act) {
    Counters::Add(counters_.scheduler_messages);
    scheduling::Placer::Actions actions;
    {
      std::lock_guard lock(mutex_);
      act();
      actions = placer_.Decide();
    }
    std::map<Rank, wire::PlaceGrant> grants;
    if (asker.valid()) grants[asker].heard = 1;
    for (const auto& one : actions.placements) grants[one.owner].runs.push_back({one.bound, one.to, one.count});
    for (const auto& [owner, grant] : grants) router_.Send(owner, grant);
    for (const Rank rank : actions.recalls) router_.Send(rank, wire::PlacesRecall{});
  }
  template <class Act>
  void Match(Act act) {
    Counters::Add(counters_.scheduler_messages);
    std::vector<scheduling::Hint> hints;
    {
      std::lock_guard lock(mutex_);
      act();
      hints = matchmaker_.Decide();
    }
    for (const auto& hint : hints) router_.Send(hint.hungry, wire::WorkHint{hint.supplier});
  }
  mutable std::mutex mutex_;
  scheduling::Ledger ledger_;          // guarded by mutex_
  scheduling::Placer placer_;          // guarded by mutex_
  scheduling::Matchmaker matchmaker_;  // guarded by mutex_
  Router& router_;
  Counters& counters_;
};

}  // namespace manta::runtime
