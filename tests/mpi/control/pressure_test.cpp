// Back-pressure, with --manta-queue-bytes: who submits faster than tasks end waits, the memory of what is queued
// keeps to the bound, and nobody waits for ever, tasks that submit tasks included.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/mpi/control/support.hpp"

namespace {

using control_test::Clock;
using namespace std::chrono_literals;

constexpr auto kLimit = 50s;
constexpr std::int64_t kBound = 16 << 20;  // --manta-queue-bytes
// Segments, allocator rounding, and what a task needs beside its arguments once it is sent: another bound for each rank
// that tasks wait at, since what was sent ahead lies there.
constexpr std::int64_t kSlack = 24 << 20;

constexpr std::int64_t kCredits = 4096;  // --manta-credits as it is by default

std::int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

std::vector<std::int64_t> ResidentBytesOfRanks() {
  std::vector<std::int64_t> bytes;
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    bytes.push_back(*manta::Get(manta::Task(ResidentBytes).SetCpus(0).SetRank(rank).Remote(), kLimit));
  return bytes;
}

/// 10 ms, or nothing once the gate is open.
std::size_t SlowUntilOpen(const std::string& gate, const std::string& text) {
  if (std::filesystem::exists(gate)) std::this_thread::sleep_for(10ms);
  return text.size();
}

void SubmitForTwoSeconds(const std::string& what, int rank) {
  api_test::Gate gate;
  const std::string text(1000, 'x');
  manta::Get(manta::Task(SlowUntilOpen).Remote(gate.path(), text), kLimit);
  const auto before = ResidentBytesOfRanks();
  const std::uint64_t executed_before = manta::Stats().tasks_executed;
  const auto begin = Clock::now();
  std::int64_t submitted = 0;
  std::atomic<bool> stopped{false};
  std::vector<std::int64_t> most = before;

  // Remote waits on its thread; what is left then is let go by opening the gate, so the watch is kept on another.
  std::thread watch([&] {
    while (control_test::SecondsSince(begin) < 2) {
      std::this_thread::sleep_for(50ms);
      const auto now = ResidentBytesOfRanks();
      for (std::size_t i = 0; i < now.size(); ++i) most[i] = std::max(most[i], now[i]);
    }
    stopped.store(true);
    gate.Open();
  });
  const auto task = rank < 0 ? manta::Task(SlowUntilOpen) : manta::Task(SlowUntilOpen).SetRank(rank);
  for (; !stopped.load(); ++submitted) task.Remote(gate.path(), text);
  watch.join();
  const std::uint64_t executed = manta::Stats().tasks_executed - executed_before;
  manta::Drain();

  std::cout << what << ": " << submitted << " submitted in 2 s";
  for (std::size_t i = 0; i < most.size(); ++i) {
    std::cout << ", rank " << i << " +" << (most[i] - before[i]) / 1024 << " KiB";
    EXPECT_LE(most[i] - before[i], kBound + kSlack) << what << ": rank " << i << " holds more than the bound";
  }
  std::cout << '\n';
  EXPECT_GT(submitted, kBound / 4000) << what << ": it waits long before the bound";
  // Of a task's bytes its text alone takes 1,000; those sent ahead to another rank count no longer.
  const std::int64_t ahead = rank > 0 ? kCredits : 0;
  EXPECT_LE(submitted, static_cast<std::int64_t>(executed) + kBound / 1000 + 1 + ahead) << what << ": it did not wait";
}

TEST(BackPressure, KeepsADriverThatSubmitsForEverWithinTheBound) { SubmitForTwoSeconds("to any rank", -1); }

TEST(BackPressure, KeepsItWithinTheBoundForEachRank) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    SubmitForTwoSeconds("to rank " + std::to_string(rank), rank);
}

std::size_t Length(const std::string& text) { return text.size(); }

/// Submits more than the bound lets lie, and waits for all.
std::size_t SubmitInside(int count, int depth) {
  const std::string text(1000, 'y');
  std::vector<manta::ObjectRef<std::size_t>> refs;
  for (int i = 0; i < count; ++i) {
    if (depth > 0 && i % 100 == 0) refs.push_back(manta::Task(SubmitInside).Remote(count / 20, depth - 1));
    else refs.push_back(manta::Task(Length).Remote(text));
  }
  std::size_t sum = 0;
  for (const auto& value : manta::Get(refs)) sum += *value;
  return sum;
}
std::size_t ExpectedInside(int count, int depth) {
  std::size_t sum = 0;
  for (int i = 0; i < count; ++i) sum += depth > 0 && i % 100 == 0 ? ExpectedInside(count / 20, depth - 1) : 1000;
  return sum;
}

TEST(BackPressure, LetsTasksThatSubmitGoOn) {
  std::vector<manta::ObjectRef<std::size_t>> roots;
  for (int i = 0; i < 2 * manta::NumRanks(); ++i)
    roots.push_back(manta::Task(SubmitInside).SetRank(i % manta::NumRanks()).Remote(20'000, 2));

  for (const auto& root : roots) EXPECT_EQ(*manta::Get(root, kLimit), ExpectedInside(20'000, 2));
}

/// Submits and waits, once its dependants fill the bound.
std::size_t SubmitBehindGate(const std::string& gate, int count) {
  api_test::PassGate(gate);
  return SubmitInside(count, 0);
}

TEST(BackPressure, LetsATaskGoOnWhoseDependantsFillTheBound) {
  api_test::Gate gate;
  const auto first = manta::Task(SubmitBehindGate).SetRank(manta::NumRanks() - 1).Remote(gate.path(), 1000);
  const std::string text(1000, 'w');
  // The driver waits when the bound is full of tasks that can't begin before `first` has ended.
  std::thread opens([&] {
    std::this_thread::sleep_for(1s);
    gate.Open();
  });
  const auto add = [](std::size_t before, const std::string& more) { return before + more.size(); };
  std::vector<manta::ObjectRef<std::size_t>> dependants;
  for (int i = 0; i < 30'000; ++i)
    dependants.push_back(manta::Task(add).Remote(first, text));
  opens.join();

  EXPECT_EQ(*manta::Get(first, kLimit), 1'000'000u);
  for (const auto& value : manta::Get(dependants, kLimit)) ASSERT_EQ(*value, 1'001'000u);
}

TEST(BackPressure, LetsActorsThatSubmitGoOn) {
  struct Boss {
    std::size_t Delegate(int count) { return SubmitInside(count, 1); }
  };
  std::vector<manta::ActorHandle<Boss>> bosses;
  std::vector<manta::ObjectRef<std::size_t>> sums;
  for (int i = 0; i < manta::NumRanks(); ++i) {
    bosses.push_back(manta::Actor<Boss>().SetRank(i).Remote());
    sums.push_back(bosses.back().Task(&Boss::Delegate).Remote(20'000));
  }

  for (const auto& sum : sums) EXPECT_EQ(*manta::Get(sum, kLimit), ExpectedInside(20'000, 1));
}

TEST(BackPressure, LetsSeveralThreadsOfTheDriverGoOn) {
  std::vector<std::thread> threads;
  std::vector<std::size_t> sums(4);
  for (auto& sum : sums) threads.emplace_back([&sum] { sum = SubmitInside(20'000, 0); });
  for (auto& thread : threads) thread.join();

  for (const auto sum : sums) EXPECT_EQ(sum, ExpectedInside(20'000, 0));
}

TEST(BackPressure, ExceedsTheBoundForOneTaskThatIsLargerThanIt) {
  const std::string text(kBound + (1 << 20), 'z');

  const auto ref = manta::Task(Length).SetRank(manta::NumRanks() - 1).Remote(text);

  EXPECT_EQ(*manta::Get(ref, kLimit), text.size());
}

}  // namespace
