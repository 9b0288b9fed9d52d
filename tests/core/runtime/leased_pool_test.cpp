#include "core/runtime/leased_pool.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <set>
#include <string>
#include <thread>

#include "core/base/amount.hpp"
#include "core/topology/binding.hpp"

namespace manta::runtime {
namespace {

using topology::CpuSet;

wire::Lease LeaseOf(std::vector<std::int32_t> cores) {
  wire::Lease lease;
  lease.id = 1;
  lease.cpus = static_cast<std::int64_t>(cores.size()) * Amount::kUnitsPerOne;
  lease.cores = std::move(cores);
  return lease;
}

CpuSet Mine() { return topology::CpusOfThisThread().value(); }

/// Every CPU that this process may use, as a core each.
LeasedPool::Options Bound() {
  LeasedPool::Options options;
  for (const int cpu : Mine().Cpus()) options.core_cpus.push_back(CpuSet::Range(cpu, cpu));
  options.node_cpus = Mine();
  return options;
}

/// Runs `what` under that lease and gives its value back.
template <class What>
auto Do(LeasedPool& pool, const wire::Lease& lease, What what) {
  std::promise<decltype(what())> promise;
  pool.Run(lease, [&] { promise.set_value(what()); });
  return promise.get_future().get();
}

template <class Condition>
bool Eventually(Condition done) {
  for (int i = 0; i < 2000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

TEST(LeasedPool, RunsEachLeaseOnItsCores) {
  const LeasedPool::Options options = Bound();
  LeasedPool pool(options);
  const auto last = static_cast<std::int32_t>(options.core_cpus.size()) - 1;
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(Do(pool, LeaseOf({0}), Mine), options.core_cpus.front());
    EXPECT_EQ(Do(pool, LeaseOf({last}), Mine), options.core_cpus.back());
    EXPECT_EQ(Do(pool, LeaseOf({}), Mine), options.node_cpus);
  }
}

TEST(LeasedPool, ALeaseWithoutCoresIsFreeAlsoWhenABoundThreadAsksForIt) {
  const LeasedPool::Options options = Bound();
  LeasedPool pool(options);
  std::promise<CpuSet> inner;
  pool.Run(LeaseOf({0}), [&] { pool.Run(LeaseOf({}), [&] { inner.set_value(Mine()); }); });
  EXPECT_EQ(inner.get_future().get(), options.node_cpus);
}

TEST(LeasedPool, BindsNothingWithoutCores) {
  LeasedPool pool;
  EXPECT_EQ(Do(pool, LeaseOf({0}), Mine), Mine());
}

TEST(LeasedPool, KeepsAThreadForTheNextLeaseOfTheSameCores) {
  LeasedPool pool(Bound());
  std::set<pid_t> threads;
  // A job tells of its end before its thread waits again, so that another may be made meanwhile.
  for (int i = 0; i < 50; ++i) threads.insert(Do(pool, LeaseOf({0}), ::gettid));
  EXPECT_LE(threads.size(), 5u);
  EXPECT_EQ(pool.size(), threads.size());
}

TEST(LeasedPool, EndsThreadsAboveTheMostThatMayWait) {
  LeasedPool::Options options;
  options.most_idle = 2;
  LeasedPool pool(options);
  for (std::int32_t core = 0; core < 20; ++core) Do(pool, LeaseOf({core}), ::gettid);
  EXPECT_TRUE(Eventually([&] { return pool.size() <= 2; })) << pool.size();
}

TEST(LeasedPool, EndsThreadsThatWaitLong) {
  LeasedPool::Options options;
  options.idle_life = std::chrono::milliseconds(20);
  LeasedPool pool(options);
  const pid_t first = Do(pool, LeaseOf({0}), ::gettid);
  EXPECT_TRUE(Eventually([&] { return pool.size() == 0; }));
  EXPECT_NE(Do(pool, LeaseOf({0}), ::gettid), 0);
  EXPECT_NE(first, 0);
}

TEST(LeasedPool, RunsJobsSideBySide) {
  LeasedPool pool(Bound());
  std::promise<void> second_runs;
  std::promise<bool> met;
  pool.Run(LeaseOf({0}), [&] {
    met.set_value(second_runs.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  });
  pool.Run(LeaseOf({0}), [&] { second_runs.set_value(); });
  EXPECT_TRUE(met.get_future().get());
}

TEST(LeasedPool, StopWaitsForJobs) {
  std::atomic<int> done{0};
  LeasedPool pool;
  for (int i = 0; i < 8; ++i)
    pool.Run(LeaseOf({i % 2}), [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ++done;
    });
  pool.Stop();
  EXPECT_EQ(done, 8);
  EXPECT_EQ(pool.size(), 0u);
}

/// The last of this program: the warning comes once a process.
TEST(LeasedPoolZ, SaysOnceThatAThreadCannotBeBoundAndRunsItAnywhere) {
  LeasedPool::Options options = Bound();
  options.core_cpus = {CpuSet::Range(100'000, 100'000), CpuSet::Range(100'001, 100'001)};
  LeasedPool pool(options);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Do(pool, LeaseOf({0}), Mine), options.node_cpus);
  EXPECT_EQ(Do(pool, LeaseOf({1}), Mine), options.node_cpus);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("cannot bind a thread to CPUs 100000"), std::string::npos) << said;
  EXPECT_EQ(said.find("100001"), std::string::npos) << said;
  EXPECT_NE(said.find("--manta-binding off"), std::string::npos) << said;
}

}  // namespace
}  // namespace manta::runtime
