// One-CPU tasks under scheduler=central: rank 0 says where each one runs, and whoever runs them tells it when there is
// room for more (docs/protocol.md, "Places").
#include <algorithm>
#include <unordered_map>

#include "core/node/doorbell.hpp"
#include "core/runtime/task_plane.hpp"

namespace manta::runtime {

using task::TaskKind;

bool TaskPlane::HasPlace(const TaskRecord& record) const {
  return options_.central && record.one_cpu && record.kind() == TaskKind::kTask;
}

// ---- at the owner ----
void TaskPlane::AskForPlace(TaskPtr task, bool again) {
  task->credit_returned = false;
  const ObjectState* const object = task->result_object();
  if (const auto request = placeless_.Add(std::move(task), again)) parts_.router.Send(Rank(0), *request);
  node::FullFence();  // after its phase: see InPlaceWaits
  in_place_waits_.Tell(object);
}

void TaskPlane::On(Rank, const wire::PlaceGrant& grant) {
  if (grant.heard != 0)
    if (const auto request = placeless_.Heard()) parts_.router.Send(Rank(0), *request);
  for (const wire::PlacedRun& run : grant.runs) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      TaskPtr task = placeless_.Take(run.bound);
      if (!task) {  // cancelled since they asked
        ReturnPlaces(run.to, run.count - i);
        break;
      }
      if (run.to == options_.self)
        Deliver(task);
      else
        SendTo(std::move(task), run.to);
    }
  }
}

void TaskPlane::ReturnPlaces(Rank at, std::uint32_t count) {
  wire::PlacesBack back;
  back.at = at;
  back.of.emplace_back(options_.self, count);
  parts_.router.Send(Rank(0), back);
}

// ---- where they run ----
void TaskPlane::PlaceEnded(const TaskRecord& record) {
  if (!HasPlace(record) || record.credit_returned) return;
  if (ended_places_.Add(record.owned() ? options_.self : record.owner())) TellPlaces(0);
}

void TaskPlane::TellPlaces(std::uint8_t answers) {
  // What is sent last must be what was true last: one that says "no CPUs" must not come behind one that says otherwise.
  std::lock_guard lock(tell_mutex_);
  wire::PlacesBack message;
  message.at = options_.self;
  message.of = ended_places_.Take();
  message.offers = 1;
  const std::int64_t cpus = std::max<std::int64_t>(0, own_slots_.load(std::memory_order_relaxed)) / Amount::kUnitsPerOne;
  // Each executor runs one at a time.
  message.cpus = static_cast<std::uint32_t>(std::min(cpus, static_cast<std::int64_t>(parts_.executors.size())));
  message.window = WorkAhead(message.cpus);
  // There was nothing to give, but by now there is.
  message.answers = answers == 1 && !says_next_.load(std::memory_order_seq_cst) ? 2 : answers;
  ended_places_.SetWindow(message.window);
  told_at_ns_.store(base::NowNanoseconds(), std::memory_order_relaxed);
  parts_.router.Send(Rank(0), message);
}

void TaskPlane::SlotsChanged() {
  if (!options_.central) return;
  // With no CPU left here, tasks that may run elsewhere must not wait for one. They may come still: who pushes one
  // looks at the slots after that.
  node::FullFence();
  if (!HasOwnSlot())
    while (parts_.queue.AnyMovable()) GivePlacesBack(parts_.queue.size());
  TellPlaces(0);
}

void TaskPlane::On(Rank, const wire::PlacesRecall&) {
  // Tasks that rank 0 counts here may be on their way from their owners, and come to lie behind long ones after all:
  // then it hears of the next that comes and does not begin. The flag is up before the look, so that who pushes one
  // after the look sees it.
  says_next_.store(true);
  if (!GivePlacesBack(WorkAhead(1))) TellPlaces(1);
}

void TaskPlane::TaskLiesBehind() {
  if (says_next_.load(std::memory_order_relaxed) && says_next_.exchange(false)) TellPlaces(2);
}

bool TaskPlane::ClaimPast(TaskRecord& task) {
  // They begin in the order of their places, but for who waits in an OpenMP region and keeps its CPU meanwhile.
  if (worker::FiberThread::CurrentToPark() != nullptr) return false;
  if (task.Claim()) return true;
  if (!task.Claim(task::Phase::kPlaceless)) return false;
  task.credit_returned = true;  // the place that it asked for goes to the next
  return true;
}

InPlaceWaits* TaskPlane::WaitsInPlace() {
  return options_.central && worker::FiberThread::CurrentToPark() == nullptr && ExecutorInPlace() ? &in_place_waits_
                                                                                                  : nullptr;
}

bool TaskPlane::MayRunInPlace(std::span<ObjectState* const> objects) {
  return std::ranges::any_of(objects, [this](ObjectState* object) {
    const TaskPtr task = ProducerOf(*object);
    if (!task || !IsForThisRank(*task)) return false;
    const task::Phase phase = task->phase.load(std::memory_order_acquire);
    return phase == task::Phase::kQueued || phase == task::Phase::kPlaceless;
  });
}

void TaskPlane::TickPlaces() {
  // A task for which an executor was woken lies behind another all the same: one that went on after a wait, say.
  if (parts_.queue.AnyMovable()) TaskLiesBehind();
  if (ended_places_.any_taken_again()) TellPlaces(0);
}

void TaskPlane::RunningTaskGoesOn() {
  if (!options_.central) return;
  bool took_place = false;
  for (RunContext* run = RunContext::Current(); run != nullptr; run = run->outer) {
    TaskRecord& task = *run->task;
    if (!HasPlace(task) || !task.credit_returned) continue;
    task.credit_returned = false;
    ended_places_.TakenAgain(task.owned() ? options_.self : task.owner());
    took_place = true;
  }
  if (!took_place) return;
  // Most end or wait again before the next tick, and then rank 0 never hears of it.
  node::FullFence();  // it is put down before the look at who watches
  parts_.progress.EnsureWatch();
}

/// At most half of what waits here, and no more than `count`; the owners ask for other places. Whether there were any.
bool TaskPlane::GivePlacesBack(std::size_t count) {
  std::vector<TaskPtr> tasks = parts_.queue.TakeForOthers(count);
  if (tasks.empty()) return false;
  says_next_.store(false);
  for (const TaskPtr& task : tasks) PlaceEnded(*task);
  TellPlaces(2);  // before they ask, so that rank 0 counts them no longer
  std::unordered_map<Rank, wire::HandBack> others;
  for (TaskPtr& task : tasks) {
    if (task->owned()) {
      AskForPlace(std::move(task), true);
    } else {
      const ObjectId id = task->result();
      task->phase.store(task::Phase::kDone, std::memory_order_release);  // this record: it may come back as another
      foreign_.Remove(task, id);
      others[id.owner].results.push_back(id);
    }
  }
  for (const auto& [owner, message] : others) parts_.router.Send(owner, message);
  return true;
}

}  // namespace manta::runtime
