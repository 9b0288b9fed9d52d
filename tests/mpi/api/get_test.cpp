// Get: values stay as long as they are held, several come in order, timeouts leave the ref as good as before.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;
using namespace std::chrono_literals;

std::vector<double> Ramp(int size) {
  std::vector<double> values;
  for (int i = 0; i < size; ++i) values.push_back(i);
  return values;
}
int Throws(const std::string& text) { throw std::runtime_error(text); }
void Nothing() {}

TEST(Get, OfATemporaryIsSafeInARangeFor) {
  const auto ref = manta::Task(Ramp).Remote(10'000);

  double sum = 0;
  for (double x : *manta::Get(ref)) sum += x;

  EXPECT_EQ(sum, 49'995'000.0);
}

TEST(Get, GivesAValueThatOutlivesTheRef) {
  auto ref = manta::Put(Ramp(10'000));
  const auto value = manta::Get(ref);

  ref = {};

  EXPECT_EQ(value->back(), 9999.0);
}

TEST(Get, GivesWhatConvertsToASharedPointer) {
  std::shared_ptr<const std::vector<double>> kept = manta::Get(manta::Task(Ramp).Remote(5000));
  std::shared_ptr<const int> small = manta::Get(manta::Put(7));

  EXPECT_EQ(kept->size(), 5000u);
  EXPECT_EQ(*small, 7);
}

TEST(Get, GivesTheSameObjectEachTime) {
  const auto ref = manta::Task(Ramp).SetRank(manta::NumRanks() - 1).Remote(10'000);

  const auto first = manta::Get(ref);
  const auto second = manta::Get(ref);

  EXPECT_EQ(first.get(), second.get());
}

TEST(Get, OfSeveralIsATuple) {
  const auto [number, text, values] = manta::Get(manta::Put(7), manta::Put(std::string("text")), manta::Task(Ramp).Remote(3));

  EXPECT_EQ(*number, 7);
  EXPECT_EQ(*text, "text");
  EXPECT_EQ(values->size(), 3u);
}

TEST(Get, OfAListKeepsItsOrder) {
  std::vector<manta::ObjectRef<std::vector<double>>> refs;
  for (int i = 0; i < 20; ++i) refs.push_back(manta::Task(Ramp).Remote(i));

  const auto values = manta::Get(refs);

  ASSERT_EQ(values.size(), 20u);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(values[i]->size(), i);
}

TEST(Get, OfAListThrowsTheFirstErrorInItsOrder) {
  Gate gate;
  const auto late = manta::Task([](const std::string& path) -> int {
                      api_test::PassGate(path);
                      throw std::runtime_error("first in the list");
                    }).SetCpus(0).Remote(gate.path());
  const auto early = manta::Task(Throws).Remote("second in the list");
  static_cast<void>(manta::Wait(std::vector{early}));
  gate.Open();

  try {
    manta::Get(std::vector{late, early});
    FAIL() << "nothing was thrown";
  } catch (const manta::TaskError& error) {
    EXPECT_EQ(error.message(), "first in the list");
  }
}

TEST(Get, OfAnEmptyListIsEmpty) { EXPECT_TRUE(manta::Get(std::vector<manta::ObjectRef<int>>()).empty()); }

TEST(Get, OfVoidReturnsNothing) {
  const auto ref = manta::Task(Nothing).Remote();

  static_assert(std::is_void_v<decltype(manta::Get(ref))>);
  manta::Get(ref);
  manta::Get(ref, 10s);
  manta::Get(std::vector{ref, ref});
}

TEST(Get, MayBeCalledByManyThreadsAtOnce) {
  const auto values = manta::Task(Ramp).SetRank(manta::NumRanks() - 1).Remote(10'000);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};

  for (int i = 0; i < 4; ++i)
    threads.emplace_back([mine = values, &right, i] {
      for (int k = 0; k < 20; ++k) {
        if (manta::Get(mine)->size() == 10'000 && manta::Get(manta::Task(Ramp).Remote(i + k))->size() == std::size_t(i + k))
          ++right;
      }
    });
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(right, 80);
}

TEST(GetWithATimeout, ThrowsAndTheRefIsAsGoodAsBefore) {
  Gate gate;
  const auto ref = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 5);

  EXPECT_THROW(manta::Get(ref, 10ms), manta::TimeoutError);
  EXPECT_THROW(manta::Get(ref, 0s), manta::TimeoutError);
  EXPECT_THROW(manta::Get(ref, -1s), manta::TimeoutError);
  gate.Open();

  EXPECT_EQ(*manta::Get(ref), 5);
  EXPECT_EQ(*manta::Get(ref, 0s), 5);
}

TEST(GetWithATimeout, CountsForTheWholeList) {
  Gate gate;
  const std::vector refs{manta::Put(1), manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 2)};

  EXPECT_THROW(manta::Get(refs, 10ms), manta::TimeoutError);
  gate.Open();

  EXPECT_EQ(*manta::Get(refs, api_test::kPatience)[1], 2);
}

TEST(GetWithATimeout, InATaskToo) {
  Gate gate;
  const auto slow = manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 5);
  const auto waiter = manta::Task([](manta::ObjectRef<int> ref) {
                        try {
                          return *manta::Get(ref, 10ms);
                        } catch (const manta::TimeoutError&) {
                          return -1;
                        }
                      }).SetRank(manta::NumRanks() - 1).Remote(slow);

  EXPECT_EQ(*manta::Get(waiter), -1);
}

}  // namespace
