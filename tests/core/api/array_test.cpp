#include <manta/array.hpp>
#include <manta/serialize.hpp>

#include <gtest/gtest.h>

#include <cereal/archives/json.hpp>

#include <cstdint>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace manta {
namespace {

struct Point {
  float x, y;
};

TEST(Array, IsEmptyAtFirst) {
  const Array<int> none;
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.begin(), none.end());
  EXPECT_TRUE(none.MutableCopy().empty());
  EXPECT_EQ(none, Array<int>(std::vector<int>()));
}

TEST(Array, TakesAVectorOverWithoutACopy) {
  std::vector<double> values{1, 2, 3};
  const double* const place = values.data();
  const Array<double> array(std::move(values));
  EXPECT_EQ(array.data(), place);
  EXPECT_EQ(array.MutableCopy(), (std::vector<double>{1, 2, 3}));
}

TEST(Array, CopiesWhatItIsGivenASpanOf) {
  const std::vector<Point> points{{1, 2}, {3, 4}};
  const Array<Point> array{std::span<const Point>(points)};
  EXPECT_NE(static_cast<const void*>(array.data()), points.data());
  ASSERT_EQ(array.size(), 2u);
  EXPECT_EQ(array.back().y, 4);
}

TEST(Array, CopiesAndSlicesShareAndKeep) {
  auto whole = std::make_unique<Array<int>>(std::vector<int>{10, 11, 12, 13});
  const Array<int> copy = *whole;
  const Array<int> slice = whole->Slice(1, 2);
  EXPECT_EQ(copy.data(), whole->data());
  whole.reset();
  EXPECT_EQ(slice, (Array<int>{11, 12}));
  EXPECT_EQ(slice.data(), copy.data() + 1);
  EXPECT_TRUE(copy.Slice(4, 0).empty());
}

TEST(Array, RefusesWhatIsNotThere) {
  const Array<int> array{1, 2, 3};
  EXPECT_EQ(array.at(2), 3);
  EXPECT_THROW(array.at(3), std::out_of_range);
  EXPECT_THROW(array.Slice(4, 0), std::out_of_range);
  EXPECT_THROW(array.Slice(1, 3), std::out_of_range);
  EXPECT_THROW(array.Slice(1, ~std::size_t{0}), std::out_of_range);
}

TEST(Array, HasTheBytesOfAVector) {
  const auto& array_ops = detail::OpsOf<Array<float>>();
  const auto& vector_ops = detail::OpsOf<std::vector<float>>();
  EXPECT_EQ(array_ops.hash, vector_ops.hash);
  EXPECT_FALSE(detail::SameType(array_ops, vector_ops));
  EXPECT_NE(array_ops.hash, detail::OpsOf<Array<double>>().hash);

  const std::vector<float> values{1, 2, 3};
  alignas(64) std::byte bytes[12];
  ASSERT_EQ(vector_ops.measure(&values), sizeof(bytes));
  vector_ops.write(&values, bytes, sizeof(bytes), nullptr);
  const auto copied = std::static_pointer_cast<const Array<float>>(array_ops.load(bytes, sizeof(bytes), nullptr));
  EXPECT_EQ(copied->MutableCopy(), values);
  EXPECT_NE(static_cast<const void*>(copied->data()), bytes);
}

TEST(Array, IsLoadedInPlaceWhereTheBytesAreKept) {
  const auto& ops = detail::OpsOf<Array<std::uint32_t>>();
  auto bytes = std::make_shared<std::vector<std::uint32_t>>(std::vector<std::uint32_t>{7, 8, 9});
  const auto* const from = reinterpret_cast<const std::byte*>(bytes->data());
  const std::weak_ptr<void> alive = bytes;
  const std::shared_ptr<const void> kept = std::move(bytes);
  auto loaded = std::static_pointer_cast<const Array<std::uint32_t>>(ops.load(from, 12, kept));
  EXPECT_EQ(static_cast<const void*>(loaded->data()), from);
  const auto shifted = std::static_pointer_cast<const Array<std::uint32_t>>(ops.load(from + 1, 8, kept));
  EXPECT_NE(static_cast<const void*>(shifted->data()), from + 1) << "not aligned for its elements: must be copied";

  const_cast<std::shared_ptr<const void>&>(kept).reset();
  EXPECT_FALSE(alive.expired());
  loaded.reset();
  EXPECT_TRUE(alive.expired());
}

struct Mesh {
  std::string name;
  Array<double> nodes;
  template <class A>
  void serialize(A& a) {
    a(name, nodes);
  }
};

TEST(Array, TravelsInsideOfOtherTypes) {
  const Mesh mesh{"wing", Array<double>{1.5, 2.5}};
  const auto& ops = detail::OpsOf<Mesh>();
  std::vector<std::byte> bytes(ops.measure(&mesh));
  ops.write(&mesh, bytes.data(), bytes.size(), nullptr);
  const auto loaded = std::static_pointer_cast<const Mesh>(ops.load(bytes.data(), bytes.size(), nullptr));
  EXPECT_EQ(loaded->name, "wing");
  EXPECT_EQ(loaded->nodes, mesh.nodes);
  EXPECT_THROW(ops.load(bytes.data(), bytes.size() - 1, nullptr), UsageError);
}

TEST(Array, IsNoLongerThanItsBytes) {
  const Mesh mesh{"", Array<double>{1}};
  const auto& ops = detail::OpsOf<Mesh>();
  std::vector<std::byte> bytes(ops.measure(&mesh));
  ops.write(&mesh, bytes.data(), bytes.size(), nullptr);
  const std::uint64_t lie = std::uint64_t{1} << 60;  // no such memory may be asked for
  std::memcpy(bytes.data() + sizeof(std::uint64_t), &lie, sizeof(lie));
  EXPECT_THROW(ops.load(bytes.data(), bytes.size(), nullptr), UsageError);
}

TEST(Array, IsReadAndWrittenByCerealsOwnArchives) {
  const Array<std::int16_t> array{1, -2};
  std::stringstream text;
  {
    cereal::JSONOutputArchive archive(text);
    archive(array);
  }
  Array<std::int16_t> read;
  cereal::JSONInputArchive archive(text);
  archive(read);
  EXPECT_EQ(read, array);
}

}  // namespace
}  // namespace manta
