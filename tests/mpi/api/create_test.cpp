// Objects that are written where they lie.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using Numbers = std::vector<std::int64_t>;

std::int64_t Sum(std::span<const std::int64_t> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}
manta::ObjectRef<manta::Array<std::int64_t>> MakeThere(std::size_t size) {
  auto made = manta::Create<std::int64_t>(size);
  std::iota(made.begin(), made.end(), 1);
  return made.Seal();
}

TEST(Create, MakesObjectsOfAllSizes) {
  for (const std::size_t size : {0, 1, 3, 4, 5, 100, 256, 257, 1'000, 100'000}) {
    auto made = manta::Create<std::int64_t>(size);
    ASSERT_EQ(made.size(), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(made.data()) % 64, 0u);
    std::iota(made.begin(), made.end(), 1);
    const auto ref = made.Seal();
    EXPECT_EQ(made.data(), nullptr);

    const auto expected = static_cast<std::int64_t>(size * (size + 1) / 2);
    EXPECT_EQ(Sum(*manta::Get(ref)), expected);
    EXPECT_EQ(Sum(*manta::Get(manta::ObjectRef<Numbers>(ref))), expected);
    for (int rank = 0; rank < manta::NumRanks(); ++rank)
      EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(ref)), expected) << size << " on rank " << rank;
  }
}

TEST(Create, CopiesNothing) {
  const auto before = manta::Stats();
  auto made = manta::Create<std::int64_t>(100'000);
  std::iota(made.begin(), made.end(), 1);
  const std::int64_t* const place = made.data();
  const auto ref = made.Seal();
  EXPECT_EQ(manta::Get(ref)->data(), place);
  const auto after = manta::Stats();
  EXPECT_EQ(after.bytes_copied_put, before.bytes_copied_put);
  EXPECT_EQ(after.bytes_copied_get, before.bytes_copied_get);
}

TEST(Create, WorksInTasks) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto ref = *manta::Get(manta::Task(MakeThere).SetRank(rank).Remote(std::size_t{50'000}));
    EXPECT_EQ(Sum(*manta::Get(ref)), std::int64_t{50'000} * 50'001 / 2);
  }
}

TEST(Create, GivesBackWhatIsNotSealed) {
  // Together many times the store.
  for (int i = 0; i < 200; ++i) {
    auto made = manta::Create<std::byte>(std::size_t{64} << 20);
    made[0] = std::byte{1};
    if (i % 2 == 0) made = manta::Create<std::byte>(10);
  }
}

TEST(Create, SealsOnce) {
  auto made = manta::Create<int>(5'000);
  auto moved = std::move(made);
  EXPECT_THROW(static_cast<void>(made.Seal()), manta::UsageError);
  EXPECT_TRUE(moved.Seal());
  EXPECT_THROW(static_cast<void>(moved.Seal()), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::NewArray<int>().Seal()), manta::UsageError);
}

TEST(Create, RefusesWhatNoStoreHolds) {
  try {
    static_cast<void>(manta::Create<double>(std::size_t{1} << 50));
    FAIL() << "was made";
  } catch (const manta::OutOfMemoryError& error) {
    EXPECT_EQ(error.asked_bytes(), std::size_t{8} << 50);
  }
  EXPECT_THROW(static_cast<void>(manta::Create<double>(~std::size_t{0} / 2)), manta::UsageError);
}

}  // namespace
