// Tasks by the thousand.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

int Next(int x) { return x + 1; }
std::string Repeat(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(ManyTasks, TenThousandGiveTheirResults) {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 10'000; ++i) refs.push_back(manta::Task(Next).Remote(i));

  const auto values = manta::Get(refs);

  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(*values[static_cast<std::size_t>(i)], i + 1);
}

TEST(ManyTasks, AreSpreadOverTheRanks) {
  const auto before = manta::Stats().tasks_executed_by_rank;
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 200; ++i)
    refs.push_back(manta::Task([](int x) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      return x;
    }).Remote(i));
  manta::Get(refs);

  const auto after = manta::Stats().tasks_executed_by_rank;
  ASSERT_EQ(after.size(), static_cast<std::size_t>(manta::NumRanks()));
  for (std::size_t rank = 0; rank < after.size(); ++rank) EXPECT_GT(after[rank], before[rank]) << "rank " << rank;
}

TEST(ManyTasks, ShareOneObject) {
  const auto shared = manta::Put(std::vector<int>(5000, 2));
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 1000; ++i)
    refs.push_back(manta::Task([](const std::vector<int>& v, int k) { return v[static_cast<std::size_t>(k)] + k; }).Remote(shared, i));

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(*manta::Get(refs[static_cast<std::size_t>(i)]), 2 + i);
}

TEST(ManyTasks, OfTextOfAllSizes) {
  std::vector<manta::ObjectRef<std::string>> refs;
  for (int i = 0; i < 500; ++i) refs.push_back(manta::Task(Repeat).Remote("0123456789", i * 7 % 400));

  for (int i = 0; i < 500; ++i)
    ASSERT_EQ(manta::Get(refs[static_cast<std::size_t>(i)])->size(), static_cast<std::size_t>(10 * (i * 7 % 400)));
}

TEST(ManyTasks, MayBeForgotten) {
  for (int i = 0; i < 5000; ++i) manta::Task(Next).Remote(i);

  manta::Drain();

  EXPECT_EQ(*manta::Get(manta::Task(Next).Remote(1)), 2);
}

TEST(ManyTasks, OfManyThreads) {
  std::vector<std::thread> threads;
  std::vector<int> sums(4);
  for (std::size_t t = 0; t < sums.size(); ++t)
    threads.emplace_back([&sums, t] {
      std::vector<manta::ObjectRef<int>> refs;
      for (int i = 0; i < 500; ++i) refs.push_back(manta::Task(Next).Remote(i));
      for (const auto& value : manta::Get(refs)) sums[t] += *value;
    });
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(sums, std::vector<int>(4, 500 * 501 / 2));
}

TEST(ManyTasks, ThatWaitForOneSlowTask) {
  api_test::Gate gate;
  const auto slow = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 1000; ++i) refs.push_back(manta::Task([](int a, int b) { return a + b; }).Remote(slow, i));
  gate.Open();

  for (int i = 0; i < 1000; ++i) ASSERT_EQ(*manta::Get(refs[static_cast<std::size_t>(i)]), 1 + i);
}

}  // namespace
