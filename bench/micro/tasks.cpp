// Rows of tasks: to the other rank one at a time and in bulk, chains, a tree of nested tasks, CPU time, rank 0's
// placing.

#include <manta/manta.hpp>

#include <atomic>
#include <cstdio>
#include <stdexcept>

#include "bench/micro/calls.hpp"
#include "bench/micro/ranks.hpp"

namespace micro {
namespace {

void Nothing() {}
int Next(int value) { return value + 1; }
std::int64_t Fib(int n) {
  if (n < 2) return n;
  const auto a = manta::Task(Fib).Remote(n - 1);
  const auto b = manta::Task(Fib).Remote(n - 2);
  return *manta::Get(a) + *manta::Get(b);
}

// Of this process: what Take has seen. Relaxed: read when no task runs.
std::atomic<std::uint64_t> g_taken{0}, g_sum{0};
void Take(std::uint64_t number, const std::string& text) {
  g_taken.fetch_add(1, std::memory_order_relaxed);
  g_sum.fetch_add(number + text.size(), std::memory_order_relaxed);
}
std::array<std::uint64_t, 2> Taken() { return {g_taken.load(), g_sum.load()}; }

}  // namespace

void TaskRows(Micro& micro) {
  auto task = manta::Task(Nothing);
  task.SetRank(1);
  const Executed executed;
  const std::uint64_t plain_before = plain_mpi::TasksMade();
  std::uint64_t tasks = 0;
  AddSync(micro, "task_sync", [&] {
    ++tasks;
    manta::Get(task.Remote());
  });
  AddAsync(micro, "task_async", micro.settings.bulk, [&] {
    ++tasks;
    return task.Remote();
  });
  // Plain MPI's half on rank 1 is a task, too.
  micro.Check(executed.AllOn(1, tasks + plain_mpi::TasksMade() - plain_before),
              "task rows: tasks ran elsewhere than on rank 1, or not once");
}

void TaskArgumentRows(Micro& micro) {
  auto task = manta::Task(Take);
  task.SetRank(1).SetMaxRetries(3).SetRetryExceptions<std::runtime_error>();
  RandomTexts texts;
  std::uint64_t tasks = 0, sum = 0;
  const auto submit = [&] {
    const std::string& text = texts.Next();
    sum += tasks + text.size();
    return task.Remote(tasks++, text);
  };
  const auto before = *OnRank(1, Taken);
  AddSync(micro, "task_sync_args", [&] { manta::Get(submit()); });
  AddAsync(micro, "task_async_args", micro.settings.bulk_arguments, submit);
  const auto after = *OnRank(1, Taken);
  micro.Check(after[0] - before[0] == tasks && after[1] - before[1] == sum,
              "task rows with arguments: rank 1 did not see each argument once");
}

void ChainRows(Micro& micro) {
  const std::size_t length = micro.settings.chain;
  const auto chain = [&](const auto& first, const auto& second) {
    const double start = bench::Now();
    auto ref = first.Remote(0);
    for (std::size_t i = 1; i < length; ++i) ref = (i % 2 == 0 ? first : second).Remote(ref);
    const int value = *manta::Get(ref);
    const double spent = bench::Now() - start;
    micro.Check(value == static_cast<int>(length), "a chain ended with a wrong value");
    return 1e6 * spent / static_cast<double>(length);
  };
  const auto free = manta::Task(Next);
  micro.report.Add("chain_local_us", bench::Repeat(micro.settings.repeats, [&] { return chain(free, free); }), "us");

  const Executed executed;
  const std::uint64_t plain_before = plain_mpi::TasksMade();
  const auto here = manta::Task(Next).SetRank(0), there = manta::Task(Next).SetRank(1);
  std::uint64_t chains = 0;
  const auto pairs = bench::Bracket(
      micro.settings.repeats,
      [&] {
        ++chains;
        return chain(there, here);
      },
      [] { return plain_mpi::PingPongMicroseconds(kSyncTrips); });
  micro.report.Add("chain_alternating_us", pairs.first, "us");
  micro.report.Add("chain_alternating_ratio", pairs.Ratios(), "times");
  const std::uint64_t plain = plain_mpi::TasksMade() - plain_before;
  const auto counts = executed.ByRank(chains * length + plain);
  micro.Check(counts.at(0) == chains * (length / 2) && counts.at(1) == chains * ((length + 1) / 2) + plain,
              "the tasks of a chain did not run on their ranks");
}

void NestedRows(Micro& micro) {
  std::int64_t fib = 0, next = 1;  // Fib(n) and Fib(n + 1)
  for (int i = 0; i < micro.settings.fib; ++i) {
    fib += next;
    std::swap(fib, next);
  }
  const auto tasks = static_cast<std::uint64_t>(2 * next - 1);
  const double least_share = 0.5 / manta::NumRanks();  // a quarter of two ranks
  std::vector<double> shares;
  int short_blocks = 0;
  const auto block = [&] {
    const Executed executed;
    const double start = bench::Now();
    const std::int64_t value = *manta::Get(manta::Task(Fib).Remote(micro.settings.fib));
    const double spent = bench::Now() - start;
    micro.Check(value == fib, "fib as tasks gave a wrong value");
    std::uint64_t sum = 0;
    double least = 1;
    for (std::uint64_t count : executed.ByRank(tasks)) {
      sum += count;
      least = std::min(least, static_cast<double>(count) / static_cast<double>(tasks));
    }
    micro.Check(sum == tasks, "fib as tasks ran " + std::to_string(sum) + " tasks, not " + std::to_string(tasks));
    shares.push_back(least);
    short_blocks += least < least_share ? 1 : 0;
    return static_cast<double>(tasks) / spent;
  };
  const auto per_s = bench::Repeat(micro.settings.repeats, block);
  std::printf("# nested_per_s: fib(%d) is %llu tasks; the rank with the fewest ran %.1f %% (median; lowest %.1f %%)\n",
              micro.settings.fib, static_cast<unsigned long long>(tasks), 100 * bench::Median(shares),
              100 * bench::Quantile(shares, 0));
  char unmet[96] = "";
  if (bench::Median(shares) < least_share)
    std::snprintf(unmet, sizeof unmet, "a rank ran less than %.1f %% in %d of %zu blocks", 100 * least_share,
                  short_blocks, shares.size());
  micro.report.Add("nested_per_s", per_s, "1/s", unmet);
  micro.report.Add("nested_least_share_percent", 100 * bench::Median(shares), "%");
}

void CpuRows(Micro& micro) {
  if (!OneMachine()) return;
  auto task = manta::Task(Nothing);
  task.SetRank(1);
  const pid_t there = PidOf(1), here = PidOf(0);
  const auto count = static_cast<double>(micro.settings.bulk);
  Refs refs;
  std::vector<double> owner, executor;
  const auto both = bench::Repeat(micro.settings.repeats, [&] {
    const double before_here = CpuSeconds(here), before_there = CpuSeconds(there);
    TimeAsync(micro.settings.bulk, refs, [&] { return task.Remote(); });
    owner.push_back(1e6 * (CpuSeconds(here) - before_here) / count);
    executor.push_back(1e6 * (CpuSeconds(there) - before_there) / count);
    return owner.back() + executor.back();
  });
  std::printf(
      "# cpu_us_per_task: CPU time of both processes over a bulk block and the release of its refs: owner %.3f us, "
      "executor %.3f us\n",
      bench::Median(owner), bench::Median(executor));
  micro.report.Add("cpu_us_per_task", both, "us");
}

void CentralRows(Micro& micro) {
  const std::size_t count = micro.settings.bulk / 5;
  const std::uint64_t before = manta::Stats().tasks_scheduled_by_rank0;
  Refs refs;
  std::uint64_t tasks = 0;
  const auto task = manta::Task(Nothing);
  const auto per_s = bench::Repeat(micro.settings.repeats, [&] {
    tasks += count;
    return static_cast<double>(count) / TimeAsync(count, refs, [&] { return task.Remote(); }).got;
  });
  micro.Check(manta::Stats().tasks_scheduled_by_rank0 - before == tasks, "central: rank 0 did not place every task");
  micro.report.Add("central_per_s", per_s, "1/s");
}

}  // namespace micro
