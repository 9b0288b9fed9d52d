// Objects of other nodes: what crosses, how often, and by which way. Runs on two nodes or more.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
using Bytes = manta::Array<std::uint8_t>;

std::uint8_t ByteAt(std::size_t at, int seed) {
  return static_cast<std::uint8_t>(at * 13 + at / kMiB * 7 + static_cast<std::size_t>(seed));
}
manta::ObjectRef<Bytes> Make(std::size_t size, int seed) {
  auto made = manta::Create<std::uint8_t>(size);
  for (std::size_t at = 0; at < size; ++at) made.span()[at] = ByteAt(at, seed);
  return made.Seal();
}
bool IsWhole(const Bytes& bytes, std::size_t size, int seed) {
  if (bytes.size() != size) return false;
  for (std::size_t at = 0; at < size; ++at)
    if (bytes[at] != ByteAt(at, seed)) return false;
  return true;
}

std::vector<int> RanksOf(std::size_t node) { return manta::Nodes().at(node).ranks; }
std::vector<int> RanksOfOthers() {
  std::vector<int> ranks;
  for (std::size_t node = 1; node < manta::Nodes().size(); ++node)
    for (const int rank : RanksOf(node)) ranks.push_back(rank);
  return ranks;
}
std::uint64_t CopiesOnOtherNodes() { return manta::Nodes().size() - 1; }

/// Bytes that cross between nodes.
struct Crossed {
  std::uint64_t by_messages = 0, by_reads = 0;
  std::uint64_t Sum() const { return by_messages + by_reads; }
};
template <class Body>
Crossed CountCrossed(Body body) {
  const auto before = manta::Stats();
  body();
  const auto after = manta::Stats();
  return {after.bytes_fetched_messages - before.bytes_fetched_messages,
          after.bytes_fetched_rma - before.bytes_fetched_rma};
}

TEST(RemoteObjects, CrossOnceForAllRanksAndTasksOfANode) {
  const std::size_t size = 3 * kMiB + 11;
  const auto ref = Make(size, 1);
  const Crossed crossed = CountCrossed([&] {
    std::vector<manta::ObjectRef<bool>> checks;
    for (int round = 0; round < 8; ++round)
      for (const int rank : RanksOfOthers())
        checks.push_back(manta::Task(IsWhole).SetRank(rank).Remote(ref, size, 1));
    for (const auto& check : checks) EXPECT_TRUE(*manta::Get(check));
  });
  EXPECT_EQ(crossed.Sum(), CopiesOnOtherNodes() * size);
}

TEST(RemoteObjects, CrossOnceForManyThatGetThemAtOnce) {
  const std::size_t size = 5 * kMiB;
  const int there = RanksOf(1).front();
  const auto ref = *manta::Get(manta::Task(Make).SetRank(there).Remote(size, 2));
  const Crossed crossed = CountCrossed([&] {
    std::vector<manta::ObjectRef<bool>> checks;
    for (int i = 0; i < 12; ++i)
      for (const int rank : RanksOf(0))
        checks.push_back(manta::Task([](const std::vector<manta::ObjectRef<Bytes>>& inner, std::size_t bytes, int seed) {
                           return IsWhole(*manta::Get(inner.front()), bytes, seed);
                         }).SetRank(rank).Remote(std::vector{ref}, size, 2));
    EXPECT_TRUE(IsWhole(*manta::Get(ref), size, 2));
    for (const auto& check : checks) EXPECT_TRUE(*manta::Get(check));
  });
  EXPECT_EQ(crossed.Sum(), size);
}

TEST(RemoteObjects, AreWholeWhateverTheirSize) {
  const int there = RanksOfOthers().back();
  for (const std::size_t size : {kMiB - 1, kMiB, kMiB + 1, 2 * kMiB - 1, 4 * kMiB, 4 * kMiB + 1, 5 * kMiB - 1,
                                 std::size_t{64} << 10, (std::size_t{64} << 10) + 1, 9 * kMiB + 4097}) {
    const auto from_there = *manta::Get(manta::Task(Make).SetRank(there).Remote(size, 3));
    EXPECT_TRUE(IsWhole(*manta::Get(from_there), size, 3)) << size;
    EXPECT_TRUE(*manta::Get(manta::Task(IsWhole).SetRank(there).Remote(Make(size, 4), size, 4))) << size;
  }
}

TEST(RemoteObjects, CrossByOneWay) {
  const std::size_t size = 2 * kMiB + 1;
  const auto ref = *manta::Get(manta::Task(Make).SetRank(RanksOf(1).front()).Remote(size, 5));
  const Crossed crossed = CountCrossed([&] { EXPECT_TRUE(IsWhole(*manta::Get(ref), size, 5)); });
  EXPECT_EQ(crossed.Sum(), size);
  EXPECT_TRUE(crossed.by_messages == 0 || crossed.by_reads == 0) << crossed.by_messages << ' ' << crossed.by_reads;
}

/// With --manta-rma off.
TEST(RemoteObjectsWithoutRma, CrossByMessages) {
  const std::size_t size = 2 * kMiB + 1;
  const auto ref = *manta::Get(manta::Task(Make).SetRank(RanksOf(1).front()).Remote(size, 5));
  const Crossed crossed = CountCrossed([&] { EXPECT_TRUE(IsWhole(*manta::Get(ref), size, 5)); });
  EXPECT_EQ(crossed.by_messages, size);
  EXPECT_EQ(crossed.by_reads, 0u);
}

TEST(RemoteObjects, GoFromOneToAllNodesOfADifferentOrderEachTime) {
  const std::size_t size = 16 * kMiB + 3;
  const auto ranks = RanksOfOthers();
  for (std::size_t turn = 0; turn < 6; ++turn) {
    const int seed = static_cast<int>(turn);
    const auto ref = Make(size, seed);
    const Crossed crossed = CountCrossed([&] {
      std::vector<manta::ObjectRef<bool>> checks;
      for (std::size_t i = 0; i < ranks.size(); ++i)
        checks.push_back(
            manta::Task(IsWhole).SetRank(ranks[(i + turn) % ranks.size()]).Remote(ref, size, seed));
      for (const auto& check : checks) EXPECT_TRUE(*manta::Get(check));
    });
    EXPECT_EQ(crossed.Sum(), CopiesOnOtherNodes() * size);
  }
}

TEST(RemoteObjects, ManyAtOnceInBothDirections) {
  constexpr int kObjects = 400;
  const std::size_t size = 70'000;
  std::vector<manta::ObjectRef<bool>> checks;
  std::vector<manta::ObjectRef<Bytes>> back;
  const auto ranks = RanksOfOthers();
  for (int i = 0; i < kObjects; ++i) {
    const int there = ranks[static_cast<std::size_t>(i) % ranks.size()];
    checks.push_back(manta::Task(IsWhole).SetRank(there).Remote(Make(size, i), size, i));
    back.push_back(*manta::Get(manta::Task(Make).SetRank(there).Remote(size, i)));
  }
  const auto values = manta::Get(back);
  for (int i = 0; i < kObjects; ++i) EXPECT_TRUE(IsWhole(*values[static_cast<std::size_t>(i)], size, i)) << i;
  for (const auto& check : checks) EXPECT_TRUE(*manta::Get(check));
}

/// Nobody needs them any more while they come: the room is given back, and the pins.
TEST(RemoteObjects, LeaveNothingWhenTheyAreDroppedOnTheirWay) {
  const auto empty = [] {
    const auto now = manta::Stats();
    return now.store_bytes_used == 0 && now.store_pins == 0;
  };
  ASSERT_TRUE(api_test::Eventually(empty)) << "something of the tests before is left";
  const std::size_t size = 8 * kMiB;
  for (int i = 0; i < 20; ++i) {
    std::vector<manta::ObjectRef<bool>> checks;
    {
      const auto ref = Make(size, i);
      for (const int rank : RanksOfOthers()) checks.push_back(manta::Task(IsWhole).SetRank(rank).Remote(ref, size, i));
    }
    if (i % 2 == 0)
      for (const auto& check : checks) manta::Cancel(check);
    for (const auto& check : checks) {
      try {
        EXPECT_TRUE(*manta::Get(check));
      } catch (const manta::CancelledError&) {
        EXPECT_EQ(i % 2, 0);
      }
    }
  }
  EXPECT_TRUE(api_test::Eventually(empty)) << manta::Stats().store_bytes_used << " bytes and "
                                           << manta::Stats().store_pins << " pins are left";
}

/// The last test: the session ends while these cross. That it does not wait for bytes that never come, and that every
/// rank leaves, is what the run as a whole shows.
TEST(RemoteObjectsAtTheEnd, MayBeOnTheirWay) {
  for (int i = 0; i < 4; ++i)
    for (const int rank : RanksOfOthers()) {
      const auto ref = Make(16 * kMiB + 5, i);
      static_cast<void>(manta::Task(IsWhole).SetRank(rank).Remote(ref, 16 * kMiB + 5, i));
    }
}

}  // namespace
