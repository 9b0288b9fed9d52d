// Values that the store cannot hold, where nothing is spilled. Runs with --manta-object-store-bytes 64M
// --manta-spill-dir off --manta-store-wait-seconds 0.2.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <string>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::vector<char> Filled(std::size_t size, char value) { return std::vector<char>(size, value); }

TEST(SmallStore, RefusesALargerValueAndSaysBytesAskedAndFree) {
  std::vector<manta::ObjectRef<std::vector<char>>> earlier;
  for (char i = 0; i < 4; ++i) earlier.push_back(manta::Put(Filled(8 * kMiB, i)));
  const auto large = Filled(256 * kMiB, 'x');

  try {
    static_cast<void>(manta::Put(large));
    FAIL() << "nothing was thrown";
  } catch (const manta::OutOfMemoryError& error) {
    EXPECT_GE(error.asked_bytes(), 256 * kMiB);
    EXPECT_LE(error.free_bytes(), 64 * kMiB);
    EXPECT_NE(std::string(error.what()).find(std::to_string(error.asked_bytes())), std::string::npos) << error.what();
  }

  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    for (char i = 0; i < 4; ++i)
      EXPECT_EQ(*manta::Get(manta::Task([](const std::vector<char>& v) { return v.size() == 8 * kMiB ? v.back() : 'e'; })
                                .SetRank(rank).Remote(earlier[static_cast<std::size_t>(i)])), i);
}

TEST(SmallStore, RefusesAMovedValueToo) {
  EXPECT_THROW(static_cast<void>(manta::Put(Filled(256 * kMiB, 'x'))), manta::OutOfMemoryError);
}

TEST(SmallStore, HoldsManyOneAfterAnother) {
  for (int i = 0; i < 50; ++i) {
    const auto ref = manta::Put(Filled(8 * kMiB, static_cast<char>(i)));
    EXPECT_EQ(*manta::Get(manta::Task([](const std::vector<char>& v) { return v.back(); }).SetRank(manta::NumRanks() - 1)
                              .Remote(ref)), static_cast<char>(i));
  }
}

TEST(SmallStore, FailsATaskWhoseResultIsLarger) {
  const auto ref = manta::Task([](std::size_t size) { return Filled(size, 'y'); }).SetRank(manta::NumRanks() - 1)
                       .Remote(256 * kMiB);

  EXPECT_THROW(manta::Get(ref, api_test::kPatience), manta::OutOfMemoryError);
  EXPECT_EQ(manta::Get(manta::Task([](std::size_t size) { return Filled(size, 'y'); }).Remote(kMiB))->size(), kMiB);
}

TEST(SmallStore, RefusesALargerArgument) {
  EXPECT_THROW(manta::Task([](const std::vector<char>& v) { return v.size(); }).SetRank(manta::NumRanks() - 1)
                   .Remote(Filled(256 * kMiB, 'z')), manta::OutOfMemoryError);
}

/// Refs to objects of 8 MiB, until the store refuses one; what it says then is in `error`.
std::vector<manta::ObjectRef<manta::Array<char>>> FillTheStore(std::string& error) {
  std::vector<manta::ObjectRef<manta::Array<char>>> kept;
  try {
    while (kept.size() < 100) kept.emplace_back(manta::Put(Filled(8 * kMiB, static_cast<char>(kept.size()))));
  } catch (const manta::OutOfMemoryError& full) {
    error = full.what();
    EXPECT_GE(full.asked_bytes(), 8 * kMiB);
    EXPECT_LT(full.free_bytes(), 64 * kMiB);
  }
  return kept;
}

TEST(SmallStore, RefusesWhatFindsNoRoomAfterAWhileAndSaysWhy) {
  std::string error;
  auto kept = FillTheStore(error);

  ASSERT_GE(kept.size(), 6u);
  ASSERT_LE(kept.size(), 8u) << "the store holds no more";
  EXPECT_NE(error.find("spill-dir"), std::string::npos) << error;
  EXPECT_THROW(static_cast<void>(manta::Create<char>(16 * kMiB)), manta::OutOfMemoryError);
  for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(manta::Get(kept[i])->back(), static_cast<char>(i));

  kept.pop_back();
  EXPECT_EQ(manta::Get(manta::Put(Filled(8 * kMiB, 'n')))->back(), 'n');
}

TEST(SmallStore, FailsTheTaskWhoseResultFindsNoRoomAndNoOther) {
  std::string error;
  const auto kept = FillTheStore(error);
  const auto make = manta::Task([](std::size_t size) { return Filled(size, 'r'); }).SetRank(manta::NumRanks() - 1);

  EXPECT_THROW(manta::Get(make.Remote(16 * kMiB), api_test::kPatience), manta::OutOfMemoryError);
  EXPECT_EQ(manta::Get(make.Remote(1000))->size(), 1000u);
  for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(manta::Get(kept[i])->back(), static_cast<char>(i));
}

TEST(SmallStore, DoesNotMoveWhatIsRead) {
  std::string error;
  auto refs = FillTheStore(error);
  std::vector<manta::Value<manta::Array<char>>> held;
  for (const auto& ref : refs) held.push_back(manta::Get(ref));
  refs.clear();

  EXPECT_THROW(static_cast<void>(manta::Put(Filled(16 * kMiB, 'x'))), manta::OutOfMemoryError);
  for (std::size_t i = 0; i < held.size(); ++i) EXPECT_EQ(held[i]->front(), static_cast<char>(i));
  held.clear();
  EXPECT_EQ(manta::Get(manta::Put(Filled(16 * kMiB, 'y')))->size(), 16 * kMiB);
}

TEST(SmallStore, GivesEverythingBack) {
  EXPECT_TRUE(api_test::Eventually([] { return manta::Stats().store_bytes_used < kMiB; }))
      << manta::Stats().store_bytes_used;
}

}  // namespace
