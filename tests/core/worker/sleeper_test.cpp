#include "core/worker/sleeper.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "core/base/clock.hpp"
#include "core/node/doorbell.hpp"

namespace manta::worker {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

TEST(Sleeper, DoesNotSleepAfterAWakeThatCameBefore) {
  Sleeper& me = Sleeper::OfThisThread();
  const std::uint32_t seen = me.Look();

  EXPECT_FALSE(me.Wake()) << "nobody slept, so no system call";
  const std::int64_t start = base::NowNanoseconds();
  me.Sleep(seen, 30 * kSecond);

  EXPECT_TRUE(me.WokenSince(seen));
  EXPECT_LT(base::NowNanoseconds() - start, 10 * kSecond);
}

TEST(Sleeper, WakesWhenTheTimeIsUp) {
  Sleeper& me = Sleeper::OfThisThread();
  const std::uint32_t seen = me.Look();
  const std::int64_t start = base::NowNanoseconds();

  me.Sleep(seen, 2'000'000);

  EXPECT_FALSE(me.WokenSince(seen));
  EXPECT_GE(base::NowNanoseconds() - start, 1'900'000);
}

TEST(Sleeper, IsWokenByAnotherThreadEveryTime) {
  constexpr int kRounds = 2000;
  std::atomic<Sleeper*> sleeper{nullptr};
  std::atomic<int> wanted{0}, done{0};
  std::thread thread([&] {
    Sleeper& me = Sleeper::OfThisThread();
    sleeper = &me;
    while (done < kRounds) {
      const std::uint32_t seen = me.Look();
      if (wanted > done) ++done;
      else me.Sleep(seen, -1);
    }
  });
  while (sleeper == nullptr) std::this_thread::yield();

  for (int i = 0; i < kRounds; ++i) {
    ++wanted;
    sleeper.load()->Wake();
    while (done <= i) std::this_thread::yield();
  }
  thread.join();

  EXPECT_EQ(done, kRounds);
}

TEST(Sleeper, IsWokenAtTheDoorByWakeAndByMessages) {
  constexpr int kRounds = 1000;
  auto block = std::make_unique<node::RankBlock>();
  std::atomic<Sleeper*> sleeper{nullptr};
  std::atomic<int> wanted{0}, done{0};
  std::thread thread([&] {
    Sleeper& me = Sleeper::OfThisThread();
    sleeper = &me;
    while (done < kRounds) {
      const std::uint32_t seen = me.Look();
      const std::uint32_t bell = node::Arm(*block);
      if (wanted > done) ++done;
      else me.SleepAtDoor(seen, *block, bell, -1);
    }
  });
  while (sleeper == nullptr) std::this_thread::yield();

  for (int i = 0; i < kRounds; ++i) {
    ++wanted;
    if (i % 2 == 0) sleeper.load()->Wake();
    else node::RingBell(*block);
    while (done <= i) std::this_thread::yield();
  }
  thread.join();

  EXPECT_EQ(done, kRounds);
}

TEST(Sleeper, IsUsedAgainByALaterThread) {
  Sleeper* first = nullptr;
  Sleeper* second = nullptr;

  std::thread([&] { first = &Sleeper::OfThisThread(); }).join();
  std::thread([&] { second = &Sleeper::OfThisThread(); }).join();

  EXPECT_EQ(first, second);
  EXPECT_NE(first, &Sleeper::OfThisThread());
  EXPECT_FALSE(first->Wake()) << "a late wake finds the record still there";
}

}  // namespace
}  // namespace manta::worker
