// Tasks that start tasks and wait for them, to any depth, also where a rank has one executor.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

int Fib(int n) {
  if (n < 2) return n;
  const auto a = manta::Task(Fib).Remote(n - 1);
  const auto b = manta::Task(Fib).Remote(n - 2);
  return *manta::Get(a) + *manta::Get(b);
}

int Deep(int depth) { return depth == 0 ? 0 : 1 + *manta::Get(manta::Task(Deep).Remote(depth - 1)); }

/// Each level runs on the next rank.
int Around(int depth) {
  if (depth == 0) return 0;
  return 1 + *manta::Get(manta::Task(Around).SetRank((manta::ThisRank() + 1) % manta::NumRanks()).Remote(depth - 1));
}

std::string DeepString(int depth, const std::string& text) {
  return depth == 0 ? text : *manta::Get(manta::Task(DeepString).Remote(depth - 1, text + "x"));
}

int Tree(int depth, int width) {
  if (depth == 0) return 1;
  std::vector<manta::ObjectRef<int>> children;
  for (int i = 0; i < width; ++i) children.push_back(manta::Task(Tree).Remote(depth - 1, width));
  int sum = 0;
  for (auto [index, child] : manta::AsCompleted(children)) sum += *manta::Get(child);
  return sum;
}

TEST(NestedTasks, ComputeFibonacciOf20) { EXPECT_EQ(*manta::Get(manta::Task(Fib).Remote(20)), 6765); }

TEST(NestedTasks, ChainTwoHundredDeep) {
  EXPECT_EQ(*manta::Get(manta::Task(Deep).Remote(200)), 200);
  EXPECT_EQ(manta::Get(manta::Task(DeepString).Remote(200, std::string(3000, 'y')))->size(), 3200u);
}

TEST(NestedTasks, ChainAroundTheRanks) { EXPECT_EQ(*manta::Get(manta::Task(Around).Remote(200)), 200); }

TEST(NestedTasks, FanOut) { EXPECT_EQ(*manta::Get(manta::Task(Tree).Remote(5, 4)), 1024); }

TEST(NestedTasks, FromManyParentsAtOnce) {
  std::vector<manta::ObjectRef<int>> parents;
  for (int i = 0; i < 100; ++i) parents.push_back(manta::Task(Deep).Remote(10));

  for (const auto& depth : manta::Get(parents)) EXPECT_EQ(*depth, 10);
}

TEST(DependentTasks, MakeAThousandLongChain) {
  auto ref = manta::Put(0);
  for (int i = 0; i < 1000; ++i) ref = manta::Task([](int x) { return x + 1; }).SetRank(i % manta::NumRanks()).Remote(ref);

  EXPECT_EQ(*manta::Get(ref), 1000);
}

TEST(ParkedTask, LetsATaskRunThatItWaitsForIndirectly) {
  api_test::Gate gate;
  // The first waits for the gate task; the second, behind it in the same queue, opens the gate.
  const auto gated = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1);
  const auto waits = manta::Task([](manta::ObjectRef<int> ref) { return *manta::Get(ref); }).SetRank(manta::NumRanks() - 1)
                         .Remote(manta::Put(gated));
  const auto opens = manta::Task([](const std::string& path) { std::filesystem::remove(path); }).SetRank(manta::NumRanks() - 1)
                         .Remote(gate.path());

  EXPECT_EQ(*manta::Get(waits, api_test::kPatience), 1);
  manta::Get(opens);
}

}  // namespace
