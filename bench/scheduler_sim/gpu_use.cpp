// How much of the GPUs' time is used while there is always more to do.
//
// The bound is a schedule made offline of integral placements. In each of the mixes there are sets of requests that fill
// a device, or a node, exactly (four of 0.25, 0.4 and 0.6, eight whole devices), and the kinds come in such numbers that
// all of their work can be cut into such sets: shares of 0.4 and 0.6 come equally often and last equally long. So no
// bound below 1 holds, and the ratio is against 1. A schedule that knows the durations could come near it; the ledger
// does not know them.
#include <cstdio>
#include <string>

#include "bench/scheduler_sim/cluster.hpp"
#include "bench/scheduler_sim/mixes.hpp"
#include "bench/scheduler_sim/questions.hpp"

namespace scheduler_sim {
namespace {

constexpr double kBound = 1.0;

double UseOf(const Mix& mix, std::uint64_t seed, bool quick) {
  const ClusterSize size{.nodes = quick ? 8 : 32};
  Cluster cluster(size);
  Source source(mix, seed);
  std::vector<manta::scheduling::ClassId> classes;
  for (std::size_t i = 0; i < mix.kinds.size(); ++i)
    classes.push_back(cluster.ledger().Define(ClassOf(mix.kinds[i], i + 1)));
  std::vector<std::int64_t> durations;  // by request
  const auto submit = [&] {
    const Source::Task task = source.Next();
    durations.push_back(task.duration_ns);
    cluster.Request(durations.size() - 1, classes[static_cast<std::size_t>(task.kind)]);
  };
  cluster.SetOnGrant([&](const auto& grant) { return durations[grant.request]; });
  cluster.SetOnEnd([&](std::uint64_t) { submit(); });
  for (int i = 0; i < 40 * size.nodes * size.gpus; ++i) submit();

  const std::int64_t warm_ns = 5'000'000'000, end_ns = warm_ns + (quick ? 10 : 40) * std::int64_t{1'000'000'000};
  double used = 0;
  for (std::int64_t before = 0; cluster.now_ns() < end_ns;) {
    const std::int64_t in_use = cluster.gpus_in_use();
    before = cluster.now_ns();
    if (!cluster.Step()) break;
    if (before >= warm_ns) used += static_cast<double>(in_use) * static_cast<double>(cluster.now_ns() - before);
  }
  const double all = 1e4 * size.nodes * size.gpus * static_cast<double>(cluster.now_ns() - warm_ns);
  return used / all / kBound;
}

}  // namespace

void MeasureGpuUse(bench::Report& report, bool quick) {
  double lowest = 1;
  for (const Mix& mix : GpuMixes()) {
    std::vector<double> uses;
    for (std::uint64_t seed = 1; seed <= (quick ? 1 : 3); ++seed) uses.push_back(UseOf(mix, seed, quick));
    report.Add("gpu_use_ratio_" + mix.name, uses, "ratio");
    lowest = std::min(lowest, bench::Median(uses));
  }
  report.Add("gpu_use_ratio", lowest, "ratio");
}

}  // namespace scheduler_sim
