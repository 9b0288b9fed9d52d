#include "bench/micro/ranks.hpp"

#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>
#include <string>
#include <thread>

#include "bench/support/harness.hpp"

namespace micro {
namespace {

// Of this process. The gate task of a generation counts itself in and sleeps until that generation was opened.
std::atomic<int> g_opened{0};  // lane: release; gate tasks: acquire
std::atomic<int> g_entered{0};

double WaitAtGate(int generation) {
  g_entered.fetch_add(1);
  for (int opened = g_opened.load(); opened < generation; opened = g_opened.load()) g_opened.wait(opened);
  g_entered.fetch_sub(1);
  return bench::Now();
}
int Entered() { return g_entered.load(); }
void OpenGate(int generation) {
  g_opened.store(generation);
  g_opened.notify_all();
}

void Sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

int Pid() { return static_cast<int>(getpid()); }

double PssBytes() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("Pss:", 0) == 0) return 1024 * std::stod(line.substr(4));
  }
  return 0;
}

}  // namespace

void AwaitCount(int rank, int (*ask)(), int enough) {
  const double end = bench::Now() + 2;
  while (*OnRank(rank, ask) < enough && bench::Now() < end) Sleep(0.001);
}

std::vector<int> AllRanks() {
  std::vector<int> ranks(static_cast<std::size_t>(manta::NumRanks()));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

int ExecutorsOf(int rank) {
  for (const auto& node : manta::Nodes()) {
    for (int one : node.ranks) {
      if (one != rank) continue;
      const double cpus = node.resources.at("CPU") / static_cast<double>(node.ranks.size());
      return std::max(1, static_cast<int>(std::ceil(cpus)));
    }
  }
  return 1;
}

pid_t PidOf(int rank) { return static_cast<pid_t>(*OnRank(rank, Pid)); }

bool OneMachine() {
  std::set<std::string> hosts;
  for (const auto& node : manta::Nodes()) hosts.insert(node.host);
  return hosts.size() == 1;
}

double CpuSeconds(pid_t pid) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return NAN;
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double Footprint() {
  double sum = 0;
  for (int rank : AllRanks()) sum += *OnRank(rank, PssBytes);
  return sum;
}

Executed::Executed() : before_(manta::Stats().tasks_executed_by_rank) {
  for (auto last = before_;; last = before_) {
    Sleep(0.001);
    before_ = manta::Stats().tasks_executed_by_rank;
    if (before_ == last) return;
  }
}

std::vector<std::uint64_t> Executed::ByRank(std::uint64_t expected) const {
  std::vector<std::uint64_t> counts;
  for (int look = 0; look < 100; ++look) {
    counts = manta::Stats().tasks_executed_by_rank;
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] -= before_.at(i);
    if (std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) >= expected) break;
    Sleep(0.005);
  }
  return counts;
}

bool Executed::AllOn(int rank, std::uint64_t expected) const {
  const auto counts = ByRank(expected);
  bool good = true;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::uint64_t want = static_cast<int>(i) == rank ? expected : 0;
    if (counts[i] == want) continue;
    std::printf("# rank %zu ran %llu tasks; %llu were expected\n", i, static_cast<unsigned long long>(counts[i]),
                static_cast<unsigned long long>(want));
    good = false;
  }
  return good;
}

Gate::Gate(const std::vector<int>& ranks) : ranks_(ranks) {
  static int last_generation = 0;  // gates are made by the driver only
  generation_ = ++last_generation;
  for (int rank : ranks_) {
    const int executors = ExecutorsOf(rank);
    for (int i = 0; i < executors; ++i) held_.push_back(manta::Task(WaitAtGate).SetRank(rank).Remote(generation_));
    AwaitCount(rank, Entered, executors);
  }
}

void Gate::Open() {
  if (open_.exchange(true)) return;
  std::vector<manta::ObjectRef<void>> opened;
  for (int rank : ranks_) opened.push_back(manta::Task(OpenGate).SetCpus(0).SetRank(rank).Remote(generation_));
  for (const auto& one : opened) manta::Get(one);
}

double Gate::FirstWake() {
  double first = bench::Now();
  for (const auto& one : held_) first = std::min(first, *manta::Get(one));
  return first;
}

}  // namespace micro
