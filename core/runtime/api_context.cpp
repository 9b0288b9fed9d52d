// The public functions that say where the caller is and what the job has.
#include <manta/manta.hpp>

#include "core/base/check.hpp"
#include "core/runtime/invocation.hpp"
#include "core/runtime/rank_runtime.hpp"

namespace manta {

using runtime::RankRuntime;
using runtime::RunContext;

void ExitActor() {
  RunContext* run = RunContext::Current();
  MANTA_EXPECT(run != nullptr && run->actor != nullptr && run->task->kind() == wire::TaskKind::kActorCall,
               "ExitActor was called outside of an actor's method; from elsewhere use handle.Kill()");
  throw runtime::ExitActorSignal{};
}

bool WasCurrentActorRestarted() {
  RunContext* run = RunContext::Current();
  MANTA_EXPECT(run != nullptr && run->actor != nullptr,
               "WasCurrentActorRestarted was called outside of an actor's method");
  return run->actor->incarnation > 0;
}

// ---- context ----
TaskContext Context() { return {}; }
bool TaskContext::IsCancelled() const {
  for (RunContext* run = RunContext::Current(); run != nullptr; run = run->outer)
    if (run->task->cancelled.load(std::memory_order_acquire)) return true;
  return false;
}
std::uint64_t TaskContext::Seed() const {
  const task::Submitter& submitter = runtime::CurrentSubmitter();
  return base::MixHash(submitter.seed, 0x5eed, 7);
}
std::string TaskContext::TaskName() const {
  RunContext* run = RunContext::Current();
  return run == nullptr ? "" : runtime::TaskPlane::NameOf(*run->task);
}
int TaskContext::Rank() const { return RankRuntime::Require().info().self.value; }
int TaskContext::Node() const {
  const auto& info = RankRuntime::Require().info();
  return info.node_of[static_cast<std::size_t>(info.self.value)].value;
}
int TaskContext::Attempt() const {
  RunContext* run = RunContext::Current();
  return run == nullptr ? 0 : static_cast<int>(run->task->attempt);
}
double TaskContext::Cpus() const {
  RunContext* run = RunContext::Current();
  if (run == nullptr) return 0;
  if (run->actor != nullptr)
    return run->actor->lease_id() == 0 ? 0 : Amount::FromUnits(run->actor->rare->lease.cpus).value();
  return run->task->lease_id() != 0 ? Amount::FromUnits(run->task->extra()->lease.cpus).value()
                                    : run->task->cpus().value();
}
std::vector<AssignedGpu> TaskContext::AssignedGpus() const {
  RunContext* run = RunContext::Current();
  if (run == nullptr) return {};
  return RankRuntime::Require().GpusOf(
      run->actor != nullptr ? (run->actor->rare ? run->actor->rare->lease : wire::Lease())
                            : (run->task->lease_id() != 0 ? run->task->extra()->lease : wire::Lease()));
}
bool TaskContext::InTask() const { return RunContext::Current() != nullptr; }
std::string TaskContext::ActorName() const {
  RunContext* run = RunContext::Current();
  return run == nullptr || run->actor == nullptr ? "" : run->actor->name();
}

// ---- the job ----
void Drain() { RankRuntime::Require().Drain(); }
StatsSnapshot Stats() { return RankRuntime::Require().Stats(); }
std::vector<NodeInfo> Nodes() { return RankRuntime::Require().info().nodes; }
ResourceMap ClusterResources() {
  ResourceMap sum;
  for (const NodeInfo& node : Nodes())
    for (const auto& [name, amount] : node.resources) sum[name] += amount;
  return sum;
}
ResourceMap AvailableResources() { return RankRuntime::Require().AvailableResources(); }
int NumRanks() { return RankRuntime::Require().info().ranks; }
int ThisRank() { return RankRuntime::Require().info().self.value; }

}  // namespace manta
