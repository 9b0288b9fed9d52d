// Wait and AsCompleted: who is done, without moving any data and without throwing what made a task fail.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using namespace std::chrono_literals;

/// A task that ends when its gate opens, and never stands in the way of others.
auto Behind(const Gate& gate, int value) {
  return manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), value);
}
int Fails() { throw std::runtime_error("failed"); }

TEST(Wait, KeepsTheOrderOfItsInput) {
  Gate gate;
  const std::vector refs{Behind(gate, 0), manta::Put(1), manta::Put(2), Behind(gate, 3)};

  const auto result = manta::Wait(refs, 2);

  EXPECT_EQ(result.ready, (std::vector{refs[1], refs[2]}));
  EXPECT_EQ(result.unready, (std::vector{refs[0], refs[3]}));
}

TEST(Wait, MovesRefsThatAreMovedIn) {
  Gate gate;
  const std::vector refs{Behind(gate, 0), manta::Put(1), manta::Put(2), Behind(gate, 3), manta::Put(4)};
  auto given = refs;

  const auto result = manta::Wait(std::move(given), 2);

  EXPECT_EQ(result.ready, (std::vector{refs[1], refs[2]}));
  EXPECT_EQ(result.unready, (std::vector{refs[0], refs[3], refs[4]}));
  EXPECT_EQ(manta::Wait(std::vector(refs), 4, 1ms).ready, (std::vector{refs[1], refs[2], refs[4]}));
}

TEST(Wait, RefusesAnEmptyRefAnywhere) {
  const std::vector refs{manta::Put(1), manta::ObjectRef<int>()};

  EXPECT_THROW(static_cast<void>(manta::Wait(refs, 1)), manta::UsageError);
}

TEST(Wait, DrainsOneByOne) {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 300; ++i) refs.push_back(manta::Task([](int k) { return k; }).Remote(i));

  int sum = 0;
  while (!refs.empty()) {
    auto [ready, unready] = manta::Wait(std::move(refs));
    sum += *manta::Get(ready.front());
    refs = std::move(unready);
  }

  EXPECT_EQ(sum, 299 * 300 / 2);
}

TEST(Wait, GivesAtMostAsManyAsAskedFor) {
  const std::vector refs{manta::Put(0), manta::Put(1), manta::Put(2)};

  const auto result = manta::Wait(refs, 1);

  EXPECT_EQ(result.ready.size(), 1u);
  EXPECT_EQ(result.unready.size(), 2u);
}

TEST(Wait, CountsAFailedRefAsReady) {
  const std::vector refs{manta::Task(Fails).Remote()};

  EXPECT_EQ(manta::Wait(refs).ready.size(), 1u);
}

TEST(Wait, ForNonePolls) {
  Gate gate;
  const std::vector refs{Behind(gate, 0), manta::Put(1), manta::Put(2)};

  EXPECT_EQ(manta::Wait(refs, 0).ready.size(), 2u);
  EXPECT_TRUE(manta::Wait(std::vector<manta::ObjectRef<int>>(), 0).ready.empty());
}

TEST(Wait, ReturnsWhatIsDoneWhenTimeIsUp) {
  Gate gate;
  const std::vector refs{manta::Put(0), Behind(gate, 1)};

  const auto early = manta::Wait(refs, 2, 10ms);
  gate.Open();
  const auto late = manta::Wait(refs, 2, api_test::kPatience);

  EXPECT_EQ(early.ready, (std::vector{refs[0]}));
  EXPECT_EQ(late.ready, refs);
}

TEST(Wait, ForMoreThanThereAreIsAUsageError) {
  EXPECT_THROW(static_cast<void>(manta::Wait(std::vector{manta::Put(1)}, 2)), manta::UsageError);
}

TEST(Wait, MovesNoData) {
  const auto far = manta::Task([] { return std::vector<double>(100'000, 1.0); }).SetRank(manta::NumRanks() - 1).Remote();
  static_cast<void>(manta::Wait(std::vector{far}));
  const auto before = manta::Stats().bytes_copied_get;

  static_cast<void>(manta::Wait(std::vector{far}));

  EXPECT_EQ(manta::Stats().bytes_copied_get, before);
}

TEST(Wait, InATaskGivesItsTurnToOthers) {
  const auto far = manta::Task([] {
                     std::vector<manta::ObjectRef<int>> refs;
                     for (int i = 0; i < 20; ++i) refs.push_back(manta::Task([](int k) { return k; }).Remote(i));
                     return static_cast<int>(manta::Wait(refs, refs.size()).ready.size());
                   }).SetRank(manta::NumRanks() - 1).Remote();

  EXPECT_EQ(*manta::Get(far), 20);
}

TEST(AsCompleted, YieldsInTheOrderOfCompletion) {
  Gate gates[3];
  const std::vector refs{Behind(gates[0], 10), Behind(gates[1], 11), Behind(gates[2], 12)};
  const std::size_t opened[] = {2, 0, 1};

  auto range = manta::AsCompleted(refs);
  std::size_t at = 0;
  gates[opened[0]].Open();
  for (auto it = range.begin(); it != range.end(); ++it) {
    const auto [index, ref] = *it;
    EXPECT_EQ(index, opened[at]);
    EXPECT_EQ(*manta::Get(ref), 10 + static_cast<int>(index));
    if (++at < 3) gates[opened[at]].Open();
  }

  EXPECT_EQ(at, 3u);
}

TEST(AsCompleted, YieldsEachRefOnceAndFailedOnesToo) {
  std::vector<manta::ObjectRef<int>> refs;
  for (int i = 0; i < 40; ++i)
    refs.push_back(manta::Task([](int k) { return k % 4 == 0 ? throw std::runtime_error("no") : k; }).Remote(i));

  std::set<std::size_t> seen;
  int failed = 0;
  for (auto [index, ref] : manta::AsCompleted(refs)) {
    EXPECT_TRUE(seen.insert(index).second);
    EXPECT_EQ(ref, refs[index]);
    try {
      EXPECT_EQ(*manta::Get(ref), static_cast<int>(index));
    } catch (const manta::TaskError&) {
      ++failed;
    }
  }

  EXPECT_EQ(seen.size(), 40u);
  EXPECT_EQ(failed, 10);
}

TEST(AsCompleted, EndsEarlyWhenTheNextOneIsLate) {
  Gate gate;
  const std::vector refs{Behind(gate, 0), manta::Put(1)};

  int yielded = 0;
  for (auto [index, ref] : manta::AsCompleted(refs, 50ms)) {
    EXPECT_EQ(index, 1u);
    ++yielded;
  }

  EXPECT_EQ(yielded, 1);
}

TEST(AsCompleted, OfNothingIsEmpty) {
  for ([[maybe_unused]] auto one : manta::AsCompleted(std::vector<manta::ObjectRef<int>>())) FAIL();
}

TEST(AsCompleted, YieldsOneRefGivenTwiceTwice) {
  const auto ref = manta::Put(1);

  int yielded = 0;
  for ([[maybe_unused]] auto one : manta::AsCompleted(std::vector{ref, ref})) ++yielded;

  EXPECT_EQ(yielded, 2);
}

}  // namespace
