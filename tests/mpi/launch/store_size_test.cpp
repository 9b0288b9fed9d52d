#include "mpi/launch/store_size.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace manta::launch {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST(StoreSize, IsThreeTenthsOfMemoryInTheWindowWhereThereIsRoom) {
  const StoreChoice choice = ChooseStore({.memory_bytes = 100 * kGiB, .shared_memory_free = 50 * kGiB});

  EXPECT_FALSE(choice.is_memfd);
  EXPECT_EQ(choice.store_bytes, 30 * kGiB);
  EXPECT_EQ(choice.warning, "");
}

TEST(StoreSize, IsALittleLessThanTheDefaultWithoutAWordWhereSharedMemoryIsALittleShort) {
  const StoreChoice choice = ChooseStore({.memory_bytes = 100 * kGiB, .shared_memory_free = 45 * kGiB});

  EXPECT_FALSE(choice.is_memfd);
  EXPECT_EQ(choice.store_bytes, 27 * kGiB / 4096 * 4096);
  EXPECT_EQ(choice.warning, "");
}

TEST(StoreSize, LiesInMemfdWhereSharedMemoryIsSmall) {
  const StoreChoice by_default = ChooseStore({.memory_bytes = 100 * kGiB, .shared_memory_free = 64 * kMiB});
  const StoreChoice asked =
      ChooseStore({.asked_bytes = 40 * kGiB, .memory_bytes = 100 * kGiB, .shared_memory_free = 50 * kGiB});

  EXPECT_TRUE(by_default.is_memfd);
  EXPECT_EQ(by_default.store_bytes, 30 * kGiB);
  EXPECT_EQ(by_default.warning, "");
  EXPECT_TRUE(asked.is_memfd);
  EXPECT_EQ(asked.store_bytes, 40 * kGiB);
  EXPECT_EQ(asked.warning, "");
}

TEST(StoreSize, IsWhatWasAskedForInTheWindowWhereItFits) {
  const StoreChoice choice =
      ChooseStore({.asked_bytes = 10'000'000, .memory_bytes = 100 * kGiB, .shared_memory_free = kGiB});

  EXPECT_FALSE(choice.is_memfd);
  EXPECT_EQ(choice.store_bytes, 10'000'000u / 4096 * 4096);
  EXPECT_EQ(choice.warning, "");
}

TEST(StoreSize, SaysHowToRaiseItWhereTheWindowIsAskedForAndTooSmall) {
  const StoreChoice choice = ChooseStore(
      {.asked_bytes = kGiB, .memory_bytes = 100 * kGiB, .shared_memory_free = 100 * kMiB, .mode = SegmentMode::kMpi});

  EXPECT_FALSE(choice.is_memfd);
  EXPECT_EQ(choice.store_bytes, 60 * kMiB);
  EXPECT_THAT(choice.warning, HasSubstr("gets 60 MiB of the 1024 MiB asked for: /dev/shm has 100 MiB free"));
  EXPECT_THAT(choice.warning, HasSubstr("remount"));
  EXPECT_THAT(choice.warning, HasSubstr("--shm-size"));
  EXPECT_THAT(choice.warning, HasSubstr("--manta-segment memfd"));
}

TEST(StoreSize, SaysSoOfTheDefaultToo) {
  const StoreChoice choice =
      ChooseStore({.memory_bytes = 100 * kGiB, .shared_memory_free = 100 * kMiB, .mode = SegmentMode::kMpi});

  EXPECT_EQ(choice.store_bytes, 60 * kMiB);
  EXPECT_THAT(choice.warning, HasSubstr("60 MiB of the 30720 MiB that are the default"));
}

TEST(StoreSize, NeverTakesMoreThanSixTenthsOfMemory) {
  for (const SegmentMode mode : {SegmentMode::kAuto, SegmentMode::kMemfd, SegmentMode::kMpi}) {
    const StoreChoice choice = ChooseStore(
        {.asked_bytes = 90 * kGiB, .memory_bytes = 100 * kGiB, .shared_memory_free = 200 * kGiB, .mode = mode});

    EXPECT_EQ(choice.is_memfd, mode == SegmentMode::kMemfd);
    EXPECT_EQ(choice.store_bytes, 60 * kGiB);
    EXPECT_THAT(choice.warning, HasSubstr("at most 60 % of the memory"));
  }
}

TEST(StoreSize, DoesNotAdviseMemfdWhereThatWasTriedInVain) {
  for (const SegmentMode mode : {SegmentMode::kAuto, SegmentMode::kMemfd}) {
    const StoreChoice choice = ChooseStore({.asked_bytes = kGiB,
                                            .memory_bytes = 100 * kGiB,
                                            .shared_memory_free = 100 * kMiB,
                                            .mode = mode,
                                            .has_memfd = false});

    EXPECT_FALSE(choice.is_memfd);
    EXPECT_EQ(choice.store_bytes, 60 * kMiB);
    EXPECT_THAT(choice.warning, HasSubstr("--shm-size"));
    EXPECT_THAT(choice.warning, ::testing::Not(HasSubstr("--manta-segment")));
  }
}

}  // namespace
}  // namespace manta::launch
