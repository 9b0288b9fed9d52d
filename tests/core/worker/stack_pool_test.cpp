#include "core/worker/stack_pool.hpp"

#include <gtest/gtest.h>
#include <manta/error.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
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

TEST(StackPool, GuardsAsManyStacksAsItMayByMprotect) {
  StackPool pool({.install = false, .mprotected = 3});
  int guarded = 0;
  for (int i = 0; i < 100; ++i) guarded += pool.Take().guarded;

  EXPECT_EQ(guarded, 3);
}

TEST(StackPool, SeesWritesBelowAStackWithoutAGuard) {
  StackPool pool({.install = false, .mprotected = 0});
  const Stack stack = pool.Take();
  ASSERT_FALSE(stack.guarded);
  *stack.low = std::byte{1};
  EXPECT_FALSE(RedZoneIsDamaged(stack));

  stack.low[-100] = std::byte{1};

  EXPECT_TRUE(RedZoneIsDamaged(stack));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need the address space themselves
TEST(StackPoolDeathTest, SaysWhenTheAddressSpaceIsUsedUp) {
  auto use_up = [] {
    std::ifstream statm("/proc/self/statm");
    std::size_t pages = 0;
    statm >> pages;
    const rlim_t limit = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (100u << 20);
    const rlimit both{limit, limit};
    ::setrlimit(RLIMIT_AS, &both);
    StackPool pool;
    int taken = 0;
    try {
      for (;; ++taken) pool.Take();
    } catch (const OutOfMemoryError& error) {
      std::fprintf(stderr, "%d stacks, then: %s", taken, error.what());
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(use_up(), ::testing::ExitedWithCode(0), "[1-9][0-9]* stacks, then: .*ulimit -v");
}
#endif

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
