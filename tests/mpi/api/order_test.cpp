// Tasks of one shape start in the order of their submission, so that the longest may be submitted first. Runs with one
// executor a rank.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

void NoteStart(const std::string& journal, int index) {
  api_test::Note(journal, std::to_string(manta::ThisRank()) + ' ' + std::to_string(index));
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST(Order, OfStartsIsThatOfSubmissions) {
  api_test::Gate gate;
  api_test::Journal journal;
  std::vector<manta::ObjectRef<void>> refs;
  // All wait behind tasks that hold every executor, so that none starts before the last was submitted.
  std::vector<manta::ObjectRef<int>> busy;
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    busy.push_back(manta::Task(api_test::ValueBehindGate).SetRank(rank).Remote(gate.path(), 0));

  for (int i = 0; i < 60; ++i) refs.push_back(manta::Task(NoteStart).Remote(journal.path(), i));
  gate.Open();
  manta::Get(refs);

  std::map<int, std::vector<int>> by_rank;
  for (const auto& line : journal.Lines()) {
    int rank = -1, index = -1;
    std::istringstream(line) >> rank >> index;
    by_rank[rank].push_back(index);
  }
  std::size_t all = 0;
  for (const auto& [rank, indices] : by_rank) {
    all += indices.size();
    // Several ranks take the oldest of each other's queues, also several at a time, and where there is a second CPU a
    // spare executor may run beside a slow lane job: only the order of a sole rank with one CPU is exact.
    if (manta::NumRanks() > 1 || manta::ClusterResources().at("CPU") > 1) continue;
    EXPECT_TRUE(std::is_sorted(indices.begin(), indices.end())) << "on rank " << rank << ": "
                                                                << testing::PrintToString(indices);
  }
  EXPECT_EQ(all, 60u);
}

TEST(Order, OnAChosenRankIsExact) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    api_test::Journal journal;
    std::vector<manta::ObjectRef<void>> refs;
    std::vector<std::string> expected;
    for (int i = 0; i < 50; ++i) {
      refs.push_back(manta::Task(NoteStart).SetRank(rank).Remote(journal.path(), i));
      expected.push_back(std::to_string(rank) + ' ' + std::to_string(i));
    }
    manta::Get(refs);

    EXPECT_EQ(journal.Lines(), expected);
  }
}

// Tasks of another rank that come while the only executor polls for a method that waits: they must not be kept for
// after it.
int AfterGate(int value, int) { return value; }

class Waiter {
 public:
  int SumOf(const std::vector<manta::ObjectRef<int>>& refs) {
    int sum = 0;
    for (const auto& ref : refs) sum += *manta::Get(ref);
    return sum;
  }
};

TEST(Order, LetsAMethodWaitForTasksThatComeLaterToItsRank) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    api_test::Gate gate;
    // Behind the gate of the driver's rank, so that they are sent when the method waits.
    const auto later = manta::Task(api_test::ValueBehindGate).SetRank(0).Remote(gate.path(), 0);
    std::vector<manta::ObjectRef<int>> refs;
    for (int i = 0; i < 100; ++i) refs.push_back(manta::Task(AfterGate).SetRank(rank).Remote(i, later));
    const auto waiter = manta::Actor<Waiter>().SetRank(rank).Remote();
    const auto sum = waiter.Task(&Waiter::SumOf).Remote(refs);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    gate.Open();

    EXPECT_EQ(*manta::Get(sum, api_test::kPatience), 4950) << "on rank " << rank;
  }
}

}  // namespace
