#pragma once
// A cluster that is simulated: the ledger is the real one, the object files that rank 0 runs; nodes, ranks, tasks and
// the time they take are not there. Ranks answer each ask for CPUs at once with what they have.

#include <cstdint>
#include <functional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "core/scheduling/ledger.hpp"

namespace scheduler_sim {

struct ClusterSize {
  int nodes = 8;
  int cpus = 64, gpus = 8;  // of each node
  int ranks = 8;            // of each node, which share its CPUs and GPUs evenly
};
std::vector<manta::scheduling::NodeSpec> MakeNodes(const ClusterSize& size);

/// One thread.
class Cluster {
 public:
  explicit Cluster(const ClusterSize& size);

  /// Called with each grant; says how long its task runs.
  using OnGrant = std::function<std::int64_t(const manta::scheduling::Grant&)>;
  void SetOnGrant(OnGrant on_grant) { on_grant_ = std::move(on_grant); }
  /// Called with each request whose task has ended.
  using OnEnd = std::function<void(std::uint64_t request)>;
  void SetOnEnd(OnEnd on_end) { on_end_ = std::move(on_end); }

  void Request(std::uint64_t request, manta::scheduling::ClassId kind);
  /// Decides, delivers asks and answers, until nothing more happens.
  void Settle();
  /// The next task ends: time goes on to that. False where none runs.
  bool Step();

  manta::scheduling::Ledger& ledger() { return ledger_; }
  std::int64_t now_ns() const { return now_ns_; }
  std::size_t running() const { return ends_.size(); }
  std::uint64_t grants() const { return grants_; }
  std::int64_t gpus_in_use() const { return gpus_in_use_; }  // in 1/10,000

  /// Seconds within the ledger's calls so far.
  double busy_seconds() const { return busy_seconds_; }
  /// How long the ledger took for each event since this was last called: its call, and the decision after it.
  std::vector<float> TakeMicroseconds() { return std::exchange(microseconds_, {}); }

 private:
  struct End {
    std::int64_t at_ns;
    std::uint64_t lease, request;
    std::int64_t gpus;
    bool operator>(const End& other) const { return at_ns > other.at_ns; }
  };
  template <class Call>
  void Timed(Call call);

  manta::scheduling::Ledger ledger_;
  OnGrant on_grant_;
  OnEnd on_end_;
  std::unordered_map<manta::Rank, std::int64_t> slots_;  // whole CPUs that ranks have
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  manta::scheduling::Ledger::Actions actions_;
  std::int64_t now_ns_ = 1;
  std::uint64_t grants_ = 0;
  std::int64_t gpus_in_use_ = 0;
  double busy_seconds_ = 0;
  std::vector<float> microseconds_;
};

}  // namespace scheduler_sim
