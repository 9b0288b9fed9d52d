#include "core/node/fences.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace manta::node {
namespace {

TEST(Fences, AreRegisteredOnceAndForAll) {
  const bool first = RegisterForHeavyFences();

  EXPECT_EQ(RegisterForHeavyFences(), first);
}

TEST(Fences, OneOfTwoSeesTheOther) {
  if (!RegisterForHeavyFences()) GTEST_SKIP() << "this kernel has no MEMBARRIER_CMD_GLOBAL_EXPEDITED";
  constexpr int kRounds = 20'000;
  std::atomic<int> light{0}, heavy{0}, both_blind{0};
  std::atomic<int> light_round{0}, heavy_round{0}, light_saw{0}, heavy_saw{0};
  const auto meet = [](std::atomic<int>& mine, const std::atomic<int>& its, int round) {
    mine.store(round, std::memory_order_release);
    while (its.load(std::memory_order_acquire) < round) std::this_thread::yield();
  };

  std::thread often([&] {
    for (int i = 1; i <= kRounds; ++i) {
      meet(light_round, heavy_round, 2 * i);
      light.store(i, std::memory_order_relaxed);
      LightFence();
      light_saw.store(heavy.load(std::memory_order_relaxed), std::memory_order_relaxed);
      meet(light_round, heavy_round, 2 * i + 1);
    }
  });
  for (int i = 1; i <= kRounds; ++i) {
    meet(heavy_round, light_round, 2 * i);
    heavy.store(i, std::memory_order_relaxed);
    HeavyFence();
    heavy_saw.store(light.load(std::memory_order_relaxed), std::memory_order_relaxed);
    meet(heavy_round, light_round, 2 * i + 1);
    if (light_saw.load() != i && heavy_saw.load() != i) both_blind.fetch_add(1);
  }
  often.join();

  EXPECT_EQ(both_blind.load(), 0);
}

}  // namespace
}  // namespace manta::node
