// Tensors are read where they lie, on every rank of the node, alone and inside of other values.

#include <gtest/gtest.h>
#include <manta/manta.hpp>

#include <cstdint>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/mpi/api/support.hpp"

namespace {

using Matrix = manta::Tensor<std::int64_t>;

constexpr std::size_t kRows = 500, kColumns = 400;  // of 8 bytes: more than travels inside of a message

Matrix Counting(std::size_t rows, std::size_t columns) {
  std::vector<std::int64_t> numbers(rows * columns);
  std::iota(numbers.begin(), numbers.end(), 0);
  return {std::move(numbers), {rows, columns}};
}
Matrix MakeMatrix() { return Counting(kRows, kColumns); }
constexpr std::int64_t SumUpTo(std::size_t count) { return static_cast<std::int64_t>(count * (count - 1) / 2); }
constexpr std::int64_t kSum = SumUpTo(kRows * kColumns);

std::int64_t Sum(const Matrix& matrix) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < matrix.shape()[0]; ++i)
    for (std::size_t j = 0; j < matrix.shape()[1]; ++j) sum += matrix(i, j);
  return sum;
}
std::int64_t SumOfCopy(Matrix matrix) { return Sum(matrix); }
std::int64_t SumOfAll(const std::vector<Matrix>& all) {
  std::int64_t sum = 0;
  for (const Matrix& one : all) sum += Sum(one);
  return sum;
}
std::vector<std::size_t> ShapeOf(const Matrix& matrix) { return {matrix.shape().begin(), matrix.shape().end()}; }
manta::ObjectRef<Matrix> MakeThere(std::size_t rows, std::size_t columns) {
  auto made = manta::Create<std::int64_t>({rows, columns});
  std::iota(made.span().begin(), made.span().end(), 0);
  return made.Seal();
}

class Tensors : public ::testing::Test {
 protected:
  /// Bytes that were copied to be read, on all ranks, since the test began.
  std::uint64_t Copied() const { return manta::Stats().bytes_copied_get - before_; }

 private:
  const std::uint64_t before_ = manta::Stats().bytes_copied_get;
};

TEST_F(Tensors, AreReadInPlace) {
  const auto put = manta::Put(MakeMatrix());
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(put)), kSum);
    EXPECT_EQ(*manta::Get(manta::Task(SumOfCopy).SetRank(rank).Remote(put)), kSum);
    EXPECT_EQ(*manta::Get(manta::Task(SumOfAll).SetRank(rank).Remote(std::vector{put, put})), 2 * kSum);
  }
  EXPECT_EQ(*manta::Get(put), MakeMatrix());
  EXPECT_EQ(manta::Get(put)->data(), manta::Get(put)->data());
  EXPECT_EQ(Copied(), 0u);
}

TEST_F(Tensors, OfResultsAreReadInPlace) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    const auto made = manta::Task(MakeMatrix).SetRank(rank).Remote();
    EXPECT_EQ(Sum(*manta::Get(made)), kSum) << "of rank " << rank;
    for (int reader = 0; reader < manta::NumRanks(); ++reader)
      EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(reader).Remote(made)), kSum);
  }
  EXPECT_EQ(Copied(), 0u);
}

TEST_F(Tensors, OutliveTheirRefs) {
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    Matrix kept;
    {
      const auto made = manta::Task(MakeMatrix).SetRank(rank).Remote();
      kept = manta::Get(made)->Transpose();
    }
    // What takes the place of freed memory would be seen.
    const std::vector<std::int64_t> others(kRows * kColumns, -1);
    for (int i = 0; i < 20; ++i)
      manta::Get(manta::Task(Sum).SetRank(rank).Remote(manta::Put(Matrix(others, {kRows, kColumns}))));
    EXPECT_EQ(Sum(kept), kSum) << "of rank " << rank;
  }
}

TEST_F(Tensors, OfAllSizesArrive) {
  const std::vector<std::size_t> sizes{0, 1, 2, 5, 15, 16, 40, 100};
  for (const std::size_t rows : sizes) {
    for (const std::size_t columns : sizes) {
      const Matrix matrix = Counting(rows, columns);
      const std::int64_t sum = rows * columns == 0 ? 0 : SumUpTo(rows * columns);
      const int rank = static_cast<int>(rows + columns) % manta::NumRanks();
      EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(matrix)), sum) << rows << " by " << columns;
      EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(matrix.Transpose())), sum);
      EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(manta::Put(matrix))), sum);
    }
  }
}

TEST_F(Tensors, ThatAreViewsArriveCompact) {
  const Matrix whole = MakeMatrix();
  const Matrix view = whole.Slice(100, 200).Transpose();
  const auto put = manta::Put(view);
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(put)), Sum(view));
    EXPECT_EQ(*manta::Get(manta::Task(ShapeOf).SetRank(rank).Remote(view)), (std::vector<std::size_t>{kColumns, 200}));
  }
  EXPECT_TRUE(manta::Get(put)->contiguous());
}

TEST_F(Tensors, CanBeTaken) {
  auto made = manta::Task(MakeMatrix).SetRank(manta::NumRanks() - 1).Remote();
  EXPECT_EQ(Sum(manta::Take(std::move(made))), kSum);
}

struct Model {
  std::string name;
  Matrix weights;
  std::map<std::string, manta::Array<double>> parts;
  template <class A>
  void serialize(A& a) {
    a(name, weights, parts);
  }
};
Model MakeModel() {
  return {"model", MakeMatrix(), {{"a", manta::Array<double>(std::vector<double>(30'000, 0.5))}, {"b", {1, 2}}}};
}
double SumOfModel(const Model& model) {
  double sum = static_cast<double>(Sum(model.weights));
  for (const auto& [name, part] : model.parts) sum = std::accumulate(part.begin(), part.end(), sum);
  return sum;
}
constexpr double kModelSum = static_cast<double>(kSum) + 15'003;
/// Only what is read in place is aligned so: large memory of malloc's begins 16 bytes into a page.
bool LiesInPlace(const Model& model) {
  const auto aligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 64 == 0; };
  return aligned(model.weights.data()) && aligned(model.parts.at("a").data());
}

TEST_F(Tensors, AndArraysAreReadInPlaceInsideOfOtherValues) {
  const auto put = manta::Put(MakeModel());
  for (int rank = 0; rank < manta::NumRanks(); ++rank) {
    EXPECT_EQ(*manta::Get(manta::Task(SumOfModel).SetRank(rank).Remote(put)), kModelSum);
    if (manta::NumRanks() > 1) {  // alone it stays the value that was put
      EXPECT_TRUE(*manta::Get(manta::Task(LiesInPlace).SetRank(rank).Remote(put)));
    }
    const auto made = manta::Task(MakeModel).SetRank(rank).Remote();
    EXPECT_EQ(SumOfModel(*manta::Get(made)), kModelSum);
    EXPECT_EQ(*manta::Get(manta::Task(SumOfModel).SetRank(0).Remote(made)), kModelSum);
  }
  EXPECT_LT(Copied(), 1'000u * static_cast<unsigned>(manta::NumRanks()));
}

TEST_F(Tensors, InsideOfOtherValuesOutliveTheirRefs) {
  Matrix weights;
  {
    const auto made = manta::Task(MakeModel).SetRank(manta::NumRanks() - 1).Remote();
    weights = manta::Get(made)->weights;
  }
  for (int i = 0; i < 20; ++i) manta::Get(manta::Task(SumOfModel).Remote(manta::Put(MakeModel())));
  EXPECT_EQ(Sum(weights), kSum);
}

double SumOfBoth(const Model& a, const Matrix& between, Model b) { return SumOfModel(a) + SumOfModel(b) + Sum(between); }

TEST_F(Tensors, AndArraysTravelInsideOfACall) {
  // Each of the arguments is large enough to be read in place, were it an object, and small enough to be none.
  const Model model{"small", Counting(40, 20), {{"a", manta::Array<double>(std::vector<double>(1'000, 1))}}};
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(SumOfBoth).SetRank(rank).Remote(model, model.weights.Transpose(), model)),
              static_cast<double>(3 * SumUpTo(800)) + 2'000);
}

TEST_F(Tensors, AreMadeInTheStore) {
  const auto copied_put = manta::Stats().bytes_copied_put;
  auto made = manta::Create<std::int64_t>({kRows, kColumns});
  EXPECT_EQ(made.shape(), (manta::Dims{kRows, kColumns}));
  EXPECT_EQ(made.size(), kRows * kColumns);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(made.data()) % 64, 0u);
  for (std::size_t i = 0; i < kRows; ++i)
    for (std::size_t j = 0; j < kColumns; ++j) made(i, j) = static_cast<std::int64_t>(i * kColumns + j);
  const std::int64_t* const place = made.data();
  const manta::ObjectRef<Matrix> ref = made.Seal();
  EXPECT_EQ(made.data(), nullptr);
  EXPECT_EQ(made.size(), 0u);

  EXPECT_EQ(manta::Get(ref)->data(), place);
  EXPECT_EQ(*manta::Get(ref), MakeMatrix());
  for (int rank = 0; rank < manta::NumRanks(); ++rank)
    EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(rank).Remote(ref)), kSum);
  EXPECT_EQ(manta::Stats().bytes_copied_put, copied_put);
  EXPECT_EQ(Copied(), 0u);
}

TEST_F(Tensors, OfAllSizesAreMadeInTheStoreOfAnyRank) {
  for (const std::size_t rows : {0, 1, 3, 30, 300}) {
    for (const std::size_t columns : {0, 1, 7, 60}) {
      const int rank = static_cast<int>(rows + columns) % manta::NumRanks();
      const auto ref = *manta::Get(manta::Task(MakeThere).SetRank(rank).Remote(rows, columns));
      EXPECT_EQ(*manta::Get(ref), Counting(rows, columns));
      EXPECT_EQ(*manta::Get(manta::Task(Sum).SetRank(0).Remote(ref)), Sum(Counting(rows, columns)));
    }
  }
  auto one = manta::Create<double>({});
  one() = 2.5;
  EXPECT_EQ((*manta::Get(one.Seal()))(), 2.5);
  auto list = manta::Create<double>({5});
  EXPECT_EQ(list.shape(), manta::Dims{5});
  std::iota(list.span().begin(), list.span().end(), 0.0);
  EXPECT_EQ((*manta::Get(list.Seal()))(4), 4.0);
}

TEST_F(Tensors, AreSealedOnce) {
  auto made = manta::Create<int>({50, 100});
  auto moved = std::move(made);
  EXPECT_THROW(static_cast<void>(made.Seal()), manta::UsageError);
  EXPECT_TRUE(moved.Seal());
  EXPECT_THROW(static_cast<void>(moved.Seal()), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::NewTensor<int>().Seal()), manta::UsageError);
  for (int i = 0; i < 100; ++i) static_cast<void>(manta::Create<char>({1024, 64 * 1024}));  // given back
}

TEST_F(Tensors, ThatNoStoreHoldsAreRefused) {
  constexpr std::size_t kHuge = std::size_t{1} << 40;
  EXPECT_THROW(static_cast<void>(manta::Create<double>({kHuge, 1024})), manta::OutOfMemoryError);
  EXPECT_THROW(static_cast<void>(manta::Create<double>({kHuge, kHuge})), manta::UsageError);
  EXPECT_THROW(static_cast<void>(manta::Create<double>({kHuge * 1024 * 1024, 2})), manta::UsageError);
}

std::int64_t At(const Matrix& matrix, std::size_t i, std::size_t j) { return matrix.at(i, j); }

TEST_F(Tensors, ThrowInTasksAsAnywhere) {
  const auto put = manta::Put(MakeMatrix());
  const auto at = manta::Task(At).SetRank(manta::NumRanks() - 1);
  EXPECT_EQ(*manta::Get(at.Remote(put, std::size_t{1}, std::size_t{2})), static_cast<std::int64_t>(kColumns + 2));
  EXPECT_THROW(manta::Get(at.Remote(put, std::size_t{1}, kColumns)), std::out_of_range);
}

}  // namespace
