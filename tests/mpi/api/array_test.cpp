// Arrays are read where they lie, on every rank of the node, also from an object that was put as a vector.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using Numbers = std::vector<std::int64_t>;
using NumberArray = manta::Array<std::int64_t>;

constexpr std::size_t kMany = 200'000;  // of 8 bytes: more than travels inside of a message

Numbers ManyNumbers() {
  Numbers numbers(kMany);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}
constexpr std::int64_t kSum = std::int64_t{kMany} * (kMany - 1) / 2;

std::int64_t Sum(std::span<const std::int64_t> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), std::int64_t{0});
}
std::int64_t SumOfArray(const NumberArray& numbers) { return Sum(numbers); }
std::int64_t SumOfCopy(NumberArray numbers) { return Sum(numbers); }
std::int64_t SumOfVector(const Numbers& numbers) { return Sum(numbers); }
NumberArray MakeArray() { return NumberArray(ManyNumbers()); }
std::int64_t SumOfAll(const std::vector<NumberArray>& all) {
  std::int64_t sum = 0;
  for (const NumberArray& one : all) sum += Sum(one);
  return sum;
}

class Arrays : public ::testing::Test {
 protected:
  /// Bytes that were copied to be read, on all ranks, since the test began.
  std::uint64_t Copied() const { return manta::Stats().bytes_copied_get - before_; }

 private:
  const std::uint64_t before_ = manta::Stats().bytes_copied_get;
};

TEST_F(Arrays, AreReadInPlaceFromAVector) {
  const manta::ObjectRef<Numbers> vector = manta::Put(ManyNumbers());
  const manta::ObjectRef<NumberArray> array = vector;
  EXPECT_EQ(array.ID(), vector.ID());
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(SumOfArray).SetRank(rank).Remote(vector)), kSum);
    EXPECT_EQ(*manta::Get(manta::Task(SumOfArray).SetRank(rank).Remote(array)), kSum);
    EXPECT_EQ(*manta::Get(manta::Task(SumOfCopy).SetRank(rank).Remote(vector)), kSum);
    EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(array)), kSum);
  }
  EXPECT_EQ(manta::Get(array)->data(), manta::Get(array)->data());
  EXPECT_EQ(Copied(), 0u);
}

TEST_F(Arrays, OfResultsAreReadInPlace) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto made = manta::Task(MakeArray).SetRank(rank).Remote();
    EXPECT_EQ(Sum(*manta::Get(made)), kSum) << "of rank " << rank;
    for (int reader = 0; reader < manta::NumRanks(); ++reader)
      EXPECT_EQ(*manta::Get(manta::Task(SumOfArray).SetRank(reader).Remote(made)), kSum);
  }
  EXPECT_EQ(Copied(), 0u);
}

TEST_F(Arrays, OutliveTheirRefs) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    NumberArray kept;
    {
      const auto made = manta::Task(MakeArray).SetRank(rank).Remote();
      kept = *manta::Get(made);
    }
    // What takes the place of freed memory would be seen.
    for (int i = 0; i < 20; ++i) manta::Get(manta::Task(SumOfArray).SetRank(rank).Remote(manta::Put(Numbers(kMany, -1))));
    EXPECT_EQ(Sum(kept), kSum) << "of rank " << rank;
  }
}

TEST_F(Arrays, ThatWerePutAreVectorsToo) {
  const manta::ObjectRef<NumberArray> array = manta::Put(NumberArray(ManyNumbers()));
  const manta::ObjectRef<Numbers> vector = array;
  EXPECT_EQ(*manta::Get(vector), ManyNumbers());
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(SumOfVector).SetRank(rank).Remote(array)), kSum);
}

TEST_F(Arrays, OfAllSizesArrive) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{5},
                                 std::size_t{250}, std::size_t{300}, std::size_t{10'000}}) {
    Numbers numbers(size, 3);
    const auto put = manta::Put(numbers);
    for (int rank = 0; rank < manta::NumRanks(); ++rank) {
      EXPECT_EQ(*manta::Get(manta::Task(SumOfArray).SetRank(rank).Remote(put)), 3 * static_cast<std::int64_t>(size));
      EXPECT_EQ(*manta::Get(manta::Task(SumOfArray).SetRank(rank).Remote(NumberArray(Numbers(numbers)))),
                3 * static_cast<std::int64_t>(size));
    }
    EXPECT_EQ(manta::Get(manta::ObjectRef<NumberArray>(put))->MutableCopy(), numbers);
  }
}

TEST_F(Arrays, AreGivenAsRefsOfVectorsInAList) {
  const std::vector<manta::ObjectRef<Numbers>> refs{manta::Put(ManyNumbers()), manta::Put(ManyNumbers())};
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(SumOfAll).SetRank(rank).Remote(refs)), 2 * kSum);
  EXPECT_EQ(Copied(), 0u);
}

TEST_F(Arrays, CanBeTaken) {
  auto made = manta::Task(MakeArray).SetRank(manta::NumRanks() - 1).Remote();
  EXPECT_EQ(Sum(manta::Take(std::move(made))), kSum);
}

}  // namespace
