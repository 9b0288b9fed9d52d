#pragma once
// Rank 0's ledger and matchmaker behind their messages.

#include <mutex>

#include "core/runtime/counters.hpp"
#include "core/runtime/router.hpp"
#include "core/scheduling/ledger.hpp"
#include "core/scheduling/matchmaker.hpp"

namespace manta::runtime {

/// Any thread; messages come under the token.
class LedgerService {
 public:
  LedgerService(std::vector<scheduling::NodeSpec> nodes, Router& router, Counters& counters)
      : ledger_(std::move(nodes)), router_(router), counters_(counters) {}

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
    return ledger_.WhyWaiting();
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
  scheduling::Matchmaker matchmaker_;  // guarded by mutex_
  Router& router_;
  Counters& counters_;
};

}  // namespace manta::runtime
