// Values that the store cannot hold. Runs with --manta-object-store-bytes 64M.

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

TEST(SmallStore, GivesEverythingBack) {
  EXPECT_TRUE(api_test::Eventually([] { return manta::Stats().store_bytes_used < kMiB; }))
      << manta::Stats().store_bytes_used;
}

}  // namespace
