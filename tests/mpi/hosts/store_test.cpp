// A store of 256 MiB is asked for, on a machine whose /dev/shm is smaller: what was given holds what it says, and what
// goes beyond it is an error. small_shm.sh runs it; what is printed at start is for the caller to check.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

char LastOf(const std::vector<char>& bytes) { return bytes.back(); }

TEST(Store, HoldsThreeQuartersOfWhatItSaysAndRefusesTheRest) {
  const std::uint64_t store = manta::Nodes().at(0).store_bytes;
  const std::size_t each = store / 16;

  std::vector<manta::ObjectRef<std::vector<char>>> refs;
  for (char i = 0; i < 12; ++i) refs.push_back(manta::Put(std::vector<char>(each, i)));

  for (char i = 0; i < 12; ++i)
    for (int rank = 0; rank < manta::NumRanks(); ++rank)
      EXPECT_EQ(*manta::Get(manta::Task(LastOf).SetRank(rank).Remote(refs[static_cast<std::size_t>(i)])), i);
  EXPECT_THROW(static_cast<void>(manta::Put(std::vector<char>(store + kMiB, 'x'))), manta::OutOfMemoryError);
}

}  // namespace
