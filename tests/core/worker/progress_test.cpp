#include "core/worker/progress.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/core/worker/progress_rig.hpp"

namespace manta::worker {
namespace {

using node::Duty;
using testing::ProgressRig;

TEST(Progress, WaitHandlesTheMessageItWaitsFor) {
  ProgressRig rig;
  rig.transport.Deliver(std::byte{0});

  EXPECT_TRUE(rig.WaitFor(0, 1));

  EXPECT_EQ(rig.handler.last_thread.load(), std::this_thread::get_id());
  EXPECT_EQ(rig.duty(), Duty::kPolled) << "who leaves sees to it that the service thread is on watch";
}

TEST(Progress, WaitEndsByAMessageThatFindsItAsleep) {
  ProgressRig rig;
  std::thread peer([&] {
    EXPECT_TRUE(ProgressRig::Eventually([&] { return rig.duty() == Duty::kArmed; }));
    rig.transport.Deliver(std::byte{0});
  });

  EXPECT_TRUE(rig.WaitFor(0, 1));

  peer.join();
}

TEST(Progress, WaitEndsByAWakeOfAnotherThread) {
  ProgressRig rig;
  std::atomic<bool> flag{false};
  Sleeper& me = Sleeper::OfThisThread();
  std::thread other([&] {
    EXPECT_TRUE(ProgressRig::Eventually([&] { return rig.duty() == Duty::kArmed; }));
    flag = true;
    me.Wake();
  });

  EXPECT_TRUE(rig.progress.Wait(me, [&] { return flag.load(); }, -1));

  other.join();
}

TEST(Progress, WaitEndsAtItsDeadline) {
  ProgressRig rig;
  const std::int64_t start = base::NowNanoseconds();

  EXPECT_FALSE(rig.WaitFor(0, 1, 3'000'000));

  EXPECT_GE(base::NowNanoseconds() - start, 3'000'000);
  EXPECT_EQ(rig.block->spinning.load(), 0);
}

TEST(Progress, WaitEndsAtItsDeadlineUnderAFloodOfMessages) {
  ProgressRig rig;
  std::atomic<bool> stop{false};
  std::thread peer([&] {
    while (!stop) rig.transport.Deliver(std::byte{1});
  });

  EXPECT_FALSE(rig.WaitFor(0, 1, 20'000'000));

  stop = true;
  peer.join();
}

TEST(Progress, WaitWhoseTimeHasPassedAnswersAtOnce) {
  ProgressRig rig;
  Sleeper& me = Sleeper::OfThisThread();

  EXPECT_TRUE(rig.progress.Wait(me, [] { return true; }, 0));
  EXPECT_FALSE(rig.progress.Wait(me, [] { return false; }, 0));
}

TEST(Progress, ASleepingWaitDoesNotCountAsSpinning) {
  ProgressRig rig;
  std::int32_t spinning = -1;
  std::thread peer([&] {
    EXPECT_TRUE(ProgressRig::Eventually([&] { return rig.duty() == Duty::kArmed && rig.block->spinning == 0; }));
    spinning = rig.block->spinning;
    rig.transport.Deliver(std::byte{0});
  });

  EXPECT_TRUE(rig.WaitFor(0, 1));

  peer.join();
  EXPECT_EQ(spinning, 0);
  EXPECT_EQ(rig.block->spinning.load(), 0);
}

TEST(Progress, TwoWaitingThreadsEachGetTheirMessages) {
  constexpr int kRounds = 300;
  ProgressRig rig;
  rig.progress.Start();
  std::atomic<int> reached[2]{};
  auto waiter = [&](std::size_t kind) {
    for (int round = 1; round <= kRounds; ++round) {
      ASSERT_TRUE(rig.WaitFor(kind, round)) << "kind " << kind << " round " << round;
      reached[kind] = round;
    }
  };
  std::thread first(waiter, 0), second(waiter, 1);

  for (int round = 1; round <= kRounds; ++round) {
    for (std::size_t kind : {0u, 1u}) rig.transport.Deliver(static_cast<std::byte>(kind));
    // Every third round waits for both, so that they sleep now and then.
    if (round % 3 == 0) {
      ASSERT_TRUE(ProgressRig::Eventually([&] { return reached[0] >= round && reached[1] >= round; })) << round;
    }
  }
  first.join();
  second.join();

  EXPECT_EQ(rig.handler.count[0], kRounds);
  EXPECT_EQ(rig.handler.count[1], kRounds);
}

TEST(Progress, AWaiterWithoutTheTokenIsServedByWhoHasIt) {
  ProgressRig rig;
  rig.progress.Start();  // sees to the door sleeper's message when the other leaves
  std::thread holder([&] { EXPECT_TRUE(rig.WaitFor(1, 1)); });
  EXPECT_TRUE(ProgressRig::Eventually([&] { return rig.duty() == Duty::kArmed; }));
  std::thread second([&] { EXPECT_TRUE(rig.WaitFor(0, 1)); });

  rig.transport.Deliver(std::byte{0});
  second.join();
  rig.transport.Deliver(std::byte{1});
  holder.join();
}

TEST(Progress, HandlersRunUnderTheToken) {
  struct Asks : MessageHandler {
    void OnMessage(Rank, std::span<const std::byte>) override { held = progress->HeldByThisThread(); }
    Progress* progress = nullptr;
    bool held = false;
  } asks;
  testing::LoopbackNetwork network(2);
  node::RankBlock block{};
  testing::RingingTransport transport(network, block);
  Progress progress({std::span(&block, 1), 0, 2, {}, {}}, {&transport}, asks);
  asks.progress = &progress;
  transport.Deliver(std::byte{0});

  EXPECT_EQ(progress.TryPoll(), 1u);

  EXPECT_TRUE(asks.held);
  EXPECT_FALSE(progress.HeldByThisThread());
}

TEST(Progress, MakesUpOnceBeforeAWaitForWhatWasLeft) {
  struct Nothing : MessageHandler {
    void OnMessage(Rank, std::span<const std::byte>) override {}
  } nothing;
  int made_up = 0;
  testing::LoopbackNetwork network(2);
  node::RankBlock block{};
  testing::RingingTransport transport(network, block);
  Progress progress({std::span(&block, 1), 0, 2, {}, {}, [&] { ++made_up; }}, {&transport}, nothing);

  progress.BeforeWait();
  EXPECT_EQ(made_up, 0);
  progress.LeaveForWait();
  progress.LeaveForWait();
  progress.BeforeWait();
  progress.BeforeWait();

  EXPECT_EQ(made_up, 1);
}

TEST(Progress, PollIfDueLooksOnlyWhenSomethingMayHaveCome) {
  int housekeepings = 0;
  ProgressRig rig([&] { ++housekeepings; });

  rig.progress.PollIfDue();
  EXPECT_EQ(housekeepings, 0);
  rig.transport.Deliver(std::byte{2});
  rig.progress.PollIfDue();

  EXPECT_EQ(rig.handler.count[2], 1);
}

TEST(Progress, PollIfDuePushesOutWhatWaits) {
  ProgressRig rig;
  const std::byte what{3};
  rig.transport.Send(Rank(1), std::span(&what, 1));
  EXPECT_FALSE(rig.transport.Flushed());

  rig.progress.PollIfDue();

  EXPECT_TRUE(rig.transport.Flushed());
}

TEST(Progress, HousekeepingRunsWhileAThreadWaits) {
  std::atomic<int> times{0};
  ProgressRig rig([&] { ++times; });

  EXPECT_FALSE(rig.WaitFor(0, 1, 5'000'000));

  EXPECT_GE(times, 1);
  EXPECT_LE(times, 7) << "at most every millisecond";
}

TEST(ProgressService, LooksForMessagesWhenAllThreadsCompute) {
  ProgressRig rig;
  rig.progress.Start();

  rig.transport.Deliver(std::byte{0});

  EXPECT_TRUE(ProgressRig::Eventually([&] { return rig.handler.count[0] == 1; }));
  EXPECT_NE(rig.handler.last_thread.load(), std::this_thread::get_id());
}

TEST(ProgressService, SleepsAtTheDoorAndIsRung) {
  ProgressRig rig;
  rig.progress.Start();

  for (int round = 1; round <= 50; ++round) {
    ASSERT_TRUE(ProgressRig::Eventually([&] { return rig.duty() == Duty::kArmed; }));
    rig.transport.Deliver(std::byte{0});
    ASSERT_TRUE(ProgressRig::Eventually([&] { return rig.handler.count[0] == round; }));
  }
}

TEST(ProgressService, TakesOverFromAThreadThatLeavesToCompute) {
  ProgressRig rig;
  rig.progress.Start();

  for (int round = 1; round <= 100; ++round) {
    rig.transport.Deliver(std::byte{0});
    ASSERT_TRUE(rig.WaitFor(0, round));
    rig.transport.Deliver(std::byte{1});  // nobody waits for it
    ASSERT_TRUE(ProgressRig::Eventually([&] { return rig.handler.count[1] == round; }));
  }
}

TEST(ProgressService, TakesOverFromAThreadThatWasWokenForAnotherReason) {
  ProgressRig rig;
  rig.progress.Start();
  std::atomic<int> wanted{0}, done{0};
  std::atomic<Sleeper*> sleeper{nullptr};
  constexpr int kRounds = 200;
  std::thread waiter([&] {
    Sleeper& me = Sleeper::OfThisThread();
    sleeper = &me;
    for (int round = 1; round <= kRounds; ++round) {
      ASSERT_TRUE(rig.progress.Wait(me, [&] { return wanted >= round; }, -1));
      done = round;
      // Computes until the message that comes meanwhile is handled, by the service thread then.
      ASSERT_TRUE(ProgressRig::Eventually([&] { return rig.handler.count[1] >= round; }));
    }
  });
  ASSERT_TRUE(ProgressRig::Eventually([&] { return sleeper != nullptr; }));

  for (int round = 1; round <= kRounds; ++round) {
    wanted = round;
    sleeper.load()->Wake();
    ASSERT_TRUE(ProgressRig::Eventually([&] { return done == round; }));
    rig.transport.Deliver(std::byte{1});
    ASSERT_TRUE(ProgressRig::Eventually([&] { return rig.handler.count[1] == round; }));
  }
  waiter.join();
}

TEST(ProgressService, TicksOnWhileItIsNeeded) {
  std::atomic<int> ticks{0};
  ProgressRig rig({}, [&] { return ++ticks < 100; });
  rig.progress.Start();

  EXPECT_TRUE(ProgressRig::Eventually([&] { return ticks >= 100; }));
}

TEST(ProgressService, StopsAndStartsAtOnce) {
  ProgressRig rig;
  const std::int64_t start = base::NowNanoseconds();

  for (int round = 0; round < 200; ++round) {
    rig.progress.Start();
    if (round % 2 == 0) rig.transport.Deliver(std::byte{0});
    rig.progress.Stop();
  }

  EXPECT_LT(base::NowNanoseconds() - start, 10'000'000'000) << "a lost wake-up costs a second";
}

struct Backing : ::testing::Test {
  node::RankBlock block{};
  CoreClaim core{block.spinning};
  static constexpr int kCores = 2;
  /// Steps until it says sleep.
  int Steps(Backoff& backoff) {
    int steps = 1;
    while (backoff.Next() != Backoff::Step::kSleep) ++steps;
    return steps;
  }
};

TEST_F(Backing, SpinsWhereACoreIsFreeAndSaysSo) {
  Backoff backoff(std::span(&block, 1), core, kCores);

  EXPECT_EQ(backoff.Next(), Backoff::Step::kAgain);
  EXPECT_EQ(block.spinning.load(), 1);
  EXPECT_GT(Steps(backoff), 1000);

  EXPECT_EQ(block.spinning.load(), 0);
}

TEST_F(Backing, DoesNotSpinWhereAllCoresCompute) {
  block.running = kCores;
  Backoff backoff(std::span(&block, 1), core, kCores);

  const int steps = Steps(backoff);

  EXPECT_EQ(block.spinning.load(), 0);
  EXPECT_LT(steps, 100);
}

TEST_F(Backing, StopsSpinningWhenOthersBeginToCompute) {
  Backoff backoff(std::span(&block, 1), core, kCores);
  backoff.Next();
  block.running = kCores;

  EXPECT_LE(Steps(backoff), 256);
}

TEST_F(Backing, KeepsTheCoreThatTheThreadHasFromComputing) {
  CoreClaim computing(block.running);
  computing.Take();
  Backoff backoff(std::span(&block, 1), computing, kCores);

  EXPECT_EQ(backoff.Next(), Backoff::Step::kAgain);
  EXPECT_EQ(block.running.load(), 1);
  EXPECT_EQ(block.spinning.load(), 0) << "one thread, one core";
  EXPECT_GT(Steps(backoff), 1000);

  EXPECT_EQ(block.running.load(), 0) << "who sleeps has none";
}

TEST_F(Backing, GivesACoreUpSoonWhereOthersNeedIt) {
  CoreClaim computing(block.running);
  computing.Take();
  block.spinning = kCores;
  Backoff backoff(std::span(&block, 1), computing, kCores);

  EXPECT_LE(Steps(backoff), 64);
}

TEST(CoreClaim, CountsOnceAndLeavesNoCountBehind) {
  std::atomic<std::int32_t> count{0};
  {
    CoreClaim core(count);
    core.Take();
    core.Take();
    EXPECT_EQ(count.load(), 1);
  }
  EXPECT_EQ(count.load(), 0);
}

}  // namespace
}  // namespace manta::worker
