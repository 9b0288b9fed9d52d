// Tasks that wait, in numbers and sizes that stacks must bear. Runs with one executor a rank, so that its tasks share a
// thread.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using api_test::Gate;

using IntRef = manta::ObjectRef<int>;

#if defined(__SANITIZE_THREAD__)
constexpr int kParked = 1'000;  // a fiber is a thread to it, and it can count to 8,000
constexpr int kDepth = 1'000;
#else
constexpr int kParked = 100'000;
constexpr int kDepth = 10'000;
#endif
constexpr std::chrono::seconds kPatience{60};

int LastRank() { return manta::NumRanks() - 1; }

IntRef Behind(const Gate& gate) { return manta::Task(api_test::ValueBehindGate).SetCpus(0).Remote(gate.path(), 1); }

/// A line of /proc/self/status, in bytes.
std::size_t StatusBytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ':')) return std::stoul(line.substr(name.size() + 1)) << 10;
  return 0;
}

std::size_t CountMappings() {
  std::ifstream maps("/proc/self/maps");
  return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
}

std::atomic<int> started{0};  // of this rank

int GetAndAdd(std::vector<IntRef> slow, int number) {
  started.fetch_add(1);
  return *manta::Get(slow.front()) + number;
}

struct Use {
  int started = 0;
  std::size_t memory_bytes = 0, mappings = 0;
};

/// What the rank takes while all but this task wait there.
Use UseOfRank() { return {started.load(), StatusBytes("VmHWM") + StatusBytes("VmPTE"), CountMappings()}; }

TEST(Fibers, HoldAHundredThousandTasksThatWait) {
  Gate gate;
  const IntRef slow = Behind(gate);
  const Use before = *manta::Get(manta::Task(UseOfRank).SetRank(LastRank()).Remote());
  std::vector<IntRef> tasks;
  for (int i = 0; i < kParked; ++i)
    tasks.push_back(manta::Task(GetAndAdd).SetRank(LastRank()).Remote(std::vector{slow}, i));
  Use use;
  ASSERT_TRUE(api_test::Eventually(
      [&] {
        use = *manta::Get(manta::Task(UseOfRank).SetRank(LastRank()).Remote());
        return use.started - before.started == kParked;
      },
      kPatience));

  gate.Open();
  for (int i = 0; i < kParked; ++i) ASSERT_EQ(*manta::Get(tasks[static_cast<std::size_t>(i)], kPatience), i + 1);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(use.memory_bytes, std::size_t{2} << 30);
  EXPECT_LT((use.memory_bytes - before.memory_bytes) / kParked, 16u << 10);
  EXPECT_LT(use.mappings, 40'000u);  // of 65,530; a few where the system has guards that split nothing
#endif
}

int Depth(int n) { return n == 0 ? 0 : *manta::Get(manta::Task(Depth).Remote(n - 1)) + 1; }
int DepthOverRanks(int n) {
  if (n == 0) return 0;
  return *manta::Get(manta::Task(DepthOverRanks).SetRank(n % manta::NumRanks()).Remote(n - 1)) + 1;
}
/// Its child can't run in place: its argument comes later.
int DepthByParking(int n) {
  if (n == 0) return 0;
  const auto later = manta::Task([] { return 0; }).SetCpus(0).Remote();
  return *manta::Get(manta::Task([](int, int m) { return DepthByParking(m); }).Remote(later, n - 1)) + 1;
}

TEST(Fibers, RecurseToAnyDepth) {
  EXPECT_EQ(*manta::Get(manta::Task(Depth).SetRank(LastRank()).Remote(kDepth), kPatience), kDepth);
  EXPECT_EQ(*manta::Get(manta::Task(DepthOverRanks).Remote(kDepth), kPatience), kDepth);
  EXPECT_EQ(*manta::Get(manta::Task(DepthByParking).SetRank(LastRank()).Remote(kDepth), kPatience), kDepth);
}

/// Touches all of its 4 MiB.
__attribute__((noinline)) int WithLargeLocals(int seed) {
  volatile unsigned char bytes[4u << 20];
  for (std::size_t i = 0; i < sizeof(bytes); i += 512) bytes[i] = static_cast<unsigned char>(seed);
  return bytes[0] + bytes[sizeof(bytes) - 512];
}
int WithLargeLocalsBelow(int depth) {
  if (depth == 0) return WithLargeLocals(3);
  return *manta::Get(manta::Task(WithLargeLocalsBelow).Remote(depth - 1));
}
int WithLargeLocalsOverAWait(std::vector<IntRef> slow, int seed) {
  volatile unsigned char bytes[4u << 20];
  for (std::size_t i = 0; i < sizeof(bytes); i += 512) bytes[i] = static_cast<unsigned char>(seed);
  const int got = *manta::Get(slow.front());
  int wrong = 0;
  for (std::size_t i = 0; i < sizeof(bytes); i += 512) wrong += bytes[i] != static_cast<unsigned char>(seed);
  return wrong + got;
}

TEST(Fibers, HaveRoomForFourMebibytesOfLocals) {
  EXPECT_EQ(*manta::Get(manta::Task(WithLargeLocals).SetRank(LastRank()).Remote(1), kPatience), 2);
  for (const int depth : {1, 100, 5'000})
    EXPECT_EQ(*manta::Get(manta::Task(WithLargeLocalsBelow).SetRank(LastRank()).Remote(depth), kPatience), 6)
        << "in place, " << depth << " tasks deep";
  Gate gate;
  const IntRef slow = Behind(gate);
  std::vector<IntRef> tasks;
  for (int i = 0; i < 5; ++i)
    tasks.push_back(manta::Task(WithLargeLocalsOverAWait).SetRank(LastRank()).Remote(std::vector{slow}, i));
  gate.Open();
  for (const IntRef& task : tasks) EXPECT_EQ(*manta::Get(task, kPatience), 1);
}

/// Each handles its own exception while hundreds of others on its thread throw, catch and wait.
std::string RethrowAfterWait(std::vector<IntRef> slow, int number) {
  try {
    try {
      throw std::runtime_error("exception " + std::to_string(number));
    } catch (const std::runtime_error&) {
      started.fetch_add(1);
      manta::Get(slow.front());
      throw;
    }
  } catch (const std::runtime_error& error) {
    return std::string(error.what()) + (std::uncaught_exceptions() == 0 ? "" : " and another");
  }
}

TEST(Fibers, KeepTheirExceptionsAmongHundreds) {
  Gate gate;
  const IntRef slow = Behind(gate);
  std::vector<manta::ObjectRef<std::string>> tasks;
  for (int i = 0; i < 300; ++i)
    tasks.push_back(manta::Task(RethrowAfterWait).SetRank(LastRank()).Remote(std::vector{slow}, i));
  gate.Open();
  for (std::size_t i = 0; i < tasks.size(); ++i)
    EXPECT_EQ(*manta::Get(tasks[i], kPatience), "exception " + std::to_string(i));
}

}  // namespace
