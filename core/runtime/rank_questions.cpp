// What users ask of the whole job: counts, free resources, and whether all tasks have ended.
#include <algorithm>
#include <iterator>
#include <thread>
#include <utility>

#include "core/runtime/rank_runtime.hpp"
#include "core/runtime/wait_note.hpp"

namespace manta::runtime {

std::vector<std::uint64_t> RankRuntime::StatsOf() const {
  auto value = [](const Counter& counter) { return counter.Sum(); };
  TransportCounters sent;
  for (const Transport* transport : parts_.transports) {
    const TransportCounters one = transport->counters();
    sent.messages_sent += one.messages_sent;
    sent.bytes_sent += one.bytes_sent;
    sent.wakeups_sent += one.wakeups_sent;
  }
  const std::int64_t used = tasks_->slot_units() - slots_->FreeOf(info_.my_index).units();
  return {value(counters_.tasks_submitted),
          value(counters_.tasks_executed),
          value(counters_.tasks_failed),
          value(counters_.tasks_cancelled),
          value(counters_.tasks_retried),
          value(counters_.tasks_scheduled_by_rank0),
          value(counters_.actor_calls),
          value(counters_.actors_created),
          value(counters_.puts),
          value(counters_.bytes_copied_put),
          value(counters_.bytes_copied_get),
          value(counters_.bytes_fetched_messages),
          value(counters_.bytes_fetched_rma),
          objects_->alive(),
          parts_.store->UsedBytes(),
          sent.messages_sent,
          sent.bytes_sent,
          sent.wakeups_sent + progress_->wakeups(),
          executors_->parks(),
          value(counters_.scheduler_messages),
          value(counters_.bytes_spilled),
          value(counters_.bytes_restored),
          parts_.store->Pins(),
          tasks_->pending(),
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, used))};
}

void RankRuntime::On(Rank from, const wire::StatsQuery& message) {
  router_->Send(from, wire::StatsReply{message.token, StatsOf()});
}

void RankRuntime::On(Rank from, const wire::AvailableQuery& message) {
  wire::AvailableReply reply{message.token, {}};
  for (const auto& [name, amount] : ledger_->Available()) reply.amounts.emplace_back(name, amount);
  router_->Send(from, reply);
}

std::vector<std::vector<std::uint64_t>> RankRuntime::StatsOfAll() {
  std::vector<std::vector<std::uint64_t>> all;
  for (int rank = 0; rank < info_.ranks; ++rank)
    all.push_back(
        stats_queries_->Ask([&](std::uint64_t token) { router_->Send(Rank(rank), wire::StatsQuery{token}); }));
  return all;
}

StatsSnapshot RankRuntime::Stats() {
  StatsSnapshot sum;
  std::uint64_t* const fields[] = {&sum.tasks_submitted,   &sum.tasks_executed,   &sum.tasks_failed,
                                   &sum.tasks_cancelled,   &sum.tasks_retried,    &sum.tasks_scheduled_by_rank0,
                                   &sum.actor_calls,       &sum.actors_created,   &sum.puts,
                                   &sum.bytes_copied_put,  &sum.bytes_copied_get, &sum.bytes_fetched_messages,
                                   &sum.bytes_fetched_rma, &sum.objects_alive,    &sum.store_bytes_used,
                                   &sum.messages_sent,     &sum.bytes_sent,       &sum.wakeups,
                                   &sum.fibers_parked,     &sum.scheduler_messages, &sum.bytes_spilled,
                                   &sum.bytes_restored,    &sum.store_pins};
  const std::pair<std::uint64_t*, std::vector<std::uint64_t>*> by_rank[] = {
      {&sum.tasks_executed, &sum.tasks_executed_by_rank},
      {&sum.objects_alive, &sum.objects_alive_by_rank},
      {&sum.store_bytes_used, &sum.store_bytes_used_by_rank},
      {&sum.store_pins, &sum.store_pins_by_rank}};
  for (const auto& values : StatsOfAll())
    for (std::size_t i = 0; i < std::size(fields); ++i) {
      *fields[i] += values.at(i);
      for (const auto& [field, list] : by_rank)
        if (field == fields[i]) list->push_back(values[i]);
    }
  return sum;
}

ResourceMap RankRuntime::AvailableResources() {
  ResourceMap result;
  for (const auto& [name, amount] :
       available_queries_->Ask([&](std::uint64_t token) { router_->Send(Rank(0), wire::AvailableQuery{token}); }))
    result[name] = amount;
  // The ledger does not see one-CPU tasks: each runs on a slot of its rank.
  double used = 0;
  for (const auto& values : StatsOfAll()) used += Amount::FromUnits(static_cast<std::int64_t>(values.back())).value();
  result["CPU"] = std::max(0.0, result["CPU"] - used);
  return result;
}

void RankRuntime::Drain() {
  MANTA_EXPECT(RunContext::Current() == nullptr,
               "Drain was called from a task, which would wait for itself; call it from the driver");
  const WaitNote note("all tasks to end (Drain)");
  // Done when two rounds in a row find nothing pending and nothing new (Mattern's four counters, 1987).
  std::uint64_t before = ~0ull;
  for (;;) {
    std::uint64_t pending = 0, submitted = 0;
    for (const auto& values : StatsOfAll()) {
      submitted += values[0];
      pending += values[values.size() - 2];
    }
    if (pending == 0 && submitted == before) return;
    before = pending == 0 ? submitted : ~0ull;
    if (pending != 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace manta::runtime
