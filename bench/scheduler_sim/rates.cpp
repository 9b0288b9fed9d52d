// How fast the ledger decides, and how much memory it takes.
#include <malloc.h>

#include <random>
#include <string>

#include "bench/scheduler_sim/cluster.hpp"
#include "bench/scheduler_sim/mixes.hpp"
#include "bench/scheduler_sim/questions.hpp"

namespace scheduler_sim {
namespace {

std::size_t HeapBytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// A job in a steady state: each task that ends is followed by a new request.
class Job {
 public:
  explicit Job(int ranks) : cluster_({.nodes = ranks / 8}), source_(RateMix(), 7) {
    std::uint64_t function = 1;
    for (const Kind& kind : RateMix().kinds) classes_.push_back(cluster_.ledger().Define(ClassOf(kind, function++)));
    cluster_.SetOnGrant([this](const auto& grant) { return durations_[grant.request % durations_.size()]; });
    cluster_.SetOnEnd([this](std::uint64_t) { Submit(); });
    durations_.resize(1 << 20);
  }
  void Submit() {
    const Source::Task task = source_.Next();
    durations_[next_ % durations_.size()] = task.duration_ns;
    cluster_.Request(next_++, classes_[static_cast<std::size_t>(task.kind)]);
  }
  Cluster& cluster() { return cluster_; }

 private:
  Cluster cluster_;
  Source source_;
  std::vector<manta::scheduling::ClassId> classes_;
  std::vector<std::int64_t> durations_;
  std::uint64_t next_ = 0;
};

/// Decisions per second of the ledger's time over `steps` ends and new requests.
double Rate(Cluster& cluster, int steps) {
  const double busy = cluster.busy_seconds();
  const std::uint64_t grants = cluster.grants();
  for (int i = 0; i < steps; ++i) cluster.Step();
  return static_cast<double>(cluster.grants() - grants) / (cluster.busy_seconds() - busy);
}

}  // namespace

void MeasureRates(bench::Report& report, const std::vector<int>& all_ranks, bool quick) {
  for (const int ranks : all_ranks) {
    const int gpus = ranks;
    const int steps = quick ? 2000 : std::max(40'000, 2 * gpus);
    std::vector<double> rates, p99s;
    // Below its capacity, where nearly all requests find room at once, then with three times as much waiting.
    for (const bool light : {true, false}) {
      Job job(ranks);
      while (job.cluster().gpus_in_use() < gpus * 8000 && job.cluster().ledger().waiting() < 100) job.Submit();
      if (!light)
        for (int i = 0; i < 3 * gpus; ++i) job.Submit();
      Rate(job.cluster(), steps);
      for (int block = 0; block < 5; ++block) {
        job.cluster().TakeMicroseconds();
        rates.push_back(Rate(job.cluster(), steps));
        const std::vector<float> each = job.cluster().TakeMicroseconds();
        p99s.push_back(bench::Quantile(std::vector<double>(each.begin(), each.end()), 0.99));
      }
      report.Add("decisions_per_s_" + std::to_string(ranks) + (light ? "_light" : "_full"),
                 std::vector<double>(rates.end() - 5, rates.end()), "1/s");
    }
    report.Add("decisions_per_s_" + std::to_string(ranks), rates, "1/s");
    report.Add("p99_us_" + std::to_string(ranks), p99s, "us");
  }
  {
    const std::size_t before = HeapBytes();
    const int ranks = 65536;
    Cluster cluster({.nodes = ranks / 8});
    const auto with_specs = static_cast<double>(HeapBytes() - before);
    report.Add("bytes_per_rank", with_specs / ranks, "bytes");
    // What fits nowhere now waits.
    const auto kind = cluster.ledger().Define(ClassOf({.cpus = 1, .gpus = 8}, 1));
    cluster.SetOnGrant([](const auto&) { return std::int64_t{1'000'000'000}; });
    for (int i = 0; i < ranks / 8; ++i) cluster.Request(static_cast<std::uint64_t>(i), kind);
    cluster.TakeMicroseconds();
    const std::size_t full = HeapBytes();
    const int pending = 100'000;
    for (int i = 0; i < pending; ++i) cluster.ledger().Request(manta::Rank(0), 1'000'000 + static_cast<std::uint64_t>(i), kind);
    report.Add("bytes_per_pending", static_cast<double>(HeapBytes() - full) / pending, "bytes");
  }
}

void MeasureGroups(bench::Report& report, bool quick) {
  using manta::wire::GroupStrategy;
  const int ranks = 4096;
  Cluster cluster({.nodes = ranks / 8});
  auto& ledger = cluster.ledger();
  std::mt19937 random(3);
  std::vector<double> rates;
  std::uint64_t next = 1;
  for (int block = 0; block < 5; ++block) {
    const int groups = quick ? 200 : 10'000;
    int ready = 0;
    double spent = 0;
    std::vector<std::uint64_t> alive;
    for (int i = 0; i < groups; ++i) {
      const auto strategy = static_cast<GroupStrategy>(random() % 4);
      std::vector<manta::wire::Shape> bundles(2 + random() % 3);
      for (auto& bundle : bundles) {
        bundle.cpus = manta::Amount::Whole(1 + static_cast<std::int64_t>(random() % 4)).units();
        if (random() % 2 == 0) bundle.gpus = manta::Amount::Whole(1).units();
      }
      const double start = bench::Now();
      ledger.CreateGroup(manta::Rank(0), next, "", bundles, strategy);
      auto actions = ledger.Decide();
      while (!actions.cedes.empty()) {
        ready += static_cast<int>(actions.ready_groups.size());
        for (const auto& cede : actions.cedes) ledger.Ceded(cede.rank, cede.cpus);
        actions = ledger.Decide();
      }
      ready += static_cast<int>(actions.ready_groups.size());
      alive.push_back(next++);
      // Half of the cluster is held at any time.
      if (alive.size() > 300) {
        const std::size_t which = random() % alive.size();
        ledger.RemoveGroup(alive[which]);
        alive[which] = alive.back();
        alive.pop_back();
        ledger.Decide();
      }
      spent += bench::Now() - start;
    }
    if (ready != groups) report.Wrong("of " + std::to_string(groups) + " groups " + std::to_string(ready) + " were ready");
    rates.push_back(groups / spent);
    for (const std::uint64_t group : alive) ledger.RemoveGroup(group);
    ledger.Decide();
  }
  report.Add("pg_decisions_per_s", rates, "1/s");
}

}  // namespace scheduler_sim
