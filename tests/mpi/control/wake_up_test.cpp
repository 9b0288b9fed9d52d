// No wake-up is lost. Walkers on all ranks (tasks, and threads of the driver) call each other through one-CPU tasks,
// 0-CPU tasks, actors and tasks that call on, one at a time and in bursts, with delays of all lengths in between, so
// that ranks fall asleep at every place while something is on its way to them. Each step has five seconds; one that
// takes longer is named. A wake-up that was lost and made good by the limit of a sleep (up to a second) shows as a
// step of about that length: there may be a few, on a machine that does other things too, but not more than one in
// 100,000 steps.
//
// A step is a sleep, or a call that was answered. MANTA_TEST_STEPS says how many there are (1,000,000),
// MANTA_TEST_SEED which walk is taken (1).

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <array>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace wake_up_test {

using control_test::Board;
using control_test::Compute;
using control_test::Random;
using namespace std::chrono_literals;

constexpr auto kDeadline = 5s;
constexpr int kWalkersPerRank = 3;
constexpr int kDriverThreads = 2;
constexpr auto kSlow = 700ms;
constexpr std::uint64_t kStepsPerSlowOne = 100'000;
// Places of the board, to which the walker's is added.
constexpr std::size_t kSlowAt = 1000, kSlowestAt = 2000, kSlowestWhatAt = 3000;

enum What : std::uint8_t { kTask, kZeroCpuTask, kActorCall, kRelay, kBurst, kShortSleep, kLongSleep, kWhats };
constexpr std::array<const char*, kWhats> kNames{
    "a one-CPU task", "a 0-CPU task", "an actor call", "a task that calls on", "a burst", "a short sleep",
    "a long sleep"};

struct Echo {
  int Same(int value, int delay_us) {
    if (delay_us > 0) Compute(std::chrono::microseconds(delay_us));
    return value;
  }
};
using Echoes = std::vector<manta::ActorHandle<Echo>>;

int Same(int value, int delay_us) {
  if (delay_us > 0) Compute(std::chrono::microseconds(delay_us));
  return value;
}

/// Asks a third rank, in a task of this one.
int AskOn(int value, int delay_us, int rank) {
  return *manta::Get(manta::Task(Same).SetCpus(0).SetRank(rank).Remote(value, delay_us), kDeadline);
}

/// What the walker at `place` of the board does now: its step, what, and with which rank.
std::uint64_t Said(std::uint64_t step, int what, int rank) {
  return step << 16 | static_cast<std::uint64_t>(what) << 8 | static_cast<std::uint64_t>(rank);
}
std::string Read(std::uint64_t said, std::size_t place) {
  return "walker " + std::to_string(place) + " at step " + std::to_string(said >> 16) + ": " +
         kNames[said >> 8 & 0xff] + " to rank " + std::to_string(said & 0xff);
}

/// Walks `steps` steps; returns what went wrong, or "".
std::string Walk(const std::string& board_path, std::size_t place, std::uint64_t seed, std::uint64_t steps,
                 Echoes echoes) {
  Board board(board_path);
  Random random(seed * 1000 + place);
  const int ranks = static_cast<int>(echoes.size());
  const auto call = [&](int what, int rank, int value) {
    const int delay_us = random.OneIn(100) ? random.Below(400) : 0;
    switch (what) {
      case kTask: return manta::Task(Same).SetRank(rank).Remote(value, delay_us);
      case kZeroCpuTask: return manta::Task(Same).SetCpus(0).SetRank(rank).Remote(value, delay_us);
      case kActorCall:
        return echoes[static_cast<std::size_t>(rank)].Task(&Echo::Same).Remote(value, delay_us);
      default: return manta::Task(AskOn).SetRank(rank).Remote(value, delay_us, random.Below(ranks));
    }
  };
  for (std::uint64_t step = 0; step < steps;) {
    const int dice = random.Below(1000);
    const int what = dice < 1 ? kLongSleep : dice < 10 ? kShortSleep : dice < 40 ? kBurst : random.Below(kBurst);
    const int rank = random.Below(ranks);
    const auto said = Said(step, what, rank);
    board[place].store(said, std::memory_order_relaxed);
    const auto begin = control_test::Clock::now();
    try {
      if (what == kLongSleep) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1 + random.Below(20)));
        ++step;
      } else if (what == kShortSleep) {
        std::this_thread::sleep_for(std::chrono::microseconds(random.Below(500)));
        ++step;
      } else if (what == kBurst) {
        std::vector<manta::ObjectRef<int>> refs;
        const int count = std::min<int>(2 + random.Below(100), static_cast<int>(steps - step));
        for (int i = 0; i < count; ++i) refs.push_back(call(random.Below(kRelay), random.Below(ranks), i));
        const auto values = manta::Get(refs, kDeadline);
        for (int i = 0; i < count; ++i)
          if (*values[static_cast<std::size_t>(i)] != i) return Read(said, place) + ": a wrong answer";
        step += static_cast<std::uint64_t>(count);
      } else {
        const int value = static_cast<int>(step & 0xffff);
        if (*manta::Get(call(what, rank, value), kDeadline) != value) return Read(said, place) + ": a wrong answer";
        ++step;
      }
    } catch (const std::exception& error) {
      return Read(said, place) + ": " + error.what();
    }
    const std::chrono::nanoseconds took = control_test::Clock::now() - begin;
    if (took > kSlow) board[kSlowAt + place].fetch_add(1, std::memory_order_relaxed);
    if (static_cast<std::uint64_t>(took.count()) > board[kSlowestAt + place].load(std::memory_order_relaxed)) {
      board[kSlowestAt + place].store(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
      board[kSlowestWhatAt + place].store(said, std::memory_order_relaxed);
    }
    if (random.OneIn(200)) Compute(std::chrono::microseconds(random.Below(300)));
  }
  board[place].store(Said(steps, kWhats - 1, 0) | std::uint64_t{1} << 63, std::memory_order_relaxed);
  return "";
}

namespace {

TEST(WakeUps, OfNobodyAreLost) {
  const auto steps = static_cast<std::uint64_t>(control_test::Setting("MANTA_TEST_STEPS", 1'000'000));
  const auto seed = static_cast<std::uint64_t>(control_test::Setting("MANTA_TEST_SEED", 1));
  const int ranks = manta::NumRanks();
  const auto walkers = static_cast<std::size_t>(ranks * kWalkersPerRank + kDriverThreads);
  const std::uint64_t each = steps / walkers + 1;
  Board board;
  Echoes echoes;
  for (int rank = 0; rank < ranks; ++rank) echoes.push_back(manta::Actor<Echo>().SetRank(rank).Remote());
  const auto begin = control_test::Clock::now();

  std::vector<manta::ObjectRef<std::string>> walks;
  for (std::size_t place = kDriverThreads; place < walkers; ++place)
    walks.push_back(manta::Task(Walk).SetCpus(0).SetRank(static_cast<int>(place) % ranks).Remote(
        board.path(), place, seed, each, echoes));
  std::vector<std::string> faults(kDriverThreads);
  std::vector<std::thread> threads;
  for (std::size_t place = 0; place < kDriverThreads; ++place)
    threads.emplace_back([&, place] { faults[place] = Walk(board.path(), place, seed, each, echoes); });

  // A walker that does not even see its own deadline is named here.
  std::vector<std::uint64_t> last(walkers);
  std::vector<control_test::Clock::time_point> since(walkers, begin);
  for (bool all_done = false; !all_done;) {
    all_done = true;
    std::this_thread::sleep_for(100ms);
    for (std::size_t place = 0; place < walkers; ++place) {
      const std::uint64_t said = board[place].load(std::memory_order_relaxed);
      if (said >> 63 != 0) continue;
      all_done = false;
      if (said != last[place]) {
        last[place] = said;
        since[place] = control_test::Clock::now();
      } else if (control_test::SecondsSince(since[place]) > 12) {
        std::cerr << "stuck for 12 s: " << Read(said, place) << std::endl;
        since[place] = control_test::Clock::now();
        ADD_FAILURE() << "stuck: " << Read(said, place);
      }
    }
    if (HasFailure()) break;
    // Walkers that ended with a fault say nothing more.
    if (!manta::Wait(walks, walks.size(), 0s).unready.empty()) continue;
    break;
  }
  for (auto& thread : threads) thread.join();
  for (const auto& fault : faults) EXPECT_EQ(fault, "");
  for (const auto& walk : walks) EXPECT_EQ(*manta::Get(walk, 60s), "");

  std::size_t slowest = 0;
  std::uint64_t slow = 0;
  for (std::size_t place = 0; place < walkers; ++place) {
    slow += board[kSlowAt + place].load();
    if (board[kSlowestAt + place].load() > board[kSlowestAt + slowest].load()) slowest = place;
  }
  const std::string slowest_text = Read(board[kSlowestWhatAt + slowest].load(), slowest) + ", " +
                                   std::to_string(board[kSlowestAt + slowest].load() / 1'000'000) + " ms";
  std::cout << each * walkers << " steps in " << control_test::SecondsSince(begin) << " s; slowest: " << slowest_text
            << '\n';
  EXPECT_LE(slow, 2 + each * walkers / kStepsPerSlowOne) << "steps of over 0.7 s; slowest: " << slowest_text;
}

}  // namespace
}  // namespace wake_up_test
