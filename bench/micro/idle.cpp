// Rows of ranks that have nothing to do, and of more ranks than cores.

#include <manta/manta.hpp>

#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "bench/micro/micro.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

class Callee {
 public:
  int Call() { return ++calls_; }

 private:
  int calls_ = 0;
};

void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// Of this process: whether its burning goes on, and how many chains of it there are.
std::atomic<bool> g_burn{false};
std::atomic<int> g_chains{0};
std::atomic<std::uint64_t> g_burnt{0};  // tasks of 1 ms that are done

double ThreadCpu() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// A millisecond of CPU time; then the next such task of this rank, until it is told to stop.
void Burn() {
  const double end = ThreadCpu() + 0.001;
  while (ThreadCpu() < end) {
  }
  g_burnt.fetch_add(1, std::memory_order_relaxed);
  if (g_burn.load(std::memory_order_relaxed))
    (void)manta::Task(Burn).SetRank(manta::ThisRank()).Remote();
  else
    g_chains.fetch_sub(1);
}
void StartBurning(int chains) {
  g_burn = true;
  g_chains = chains;
  for (int i = 0; i < chains; ++i) (void)manta::Task(Burn).SetRank(manta::ThisRank()).Remote();
}
void StopBurning() { g_burn = false; }
int Chains() { return g_chains.load(); }
std::uint64_t Burnt() { return g_burnt.load(); }

struct Calls {
  std::vector<double> us;
  int wrong = 0;
};
/// Calls of one actor, one at a time for so long; every `pace` seconds, where that is not 0.
Calls CallFor(double seconds, double pace) {
  Calls calls;
  const auto actor = manta::Actor<Callee>().SetRank(1).Remote();
  const auto call = actor.Task(&Callee::Call);
  int expected = 0;
  for (; expected < 20;) calls.wrong += *manta::Get(call.Remote()) != ++expected;
  const double begin = bench::Now();
  for (double start = begin; start < begin + seconds; start = bench::Now()) {
    calls.wrong += *manta::Get(call.Remote()) != ++expected;
    const double end = bench::Now();
    calls.us.push_back(1e6 * (end - start));
    if (pace > end - start) Sleep(pace - (end - start));
  }
  return calls;
}

void AddCalls(Micro& micro, const std::string& name, const Calls& calls) {
  micro.Check(calls.wrong == 0, name + ": calls of an actor gave wrong values");
  std::printf("# %s: %zu calls, p99 %.1f us\n", name.c_str(), calls.us.size(), bench::Quantile(calls.us, 0.99));
  micro.report.Add(name, calls.us, "us");
}

std::string RowName(const char* rest) { return "sync_np" + std::to_string(manta::NumRanks()) + "_" + rest; }

}  // namespace

void IdleRows(Micro& micro) {
  if (!OneMachine()) return;
  std::vector<pid_t> pids;
  std::vector<double> before, percent;
  for (int rank : AllRanks()) pids.push_back(PidOf(rank));
  Sleep(micro.settings.idle_after);
  const double start = bench::Now();
  for (pid_t pid : pids) before.push_back(CpuSeconds(pid));
  Sleep(micro.settings.idle_for);
  const double spent = bench::Now() - start;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    percent.push_back(100 * (CpuSeconds(pids[i]) - before[i]) / spent);
    std::printf("# rank %zu, idle: %.3f %%\n", i, percent.back());
  }
  micro.report.Add("idle_cpu_percent", bench::Quantile(percent, 1), "%");
}

void CrowdedIdleRows(Micro& micro) { AddCalls(micro, RowName("idle_us"), CallFor(micro.settings.crowded, 0)); }

void CrowdedBusyRows(Micro& micro) {
  std::uint64_t before = 0, after = 0;
  for (int rank = 1; rank < manta::NumRanks(); ++rank) {
    before += *OnRank(rank, Burnt);
    OnRank(rank, StartBurning, 2 * ExecutorsOf(rank));  // one waits while one runs
  }
  const double start = bench::Now();
  const Calls full = CallFor(micro.settings.crowded, 0);
  const Calls paced = CallFor(micro.settings.crowded, 0.001);
  const double spent = bench::Now() - start;
  for (int rank = 1; rank < manta::NumRanks(); ++rank) OnRank(rank, StopBurning);
  for (int rank = 1; rank < manta::NumRanks(); ++rank) {
    while (*OnRank(rank, Chains) > 0) Sleep(0.005);
    after += *OnRank(rank, Burnt);
  }
  std::printf("# meanwhile the other ranks did %.2f s of tasks a second\n",
              0.001 * static_cast<double>(after - before) / spent);
  AddCalls(micro, RowName("busy_paced_us"), paced);
  AddCalls(micro, RowName("busy_us"), full);
}

}  // namespace micro
