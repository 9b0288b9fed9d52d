#include "core/worker/fiber.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/core/worker/fiber_loop.hpp"

namespace manta::worker {
namespace {

using testing::FiberLoop;

#if defined(__SANITIZE_THREAD__)
constexpr int kManyFlows = 500;  // a flow is a thread to it, and it can count to 8,000
#else
constexpr int kManyFlows = 10'000;
#endif

struct Fibers : ::testing::Test {
  StackPool stacks;
  FiberLoop loop{stacks};
  std::vector<std::string> log;
};

TEST_F(Fibers, RunTheNextTaskWhileOneIsParked) {
  FiberWait wait(loop);
  loop.Add([&] {
    log.push_back("first waits");
    EXPECT_TRUE(loop.Park(wait));
    log.push_back("first goes on");
  });
  loop.Add([&] {
    log.push_back("second");
    wait.Signal();
    log.push_back("second ends");
  });

  loop.Run();

  EXPECT_EQ(log, (std::vector<std::string>{"first waits", "second", "second ends", "first goes on"}));
  EXPECT_EQ(loop.parked(), 0u);
}

TEST_F(Fibers, ResumeInTheOrderOfTheSignals) {
  std::vector<std::unique_ptr<FiberWait>> waits;
  for (int i = 0; i < 4; ++i) waits.push_back(std::make_unique<FiberWait>(loop));
  for (int i = 0; i < 4; ++i) {
    loop.Add([&, i] {
      loop.Park(*waits[static_cast<std::size_t>(i)]);
      log.push_back(std::to_string(i));
    });
  }
  loop.Add([&] {
    for (std::size_t i : {2u, 0u, 3u, 1u}) waits[i]->Signal();
  });

  loop.Run();

  EXPECT_EQ(log, (std::vector<std::string>{"2", "0", "3", "1"}));
}

TEST_F(Fibers, DoNotParkForASignalThatCameBefore) {
  loop.Add([&] {
    FiberWait wait(loop);
    wait.Signal();
    log.push_back("signaled");
    EXPECT_TRUE(loop.Park(wait));
    log.push_back("went on");
  });
  loop.Add([&] { log.push_back("next"); });

  loop.Run();

  EXPECT_EQ(log, (std::vector<std::string>{"signaled", "went on", "next"}));
}

TEST_F(Fibers, ParkTheSameFlowManyTimes) {
  FiberWait* current = nullptr;
  int rounds = 0;
  bool done = false;
  loop.Add([&] {
    for (; rounds < 1000; ++rounds) {
      FiberWait wait(loop);
      current = &wait;
      EXPECT_TRUE(loop.Park(wait));
    }
    done = true;
  });
  std::function<void()> signal = [&] {
    if (done) return;
    current->Signal();
    loop.Add(signal);
  };
  loop.Add(signal);

  loop.Run();

  EXPECT_EQ(rounds, 1000);
}

TEST_F(Fibers, KeepTheExceptionThatEachFlowHandles) {
  FiberWait first(loop), second(loop);
  auto rethrow = [&](FiberWait& wait, const std::string& text) {
    try {
      try {
        throw std::runtime_error(text);
      } catch (const std::runtime_error& caught) {
        loop.Park(wait);
        EXPECT_EQ(caught.what(), text);
        throw;
      }
    } catch (const std::runtime_error& again) {
      log.push_back(again.what());
    }
    EXPECT_EQ(std::current_exception(), nullptr);
  };
  loop.Add([&] { rethrow(first, "first's own"); });
  loop.Add([&] { rethrow(second, "second's own"); });
  loop.Add([&] {
    EXPECT_EQ(std::current_exception(), nullptr) << "a new flow handles nothing";
    first.Signal();  // in the order in which the flat list of one thread would give the wrong one
    second.Signal();
  });

  loop.Run();

  EXPECT_EQ(log, (std::vector<std::string>{"first's own", "second's own"}));
}

TEST_F(Fibers, KeepTheCountOfExceptionsInFlight) {
  FiberWait wait(loop);
  struct ParksInDestructor {
    FiberLoop& loop;
    FiberWait& wait;
    ~ParksInDestructor() {
      EXPECT_EQ(std::uncaught_exceptions(), 1);
      loop.Park(wait);
      EXPECT_EQ(std::uncaught_exceptions(), 1);
    }
  };
  loop.Add([&] {
    try {
      ParksInDestructor guard{loop, wait};
      throw std::logic_error("in flight");
    } catch (const std::logic_error&) {
      log.push_back("caught");
    }
    EXPECT_EQ(std::uncaught_exceptions(), 0);
  });
  loop.Add([&] {
    EXPECT_EQ(std::uncaught_exceptions(), 0);
    wait.Signal();
  });

  loop.Run();

  EXPECT_EQ(log, std::vector<std::string>{"caught"});
}

TEST_F(Fibers, KeepErrnoAndTheOwnersPointer) {
  FiberWait wait(loop);
  int mine = 0, other = 0;
  loop.Add([&] {
    loop.flow_data() = &mine;
    errno = ENOENT;
    loop.Park(wait);
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(loop.flow_data(), &mine);
  });
  loop.Add([&] {
    EXPECT_EQ(loop.flow_data(), nullptr);
    loop.flow_data() = &other;
    errno = EPERM;
    wait.Signal();
  });

  loop.Run();
}

thread_local std::uint64_t device = 7;

TEST_F(Fibers, KeepWhatOthersAskedFor) {
  FiberThread::KeepAcrossParks([] { return device; }, [](std::uint64_t value) { device = value; });
  FiberWait wait(loop);
  loop.Add([&] {
    device = 1;
    loop.Park(wait);
    EXPECT_EQ(device, 1u);
  });
  loop.Add([&] {
    EXPECT_EQ(device, 7u) << "a new flow begins with what the thread had";
    device = 2;
    wait.Signal();
  });

  loop.Run();

  EXPECT_EQ(device, 7u);
}

TEST_F(Fibers, KnowTheThreadTheyRunOn) {
  EXPECT_EQ(FiberThread::Current(), nullptr);
  FiberWait wait(loop);
  loop.Add([&] {
    EXPECT_EQ(FiberThread::Current(), &loop);
    loop.Park(wait);
    EXPECT_EQ(FiberThread::Current(), &loop);
  });
  loop.Add([&] { wait.Signal(); });

  loop.Run();

  EXPECT_EQ(FiberThread::Current(), nullptr);
}

TEST_F(Fibers, WakeAtTheirDeadlineEarliestFirst) {
  FiberWait late(loop), early(loop), never(loop);
  auto wait_until = [&](FiberWait& wait, std::int64_t deadline_ns, const char* name) {
    EXPECT_FALSE(loop.Park(wait, deadline_ns));
    log.push_back(name);
  };
  loop.Add([&] { wait_until(late, 200, "late"); });
  loop.Add([&] { wait_until(early, 100, "early"); });
  loop.Add([&] {
    EXPECT_TRUE(loop.Park(never, 1'000'000));
    log.push_back("signaled in time");
  });
  loop.Add([&] { loop.now_ns = 99; });
  loop.Add([&] {
    EXPECT_TRUE(log.empty());
    loop.now_ns = 200;
  });
  std::function<void()> after = [&] {
    if (log.size() < 2) return loop.Add(after);
    never.Signal();
  };
  loop.KeepOpen();
  std::thread helper([&] {
    while (loop.idle_rounds == 0) std::this_thread::yield();
    loop.Add(after);
    loop.Close();
  });

  loop.Run();
  helper.join();

  EXPECT_EQ(log, (std::vector<std::string>{"early", "late", "signaled in time"}));
}

TEST_F(Fibers, TakeASignalAfterTheDeadlineWithoutHarm) {
  FiberWait wait(loop);
  loop.Add([&] {
    EXPECT_FALSE(loop.Park(wait, 10));
    log.push_back("timed out");
  });
  loop.Add([&] { loop.now_ns = 10; });

  loop.Run();
  wait.Signal();

  EXPECT_TRUE(wait.signaled());
  EXPECT_EQ(log, std::vector<std::string>{"timed out"});
}

TEST_F(Fibers, EndTheThreadOnlyWhenNothingIsParked) {
  FiberWait wait(loop);
  bool went_on = false;
  loop.Add([&] {
    loop.Park(wait);
    went_on = true;
  });
  std::thread signaler([&] {
    while (loop.idle_rounds == 0) std::this_thread::yield();  // the queue is empty, the flow is parked
    wait.Signal();
  });

  loop.Run();
  signaler.join();

  EXPECT_TRUE(went_on);
}

TEST_F(Fibers, RunAgainAfterTheirLoopHasEnded) {
  for (int round = 0; round < 3; ++round) {
    FiberWait first(loop), second(loop);
    loop.Add([&] { loop.Park(first); });
    loop.Add([&] { loop.Park(second); });
    loop.Add([&] {
      first.Signal();
      second.Signal();
      log.push_back("round");
    });

    loop.Run();
  }

  EXPECT_EQ(log.size(), 3u);
}

std::size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

TEST_F(Fibers, TakeLittleMemoryEachWhenThousandsAreParked) {
  std::vector<std::unique_ptr<FiberWait>> waits;
  for (int i = 0; i < kManyFlows; ++i) waits.push_back(std::make_unique<FiberWait>(loop));
  const std::size_t before = ResidentBytes();
  int resumed = 0;
  for (int i = 0; i < kManyFlows; ++i) {
    loop.Add([&, i] {
      loop.Park(*waits[static_cast<std::size_t>(i)]);
      ++resumed;
    });
  }
  std::size_t parked = 0, grown = 0;
  loop.Add([&] {
    parked = loop.parked();
    grown = ResidentBytes() - before;
    for (auto& wait : waits) wait->Signal();
  });

  loop.Run();

  EXPECT_EQ(parked, static_cast<std::size_t>(kManyFlows));
  EXPECT_EQ(resumed, kManyFlows);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(grown / kManyFlows, 16u << 10);
#endif
}

TEST_F(Fibers, GiveStacksBackAfterABurst) {
  constexpr std::size_t kTouched = 64u << 10;
  const int flows = std::min(kManyFlows, 1000);
  std::vector<std::unique_ptr<FiberWait>> waits;
  std::atomic<std::size_t> resident = 0;
  std::size_t at_end = 0;
  for (int i = 0; i < flows; ++i) {
    waits.push_back(std::make_unique<FiberWait>(loop));
    loop.Add([&, i] {
      volatile char used[kTouched];
      for (std::size_t at = 0; at < kTouched; at += 1024) used[at] = used[0];
      loop.Park(*waits[static_cast<std::size_t>(i)]);
    });
  }
  loop.Add([&] {
    resident = ResidentBytes();
    for (auto& wait : waits) wait->Signal();
  });
  loop.KeepOpen();
  std::thread clock([&] {
    while (resident == 0) std::this_thread::yield();
    for (int i = 0; i < 100; ++i) {
      loop.now_ns += 20'000'000;
      loop.Add([] {});  // it looks at the clock after this
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    loop.Add([&] { at_end = ResidentBytes(); });
    loop.Close();
  });

  loop.Run();
  clock.join();

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(at_end + static_cast<std::size_t>(flows) * kTouched / 2, resident);
#endif
}

__attribute__((noinline)) int Recurse(FiberLoop& loop, int depth, std::size_t* least_left) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  *least_left = std::min(*least_left, loop.StackLeft());
  const int below = depth == 0 ? 0 : Recurse(loop, depth - 1, least_left);
  return below + (frame[0] == static_cast<char>(depth) ? 1 : 0);
}

TEST_F(Fibers, RecurseDeeplyOnEveryStack) {
  FiberWait wait(loop);
  std::size_t at_start = 0, least_left = ~std::size_t{0};
  int frames = 0;
  loop.Add([&] { loop.Park(wait); });  // puts the thread's own stack aside
  loop.Add([&] {
    at_start = loop.StackLeft();
    frames = Recurse(loop, 3000, &least_left);
    wait.Signal();
  });

  loop.Run();

  EXPECT_EQ(frames, 3001);
  EXPECT_GT(at_start, StackPool::kStackBytes - StackPool::kRedZoneBytes - (16u << 10));
  EXPECT_LT(at_start, StackPool::kStackBytes);
  EXPECT_LT(least_left, at_start - 3000 * 1024);
  EXPECT_GT(least_left, 1u << 20);
}

// A sanitizer tells of a fault in its own way, and its frames are larger.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
using FibersDeathTest = Fibers;

/// Just past the end of the stack: what is below is another one.
__attribute__((noinline)) int Overrun(FiberLoop& loop) {
  volatile char frame[512];
  frame[0] = 1;
  return loop.StackLeft() == 0 ? frame[0] : Overrun(loop) + frame[0];
}

void OverrunWith(StackPool::Guards guards) {
  StackPool stacks(guards);
  FiberLoop loop(stacks);
  FiberWait wait(loop);
  loop.Add([&] {
    EXPECT_GT(Overrun(loop), 1000);
    loop.Park(wait);
  });
  loop.Run();
}

TEST_F(FibersDeathTest, SayThatAGuardWasHit) {
  EXPECT_EXIT(OverrunWith({true, 16'000}), ::testing::KilledBySignal(SIGSEGV), "manta: stack overflow: .* 8 MiB");
  EXPECT_EXIT(OverrunWith({false, 16'000}), ::testing::KilledBySignal(SIGSEGV), "manta: stack overflow");
}

TEST_F(FibersDeathTest, SayThatAStackWithoutGuardWasOverrun) {
  EXPECT_EXIT(OverrunWith({false, 0}), ::testing::KilledBySignal(SIGABRT), "manta: stack overflow");
}

TEST_F(FibersDeathTest, LeaveOtherFaultsToTheHandlerFromBefore) {
  auto fault = [] {
    std::signal(SIGSEGV, [](int) { ::_exit(33); });
    StackPool stacks;
    FiberLoop loop(stacks);
    loop.Add([] { ::raise(SIGSEGV); });
    loop.Run();
  };
  EXPECT_EXIT(fault(), ::testing::ExitedWithCode(33), "^$");
  auto sent = [] {
    std::signal(SIGSEGV, SIG_DFL);
    StackPool stacks;
    FiberLoop loop(stacks);
    loop.Add([] { ::raise(SIGSEGV); });
    loop.Run();
  };
  EXPECT_EXIT(sent(), ::testing::KilledBySignal(SIGSEGV), "^$");
}
#endif

TEST_F(Fibers, LoseNoSignalOfOtherThreads) {
  constexpr int kSignalers = 3, kTasks = 600;
  std::mutex mutex;
  std::vector<FiberWait*> open;  // guarded by mutex
  std::atomic<bool> stop{false};
  int resumed = 0;
  for (int i = 0; i < kTasks; ++i) {
    loop.Add([&] {
      for (int round = 0; round < 3; ++round) {
        FiberWait wait(loop);
        {
          std::lock_guard lock(mutex);
          open.push_back(&wait);
        }
        EXPECT_TRUE(loop.Park(wait));
      }
      ++resumed;
    });
  }
  std::vector<std::thread> signalers;
  for (unsigned seed = 0; seed < kSignalers; ++seed) {
    signalers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!stop) {
        FiberWait* wait = nullptr;
        {
          std::lock_guard lock(mutex);
          if (!open.empty()) {
            std::swap(open[random() % open.size()], open.back());
            wait = open.back();
            open.pop_back();
          }
        }
        if (wait != nullptr) wait->Signal();
        else std::this_thread::yield();
      }
    });
  }

  loop.Run();
  stop = true;
  for (auto& signaler : signalers) signaler.join();

  EXPECT_EQ(resumed, kTasks);
}

TEST_F(Fibers, DecideOnceBetweenASignalAndTheDeadline) {
  // Signals from another thread race with a clock that passes every deadline at once.
  constexpr int kTasks = 400;
  std::mutex mutex;
  std::vector<std::shared_ptr<FiberWait>> open;  // guarded by mutex; shared, for a late signal needs the wait still
  int ended = 0;
  loop.now_ns = 0;
  for (int i = 0; i < kTasks; ++i) {
    loop.Add([&, i] {
      auto wait = std::make_shared<FiberWait>(loop);
      {
        std::lock_guard lock(mutex);
        open.push_back(wait);
      }
      loop.Park(*wait, i % 7);
      ++ended;
    });
  }
  std::thread signaler([&] {
    for (int signaled = 0; signaled < kTasks;) {
      std::shared_ptr<FiberWait> wait;
      {
        std::lock_guard lock(mutex);
        if (!open.empty()) {
          wait = open.back();
          open.pop_back();
        }
      }
      if (wait) {
        wait->Signal();
        ++signaled;
      }
      loop.now_ns.fetch_add(1);
    }
  });

  loop.Run();
  signaler.join();

  EXPECT_EQ(ended, kTasks);
}

}  // namespace
}  // namespace manta::worker
