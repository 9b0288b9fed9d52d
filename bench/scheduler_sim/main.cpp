// scheduler_sim [--quick] [rates [RANKS...]] [groups] [gpu_use]: the ledger of rank 0 against simulated clusters of nodes with 64
// CPUs, 8 GPUs and 8 ranks each. A simulation: nothing runs, time jumps from one event to the next; what is measured
// are the ledger's decisions and the time that it takes for them. No MPI.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "bench/scheduler_sim/questions.hpp"

int main(int argc, char** argv) {
  bool quick = false;
  std::vector<int> ranks;
  std::set<std::string> wanted;
  const std::set<std::string> known{"rates", "groups", "gpu_use"};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      quick = true;
    } else if (known.contains(word)) {
      wanted.insert(word);
    } else if (const int number = std::atoi(argv[i]); number >= 8 && number % 8 == 0) {
      ranks.push_back(number);
    } else {
      std::fprintf(stderr, "scheduler_sim: '%s' is neither --quick, nor one of rates, groups, gpu_use, nor a number of ranks (a multiple of 8)\n", argv[i]);
      return 2;
    }
  }
  if (wanted.empty()) wanted = known;
  if (ranks.empty()) ranks = {64, 4096, 65536};
  bench::Report report({
      {"decisions_per_s_4096", false, 500e3, 2e6},
      {"decisions_per_s_65536", false, 250e3, 2e6},
      {"p99_us_4096", true, 20, 20},
      {"gpu_use_ratio", false, 0.95, 0.95},
      {"pg_decisions_per_s", false, 100e3, 100e3},
  });
  if (wanted.contains("rates")) scheduler_sim::MeasureRates(report, ranks, quick);
  if (wanted.contains("groups")) scheduler_sim::MeasureGroups(report, quick);
  if (wanted.contains("gpu_use")) scheduler_sim::MeasureGpuUse(report, quick);
  return report.wrong() == 0 ? 0 : 1;
}
