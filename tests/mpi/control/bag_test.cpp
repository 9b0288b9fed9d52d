// Large bags of tasks: each runs exactly once, and rank 0 is not asked about each.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace {

using namespace std::chrono_literals;

constexpr auto kLimit = 50s;

std::atomic<std::uint64_t> leaves_run{0};  // of this rank

int Leaf(int id, int computed_us) {
  leaves_run.fetch_add(1, std::memory_order_relaxed);
  if (computed_us > 0) control_test::Compute(std::chrono::microseconds(computed_us));
  return id;
}

std::uint64_t LeavesRunByAllRanks() {
  std::uint64_t sum = 0;
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    sum += *manta::Get(manta::Task([] { return leaves_run.load(); }).SetCpus(0).SetRank(rank).Remote(), kLimit);
  return sum;
}

/// The ids that the leaves in [first, last) returned; eight subtrees while there are more than 64 leaves.
std::vector<int> Tree(int first, int last) {
  std::vector<int> ids;
  if (last - first <= 64) {
    std::vector<manta::ObjectRef<int>> leaves;
    for (int id = first; id < last; ++id) leaves.push_back(manta::Task(Leaf).Remote(id, id % 500 == 0 ? 1000 : 0));
    for (const auto& id : manta::Get(leaves)) ids.push_back(*id);
    return ids;
  }
  constexpr int kParts = 8;
  std::vector<manta::ObjectRef<std::vector<int>>> parts;
  const auto cut = [&](int part) { return first + static_cast<int>(std::int64_t{last - first} * part / kParts); };
  for (int part = 0; part < kParts; ++part) parts.push_back(manta::Task(Tree).Remote(cut(part), cut(part + 1)));
  for (const auto& part : manta::Get(parts)) ids.insert(ids.end(), part->begin(), part->end());
  return ids;
}

TEST(Bag, OfNestedTasksRunsEachOnce) {
  constexpr int kLeaves = 200'000;
  const std::uint64_t before = LeavesRunByAllRanks();

  std::vector<int> ids = *manta::Get(manta::Task(Tree).Remote(0, kLeaves), kLimit);

  EXPECT_EQ(LeavesRunByAllRanks() - before, static_cast<std::uint64_t>(kLeaves));
  std::sort(ids.begin(), ids.end());
  std::vector<int> expected(kLeaves);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_TRUE(ids == expected) << ids.size() << " ids came back, " << kLeaves << " were sent";
}

std::int64_t SchedulerMessages(const manta::StatsSnapshot& stats) {
  return static_cast<std::int64_t>(stats.scheduler_messages);
}

TEST(Bag, OfEqualTasksIsNotScheduledByRankZero) {
  constexpr int kTasks = 80'000;
  const std::uint64_t run_before = LeavesRunByAllRanks();
  const auto before = manta::Stats();

  std::vector<manta::ObjectRef<int>> refs;
  refs.reserve(kTasks);
  for (int i = 0; i < kTasks; ++i) refs.push_back(manta::Task(Leaf).Remote(i, 0));
  const auto values = manta::Get(refs, kLimit);

  const auto after = manta::Stats();
  for (int i = 0; i < kTasks; ++i) ASSERT_EQ(*values[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(LeavesRunByAllRanks() - run_before, static_cast<std::uint64_t>(kTasks));
  EXPECT_EQ(after.tasks_scheduled_by_rank0, before.tasks_scheduled_by_rank0) << "one-CPU tasks need no lease";
  const std::int64_t messages = SchedulerMessages(after) - SchedulerMessages(before);
  std::cout << messages << " messages to rank 0's scheduler, "
            << after.messages_sent - before.messages_sent << " in all\n";
  // A few a rank, and as many again for each 10 ms in which ranks find nothing.
  EXPECT_LE(messages, 100 * manta::NumRanks()) << "it should see none for a task";
}

}  // namespace
