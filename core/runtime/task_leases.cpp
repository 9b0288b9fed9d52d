// What tasks need of rank 0's ledger, and the CPUs that it asks of this rank.
#include <algorithm>

#include "core/runtime/task_plane.hpp"

namespace manta::runtime {

using task::TaskKind;

void TaskPlane::AskForLease(const TaskPtr& task) {
  wire::LeaseRequest request;
  request.shape = task->extra()->shape;
  if (task->is_pinned()) request.rank = task->pinned();
  {
    std::lock_guard lock(lease_mutex_);
    request.request = next_request_++;
    lease_waiting_[request.request] = task;
  }
  parts_.router.Send(Rank(0), request);
}

bool TaskPlane::ForgetLeaseRequest(const TaskPtr& task) {
  std::lock_guard lock(lease_mutex_);
  for (auto it = lease_waiting_.begin(); it != lease_waiting_.end(); ++it)
    if (it->second == task) {
      lease_waiting_.erase(it);  // the lease goes back when it is granted to nobody
      return true;
    }
  return false;
}

void TaskPlane::On(Rank, const wire::LeaseGrant& grant) {
  TaskPtr task;
  {
    std::lock_guard lock(lease_mutex_);
    auto it = lease_waiting_.find(grant.request);
    if (it != lease_waiting_.end()) {
      task = std::move(it->second);
      lease_waiting_.erase(it);
    }
  }
  if (!task || task->cancelled.load(std::memory_order_acquire)) {
    ReturnLease(grant.lease);
    if (task)
      FailTask(task, object::MakeError(object::ErrorKind::kCancelled, "task '" + NameOf(*task) + "' was cancelled"));
    return;
  }
  task->extra()->lease = grant.lease;
  if (task->kind() == TaskKind::kActorCreation) {
    actors_->OwnedActorTaskReady(TaskPtr(task), nullptr);
  } else if (grant.lease.rank == options_.self) {
    Deliver(task);
  } else {
    SendTo(TaskPtr(task), grant.lease.rank);
  }
}

void TaskPlane::ReturnLease(const wire::Lease& lease) {
  if (lease.id != 0) parts_.router.Send(Rank(0), wire::LeaseReturn{lease.id});
}

void TaskPlane::On(Rank, const wire::CedeSlots& message) {
  owed_cpus_.fetch_add(message.cpus, std::memory_order_relaxed);
  // The ledger wants to hear at once, also that nothing is free now.
  if (!CedeWhatIsOwed()) parts_.router.Send(Rank(0), wire::SlotsCeded{0});
}

bool TaskPlane::CedeWhatIsOwed() {
  bool ceded_any = false;
  for (;;) {
    std::int64_t owed = owed_cpus_.load(std::memory_order_relaxed);
    if (owed <= 0) return ceded_any;
    const Amount ceded = parts_.slots.CedeWhole(Amount::FromUnits(owed));
    if (ceded.IsZero()) return ceded_any;
    // Two threads may both have taken for the same debt: what is too much goes back.
    owed = owed_cpus_.fetch_sub(ceded.units(), std::memory_order_relaxed);
    const std::int64_t due = std::clamp<std::int64_t>(owed, 0, ceded.units());
    if (due < ceded.units()) {
      owed_cpus_.fetch_add(ceded.units() - due, std::memory_order_relaxed);
      parts_.slots.GiveBack(Amount::FromUnits(ceded.units() - due));
    }
    if (due > 0) {
      own_slots_.fetch_sub(due, std::memory_order_relaxed);
      parts_.router.Send(Rank(0), wire::SlotsCeded{due});
      SlotsChanged();
      ceded_any = true;
    }
  }
}

void TaskPlane::SlotWasReturned() {
  if (owed_cpus_.load(std::memory_order_relaxed) > 0) CedeWhatIsOwed();
  if (!parts_.queue.empty()) parts_.executors.WakeOne();
}

void TaskPlane::On(Rank, const wire::SlotsReturned& message) {
  own_slots_.fetch_add(message.cpus, std::memory_order_relaxed);
  parts_.slots.GiveBack(Amount::FromUnits(message.cpus));
  SlotsChanged();
  SlotWasReturned();
}

}  // namespace manta::runtime
