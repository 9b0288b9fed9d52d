// How tasks that wait find ranks that are idle: backlog and hunger are told to rank 0, which brings the two together;
// the rest is between them (docs/protocol.md, "Work between ranks").
#include <algorithm>

#include "core/base/clock.hpp"
#include "core/runtime/task_plane.hpp"

namespace manta::runtime {

// ---- who has too much ----
void TaskPlane::SayBacklog() {
  if (!said_backlog_.exchange(true, std::memory_order_seq_cst)) parts_.router.Send(Rank(0), wire::Backlog{1});
}

void TaskPlane::TellOfBacklog() {
  if (askers_.any()) CallToAskers();
  else SayBacklog();
}

bool TaskPlane::Tick() {
  if (options_.central) {
    TickPlaces();
    return false;
  }
  if (options_.ranks == 1) return false;
  if (parts_.queue.AnyMovable()) TellOfBacklog();
  else if (askers_.AnyIsLate(base::NowNanoseconds())) CallToAskers();
  return askers_.any();
}

void TaskPlane::Housekeeping() {
  // A gap in a row of submissions is no news.
  dry_looks_ = askers_.any() || parts_.queue.AnyMovable() ? 0 : dry_looks_ + 1;
  if (dry_looks_ >= kDryLooks) TakeBacklogBack();
}

void TaskPlane::TakeBacklogBack() {
  if (!said_backlog_.load(std::memory_order_relaxed) || !said_backlog_.exchange(false, std::memory_order_seq_cst))
    return;
  parts_.router.Send(Rank(0), wire::Backlog{0});
  // What was pushed since the look found the flag still set and said nothing.
  if (parts_.queue.AnyMovable()) SayBacklog();
}

// ---- who has too little ----
std::uint32_t TaskPlane::WorkAhead(std::uint32_t cpus) const {
  // Enough for 200 µs: the time in which an answer surely comes, and little to lose where one of them turns out to be
  // long.
  const std::int64_t mean = mean_run_ns_.load(std::memory_order_relaxed);
  if (mean <= 0) return cpus;
  const std::int64_t ahead = kAheadNs * std::int64_t{cpus} / mean;
  return std::max(cpus, static_cast<std::uint32_t>(std::min<std::int64_t>(ahead, 256)));
}
std::uint32_t TaskPlane::Want() const { return WorkAhead(static_cast<std::uint32_t>(parts_.executors.size())); }

void TaskPlane::AskForWork() {
  if (options_.ranks == 1 || options_.central || asked_for_work_.load(std::memory_order_seq_cst) ||
      asked_for_work_.exchange(true, std::memory_order_acq_rel))
    return;
  const int supplier = supplier_.load(std::memory_order_relaxed);
  if (supplier >= 0)
    parts_.router.Send(Rank(supplier), wire::WorkRequest{Want()});
  else
    parts_.router.Send(Rank(0), wire::Hungry{});
}

void TaskPlane::ExecutorIsIdle() {
  if (options_.central && ended_places_.any()) TellPlaces(0);
  if (parts_.queue.empty()) AskForWork();
}

/// Sends `to` some of what waits here and may move. Whether there was any.
bool TaskPlane::Supply(Rank to, std::uint32_t want) {
  std::vector<TaskPtr> tasks = parts_.queue.TakeForOthers(want);
  std::unordered_map<Rank, wire::HandBack> others;
  for (TaskPtr& task : tasks) {
    if (task->owned()) {
      SendTo(std::move(task), to);
    } else {
      // Only its owner sends a task on: it must know where it is.
      const ObjectId id = task->result();
      foreign_.Remove(task, id);
      others[id.owner].results.push_back(id);
      others[id.owner].for_rank = to;
    }
  }
  for (auto& [owner, message_back] : others) parts_.router.Send(owner, message_back);
  return !tasks.empty();
}

void TaskPlane::On(Rank from, const wire::WorkRequest& message) {
  if (Supply(from, message.want)) return;
  askers_.Keep({from, message.want, base::NowNanoseconds()});
  parts_.progress.EnsureWatch();  // its ticks see to it that no asker waits too long
}

// ---- who asked when there was nothing ----
void TaskPlane::CallToAskers() {
  if (askers_.Call()) parts_.router.Send(options_.self, wire::AnswerAskers{});
}

void TaskPlane::On(Rank, const wire::AnswerAskers&) {
  const std::int64_t now = base::NowNanoseconds();
  for (const WaitingAskers::Asker& asker : askers_.Take()) {
    if (Supply(asker.rank, asker.want)) continue;
    if (now - asker.since_ns < WaitingAskers::kPatienceNs) {
      askers_.Keep(asker);
      continue;
    }
    TakeBacklogBack();  // first, so that rank 0 does not send it here again
    parts_.router.Send(asker.rank, wire::NoWork{});
  }
}

void TaskPlane::On(Rank from, const wire::NoWork&) {
  if (supplier_.load(std::memory_order_relaxed) == from.value) supplier_.store(-1, std::memory_order_relaxed);
  asked_for_work_.store(false, std::memory_order_release);
  if (parts_.executors.AnyIdle() && parts_.queue.empty()) AskForWork();
}

void TaskPlane::On(Rank from, const wire::HandBack& message) {
  if (message.for_rank == options_.self) supplier_.store(from.value, std::memory_order_relaxed);
  for (const ObjectId& id : message.results) {
    const Handle held = parts_.objects.FindOwned(id);
    TaskPtr task = held ? ProducerOf(*object::StateOf(held)) : TaskPtr();
    if (!task) continue;
    if (HasPlace(*task)) {
      AskForPlace(std::move(task), true);
      continue;
    }
    if (message.for_rank == options_.self) {
      asked_for_work_.store(false, std::memory_order_release);
      Enqueue(std::move(task));
    } else {
      SendTo(std::move(task), message.for_rank);
    }
  }
}

void TaskPlane::On(Rank, const wire::WorkHint& message) {
  // The question is over before the look: an executor that becomes idle after it asks anew.
  asked_for_work_.store(false, std::memory_order_seq_cst);
  if (!parts_.executors.AnyIdle() || !parts_.queue.empty()) return;
  if (!asked_for_work_.exchange(true, std::memory_order_acq_rel))
    parts_.router.Send(message.supplier, wire::WorkRequest{Want()});
}

}  // namespace manta::runtime
