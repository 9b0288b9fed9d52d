#include "core/node/doorbell.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "core/node/private_segment.hpp"
#include "tests/core/node/forked_child.hpp"

namespace manta::node {
namespace {

constexpr std::int64_t kLong = 20'000'000'000;

TEST(Doorbell, RingsNobodyWhoPollsOrIsBusy) {
  RankBlock block{};

  EXPECT_FALSE(RingBell(block));
  Disarm(block, Duty::kBusy);
  EXPECT_FALSE(RingBell(block));

  EXPECT_EQ(block.doorbell.load(), 0u);
}

TEST(Doorbell, RingsAnArmedSleeperOnce) {
  RankBlock block{};
  Arm(block);

  EXPECT_TRUE(RingBell(block));
  EXPECT_FALSE(RingBell(block)) << "the first ring is enough";

  EXPECT_EQ(block.duty.load(), Duty::kBusy);
  EXPECT_EQ(block.doorbell.load(), 1u);
}

TEST(Doorbell, DoesNotSleepWhenItWasRungAfterArming) {
  RankBlock block{};

  const std::uint32_t seen = Arm(block);
  RingBell(block);

  EXPECT_TRUE(SleepArmed(block, seen, -1)) << "would sleep for ever";
  EXPECT_EQ(block.duty.load(), Duty::kPolled);
}

TEST(Doorbell, GivesUpWhenItsTimeIsOver) {
  RankBlock block{};

  const std::uint32_t seen = Arm(block);

  EXPECT_FALSE(SleepArmed(block, seen, 1'000'000));
  EXPECT_EQ(block.duty.load(), Duty::kPolled);
}

TEST(Doorbell, CountsPastTheEndOfItsWord) {
  RankBlock block{};
  block.doorbell.store(0xffffffff);

  const std::uint32_t seen = Arm(block);
  RingBell(block);

  EXPECT_EQ(block.doorbell.load(), 0u);
  EXPECT_TRUE(SleepArmed(block, seen, -1));
}

/// Takes `count` messages that another thread or process counts up in `messages`; sleeps when there is none.
bool TakeAll(RankBlock& block, std::atomic<std::uint32_t>& messages, std::uint32_t count,
             std::atomic<std::uint32_t>& taken) {
  std::uint32_t mine = 0;
  while (mine < count) {
    if (messages.load(std::memory_order_acquire) != mine) {
      taken.store(++mine, std::memory_order_release);
      continue;
    }
    const std::uint32_t seen = Arm(block);
    if (messages.load(std::memory_order_relaxed) != mine) {
      Disarm(block, Duty::kPolled);
    } else if (!SleepArmed(block, seen, kLong)) {
      return false;  // a wake-up was lost
    }
  }
  return true;
}

void PutAll(RankBlock& block, std::atomic<std::uint32_t>& messages, std::uint32_t count,
            std::atomic<std::uint32_t>& taken) {
  for (std::uint32_t i = 1; i <= count; ++i) {
    messages.store(i, std::memory_order_release);
    RingBell(block);
    // Every third time the sleeper catches up, so that it sleeps often.
    while (i % 3 == 0 && taken.load(std::memory_order_acquire) < i) std::this_thread::yield();
  }
}

TEST(Doorbell, LosesNoWakeUpBetweenThreads) {
  constexpr std::uint32_t kCount = 20'000;
  auto block = std::make_unique<RankBlock>();
  std::atomic<std::uint32_t> messages{0}, taken{0};
  bool all = false;

  std::thread sleeper([&] { all = TakeAll(*block, messages, kCount, taken); });
  PutAll(*block, messages, kCount, taken);
  sleeper.join();

  EXPECT_TRUE(all);
}

TEST(Doorbell, LosesNoWakeUpBetweenProcesses) {
  constexpr std::uint32_t kCount = 20'000;
  PrivateSegment segment(kPageBytes, PrivateSegment::Sharing::kForkedChildren);
  auto& block = *reinterpret_cast<RankBlock*>(segment.bytes().data());
  auto* words = reinterpret_cast<std::atomic<std::uint32_t>*>(segment.bytes().data() + 2048);

  manta::testing::ForkedChild sleeper([&] { return TakeAll(block, words[0], kCount, words[32]); });
  PutAll(block, words[0], kCount, words[32]);

  EXPECT_TRUE(sleeper.Succeeded());
}

TEST(RankBlock, SumsWhatTheRanksSay) {
  const SegmentLayout layout = SegmentLayout::Compute(3, 0);
  PrivateSegment segment(layout.total);
  BlockOf(segment.bytes(), layout, 0).running.store(2);
  BlockOf(segment.bytes(), layout, 2).running.store(1);
  BlockOf(segment.bytes(), layout, 2).spinning.store(1);

  const NodeLoad load = SumLoad(BlocksOf(segment.bytes(), layout));

  EXPECT_EQ(load.running, 3);
  EXPECT_EQ(load.spinning, 1);
}

}  // namespace
}  // namespace manta::node
