#include "core/runtime/argument_admission.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/clock.hpp"
#include "core/runtime/wait_point.hpp"
#include "tests/core/runtime/room_node.hpp"

namespace manta::runtime {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kStore = 1000, kLimit = 800;
constexpr std::int64_t kSecond = 1'000'000'000;

/// The ranks of a node.
struct Admissions : ::testing::Test {
  static constexpr int kRanks = 3;
  Admissions() {
    for (int rank = 0; rank < kRanks; ++rank)
      all.push_back(std::make_unique<ArgumentAdmission>(node.blocks(), rank, kStore, *node.at(rank).progress));
  }
  ~Admissions() override {
    EXPECT_EQ(Total(), 0u) << "all is given back";
    EXPECT_EQ(Turn(), 0u);
  }
  ArgumentAdmission& of(int rank) { return *all[static_cast<std::size_t>(rank)]; }
  std::uint64_t Total() {
    std::uint64_t total = 0;
    for (const node::RankBlock& block : node.blocks()) total += block.admitted_bytes.load();
    return total;
  }
  std::uint32_t Turn() { return node.blocks().front().admission_turn.load(); }

  RoomNode node{kRanks, {}};
  std::vector<std::unique_ptr<ArgumentAdmission>> all;
};

TEST_F(Admissions, KnowSmallAndLarge) {
  ArgumentAdmission one(node.blocks(), 0, 64'000, *node.at(0).progress);
  EXPECT_TRUE(one.IsSmall(999));
  EXPECT_FALSE(one.IsSmall(1000));
  EXPECT_FALSE(one.IsLarge(31'999));
  EXPECT_TRUE(one.IsLarge(32'000));
}

TEST_F(Admissions, GoUpToFourFifthsOfTheStoreOnAllRanks) {
  auto first = of(0).TryAdmit(300), second = of(1).TryAdmit(300), third = of(1).TryAdmit(200);
  EXPECT_TRUE(first && second && third);
  for (int rank = 0; rank < kRanks; ++rank) EXPECT_FALSE(of(rank).TryAdmit(1));
  EXPECT_EQ(Total(), kLimit) << "who was refused left nothing";
  auto copy = second;
  second.reset();
  EXPECT_FALSE(of(2).TryAdmit(1)) << "the last copy counts";
  copy.reset();
  EXPECT_FALSE(of(2).TryAdmit(301));
  EXPECT_TRUE(of(2).TryAdmit(300));
}

TEST_F(Admissions, LetOneAloneInWhateverItsSize) {
  {
    const auto large = of(1).TryAdmit(5 * kStore);
    EXPECT_TRUE(large);
    for (int rank = 0; rank < kRanks; ++rank) EXPECT_FALSE(of(rank).TryAdmit(1));
  }
  const auto small = of(0).TryAdmit(1);
  EXPECT_FALSE(of(1).TryAdmit(kLimit));
  EXPECT_FALSE(of(0).TryAdmit(kLimit)) << "of this rank it is the same";
}

TEST_F(Admissions, MayEndBeforeTheirTickets) {
  auto ticket = of(0).TryAdmit(300);
  all.clear();
  EXPECT_EQ(Total(), 300u);
  ticket.reset();
}

TEST_F(Admissions, WaitForRoom) {
  auto first = of(0).TryAdmit(500);
  std::atomic<bool> in{false};
  std::thread waiter([&] {
    const auto entry = of(1).Admit(400, false);
    in = true;
  });
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(in);
  first.reset();
  waiter.join();
  EXPECT_TRUE(in);
}

TEST_F(Admissions, LetNestedOnesInAtOnce) {
  const auto full = of(0).TryAdmit(kLimit);
  node.blocks().front().admission_turn = 2;  // whatever turn it is
  for (int rank = 0; rank < kRanks; ++rank) {
    const auto entry = of(rank).Admit(kLimit, true);
    EXPECT_EQ(Total(), 2 * kLimit);
  }
  EXPECT_EQ(Turn(), 2u);
  node.blocks().front().admission_turn = 0;
}

TEST_F(Admissions, AreOneAtATimeWhileSomebodyHasTheTurn) {
  auto full = of(0).TryAdmit(500);
  std::optional<ArgumentAdmission::Entry> entry;
  std::thread large([&] { entry = of(1).Admit(700, false); });
  const std::int64_t begin = base::NowNanoseconds();
  while (Turn() == 0 && base::NowNanoseconds() - begin < 20 * kSecond) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(Turn(), 2u) << "it has waited for long";
  EXPECT_FALSE(of(2).TryAdmit(1));
  full.reset();
  large.join();
  EXPECT_EQ(Total(), 700u);
  EXPECT_FALSE(of(2).TryAdmit(1)) << "until it has all";

  ArgumentAdmission::Entry moved = std::move(*entry);
  entry.reset();
  EXPECT_EQ(Turn(), 2u) << "the turn went along";
  moved.EndTurn();
  EXPECT_EQ(Turn(), 0u);
  EXPECT_TRUE(of(2).TryAdmit(100));
  EXPECT_FALSE(of(2).TryAdmit(101));
  moved.EndTurn();
  moved = {};
  EXPECT_EQ(Total(), 0u);
}

TEST_F(Admissions, LoseTheTurnWithTheirEntry) {
  auto full = of(0).TryAdmit(500);
  std::thread large([&] {
    const auto entry = of(1).Admit(700, false);
    EXPECT_EQ(Turn(), 2u);
  });
  while (Turn() == 0) std::this_thread::sleep_for(milliseconds(1));
  full.reset();
  large.join();
  EXPECT_EQ(Turn(), 0u);
}

TEST_F(Admissions, GoInAfterASecondOfTheirTurn) {
  const auto held = of(0).TryAdmit(500);
  const std::int64_t begin = base::NowNanoseconds();
  const auto entry = of(1).Admit(700, false);
  EXPECT_GE(base::NowNanoseconds() - begin, kSecond);
  EXPECT_EQ(Turn(), 2u);
  EXPECT_EQ(Total(), 1200u);
}

TEST_F(Admissions, WaitForOthersOnlyWhileThoseMayEnd) {
  struct Hooks final : WaitHooks {
    Hooks() { OfThisThread() = this; }
    ~Hooks() { OfThisThread() = nullptr; }
    bool BeforeWait() override { return false; }
    void AfterWait(bool) override {}
  };
  const std::int64_t now = base::NowNanoseconds(), long_ago = now - 101 * kSecond;
  const auto mine = of(0).TryAdmit(300);
  EXPECT_FALSE(of(0).OthersMayEnd(300, now)) << "nobody else holds any";
  const auto held = of(1).TryAdmit(300);
  EXPECT_TRUE(of(0).OthersMayEnd(300, now));
  EXPECT_FALSE(of(0).OthersMayEnd(300, long_ago)) << "nobody computes";

  std::atomic<std::int32_t>& running = node.blocks()[2].running;
  running = 1;
  EXPECT_TRUE(of(0).OthersMayEnd(300, long_ago)) << "a lane asks, which does not count as running";
  {
    const Hooks executor;
    EXPECT_FALSE(of(0).OthersMayEnd(300, long_ago)) << "who asks is the only one that runs";
    running = 2;
    EXPECT_TRUE(of(0).OthersMayEnd(300, long_ago));
  }
  running = 0;
}

TEST_F(Admissions, DoNotStarveALargeOneForSmallOnes) {
  std::atomic<bool> stop{false};
  std::atomic<int> small{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      while (!stop) {
        const auto entry = of(i % kRanks).Admit(200, false);
        ++small;
        std::this_thread::sleep_for(milliseconds(5));
      }
    });
  while (small < 4) std::this_thread::yield();
  const int before = small;
  for (int time = 0; time < 5; ++time) {
    auto entry = of(0).Admit(kLimit, false);
    EXPECT_EQ(Total(), kLimit) << "there was room, and it is the only one";
    entry.EndTurn();
  }
  while (small < before + 8) std::this_thread::yield();  // and these go on
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Admissions, SeeEachOtherWhenTwoRaiseAtOnce) {
  std::atomic<int> arrived{0};
  const auto meet = [&](int count) {  // of both; spins, so that they leave together
    arrived.fetch_add(1);
    for (int spins = 0; arrived.load() < count; ++spins)
      if (spins % 1000 == 999) std::this_thread::yield();
  };
  constexpr int kRounds = 20'000;
  std::array<bool, 2> is_in{};
  int both = 0;
  const auto run = [&](int rank) {
    for (int round = 0; round < kRounds; ++round) {
      meet(6 * round + 2);
      const auto ticket = of(rank).TryAdmit(500);
      is_in[static_cast<std::size_t>(rank)] = ticket != nullptr;
      meet(6 * round + 4);
      if (rank == 0) both += is_in[0] && is_in[1];
      meet(6 * round + 6);
    }
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  EXPECT_EQ(both, 0);
}

TEST_F(Admissions, KeepTheLimitWhateverManyThreadsDo) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::printf("seed %u\n", seed);
  std::mutex mutex;
  std::uint64_t bytes_in = 0, count_in = 0;  // of what certainly is in
  std::uint64_t beyond = 0;
  std::atomic<int> entered{0};
  const std::int64_t end = base::NowNanoseconds() + 2 * kSecond;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2 * kRanks; ++i)
    threads.emplace_back([&, i] {
      std::mt19937 random(seed + static_cast<unsigned>(i));
      while (base::NowNanoseconds() < end) {
        const std::uint64_t bytes = random() % 16 == 0 ? kStore + random() % kStore : 1 + random() % 400;
        const std::int64_t begin = base::NowNanoseconds();
        ArgumentAdmission::Entry entry;
        ArgumentAdmission::Ticket ticket;
        if (random() % 2 == 0)
          entry = of(i % kRanks).Admit(bytes, false);
        else if (ticket = of(i % kRanks).TryAdmit(bytes); ticket == nullptr)
          continue;
        const bool was_patient = base::NowNanoseconds() - begin >= kSecond;  // then it may go in whatever is there
        {
          std::lock_guard lock(mutex);
          bytes_in += bytes;
          ++count_in;
          beyond += bytes_in > kLimit && count_in > 1 && !was_patient;
        }
        ++entered;
        if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
        entry.EndTurn();
        if (random() % 2 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
        std::lock_guard lock(mutex);  // unlocked before it is given back
        bytes_in -= bytes;
        --count_in;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(beyond, 0u);
  EXPECT_GT(entered, 100);
}

}  // namespace
}  // namespace manta::runtime
