// Tasks of very different lengths fill all executors until the end: 10,000 sleeping tasks, of which 1 % take 100
// times as long, end within 5 % of the ideal, which follows from the durations that the tasks measured themselves: no
// schedule is shorter than all work divided by the executors, nor than the longest task. Runs with --manta-cpus 4.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <iostream>
#include <numeric>
#include <thread>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace {

using control_test::Clock;
using namespace std::chrono_literals;

constexpr int kTasks = 10'000;
constexpr int kCpus = 4;
constexpr double kTolerance = 0.05;
constexpr auto kShort = 1ms;
constexpr auto kLimit = 50s;

/// Sleeps, and returns for how many seconds.
double Sleep(std::int64_t nanoseconds) {
  const auto begin = Clock::now();
  std::this_thread::sleep_for(std::chrono::nanoseconds(nanoseconds));
  return control_test::SecondsSince(begin);
}

/// Every hundredth of a range is long, at a random place in its hundred.
std::vector<manta::ObjectRef<double>> Submit(int first, int last) {
  control_test::Random random(static_cast<std::uint64_t>(first) + 1);
  std::vector<manta::ObjectRef<double>> refs;
  int long_one = 0;
  for (int i = first; i < last; ++i) {
    if (i % 100 == 0) long_one = i + random.Below(100);
    const auto length = std::chrono::nanoseconds(i == long_one ? 100 * kShort : kShort);
    refs.push_back(manta::Task(Sleep).Remote(length.count()));
  }
  return refs;
}

std::vector<double> Durations(const std::vector<manta::ObjectRef<double>>& refs) {
  std::vector<double> durations;
  for (const auto& value : manta::Get(refs, kLimit)) durations.push_back(*value);
  return durations;
}

std::vector<double> SubmitAndWait(int first, int last) { return Durations(Submit(first, last)); }

void ExpectNearTheIdeal(const std::vector<double>& durations, double seconds) {
  const double all = std::accumulate(durations.begin(), durations.end(), 0.0);
  const double ideal = std::max(all / kCpus, *std::max_element(durations.begin(), durations.end()));
  std::cout << durations.size() << " tasks in " << seconds << " s; ideal " << ideal << " s, +"
            << (seconds / ideal - 1) * 100 << " %\n";
  EXPECT_EQ(durations.size(), static_cast<std::size_t>(kTasks));
  EXPECT_LE(seconds, ideal * (1 + kTolerance)) << "executors stood idle while tasks waited";
}

TEST(SkewedTasks, OfOneOwnerEndNearTheIdeal) {
  ASSERT_EQ(manta::ClusterResources()["CPU"], kCpus);
  const auto begin = Clock::now();

  const auto durations = SubmitAndWait(0, kTasks);

  ExpectNearTheIdeal(durations, control_test::SecondsSince(begin));
}

TEST(SkewedTasks, OfSeveralOwnersEndNearTheIdeal) {
  ASSERT_EQ(manta::ClusterResources()["CPU"], kCpus);
  constexpr int kOwners = 8;
  const auto begin = Clock::now();

  std::vector<manta::ObjectRef<std::vector<double>>> owners;
  for (int i = 0; i < kOwners; ++i)
    owners.push_back(manta::Task(SubmitAndWait).SetCpus(0).SetRank(i % manta::NumRanks()).Remote(
        i * kTasks / kOwners / 100 * 100, i + 1 == kOwners ? kTasks : (i + 1) * kTasks / kOwners / 100 * 100));
  std::vector<double> durations;
  for (const auto& part : manta::Get(owners, kLimit)) durations.insert(durations.end(), part->begin(), part->end());

  ExpectNearTheIdeal(durations, control_test::SecondsSince(begin));
}

}  // namespace
