// First figures: what a task, an actor call, a Put and a Get cost, beside plain MPI in the same process.
//
//   mpirun -np 2 build/release/bench/micro [--quick]
//
// A row a metric, `name value unit`; lines that begin with # give the spread. All tasks run on rank 1, which is counted.

#include <manta/manta.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "bench/micro/plain_mpi.hpp"
#include "bench/support/harness.hpp"

namespace {

using Small = std::array<char, 64>;

constexpr double kBlock = 0.004;  // s
constexpr std::size_t kBatch = 1000;
constexpr std::size_t kLargeBytes = std::size_t{256} << 20;

int g_blocks = 200;        // of a few milliseconds
int g_large_blocks = 9;    // of 256 MiB
std::uint64_t g_tasks = 0; // that were submitted to rank 1 here

void Nothing() {}
/// Reads two elements where they lie, in the store: nothing is copied.
int Ends(std::span<const char> bytes) { return bytes.front() + bytes.back(); }
struct Idle {
  void Nothing() {}
};

double TaskSyncMicroseconds() {
  auto task = manta::Task(Nothing);
  task.SetRank(1);
  return 1e6 * bench::SecondsEach(kBlock, [&] {
    manta::Get(task.Remote());
    ++g_tasks;
  });
}

/// Calls of `submit` that are done a second, when 1000 are submitted before the first is waited for.
template <class Submit>
double AsyncPerSecond(Submit submit) {
  std::vector<manta::ObjectRef<void>> refs;
  refs.reserve(kBatch);
  return kBatch / bench::SecondsEach(kBlock, [&] {
    refs.clear();
    for (std::size_t i = 0; i < kBatch; ++i) refs.push_back(submit());
    manta::Get(refs);
  });
}

double TaskAsyncPerSecond() {
  auto task = manta::Task(Nothing);
  task.SetRank(1);
  return AsyncPerSecond([&] {
    ++g_tasks;
    return task.Remote();
  });
}

void TasksAndActors(const bench::Report& report) {
  const auto sync = bench::Alternate(g_blocks, TaskSyncMicroseconds, [] { return plain_mpi::PingPongMicroseconds(2000); });
  report.Add("mpi_pingpong_64B_us", sync.second, "us");
  report.Add("task_sync_us", sync.first, "us");
  report.Add("task_sync_ratio", sync.Ratios(), "times");

  const auto async = bench::Alternate(g_blocks, TaskAsyncPerSecond, [] { return plain_mpi::PipelinedPerSecond(100); });
  report.Add("mpi_pipelined_per_s", async.second, "1/s");
  report.Add("task_async_per_s", async.first, "1/s");
  report.Add("task_async_ratio", async.Ratios(), "times");

  const auto actor = manta::Actor<Idle>().SetRank(1).Remote();
  report.Add("actor_sync_us", bench::Repeat(g_blocks, [&] {
               return 1e6 * bench::SecondsEach(kBlock, [&] { manta::Get(actor.Task(&Idle::Nothing).Remote()); });
             }), "us");
  report.Add("actor_async_per_s", bench::Repeat(g_blocks, [&] {
               return AsyncPerSecond([&] { return actor.Task(&Idle::Nothing).Remote(); });
             }), "1/s");
}

void SmallObjects(const bench::Report& report) {
  const Small value{};
  std::vector<manta::ObjectRef<Small>> refs;
  report.Add("put_small_per_s", bench::Repeat(g_blocks, [&] {
               refs.clear();
               return 1 / bench::SecondsEach(kBlock, [&] { refs.push_back(manta::Put(value)); });
             }), "1/s");
  // Gets of objects that are here and ready, one after another.
  refs.resize(std::min(refs.size(), kBatch));
  std::size_t next = 0, sum = 0;
  report.Add("get_small_per_s", bench::Repeat(g_blocks, [&] {
               return 1 / bench::SecondsEach(kBlock, [&] {
                 sum += static_cast<std::size_t>(manta::Get(refs[next])->front());
                 next = (next + 1) % refs.size();
               });
             }), "1/s");
  if (sum != 0) std::printf("# an object was not what was put\n");
}

void LargeObjects(const bench::Report& report) {
  std::vector<char> source(kLargeBytes, 1), target(kLargeBytes, 2);
  std::vector<double> get_us, get_vector_us;
  const auto memcpy_gbps = [&] {
    const double start = bench::Now();
    std::memcpy(target.data(), source.data(), kLargeBytes);
    return static_cast<double>(kLargeBytes) / (bench::Now() - start) * 1e-9;
  };
  // A Put of an lvalue copies once; then the first Get of it here.
  const auto put_gbps = [&] {
    ++source[kLargeBytes / 2];
    double start = bench::Now();
    const auto ref = manta::Put(source);
    const double gbps = static_cast<double>(kLargeBytes) / (bench::Now() - start) * 1e-9;
    // The other rank reads it in place, after the first look that maps its pages.
    const auto ends = manta::Task(Ends).SetRank(1);
    manta::Get(ends.Remote(ref));
    start = bench::Now();
    manta::Get(ends.Remote(ref));
    get_us.push_back((bench::Now() - start) * 1e6);
    start = bench::Now();
    const auto value = manta::Get(ref);
    get_vector_us.push_back((bench::Now() - start) * 1e6);
    if ((*value)[kLargeBytes / 2] != source[kLargeBytes / 2]) std::printf("# an object was not what was put\n");
    return gbps;
  };
  const auto pairs = bench::Alternate(g_large_blocks, put_gbps, memcpy_gbps);
  get_us.erase(get_us.begin());  // of the round that does not count
  get_vector_us.erase(get_vector_us.begin());
  report.Add("memcpy_GBps", pairs.second, "GB/s");
  report.Add("put_256MiB_GBps", pairs.first, "GB/s");
  report.Add("get_256MiB_us", get_us, "us");
  report.Add("get_256MiB_vector_us", get_vector_us, "us");  // into a std::vector, which must copy into fresh pages
}

int Driver(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--quick") {
    g_blocks = 5;
    g_large_blocks = 2;
  } else if (argc > 1) {
    std::fprintf(stderr, "micro: unknown argument '%s'; it takes --quick\n", argv[1]);
    return 2;
  }
  if (manta::NumRanks() < 2) {
    std::fprintf(stderr, "micro needs two ranks: mpirun -np 2 %s\n", argv[0]);
    return 2;
  }
  const bench::Report report;
  const auto before = manta::Stats().tasks_executed_by_rank;
  TasksAndActors(report);
  const auto after = manta::Stats().tasks_executed_by_rank;
  SmallObjects(report);
  LargeObjects(report);

  // Plain MPI's half is a task of rank 1, too: two for each pair, and those of the first pair that does not count.
  const std::uint64_t expected = g_tasks + 2 * (static_cast<std::uint64_t>(g_blocks) + 1);
  const std::uint64_t there = after.at(1) - before.at(1), here = after.at(0) - before.at(0);
  std::printf("# %llu tasks ran on rank 1, %llu on rank 0\n", static_cast<unsigned long long>(there),
              static_cast<unsigned long long>(here));
  if (there == expected && here == 0) return 0;
  std::fprintf(stderr, "micro: expected %llu tasks on rank 1 and none on rank 0\n", static_cast<unsigned long long>(expected));
  return 1;
}

}  // namespace

int main(int argc, char** argv) { return manta::Run(argc, argv, Driver, {.on_start = plain_mpi::CollectiveStart}); }
