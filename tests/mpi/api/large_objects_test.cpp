// Objects of 64 MiB, in every direction.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kWords = (std::size_t{64} << 20) / sizeof(std::uint64_t);

std::vector<std::uint64_t> Make(std::uint64_t first) {
  std::vector<std::uint64_t> words(kWords);
  std::iota(words.begin(), words.end(), first);
  return words;
}
std::uint64_t SumOf(const std::vector<std::uint64_t>& words) { return std::accumulate(words.begin(), words.end(), std::uint64_t{0}); }
std::uint64_t SumIn(std::span<const std::uint64_t> words) { return std::accumulate(words.begin(), words.end(), std::uint64_t{0}); }
constexpr std::uint64_t SumFrom(std::uint64_t first) { return kWords * first + kWords * (kWords - 1) / 2; }

TEST(LargeObjects, PutByTheDriverAreReadOnEveryRank) {
  const auto ref = manta::Put(Make(1));

  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(SumOf).SetRank(rank).Remote(ref)), SumFrom(1));
    EXPECT_EQ(*manta::Get(manta::Task(SumIn).SetRank(rank).Remote(ref)), SumFrom(1));
  }
}

TEST(LargeObjects, ComeBackAsResults) {
  const auto ref = manta::Task(Make).SetRank(manta::NumRanks() - 1).Remote(5);

  EXPECT_EQ(SumOf(*manta::Get(ref)), SumFrom(5));
}

TEST(LargeObjects, TravelBetweenTasks) {
  const auto made = manta::Task(Make).SetRank(manta::NumRanks() - 1).Remote(3);

  EXPECT_EQ(*manta::Get(manta::Task(SumOf).SetRank(0).Remote(made)), SumFrom(3));
}

TEST(LargeObjects, TravelAsArgumentsByValue) {
  EXPECT_EQ(*manta::Get(manta::Task(SumOf).SetRank(manta::NumRanks() - 1).Remote(Make(2))), SumFrom(2));
}

TEST(LargeObjects, GiveTheirRoomBack) {
  const auto before = manta::Stats().store_bytes_used;

  for (int i = 0; i < 12; ++i) {
    auto ref = manta::Put(Make(7));
    EXPECT_EQ(*manta::Get(manta::Task(SumIn).SetRank(manta::NumRanks() - 1).Remote(ref)), SumFrom(7));
  }

  EXPECT_LE(manta::Stats().store_bytes_used, before + (std::uint64_t{130} << 20));
}

}  // namespace
