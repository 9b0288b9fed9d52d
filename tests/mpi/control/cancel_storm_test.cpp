// Thousands of tasks in all states, half of them cancelled at random: each ref ends, as its value or as CancelledError,
// and nothing of them is left.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace {

using control_test::Random;
using namespace std::chrono_literals;

constexpr int kTasks = 10'000;
constexpr auto kLimit = 40s;

int Work(int value, int microseconds) {
  const auto end = control_test::Clock::now() + std::chrono::microseconds(microseconds);
  while (control_test::Clock::now() < end && !manta::Context().IsCancelled()) std::this_thread::yield();
  return value;
}
int Plus(int value, int) { return value; }

TEST(Cancel, OfHalfOfAStormEndsEveryRefAndLeavesNothing) {
  const int ranks = manta::NumRanks();
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t alive = manta::Stats().objects_alive;
    Random random(static_cast<std::uint64_t>(round) + 11);
    int values = 0, cancelled = 0, unexpected = 0;
    {
      std::vector<manta::ObjectRef<int>> refs;
      std::vector<bool> is_cancelled(kTasks), may_fail(kTasks);
      const auto cancel = [&](int index) {
        manta::Cancel(refs[static_cast<std::size_t>(index)]);
        is_cancelled[static_cast<std::size_t>(index)] = true;
      };
      for (int i = 0; i < kTasks; ++i) {
        const int length_us = random.OneIn(10) ? random.Below(300) : 0;
        switch (random.Below(6)) {
          case 0: refs.push_back(manta::Task(Work).SetRank(random.Below(ranks)).Remote(i, length_us)); break;
          case 1: refs.push_back(manta::Task(Work).SetCpus(0).SetRank(random.Below(ranks)).Remote(i, length_us)); break;
          case 2: {  // waits for another, and fails with it
            const int other = refs.empty() ? -1 : random.Below(i);
            if (other < 0) refs.push_back(manta::Task(Plus).Remote(i, 0));
            else refs.push_back(manta::Task(Plus).Remote(i, refs[static_cast<std::size_t>(other)]));
            may_fail[static_cast<std::size_t>(i)] = other >= 0;
            break;
          }
          case 3: refs.push_back(manta::Task(Work).SetCpus(0.5).Remote(i, length_us)); break;  // by a lease
          default: refs.push_back(manta::Task(Work).Remote(i, length_us));
        }
        if (random.OneIn(4)) cancel(random.Below(i + 1));  // some run, some are queued here or there, some are done
      }
      for (int i = 0; i < kTasks; ++i)
        if (random.OneIn(3)) cancel(random.Below(kTasks));

      for (int i = 0; i < kTasks; ++i) {
        const auto at = static_cast<std::size_t>(i);
        try {
          ASSERT_EQ(*manta::Get(refs[at], kLimit), i);
          ++values;
        } catch (const manta::CancelledError&) {
          ++cancelled;
          if (!is_cancelled[at] && !may_fail[at]) ++unexpected;
        } catch (const manta::TimeoutError& error) {
          FAIL() << "round " << round << ", task " << i << " never ended: " << error.what();
        }
      }
    }
    manta::Drain();

    EXPECT_EQ(values + cancelled, kTasks);
    EXPECT_EQ(unexpected, 0) << "tasks that nobody cancelled";
    EXPECT_GT(cancelled, kTasks / 10);
    std::uint64_t left = 0;
    EXPECT_TRUE(control_test::Eventually([&] { return (left = manta::Stats().objects_alive) <= alive; }, 10s))
        << left << " objects alive after round " << round << ", " << alive << " before";
  }
}

}  // namespace
