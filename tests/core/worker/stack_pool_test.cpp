#include "core/worker/stack_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

namespace manta::worker {
namespace {

TEST(StackPool, GivesStacksThatDoNotOverlap) {
  StackPool pool;
  std::vector<Stack> stacks;
  for (int i = 0; i < 200; ++i) stacks.push_back(pool.Take());

  std::set<std::byte*> lows;
  for (const Stack& stack : stacks) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(stack.top()) % 4096, 0u);
    *stack.low = std::byte{1};
    stack.top()[-1] = std::byte{2};
    lows.insert(stack.low);
  }
  EXPECT_EQ(lows.size(), stacks.size());
  std::byte* before = nullptr;
  for (std::byte* low : lows) {
    if (before != nullptr) {
      EXPECT_GE(low - before, static_cast<std::ptrdiff_t>(StackPool::kStackBytes));
    }
    before = low;
  }
}

TEST(StackPool, UsesAStackAgainWithItsMemoryGivenBack) {
  StackPool pool;
  const Stack first = pool.Take();
  std::memset(first.top() - 4096, 7, 4096);

  pool.GiveBack(first);
  const Stack second = pool.Take();

  EXPECT_EQ(second.low, first.low);
  EXPECT_EQ(second.top()[-1], std::byte{0});
}

TEST(StackPoolDeathTest, StopsAnOverflowAtTheGuardPage) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers report the fault in their own way";
#endif
  StackPool pool;
  const Stack stack = pool.Take();

  EXPECT_EXIT(*static_cast<volatile std::byte*>(stack.low - 1) = std::byte{1}, ::testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace manta::worker
