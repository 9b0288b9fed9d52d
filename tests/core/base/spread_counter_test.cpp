#include "core/base/spread_counter.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace manta::base {
namespace {

TEST(SpreadCounter, AddsUpWhatOneThreadCounts) {
  SpreadCounter counter;

  counter.Add();
  counter.Add(41);

  EXPECT_EQ(counter.Sum(), 42u);
}

TEST(SpreadCounter, LosesNothingOfMoreThreadsThanItHasPlaces) {
  constexpr int kThreads = 40, kAdds = 2'000;
  SpreadCounter counter;
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;

  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&] {
      counter.Add();
      // All are there at once, so that some must share.
      ready.fetch_add(1);
      while (ready.load() < kThreads) std::this_thread::yield();
      for (int k = 1; k < kAdds; ++k) counter.Add();
    });
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(counter.Sum(), std::uint64_t{kThreads} * kAdds);
}

TEST(SpreadCounter, KeepsWhatThreadsCountedThatAreGone) {
  SpreadCounter counter;

  for (int i = 0; i < 100; ++i) std::thread([&] { counter.Add(); }).join();

  EXPECT_EQ(counter.Sum(), 100u);
}

}  // namespace
}  // namespace manta::base
