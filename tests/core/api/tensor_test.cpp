#include <manta/tensor.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

namespace manta {
namespace {

/// Of the numbers 0, 1, 2, ... in row-major order.
Tensor<int> Counting(const Dims& shape) {
  std::vector<int> values(detail::CountElements(shape, sizeof(int)));
  std::iota(values.begin(), values.end(), 0);
  return {std::move(values), shape};
}

TEST(Tensor, IsRowMajor) {
  const Tensor<int> cube = Counting({2, 3, 4});
  EXPECT_EQ(cube.rank(), 3u);
  EXPECT_EQ(cube.size(), 24u);
  EXPECT_EQ(cube.shape(), (Dims{2, 3, 4}));
  EXPECT_EQ(cube.strides(), (Dims{12, 4, 1}));
  for (int i = 0, count = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k, ++count) {
        EXPECT_EQ(cube(i, j, k), count);
        EXPECT_EQ(cube.at(i, j, k), count);
      }
}

TEST(Tensor, IsEmptyAtFirst) {
  const Tensor<int> none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.shape(), Dims{0});
  EXPECT_TRUE(none.MutableCopy().empty());
  EXPECT_EQ(none, Tensor<int>({}, {0}));
}

TEST(Tensor, SharesTheElementsOfAnArrayAndTakesAVectorOver) {
  std::vector<double> values{1, 2, 3, 4, 5, 6};
  const double* const place = values.data();
  const Tensor<double> taken(std::move(values), {2, 3});
  EXPECT_EQ(taken.data(), place);

  auto array = std::make_unique<Array<double>>(Array<double>{1, 2, 3, 4});
  const Tensor<double> shared(*array, {2, 2});
  EXPECT_EQ(shared.data(), array->data());
  array.reset();
  const Tensor<double> copy = shared;
  EXPECT_EQ(copy.data(), shared.data());
  EXPECT_EQ(copy(1, 1), 4);
}

TEST(Tensor, RefusesAShapeOfMoreOrFewerElements) {
  EXPECT_THROW(Tensor<int>({1, 2, 3}, {2, 2}), UsageError);
  EXPECT_THROW(Tensor<int>(Array<int>{1, 2, 3}, {2}), UsageError);
  EXPECT_THROW(Tensor<int>({1}, {0}), UsageError);
  EXPECT_THROW(Tensor<int>(Array<int>(), {}), UsageError) << "no axes: one element";
  try {
    Tensor<int>({1, 2, 3}, {2, 2});
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "3 elements were given for a Tensor of shape [2, 2], which has 4");
  }
}

TEST(Tensor, RefusesShapesThatNoMemoryHolds) {
  constexpr std::size_t kHuge = std::size_t{1} << 32;
  EXPECT_THROW(Tensor<char>(Array<char>(), {kHuge, kHuge}), UsageError) << "the product is 0 in 64 bits";
  EXPECT_THROW(Tensor<double>(Array<double>(), {std::size_t{1} << 61}), UsageError) << "the bytes are 0 in 64 bits";
  EXPECT_THROW(Tensor<char>(Array<char>(), {~std::size_t{0}}), UsageError);
  EXPECT_NO_THROW(Tensor<char>(Array<char>(), {kHuge, kHuge, 0}));
  EXPECT_THROW(Dims(std::vector<std::size_t>(17, 1)), UsageError);
  EXPECT_NO_THROW(Dims(std::vector<std::size_t>(16, 1)));
}

TEST(Tensor, WithoutAxesIsOneElement) {
  const Tensor<int> one({7}, {});
  EXPECT_EQ(one.rank(), 0u);
  EXPECT_EQ(one.size(), 1u);
  EXPECT_EQ(one(), 7);
  EXPECT_EQ(one.at(), 7);
  EXPECT_EQ(one.Transpose(), one);
  EXPECT_EQ(one.Reshape({1, 1})(0, 0), 7);
  EXPECT_EQ(one.MutableCopy(), std::vector<int>{7});
  EXPECT_NE(one, Tensor<int>({8}, {}));
  EXPECT_NE(one, Tensor<int>({7}, {1}));
  EXPECT_THROW(one.Slice(0, 1), std::out_of_range);
  EXPECT_THROW(one.Select(0, 0), std::out_of_range);
}

TEST(Tensor, ChecksIndicesInAt) {
  const Tensor<int> matrix = Counting({2, 3});
  EXPECT_EQ(matrix.at(1, 2), 5);
  EXPECT_THROW(matrix.at(2, 0), std::out_of_range);
  EXPECT_THROW(matrix.at(0, 3), std::out_of_range);
  EXPECT_THROW(matrix.at(-1, 0), std::out_of_range);
  EXPECT_THROW(matrix.at(1), UsageError);
  EXPECT_THROW(matrix.at(1, 1, 1), UsageError);
}

TEST(Tensor, SlicesRows) {
  const Tensor<int> matrix = Counting({4, 3});
  const Tensor<int> middle = matrix.Slice(1, 2);
  EXPECT_EQ(middle, Tensor<int>({3, 4, 5, 6, 7, 8}, {2, 3}));
  EXPECT_EQ(middle.data(), matrix.data() + 3);
  EXPECT_TRUE(middle.contiguous());
  EXPECT_TRUE(matrix.Slice(4, 0).empty());
  EXPECT_THROW(matrix.Slice(5, 0), std::out_of_range);
  EXPECT_THROW(matrix.Slice(1, 4), std::out_of_range);
  EXPECT_THROW(matrix.Slice(1, ~std::size_t{0}), std::out_of_range);
}

TEST(Tensor, SelectsRowsAndColumns) {
  const Tensor<int> cube = Counting({2, 3, 4});
  EXPECT_EQ(cube.Select(0, 1), Counting({6, 4}).Slice(3, 3));
  const Tensor<int> column = cube.Select(0, 1).Select(1, 2);
  EXPECT_EQ(column, Tensor<int>({14, 18, 22}, {3}));
  EXPECT_EQ(&column(1), &cube(1, 1, 2));
  EXPECT_FALSE(column.contiguous());
  EXPECT_EQ(column.Select(0, 2)(), 22);
  EXPECT_THROW(cube.Select(3, 0), std::out_of_range);
  EXPECT_THROW(cube.Select(1, 3), std::out_of_range);
}

TEST(Tensor, PermutesAxesWithoutACopy) {
  const Tensor<int> cube = Counting({2, 3, 4});
  const Tensor<int> turned = cube.Permute({1, 2, 0});
  EXPECT_EQ(turned.shape(), (Dims{3, 4, 2}));
  EXPECT_EQ(turned.strides(), (Dims{4, 1, 12}));
  EXPECT_EQ(&turned(2, 3, 1), &cube(1, 2, 3));
  EXPECT_EQ(turned.Permute({2, 0, 1}), cube);

  const Tensor<int> transposed = Counting({2, 3}).Transpose();
  EXPECT_EQ(transposed, Tensor<int>({0, 3, 1, 4, 2, 5}, {3, 2}));
  EXPECT_EQ(transposed.MutableCopy(), (std::vector<int>{0, 3, 1, 4, 2, 5}));

  EXPECT_THROW(cube.Permute({0, 1}), UsageError);
  EXPECT_THROW(cube.Permute({0, 1, 1}), UsageError);
  EXPECT_THROW(cube.Permute({0, 1, 3}), UsageError);
  EXPECT_THROW(cube.Permute({0, 1, 2, 2}), UsageError);
  EXPECT_THROW(cube.Permute({}), UsageError);
}

TEST(Tensor, KeepsWhatAViewOfItSees) {
  auto whole = std::make_unique<Tensor<int>>(Counting({100, 100}));
  const Tensor<int> view = whole->Slice(10, 5).Transpose().Select(0, 7);
  whole.reset();
  EXPECT_EQ(view.MutableCopy(), (std::vector<int>{1007, 1107, 1207, 1307, 1407}));
}

TEST(Tensor, ReshapesWhatIsContiguous) {
  const Tensor<int> matrix = Counting({4, 3});
  EXPECT_EQ(matrix.Reshape({2, 6})(1, 0), 6);
  EXPECT_EQ(matrix.Reshape({12}).data(), matrix.data());
  EXPECT_THROW(matrix.Reshape({5}), UsageError);
  EXPECT_THROW(matrix.Transpose().Reshape({12}), UsageError);
  EXPECT_EQ(matrix.Slice(1, 2).Reshape({3, 2})(0, 0), 3);
}

TEST(Tensor, IsASpanAndAnArrayWhereItIsContiguous) {
  const Tensor<int> matrix = Counting({4, 3});
  EXPECT_EQ(matrix.span().size(), 12u);
  EXPECT_EQ(matrix.span().data(), matrix.data());
  EXPECT_EQ(matrix.Slice(3, 1).Flat(), (Array<int>{9, 10, 11}));
  EXPECT_THROW(matrix.Transpose().Flat(), UsageError);
  try {
    matrix.Select(1, 0).span();
    FAIL() << "a column is not contiguous";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(),
                 "span of a Tensor whose elements are not contiguous (shape [4], strides [3]): copy it by "
                 "Tensor(t.MutableCopy(), t.shape())");
  }
  const Tensor<int> column = matrix.Select(1, 0);
  EXPECT_EQ(Tensor(column.MutableCopy(), column.shape()).span()[3], 9);
}

TEST(Tensor, OfOneRowIsContiguousEitherWay) {
  const Tensor<int> row = Counting({1, 5});
  EXPECT_TRUE(row.Transpose().contiguous());
  EXPECT_EQ(row.Transpose().span().size(), 5u);
}

TEST(Tensor, MayHaveNoElements) {
  const Tensor<int> none(Array<int>(), {3, 0, 2});
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.Transpose().contiguous());
  EXPECT_EQ(none.Select(0, 2).shape(), (Dims{0, 2}));
  EXPECT_EQ(none.Slice(1, 2).shape(), (Dims{2, 0, 2}));
  EXPECT_TRUE(none.Transpose().MutableCopy().empty());
  EXPECT_EQ(none.Reshape({0}), Tensor<int>());
  EXPECT_EQ(none, none.Permute({0, 1, 2}));
  EXPECT_NE(none, none.Transpose().Select(0, 0));
  EXPECT_THROW(none.at(0, 0, 0), std::out_of_range);
}

TEST(Tensor, IsEqualByShapeAndElements) {
  const Tensor<int> matrix = Counting({2, 3});
  EXPECT_EQ(matrix, Counting({2, 3}));
  EXPECT_NE(matrix, Counting({3, 2}));
  EXPECT_NE(matrix, Counting({2, 4}).Transpose().Slice(0, 3).Transpose());
  EXPECT_EQ(matrix.Transpose().Transpose(), matrix);
}

}  // namespace
}  // namespace manta
